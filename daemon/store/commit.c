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
 *   S4  record synced                       segments_sync, before the batch is applied
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
 *   O1  operation applied, answer in op_done   commit_batch: same transaction
 *   O2  op_done row gone                       the client's floor has passed it
 */
#include "store/commit.h"

#include "base/clock.h"
#include "base/map.h"
#include "base/mem.h"
#include "base/pack.h"
#include "base/panic.h"
#include "store/carried.h"
#include "store/crash.h"
#include "store/key_files.h"
#include "store/op_log.h"
#include "store/recover.h"
#include "store/schema.h"
#include "store/segments.h"

#include <pthread.h>
#include <sys/statvfs.h>

enum {
	BATCH_JOBS_MAX = 512,
	BATCH_BYTES_MAX = 32 << 20,
	BATCH_WRITTEN_MAX = 5000, /* rows: who comes next waits for no more than these */
	ARENA_BYTES = 1 << 30,
	EVENTS_WAIT_US = 200 * 1000, /* events alone may wait this long for company */
	CROWD_MIN = 3,               /* in a batch: the next one waits for as many, … */
	CROWD_WAIT_MIN_US = 250,  /* … while one comes within a quarter of the time */
	CROWD_WAIT_MAX_US = 2000, /* that the last batch took, between these two */
	CROWD_WAITS_MAX = 5,
	CROWD_CALM = 8, /* batches before it waits for more again, once that was vain */
	QUEUE_COUNT_MS = 10 * 1000,
	DISK_LOOK_MS = 100,
};

/* What the thread waits for; only that is worth waking it. */
enum patience {
	AT_WORK,
	FOR_ANYTHING,
	FOR_URGENT, /* it has events, which nobody waits for */
	FOR_CROWD,  /* the last batch was shared: the same clients will be back soon */
};

struct committer {
	struct loop *loop;
	struct loop_wake *wake;
	struct commit_ops ops;
	void *arg;
	struct str data_dir;
	struct arena *arena;
	pthread_t thread;
	struct link given; /* of the loop: goes over once a turn */
	bool is_giving;
	/* shared, under the lock */
	pthread_mutex_t lock;
	pthread_cond_t work;
	struct link waiting, done;
	size_t waiting_count, urgent_count; /* urgent: more than events */
	size_t crowd;                       /* urgent ones that are worth waiting for */
	unsigned calm;                      /* batches until it is tried with more */
	enum patience patience;
	bool is_stopping;
	struct tx_limits limits_next;
	struct commit_stats stats;
	struct strbuf changes, events, own;
	bool has_login_change;
	/* of the thread */
	struct db *db;
	struct segments *segments;
	struct carried carried;
	struct arena *batch; /* the operations of a batch, unpacked */
	struct tx tx;
	struct tx_ids ids;
	struct tx_limits limits;
	struct op_log *done_ops;
	int64_t batch_us; /* the last batch took */
	struct recovered recovered;
	uint64_t free_bytes; /* on the disk, looked at now and then */
	int64_t disk_looked_ms;
	uint64_t queue_rows; /* counted now and then, kept up to date in between */
	int64_t queue_counted_ms;
};

/* --- applying ----------------------------------------------------------------- */

typedef enum err apply_fn(struct tx *tx, const void *op, void *answer);

struct apply_row {
	size_t answer_size;
	apply_fn *apply; /* NULL: no business of the committer */
};

#define APPLY_WRITE(name, answer)                                                        \
	static enum err apply_##name(struct tx *tx, const void *op, void *answer_out)    \
	{                                                                                \
		return op_##name##_apply(tx, op, answer_out);                            \
	}
#define APPLY_HASH(name, answer) APPLY_WRITE(name, answer)
#define APPLY_OWN(name, answer)  APPLY_WRITE(name, answer)
#define APPLY_AUTH(name, answer)
#define APPLY_LOOP(name, answer)
#define OP(name, answer, way, by) APPLY_##way(name, answer)
/* clang-format off */
#include "store/ops.def"
/* clang-format on */
#undef OP
#undef APPLY_WRITE
#undef APPLY_HASH
#undef APPLY_OWN
#undef APPLY_AUTH
#undef APPLY_LOOP

