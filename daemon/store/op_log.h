/* op_log.h - which operations have been done: answers by (epoch, seq) of the client.
 *
 * Answers are kept in the transaction of what they answer (table op_done, a row for each
 * client and batch), until the client says that it has them. An operation that comes
 * again gets its first answer. So does a deed (struct deed), kept in api_deed until the
 * request is answered or for a day.
 *
 * Used by the committer's thread.
 */
#ifndef STORE_OP_LOG_H
#define STORE_OP_LOG_H

#include "base/err.h"
#include "base/macros.h"
#include "store/commit.h"
#include "store/db.h"

#include <stdbool.h>
#include <stdint.h>

struct op_log;
struct op_source; /* a client */

struct op_log *op_log_new(struct db *db);
void op_log_free(struct op_log **log);
/* Never NULL; good until op_settle. */
struct op_source *op_source(struct op_log *log, uint64_t epoch);
/* Has this operation been done, before or in this batch? Then job has its answer. */
MUSTUSE enum err op_find(struct op_log *log, struct op_source *src, struct job *job,
                         bool *found_out);
/* The job has been done in this batch. */
MUSTUSE enum err op_note(struct op_log *log, struct op_source *src, const struct job *job,
                         int64_t now_ms);
/* Writes what was noted, inside the batch's transaction. */
MUSTUSE enum err op_flush(struct op_log *log, int64_t now_ms);
/* The batch is over, committed or rolled back. */
void op_settle(struct op_log *log, bool is_committed, int64_t now_ms);

#endif
