/* Which of several equal processes takes the next client. */
#include "role/spread.h"

#include "tests/unit/check.h"

/* Looks once a period, after each of which so much of a processor was used. */
static struct spread
after(int index, int count, int percent)
{
	struct spread s = { .index = index, .count = count };
	int64_t cpu_us = 5000000;

	for (int64_t now_ms = 1000; now_ms <= 1500; now_ms += SPREAD_LOOK_MS) {
		CHECK_TRUE(spread_is_due(&s, now_ms) == (count > 1), "due");
		spread_look(&s, now_ms, cpu_us);
		CHECK_TRUE(!spread_is_due(&s, now_ms + SPREAD_LOOK_MS - 1), "not yet");
		cpu_us += SPREAD_LOOK_MS * 10 * percent;
	}
	return s;
}

static void
test_who_waits(void)
{
	static const struct {
		const char *what;
		int index, count, percent;
		size_t used, places;
		int64_t steps;
	} rows[] = {
		{ "alone", 0, 1, 99, 90, 100, 0 },
		{ "the first takes at once", 0, 2, 50, 0, 100, 0 },
		{ "the second a little later", 1, 2, 0, 0, 100, 1 },
		{ "the fourth after the third", 3, 4, 0, 0, 100, 3 },
		{ "a busy one after all others", 0, 2, 90, 0, 100, 2 },
		{ "two busy ones keep their order", 1, 2, 90, 0, 100, 3 },
		{ "some", 0, 2, 0, 23, 100, 0 },
		{ "many", 0, 2, 0, 24, 100, 2 },
		{ "up to half of few places", 0, 2, 0, 4, 9, 0 },
		{ "half of them are taken", 0, 2, 0, 5, 9, 2 },
		{ "up to all of them", 0, 2, 0, 99, 100, 2 },
		{ "no place left", 0, 2, 0, 100, 100, 4 },
		{ "more than there are now", 0, 2, 0, 300, 100, 4 },
		{ "busy, and no place left", 1, 2, 90, 100, 100, 7 },
		{ "no limit is never full", 0, 2, 0, 5000, 0, 2 },
		{ "one place, which is free", 0, 2, 0, 0, 1, 0 },
		{ "never for long", 60, 64, 90, 0, 100, SPREAD_STEPS_MAX },
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct spread s = after(rows[i].index, rows[i].count, rows[i].percent);

		CHECK_I64_EQ(spread_wait_ms(&s, rows[i].used, rows[i].places),
		             rows[i].steps * SPREAD_STEP_MS, rows[i].what);
	}
}

static void
test_busy_passes(void)
{
	struct spread s = after(0, 2, 90);

	spread_look(&s, 60000, s.cpu_us + 100000);
	CHECK_I64_EQ(spread_wait_ms(&s, 0, 0), 0, "after a quiet time");
}

static void
test_first_look(void)
{
	struct spread s = { .index = 0, .count = 2 };

	spread_look(&s, 1000, 900000000);
	CHECK_I64_EQ(spread_wait_ms(&s, 0, 0), 0, "nobody knows since when");
}

SUITE(role_spread, { "who waits", test_who_waits }, { "busy passes", test_busy_passes },
      { "the first look", test_first_look });