#define APPLY_WRITE(name) apply_##name
#define APPLY_HASH(name)  apply_##name
#define APPLY_OWN(name)   apply_##name
#define APPLY_AUTH(name)  NULL
#define APPLY_LOOP(name)  NULL
static const struct apply_row rows[] = {
#define OP(name, answer, way, by) { sizeof(struct answer_##answer), APPLY_##way(name) },
#include "store/ops.def"
#undef OP
};
_Static_assert(ARRAY_LEN(rows) == OP_COUNT, "one row for each operation");

/* --- one job ------------------------------------------------------------------ */

static void
answer_set(struct job *job, enum err e, const void *answer)
{
	job->error = e;
	strbuf_clear(&job->answer);
	/* accept tells of each recipient even where it fails as a whole. */
	if (e == OK || (job->op == OP_accept && answer))
		answer_pack(job->op, answer, &job->answer);
	if (job->answer.overflow) {
		strbuf_clear(&job->answer);
		job->error = ERR_LIMIT;
	}
}

static struct str
job_events(const struct job *job)
{
	return str_first(strbuf_str(&job->payload), job->events_n);
}

static struct str
job_args(const struct job *job)
{
	return str_from_offset(strbuf_str(&job->payload), job->events_n);
}

/* Applies one job inside the open transaction. Its error is in the job; the result
   is OK unless the transaction must be rolled back. */
static enum err
job_apply(struct committer *c, struct job *job)
{
	struct op_source *src = op_source(c->done_ops, job->epoch);
	struct tx *tx = &c->tx;
	void *answer;
	bool is_found;
	enum err e = op_find(c->done_ops, src, job, &is_found);

	if (e != OK || (is_found && job->op != OP_queue_claim))
		return e;
	if (!is_found)
		tx_events(tx, job_events(job));
	if (!job->args) {
		answer_set(job, ERR_MALFORMED, NULL);
		return OK;
	}
	answer = arena_alloc(tx->arena, rows[job->op].answer_size);
	tx->epoch = job->epoch;
	tx->seq = job->seq;
	tx->has_written = false;
	if (is_found)
		e = op_queue_claim_again(tx, job->args, answer);
	else
		e = rows[job->op].apply(tx, job->args, answer);
	answer_set(job, e, answer);
	if (e == OK && job->error != OK)
		e = job->error;
	if (e != OK && (tx->has_written || !db_is_whole(tx->db)))
		return e;
	if (!is_found)
		op_note(src, job);
	return OK;
}

/* --- a batch ------------------------------------------------------------------ */

static void
tx_start(struct committer *c)
{
	struct tx *tx = &c->tx;

	tx_reset(tx);
	arena_rewind(tx->arena);
	tx->now_ms = clock_unix_ms();
	tx->ids = &c->ids;
	tx->segments = c->segments;
	tx->limits = &c->limits;
	tx->free_bytes = c->stats.free_bytes;
	tx->queue_rows = c->queue_rows;
}

static void
roll_back(struct committer *c)
{
	db_rollback(c->db);
	if (c->ids.is_uncommitted)
		c->ids = (struct tx_ids){ 0 };
	op_settle(c->done_ops, false, c->tx.now_ms);
}

/* These jobs, or as many of them as are enough for one transaction, in one; OK: they are
   on disk. */
static enum err
commit_batch(struct committer *c, struct job *const *jobs, size_t count, size_t *done_out)
{
	size_t i = 0;
	enum err e;

	tx_start(c);
	e = db_begin(c->db, DB_WRITE);
	while (i < count && e == OK && c->tx.written < BATCH_WRITTEN_MAX)
		e = job_apply(c, jobs[i++]);
	*done_out = i ? i : 1;
	if (e == OK)
		e = tx_flush(&c->tx);
	if (e == OK)
		e = op_flush(c->done_ops, c->tx.now_ms);
	crash_point();
	if (e == OK)
		e = db_commit(c->db);
	crash_point();
	if (e != OK) {
		roll_back(c);
		return e;
	}
	c->ids.is_uncommitted = false;
	c->queue_rows = c->tx.queue_rows;
	op_settle(c->done_ops, true, c->tx.now_ms);
	for (i = 0; i < c->tx.dropped_count; i++)
		segments_remove(c->segments, c->tx.dropped[i]);
	key_files_remove(c->data_dir, strbuf_str(&c->tx.dropped_keys));
	return OK;
}

