#include "store/batch.h"

#include "base/clock.h"
#include "base/mem.h"
#include "store/apply.h"
#include "store/carried.h"
#include "store/crash.h"
#include "store/key_files.h"
#include "store/op_log.h"
#include "store/schema.h"
#include "store/segments.h"

#include <pthread.h>
#include <sys/statvfs.h>

enum {
	WRITTEN_MAX = 5000, /* rows: who comes next waits for no more than these */
	ARENA_BYTES = 1 << 30,
	QUEUE_COUNT_MS = 10 * 1000,
	DISK_LOOK_MS = 100,
};

struct batch {
	struct job_line *line;
	struct arena *arena;
	struct str data_dir;
	uint64_t epoch;
	struct db *db;
	struct segments *segments;
	struct carried carried;
	struct arena *unpacked; /* the operations of this batch */
	struct tx tx;
	struct tx_ids ids;
	struct tx_limits limits;
	struct op_log *done_ops;
	struct recovered recovered;
	uint64_t free_bytes; /* on the disk, looked at now and then */
	int64_t disk_looked_ms;
	uint64_t queue_rows; /* counted now and then, kept up to date in between */
	int64_t queue_counted_ms;
	/* shared */
	pthread_mutex_t lock;
	struct tx_limits limits_next;
	struct commit_stats stats;
};

/* --- one transaction ---------------------------------------------------------- */

static void
tx_start(struct batch *b)
{
	struct tx *tx = &b->tx;

	tx_reset(tx);
	arena_rewind(tx->arena);
	tx->now_ms = clock_unix_ms();
	tx->ids = &b->ids;
	tx->segments = b->segments;
	tx->limits = &b->limits;
	tx->free_bytes = b->stats.free_bytes;
	tx->queue_rows = b->queue_rows;
}

static void
roll_back(struct batch *b)
{
	db_rollback(b->db);
	if (b->ids.is_uncommitted)
		b->ids = (struct tx_ids){ 0 };
	op_settle(b->done_ops, false, b->tx.now_ms);
}

/* These jobs, or as many of them as are enough for one transaction, in one; OK: they are
   on disk. Bodies go there while the rows are made: they are synced before the rows are
   committed, not before they are known. */
static enum err
commit_batch(struct batch *b, struct job *const *jobs, size_t count, size_t *done_out)
{
	size_t i = 0;
	enum err e;

	tx_start(b);
	e = db_begin(b->db, DB_WRITE);
	while (i < count && e == OK && b->tx.written < WRITTEN_MAX && !b->tx.is_turn_over)
		e = apply_job(&b->tx, b->done_ops, jobs[i++]);
	*done_out = i ? i : 1;
	if (e == OK)
		e = tx_flush(&b->tx);
	if (e == OK)
		e = op_flush(b->done_ops, b->tx.now_ms);
	if (e == OK)
		segments_sync(b->segments);
	crash_point();
	if (e == OK)
		e = db_commit(b->db);
	crash_point();
	if (e != OK) {
		roll_back(b);
		return e;
	}
	b->ids.is_uncommitted = false;
	b->queue_rows = b->tx.queue_rows;
	op_settle(b->done_ops, true, b->tx.now_ms);
	for (i = 0; i < b->tx.dropped_count; i++)
		segments_remove(b->segments, b->tx.dropped[i]);
	key_files_remove(b->data_dir, strbuf_str(&b->tx.dropped_keys));
	return OK;
}

static void
publish(struct batch *b)
{
	(void)pthread_mutex_lock(&b->lock);
	if (b->tx.written > b->stats.written_max)
		b->stats.written_max = b->tx.written;
	(void)pthread_mutex_unlock(&b->lock);
	job_line_tell(b->line, &b->tx);
}

/* --- before it ------------------------------------------------------------------ */

