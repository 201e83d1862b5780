#include "queue/queue_shares.h"

#include "tests/unit/check.h"

/* How many more the sender gets of max. */
static size_t
take_all(struct queue_shares *s, const char *sender, size_t max)
{
	size_t n = 0;

	for (; n < max && queue_shares_has_room(s, str_from(sender), max); n++)
		queue_shares_take(s, str_from(sender));
	return n;
}

static void
give_all(struct queue_shares *s, const char *sender, size_t n)
{
	while (n--)
		queue_shares_give(s, str_from(sender));
}

static void
test_one_leaves_a_third(void)
{
	struct queue_shares *s = queue_shares_new();
	size_t a, b, c, more;

	a = take_all(s, "a", 200);
	CHECK_U64_EQ(a, 134, "alone");
	b = take_all(s, "b", 200);
	CHECK_U64_EQ(b, 44, "the next");
	c = take_all(s, "c", 200);
	CHECK_TRUE(c > 10, "and another");
	CHECK_U64_EQ(take_all(s, "a", 200), 0, "no more for the first");
	give_all(s, "a", a);
	more = take_all(s, "b", 200);
	CHECK_TRUE(more > 40, "when there is room again");
	give_all(s, "c", c);
	give_all(s, "b", b + more);
	CHECK_U64_EQ(take_all(s, "c", 200), 134, "all are given back");
	give_all(s, "c", 134);
	queue_shares_free(&s);
}

static void
test_few(void)
{
	static const size_t rows[][2] = {
		{ 0, 0 }, { 1, 1 }, { 2, 2 }, { 3, 2 }, { 4, 3 }
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct queue_shares *s = queue_shares_new();
		size_t n = take_all(s, "a", rows[i][0]);

		CHECK_U64_EQ(n, rows[i][1], "of few");
		give_all(s, "a", n);
		queue_shares_free(&s);
	}
}

/* A reload may leave less room than is taken: then there is none, for nobody. */
static void
test_less_than_taken(void)
{
	struct queue_shares *s = queue_shares_new();
	size_t n = take_all(s, "a", 10);

	CHECK_TRUE(!queue_shares_has_room(s, STR("a"), 2), "who has many");
	CHECK_TRUE(!queue_shares_has_room(s, STR("b"), 2), "who has none");
	CHECK_TRUE(!queue_shares_has_room(s, STR("b"), n), "all is taken");
	CHECK_TRUE(queue_shares_has_room(s, STR("b"), n + 1), "one is free");
	give_all(s, "a", n);
	queue_shares_free(&s);
}

static void
give_what_was_not_taken(void)
{
	struct queue_shares *s = queue_shares_new();

	queue_shares_take(s, STR("a"));
	queue_shares_give(s, STR("b"));
}

static void
test_counts(void)
{
	CHECK_PANICS(give_what_was_not_taken, "another's");
}

SUITE(queue_shares, { "one leaves a third", test_one_leaves_a_third },
      { "few", test_few }, { "less than taken", test_less_than_taken },
      { "counts", test_counts });
