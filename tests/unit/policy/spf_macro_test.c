#include "policy/spf_macro.h"

#include "policy/lookups.h"
#include "tests/unit/check.h"

static struct spf_macro_values
values(const char *ip)
{
	struct spf_macro_values v = { .sender = STR("strong-bad@email.example.com"),
		                      .local = STR("strong-bad"),
		                      .domain = STR("email.example.com"),
		                      .current = STR("email.example.com"),
		                      .helo = STR("helo.example.net"),
		                      .validated = STR("mx.example.org"),
		                      .receiver = STR("receiver.example"),
		                      .now_ms = INT64_C(1700000000123) };

	CHECK_TRUE(addr_parse_ip(str_from(ip), &v.ip), ip);
	return v;
}

/* RFC 7208 7.4, and what it does not show. */
static const struct {
	const char *ip, *text, *expanded;
} expansions[] = {
	{ "192.0.2.3", "%{s}", "strong-bad@email.example.com" },
	{ "192.0.2.3", "%{o}", "email.example.com" },
	{ "192.0.2.3", "%{d}", "email.example.com" },
	{ "192.0.2.3", "%{d4}", "email.example.com" },
	{ "192.0.2.3", "%{d3}", "email.example.com" },
	{ "192.0.2.3", "%{d2}", "example.com" },
	{ "192.0.2.3", "%{d1}", "com" },
	{ "192.0.2.3", "%{dr}", "com.example.email" },
	{ "192.0.2.3", "%{d2r}", "example.email" },
	{ "192.0.2.3", "%{l}", "strong-bad" },
	{ "192.0.2.3", "%{l-}", "strong.bad" },
	{ "192.0.2.3", "%{lr}", "strong-bad" },
	{ "192.0.2.3", "%{lr-}", "bad.strong" },
	{ "192.0.2.3", "%{l1r-}", "strong" },
	{ "192.0.2.3", "%{ir}.%{v}._spf.%{d2}", "3.2.0.192.in-addr._spf.example.com" },
	{ "192.0.2.3", "%{lr-}.lp._spf.%{d2}", "bad.strong.lp._spf.example.com" },
	{ "192.0.2.3", "%{lr-}.lp.%{ir}.%{v}._spf.%{d2}",
	  "bad.strong.lp.3.2.0.192.in-addr._spf.example.com" },
	{ "192.0.2.3", "%{ir}.%{v}.%{l1r-}.lp._spf.%{d2}",
	  "3.2.0.192.in-addr.strong.lp._spf.example.com" },
	{ "192.0.2.3", "%{d2}.trusted-domains.example.net",
	  "example.com.trusted-domains.example.net" },
	{ "2001:db8::cb01", "%{ir}.%{v}._spf.%{d2}",
	  "1.0.B.C.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.B.D.0.1.0.0.2.ip6._spf."
	  "example.com" },
	{ "2001:db8::cb01", "%{c} %{v} %{i2}", "2001:db8::cb01 ip6 0.1" },
	{ "192.0.2.3", "%{h} %{p} %{r} %{t} %{c}",
	  "helo.example.net mx.example.org receiver.example 1700000000 192.0.2.3" },
	{ "192.0.2.3", "100%% of%_%-", "100% of %20" },
	{ "192.0.2.3", "%{S}", "strong-bad%40email.example.com" },
	{ "192.0.2.3", "%{S1r}", "strong-bad%40email" },
	{ "192.0.2.3", "%{S9r-.}", "com.example.bad%40email.strong" },
	{ "192.0.2.3", "%{D999}%{d1000000000000000000000}",
	  "email.example.comemail.example.com" },
	{ "192.0.2.3", "%{l,}%{l1/}%{l1_}%{l1=}%{l1+}",
	  "strong-badstrong-badstrong-badstrong-badstrong-bad" },
	{ "192.0.2.3", "", "" },
};

static void
test_expand(void)
{
	for (size_t i = 0; i < ARRAY_LEN(expansions); i++) {
		struct spf_macro_values v = values(expansions[i].ip);
		char bytes[256];
		struct strbuf out = strbuf_on(bytes);

		CHECK_TRUE(spf_explanation_check(str_from(expansions[i].text)),
		           expansions[i].text);
		spf_macro_expand(str_from(expansions[i].text), &v, &out);
		CHECK_STR_EQ(strbuf_str(&out), str_from(expansions[i].expanded),
		             expansions[i].text);
	}
}

