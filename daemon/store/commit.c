/* What lies on disk, and who changes it.
 *
 *   state                                   made by
 *   ------------------------------------------------------------------------------------
 *   S0  no file                             -
 *   S1  segment file, no row                segments_create: open(O_EXCL), fsync(blobs/)
 *   S2  row, state open                     op_segment_open_apply + db_commit; for small
 *                                           bodies carried_segment
 *   S3  record in the file, unsynced        small: carried_write, at the batch's head;
 *                                           large: body_finish, in its writer's process
 *   S4  record synced                       segments_sync, before the batch is committed
 *   S5  message row refers to the record    tx_message_new + db_commit; 250 may be said
 *   S6  no row refers to it any more        tx_message_drop + db_commit: garbage
 *   S7  row, state sealed                   op_segment_seal_apply + db_commit
 *   S8  live records copied elsewhere       compact_segment: write, fdatasync, then one
 *                                           transaction moves the message rows
 *   S9  no row, file unlinked               compact_segment: row first, unlink after
 *
 * A crash between S0 and S2 leaves an empty file that recover() removes; an open segment
 * of a store that is gone is sealed by compact_run() and not appended to; between S3 and
 * S5 bytes that nobody refers to: nobody was told 250, and compaction drops them. Between
 * S8 and its transaction the copy is garbage, and the original still counts.
 *
 *   J0  event in a client's memory          event_tell
 *   J1  journal row                         tx_flush + db_commit, with the operation
 *   J2  rows in trace/DAY.db                trace_log.c: one transaction a day file,
 *                                           which also notes the journal row's number
 *   J3  no journal row                      trace_log.c after J2 is synced, by a job
 *
 *   K0  private key in a file, synced       key_files_make, on a worker thread
 *   K1  row names the file                  op_dkim_key_create_apply + db_commit
 *   K2  no row names it                     op_dkim_key_state_apply (revoked), removal
 *   K3  file unlinked                       key_files_remove after the commit; after a
 *                                           crash key_files_sweep at the next start
 *
 *   O1  operation applied, answer in op_done   batch.c: same transaction
 *   O2  op_done row gone                       the client's floor has passed it
 */
#include "store/commit.h"

#include "base/mem.h"
#include "base/panic.h"
#include "store/apply.h"
#include "store/batch.h"
#include "store/job_line.h"

#include <pthread.h>

struct committer {
	struct job_line *line;
	struct batch *batch;
	pthread_t thread;
};

static void *
run(void *arg)
{
	struct committer *c = arg;
	struct job *jobs[JOB_LINE_BATCH_MAX];
	size_t count;

	while (job_line_take(c->line, jobs, &count))
		if (count)
			batch_run(c->batch, jobs, count);
		else
			batch_rest(c->batch);
	return NULL;
}

enum err
committer_new(struct loop *loop, struct str data_dir, const struct tx_limits *limits,
              const struct commit_ops *ops, void *arg, struct committer **out)
{
	struct committer *c = mem_alloc(sizeof(*c));
	enum err e;

	*out = NULL;
	c->line = job_line_new(loop, ops, arg);
	e = batch_open(data_dir, ops->epoch, limits, c->line, &c->batch);
	if (e != OK) {
		job_line_free(&c->line);
		mem_free(c);
		return e;
	}
	if (pthread_create(&c->thread, NULL, run, c) != 0)
		PANIC("no thread for the committer");
	*out = c;
	return OK;
}

void
committer_free(struct committer **committer)
{
	struct committer *c = *committer;

	if (!c)
		return;
	job_line_stop(c->line);
	(void)pthread_join(c->thread, NULL);
	job_line_free(&c->line);
	batch_close(&c->batch);
	mem_free(c);
	*committer = NULL;
}

void
committer_give(struct committer *c, struct job *job)
{
	CHECK(apply_is_known(job->op));
	job_line_give(c->line, job);
}

void
committer_set_limits(struct committer *c, const struct tx_limits *limits)
{
	batch_set_limits(c->batch, limits);
}

struct commit_stats
committer_stats(struct committer *c)
{
	return batch_stats(c->batch);
}

struct recovered
committer_recovered(const struct committer *c)
{
	return batch_recovered(c->batch);
}
