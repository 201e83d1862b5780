#include "store/housekeeping.h"

#include "base/clock.h"
#include "base/duration.h"
#include "base/event.h"
#include "base/mem.h"
#include "base/panic.h"
#include "base/strbuf.h"
#include "store/db.h"
#include "store/events.h"
#include "store/outside.h"
#include "store/report_count.h"
#include "store/trace_log.h"

#include <pthread.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

enum {
	GATHER_MS = 300, /* events of that long make one transaction; … */
	GATHER_BUSY_MS =
		1000,   /* … of this, where there are many: pages are written once */
	BUSY_ROWS = 64, /* in one transaction, that is */
	ROWS_MAX = 512, /* journal rows in one transaction */
	BYTES_MAX = 16 << 20,
	EXPIRE_MS = HOUR_MS,
	STATS_MS = MINUTE_MS,
	IDLE_MS = MINUTE_MS,
	REST_MS = 2000, /* without work: then memory is given back */
	COMPACT_MS = 5 * MINUTE_MS,
	GRACE_MS = HOUR_MS,     /* before a segment's records move, or it goes */
	CLIENTS_MS = 10 * 1000, /* after the start clients come back */
	RETRY_MS = 5000,
	PURGE_TURNS = 16, /* between two looks at the journal */
	NICE = 5,
	REPORTS_MAX = 5, /* that go in one transaction */
};

enum ask_state {
	ASK_NONE,
	ASK_ASKED,    /* the loop will take it */
	ASK_GIVEN,    /* the committer has it */
	ASK_ANSWERED, /* the thread may go on */
};

struct housekeeping {
	struct loop *loop;
	struct loop_wake *wake;
	housekeeping_give_fn *give;
	void *arg;
	struct arena *arena;
	struct str data_dir;
	pthread_t thread;
	/* under the lock */
	pthread_mutex_t lock;
	pthread_cond_t work;
	bool is_stopping, is_awake;
	struct housekeeping_days days;
	struct compact_live live;
	bool is_compact_due;
	int64_t grace_ms;
	/* the question that is out, of this thread to the loop */
	enum ask_state ask;
	enum op ask_op;
	const void *ask_args;
	enum err ask_error;
	struct answer_segment ask_answer;
	uint64_t journal_rows, messages, message_bytes;
	/* of the thread */
	struct db *db;
	struct trace_log *log;
	struct outside outside;
	struct report_counts *counts; /* of the rows from trimmed to last */
	struct compact *compact;
	uint64_t last, trimmed; /* journal rows: taken, and gone from there */
	bool is_busy;           /* there were many of them last time */
	int64_t expired_ms, counted_ms, compacted_ms, started_ms;
};

/* --- asking the committer, through the loop ----------------------------------------- */

static void
on_asked(void *arg)
{
	struct housekeeping *h = arg;
	enum op op;
	const void *args;
	bool is_asked;

	(void)pthread_mutex_lock(&h->lock);
	is_asked = h->ask == ASK_ASKED;
	op = h->ask_op;
	args = h->ask_args;
	if (is_asked)
		h->ask = ASK_GIVEN;
	(void)pthread_mutex_unlock(&h->lock);
	if (is_asked)
		h->give(h->arg, op, args);
}

void
housekeeping_answered(struct housekeeping *h, enum op op, enum err e, const void *answer)
{
	(void)pthread_mutex_lock(&h->lock);
	if (h->ask == ASK_GIVEN && h->ask_op == op) {
		h->ask = ASK_ANSWERED;
		h->ask_error = e;
		if (op == OP_segment_open && answer)
			h->ask_answer = *(const struct answer_segment *)answer;
		(void)pthread_cond_signal(&h->work);
	}
	(void)pthread_mutex_unlock(&h->lock);
}

static enum err
ask(void *arg, enum op op, const void *args, void **answer_out)
{
	struct housekeeping *h = arg;
	enum err e = ERR_SHUTDOWN;

	(void)pthread_mutex_lock(&h->lock);
	h->ask = ASK_ASKED;
	h->ask_op = op;
	h->ask_args = args;
	loop_wake_call(h->wake);
	while (h->ask != ASK_ANSWERED && !h->is_stopping)
		(void)pthread_cond_wait(&h->work, &h->lock);
	if (h->ask == ASK_ANSWERED)
		e = h->ask_error;
	h->ask = ASK_NONE;
	(void)pthread_mutex_unlock(&h->lock);
	*answer_out = &h->ask_answer;
	return e;
}

/* --- the delivery log --------------------------------------------------------------- */

static void
count_for_reports(struct housekeeping *h, struct str events)
{
	int64_t now_ms = clock_unix_ms();
	struct trace_event event;

	while (events_next(&events, &event)) {
		report_counts_add(h->counts, &event, now_ms);
		outside_add(&h->outside, &event);
	}
}

