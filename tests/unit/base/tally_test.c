#include "base/tally.h"

#include "tests/unit/check.h"

static void
leave_what_did_not_enter(void)
{
	struct tally *t = tally_new();

	tally_leave(t, STR("b"));
}

static void
test_limit(void)
{
	struct tally *t = tally_new();
	struct str a = STR("a"), b = STR("b");

	CHECK_TRUE(tally_enter(t, a, 2) && tally_enter(t, a, 2), "up to the limit");
	CHECK_TRUE(!tally_enter(t, a, 2), "and not one more");
	CHECK_TRUE(tally_enter(t, b, 1), "others have their own");
	CHECK_TRUE(tally_enter(t, a, 0), "no limit");
	CHECK_U64_EQ(tally_of(t, a), 3, "how many");
	for (int i = 0; i < 3; i++)
		tally_leave(t, a);
	CHECK_U64_EQ(tally_of(t, a), 0, "down to none");
	CHECK_TRUE(tally_enter(t, a, 1) && !tally_enter(t, a, 1), "and again");
	CHECK_PANICS(leave_what_did_not_enter, "nobody is there");
	tally_free(&t);
	CHECK_TRUE(t == NULL, "free clears the pointer");
}

SUITE(base_tally, { "limit", test_limit });
