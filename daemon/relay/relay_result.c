/* From results to decisions, and into the store.
 *
 * The results of one turn of the loop are one operation. What the store refuses is
 * divided: a job whose lease is lost must not hold up the others, and a notification
 * that nobody can take must not hold up its job.
 */
#include "relay/relay_result.h"

#include "base/mem.h"
#include "base/panic.h"
#include "relay/relay_conn.h"
#include "relay/relay_dsn.h"
#include "relay/relay_event.h"
#include "relay/relay_jobs.h"
#include "relay/relay_priv.h"

enum {
	BATCH_MAGIC = 0x524c5934,
	BATCH_ROWS = 500,
	BATCH_BUDGET = 512 * 1024,
	RETRY_MS = 1000,
};

/* An operation that is out. */
struct batch {
	uint32_t magic;
	struct link link; /* in relay->batches */
	struct relay *relay;
	struct link jobs;
	size_t count;
};

void
relay_row_set(struct relay_job *job, struct relay_row *row, const struct relay_finding *f)
{
	row->is_done = true;
	row->attempt = f->attempt;
	row->cause = f->cause;
	row->code = f->code;
	row->enhanced = arena_str(job->arena, f->enhanced);
	row->text = arena_str(job->arena, f->text);
	row->host = arena_str(job->arena, f->host);
	row->ip = arena_str(job->arena, f->ip);
	if (f->attempt == ATTEMPT_RETURNED)
		row->reason = REASON_CANCELLED;
	else if (f->attempt == ATTEMPT_OK || f->attempt == ATTEMPT_OK_WITHOUT_DSN ||
	         f->attempt == ATTEMPT_IN_MAILBOX || f->attempt == ATTEMPT_EXPANDED)
		row->reason = REASON_NONE;
	else if (f->cause == OK)
		row->reason =
			queue_reason_from_reply(f->stage, f->code, f->enhanced, f->text);
	else
		row->reason = queue_reason_from_err(f->cause, f->is_connecting);
}

void
relay_job_fail(struct relay_job *job, const struct relay_finding *finding)
{
	for (size_t i = 0; i < job->count; i++) {
		if (!job->rows[i].is_done)
			relay_row_set(job, &job->rows[i], finding);
	}
}

static void
decide(struct relay_job *job, struct relay_row *row)
{
	struct relay *r = job->relay;
	struct queue_schedule schedule = relay_schedule(r);
	struct queue_facts facts = {
		.attempts = row->item.attempts,
		.created_ms = row->item.created_ms,
		.expires_ms = row->item.expires_ms,
		.now_ms = relay_now(r),
		.delay_warned_ms = row->item.delay_warned_ms,
		.delay_warning_ms = relay_limits(r)->delivery_delay_warning,
		.notify = row->item.notify,
		.is_null_sender = !row->item.sender.n,
		.random = random_u64(),
	};

	row->decision = queue_decide(&schedule, &facts, row->attempt);
	/* That it is there was told with the commit that put it there. */
	if (!queue_is_receipt(row->item.expires_ms))
		relay_tell_fate(job, row);
	if (row->decision.is_double_bounce)
		relay_tell_double_bounce(row, "the null sender is never told");
}

/* The job is in the store, or lost to us. */
static void
job_done(struct relay_job *job)
{
	struct relay *r = job->relay;
	struct relay_conn *c = job->conn;

	r->writing--;
	for (size_t i = 0; i < job->count; i++) {
		if (job->rows[i].is_returned ||
		    job->rows[i].decision.fate == FATE_DEFERRED)
			relay_due(r, job->rows[i].decision.due_ms);
	}
	if (job->dest && job->count && !job->rows[0].is_returned)
		relay_dest_finished(job->dest, job->count);
	if (c)
		relay_conn_go_on(c);
	relay_job_free(&job);
}

static void
count_in(struct relay_job *job)
{
	if (!job->is_writing)
		job->relay->writing++;
	job->is_writing = true;
}

void
relay_job_finish(struct relay_job *job)
{
	bool wants_dsn = false;

	count_in(job);
	for (size_t i = 0; i < job->count; i++) {
		decide(job, &job->rows[i]);
		wants_dsn = wants_dsn || job->rows[i].decision.tell != TELL_NOBODY;
	}
	if (wants_dsn)
		relay_dsn_make(job);
	else
		relay_job_write(job);
}

void
relay_job_return(struct relay_job *job, int64_t due_ms)
{
	for (size_t i = 0; i < job->count; i++) {
		job->rows[i].is_returned = true;
		job->rows[i].decision.due_ms = due_ms;
	}
	relay_job_write(job);
}

static const uint32_t outcomes[] = {
	[FATE_DELIVERED] = OUTCOME_DELIVERED,
	[FATE_DEFERRED] = OUTCOME_DEFERRED,
	[FATE_BOUNCED] = OUTCOME_BOUNCED,
	[FATE_EXPIRED] = OUTCOME_EXPIRED,
};

static struct queue_outcome_row
outcome_of(const struct relay_job *job, const struct relay_row *row, struct arena *arena)
{
	const struct op_accept *dsn = relay_dsn_op(job);
	struct strbuf words = strbuf_arena(arena, 1024);
	struct queue_outcome_row out = {
		.id = row->item.id,
		.outcome = row->is_returned ? OUTCOME_RETURNED
		                            : outcomes[row->decision.fate],
		.due_ms = row->decision.due_ms,
		.is_report = (row->item.message_flags & MESSAGE_REPORT) != 0,
	};

	if (dsn && row->decision.tell != TELL_NOBODY) {
		out.dsn = dsn->trace_id;
		out.told = str_from(relay_tell_word(row->decision.tell));
	}
	if (row->is_returned || row->decision.fate == FATE_DELIVERED)
		return out;
	if (!row->code)
		relay_reason_format(row, &words);
	out.class = str_from(queue_reason_info(row->reason)->word);
	out.code = (uint32_t)row->code;
	out.enhanced = row->enhanced;
	out.text = row->code ? row->text : strbuf_str(&words);
	out.host = row->host;
	out.ip = row->ip;
	out.delay_warned = row->decision.tell == TELL_DELAYED;
	return out;
}