static void
publish(struct committer *c)
{
	struct tx *tx = &c->tx;

	(void)pthread_mutex_lock(&c->lock);
	if (tx->written > c->stats.written_max)
		c->stats.written_max = tx->written;
	strbuf_add(&c->changes, strbuf_str(&tx->changes));
	strbuf_add(&c->events, strbuf_str(&tx->journal));
	strbuf_add(&c->own, strbuf_str(&tx->own));
	c->has_login_change |= tx->has_login_change;
	(void)pthread_mutex_unlock(&c->lock);
}

/* Below the reserve new mail is put off; see tx_disk_check. */
static void
look_at_disk(struct committer *c)
{
	struct statvfs vfs;
	int64_t now_ms = clock_mono_ms();

	if (!c->disk_looked_ms || now_ms - c->disk_looked_ms >= DISK_LOOK_MS) {
		c->disk_looked_ms = now_ms;
		c->free_bytes = UINT64_MAX;
		if (statvfs(c->data_dir.p, &vfs) == 0)
			c->free_bytes = (uint64_t)vfs.f_bavail * vfs.f_frsize;
	}
	(void)pthread_mutex_lock(&c->lock);
	c->limits = c->limits_next;
	c->stats.free_bytes = c->free_bytes;
	c->stats.reserve_bytes = c->limits.disk_reserve_bytes;
	c->stats.is_disk_full = c->free_bytes < c->limits.disk_reserve_bytes;
	(void)pthread_mutex_unlock(&c->lock);
}

/* For the limit on the queue a count that is some seconds old is good enough. */
static void
count_queue(struct committer *c)
{
	int64_t now_ms = clock_mono_ms();
	struct stmt *s;

	if (c->queue_counted_ms && now_ms - c->queue_counted_ms < QUEUE_COUNT_MS)
		return;
	c->queue_counted_ms = now_ms;
	if (db_one(c->db, "SELECT count(*) FROM queue", NO_VALUES, &s) == OK)
		c->queue_rows = db_u64(s, 0);
	db_end(&s);
}

/* Another segment for the bodies that operations carry, in a transaction of its own: the
   row is there before a record is. */
static enum err
carried_segment(struct committer *c)
{
	struct op_segment_seal seal = { c->carried.number, c->carried.size };
	struct op_segment_open open = { 0 };
	struct answer_segment opened;
	struct answer_none sealed;
	enum err e;

	tx_start(c);
	c->tx.epoch = c->ops.epoch;
	e = db_begin(c->db, DB_WRITE);
	if (e == OK && c->carried.number)
		e = op_segment_seal_apply(&c->tx, &seal, &sealed);
	if (e == OK)
		e = op_segment_open_apply(&c->tx, &open, &opened);
	if (e == OK)
		e = tx_flush(&c->tx);
	crash_point();
	if (e == OK)
		e = db_commit(c->db);
	if (e != OK) {
		roll_back(c);
		return e;
	}
	c->ids.is_uncommitted = false;
	carried_use(&c->carried, opened.segment);
	return OK;
}

/* Unpacks the operations, and writes the bodies that they carry. */
static enum err
place_bodies(struct committer *c, struct job *const *jobs, size_t count)
{
	struct carried_op *ops;
	size_t bytes = 0;
	enum err e = OK;

	arena_rewind(c->batch);
	ops = ARENA_ARRAY(c->batch, struct carried_op, count);
	for (size_t i = 0; i < count; i++) {
		struct job *job = jobs[i];

		if (op_unpack(job->op, job_args(job), c->batch, &job->args) != OK)
			job->args = NULL;
		ops[i] = (struct carried_op){ job->op, job->args };
		if (job->args)
			bytes += carried_look(&c->carried, job->op, job->args);
	}
	if (!bytes)
		return OK;
	/* What will be refused for want of room must not take up more of it. */
	if (c->stats.free_bytes < c->limits.disk_reserve_bytes + bytes + bytes / 2)
		return ERR_DISK_FULL;
	if (!carried_has_room(&c->carried))
		e = carried_segment(c);
	return e == OK ? carried_write(&c->carried, ops, count) : e;
}

