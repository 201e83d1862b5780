/* Claimed rows become jobs that wait at their destination.
 *
 * What cannot be served soon does not stay: rows of a paused destination, of a slow one
 * with enough waiting already, or of a full memory go back to the store with a later
 * time. So one dead destination with a hundred thousand rows costs memory for a few
 * dozen, and the rows behind them are looked at within seconds.
 */
#include "relay/relay_jobs.h"

#include "base/mem.h"
#include "base/panic.h"
#include "relay/relay_conn.h"
#include "relay/relay_dsn.h"
#include "relay/relay_priv.h"
#include "relay/relay_report.h"
#include "relay/relay_result.h"
#include "relay/relay_sts.h"

enum {
	JOB_BUDGET = 64 * 1024,
	ROW_BUDGET = 24 * 1024,
	DEST_NAME_MAX = 1024,
	ROW_MS_FIRST = 100,
	ROW_MS_MAX = 2000,
	LOOKED_MAX = 100, /* sharers in a line that have enough connections */
};

enum take {
	TAKE_SEND,
	TAKE_BOUNCE, /* a person sends it back to its sender */
	TAKE_LOOP,   /* it has been sent there before */
	TAKE_TELL,   /* it has arrived: its sender is told */
	TAKE_RETURN, /* later */
};

struct str
relay_dest_name(const struct relay_dest *d)
{
	return strbuf_str(&d->name);
}

struct relay_dest *
relay_dest_get(struct relay *r, struct str name)
{
	struct relay_dest *d = map_find(r->dests, name);
	struct queue_destination_conf conf = relay_dest_conf(r);

	if (d)
		return CAST(relay_dest, RELAY_DEST_MAGIC, d);
	d = mem_alloc(sizeof(*d));
	d->magic = RELAY_DEST_MAGIC;
	d->relay = r;
	d->name = strbuf_heap(DEST_NAME_MAX);
	strbuf_add(&d->name, str_first(name, DEST_NAME_MAX));
	d->row_ms = ROW_MS_FIRST;
	queue_destination_init(&d->d, &conf);
	list_init(&d->jobs);
	list_init(&d->conns);
	list_add_last(&r->dest_list, &d->link);
	(void)map_set(r->dests, name, d);
	return d;
}

static void
dest_free(struct relay_dest *d)
{
	CHECK(!d->held && list_is_empty(&d->conns));
	relay_sts_free(d);
	(void)map_remove(d->relay->dests, relay_dest_name(d));
	list_remove(&d->link);
	strbuf_release(&d->name);
	mem_free(d);
}

struct relay_job *
relay_job_new(struct relay *r, struct relay_dest *d, size_t max)
{
	struct arena *arena = arena_new(JOB_BUDGET + size_mul(max, ROW_BUDGET));
	struct relay_job *job = ARENA_NEW(arena, struct relay_job);

	job->magic = RELAY_JOB_MAGIC;
	job->relay = r;
	job->dest = d;
	job->arena = arena;
	job->rows = ARENA_ARRAY(arena, struct relay_row, max);
	job->max = max;
	job->since_ms = relay_mono(r);
	if (d)
		d->held++;
	return job;
}

struct relay_row *
relay_job_add(struct relay_job *job, const struct queue_item *from)
{
	struct relay_row *row = &job->rows[job->count];
	struct queue_item *item = &row->item;

	CHECK(job->count < job->max);
	job->count++;
	job->relay->rows++;
	*item = *from;
	item->trace_id = arena_str(job->arena, from->trace_id);
	item->sender = arena_str(job->arena, from->sender);
	item->rcpt = arena_str(job->arena, from->rcpt);
	item->domain = arena_str(job->arena, from->domain);
	item->orcpt = arena_str(job->arena, from->orcpt);
	item->envid = arena_str(job->arena, from->envid);
	item->forward_domain = arena_str(job->arena, from->forward_domain);
	item->sharer = arena_str(job->arena, from->sharer);
	item->ref.sha256 = arena_str(job->arena, from->ref.sha256);
	/* Not needed on the way out. */
	item->last_class = item->last_enhanced = item->last_text = (struct str){ 0 };
	item->last_host = item->last_ip = (struct str){ 0 };
	item->subject = item->message_id_field = (struct str){ 0 };
	return row;
}

void
relay_job_free(struct relay_job **jobp)
{
	struct relay_job *job = *jobp;
	struct arena *arena;

	if (!job)
		return;
	arena = job->arena;
	CHECK(job->magic == RELAY_JOB_MAGIC);
	*jobp = NULL;
	relay_dsn_free(job);
	job->relay->rows -= job->count;
	if (job->dest)
		job->dest->held--;
	job->magic = 0;
	arena_free(&arena);
}

