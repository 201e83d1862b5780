/* What a worker sends to the resolver's process, and what it gets back. */
#include "base/panic.h"
#include "io/dns_frame.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
try_key(struct str bytes)
{
	/* One that passes is one that a name could have made. */
	if (dns_key_check(bytes)) {
		struct str name = str_from_offset(bytes, 2);
		char text[DNS_NAME_MAX], wire[DNS_NAME_MAX];
		struct strbuf b = strbuf_on(text), again = strbuf_on(wire);

		while (name.p[0]) {
			size_t n = (uint8_t)name.p[0];

			if (b.n)
				strbuf_byte(&b, '.');
			strbuf_add(&b, str_first(str_from_offset(name, 1), n));
			name = str_from_offset(name, n + 1);
		}
		CHECK(dns_name_parse(strbuf_str(&b), &again));
		CHECK(str_eq(strbuf_str(&again), str_from_offset(bytes, 2)));
	}
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct str bytes = str_make(data, size);
	struct strbuf again = strbuf_heap(DNS_ANSWER_MAX);
	struct dns_raw raw;

	try_key(bytes);
	if (dns_answer_unpack(bytes, &raw)) {
		dns_answer_pack(&raw, &again);
		CHECK(str_eq(strbuf_str(&again), bytes));
	}
	strbuf_release(&again);
	return 0;
}