/* Below the reserve new mail is put off; see tx_disk_check. */
static void
look_at_disk(struct batch *b)
{
	struct statvfs vfs;
	int64_t now_ms = clock_mono_ms();

	if (!b->disk_looked_ms || now_ms - b->disk_looked_ms >= DISK_LOOK_MS) {
		b->disk_looked_ms = now_ms;
		b->free_bytes = UINT64_MAX;
		if (statvfs(b->data_dir.p, &vfs) == 0)
			b->free_bytes = (uint64_t)vfs.f_bavail * vfs.f_frsize;
	}
	(void)pthread_mutex_lock(&b->lock);
	b->limits = b->limits_next;
	b->stats.free_bytes = b->free_bytes;
	b->stats.reserve_bytes = b->limits.disk_reserve_bytes;
	b->stats.is_disk_full = b->free_bytes < b->limits.disk_reserve_bytes;
	(void)pthread_mutex_unlock(&b->lock);
}

/* For the limit on the queue a count that is some seconds old is good enough. */
static void
count_queue(struct batch *b)
{
	int64_t now_ms = clock_mono_ms();
	struct stmt *s;

	if (b->queue_counted_ms && now_ms - b->queue_counted_ms < QUEUE_COUNT_MS)
		return;
	b->queue_counted_ms = now_ms;
	if (db_one(b->db, "SELECT count(*) FROM queue", NO_VALUES, &s) == OK)
		b->queue_rows = db_u64(s, 0);
	db_end(&s);
}

/* Another segment for the bodies that operations carry, in a transaction of its own: the
   row is there before a record is. */
static enum err
carried_segment(struct batch *b)
{
	struct op_segment_seal seal = { b->carried.number, b->carried.size };
	struct op_segment_open open = { 0 };
	struct answer_segment opened;
	struct answer_none sealed;
	enum err e;

	tx_start(b);
	b->tx.epoch = b->epoch;
	e = db_begin(b->db, DB_WRITE);
	if (e == OK && b->carried.number)
		e = op_segment_seal_apply(&b->tx, &seal, &sealed);
	if (e == OK)
		e = op_segment_open_apply(&b->tx, &open, &opened);
	if (e == OK)
		e = tx_flush(&b->tx);
	crash_point();
	if (e == OK)
		e = db_commit(b->db);
	if (e != OK) {
		roll_back(b);
		return e;
	}
	b->ids.is_uncommitted = false;
	carried_use(&b->carried, opened.segment);
	return OK;
}

/* Unpacks the operations, and writes the bodies that they carry. */
static enum err
place_bodies(struct batch *b, struct job *const *jobs, size_t count)
{
	struct carried_op *ops;
	size_t bytes = 0;
	enum err e = OK;

	arena_rewind(b->unpacked);
	ops = ARENA_ARRAY(b->unpacked, struct carried_op, count);
	for (size_t i = 0; i < count; i++) {
		struct job *job = jobs[i];

		if (op_unpack(job->op, job_args(job), b->unpacked, &job->args) != OK)
			job->args = NULL;
		ops[i] = (struct carried_op){ job->op, job->args };
		if (job->args)
			bytes += carried_look(&b->carried, job->op, job->args);
	}
	if (!bytes)
		return OK;
	/* What will be refused for want of room must not take up more of it. */
	if (b->stats.free_bytes < b->limits.disk_reserve_bytes + bytes + bytes / 2)
		return ERR_DISK_FULL;
	if (!carried_has_room(&b->carried))
		e = carried_segment(b);
	return e == OK ? carried_write(&b->carried, ops, count) : e;
}

/* --- a batch ---------------------------------------------------------------------- */

/* It cannot be done; what was told before it has happened all the same. */
static void
fail_alone(struct batch *b, struct job *job, enum err why)
{
	enum err e;

	apply_answer(job, why, NULL);
	if (!job->events_n)
		return;
	tx_start(b);
	e = db_begin(b->db, DB_WRITE);
	tx_events(&b->tx, job_events(job));
	if (e == OK)
		e = tx_flush(&b->tx);
	if (e == OK)
		e = db_commit(b->db);
	if (e != OK) {
		roll_back(b);
		return;
	}
	b->ids.is_uncommitted = false;
	publish(b);
}

/* The jobs are answered. */
static void
batch_done(struct batch *b, struct job *const *jobs, size_t count)
{
	(void)pthread_mutex_lock(&b->lock);
	b->stats.operations += count;
	b->stats.batches++;
	b->stats.syncs = segments_sync_count(b->segments);
	(void)pthread_mutex_unlock(&b->lock);
	job_line_done(b->line, jobs, count);
}

