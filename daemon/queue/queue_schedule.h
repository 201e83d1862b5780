/* queue_schedule.h - when a recipient is tried again, and when it is given up.
 *
 * The pauses are a table (delivery.retry), of which the last one repeats. Each pause gets
 * up to a tenth more, by chance, so that what failed together does not come back
 * together.
 *
 * Giving up needs two things: the lifetime is over by the clock, and as many tries were
 * made as the table makes in a quarter of it. So a clock that jumps ahead, or a machine
 * that was off for a week, makes nothing expire that was not really tried.
 */
#ifndef QUEUE_QUEUE_SCHEDULE_H
#define QUEUE_QUEUE_SCHEDULE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct queue_schedule {
	const int64_t *pauses_ms; /* at least one, each > 0 */
	size_t count;
	int64_t lifetime_ms;
};

/* The pause after `attempts` (>= 1) tries. */
int64_t queue_schedule_pause_ms(const struct queue_schedule *s, uint32_t attempts,
                                uint64_t random);
/* How many tries there must be before a recipient may expire; at least 1. */
uint32_t queue_schedule_least_tries(const struct queue_schedule *s);

/* A clock that steps.
 *
 * The queue lives by Unix time, which others write into its rows, and must not fall for
 * a step of it. A step back is not followed: the queue's time stays ahead by as much. A
 * step ahead is followed, and remembered: rows that were to wait longer and are due only
 * because of it wait on as if it had not been (queue_clock_shift_ms). Steps of less than
 * a minute do not count.
 */
struct queue_clock {
	int64_t offset_ms;           /* queue time - monotonic time */
	int64_t jump_at_ms, jump_ms; /* the last step ahead: from where, by how much */
};

void queue_clock_init(struct queue_clock *c, int64_t unix_ms, int64_t mono_ms);
/* The queue's time, given both clocks. True in *jumped_out where they stepped apart. */
int64_t queue_clock_now(struct queue_clock *c, int64_t unix_ms, int64_t mono_ms,
                        bool *jumped_out);
/* By how much a row that is due now is to wait on: 0, or the step that made it due. */
int64_t queue_clock_shift_ms(const struct queue_clock *c, int64_t last_attempt_ms,
                             int64_t due_ms);

#endif
