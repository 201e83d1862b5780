/* housekeeping.h - the store's background thread: journal to delivery log, retention,
 * compaction. It has connections of its own and no hurry: what it does not finish now it
 * does after the next start. What must be written to the index goes through the
 * committer.
 */
#ifndef STORE_HOUSEKEEPING_H
#define STORE_HOUSEKEEPING_H

#include "base/str.h"
#include "io/loop.h"
#include "store/compact.h"
#include "store/ops.h"

struct housekeeping;

/* Does an operation of the store's own, on the loop; its end comes to
   housekeeping_answered. args are good until then. */
typedef void housekeeping_give_fn(void *arg, enum op op, const void *args);

/* How long things are kept. */
struct housekeeping_days {
	int64_t trace, reports;
};

/* The index must be there already. */
struct housekeeping *housekeeping_new(struct loop *loop, struct str data_dir,
                                      struct housekeeping_days days,
                                      housekeeping_give_fn *give, void *arg);
/* The answer to what give was asked for; answer may be NULL. */
void housekeeping_answered(struct housekeeping *h, enum op op, enum err e,
                           const void *answer);
/* Waits for the thread. */
void housekeeping_free(struct housekeeping **h);
/* There are new journal rows. */
void housekeeping_wake(struct housekeeping *h);
void housekeeping_set_days(struct housekeeping *h, struct housekeeping_days days);
/* Which clients are connected now: nobody else appends to segments. */
void housekeeping_set_live(struct housekeeping *h, const struct compact_live *live);
/* Looks after segments now, and leaves none alone for longer than grace_ms after its
   state has changed. */
void housekeeping_compact(struct housekeeping *h, int64_t grace_ms);
/* Fills journal_rows, messages, message_bytes: as of the last look. */
void housekeeping_stats(struct housekeeping *h, struct answer_stats *stats);

#endif
