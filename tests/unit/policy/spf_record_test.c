#include "policy/spf_record.h"

#include "tests/unit/check.h"

/* fault: the term that is wrong; NULL: none. */
static const struct {
	const char *text, *fault;
} records[] = {
	{ "v=spf1", NULL },
	{ "v=spf1 ", NULL },
	{ "V=SPF1  A  -ALL ", NULL },
	{ "v=spf1 all", NULL },
	{ "v=spf1 +a -mx ~ptr ?ip4:192.0.2.0/24 exists:%{i}.a.example", NULL },
	{ "v=spf1 a:a.example/24//64 mx//0 a/0 mx:b.example//128", NULL },
	{ "v=spf1 ip4:192.0.2.1/0 ip6:::1 ip6:2001:db8::/32 ip6:::ffff:192.0.2.1/96",
	  NULL },
	{ "v=spf1 include:a.example redirect=b.example exp=%{d}", NULL },
	{ "v=spf1 unknown=%{d}:/x moo.cow-far_out=man:dog/cat a=", NULL },
	{ "v=spf1 a:a.example/b.example", NULL },
	{ "v=spf1\ta", NULL }, /* not SPF at all; see below */
	{ "v=spf1 all.", "all." },
	{ "v=spf1 all:a.example", "all:a.example" },
	{ "v=spf1 all/8", "all/8" },
	{ "v=spf1 -", "-" },
	{ "v=spf1 -all -all- a", "-all-" },
	{ "v=spf1 ++all", "++all" },
	{ "v=spf1 -redirect=a.example", "-redirect=a.example" },
	{ "v=spf1 redirect:a.example", "redirect:a.example" },
	{ "v=spf1 include", "include" },
	{ "v=spf1 include:", "include:" },
	{ "v=spf1 include:a.example/24", "include:a.example/24" },
	{ "v=spf1 include=", NULL },
	{ "v=spf1 exists", "exists" },
	{ "v=spf1 exists:a.example/24", "exists:a.example/24" },
	{ "v=spf1 a:", "a:" },
	{ "v=spf1 a:example", "a:example" },
	{ "v=spf1 a:a.example/33", "a:a.example/33" },
	{ "v=spf1 a:a.example/032", "a:a.example/032" },
	{ "v=spf1 a:a.example//129", "a:a.example//129" },
	{ "v=spf1 a:a.example/24/64", "a:a.example/24/64" },
	{ "v=spf1 a:a.example//64/24", "a:a.example//64/24" },
	{ "v=spf1 a/", "a/" },
	{ "v=spf1 a/4294967328", "a/4294967328" },
	{ "v=spf1 a//", "a//" },
	{ "v=spf1 mx:a.example:8080", "mx:a.example:8080" },
	{ "v=spf1 ptr:", "ptr:" },
	{ "v=spf1 ptr/24", "ptr/24" },
	{ "v=spf1 ip4", "ip4" },
	{ "v=spf1 ip4:", "ip4:" },
	{ "v=spf1 ip4:192.0.2", "ip4:192.0.2" },
	{ "v=spf1 ip4:192.0.2.1/33", "ip4:192.0.2.1/33" },
	{ "v=spf1 ip4:192.0.2.1/", "ip4:192.0.2.1/" },
	{ "v=spf1 ip4:192.0.2.1//32", "ip4:192.0.2.1//32" },
	{ "v=spf1 ip4:192.0.2.01", "ip4:192.0.2.01" },
	{ "v=spf1 ip4:::1", "ip4:::1" },
	{ "v=spf1 ip4:::ffff:192.0.2.1", "ip4:::ffff:192.0.2.1" },
	{ "v=spf1 ip6:192.0.2.1", "ip6:192.0.2.1" },
	{ "v=spf1 ip6:::1/129", "ip6:::1/129" },
	{ "v=spf1 ip6:[::1]", "ip6:[::1]" },
	{ "v=spf1 exp=a.example exp=b.example", "exp=b.example" },
	{ "v=spf1 redirect=a.example REDIRECT=b.example", "REDIRECT=b.example" },
	{ "v=spf1 redirect=", "redirect=" },
	{ "v=spf1 exp=", "exp=" },
	{ "v=spf1 =all", "=all" },
	{ "v=spf1 4=all", "4=all" },
	{ "v=spf1 moo=%", "moo=%" },
	{ "v=spf1 moo=\xff", "moo=\xff" },
	{ "v=spf1 a\tmx", "a\tmx" },
	{ "v=spf1 ipv4:192.0.2.1", "ipv4:192.0.2.1" },
};

static void
test_parse(void)
{
	for (size_t i = 0; i < ARRAY_LEN(records); i++) {
		struct str text = str_from(records[i].text), bad = { 0 };
		struct addr ip = { .family = ADDR_V4, .ip = { 192, 0, 2, 1 } };
		struct spf_record r;
		const char *fault = NULL;
		enum err e;

		if (!spf_record_is(text)) {
			CHECK_TRUE(str_find(text, '\t') != SIZE_MAX, records[i].text);
			continue;
		}
		e = spf_record_parse(text, &ip, &r, &bad, &fault);
		CHECK_ERR_EQ(e, records[i].fault ? ERR_SYNTAX : OK, records[i].text);
		if (e == OK)
			continue;
		CHECK_STR_EQ(bad, str_from(records[i].fault), records[i].text);
		CHECK_TRUE(fault != NULL, records[i].text);
	}
}

static void
test_is(void)
{
	CHECK_TRUE(spf_record_is(STR("v=spf1")), "bare");
	CHECK_TRUE(spf_record_is(STR("v=SPF1 a")), "any case");
	CHECK_TRUE(!spf_record_is(STR("v=spf10")), "another version");
	CHECK_TRUE(!spf_record_is(STR("v=spf")), "short");
	CHECK_TRUE(!spf_record_is(STR(" v=spf1")), "a space before");
	CHECK_TRUE(!spf_record_is(STR("spf2.0/pra a")), "Sender ID");
}

static void
test_terms(void)
{
	struct str rest = STR(" ~a:b.example/24//64  ip6:2001:db8::/32 x=y");
	struct spf_term t;
	const char *fault;

	CHECK_ERR_EQ(spf_term_next(&rest, &t, &fault), OK, "a");
	CHECK_TRUE(t.kind == SPF_TERM_A && t.qualifier == '~', "a");
	CHECK_STR_EQ(t.domain, STR("b.example"), "its domain");
	CHECK_U64_EQ(t.bits4, 24, "IPv4");
	CHECK_U64_EQ(t.bits6, 64, "IPv6");
	CHECK_ERR_EQ(spf_term_next(&rest, &t, &fault), OK, "ip6");
	CHECK_TRUE(t.kind == SPF_TERM_IP6 && t.qualifier == '+', "ip6");
	CHECK_U64_EQ(t.bits6, 32, "its prefix");
	CHECK_ERR_EQ(spf_term_next(&rest, &t, &fault), OK, "x");
	CHECK_TRUE(t.kind == SPF_TERM_UNKNOWN, "unknown");
	CHECK_STR_EQ(t.text, STR("x=y"), "as written");
	CHECK_ERR_EQ(spf_term_next(&rest, &t, &fault), ERR_NOT_FOUND, "no more");
}

SUITE(policy_spf_record, { "syntax", test_parse }, { "which TXT records", test_is },
      { "terms", test_terms });