uint32_t
relay_job_demand(const struct relay_job *job)
{
	uint32_t flags = job->rows[0].item.message_flags;

	/* RFC 8689 3: the parameter outweighs the field. */
	return flags & MESSAGE_TLS_REQUIRED ? MESSAGE_TLS_REQUIRED
	                                    : flags & MESSAGE_TLS_OPTIONAL;
}

static struct relay_job *
job_of(struct link *l)
{
	struct relay_job *job = CONTAINER_OF(l, struct relay_job, link);

	CHECK(job->magic == RELAY_JOB_MAGIC);
	return job;
}

/* In each round everybody has one job: who has many in the line is in nobody's way. */
static void
line_up(struct relay_job *job)
{
	struct relay_dest *d = job->dest;
	struct link *l = d->jobs.prev;

	job->round = d->round + 1;
	for (; l != &d->jobs; l = l->prev) {
		if (str_eq(relay_job_sharer(job_of(l)), relay_job_sharer(job))) {
			job->round = job_of(l)->round + 1;
			break;
		}
	}
	l = d->jobs.prev;
	while (l != &d->jobs && job_of(l)->round > job->round)
		l = l->prev;
	list_add_first(l, &job->link);
}

/* All changes of a destination's line go through these three. */
static void
line_add(struct relay_job *job, bool is_first)
{
	struct relay_dest *d = job->dest;

	if (list_is_empty(&d->jobs))
		list_add_last(&d->relay->waiting, &d->waiting);
	if (is_first)
		list_add_first(&d->jobs, &job->link);
	else
		line_up(job);
	d->job_rows += job->count;
}

static struct relay_job *
line_take(struct relay_dest *d, struct link *l)
{
	struct relay_job *job = job_of(l);

	list_remove(l);
	d->job_rows -= job->count;
	if (list_is_empty(&d->jobs))
		list_remove(&d->waiting);
	return job;
}

static struct relay_job *
serve(struct relay_dest *d, struct link *l)
{
	struct relay_job *job = line_take(d, l);

	if (d->round < job->round)
		d->round = job->round;
	return job;
}

const struct relay_job *
relay_job_first(const struct relay_dest *d)
{
	return list_is_empty(&d->jobs)
	               ? NULL
	               : CONTAINER_OF(d->jobs.next, struct relay_job, link);
}

struct relay_job *
relay_job_next(struct relay_dest *d)
{
	return list_is_empty(&d->jobs) ? NULL : serve(d, d->jobs.next);
}

/* Anywhere in the line, which goes by rounds: the first may just have come. */
static bool
has_waited(const struct relay_dest *d, int64_t mono_ms, int64_t wait_ms)
{
	LIST_EACH(&d->jobs, l)
	{
		if (mono_ms - job_of(l)->since_ms > wait_ms)
			return true;
	}
	return false;
}

static bool
is_congested(const struct relay_dest *d, int64_t mono_ms)
{
	return d->job_rows >= RELAY_CONGESTED_ROWS &&
	       has_waited(d, mono_ms, RELAY_CONGESTED_MS);
}

bool
relay_is_troubled(struct relay *r)
{
	int64_t now = relay_mono(r);

	LIST_EACH(&r->dest_list, l)
	{
		const struct relay_dest *d = CONTAINER_OF(l, struct relay_dest, link);

		if (d->d.state != DESTINATION_OPEN || is_congested(d, now))
			return true;
	}
	return r->clock.jump_ms != 0;
}

/* The queue time at which a row of this destination may come back. */
static int64_t
slot(struct relay_dest *d)
{
	int64_t mono = relay_mono(d->relay);

	return relay_now(d->relay) + queue_destination_slot_ms(&d->d, mono, d->row_ms) -
	       mono;
}

/* What to do with a claimed row; *due_out for TAKE_RETURN. */
static enum take
sort_out(struct relay *r, struct relay_dest *d, const struct queue_item *item,
         int64_t *due_out)
{
	int64_t mono = relay_mono(r);
	int64_t shift =
		queue_clock_shift_ms(&r->clock, item->last_attempt_ms, item->due_ms);

	if (item->expires_ms == QUEUE_SENT_BACK)
		return TAKE_BOUNCE;
	if (item->expires_ms == QUEUE_LOOPS)
		return TAKE_LOOP;
	if (queue_is_receipt(item->expires_ms))
		return TAKE_TELL;
	*due_out = item->due_ms + shift;
	if (shift)
		return TAKE_RETURN;
	if (!queue_destination_is_waiting(&d->d, mono) && !is_congested(d, mono) &&
	    !r->is_stopping)
		return TAKE_SEND;
	*due_out = r->is_stopping ? relay_now(r) : slot(d);
	return TAKE_RETURN;
}

