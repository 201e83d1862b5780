/* relay_jobs.h - claimed rows, the jobs that they become, and the destinations where
 * these wait: who is served, who waits, who goes back to the store.
 *
 * A row and its strings live in the arena of its job; a job says of itself whose it is
 * (relay_priv.h). A destination is freed by relay_sweep() when nothing of it is left.
 */
#ifndef RELAY_RELAY_JOBS_H
#define RELAY_RELAY_JOBS_H

#include "base/arena.h"
#include "base/duration.h"
#include "base/err.h"
#include "base/list.h"
#include "base/str.h"
#include "base/strbuf.h"
#include "queue/queue_decide.h"
#include "queue/queue_destination.h"
#include "queue/queue_reason.h"
#include "store/types.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct relay;
struct relay_conn;
struct relay_dsn;
struct relay_sts;

enum {
	RELAY_DEST_MAGIC = 0x524c5931,
	RELAY_JOB_MAGIC = 0x524c5932,

	RELAY_WAIT_MAX_MS = 10 * MINUTE_MS, /* of a row in memory, before its attempt */
	RELAY_CONGESTED_MS = 2000, /* a destination whose first job waits that long */
	RELAY_CONGESTED_ROWS = 60, /* keeps only so many rows in memory */
};

/* A destination with jobs, connections, or a past. */
struct relay_dest {
	uint32_t magic;
	struct link link;    /* in relay->dest_list */
	struct link waiting; /* in relay->waiting, while it has jobs */
	struct relay *relay;
	struct queue_destination d;
	struct link jobs; /* waiting, by round, oldest first */
	uint64_t round;   /* of the one that was taken last */
	size_t job_rows;  /* in them */
	size_t held;      /* jobs of it, wherever they are */
	struct link conns;
	int64_t plain_until_ms; /* TLS failed there: not tried before */
	int64_t row_ms;         /* between two finished rows, about */
	int64_t row_at_ms;      /* when the last one was */
	struct relay_sts *sts;  /* NULL: nobody has asked yet */
	struct strbuf name;
};

/* One claimed row, and what became of it. Strings live in the job's arena. */
struct relay_row {
	struct queue_item item;
	enum queue_attempt attempt;
	enum err cause; /* OK: the server said it */
	bool is_done;   /* attempt is set */
	enum queue_reason reason;
	int code;
	struct str enhanced, text; /* of the reply; text: our words without one */
	struct str host, ip;       /* of the server, where one was reached */
	struct queue_decision decision;
	bool is_returned; /* not tried after all, due at decision.due_ms */
};

/* Rows of one message for one destination. */
struct relay_job {
	uint32_t magic;
	struct link link;
	struct relay *relay;
	struct relay_dest *dest; /* NULL: rows of several, which go back unseen */
	struct relay_conn *conn; /* waits for the result; NULL: nobody does */
	struct arena *arena;
	struct relay_row *rows;
	size_t count, max;
	uint64_t round;   /* of its destination's line: one of each sharer in each */
	int64_t since_ms; /* monotonic: when it began to wait */
	bool is_counted;  /* the attempt is in the store */
	bool was_retried; /* a kept connection broke under it: it is sent once more */
	bool is_writing;  /* counted in relay->writing */
	bool is_alone;    /* its result is written by itself */
	struct relay_dsn *dsn;
};

/* Takes the rows of a claim, whose attempts are counted already or not. */
void relay_take(struct relay *r, const struct queue_item *items, size_t n,
                bool is_counted);
/* The destination of that name, which is made where there is none. */
struct relay_dest *relay_dest_get(struct relay *r, struct str name);
struct relay_job *relay_job_new(struct relay *r, struct relay_dest *d, size_t max);
/* A row for this item, copied into the job's arena. */
struct relay_row *relay_job_add(struct relay_job *job, const struct queue_item *from);
void relay_job_free(struct relay_job **job);
/* What its sender says of encryption: MESSAGE_TLS_REQUIRED, MESSAGE_TLS_OPTIONAL or 0. */
uint32_t relay_job_demand(const struct relay_job *job);
/* Whose share of the connections it takes (struct queue_item). */
struct str relay_job_sharer(const struct relay_job *job);
/* The job that relay_job_next would give, which stays; or NULL. */
const struct relay_job *relay_job_first(const struct relay_dest *d);
/* Opens connections and gives out jobs as far as the destinations allow, soon: never
   inside this call. */
void relay_dispatch_soon(struct relay *r);
void relay_dispatch_cancel(struct relay *r);
/* The next waiting job, or NULL; it is the caller's then. */
struct relay_job *relay_job_next(struct relay_dest *d);
/* Back to the head of the line. */
void relay_job_put_back(struct relay_job *job);
/* The destination cannot be used: its waiting rows go back to the store. */
void relay_dest_failed(struct relay_dest *d, enum queue_reason reason);
/* Some rows of it are done. */
void relay_dest_finished(struct relay_dest *d, size_t rows);
struct str relay_dest_name(const struct relay_dest *d);
/* Is any destination paused or slow? Then claims do not count as attempts. */
bool relay_is_troubled(struct relay *r);
/* Once a second: sends away what waits too long, forgets idle destinations. */
void relay_sweep(struct relay *r);
/* Sends all waiting rows back, due at once. */
void relay_return_all(struct relay *r);
/* All jobs that wait and all destinations; connections are gone already. */
void relay_dests_free(struct relay *r);

#endif
