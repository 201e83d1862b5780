/* relay_priv.h - the process: what all files of relay/ share (README.md says which file
 * does what, and each has a header of its name).
 *
 * A job belongs to exactly one of: the line of its destination (dest->jobs), a
 * connection (conn->job), the results to be written (relay->results or a batch that is
 * out). Whoever has it hands it on or frees it. All of it happens on one loop.
 */
#ifndef RELAY_RELAY_PRIV_H
#define RELAY_RELAY_PRIV_H

#include "base/addr.h"
#include "base/duration.h"
#include "base/list.h"
#include "base/map.h"
#include "conf/conf.h"
#include "io/dns.h"
#include "io/loop.h"
#include "queue/queue_destination.h"
#include "queue/queue_schedule.h"
#include "queue/queue_shares.h"
#include "store/body.h"
#include "store/client.h"
#include "store/feed.h"
#include "store/reader.h"

struct relay_domains;
struct relay_hosts;
struct relay_looks;
struct relay_own_reports;
struct relay_report;
struct relay_signing;
struct tls_server;

enum {
	RELAY_MAGIC = 0x524c5930,

	RELAY_LEASE_MS = 2 * HOUR_MS, /* outlives any attempt */
	RELAY_ROWS_MAX = 5000,        /* in memory */
	RELAY_ROWS_LOW = 600,         /* below it more are claimed */
	RELAY_CLAIM = 300,            /* rows at a time */
	RELAY_OWN_MAX = 64,           /* own addresses known */
};

/* The process. */
struct relay {
	uint32_t magic;
	const struct conf
		*conf; /* replaced by a reload: nothing of it is kept over one */
	struct loop *loop;
	struct tls_server *tls;
	struct store_client *store;
	struct reader *reader;
	struct bodies *bodies;
	struct dns *dns;
	struct feed *feed;
	struct queue_clock clock;
	struct relay_signing *signing;
	struct relay_domains *domains;
	struct relay_looks *looks;
	struct relay_hosts *hosts;
	struct relay_own_reports *own_reports;
	struct addr own[RELAY_OWN_MAX]; /* where we ourselves take mail */
	size_t own_count;

	struct map *dests;
	struct link dest_list;       /* all destinations */
	struct link waiting;         /* those with jobs, who is next first */
	size_t rows;                 /* in memory, until their result is written */
	size_t congested_rows;       /* of slow destinations, as of the last sweep */
	size_t conns;                /* that exist */
	struct queue_shares *shares; /* whose jobs they have: by relay_job_sharer */

	struct timer wake;   /* something is due */
	struct timer sweep;  /* once a second */
	struct timer stop;   /* stopping has taken long enough */
	int64_t next_due_ms; /* queue time; INT64_MAX: nothing known */
	int64_t looked_ms;   /* monotonic: when the store was asked what comes next */
	bool is_claiming;    /* a claim is out */
	bool counts_attempt; /* and counts attempts */
	bool want_claim;     /* there may be more */
	bool is_ready;       /* old leases are given back */
	bool is_dispatching; /* a round is due */
	bool is_stopping, is_flushing;
	loop_fn *stopped; /* NULL: nobody waits for the end */
	void *stopped_arg;

	struct link reports; /* jobs that are reports, to be read */
	size_t reports_waiting;
	struct relay_report *report; /* the one that is being read; NULL: none is */

	struct link telling; /* jobs whose notification is being made */
	struct link results; /* jobs that are to be written */
	struct link batches; /* and those that are under way */
	size_t writing;      /* jobs with a result that is not yet in the store */
	struct timer retry;  /* the store could not take results */
};

int64_t relay_now(struct relay *r);        /* queue time: Unix ms that never jump back */
int64_t relay_mono(const struct relay *r); /* monotonic ms */
struct queue_schedule relay_schedule(const struct relay *r);
struct queue_destination_conf relay_dest_conf(const struct relay *r);
/* The address of ours that we connect from, or ADDR_NONE. */
struct addr relay_source_for(const struct relay *r, const struct addr *to);
const struct conf_limits *relay_limits(const struct relay *r);
/* Something is due at that queue time. */
void relay_due(struct relay *r, int64_t due_ms);
/* Claims, where there is room. */
void relay_claim(struct relay *r);
/* Something ended: goes on, or finishes stopping. */
void relay_moved(struct relay *r);

#endif
