/* ops_queue.h - operations on rows of the queue: claimed, tried, written; and what a
 * person does to them (what holds for all: ops.h).
 */
#ifndef STORE_OPS_QUEUE_H
#define STORE_OPS_QUEUE_H

#include "store/ops_base.h"
#include "store/ops_mail.h"
#include "store/types.h"

/* Takes up to limit rows that are due into a lease of this client. ids given: those, due
   or not, if they are not leased and not held. Else domain given: of that domain. */
struct op_queue_claim {
	uint64_t *ids;
	size_t ids_count;
	struct str domain;
	int64_t now_ms;    /* must */
	uint32_t limit;    /* must, up to 500 */
	uint32_t lease_ms; /* must: how long nobody else may have them */
	bool is_attempt;   /* counts as queue_attempt at once */
};
struct answer_queue {
	struct queue_item *items; /* ascending by message, then id */
	size_t items_count;
};
/* Counts an attempt, before dialling. Prolongs the lease to lease_ms from now.
   ERR_CONFLICT where one of them is not leased by this client: nothing is done. */
struct op_queue_attempt {
	uint64_t *ids;
	size_t ids_count;
	int64_t now_ms;
	uint32_t lease_ms;
};

enum queue_outcome {
	OUTCOME_DELIVERED = 1, /* the next hop took it: the row goes */
	OUTCOME_DEFERRED = 2,  /* again at due_ms */
	OUTCOME_BOUNCED = 3,   /* never: the row goes */
	OUTCOME_EXPIRED = 4,   /* too late: the row goes */
	OUTCOME_RETURNED = 5, /* not tried after all: as before, due at due_ms; an attempt
	                         already counted stays counted */
};
struct queue_outcome_row {
	uint64_t id;
	uint32_t outcome; /* enum queue_outcome */
	int64_t due_ms;   /* DEFERRED, RETURNED */
	struct str class; /* reason class; the rest may be empty or 0 */
	uint32_t code;
	struct str enhanced, text, host, ip;
	bool delay_warned; /* the delay notification went out with this */
	bool is_report;    /* the message is a report of ours (MESSAGE_REPORT) */
	/* Of the notification that the sender gets about it: its trace id, and "failed",
	   "delayed" …; empty: there is none */
	struct str dsn, told;
};
/* Writes what came of an attempt, and in the same transaction accepts the notifications
   that it makes (DSN_SENT); what became of a row, the queue process tells. ERR_CONFLICT
   where one row is not leased by this client (any more): nothing is done. The answer is
   that of the last notification. */
struct op_queue_result {
	int64_t now_ms;
	struct queue_outcome_row *rows;
	size_t rows_count;
	struct op_accept *notifications;
	size_t notifications_count;
};
/* Gives back what was leased to clients of the queue process that are gone, and brings
   back rows that a clock far ahead has sent into the future: called once when it starts,
   before its first claim. */
struct op_queue_release {
	int64_t now_ms;
};

/* What a person does to rows. An attempt that is under way is not stopped: hold, bounce
   and delete are noted as the row's wish and carried out when it comes back, unless the
   next hop took the mail; retry and release take the wish back. Rows that are gone or in
   the verb's state already are passed over; the answer counts what was done. if_version
   (one id only): ERR_ETAG where it differs. Tells QUEUE_ACTION. */
struct op_queue_action {
	struct actor actor;
	uint64_t *ids;
	size_t ids_count;
	uint32_t verb; /* enum queue_verb */
	int64_t due_ms, now_ms;
	uint64_t if_version;
};

#endif
