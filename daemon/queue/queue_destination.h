/* queue_destination.h - how we stand with one destination: connections and back-off.
 *
 * A destination is the domain of recipients. The number of connections to it begins
 * small, grows with success and is cut in half by failure. When nothing of it can be
 * reached it is paused: after the pause one connection probes, all others wait for what
 * it finds; each further failure doubles the pause. Time is monotonic.
 *
 *   OPEN ── failure of the session ──> PAUSED ── the pause is over ──> PROBING
 *     ^                                   ^                               │
 *     └───────────── success ─────────────┼──── failure ──────────────────┘
 */
#ifndef QUEUE_QUEUE_DESTINATION_H
#define QUEUE_QUEUE_DESTINATION_H

#include "queue/queue_reason.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum queue_destination_state {
	DESTINATION_OPEN,
	DESTINATION_PAUSED,
	DESTINATION_PROBING,
};

struct queue_destination_conf {
	size_t connections_max; /* at most so many at one time */
	int64_t first_pause_ms; /* of a back-off */
	int64_t longest_pause_ms;
};

enum {
	DESTINATION_CONNECTIONS_FIRST = 5,
};

struct queue_destination {
	enum queue_destination_state state;
	size_t active;            /* connections that exist */
	size_t allowed;           /* connections that may */
	uint32_t failures;        /* in a row */
	int64_t until_ms;         /* of the pause */
	enum queue_reason reason; /* of the last failure */
	int64_t slot_ms;          /* when the next row that is sent away may come back */
	int64_t last_ok_ms;
};

void queue_destination_init(struct queue_destination *d,
                            const struct queue_destination_conf *conf);
/* Panics where the numbers contradict each other; run after each step in tests. */
void queue_destination_check(const struct queue_destination *d,
                             const struct queue_destination_conf *conf);

/* May one more connection be opened now? After a pause the first that asks becomes the
   probe, and must report by one of the functions below. */
bool queue_destination_may_open(const struct queue_destination *d, int64_t now_ms);
/* One more is open / one less. */
void queue_destination_opened(struct queue_destination *d, int64_t now_ms);
void queue_destination_closed(struct queue_destination *d);
/* It took a message, or refused one for reasons of its own: it is alive. */
void queue_destination_succeeded(struct queue_destination *d,
                                 const struct queue_destination_conf *conf,
                                 int64_t now_ms);
/* Nothing of it can be reached or used, or it wants us to slow down. */
void queue_destination_failed(struct queue_destination *d,
                              const struct queue_destination_conf *conf,
                              enum queue_reason reason, int64_t now_ms, uint64_t random);

/* Waits for the end of a pause (or of a probe): rows for it need not be looked at. */
bool queue_destination_is_waiting(const struct queue_destination *d, int64_t now_ms);
/* When a row that finds no room may come back: each call gives a later time, so that
   rows do not all come back at once. every_ms: how long one row takes. */
int64_t queue_destination_slot_ms(struct queue_destination *d, int64_t now_ms,
                                  int64_t every_ms);
/* Nothing is worth remembering of it. */
bool queue_destination_is_idle(const struct queue_destination *d, int64_t now_ms);

#endif
