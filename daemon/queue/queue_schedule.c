#include "queue/queue_schedule.h"

#include "base/duration.h"
#include "base/panic.h"

enum {
	JITTER_PART = 10, /* of the pause */
	STEP_MS = MINUTE_MS,
	TRIES_MAX = 1000,
};

static int64_t
pause_after(const struct queue_schedule *s, uint32_t attempts)
{
	size_t row = attempts ? attempts - 1 : 0;

	return s->pauses_ms[row < s->count ? row : s->count - 1];
}

int64_t
queue_schedule_pause_ms(const struct queue_schedule *s, uint32_t attempts,
                        uint64_t random)
{
	int64_t pause = pause_after(s, attempts);

	CHECK(pause > 0);
	return pause + (int64_t)(random % (uint64_t)(pause / JITTER_PART + 1));
}

uint32_t
queue_schedule_least_tries(const struct queue_schedule *s)
{
	int64_t spent = 0;
	uint32_t tries = 1;

	while (tries < TRIES_MAX) {
		spent += pause_after(s, tries);
		if (spent > s->lifetime_ms / 4)
			break;
		tries++;
	}
	return tries;
}

void
queue_clock_init(struct queue_clock *c, int64_t unix_ms, int64_t mono_ms)
{
	*c = (struct queue_clock){ .offset_ms = unix_ms - mono_ms };
}

int64_t
queue_clock_now(struct queue_clock *c, int64_t unix_ms, int64_t mono_ms, bool *jumped_out)
{
	int64_t expected = mono_ms + c->offset_ms;
	int64_t step = unix_ms - expected;

	*jumped_out = false;
	if (step > STEP_MS) {
		c->jump_at_ms = expected;
		c->jump_ms = step;
		c->offset_ms = unix_ms - mono_ms;
		*jumped_out = true;
		return unix_ms;
	}
	/* Small differences are followed ahead and never back: queue time does not run
	   backwards. */
	if (step > 0)
		c->offset_ms += step;
	return mono_ms + c->offset_ms;
}

int64_t
queue_clock_shift_ms(const struct queue_clock *c, int64_t last_attempt_ms, int64_t due_ms)
{
	if (!c->jump_ms || !last_attempt_ms || last_attempt_ms > c->jump_at_ms)
		return 0;
	if (due_ms <= c->jump_at_ms || due_ms > c->jump_at_ms + c->jump_ms)
		return 0;
	return c->jump_ms;
}
