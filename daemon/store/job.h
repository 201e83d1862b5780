/* job.h - one operation of one client, on its way through the committer and back.
 *
 * Owns: its buffers. What was unpacked of it belongs to the batch.
 */
#ifndef STORE_JOB_H
#define STORE_JOB_H

#include "base/err.h"
#include "base/list.h"
#include "base/macros.h"
#include "base/strbuf.h"
#include "store/ops.h"

struct job {
	struct link link;
	enum op op;
	uint64_t epoch, seq;
	uint64_t floor;        /* all operations of this client below it are answered */
	struct strbuf payload; /* packed events told before it, and arguments; heap */
	size_t events_n;       /* bytes of events */
	/* filled by the committer */
	void *args; /* unpacked, for the batch; NULL: they are malformed */
	enum err error;
	struct strbuf answer; /* packed; heap; may be empty on errors */
	void *owner;          /* whose it is */
};

/* A job with its buffers, freed by job_free. */
struct job *job_new(enum op op, uint64_t epoch, uint64_t seq, uint64_t floor,
                    struct str events, struct str args);
void job_free(struct job **job);

#endif
