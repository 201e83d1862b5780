/* batch.h - what the committer's thread does: batches of jobs, one after the other.
 *
 * A batch becomes one transaction, or as few as may be: bodies first, then rows, then
 * answers (the invariants are in README.md, what lies on disk in commit.c). A job that
 * cannot be done fails alone.
 *
 * Owns: the writing connection, the segment files. Borrows: the line, on which it tells
 * what became of the jobs.
 */
#ifndef STORE_BATCH_H
#define STORE_BATCH_H

#include "base/macros.h"
#include "store/commit.h"
#include "store/job_line.h"

struct batch;

/* Opens and upgrades the index and looks after what a crash may have left. Errors as
   db_open, schema_index. epoch: whose the store's own segments are. */
MUSTUSE enum err batch_open(struct str data_dir, uint64_t epoch,
                            const struct tx_limits *limits, struct job_line *line,
                            struct batch **out);
/* Gives back memory that only saves time: there is nothing to do. */
void batch_rest(struct batch *b);
/* Nothing may be under way. */
void batch_close(struct batch **batch);
/* Until all of them are answered. */
void batch_run(struct batch *b, struct job *const *jobs, size_t count);

/* From any thread. New limits hold from the next batch on. */
void batch_set_limits(struct batch *b, const struct tx_limits *limits);
struct commit_stats batch_stats(struct batch *b);
/* What was mended when it was opened. */
struct recovered batch_recovered(const struct batch *b);

#endif
