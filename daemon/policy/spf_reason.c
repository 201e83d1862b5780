#include "policy/spf_reason.h"

enum {
	SHOWN_MAX = 253, /* a whole name */
	REASON_MAX = 1200,
};

bool
spf_is_plain(struct str s)
{
	for (size_t i = 0; i < s.n; i++)
		if (s.p[i] < ' ' || s.p[i] > '~')
			return false;
	return true;
}

static void
add_clean(struct strbuf *out, struct str s)
{
	struct str shown = str_first(s, SHOWN_MAX);

	for (size_t i = 0; i < shown.n; i++)
		strbuf_byte(out,
		            spf_is_plain(str_make(shown.p + i, 1)) ? shown.p[i] : '?');
	if (shown.n < s.n)
		strbuf_lit(out, "...");
}

struct str
spf_reason_clean(struct arena *a, struct str s)
{
	struct strbuf out = strbuf_arena(a, REASON_MAX);

	add_clean(&out, s);
	return strbuf_str(&out);
}

/* before, name, behind. */
static struct str
say(struct arena *a, const char *before, struct str name, const char *behind)
{
	struct strbuf out = strbuf_arena(a, REASON_MAX);

	strbuf_add(&out, str_from(before));
	add_clean(&out, name);
	strbuf_add(&out, str_from(behind));
	return strbuf_str(&out);
}

struct str
spf_reason_match(struct arena *a, enum spf_result r, const struct spf_match *m)
{
	static const char *const words[] = {
		[SPF_NEUTRAL] = "may or may not send mail for ",
		[SPF_PASS] = "may send mail for ",
		[SPF_FAIL] = "may not send mail for ",
		[SPF_SOFTFAIL] = "should not send mail for ",
	};
	struct strbuf out = strbuf_arena(a, REASON_MAX);

	addr_format_ip(&out, &m->ip);
	strbuf_byte(&out, ' ');
	strbuf_add(&out, str_from(words[r]));
	add_clean(&out, m->domain);
	if (!m->term.n) {
		strbuf_lit(&out, ": no term of its SPF record matches");
		return strbuf_str(&out);
	}
	strbuf_lit(&out, ": \"");
	add_clean(&out, m->term);
	strbuf_lit(&out, "\" matches");
	if (!str_eq(m->leaf, m->term)) {
		strbuf_lit(&out, " by \"");
		add_clean(&out, m->leaf);
		strbuf_lit(&out, "\" of ");
		add_clean(&out, m->leaf_domain);
	}
	return strbuf_str(&out);
}

struct str
spf_reason_none(struct arena *a, struct str domain)
{
	return say(a, "", domain, " has no SPF record");
}

struct str
spf_reason_no_domain(struct arena *a, struct str domain, bool is_helo)
{
	return say(a, is_helo ? "the HELO name \"" : "the sender's domain \"", domain,
	           "\" is no domain that could have an SPF record");
}

struct str
spf_reason_temp(struct arena *a, struct str name)
{
	return say(a, "the name service gave no answer about ", name, "");
}

struct str
spf_reason_missing(struct arena *a, struct str domain)
{
	return say(a, "a record refers to ", domain, ", which has no SPF record");
}

struct str
spf_reason_several(struct arena *a, struct str domain)
{
	return say(a, "", domain, " has more than one SPF record");
}

struct str
spf_reason_syntax(struct arena *a, struct str domain, struct str term, const char *fault)
{
	struct strbuf out = strbuf_arena(a, REASON_MAX);

	strbuf_lit(&out, "the SPF record of ");
	add_clean(&out, domain);
	strbuf_lit(&out, " has an error: \"");
	add_clean(&out, term);
	strbuf_lit(&out, "\" ");
	strbuf_add(&out, str_from(fault));
	return strbuf_str(&out);
}

struct str
spf_reason_terms(struct arena *a, struct str term)
{
	return say(a, "more than 10 terms need a look-up, the first beyond them is \"",
	           term, "\"");
}

struct str
spf_reason_voids(struct arena *a, struct str term)
{
	return say(a, "more than 2 terms lead to nothing, the third is \"", term, "\"");
}

struct str
spf_reason_mx(struct arena *a, struct str domain)
{
	return say(a, "", domain, " has more than 10 MX records");
}
