/* One connection: from the addresses of its destination to a dialogue that takes job
 * after job.
 *
 *	ROUTING -> DIALING -> TALKING <-> WRITING    a job, and its commit
 *	              |          |  <---> IDLE       nothing to do for a moment
 *	              v          v
 *	          next address  LEAVING -> gone
 *
 * A job is bound before anything is dialled, and its attempt is in the store by then.
 * Whatever fails before the server said anything about the message makes the connection
 * go on to the next address; what fails later is the job's result. A kept connection
 * that breaks at the beginning of a further job was closed by the other side in the
 * meantime: the job goes out once more over another one.
 */
#include "relay/relay_conn.h"

#include "base/mem.h"
#include "base/panic.h"
#include "relay/relay_event.h"
#include "relay/relay_jobs.h"
#include "relay/relay_message.h"
#include "relay/relay_path.h"
#include "relay/relay_priv.h"
#include "relay/relay_result.h"
#include "relay/relay_talk.h"

enum {
	SECURE_BUDGET = SECURE_TLSA_MAX * (SECURE_TLSA_DATA_MAX + 64),
	RETURN_MS = 5000, /* a job that could not begin comes back after */
};

static void begin_job(struct relay_conn *c);

static struct relay *
relay_of(const struct relay_conn *c)
{
	return c->dest->relay;
}

/* --- coming and going --------------------------------------------------------------- */

void
relay_conn_hang_up(struct relay_conn *c)
{
	stream_free(&c->stream);
	smtp_client_free(&c->client);
	c->messages = 0;
	c->steps = 0;
}

static void
conn_free(struct relay_conn *c)
{
	struct relay_dest *d = c->dest;

	CHECK(!c->job);
	store_forget(d->relay->store, c->store_call);
	relay_path_cancel(c);
	relay_message_close(c);
	relay_conn_hang_up(c);
	list_remove(&c->link);
	queue_destination_closed(&d->d);
	d->relay->conns--;
	c->magic = 0;
	arena_free(&c->secure_arena);
	arena_free(&c->arena);
	mem_free(c);
}

/* The connection is over and has no job: others may take its place. */
void
relay_conn_end(struct relay_conn *c)
{
	struct relay *r = relay_of(c);

	conn_free(c);
	relay_dispatch_soon(r);
	relay_moved(r);
}

/* Takes the job off the connection, which goes on without waiting for it. */
struct relay_job *
relay_conn_unbind(struct relay_conn *c)
{
	struct relay_job *job = c->job;

	relay_message_close(c);
	queue_shares_give(relay_of(c)->shares, c->sharer);
	c->is_sent = false;
	c->job = NULL;
	job->conn = NULL;
	return job;
}

void
relay_conn_leave(struct relay_conn *c)
{
	enum smtp_client_next next;

	c->state = RELAY_LEAVING;
	next = smtp_client_quit(c->client, stream_output(c->stream));
	stream_flush_soon(c->stream);
	stream_deadline(c->stream, RELAY_QUIT_MS);
	CHECK(next == SMTP_CLIENT_NEXT_READ);
}

/* RFC 8689 4.2.1: what no host can meet goes back at once, with one of two codes. A host
   that may be there another time is waited for. */
static void
judge_required(const struct relay_conn *c, struct relay_finding *f)
{
	if (c->is_passing || c->path.dns == ERR_DNS_TEMP)
		return;
	f->attempt = ATTEMPT_PERM;
	f->enhanced = f->cause == ERR_NEED_REQUIRETLS ? STR("5.7.30") : STR("5.7.10");
}