static void flush(void *arg);

static void
put_in_line(struct relay_job *job)
{
	list_remove(&job->link);
	list_add_last(&job->relay->results, &job->link);
}

void
relay_job_write(struct relay_job *job)
{
	struct relay *r = job->relay;

	count_in(job);
	if (list_is_empty(&r->results))
		loop_defer(r->loop, flush, r);
	put_in_line(job);
}

/* What may be different in a moment, or for each of them alone. */
static bool
is_hopeless(enum err e)
{
	return !err_is_ours(e) && e != ERR_LIMIT;
}

/* A job that the store refused on its own. */
static void
refused(struct relay_job *job, enum err e)
{
	bool has_note = relay_dsn_op(job) != NULL;

	log_line(LEVEL_WARN, "queue.result", "error=%s rows=%zu", err_get(e)->word,
	         job->count);
	/* The lease is lost and the rows are somebody else's, or there is nothing to hope
	   for. */
	if (e == ERR_CONFLICT || (!has_note && is_hopeless(e))) {
		job_done(job);
		return;
	}
	if (has_note && e == ERR_STORE_TEMP) {
		/* Its body may lie in a segment that was sealed meanwhile: once more. */
		relay_dsn_free(job);
		relay_dsn_make(job);
		return;
	}
	if (has_note && (!err_is_ours(e) || e == ERR_QUOTA)) {
		/* The notification cannot be stored (the sender's mailbox is full or
		   gone): it is dropped like a bounce of a bounce. */
		relay_dsn_drop(job, e);
	}
	put_in_line(job);
}

static void
on_written(void *arg, enum err e, const struct answer_accept *answer)
{
	struct batch *b = CAST(batch, BATCH_MAGIC, arg);
	struct relay *r = b->relay;
	bool is_one = b->count == 1;

	(void)answer;
	while (!list_is_empty(&b->jobs)) {
		struct relay_job *job =
			CONTAINER_OF(b->jobs.next, struct relay_job, link);

		list_remove(&job->link);
		if (e == OK) {
			job_done(job);
		} else if (is_one) {
			refused(job, e);
		} else {
			job->is_alone = true;
			put_in_line(job);
		}
	}
	list_remove(&b->link);
	mem_free(b);
	if (e != OK && !list_is_empty(&r->results))
		timer_set(&r->retry, is_one ? RETRY_MS : 0);
	relay_dispatch_soon(r);
	relay_moved(r);
}

/* Takes jobs for one operation out of the line. */
static struct batch *
take_batch(struct relay *r, size_t *rows_out, size_t *notifications_out)
{
	struct batch *b = mem_alloc(sizeof(*b));

	b->magic = BATCH_MAGIC;
	b->relay = r;
	list_init(&b->jobs);
	list_add_last(&r->batches, &b->link);
	*rows_out = *notifications_out = 0;
	while (!list_is_empty(&r->results)) {
		struct relay_job *job =
			CONTAINER_OF(r->results.next, struct relay_job, link);

		if (b->count && (job->is_alone || *rows_out + job->count > BATCH_ROWS))
			break;
		list_remove(&job->link);
		list_add_last(&b->jobs, &job->link);
		b->count++;
		*rows_out += job->count;
		*notifications_out += relay_dsn_op(job) != NULL;
		if (job->is_alone)
			break;
	}
	return b;
}

static void
write_batch(struct relay *r)
{
	struct arena *arena = arena_new(BATCH_BUDGET + BATCH_ROWS * 4 * 1024);
	struct op_queue_result op = { .now_ms = relay_now(r) };
	size_t rows, notifications;
	struct batch *b = take_batch(r, &rows, &notifications);

	op.rows = ARENA_ARRAY(arena, struct queue_outcome_row, rows + 1);
	op.notifications = ARENA_ARRAY(arena, struct op_accept, notifications + 1);
	LIST_EACH(&b->jobs, l)
	{
		const struct relay_job *job = CONTAINER_OF(l, struct relay_job, link);
		const struct op_accept *dsn = relay_dsn_op(job);

		for (size_t i = 0; i < job->count; i++)
			op.rows[op.rows_count++] = outcome_of(job, &job->rows[i], arena);
		if (dsn)
			op.notifications[op.notifications_count++] = *dsn;
	}
	(void)store_queue_result(r->store, &op, on_written, b);
	arena_free(&arena);
}

static void
flush(void *arg)
{
	struct relay *r = CAST(relay, RELAY_MAGIC, arg);

	while (!list_is_empty(&r->results) && !timer_is_set(&r->retry))
		write_batch(r);
}

void
relay_retry(void *arg)
{
	flush(arg);
}

static void
free_jobs(struct link *jobs)
{
	while (!list_is_empty(jobs)) {
		struct relay_job *job = CONTAINER_OF(jobs->next, struct relay_job, link);

		list_remove(&job->link);
		relay_job_free(&job);
	}
}

void
relay_results_free(struct relay *r)
{
	loop_defer_cancel(r->loop, flush, r);
	free_jobs(&r->results);
	free_jobs(&r->telling);
	while (!list_is_empty(&r->batches)) {
		struct batch *b = CONTAINER_OF(r->batches.next, struct batch, link);

		free_jobs(&b->jobs);
		list_remove(&b->link);
		mem_free(b);
	}
}
