/* How many connections, in all and from one client. */
#include "io/limiter.h"

#include "tests/unit/check.h"

static struct addr
ip(const char *text)
{
	struct addr a = { 0 };

	CHECK_TRUE(addr_parse_ip(str_from(text), &a), text);
	return a;
}

static enum err
take(struct limiter *l, const char *text)
{
	struct addr a = ip(text);

	return limiter_take(l, &a);
}

static void
give(struct limiter *l, const char *text)
{
	struct addr a = ip(text);

	limiter_give(l, &a);
}

static void
test_per_address(void)
{
	struct limiter *l = limiter_new(0, 2);

	CHECK_ERR_EQ(take(l, "192.0.2.1"), OK, "first");
	CHECK_ERR_EQ(take(l, "::ffff:192.0.2.1"), OK, "second, the same client mapped");
	CHECK_ERR_EQ(take(l, "192.0.2.1"), ERR_LIMIT, "third");
	CHECK_ERR_EQ(take(l, "192.0.2.2"), OK, "another client");
	CHECK_U64_EQ(limiter_count(l), 3, "a refused one does not count");
	give(l, "192.0.2.1");
	CHECK_ERR_EQ(take(l, "192.0.2.1"), OK, "one has gone");
	CHECK_ERR_EQ(take(l, "192.0.2.1"), ERR_LIMIT, "one only");
	limiter_free(&l);
	CHECK_TRUE(!l, "cleared");
}

static void
test_v6_counts_by_64_bits(void)
{
	struct limiter *l = limiter_new(0, 2);

	CHECK_ERR_EQ(take(l, "2001:db8:1:2::1"), OK, "first of the net");
	CHECK_ERR_EQ(take(l, "2001:db8:1:2:ffff:ffff:ffff:ffff"), OK, "second");
	CHECK_ERR_EQ(take(l, "2001:db8:1:2:abcd::"), ERR_LIMIT, "third of the same /64");
	CHECK_ERR_EQ(take(l, "2001:db8:1:3::1"), OK, "the next /64");
	give(l, "2001:db8:1:2:1234::9"); /* any address of the net */
	CHECK_ERR_EQ(take(l, "2001:db8:1:2::1"), OK, "given back");
	limiter_free(&l);
}

static void
test_total(void)
{
	struct limiter *l = limiter_new(3, 2);
	struct addr none = { 0 };

	CHECK_ERR_EQ(take(l, "192.0.2.1"), OK, "1");
	CHECK_ERR_EQ(limiter_take(l, &none), OK, "2: no address has no limit of its own");
	CHECK_ERR_EQ(limiter_take(l, &none), OK, "3");
	CHECK_ERR_EQ(take(l, "192.0.2.2"), ERR_BUSY, "full");
	CHECK_ERR_EQ(limiter_take(l, &none), ERR_BUSY, "full for all");
	limiter_give(l, &none);
	CHECK_ERR_EQ(take(l, "192.0.2.2"), OK, "room again");
	limiter_set(l, 1, 1);
	CHECK_U64_EQ(limiter_count(l), 3, "nobody is thrown out");
	CHECK_ERR_EQ(take(l, "192.0.2.9"), ERR_BUSY, "the new limit");
	limiter_set(l, 0, 0);
	for (int i = 0; i < 100; i++)
		CHECK_ERR_EQ(take(l, "192.0.2.1"), OK, "0: no limit");
	limiter_free(&l);
}

static void
give_what_nobody_took(void)
{
	struct limiter *l = limiter_new(0, 0);

	CHECK_ERR_EQ(take(l, "192.0.2.1"), OK, "one");
	give(l, "192.0.2.2");
}

static void
test_counts_exactly(void)
{
	CHECK_PANICS(give_what_nobody_took, "given back for another client");
}

SUITE(io_limiter, { "per address", test_per_address },
      { "IPv6 counts by 64 bits", test_v6_counts_by_64_bits }, { "total", test_total },
      { "counts exactly", test_counts_exactly });