static void
tell(struct relay_job *job)
{
	for (size_t i = 0; i < job->count; i++) {
		struct relay_row *row = &job->rows[i];
		struct relay_finding finding = { .attempt = ATTEMPT_IN_MAILBOX };

		if (row->item.expires_ms == QUEUE_EXPANDED)
			finding.attempt = ATTEMPT_EXPANDED;
		relay_row_set(job, row, &finding);
	}
	relay_job_finish(job);
}

/* A job that has all its rows. */
static void
begin(struct relay_job *job, enum take take)
{
	static const struct relay_finding findings[] = {
		[TAKE_BOUNCE] = { .attempt = ATTEMPT_RETURNED },
		[TAKE_LOOP] = { .attempt = ATTEMPT_PERM,
		                .cause = ERR_LOOP,
		                .text = STR_INIT("this message was sent there before") },
	};

	if (take == TAKE_SEND) {
		line_add(job, false);
		return;
	}
	if (take == TAKE_TELL) {
		tell(job);
		return;
	}
	relay_job_fail(job, &findings[take]);
	relay_job_finish(job);
}

static void
add_returned(struct relay *r, struct relay_job **job, const struct queue_item *item,
             int64_t due_ms)
{
	struct relay_row *row;

	if (!*job)
		*job = relay_job_new(r, NULL, RELAY_CLAIM);
	row = relay_job_add(*job, item);
	row->is_returned = true;
	row->decision.due_ms = due_ms;
}

/* How many of the rows, up to max, may be one job with the first: room is made for them
   alone, for a message to very many domains is as many jobs. */
static size_t
alike(const struct queue_item *items, size_t n, size_t max)
{
	size_t count = 1;

	while (count < n && count < max &&
	       items[count].message_id == items[0].message_id &&
	       str_eq(items[count].domain, items[0].domain))
		count++;
	return count;
}

void
relay_take(struct relay *r, const struct queue_item *items, size_t n, bool is_counted)
{
	size_t max = (size_t)relay_limits(r)->delivery_rcpt_transaction;
	struct relay_job *job = NULL, *returned = NULL;
	enum take doing = TAKE_SEND;

	for (size_t i = 0; i < n; i++) {
		bool is_receipt = queue_is_receipt(items[i].expires_ms);
		struct relay_dest *d;
		int64_t due_ms = 0;
		enum take take;

		if (relay_report_is_one(&items[i])) {
			relay_report_take(r, &items[i]);
			continue;
		}
		d = is_receipt ? NULL : relay_dest_get(r, items[i].domain);
		take = sort_out(r, d, &items[i], &due_ms);
		if (take == TAKE_RETURN) {
			add_returned(r, &returned, &items[i], due_ms);
			continue;
		}
		/* Rows come in order of their message. */
		if (job && (job->dest != d || take != doing || job->count == job->max ||
		            job->rows[0].item.message_id != items[i].message_id ||
		            !str_eq(job->rows[0].item.forward_domain,
		                    items[i].forward_domain))) {
			begin(job, doing);
			job = NULL;
		}
		if (!job)
			job = relay_job_new(
				r, d, alike(items + i, n - i, is_receipt ? n : max));
		job->is_counted = is_counted;
		doing = take;
		(void)relay_job_add(job, &items[i]);
	}
	if (job)
		begin(job, doing);
	if (returned)
		relay_job_write(returned);
	relay_dispatch_soon(r);
}

void
relay_job_put_back(struct relay_job *job)
{
	job->conn = NULL;
	line_add(job, true);
}

struct str
relay_job_sharer(const struct relay_job *job)
{
	return job->rows[0].item.sharer;
}

/* The first job of the line whose sharer may have a connection for it; or NULL. Many in a
   row mostly are of one, who is asked about once. */
static struct link *
find_with_room(const struct relay_dest *d, size_t max)
{
	struct str full = { NULL, 0 };
	size_t looked = 0;

	LIST_EACH(&d->jobs, l)
	{
		const struct relay_job *job = CONTAINER_OF(l, struct relay_job, link);
		struct str sharer = relay_job_sharer(job);

		if (looked && str_eq(sharer, full))
			continue;
		if (queue_shares_has_room(d->relay->shares, sharer, max))
			return l;
		if (++looked == LOOKED_MAX)
			break;
		full = sharer;
	}
	return NULL;
}