/* It cannot be done; what was told before it has happened all the same. */
static void
fail_alone(struct committer *c, struct job *job, enum err why)
{
	enum err e;

	answer_set(job, why, NULL);
	if (!job->events_n)
		return;
	tx_start(c);
	e = db_begin(c->db, DB_WRITE);
	tx_events(&c->tx, job_events(job));
	if (e == OK)
		e = tx_flush(&c->tx);
	if (e == OK)
		e = db_commit(c->db);
	if (e != OK) {
		roll_back(c);
		return;
	}
	c->ids.is_uncommitted = false;
	publish(c);
}

/* The jobs are answered. */
static void
batch_done(struct committer *c, struct job *const *jobs, size_t count)
{
	(void)pthread_mutex_lock(&c->lock);
	c->stats.operations += count;
	c->stats.batches++;
	c->stats.syncs = segments_sync_count(c->segments);
	for (size_t i = 0; i < count; i++)
		list_add_last(&c->done, &jobs[i]->link);
	(void)pthread_mutex_unlock(&c->lock);
	loop_wake_call(c->wake);
}

/* One of them cannot be done and has written before it found out: each alone, so that
   only that one fails. */
static void
run_alone(struct committer *c, struct job *const *jobs, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		size_t done;
		enum err e = commit_batch(c, &jobs[i], 1, &done);

		if (e == OK)
			publish(c);
		else
			fail_alone(c, jobs[i], e);
	}
}

static void
run_batch(struct committer *c, struct job *const *jobs, size_t count)
{
	look_at_disk(c);
	count_queue(c);
	c->tx.body_error = place_bodies(c, jobs, count);
	segments_sync(c->segments);
	while (count) {
		size_t done;
		enum err e = commit_batch(c, jobs, count, &done);

		if (e == OK)
			publish(c);
		else if (done == 1)
			fail_alone(c, jobs[0], e);
		else
			run_alone(c, jobs, done);
		batch_done(c, jobs, done);
		jobs += done;
		count -= done;
	}
}

/* --- the thread --------------------------------------------------------------- */

static bool
is_enough(const struct committer *c)
{
	if (c->is_stopping || c->waiting_count >= BATCH_JOBS_MAX)
		return true;
	switch (c->patience) {
	case AT_WORK:
		return false;
	case FOR_ANYTHING:
		return c->waiting_count > 0;
	case FOR_URGENT:
		return c->urgent_count > 0;
	case FOR_CROWD:
		return c->urgent_count >= c->crowd;
	}
	return true;
}

/* Waits until there is enough; wait_us 0: for ever. */
static void
wait_for(struct committer *c, enum patience patience, long wait_us)
{
	struct timespec t;
	int rc = 0;

	c->patience = patience;
	if (wait_us && !is_enough(c)) {
		(void)clock_gettime(CLOCK_MONOTONIC, &t);
		t.tv_nsec += wait_us * 1000;
		t.tv_sec += t.tv_nsec / 1000000000;
		t.tv_nsec %= 1000000000;
	}
	while (!is_enough(c) && rc == 0)
		rc = wait_us ? pthread_cond_timedwait(&c->work, &c->lock, &t)
		             : pthread_cond_wait(&c->work, &c->lock);
	c->patience = AT_WORK;
}

/* Where nobody comes any more, everybody may be waiting for this batch already. The
   slower the disk, the more a fuller batch is worth. */
static void
wait_for_crowd(struct committer *c)
{
	size_t had = 0;
	long wait_us = (long)(c->batch_us / 4);

	if (wait_us < CROWD_WAIT_MIN_US)
		wait_us = CROWD_WAIT_MIN_US;
	if (wait_us > CROWD_WAIT_MAX_US)
		wait_us = CROWD_WAIT_MAX_US;
	for (int i = 0; i < CROWD_WAITS_MAX && had < c->urgent_count; i++) {
		had = c->urgent_count;
		wait_for(c, FOR_CROWD, wait_us);
		if (c->is_stopping || c->urgent_count >= c->crowd)
			break;
	}
}

