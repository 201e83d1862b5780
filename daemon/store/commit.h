/* commit.h - the committer: one thread that writes everything.
 *
 * Jobs are handed over from the loop, gathered while a batch is under way, and come back
 * through done() on the loop in the order they were given, after their transaction is on
 * disk. A job is one operation of one client; the committer unpacks it, applies it, packs
 * its answer. See commit.c for what happens to the disk, step by step.
 *
 * Owns: the writing connection, the segment files. Borrows: jobs, until they come back.
 */
#ifndef STORE_COMMIT_H
#define STORE_COMMIT_H

#include "base/list.h"
#include "base/macros.h"
#include "base/strbuf.h"
#include "io/loop.h"
#include "store/job.h"
#include "store/recover.h"
#include "store/tx.h"

struct committer;

/* What a commit tells besides answers; called on the loop, right before done() of its
   jobs. Borrowed for the call. */
struct commit_news {
	struct str changes; /* packed struct change */
	struct str events;  /* packed events of the batch */
	struct str own;     /* those the store itself told */
	bool has_login_change;
};

struct commit_ops {
	uint64_t epoch; /* whose the committer's own segments are */
	void (*done)(void *arg, struct job *job);
	void (*news)(void *arg, const struct commit_news *news);
};

struct commit_stats {
	uint64_t operations, batches, syncs;
	uint64_t written_max; /* the most rows that one transaction wrote */
	uint64_t free_bytes, reserve_bytes;
	bool is_disk_full;
};

/* Opens and upgrades the index, looks after what a crash may have left, starts the
   thread. Errors as db_open, schema_index. */
MUSTUSE enum err committer_new(struct loop *loop, struct str data_dir,
                               const struct tx_limits *limits,
                               const struct commit_ops *ops, void *arg,
                               struct committer **out);
/* Finishes all jobs (their done() is called from here), then ends the thread. */
void committer_free(struct committer **c);
/* Hands over a job: all of one turn of the loop together, at its end. */
void committer_give(struct committer *c, struct job *job);
/* New limits hold from the next batch on. */
void committer_set_limits(struct committer *c, const struct tx_limits *limits);
struct commit_stats committer_stats(struct committer *c);
/* What was mended when it was opened. */
struct recovered committer_recovered(const struct committer *c);

#endif
