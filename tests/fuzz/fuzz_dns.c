/* Answers of name servers. The first bytes are the name and type asked for, the rest is
 * the message, with the question put right so that the rest of it is reached. */
#include "base/panic.h"
#include "io/dns_message.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum {
	BYTES = 64 << 10,
	HEADER = 12,
};

static const enum dns_type types[] = {
	DNS_A,   DNS_NS,   DNS_CNAME, DNS_SOA, DNS_PTR, DNS_MX,
	DNS_TXT, DNS_AAAA, DNS_TLSA,  DNS_SRV, DNS_DS,  DNS_CAA,
};

static void
check_answer(const struct dns_answer *a, enum dns_type type)
{
	CHECK(a->count <= DNS_RECORDS_MAX);
	for (size_t i = 0; i < a->count; i++) {
		const struct dns_record *r = &a->records[i];

		CHECK(r->type == type &&
		      !(r->name.n && memchr(r->name.p, '\0', r->name.n)));
		for (size_t k = 0; k < r->name.n; k++)
			CHECK(r->name.p[k] > ' ' && r->name.p[k] < 0x7f);
	}
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct strbuf query = strbuf_heap(BYTES), message = strbuf_heap(BYTES);
	enum dns_type type = size ? types[data[0] % ARRAY_LEN(types)] : DNS_A;
	struct str rest = str_from_offset(str_make(data, size), 1);
	struct arena *a = arena_new(4 << 20);
	struct dns_parsed parsed;

	dns_message_format(&query, 1, str_make("\1a\1x\0", 5), type, 0);
	if (rest.n >= HEADER && rest.n < BYTES / 2) {
		strbuf_add(&message, str_first(rest, HEADER));
		message.p[4] = 0;
		message.p[5] = 1;
		strbuf_add(&message, str_from_offset(strbuf_str(&query), HEADER));
		strbuf_add(&message, str_from_offset(rest, HEADER));
		if (dns_message_parse(strbuf_str(&message), strbuf_str(&query), a,
		                      &parsed) == OK)
			check_answer(&parsed.answer, type);
	}
	arena_free(&a);
	strbuf_release(&message);
	strbuf_release(&query);
	return 0;
}
