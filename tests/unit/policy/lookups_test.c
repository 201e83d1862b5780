#include "policy/lookups.h"

#include "tests/unit/check.h"

static const struct dns_record one = { .type = DNS_TXT,
	                               .name = STR_INIT(""),
	                               .text = STR_INIT("v=spf1") };
static const struct dns_answer found = {
	.status = DNS_OK,
	.name = STR_INIT("example.org"),
	.count = 1,
	.records = &one,
};

static void
test_asked_once(void)
{
	struct arena *a = arena_new(64 << 10);
	struct lookups *l = lookups_new(a, 10);
	const struct dns_answer *answer;
	struct lookup *q;

	CHECK_TRUE(!lookups_find(l, STR("Example.org"), DNS_TXT), "not known yet");
	CHECK_TRUE(!lookups_find(l, STR("example.org."), DNS_TXT), "nor on asking again");
	CHECK_U64_EQ(lookups_count(l), 1, "one question, whatever case and final dot");
	q = lookups_next(l);
	CHECK_TRUE(q != NULL, "to be resolved");
	CHECK_TRUE(!lookups_next(l), "once");
	CHECK_TRUE(!lookups_find(l, STR("example.org"), DNS_TXT), "while it is out");
	CHECK_U64_EQ(lookups_out(l), 1, "out");
	lookups_answer(q, &found);
	CHECK_U64_EQ(lookups_out(l), 0, "answered");
	answer = lookups_find(l, STR("EXAMPLE.org"), DNS_TXT);
	CHECK_TRUE(answer && answer->count == 1 && answer->records != &one, "a copy");
	CHECK_TRUE(answer && str_eq(answer->records[0].text, STR("v=spf1")),
	           "of the record");
	CHECK_TRUE(!lookups_find(l, STR("example.org"), DNS_A),
	           "another type is another");
	arena_free(&a);
}

static void
test_bounds(void)
{
	struct arena *a = arena_new(64 << 10);
	struct lookups *l = lookups_new(a, 2);
	const struct dns_answer *answer;
	char name[300];

	memset(name, 'a', sizeof(name));
	answer = lookups_find(l, str_make(name, sizeof(name)), DNS_A);
	CHECK_TRUE(answer && answer->status == DNS_BAD_NAME, "too long");
	answer = lookups_find(l, STR("."), DNS_A);
	CHECK_TRUE(answer && answer->status == DNS_BAD_NAME, "empty");
	CHECK_TRUE(!lookups_find(l, STR("a"), DNS_A) && !lookups_find(l, STR("b"), DNS_A),
	           "two");
	answer = lookups_find(l, STR("c"), DNS_A);
	CHECK_TRUE(answer && answer->status == DNS_TEMP, "no third");
	CHECK_TRUE(!lookups_find(l, STR("a"), DNS_A), "the first is still open");
	CHECK_TRUE(lookups_next(l) != NULL, "and goes out");
	lookups_give_up(l);
	answer = lookups_find(l, STR("a"), DNS_A);
	CHECK_TRUE(answer && answer->status == DNS_TEMP, "until time is over");
	CHECK_TRUE(!lookups_next(l), "then nothing is asked");
	arena_free(&a);
}

static void
test_reverse(void)
{
	struct arena *a = arena_new(64 << 10);
	struct lookups *l = lookups_new(a, 2);
	struct addr v4, v6;

	CHECK_TRUE(addr_parse_ip(STR("192.0.2.1"), &v4) &&
	                   addr_parse_ip(STR("2001:db8::1"), &v6),
	           "addresses");
	CHECK_TRUE(!lookups_find_ptr(l, &v4) && !lookups_find_ptr(l, &v6), "asked");
	CHECK_STR_EQ(lookups_next(l)->name, STR("1.2.0.192.in-addr.arpa"), "IPv4");
	CHECK_STR_EQ(lookups_next(l)->name,
	             STR("1.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.b.d.0.1.0.0."
	                 "2.ip6.arpa"),
	             "IPv6");
	arena_free(&a);
}

SUITE(policy_lookups, { "asked once", test_asked_once }, { "bounds", test_bounds },
      { "reverse names", test_reverse });