/* How many the next batch should have. Clients that wait for answers come back as many as
   they were; whether there are more of them shows by waiting for more now and then. */
static void
crowd_learn(struct committer *c, size_t urgent)
{
	if (urgent < c->crowd) {
		c->crowd = urgent;
		c->calm = CROWD_CALM;
	} else if (c->calm) {
		c->crowd = urgent;
		c->calm--;
	} else {
		c->crowd = urgent + urgent / 2;
	}
}

/* Waits for work and takes all of it, up to a batch. False: it is time to end.
   Each batch costs the same two or three syncs, whoever is in it. One client alone
   never waits for others; where several share a batch, the next one gives them a
   moment to come back: fewer, fuller batches leave processor and disk to them. */
static bool
take_batch(struct committer *c, struct job **jobs, size_t *count_out)
{
	size_t count = 0, bytes = 0, urgent = 0;

	(void)pthread_mutex_lock(&c->lock);
	wait_for(c, FOR_ANYTHING, 0);
	wait_for(c, FOR_URGENT, EVENTS_WAIT_US);
	if (c->crowd >= CROWD_MIN && c->urgent_count)
		wait_for_crowd(c);
	while (c->waiting_count && count < BATCH_JOBS_MAX && bytes < BATCH_BYTES_MAX) {
		struct job *job = CONTAINER_OF(c->waiting.next, struct job, link);

		list_remove(&job->link);
		c->waiting_count--;
		urgent += job->op != OP_events;
		bytes += job->payload.n;
		jobs[count++] = job;
	}
	c->urgent_count -= urgent;
	crowd_learn(c, urgent);
	(void)pthread_mutex_unlock(&c->lock);
	*count_out = count;
	return count > 0;
}

static void *
run(void *arg)
{
	struct committer *c = arg;
	struct job *jobs[BATCH_JOBS_MAX];
	size_t count;

	while (take_batch(c, jobs, &count)) {
		int64_t began_us = clock_mono_us();

		run_batch(c, jobs, count);
		c->batch_us = clock_mono_us() - began_us;
	}
	return NULL;
}

/* --- the loop's side ---------------------------------------------------------- */

static void
deliver(void *arg)
{
	struct committer *c = arg;
	struct link done;
	struct strbuf changes, events, own;
	struct commit_news news;

	list_init(&done);
	(void)pthread_mutex_lock(&c->lock);
	while (!list_is_empty(&c->done)) {
		struct link *l = c->done.next;

		list_remove(l);
		list_add_last(&done, l);
	}
	changes = c->changes;
	events = c->events;
	own = c->own;
	c->changes = strbuf_heap(changes.max);
	c->events = strbuf_heap(events.max);
	c->own = strbuf_heap(own.max);
	news = (struct commit_news){ .changes = strbuf_str(&changes),
		                     .events = strbuf_str(&events),
		                     .own = strbuf_str(&own),
		                     .has_login_change = c->has_login_change };
	c->has_login_change = false;
	(void)pthread_mutex_unlock(&c->lock);
	if (news.changes.n || news.events.n || news.has_login_change)
		c->ops.news(c->arg, &news);
	LIST_EACH(&done, l)
	{
		struct job *job = CONTAINER_OF(l, struct job, link);

		list_remove(&job->link);
		c->ops.done(c->arg, job);
	}
	strbuf_release(&changes);
	strbuf_release(&events);
	strbuf_release(&own);
}

static void
give_over(void *arg)
{
	struct committer *c = arg;
	bool is_due;

	c->is_giving = false;
	(void)pthread_mutex_lock(&c->lock);
	while (!list_is_empty(&c->given)) {
		struct job *job = CONTAINER_OF(c->given.next, struct job, link);

		list_remove(&job->link);
		list_add_last(&c->waiting, &job->link);
		c->waiting_count++;
		c->urgent_count += job->op != OP_events;
	}
	is_due = c->patience != AT_WORK && is_enough(c);
	(void)pthread_mutex_unlock(&c->lock);
	if (is_due)
		(void)pthread_cond_signal(&c->work);
}

