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

/* Which deed of a request that may come again this is (api/again.h): its answer is kept
   in its own transaction, and is the answer of the same deed of the same request from
   then on, whichever process asks. */
struct deed {
	char name[32]; /* of the request: a digest */
	uint32_t n;    /* which of its operations, from 1; 0: of no such request */
};

struct job {
	struct link link;
	enum op op;
	uint64_t epoch, seq;
	uint64_t floor; /* all operations of this client below it are answered */
	struct deed deed;
	struct strbuf payload; /* packed events told before it, and arguments; heap */
	size_t events_n;       /* bytes of events */
	/* filled by the committer */
	void *args; /* unpacked, for the batch; NULL: they are malformed */
	enum err error;
	bool was_done;        /* before: the answer is that of then */
	struct strbuf answer; /* packed; heap; may be empty on errors */
	void *owner;          /* whose it is */
};

/* A job with its buffers, freed by job_free. */
struct job *job_new(enum op op, uint64_t epoch, uint64_t seq, uint64_t floor,
                    struct str events, struct str args);
void job_free(struct job **job);
/* The events that were told before it, packed; its arguments, packed. */
struct str job_events(const struct job *job);
struct str job_args(const struct job *job);

#endif
