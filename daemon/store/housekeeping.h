/* housekeeping.h - the store's background thread: journal to delivery log, retention,
 * compaction. It has connections of its own and no hurry: what it does not finish now it
 * does after the next start. What must be written to the index goes through the
 * committer.
 */
#ifndef STORE_HOUSEKEEPING_H
#define STORE_HOUSEKEEPING_H

#include "base/str.h"
#include "io/loop.h"
#include "store/ops.h"

struct housekeeping;

/* Journal rows up to this one are safe in the delivery log: called on the loop. */
typedef void housekeeping_trimmed_fn(void *arg, uint64_t up_to);

/* The index must be there already. */
struct housekeeping *housekeeping_new(struct loop *loop, struct str data_dir,
                                      int64_t trace_days,
                                      housekeeping_trimmed_fn *trimmed, void *arg);
/* Waits for the thread. */
void housekeeping_free(struct housekeeping **h);
/* There are new journal rows. */
void housekeeping_wake(struct housekeeping *h);
void housekeeping_set_days(struct housekeeping *h, int64_t trace_days);
/* Fills journal_rows, messages, message_bytes: as of the last look. */
void housekeeping_stats(struct housekeeping *h, struct answer_stats *stats);

#endif