void
relay_conn_exhausted(struct relay_conn *c, enum err cause, bool is_permanent)
{
	struct relay_dest *d = c->dest;
	struct relay_job *job = relay_conn_unbind(c);
	struct relay_finding f = c->best;
	bool was_tried = f.attempt != ATTEMPT_OK;

	if (!was_tried)
		f = (struct relay_finding){
			.attempt = is_permanent ? ATTEMPT_PERM : ATTEMPT_TEMP,
			.cause = cause,
			.is_connecting = true,
		};
	else if (c->demand == MESSAGE_TLS_REQUIRED)
		judge_required(c, &f);
	relay_job_fail(job, &f);
	/* With other connections at work it is alive: it only takes no more. */
	if (f.attempt == ATTEMPT_TEMP && d->conns.next == &c->link &&
	    d->conns.prev == &c->link)
		relay_dest_failed(d, job->rows[0].reason);
	else if (f.attempt == ATTEMPT_TEMP && d->d.allowed > 1)
		d->d.allowed = d->d.active > 1 ? d->d.active - 1 : 1;
	relay_job_finish(job);
	relay_conn_end(c);
}

/* --- jobs --------------------------------------------------------------------------- */

/* The attempt is in the store. */
static void
on_counted(void *arg, enum err e, const struct answer_none *answer)
{
	struct relay_conn *c = CAST(relay_conn, RELAY_CONN_MAGIC, arg);
	struct relay_job *job = c->job;

	(void)answer;
	c->store_call = 0;
	if (e == OK) {
		job->is_counted = true;
		for (size_t i = 0; i < job->count; i++)
			job->rows[i].item.attempts++;
		begin_job(c);
		return;
	}
	job = relay_conn_unbind(c);
	log_line(LEVEL_WARN, "queue.attempt", "error=%s", err_get(e)->word);
	/* Not leased any more: the rows are somebody else's now. */
	if (e == ERR_CONFLICT)
		relay_job_free(&job);
	else
		relay_job_return(job, relay_now(relay_of(c)) + RETURN_MS);
	if (c->stream)
		relay_conn_go_on(c);
	else
		relay_conn_end(c);
}

static void
begin_job(struct relay_conn *c)
{
	struct relay_job *job = c->job;

	if (!job->is_counted) {
		struct op_queue_attempt op = { .now_ms = relay_now(relay_of(c)),
			                       .lease_ms = RELAY_LEASE_MS,
			                       .ids_count = job->count };

		op.ids = ARENA_ARRAY(job->arena, uint64_t, job->count);
		for (size_t i = 0; i < job->count; i++)
			op.ids[i] = job->rows[i].item.id;
		c->store_call =
			store_queue_attempt(relay_of(c)->store, &op, on_counted, c);
		return;
	}
	for (size_t i = 0; i < job->count; i++)
		relay_tell_attempt(c, &job->rows[i]);
	if (c->stream)
		relay_conn_send(c);
	else
		relay_path_start(c);
}

/* How a connection was secured is good for jobs with the same demand only. */
static bool
fits(const struct relay_conn *c, const struct relay_job *job)
{
	return c->demand == relay_job_demand(job);
}

static void
bind_job(struct relay_conn *c, struct relay_job *job)
{
	CHECK(!c->job && fits(c, job));
	c->job = job;
	c->sharer = relay_job_sharer(job);
	queue_shares_take(relay_of(c)->shares, c->sharer);
	job->conn = c;
	c->is_sent = false;
}

void
relay_conn_take(struct relay_conn *c, struct relay_job *job)
{
	CHECK(c->state == RELAY_IDLE);
	bind_job(c, job);
	c->state = RELAY_TALKING;
	stream_deadline(c->stream, 0);
	begin_job(c);
}

void
relay_conn_go_on(struct relay_conn *c)
{
	struct relay *r = relay_of(c);
	const struct relay_job *first = relay_job_first(c->dest);
	struct relay_job *job;

	if (c->job)
		(void)relay_conn_unbind(c);
	if (r->is_stopping || !smtp_client_room(c->client) ||
	    c->messages >= (uint64_t)relay_limits(r)->delivery_messages_connection ||
	    (first && !fits(c, first))) {
		relay_conn_leave(c);
		return;
	}
	c->state = RELAY_IDLE;
	job = relay_job_next(c->dest);
	if (job) {
		relay_conn_take(c, job);
		return;
	}
	stream_deadline(c->stream, RELAY_IDLE_MS);
	relay_moved(r);
}

