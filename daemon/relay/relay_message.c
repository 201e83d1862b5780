/* A job as a message for the dialogue, and its results back as rows. */
#include "relay/relay_message.h"

#include "base/panic.h"
#include "base/utf8.h"
#include "relay/relay_conn.h"
#include "relay/relay_forward.h"
#include "relay/relay_jobs.h"
#include "relay/relay_priv.h"
#include "relay/relay_result.h"
#include "relay/relay_sign.h"

enum {
	RELOAD_BUDGET = 64 * 1024,
	REPLY_MAX = 500,
};

/* The body of the job's message. Compaction may have moved it since the row was claimed:
   then the row is read again. ERR_CORRUPT is about the body; a damaged row says nothing
   about it. */
static enum err
open_body(struct relay_conn *c)
{
	struct relay *r = c->dest->relay;
	struct queue_item *item = &c->job->rows[0].item;
	struct queue_item fresh;
	struct arena *arena;
	enum err e = body_open(r->bodies, &item->ref, &c->body);

	if (e != ERR_NOT_FOUND)
		return e;
	arena = arena_new(RELOAD_BUDGET);
	e = reader_queue_item(r->reader, item->id, arena, &fresh);
	if (e == ERR_CORRUPT)
		e = ERR_IO;
	if (e == OK)
		e = body_open(r->bodies, &fresh.ref, &c->body);
	arena_free(&arena);
	return e;
}

static unsigned
notify_bits(uint32_t notify)
{
	/* The same numbers in all three places; see the asserts. */
	_Static_assert((int)SMTP_NOTIFY_NEVER == (int)NOTIFY_NEVER &&
	                       (int)SMTP_NOTIFY_SUCCESS == (int)NOTIFY_SUCCESS &&
	                       (int)SMTP_NOTIFY_FAILURE == (int)NOTIFY_FAILURE &&
	                       (int)SMTP_NOTIFY_DELAY == (int)NOTIFY_DELAY,
	               "one set of bits");
	_Static_assert((int)QUEUE_NOTIFY_NEVER == (int)NOTIFY_NEVER &&
	                       (int)QUEUE_NOTIFY_SUCCESS == (int)NOTIFY_SUCCESS &&
	                       (int)QUEUE_NOTIFY_FAILURE == (int)NOTIFY_FAILURE &&
	                       (int)QUEUE_NOTIFY_DELAY == (int)NOTIFY_DELAY,
	               "one set of bits");
	return notify;
}

static void
add_rcpts(struct relay_conn *c)
{
	struct relay_job *job = c->job;
	struct smtp_client_message *m = &c->message;

	c->rcpts = ARENA_ARRAY(job->arena, struct smtp_client_rcpt, job->count);
	c->rcpt_rows = ARENA_ARRAY(job->arena, size_t, job->count);
	m->rcpts = c->rcpts;
	for (size_t i = 0; i < job->count; i++) {
		const struct queue_item *item = &job->rows[i].item;

		if (job->rows[i].is_done)
			continue;
		c->rcpt_rows[m->rcpt_count] = i;
		m->rcpts[m->rcpt_count++] = (struct smtp_client_rcpt){
			.address = item->rcpt,
			.orcpt = item->orcpt,
			.notify = notify_bits(item->notify),
		};
		if (!ascii_check(item->rcpt))
			m->is_utf8 = true;
	}
}

enum err
relay_message_open(struct relay_conn *c)
{
	const struct queue_item *item = &c->job->rows[0].item;
	bool is_required = item->message_flags & MESSAGE_TLS_REQUIRED;
	enum err e = open_body(c);

	if (e != OK)
		return e;
	c->rest = str_from_offset(body_bytes(c->body), item->prefix_len);
	c->message = (struct smtp_client_message){
		.from = relay_forward_sender(c->dest->relay, item, c->job->arena),
		.envid = item->envid,
		/* RFC 8689 5: nor does the text come back in plain. */
		.ret = is_required             ? STR("HDRS")
		       : item->ret == RET_FULL ? STR("FULL")
		       : item->ret == RET_HDRS ? STR("HDRS")
		                               : (struct str){ 0 },
		.size = c->rest.n,
		.is_tls_required = is_required,
		.is_8bit = item->message_flags & MESSAGE_8BIT,
		.is_utf8 = (item->message_flags & MESSAGE_8BIT_HEADER) ||
		           !ascii_check(item->sender),
	};
	add_rcpts(c);
	return OK;
}

void
relay_message_close(struct relay_conn *c)
{
	relay_sign_cancel(c);
	strbuf_release(&c->lead);
	c->lead_sent = 0;
	if (c->body)
		body_close(&c->body);
	c->rest = (struct str){ 0 };
}

bool
relay_message_can_repeat(const struct relay_conn *c)
{
	for (size_t i = 0; i < c->message.rcpt_count; i++) {
		const struct smtp_client_result *r = &c->rcpts[i].result;

		if (r->outcome == SMTP_CLIENT_OK || r->outcome == SMTP_CLIENT_PERM ||
		    r->at >= SMTP_CLIENT_BODY)
			return false;
	}
	return true;
}

static enum queue_attempt
attempt_of(const struct relay_conn *c, const struct smtp_client_result *r)
{
	switch (r->outcome) {
	case SMTP_CLIENT_OK:
		return smtp_client_offers(c->client) & SMTP_OFFER_DSN
		               ? ATTEMPT_OK
		               : ATTEMPT_OK_WITHOUT_DSN;
	case SMTP_CLIENT_PERM:
		return ATTEMPT_PERM;
	default:
		return ATTEMPT_TEMP;
	}
}

enum queue_stage
relay_stage_of(enum smtp_client_state at)
{
	if (at == SMTP_CLIENT_MAIL)
		return STAGE_SENDER;
	if (at == SMTP_CLIENT_RCPT)
		return STAGE_RCPT;
	return at == SMTP_CLIENT_DATA || at == SMTP_CLIENT_BODY || at == SMTP_CLIENT_DOT
	               ? STAGE_MESSAGE
	               : STAGE_SESSION;
}

/* Rows that were not tried go into a job of their own. */
static void
split(struct relay_job *job)
{
	struct relay_job *again = NULL;
	size_t kept = 0;

	for (size_t i = 0; i < job->count; i++) {
		if (job->rows[i].is_done) {
			job->rows[kept++] = job->rows[i];
			continue;
		}
		if (!again)
			again = relay_job_new(job->relay, job->dest, job->count);
		(void)relay_job_add(again, &job->rows[i].item);
	}
	job->relay->rows -= job->count - kept;
	job->count = kept;
	if (again) {
		again->is_counted = job->is_counted;
		relay_job_put_back(again);
		relay_dispatch_soon(job->relay);
	}
}

void
relay_message_results(struct relay_conn *c)
{
	for (size_t i = 0; i < c->message.rcpt_count; i++) {
		const struct smtp_client_result *r = &c->rcpts[i].result;
		struct relay_finding f = {
			.attempt = attempt_of(c, r),
			.cause = r->cause,
			.stage = relay_stage_of(r->at),
			.code = r->code,
			.enhanced = r->enhanced,
			.text = str_first(r->text, REPLY_MAX),
			.host = c->host,
			.ip = addr_ip_text(&c->addr, &c->ip_text),
		};

		if (r->outcome != SMTP_CLIENT_AGAIN)
			relay_row_set(c->job, &c->job->rows[c->rcpt_rows[i]], &f);
	}
	split(c->job);
}