/* The rows are safe where they belong now. Where this does not come through, the files
   know what they have, and the next row's trim takes these as well. */
static enum err
trim(struct housekeeping *h)
{
	struct op_journal_trim op = { .up_to = h->last };
	void *answer;
	enum err e;

	op.counts = report_counts_list(h->counts, &op.counts_count);
	op.seen = outside_list(&h->outside, &op.seen_count);
	e = ask(h, OP_journal_trim, &op, &answer);
	if (e == OK) {
		outside_told(&h->outside);
		h->trimmed = h->last;
		report_counts_clear(h->counts);
	}
	return e == ERR_SHUTDOWN ? OK : e;
}

/* Moves some journal rows into the delivery log. True: there may be more. */
static enum err
move_some(struct housekeeping *h, bool *more_out)
{
	struct stmt *s = db_query(h->db,
	                          "SELECT id, events FROM journal WHERE id > $1"
	                          " ORDER BY id LIMIT $2",
	                          VALUES(V_I(h->last), V_I(ROWS_MAX)));
	uint64_t last = h->last;
	size_t rows = 0, bytes = 0;
	enum err e = OK, done;

	while (e == OK && bytes < BYTES_MAX && db_next(s)) {
		struct str events = db_str(s, 1);

		last = db_u64(s, 0);
		bytes += events.n;
		rows++;
		e = trace_log_take(h->log, last, events);
		if (e == OK)
			count_for_reports(h, events);
	}
	done = db_done(h->db, &s);
	e = e == OK ? done : e;
	done = trace_log_commit(h->log);
	e = e == OK ? done : e;
	*more_out = e == OK && (rows == ROWS_MAX || bytes >= BYTES_MAX);
	h->is_busy |= rows >= BUSY_ROWS;
	if (e != OK) {
		/* They come again, and count once. */
		report_counts_clear(h->counts);
		h->last = h->trimmed;
		return e;
	}
	if (!rows)
		return OK;
	h->last = last;
	return trim(h);
}

static enum err
open_all(struct housekeeping *h)
{
	char bytes[4096];
	struct strbuf path = strbuf_on(bytes);
	enum err e = OK;

	strbuf_add(&path, h->data_dir);
	strbuf_lit(&path, "/index.db");
	if (!h->db)
		e = db_open(strbuf_cstr(&path), DB_READ, &h->db);
	if (e == OK && !h->log)
		e = trace_log_open(h->data_dir, &h->log);
	if (e == OK && !h->compact)
		h->compact = compact_new(h->data_dir, ask, h);
	return e;
}

static void
count_things(struct housekeeping *h, int64_t now_ms)
{
	struct stmt *s;
	uint64_t journal = 0, messages = 0, bytes = 0;

	if (now_ms - h->counted_ms < STATS_MS && h->counted_ms)
		return;
	h->counted_ms = now_ms;
	if (db_one(h->db, "SELECT count(*) FROM journal", NO_VALUES, &s) == OK)
		journal = db_u64(s, 0);
	db_end(&s);
	if (db_one(h->db,
	           "SELECT coalesce(sum(live_count), 0), coalesce(sum(live_bytes), 0)"
	           " FROM segment",
	           NO_VALUES, &s) == OK) {
		messages = db_u64(s, 0);
		bytes = db_u64(s, 1);
	}
	db_end(&s);
	(void)pthread_mutex_lock(&h->lock);
	h->journal_rows = journal;
	h->messages = messages;
	h->message_bytes = bytes;
	(void)pthread_mutex_unlock(&h->lock);
}

static enum err
look_after_segments(struct housekeeping *h, int64_t now_ms)
{
	struct compact_live live;
	int64_t grace_ms = GRACE_MS;
	bool is_due;
	enum err e;

	(void)pthread_mutex_lock(&h->lock);
	live = h->live;
	is_due = h->is_compact_due && !h->is_stopping;
	if (h->is_compact_due)
		grace_ms = h->grace_ms;
	h->is_compact_due = false;
	(void)pthread_mutex_unlock(&h->lock);
	if (!h->compacted_ms)
		h->compacted_ms = now_ms; /* not while everything starts */
	if (!is_due && now_ms - h->compacted_ms < COMPACT_MS)
		return OK;
	h->compacted_ms = now_ms;
	e = compact_run(h->compact, h->db, &live, now_ms, grace_ms);
	return e == ERR_SHUTDOWN ? OK : e;
}