static void
dispatch(struct relay_dest *d)
{
	struct relay *r = d->relay;
	size_t max = (size_t)relay_limits(r)->delivery_connections;

	while (!list_is_empty(&d->jobs) && !r->is_stopping) {
		struct relay_conn *idle = relay_conn_idle(d, relay_job_first(d));
		struct link *job;

		if (idle) {
			relay_conn_take(idle, relay_job_next(d));
			continue;
		}
		if (!queue_destination_may_open(&d->d, relay_mono(r))) {
			/* One that serves other demands makes room. */
			idle = relay_conn_idle(d, NULL);
			if (idle)
				relay_conn_leave(idle);
			return;
		}
		job = find_with_room(d, max);
		if (!job || (r->conns >= max && !relay_conn_make_room(r)))
			return;
		relay_conn_open(d, serve(d, job));
	}
}

static void
dispatch_all(void *arg)
{
	struct relay *r = CAST(relay, RELAY_MAGIC, arg);

	r->is_dispatching = false;
	LIST_EACH(&r->waiting, l)
	dispatch(CONTAINER_OF(l, struct relay_dest, waiting));
	/* Who was served first is served last the next time there is too little. */
	if (!list_is_empty(&r->waiting)) {
		struct link *first = r->waiting.next;

		list_remove(first);
		list_add_last(&r->waiting, first);
	}
}

void
relay_dispatch_soon(struct relay *r)
{
	if (r->is_dispatching)
		return;
	r->is_dispatching = true;
	loop_defer(r->loop, dispatch_all, r);
}

void
relay_dispatch_cancel(struct relay *r)
{
	loop_defer_cancel(r->loop, dispatch_all, r);
	r->is_dispatching = false;
}

/* The last waiting job goes back. */
static void
return_last(struct relay_dest *d)
{
	relay_job_return(line_take(d, d->jobs.prev), slot(d));
}

void
relay_dest_failed(struct relay_dest *d, enum queue_reason reason)
{
	struct queue_destination_conf conf = relay_dest_conf(d->relay);

	queue_destination_failed(&d->d, &conf, reason, relay_mono(d->relay),
	                         random_u64());
	while (!list_is_empty(&d->jobs) && d->d.state == DESTINATION_PAUSED) {
		struct relay_job *job = relay_job_next(d);

		relay_job_return(job, slot(d));
	}
}

void
relay_dest_finished(struct relay_dest *d, size_t rows)
{
	int64_t now = relay_mono(d->relay), took = now - d->row_at_ms;

	if (!rows)
		return;
	took = took < ROW_MS_MAX ? took / (int64_t)rows : ROW_MS_MAX;
	d->row_ms = (d->row_ms * 7 + took) / 8;
	if (d->row_ms < 1)
		d->row_ms = 1;
	d->row_at_ms = now;
}

void
relay_sweep(struct relay *r)
{
	int64_t now = relay_mono(r);

	r->congested_rows = 0;
	LIST_EACH(&r->dest_list, l)
	{
		struct relay_dest *d = CONTAINER_OF(l, struct relay_dest, link);

		/* No lease may lapse under a job. */
		while (has_waited(d, now, RELAY_WAIT_MAX_MS) || is_congested(d, now))
			return_last(d);
		if (!list_is_empty(&d->jobs) && d->job_rows < RELAY_CONGESTED_ROWS)
			r->congested_rows += d->job_rows;
		if (!d->held && list_is_empty(&d->conns) && !relay_sts_is_busy(d) &&
		    queue_destination_is_idle(&d->d, now))
			dest_free(d);
	}
	relay_dispatch_soon(r);
}

void
relay_return_all(struct relay *r)
{
	LIST_EACH(&r->dest_list, l)
	{
		struct relay_dest *d = CONTAINER_OF(l, struct relay_dest, link);

		while (!list_is_empty(&d->jobs))
			relay_job_return(relay_job_next(d), relay_now(r));
	}
}

void
relay_dests_free(struct relay *r)
{
	LIST_EACH(&r->dest_list, l)
	{
		struct relay_dest *d = CONTAINER_OF(l, struct relay_dest, link);

		while (!list_is_empty(&d->jobs)) {
			struct relay_job *job = relay_job_next(d);

			relay_job_free(&job);
		}
		dest_free(d);
	}
}
