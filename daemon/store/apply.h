/* apply.h - one operation, inside the transaction of its batch.
 *
 * ops.def says which function is an operation's own (op_NAME_apply, in apply_*.c). Here
 * is what is the same for all: one that was done before has its first answer, the events
 * told before it go along, and its answer is kept for the case that it comes again.
 */
#ifndef STORE_APPLY_H
#define STORE_APPLY_H

#include "base/macros.h"
#include "store/job.h"
#include "store/op_log.h"
#include "store/tx.h"

/* Is it the committer's business at all? */
bool apply_is_known(enum op op);
/* Applies an unpacked job (job->args). Its error is in the job; the result is OK unless
   the transaction must be rolled back. */
MUSTUSE enum err apply_job(struct tx *tx, struct op_log *done, struct job *job);
/* Gives a job its answer: none where it has failed, but for an accept, which tells of
   each recipient (answer NULL: not even that). */
void apply_answer(struct job *job, enum err e, const void *answer);

#endif