/* Reports that came before that time go, a few in each transaction. */
static enum err
expire_reports(struct housekeeping *h, int64_t before_ms)
{
	uint64_t ids[REPORTS_MAX];
	struct op_report_drop op = { ids, REPORTS_MAX };
	void *answer;
	enum err e = OK;

	while (op.ids_count == REPORTS_MAX && e == OK) {
		struct stmt *s =
			db_query(h->db,
		                 "SELECT id FROM report WHERE is_proven IN (0, 1)"
		                 " AND received_ms < $1 LIMIT $2",
		                 VALUES(V_I(before_ms), V_I(REPORTS_MAX)));

		for (op.ids_count = 0; op.ids_count < REPORTS_MAX && db_next(s);)
			ids[op.ids_count++] = db_u64(s, 0);
		e = db_done(h->db, &s);
		if (e == OK && op.ids_count)
			e = ask(h, OP_report_drop, &op, &answer);
	}
	return e == ERR_SHUTDOWN ? OK : e;
}

static enum err
move_all(struct housekeeping *h)
{
	bool more = true;
	enum err e = OK;

	h->is_busy = false;
	while (e == OK && more)
		e = move_some(h, &more);
	return e;
}

/* Takes apart the mailboxes that were removed: turn by turn, so that whoever waits for
   the committer comes between. */
static enum err
purge_mailboxes(struct housekeeping *h)
{
	enum err e = OK;

	for (unsigned turn = 1; e == OK; turn++) {
		struct op_mailbox_purge op;
		struct stmt *s;
		void *answer;

		e = db_one(h->db, "SELECT id FROM mailbox WHERE account_id = 0 LIMIT 1",
		           NO_VALUES, &s);
		if (e != OK)
			break;
		op.mailbox_id = db_u64(s, 0);
		db_end(&s);
		e = ask(h, OP_mailbox_purge, &op, &answer);
		if (e == OK && turn % PURGE_TURNS == 0)
			e = move_all(h);
	}
	return e == ERR_NOT_FOUND || e == ERR_SHUTDOWN ? OK : e;
}

/* A COPY or APPEND that has not ended and whose client is gone; ERR_NOT_FOUND. */
static enum err
abandoned(struct housekeeping *h, uint64_t *work_out)
{
	struct compact_live live;
	struct stmt *s;
	bool is_found = false;
	enum err e;

	(void)pthread_mutex_lock(&h->lock);
	live = h->live;
	(void)pthread_mutex_unlock(&h->lock);
	s = db_query(h->db, "SELECT work, epoch FROM staged ORDER BY work, first",
	             NO_VALUES);
	while (!is_found && db_next(s)) {
		*work_out = db_u64(s, 0);
		is_found = !compact_live_has(&live, db_u64(s, 1));
	}
	e = db_done(h->db, &s);
	return e == OK && !is_found ? ERR_NOT_FOUND : e;
}

static enum err
undo_abandoned(struct housekeeping *h)
{
	int64_t grace_ms = CLIENTS_MS;
	enum err e = OK;

	(void)pthread_mutex_lock(&h->lock);
	if (h->is_compact_due && h->grace_ms < grace_ms)
		grace_ms = h->grace_ms;
	(void)pthread_mutex_unlock(&h->lock);
	if (clock_mono_ms() - h->started_ms < grace_ms)
		return OK;
	while (e == OK) {
		struct op_staged_undo op;
		void *answer;

		e = abandoned(h, &op.work);
		if (e == OK)
			e = ask(h, OP_staged_undo, &op, &answer);
	}
	return e == ERR_NOT_FOUND || e == ERR_SHUTDOWN ? OK : e;
}

static enum err
work_once(struct housekeeping *h, struct housekeeping_days days)
{
	int64_t now_ms = clock_unix_ms();
	enum err e = open_all(h);

	if (e == OK)
		e = move_all(h);
	if (e == OK)
		e = purge_mailboxes(h);
	if (e == OK)
		e = undo_abandoned(h);
	if (e != OK)
		return e;
	count_things(h, now_ms);
	if (!h->expired_ms || now_ms - h->expired_ms > EXPIRE_MS) {
		h->expired_ms = now_ms;
		trace_log_expire(h->log, now_ms - days.trace * DAY_MS);
		e = expire_reports(h, now_ms - days.reports * DAY_MS);
		if (e != OK)
			return e;
	}
	return look_after_segments(h, now_ms);
}

static void
wait_ms(struct housekeeping *h, int ms, bool until_stop_only)
{
	struct timespec t;
	int rc = 0;

	(void)clock_gettime(CLOCK_MONOTONIC, &t);
	t.tv_nsec += (long)(ms % 1000) * 1000000;
	t.tv_sec += ms / 1000 + t.tv_nsec / 1000000000;
	t.tv_nsec %= 1000000000;
	while (!h->is_stopping && (until_stop_only || !h->is_awake) && rc == 0)
		rc = pthread_cond_timedwait(&h->work, &h->lock, &t);
}

