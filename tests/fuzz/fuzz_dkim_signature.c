/* One signature field, in each of its three forms; the first byte chooses. What is read
 * is bounded, and cutting out b= leaves all other bytes. */
#include "base/panic.h"
#include "policy/arc.h"
#include "policy/dkim_signature.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum {
	ARENA_BYTES = 4 << 20,
};

static void
count(void *arg, struct str bytes)
{
	*(size_t *)arg += bytes.n;
}

static void
check_signature(const struct dkim_signature *s, struct str raw)
{
	struct str bare = raw;
	size_t whole = 0, cut = 0;

	if (s->b_value.n) {
		CHECK(s->b_value.p > raw.p &&
		      s->b_value.p + s->b_value.n <= raw.p + raw.n);
	}
	dkim_canon_field(DKIM_SIMPLE, raw, STR(""), true, count, &whole);
	dkim_canon_field(DKIM_SIMPLE, raw, s->b_value, true, count, &cut);
	/* b= may be last, with the line end behind it. */
	while (bare.n && (bare.p[bare.n - 1] == '\n' || bare.p[bare.n - 1] == '\r'))
		bare.n--;
	CHECK(cut <= whole && whole - cut <= s->b_value.n && whole >= bare.n);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	enum dkim_form form = size ? data[0] % (DKIM_FORM_SEAL + 1) : DKIM_FORM_SIGNATURE;
	struct str raw = str_from_offset(str_make(data, size), 1);
	struct arena *a = arena_new(ARENA_BYTES);
	struct dkim_signature s;
	struct dkim_problem p = dkim_signature_parse(form, raw, a, &s);

	CHECK(p.reason);
	check_signature(&s, raw);
	if (p.result == DKIM_NONE) {
		struct dkim_fields *f = dkim_fields_new(a, raw);

		CHECK(s.domain.n && s.selector.n && s.b.n);
		CHECK(form != DKIM_FORM_SIGNATURE ||
		      dkim_signature_has_name(&s, STR("from")));
		CHECK(form == DKIM_FORM_SIGNATURE ||
		      (s.instance && s.instance <= ARC_SETS_MAX));
		if (f)
			(void)dkim_signature_hash(&s, f);
	}
	arena_free(&a);
	return 0;
}
