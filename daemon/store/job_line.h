/* job_line.h - jobs on their way from the loop to the committer's thread, and back.
 *
 * The loop gives jobs, all of one turn together at its end; the thread takes all that
 * wait, up to a batch, and gives them back when they are done. With them goes what their
 * transactions have told. How long the thread waits for a fuller batch: crowd.h.
 *
 * Borrows: jobs, until they are done.
 */
#ifndef STORE_JOB_LINE_H
#define STORE_JOB_LINE_H

#include "base/macros.h"
#include "io/loop.h"
#include "store/commit.h"
#include "store/job.h"
#include "store/tx.h"

struct job_line;

/* ops->news and ops->done are called on the loop with arg. */
struct job_line *job_line_new(struct loop *loop, const struct commit_ops *ops, void *arg);
/* The thread has ended. Jobs that came back are delivered from here. */
void job_line_free(struct job_line **line);

/* --- of the loop --- */
void job_line_give(struct job_line *l, struct job *job);
/* No more will be given: the thread finishes what there is. */
void job_line_stop(struct job_line *l);

/* --- of the thread --- */

enum {
	JOB_LINE_BATCH_MAX = 512,
};
/* Waits for work and takes it, at most JOB_LINE_BATCH_MAX jobs; none, once after the last
   work: nothing has come for some seconds. False: it is time to end. */
MUSTUSE bool job_line_take(struct job_line *l, struct job **jobs, size_t *count_out);
/* A transaction is on disk: what it tells comes with the next jobs that are done. */
void job_line_tell(struct job_line *l, const struct tx *tx);
/* These have their answers. */
void job_line_done(struct job_line *l, struct job *const *jobs, size_t count);

#endif
