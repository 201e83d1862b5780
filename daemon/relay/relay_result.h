/* relay_result.h - from results to decisions, and into the store. A job that was given to
 * one of these calls is no longer the caller's.
 */
#ifndef RELAY_RELAY_RESULT_H
#define RELAY_RELAY_RESULT_H

#include "base/err.h"
#include "base/str.h"
#include "queue/queue_decide.h"
#include "queue/queue_reason.h"

#include <stdbool.h>
#include <stdint.h>

struct relay;
struct relay_job;
struct relay_row;

/* What was found out about rows that have no result of their own. */
struct relay_finding {
	enum queue_attempt attempt;
	enum err cause;     /* OK: the server said code, enhanced, text */
	bool is_connecting; /* before it said anything */
	enum queue_stage stage;
	int code;
	struct str enhanced, text, host, ip;
};

/* One finding for all rows of a job that have no result yet. */
void relay_job_fail(struct relay_job *job, const struct relay_finding *finding);
void relay_row_set(struct relay_job *job, struct relay_row *row,
                   const struct relay_finding *finding);
/* Every row has a result: decides, tells, and writes it. job->conn goes on once it is in
   the store. */
void relay_job_finish(struct relay_job *job);
/* Gives all rows back that were not tried after all. */
void relay_job_return(struct relay_job *job, int64_t due_ms);
/* Its notification is there, or none is possible. */
void relay_job_write(struct relay_job *job);
/* What the store could not take is put in line again. */
void relay_retry(void *arg);
/* All jobs whose results are not in the store. Their batches must not be answered any
   more. */
void relay_results_free(struct relay *r);

#endif
