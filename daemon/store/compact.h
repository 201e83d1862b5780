/* compact.h - room that dead messages leave in segment files is given back.
 *
 * Runs on the housekeeping thread, a little at a time. A sealed segment that is mostly
 * dead is closed for operations, its live records are copied to the end of a segment of
 * our own, and one operation moves their rows (the committer syncs the copy first). A
 * segment without messages is dropped, an hour after its state last changed: who holds a
 * reference to one of its records has read it by then. Segments whose writer is gone are
 * sealed.
 * A crash at any moment leaves garbage at most; the next run goes on.
 */
#ifndef STORE_COMPACT_H
#define STORE_COMPACT_H

#include "base/err.h"
#include "base/macros.h"
#include "base/str.h"
#include "store/db.h"
#include "store/ops.h"

struct compact;

/* Does one operation of the store's own and waits for its answer (which lives until the
   next call; may be NULL). */
typedef enum err compact_ask_fn(void *arg, enum op op, const void *args,
                                void **answer_out);

struct compact *compact_new(struct str data_dir, compact_ask_fn *ask, void *arg);
void compact_free(struct compact **c);
/* Epochs of the clients that are connected; the store's own is among them. */
struct compact_live {
	uint64_t epochs[128];
	size_t count;
};
bool compact_live_has(const struct compact_live *live, uint64_t epoch);
/* One look, at most one segment moved. grace_ms: how long a segment is left alone after
   its state has changed. */
MUSTUSE enum err compact_run(struct compact *c, struct db *db,
                             const struct compact_live *live, int64_t now_ms,
                             int64_t grace_ms);

#endif
