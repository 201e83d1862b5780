#include "policy/iprev.h"

#include "tests/unit/check.h"
#include "tests/unit/policy/zone.h"

static const char *const zone[] = {
	"1.2.0.192.in-addr.arpa PTR mail.example.org",
	"mail.example.org A 192.0.2.1",
	"2.2.0.192.in-addr.arpa PTR forged.example.org",
	"2.2.0.192.in-addr.arpa PTR second.example.org",
	"forged.example.org A 192.0.2.9",
	"second.example.org A 192.0.2.8",
	"second.example.org A 192.0.2.2",
	"3.2.0.192.in-addr.arpa PTR forged.example.org",
	"4.2.0.192.in-addr.arpa PTR !temp",
	"5.2.0.192.in-addr.arpa PTR slow.example.org",
	"slow.example.org A !temp",
	"6.2.0.192.in-addr.arpa PTR none.example.org",
	("1.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2.ip6.arpa PTR "
	 "six.example.org"),
	"six.example.org AAAA 2001:db8::1",
	"7.2.0.192.in-addr.arpa PTR a1.example.org",
	"7.2.0.192.in-addr.arpa PTR a2.example.org",
	"7.2.0.192.in-addr.arpa PTR a3.example.org",
	"7.2.0.192.in-addr.arpa PTR a4.example.org",
	"7.2.0.192.in-addr.arpa PTR a5.example.org",
	"7.2.0.192.in-addr.arpa PTR a6.example.org",
	"7.2.0.192.in-addr.arpa PTR a7.example.org",
	"7.2.0.192.in-addr.arpa PTR a8.example.org",
	"7.2.0.192.in-addr.arpa PTR a9.example.org",
	"7.2.0.192.in-addr.arpa PTR a10.example.org",
	"7.2.0.192.in-addr.arpa PTR eleventh.example.org",
	"eleventh.example.org A 192.0.2.7",
	NULL,
};

static const struct {
	const char *ip, *result, *host, *reason;
} cases[] = {
	{ "192.0.2.1", "pass", "mail.example.org",
	  "192.0.2.1 has the name mail.example.org, which leads back to it" },
	{ "::ffff:192.0.2.1", "pass", "mail.example.org",
	  "192.0.2.1 has the name mail.example.org, which leads back to it" },
	{ "192.0.2.2", "pass", "second.example.org",
	  "192.0.2.2 has the name second.example.org, which leads back to it" },
	{ "192.0.2.3", "fail", "",
	  "192.0.2.3 has the name forged.example.org, which does not lead back to it" },
	{ "192.0.2.4", "temperror", "", "the name of 192.0.2.4 could not be looked up" },
	{ "192.0.2.5", "temperror", "", "the name of 192.0.2.5 could not be looked up" },
	{ "192.0.2.6", "fail", "",
	  "192.0.2.6 has the name none.example.org, which does not lead back to it" },
	{ "192.0.2.7", "fail", "",
	  "192.0.2.7 has the name a1.example.org, which does not lead back to it" },
	{ "192.0.2.8", "permerror", "", "192.0.2.8 has no name" },
	{ "2001:db8::1", "pass", "six.example.org",
	  "2001:db8::1 has the name six.example.org, which leads back to it" },
};

static void
test_check(void)
{
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct arena *a = arena_new(64 << 10);
		struct lookups *l = lookups_new(a, 20);
		struct iprev_verdict v;
		struct addr ip;

		CHECK_TRUE(addr_parse_ip(str_from(cases[i].ip), &ip), cases[i].ip);
		while (iprev_check(&ip, l, a, &v) == POLICY_NEED)
			zone_answer(zone, l);
		CHECK_CSTR_EQ(iprev_result_word(v.result), cases[i].result, cases[i].ip);
		CHECK_STR_EQ(v.host, str_from(cases[i].host), cases[i].ip);
		CHECK_STR_EQ(v.reason, str_from(cases[i].reason), cases[i].ip);
		CHECK_TRUE(lookups_count(l) <= 1 + IPREV_NAMES_MAX, cases[i].ip);
		arena_free(&a);
	}
}

static void
test_no_address(void)
{
	struct arena *a = arena_new(64 << 10);
	struct lookups *l = lookups_new(a, 20);
	struct addr none = { .family = ADDR_NONE };
	struct iprev_verdict v;

	CHECK_TRUE(iprev_check(&none, l, a, &v) == POLICY_DONE, "at once");
	CHECK_CSTR_EQ(iprev_result_word(v.result), "permerror", "no address");
	CHECK_U64_EQ(lookups_count(l), 0, "nothing is asked");
	arena_free(&a);
}

static void
test_below(void)
{
	CHECK_TRUE(iprev_is_below(STR("a.Example.org"), STR("example.ORG")), "below");
	CHECK_TRUE(iprev_is_below(STR("example.org"), STR("example.org")), "itself");
	CHECK_TRUE(!iprev_is_below(STR("badexample.org"), STR("example.org")), "no dot");
	CHECK_TRUE(!iprev_is_below(STR("org"), STR("example.org")), "above");
}

SUITE(policy_iprev, { "check", test_check }, { "no address", test_no_address },
      { "below", test_below });
