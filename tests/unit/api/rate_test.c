/* Requests of tokens, counted by the minute. */
#include "api/rate.h"

#include "tests/unit/check.h"

static void
test_window(void)
{
	struct rates *r = rates_new();
	struct rate rate;

	for (uint32_t i = 1; i <= 3; i++) {
		CHECK_TRUE(rates_take(r, 7, 3, 1000, &rate), "within");
		CHECK_U64_EQ(rate.left, 3 - i, "left");
	}
	CHECK_TRUE(!rates_take(r, 7, 3, 31000, &rate), "over");
	CHECK_U64_EQ(rate.left, 0, "none left");
	CHECK_U64_EQ(rate.reset_s, 30, "half a minute more");
	CHECK_TRUE(rates_take(r, 8, 3, 31000, &rate), "another token");
	CHECK_TRUE(!rates_take(r, 7, 3, 60999, &rate), "still");
	CHECK_U64_EQ(rate.reset_s, 1, "rounded up");
	CHECK_TRUE(rates_take(r, 7, 3, 61000, &rate), "a new minute");
	CHECK_U64_EQ(rate.left, 2, "a new count");
	/* A smaller quota holds at once. */
	CHECK_TRUE(!rates_take(r, 7, 1, 61000, &rate), "fewer than are used");
	CHECK_U64_EQ(rate.left, 0, "never below none");
	rates_free(&r);
}

/* More tokens than windows: the one that ends first makes room. */
static void
test_bounded(void)
{
	struct rates *r = rates_new();
	struct rate rate;

	for (uint64_t i = 1; i <= RATE_KEPT; i++)
		CHECK_TRUE(rates_take(r, i, 1, (int64_t)i, &rate), "each its own");
	CHECK_TRUE(!rates_take(r, RATE_KEPT, 1, 1000, &rate), "is counted");
	CHECK_TRUE(rates_take(r, 1000, 1, 1000, &rate), "one more");
	CHECK_TRUE(!rates_take(r, 2, 1, 1000, &rate), "the second is still counted");
	CHECK_TRUE(rates_take(r, 1, 1, 1000, &rate), "the first was forgotten");
	rates_free(&r);
}

SUITE(api_rate, { "window", test_window }, { "bounded", test_bounded });
