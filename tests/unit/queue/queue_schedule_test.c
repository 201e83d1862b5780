#include "queue/queue_schedule.h"

#include "tests/unit/check.h"

enum {
	MINUTE = 60 * 1000,
	HOUR = 60 * MINUTE,
	DAY = 24 * HOUR,
};

static const int64_t pauses[] = { 5 * MINUTE, 15 * MINUTE, 30 * MINUTE,
	                          HOUR,       2 * HOUR,    4 * HOUR };
static const struct queue_schedule usual = { pauses, ARRAY_LEN(pauses),
	                                     5 * (int64_t)DAY };

static void
test_pauses(void)
{
	CHECK_I64_EQ(queue_schedule_pause_ms(&usual, 1, 0), 5 * MINUTE, "first");
	CHECK_I64_EQ(queue_schedule_pause_ms(&usual, 6, 0), 4 * HOUR,
	             "last of the table");
	CHECK_I64_EQ(queue_schedule_pause_ms(&usual, 4000000, 0), 4 * HOUR, "repeats");
	for (uint64_t r = 0; r < 100; r++) {
		int64_t ms = queue_schedule_pause_ms(&usual, 2, r * 0x9e3779b97f4a7c15U);

		CHECK_TRUE(ms >= 15 * MINUTE && ms <= 15 * MINUTE * 11 / 10,
		           "a tenth more");
	}
}

static void
test_least_tries(void)
{
	static const int64_t seconds[] = { 1000, 2000, 2000 };
	struct queue_schedule quick = { seconds, 3, 10000 }, once = { seconds, 1, 1 };

	CHECK_U64_EQ(queue_schedule_least_tries(&usual), 12, "5 d");
	CHECK_U64_EQ(queue_schedule_least_tries(&quick), 2, "10 s");
	CHECK_U64_EQ(queue_schedule_least_tries(&once), 1, "shorter than a pause");
}

/* The day the clock was wrong: each row is what both clocks say and what is made of it.
 */
static void
test_clock(void)
{
	struct queue_clock c;
	bool jumped;

	queue_clock_init(&c, 1000000, 0);
	CHECK_I64_EQ(queue_clock_now(&c, 1001000, 1000, &jumped), 1001000, "together");
	CHECK_I64_EQ(queue_clock_now(&c, 1002500, 2000, &jumped), 1002500,
	             "half a second");
	CHECK_I64_EQ(queue_clock_now(&c, 1002900, 3000, &jumped), 1003500, "never back");
	CHECK_TRUE(!jumped, "no step so far");
	CHECK_I64_EQ(queue_clock_now(&c, 1004500 - DAY, 4000, &jumped), 1004500,
	             "a day back");
	CHECK_TRUE(!jumped, "a step back is not followed");
	CHECK_I64_EQ(queue_clock_now(&c, 1005500 + DAY, 5000, &jumped), 1005500 + DAY,
	             "a day ahead");
	CHECK_TRUE(jumped, "a step ahead is");
	CHECK_I64_EQ(queue_clock_shift_ms(&c, 1000000, 1300000), DAY, "waits on");
	CHECK_I64_EQ(queue_clock_shift_ms(&c, 1000000, 1005500), 0, "was due anyway");
	CHECK_I64_EQ(queue_clock_shift_ms(&c, 0, 1300000), 0, "was never tried");
	CHECK_I64_EQ(queue_clock_shift_ms(&c, 1005600 + DAY, 1005700 + DAY), 0,
	             "tried after it");
}

SUITE(queue_schedule, { "pauses", test_pauses }, { "least tries", test_least_tries },
      { "a clock that steps", test_clock });