struct relay_conn *
relay_conn_idle(const struct relay_dest *d, const struct relay_job *job)
{
	LIST_EACH(&d->conns, l)
	{
		struct relay_conn *c = CONTAINER_OF(l, struct relay_conn, link);

		if (c->state == RELAY_IDLE && (!job || fits(c, job)))
			return c;
	}
	return NULL;
}

bool
relay_conn_make_room(struct relay *r)
{
	LIST_EACH(&r->dest_list, l)
	{
		const struct relay_dest *d = CONTAINER_OF(l, struct relay_dest, link);
		struct relay_conn *c = relay_conn_idle(d, NULL);

		if (c) {
			conn_free(c);
			return true;
		}
	}
	return false;
}

static struct smtp_client_times
times_from(const struct conf_limits *l)
{
	return (struct smtp_client_times){
		.greeting = (uint32_t)l->delivery_reply_timeout,
		.command = (uint32_t)l->delivery_reply_timeout,
		.handshake = (uint32_t)l->handshake_timeout,
		.data = (uint32_t)l->delivery_reply_timeout,
		.block = (uint32_t)l->delivery_reply_timeout,
		.dot = (uint32_t)l->delivery_data_timeout,
		.idle = RELAY_IDLE_MS,
		.quit = RELAY_QUIT_MS,
	};
}

void
relay_conn_open(struct relay_dest *d, struct relay_job *job)
{
	struct relay *r = d->relay;
	const struct conf_limits *l = relay_limits(r);
	struct relay_conn *c = mem_alloc(sizeof(*c));

	c->magic = RELAY_CONN_MAGIC;
	c->dest = d;
	c->arena = arena_new(RELAY_CONN_BYTES);
	c->secure_arena = arena_new(SECURE_BUDGET);
	c->session_id = id_new("ses_");
	c->demand = relay_job_demand(job);
	c->client_conf = (struct smtp_client_conf){
		.helo = arena_str(c->arena, r->conf->hostname),
		.rcpt_max = (size_t)l->delivery_rcpt_transaction,
		.times = times_from(l),
	};
	c->limits = stream_limits_default;
	c->limits.stalled_ms = l->delivery_reply_timeout;
	c->limits.handshake_ms = l->handshake_timeout;
	queue_destination_opened(&d->d, relay_mono(r));
	list_add_last(&d->conns, &c->link);
	r->conns++;
	bind_job(c, job);
	begin_job(c);
}

/* --- the end ------------------------------------------------------------------------ */

void
relay_conn_leave_idle(struct relay *r)
{
	LIST_EACH(&r->dest_list, dl)
	{
		struct relay_dest *d = CONTAINER_OF(dl, struct relay_dest, link);

		LIST_EACH(&d->conns, l)
		{
			struct relay_conn *c = CONTAINER_OF(l, struct relay_conn, link);

			if (c->state == RELAY_IDLE)
				relay_conn_leave(c);
		}
	}
}

void
relay_conn_stop_all(struct relay *r)
{
	LIST_EACH(&r->dest_list, dl)
	{
		struct relay_dest *d = CONTAINER_OF(dl, struct relay_dest, link);

		LIST_EACH(&d->conns, l)
		{
			struct relay_conn *c = CONTAINER_OF(l, struct relay_conn, link);

			if (c->state == RELAY_IDLE) {
				relay_conn_leave(c);
			} else if (c->job && !c->is_sent && c->state != RELAY_WRITING) {
				relay_job_return(relay_conn_unbind(c), relay_now(r));
				conn_free(c);
			}
		}
	}
}

void
relay_conn_free_all(struct relay *r)
{
	LIST_EACH(&r->dest_list, dl)
	{
		struct relay_dest *d = CONTAINER_OF(dl, struct relay_dest, link);

		LIST_EACH(&d->conns, l)
		{
			struct relay_conn *c = CONTAINER_OF(l, struct relay_conn, link);
			struct relay_job *job = c->job ? relay_conn_unbind(c) : NULL;

			/* A result that is being written frees its job itself. */
			if (job && c->state != RELAY_WRITING)
				relay_job_free(&job);
			conn_free(c);
		}
	}
}