void
committer_give(struct committer *c, struct job *job)
{
	CHECK(rows[job->op].apply);
	list_add_last(&c->given, &job->link);
	if (!c->is_giving)
		loop_defer(c->loop, give_over, c);
	c->is_giving = true;
}

void
committer_set_limits(struct committer *c, const struct tx_limits *limits)
{
	(void)pthread_mutex_lock(&c->lock);
	c->limits_next = *limits;
	(void)pthread_mutex_unlock(&c->lock);
}

struct recovered
committer_recovered(const struct committer *c)
{
	return c->recovered;
}

struct commit_stats
committer_stats(struct committer *c)
{
	struct commit_stats stats;

	(void)pthread_mutex_lock(&c->lock);
	stats = c->stats;
	(void)pthread_mutex_unlock(&c->lock);
	return stats;
}

static enum err
open_index(struct committer *c)
{
	struct strbuf path = strbuf_arena(c->arena, 8192);
	enum err e = segments_open(c->data_dir, &c->segments);

	strbuf_add(&path, c->data_dir);
	strbuf_lit(&path, "/index.db");
	if (e == OK)
		e = db_open(strbuf_cstr(&path), DB_WRITE, &c->db);
	/* The sandbox of the readers names -wal and -shm as the files they are now. */
	if (e == OK)
		db_keep_files(c->db);
	if (e == OK)
		e = schema_index(c->db, clock_unix_ms());
	if (e == OK)
		e = recover_index(c->db, c->data_dir, clock_unix_ms(), &c->recovered);
	if (e == OK)
		e = key_files_sweep(c->db, c->data_dir);
	return e;
}

enum err
committer_new(struct loop *loop, struct str data_dir, const struct tx_limits *limits,
              const struct commit_ops *ops, void *arg, struct committer **out)
{
	struct committer *c = mem_alloc(sizeof(*c));
	pthread_condattr_t attr;
	enum err e;

	*out = NULL;
	c->loop = loop;
	c->ops = *ops;
	c->arg = arg;
	c->limits = c->limits_next = *limits;
	c->arena = arena_new(64 * 1024);
	c->data_dir = arena_str(c->arena, data_dir);
	c->changes = c->events = c->own = strbuf_heap(256 << 20);
	list_init(&c->given);
	list_init(&c->waiting);
	list_init(&c->done);
	(void)pthread_mutex_init(&c->lock, NULL);
	(void)pthread_condattr_init(&attr);
	(void)pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	(void)pthread_cond_init(&c->work, &attr);
	(void)pthread_condattr_destroy(&attr);
	e = open_index(c);
	if (e == OK) {
		tx_init(&c->tx, c->db, arena_new(ARENA_BYTES));
		c->batch = arena_new(ARENA_BYTES);
		c->carried.segments = c->segments;
		c->done_ops = op_log_new(c->db);
		look_at_disk(c);
		c->wake = loop_wake_new(loop, deliver, c);
		if (pthread_create(&c->thread, NULL, run, c) != 0)
			PANIC("no thread for the committer");
	} else {
		segments_close(&c->segments);
		db_close(&c->db);
		arena_free(&c->arena);
		mem_free(c);
		return e;
	}
	*out = c;
	return OK;
}

void
committer_free(struct committer **committer)
{
	struct committer *c = *committer;

	if (!c)
		return;
	loop_defer_cancel(c->loop, give_over, c);
	give_over(c);
	(void)pthread_mutex_lock(&c->lock);
	c->is_stopping = true;
	(void)pthread_cond_signal(&c->work);
	(void)pthread_mutex_unlock(&c->lock);
	(void)pthread_join(c->thread, NULL);
	deliver(c);
	loop_wake_free(&c->wake);
	op_log_free(&c->done_ops);
	arena_free(&c->tx.arena);
	arena_free(&c->batch);
	tx_fini(&c->tx);
	db_checkpoint(c->db);
	db_close(&c->db);
	segments_close(&c->segments);
	strbuf_release(&c->changes);
	strbuf_release(&c->events);
	strbuf_release(&c->own);
	(void)pthread_mutex_destroy(&c->lock);
	(void)pthread_cond_destroy(&c->work);
	arena_free(&c->arena);
	mem_free(c);
	*committer = NULL;
}