/* i: the text of an explanation, m: a macro-string, d: a domain-spec. */
static const struct {
	const char *text, *good_as;
} syntaxes[] = {
	{ "a.example", "imd" },
	{ "%{d}", "imd" },
	{ "%{d}.example.", "imd" },
	{ "%{d}.", "im" },
	{ ".example", "imd" },
	{ "a.example%%", "imd" },
	{ "a.ex%%ample", "im" },
	{ "a.example%%_", "im" },
	{ "a.example%_", "imd" },
	{ "a.%{d}b", "im" },
	{ "example", "im" },
	{ "example.", "im" },
	{ "a.1", "im" },
	{ "a.1a", "imd" },
	{ "a.a-1", "imd" },
	{ "a.-a", "im" },
	{ "a.a-", "im" },
	{ "a.b_c", "im" },
	{ "a b.example", "i" },
	{ "%{t}.example", "i" },
	{ "%{C}", "i" },
	{ "%{r}", "i" },
	{ "", "im" },
	{ "%{x}", "" },
	{ "%", "" },
	{ "a%", "" },
	{ "%a", "" },
	{ "%{", "" },
	{ "%{}", "" },
	{ "%{d", "" },
	{ "%{d0}", "" },
	{ "%{d00}", "" },
	{ "%{d01}", "imd" },
	{ "%{dr2}", "" },
	{ "%{d2rr}", "" },
	{ "%{d-r}", "" },
	{ "%{d:}", "" },
	{ "%{d2r.-+,/_=}", "imd" },
	{ "%{dR}", "imd" },
	{ "%(d)", "" },
	{ "a.ex\tample", "" },
	{ "a.\xc3\xa4xample", "" },
};

static void
test_syntax(void)
{
	for (size_t i = 0; i < ARRAY_LEN(syntaxes); i++) {
		struct str s = str_from(syntaxes[i].text);
		char bytes[4];
		struct strbuf good = strbuf_on(bytes);

		if (spf_explanation_check(s))
			strbuf_byte(&good, 'i');
		if (spf_macro_check(s))
			strbuf_byte(&good, 'm');
		if (spf_domain_spec_check(s))
			strbuf_byte(&good, 'd');
		CHECK_STR_EQ(strbuf_str(&good), str_from(syntaxes[i].good_as),
		             syntaxes[i].text);
	}
}

/* RFC 7208 7.3: labels on the left go until the name fits. */
static void
test_truncation(void)
{
	struct spf_macro_values v = values("192.0.2.3");
	char text[SPF_MACRO_MAX + 1], bytes[LOOKUPS_NAME_MAX];
	struct strbuf spec = strbuf_on(text), out = strbuf_on(bytes);

	for (int i = 0; i < 126; i++)
		strbuf_lit(&spec, "a.");
	strbuf_lit(&spec, "b");
	spf_macro_expand_name(strbuf_str(&spec), &v, &out);
	CHECK_U64_EQ(out.n, 253, "253 bytes are whole");
	CHECK_STR_EQ(strbuf_str(&out), strbuf_str(&spec), "and nothing is cut");

	strbuf_lit(&spec, "c.example.");
	strbuf_clear(&out);
	spf_macro_expand_name(strbuf_str(&spec), &v, &out);
	CHECK_U64_EQ(out.n, 252, "more are cut at a dot");
	CHECK_TRUE(str_ends(strbuf_str(&out), STR(".a.bc.example")), "on the left");

	strbuf_clear(&spec);
	while (spec.n < SPF_MACRO_MAX - 10)
		strbuf_lit(&spec, "%{d}");
	strbuf_lit(&spec, ".example");
	CHECK_TRUE(spf_domain_spec_check(strbuf_str(&spec)), "as many as there may be");
	strbuf_clear(&out);
	spf_macro_expand_name(strbuf_str(&spec), &v, &out);
	CHECK_TRUE(out.n > 200 && !out.overflow, "the end of a long one");
	CHECK_TRUE(str_starts(strbuf_str(&out), STR("example.comemail.")) ||
	                   str_starts(strbuf_str(&out), STR("comemail.")),
	           "whole labels");

	memset(text, 'a', 300);
	strbuf_clear(&out);
	spf_macro_expand_name(str_make(text, 300), &v, &out);
	CHECK_U64_EQ(out.n, 0, "one endless label is no name");
	memset(text, '.', 8);
	memcpy(text + 8, "example", 7);
	CHECK_TRUE(!spf_domain_spec_check(str_make(text, sizeof(text))), "too long");
}

static void
test_long_values(void)
{
	struct spf_macro_values v = values("192.0.2.3");
	static char helo[5000];
	char bytes[LOOKUPS_NAME_MAX];
	struct strbuf out = strbuf_on(bytes);

	for (size_t i = 0; i < sizeof(helo); i++)
		helo[i] = i % 2 ? '+' : '&';
	v.helo = str_make(helo, sizeof(helo));
	spf_macro_expand_name(STR("%{H}%{Hr+}.%{H1r}%{H}.example"), &v, &out);
	CHECK_STR_EQ(strbuf_str(&out), STR("example"), "what fits of it");
	CHECK_TRUE(spf_macro_has(STR("a%{H2r}b"), STR("ph")), "it has h");
	CHECK_TRUE(!spf_macro_has(STR("h%%{h}%{d}"), STR("ph")), "it has not");
}

SUITE(policy_spf_macro, { "expansion", test_expand }, { "syntax", test_syntax },
      { "names that are too long", test_truncation },
      { "long values", test_long_values });