/* One of them cannot be done and has written before it found out: each alone, so that
   only that one fails. */
static void
run_alone(struct batch *b, struct job *const *jobs, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		size_t done;
		enum err e = commit_batch(b, &jobs[i], 1, &done);

		if (e == OK)
			publish(b);
		else
			fail_alone(b, jobs[i], e);
	}
}

void
batch_run(struct batch *b, struct job *const *jobs, size_t count)
{
	look_at_disk(b);
	count_queue(b);
	b->tx.body_error = place_bodies(b, jobs, count);
	while (count) {
		size_t done;
		enum err e = commit_batch(b, jobs, count, &done);

		if (e == OK)
			publish(b);
		else if (done == 1)
			fail_alone(b, jobs[0], e);
		else
			run_alone(b, jobs, done);
		batch_done(b, jobs, done);
		jobs += done;
		count -= done;
	}
}

/* --- the whole -------------------------------------------------------------------- */

static enum err
open_index(struct batch *b)
{
	struct strbuf path = strbuf_arena(b->arena, 8192);
	enum err e = segments_open(b->data_dir, &b->segments);

	strbuf_add(&path, b->data_dir);
	strbuf_lit(&path, "/index.db");
	if (e == OK)
		e = db_open(strbuf_cstr(&path), DB_WRITE, &b->db);
	/* The sandbox of the readers names -wal and -shm as the files they are now. */
	if (e == OK)
		db_keep_files(b->db);
	if (e == OK)
		e = schema_index(b->db, clock_unix_ms());
	if (e == OK)
		e = recover_index(b->db, b->data_dir, clock_unix_ms(), &b->recovered);
	if (e == OK)
		e = key_files_sweep(b->db, b->data_dir);
	return e;
}

enum err
batch_open(struct str data_dir, uint64_t epoch, const struct tx_limits *limits,
           struct job_line *line, struct batch **out)
{
	struct batch *b = mem_alloc(sizeof(*b));
	enum err e;

	*out = NULL;
	b->line = line;
	b->epoch = epoch;
	b->limits = b->limits_next = *limits;
	b->arena = arena_new(16 * 1024);
	b->data_dir = arena_str(b->arena, data_dir);
	e = open_index(b);
	if (e != OK) {
		segments_close(&b->segments);
		db_close(&b->db);
		arena_free(&b->arena);
		mem_free(b);
		return e;
	}
	(void)pthread_mutex_init(&b->lock, NULL);
	tx_init(&b->tx, b->db, arena_new(ARENA_BYTES));
	b->unpacked = arena_new(ARENA_BYTES);
	b->carried.segments = b->segments;
	b->done_ops = op_log_new(b->db);
	look_at_disk(b);
	*out = b;
	return OK;
}

void
batch_rest(struct batch *b)
{
	arena_reset(b->tx.arena);
	arena_reset(b->unpacked);
	db_rest(b->db);
	mem_give_back();
}

void
batch_close(struct batch **batch)
{
	struct batch *b = *batch;

	if (!b)
		return;
	op_log_free(&b->done_ops);
	arena_free(&b->tx.arena);
	arena_free(&b->unpacked);
	tx_fini(&b->tx);
	db_checkpoint(b->db);
	db_close(&b->db);
	segments_close(&b->segments);
	(void)pthread_mutex_destroy(&b->lock);
	arena_free(&b->arena);
	mem_free(b);
	*batch = NULL;
}

void
batch_set_limits(struct batch *b, const struct tx_limits *limits)
{
	(void)pthread_mutex_lock(&b->lock);
	b->limits_next = *limits;
	(void)pthread_mutex_unlock(&b->lock);
}

struct commit_stats
batch_stats(struct batch *b)
{
	struct commit_stats stats;

	(void)pthread_mutex_lock(&b->lock);
	stats = b->stats;
	(void)pthread_mutex_unlock(&b->lock);
	return stats;
}

struct recovered
batch_recovered(const struct batch *b)
{
	return b->recovered;
}
