/* SRS: any sender goes there and back, or is refused; nothing that we did not write comes
   back, whatever its form. */
#include "base/panic.h"
#include "mail/address.h"
#include "policy/srs.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum {
	SCRATCH = 64 << 10,
};

static void
there_and_back(const struct srs_conf *conf, struct str sender, struct arena *a)
{
	char bytes[600], back_bytes[600];
	struct strbuf there = strbuf_on(bytes), back = strbuf_on(back_bytes);
	struct address address, was;

	if (srs_forward(conf, sender, &there) != OK)
		return;
	CHECK(there.n <= ADDRESS_MAX);
	CHECK(address_parse(strbuf_str(&there), ADDRESS_UTF8, a, &address) == OK);
	CHECK(str_eq(address.domain, conf->domain));
	CHECK(srs_reverse(conf, address.local, &back) == OK);
	CHECK(address_parse(sender, ADDRESS_UTF8, a, &was) == OK);
	if (srs_is_rewritten(was.local))
		return;
	CHECK(address_parse(strbuf_str(&back), ADDRESS_UTF8, a, &address) == OK);
	CHECK(str_eq(address.local, was.local));
	CHECK(str_eq_icase(address.domain, was.domain));
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct srs_conf conf = { STR("0123456789abcdef"), STR("our.example"),
		                 1700000000000 };
	struct arena *a = arena_new(SCRATCH);
	char bytes[600];
	struct strbuf back = strbuf_on(bytes);
	struct str s = str_make(data, size);

	there_and_back(&conf, s, a);
	CHECK(srs_reverse(&conf, s, &back) != OK);
	arena_free(&a);
	return 0;
}