static void
rest(struct housekeeping *h)
{
	if (h->log)
		trace_log_rest(h->log);
	db_rest(h->db);
	mem_give_back();
}

static void *
run(void *arg)
{
	struct housekeeping *h = arg;

	/* Mail first: this thread takes what is left of the processor. */
	(void)setpriority(PRIO_PROCESS, (id_t)syscall(SYS_gettid), NICE);
	(void)pthread_mutex_lock(&h->lock);
	for (;;) {
		bool is_last = h->is_stopping;
		struct housekeeping_days days = h->days;
		enum err e;

		h->is_awake = false;
		(void)pthread_mutex_unlock(&h->lock);
		e = work_once(h, days);
		if (e != OK)
			log_line(LEVEL_WARN, "store.log", "reason=%s", err_get(e)->word);
		(void)pthread_mutex_lock(&h->lock);
		if (is_last)
			break;
		wait_ms(h, e == OK ? REST_MS : RETRY_MS, e != OK);
		if (e == OK && !h->is_stopping && !h->is_awake) {
			(void)pthread_mutex_unlock(&h->lock);
			rest(h);
			(void)pthread_mutex_lock(&h->lock);
			wait_ms(h, IDLE_MS, false);
		}
		wait_ms(h, h->is_busy ? GATHER_BUSY_MS : GATHER_MS, true);
	}
	(void)pthread_mutex_unlock(&h->lock);
	return NULL;
}

struct housekeeping *
housekeeping_new(struct loop *loop, struct str data_dir, struct housekeeping_days days,
                 housekeeping_give_fn *give, void *arg)
{
	struct housekeeping *h = mem_alloc(sizeof(*h));
	pthread_condattr_t attr;

	h->loop = loop;
	h->give = give;
	h->arg = arg;
	h->started_ms = clock_mono_ms();
	h->days = days;
	h->arena = arena_new(16 * 1024);
	h->data_dir = arena_str(h->arena, data_dir);
	h->counts = report_counts_new();
	(void)pthread_mutex_init(&h->lock, NULL);
	(void)pthread_condattr_init(&attr);
	(void)pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	(void)pthread_cond_init(&h->work, &attr);
	(void)pthread_condattr_destroy(&attr);
	h->wake = loop_wake_new(loop, on_asked, h);
	if (pthread_create(&h->thread, NULL, run, h) != 0)
		PANIC("no thread for housekeeping");
	return h;
}

void
housekeeping_free(struct housekeeping **housekeeping)
{
	struct housekeeping *h = *housekeeping;

	if (!h)
		return;
	(void)pthread_mutex_lock(&h->lock);
	h->is_stopping = true;
	(void)pthread_cond_signal(&h->work);
	(void)pthread_mutex_unlock(&h->lock);
	(void)pthread_join(h->thread, NULL);
	loop_wake_free(&h->wake);
	trace_log_close(&h->log);
	report_counts_free(&h->counts);
	compact_free(&h->compact);
	db_close(&h->db);
	(void)pthread_mutex_destroy(&h->lock);
	(void)pthread_cond_destroy(&h->work);
	arena_free(&h->arena);
	mem_free(h);
	*housekeeping = NULL;
}

void
housekeeping_wake(struct housekeeping *h)
{
	bool was_awake;

	(void)pthread_mutex_lock(&h->lock);
	was_awake = h->is_awake;
	h->is_awake = true;
	(void)pthread_mutex_unlock(&h->lock);
	if (!was_awake)
		(void)pthread_cond_signal(&h->work);
}

void
housekeeping_set_days(struct housekeeping *h, struct housekeeping_days days)
{
	(void)pthread_mutex_lock(&h->lock);
	h->days = days;
	(void)pthread_mutex_unlock(&h->lock);
}

void
housekeeping_set_live(struct housekeeping *h, const struct compact_live *live)
{
	(void)pthread_mutex_lock(&h->lock);
	h->live = *live;
	(void)pthread_mutex_unlock(&h->lock);
}

void
housekeeping_compact(struct housekeeping *h, int64_t grace_ms)
{
	(void)pthread_mutex_lock(&h->lock);
	h->is_compact_due = h->is_awake = true;
	h->grace_ms = grace_ms;
	(void)pthread_cond_signal(&h->work);
	(void)pthread_mutex_unlock(&h->lock);
}

void
housekeeping_stats(struct housekeeping *h, struct answer_stats *stats)
{
	(void)pthread_mutex_lock(&h->lock);
	stats->journal_rows = h->journal_rows;
	stats->messages = h->messages;
	stats->message_bytes = h->message_bytes;
	(void)pthread_mutex_unlock(&h->lock);
}
