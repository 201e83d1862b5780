/* Any TXT record: it is parsed or refused, what was parsed parses again term by term, and
   nothing is seen outside of it. */
#include "base/panic.h"
#include "policy/spf_record.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static bool
is_inside(struct str part, struct str whole)
{
	return !part.n || (part.p >= whole.p && part.p + part.n <= whole.p + whole.n);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	struct str text = str_make(data, n), bad = { 0 }, rest;
	struct addr ip = { .family = n % 2 ? ADDR_V4 : ADDR_V6 };
	struct spf_record r;
	struct spf_term t;
	const char *fault = NULL;
	enum err e;

	if (!spf_record_is(text))
		return 0;
	e = spf_record_parse(text, &ip, &r, &bad, &fault);
	CHECK(e == OK || e == ERR_SYNTAX);
	if (e == ERR_SYNTAX) {
		CHECK(fault && bad.n && is_inside(bad, text));
		return 0;
	}
	rest = r.terms;
	while ((e = spf_term_next(&rest, &t, &fault)) == OK) {
		CHECK(is_inside(t.text, text) && is_inside(t.domain, t.text));
		CHECK(t.bits4 <= 128 && t.bits6 <= 128);
	}
	CHECK(e == ERR_NOT_FOUND);
	return 0;
}
