/* trace_sum.h - what the events of one message come to: its row in the delivery log.
 *
 * A summary starts from the row that is there already, if any (trace_sum_add looks when
 * the first event comes that changes something), takes events, and is written once.
 */
#ifndef STORE_TRACE_SUM_H
#define STORE_TRACE_SUM_H

#include "base/arena.h"
#include "base/err.h"
#include "base/list.h"
#include "base/macros.h"
#include "store/db.h"
#include "store/types.h"

struct sum_rcpt {
	struct link link;
	struct trace_rcpt row;
	bool is_dirty;
};

struct trace_sum {
	struct arena *arena;
	struct trace row;
	struct str session_id;
	struct link rcpts;
	uint32_t own_verdict; /* of the message as a whole: refused before recipients */
	bool is_loaded, is_dirty;
	/* as the row was before, where there was one */
	bool is_stored, is_unreadable;
	uint32_t stored_direction, stored_verdict;
};

/* is_new: there is no row. */
void trace_sum_init(struct trace_sum *sum, struct str id, bool is_new, struct arena *a);
void trace_sum_add(struct trace_sum *sum, struct db *db, const struct trace_event *event);
/* By how much the figures of hours change, of all that is written in one transaction:
   most messages of a batch share an hour and an end, and so one row. */
struct trace_counts {
	struct trace_count {
		int64_t hour; /* since 1970 */
		uint32_t direction, verdict;
		int64_t change;
	} p[32];
	size_t n;
};

/* Inside a transaction; nothing where no event changed it. */
MUSTUSE enum err trace_sum_write(struct db *db, struct trace_sum *sum,
                                 struct trace_counts *counts);
/* After the last one, in the same transaction. */
MUSTUSE enum err trace_counts_write(struct db *db, struct trace_counts *counts);

#endif
