#include "store/job.h"

#include "base/mem.h"

#include <string.h>

enum {
	ANSWER_MAX = 15 << 20,
};

struct job *
job_new(enum op op, uint64_t epoch, uint64_t seq, uint64_t floor, struct str events,
        struct str args)
{
	struct job *job = mem_alloc(sizeof(*job));

	job->op = op;
	job->epoch = epoch;
	job->seq = seq;
	job->floor = floor;
	job->payload = strbuf_heap(events.n + args.n);
	strbuf_add(&job->payload, events);
	strbuf_add(&job->payload, args);
	job->events_n = events.n;
	job->answer = strbuf_heap(ANSWER_MAX);
	return job;
}

void
job_free(struct job **job)
{
	if (!*job)
		return;
	/* Passwords travel in payloads. */
	if ((*job)->payload.n)
		explicit_bzero((*job)->payload.p, (*job)->payload.n);
	strbuf_release(&(*job)->payload);
	strbuf_release(&(*job)->answer);
	mem_free(*job);
	*job = NULL;
}

struct str
job_events(const struct job *job)
{
	return str_first(strbuf_str(&job->payload), job->events_n);
}

struct str
job_args(const struct job *job)
{
	return str_from_offset(strbuf_str(&job->payload), job->events_n);
}
