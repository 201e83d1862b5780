/* queue_decide.h - what becomes of a recipient after an attempt, and who is told.
 *
 * Pure: the facts of the recipient and of the attempt in, the decision out.
 * Follows: RFC 5321 4.5.4.1 and 4.5.5 (the null sender is never answered), RFC 3461 4.1
 * and 5.2 (NOTIFY), RFC 3464.
 */
#ifndef QUEUE_QUEUE_DECIDE_H
#define QUEUE_QUEUE_DECIDE_H

#include "queue/queue_schedule.h"

#include <stdbool.h>
#include <stdint.h>

/* RFC 3461 4.1, in the bits of the store's rows; 0: not given. */
enum {
	QUEUE_NOTIFY_NEVER = 1,
	QUEUE_NOTIFY_SUCCESS = 2,
	QUEUE_NOTIFY_FAILURE = 4,
	QUEUE_NOTIFY_DELAY = 8,
};

/* How the attempt went. */
enum queue_attempt {
	ATTEMPT_OK,
	ATTEMPT_OK_WITHOUT_DSN, /* the next hop takes no DSN parameters */
	ATTEMPT_TEMP,
	ATTEMPT_PERM,
	ATTEMPT_RETURNED, /* none: a person sends it back */
	/* none either: it has arrived, and the sender asked for the news (RFC 3461) */
	ATTEMPT_IN_MAILBOX, /* 5.2.3 */
	ATTEMPT_EXPANDED,   /* 5.2.7.3 */
};

struct queue_facts {
	uint32_t attempts; /* this one included */
	int64_t created_ms, expires_ms, now_ms;
	int64_t delay_warned_ms;  /* 0: not yet */
	int64_t delay_warning_ms; /* age from which on a delay is told; 0: never */
	unsigned notify;          /* QUEUE_NOTIFY_ bits */
	bool is_null_sender;
	uint64_t random;
};

enum queue_fate {
	FATE_DELIVERED,
	FATE_DEFERRED,
	FATE_BOUNCED,
	FATE_EXPIRED,
};

enum queue_tell {
	TELL_NOBODY,
	TELL_FAILED,
	TELL_DELAYED,
	TELL_RELAYED,
	TELL_DELIVERED,
	TELL_EXPANDED,
};

struct queue_decision {
	enum queue_fate fate;
	enum queue_tell tell;
	int64_t due_ms;        /* FATE_DEFERRED */
	bool is_double_bounce; /* a failure that nobody can be told of */
};

struct queue_decision queue_decide(const struct queue_schedule *s,
                                   const struct queue_facts *facts,
                                   enum queue_attempt attempt);

#endif
