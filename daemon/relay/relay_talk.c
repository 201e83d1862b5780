/* The dialogue of one connection: what the client core asks for, done on a stream, and
 * what the stream tells, told to the core. relay_conn.c says which job and when. */
#include "relay/relay_talk.h"

#include "base/duration.h"
#include "base/panic.h"
#include "relay/relay_conn.h"
#include "relay/relay_count.h"
#include "relay/relay_event.h"
#include "relay/relay_jobs.h"
#include "relay/relay_message.h"
#include "relay/relay_path.h"
#include "relay/relay_priv.h"
#include "relay/relay_result.h"
#include "relay/relay_secure.h"
#include "relay/relay_sign.h"
#include "relay/relay_sts.h"

enum {
	PLAIN_MS = 30 * MINUTE_MS, /* no TLS to a destination where it failed */
	JOB_MS = 30 * MINUTE_MS,   /* for one job, and */
	JOB_BYTES_PER_MS = 16,     /* more for a long one */
	PIECE_BYTES = 32 * 1024,
	TEXT_MAX = 500,
};

static const struct stream_ops stream_ops;
static void act(struct relay_conn *c, enum smtp_client_next next);

static struct relay *
relay_of(const struct relay_conn *c)
{
	return c->dest->relay;
}

static void
set_deadline(struct relay_conn *c)
{
	int64_t ms = smtp_client_time_ms(c->client);

	if (smtp_client_steps(c->client) == c->steps)
		return;
	c->steps = smtp_client_steps(c->client);
	if (c->is_sent) {
		int64_t left = c->job_until_ms - relay_mono(relay_of(c));

		ms = left < ms ? left : ms;
	}
	stream_deadline(c->stream, ms > 1 ? ms : 1);
}

/* --- what was found out ------------------------------------------------------------- */

/* Keeps why this address failed: what a server said weighs more than that one could not
   be reached. A refusal of ours by one host is not the domain's last word: it waits. */
static void
remember(struct relay_conn *c, const struct relay_finding *f)
{
	if (f->cause != ERR_TLS && f->cause != ERR_TLS_UNAVAILABLE &&
	    f->cause != ERR_NEED_REQUIRETLS)
		c->is_passing = true;
	if (c->best.attempt != ATTEMPT_OK && c->best.code && !f->code)
		return;
	c->best = *f;
	c->best.attempt = ATTEMPT_TEMP;
	c->best.enhanced = arena_str(c->arena, f->enhanced);
	c->best.text = arena_str(c->arena, str_first(f->text, TEXT_MAX));
	c->best.host = arena_str(c->arena, f->host);
	c->best.ip = arena_str(c->arena, f->ip);
}

void
relay_conn_remember(struct relay_conn *c, enum err cause, struct str words)
{
	struct relay_finding f = {
		.cause = cause,
		.stage = STAGE_SESSION,
		.text = words,
		.host = c->host,
	};

	if (c->addr.family != ADDR_NONE)
		f.ip = addr_ip_text(&c->addr, &c->ip_text);
	remember(c, &f);
}

static void
remember_failure(struct relay_conn *c, enum err cause, struct str detail)
{
	struct smtp_client_result r = { .cause = cause, .at = SMTP_CLIENT_GREETING };
	struct relay_finding f;

	if (c->client)
		r = smtp_client_failure(c->client);
	f = (struct relay_finding){
		.cause = r.cause,
		.is_connecting = !c->client || r.at == SMTP_CLIENT_GREETING,
		.stage = relay_stage_of(r.at),
		.code = r.code,
		.enhanced = r.enhanced,
		.text = r.code ? r.text : detail,
		.host = c->host,
		.ip = addr_ip_text(&c->addr, &c->ip_text),
	};
	if (relay_secure_is_demanded(c) &&
	    (f.cause == ERR_TLS || f.cause == ERR_TLS_UNAVAILABLE)) {
		bool is_offered = f.text.n && !f.code;

		if (!f.text.n)
			f.text = STR("the server offers no encryption");
		relay_tell_tls_refused(c, c->host, f.text);
		relay_count_session(c,
		                    f.cause == ERR_TLS ? relay_count_certificate(f.text)
		                    : is_offered       ? "validation-failure"
		                                       : "starttls-not-supported",
		                    f.text);
	}
	remember(c, &f);
}

/* --- the dialogue ------------------------------------------------------------------- */

/* The dialogue broke, or was never begun: `cause` where there is no client to ask. */
static void
broke(struct relay_conn *c, enum err cause, struct str detail)
{
	struct relay_job *job = c->job;
	bool was_kept = c->messages > 0;

	if (c->client)
		smtp_client_closed(c->client, cause);
	if (job && c->state == RELAY_LEAVING) { /* this host, for another one */
		relay_conn_hang_up(c);
		relay_path_next(c);
		return;
	}
	if (!job || c->state == RELAY_WRITING) {
		/* Its result is under way and needs no connection. */
		if (job)
			(void)relay_conn_unbind(c);
		relay_conn_end(c);
		return;
	}
	if (c->is_sent && !relay_message_can_repeat(c)) {
		relay_message_results(c);
		job = relay_conn_unbind(c);
		relay_job_finish(job);
		relay_conn_end(c);
		return;
	}
	relay_message_close(c);
	c->is_sent = false;
	if (was_kept && !job->was_retried) {
		job->was_retried = true;
		relay_job_put_back(relay_conn_unbind(c));
		relay_conn_end(c);
		return;
	}
	remember_failure(c, cause, detail);
	relay_conn_hang_up(c);
	relay_path_next(c);
}

static void
start_tls(struct relay_conn *c)
{
	size_t dropped;

	c->tls = relay_secure_client(c);
	stream_deadline(c->stream, 0);
	stream_start_tls_client(c->stream, &c->tls, &dropped);
	if (dropped)
		broke(c, ERR_PROTOCOL, STR("plain text behind STARTTLS"));
}

static void
pump(struct relay_conn *c)
{
	while (c->lead_sent < c->lead.n && !stream_is_full(c->stream)) {
		struct str piece = str_from_offset(strbuf_str(&c->lead), c->lead_sent);

		smtp_client_body(c->client, piece, stream_output(c->stream));
		c->lead_sent = c->lead.n;
	}
	while (c->rest.n && !stream_is_full(c->stream)) {
		struct str piece = str_first(c->rest, PIECE_BYTES);

		smtp_client_body(c->client, piece, stream_output(c->stream));
		c->rest = str_from_offset(c->rest, piece.n);
	}
	stream_flush_soon(c->stream);
	if (c->rest.n || c->lead_sent < c->lead.n) {
		set_deadline(c);
		return;
	}
	act(c, smtp_client_body_end(c->client, stream_output(c->stream)));
}

/* The transaction has all its results. */
static void
finish_job(struct relay_conn *c)
{
	struct relay_dest *d = c->dest;
	struct queue_destination_conf conf = relay_dest_conf(relay_of(c));
	struct relay_job *job = c->job;
	enum queue_reason slow = REASON_NONE;

	relay_message_results(c);
	relay_message_close(c);
	c->is_sent = false;
	c->messages++;
	c->state = RELAY_WRITING;
	stream_deadline(c->stream, 0);
	for (size_t i = 0; i < job->count; i++) {
		if (job->rows[i].reason == REASON_RATE_LIMITED)
			slow = REASON_RATE_LIMITED;
	}
	queue_destination_succeeded(&d->d, &conf, relay_mono(relay_of(c)));
	if (slow != REASON_NONE)
		relay_dest_failed(d, slow);
	relay_job_finish(job);
}

/* Signed or not, it goes. */
static void
send_now(struct relay_conn *c)
{
	struct relay *r = relay_of(c);
	int64_t more;

	c->message.size += c->lead.n;
	more = (int64_t)(c->message.size / JOB_BYTES_PER_MS);
	c->job_until_ms = relay_mono(r) + JOB_MS + more;
	c->is_sent = true;
	act(c, smtp_client_send(c->client, &c->message, stream_output(c->stream)));
}

void
relay_conn_send(struct relay_conn *c)
{
	struct relay *r = relay_of(c);
	struct relay_finding f = { .attempt = ATTEMPT_TEMP };

	f.cause = relay_message_open(c);
	/* Its bytes will not become right again: the sender is told now and not in some
	   days, and may have it still. */
	if (f.cause == ERR_CORRUPT)
		f.attempt = ATTEMPT_PERM;
	if (f.cause != OK) {
		relay_job_fail(c->job, &f);
		c->state = RELAY_WRITING;
		relay_job_finish(c->job);
		return;
	}
	c->lead_sent = 0;
	if (relay_sign_begin(c))
		send_now(c);
	else
		loop_defer(r->loop, relay_conn_signing, c);
}

void
relay_conn_signing(void *conn)
{
	struct relay_conn *c = CAST(relay_conn, RELAY_CONN_MAGIC, conn);

	if (relay_sign_step(c))
		send_now(c);
	else
		loop_defer(relay_of(c)->loop, relay_conn_signing, c);
}

/* RFC 8689 4.2.1: proven to be the right host, but it does not promise to pass the demand
   on. Goodbye; the next one may. */
static void
without_requiretls(struct relay_conn *c)
{
	struct str words = STR("the server does not offer REQUIRETLS");

	relay_tell_tls_refused(c, c->host, words);
	relay_conn_remember(c, ERR_NEED_REQUIRETLS, words);
	relay_conn_leave(c);
}

static void
on_ready(struct relay_conn *c)
{
	if (c->is_sent) {
		finish_job(c);
		return;
	}
	if (c->demand == MESSAGE_TLS_REQUIRED && c->job && !c->messages &&
	    !c->store_call && !c->signer && !smtp_client_has_requiretls(c->client)) {
		without_requiretls(c);
		return;
	}
	if (!c->is_counted && !c->is_plain)
		relay_count_session(c, "starttls-not-supported", STR(""));
	c->is_counted = true;
	c->best = (struct relay_finding){ 0 };
	c->is_passing = false;
	if (c->state == RELAY_IDLE || c->store_call || c->signer)
		return;
	if (!c->job) {
		relay_conn_go_on(c);
		return;
	}
	relay_conn_send(c);
}

static void
act(struct relay_conn *c, enum smtp_client_next next)
{
	stream_flush_soon(c->stream);
	switch (next) {
	case SMTP_CLIENT_NEXT_READ:
		if (c->state != RELAY_LEAVING)
			set_deadline(c);
		break;
	case SMTP_CLIENT_NEXT_STARTTLS:
		start_tls(c);
		break;
	case SMTP_CLIENT_NEXT_READY:
		on_ready(c);
		break;
	case SMTP_CLIENT_NEXT_BODY:
		pump(c);
		break;
	case SMTP_CLIENT_NEXT_CLOSE:
		broke(c, ERR_CLOSED, (struct str){ 0 });
		break;
	}
}

/* --- events of the stream ----------------------------------------------------------- */

static void
on_connected(void *arg)
{
	struct relay_conn *c = CAST(relay_conn, RELAY_CONN_MAGIC, arg);

	c->state = RELAY_TALKING;
	c->own = stream_local(c->stream);
	c->client = smtp_client_new(&c->client_conf);
	c->steps = UINT64_MAX;
	set_deadline(c);
}

static void
on_data(void *arg)
{
	struct relay_conn *c = CAST(relay_conn, RELAY_CONN_MAGIC, arg);
	struct str in = stream_input(c->stream);
	enum smtp_client_next next;

	next = smtp_client_input(c->client, in, stream_output(c->stream));
	stream_consume(c->stream, in.n);
	/* While the text is on its way and while nothing is asked, a part of a reply
	   changes nothing. */
	if (next == SMTP_CLIENT_NEXT_BODY && c->rest.n && stream_is_full(c->stream))
		return;
	if (c->state == RELAY_WRITING && next != SMTP_CLIENT_NEXT_CLOSE)
		return;
	act(c, next);
}

static void
on_drained(void *arg)
{
	struct relay_conn *c = CAST(relay_conn, RELAY_CONN_MAGIC, arg);

	if (c->client && smtp_client_state(c->client) == SMTP_CLIENT_BODY)
		pump(c);
}

/* What an enforced policy would have said. */
static void
check_test(struct relay_conn *c)
{
	const struct tls_info *info = stream_tls_info(c->stream);

	const struct mta_sts_policy *policy = relay_sts_policy(c->dest);

	if (policy && !mta_sts_has_mx(policy, c->host))
		relay_tell_tls_test(c, STR("the policy does not name it"));
	else if (info && !info->verified)
		relay_tell_tls_test(c, str_from(info->verify_text));
}

static void
on_secured(void *arg)
{
	struct relay_conn *c = CAST(relay_conn, RELAY_CONN_MAGIC, arg);

	relay_tell_tls(c);
	relay_count_secured(c);
	c->is_counted = true;
	if (c->secure.level == SECURE_TEST)
		check_test(c);
	act(c, smtp_client_secured(c->client, stream_output(c->stream)));
}

static void
on_timeout(void *arg)
{
	struct relay_conn *c = CAST(relay_conn, RELAY_CONN_MAGIC, arg);

	if (c->state == RELAY_IDLE)
		relay_conn_leave(c);
	else
		broke(c, ERR_TIMEOUT, (struct str){ 0 });
}

static enum err
err_of(const struct relay_conn *c, enum stream_end why)
{
	switch (why) {
	case STREAM_TIMEOUT:
	case STREAM_STALLED:
		return ERR_TIMEOUT;
	case STREAM_CONNECT:
		return relay_mono(relay_of(c)) - c->dialed_ms >=
		                       relay_limits(relay_of(c))->delivery_connect_timeout
		               ? ERR_TIMEOUT
		               : ERR_CONNECT;
	case STREAM_TLS:
	case STREAM_TLS_TIMEOUT:
		return ERR_TLS_UNAVAILABLE;
	case STREAM_TLS_VERIFY:
		return ERR_TLS; /* the certificate does not fit */
	default:
		return ERR_CLOSED;
	}
}

static void
on_closed(void *arg, enum stream_end why, const char *detail)
{
	struct relay_conn *c = CAST(relay_conn, RELAY_CONN_MAGIC, arg);
	enum err cause = err_of(c, why);
	struct str words = str_from(detail && detail[0] ? detail : stream_end_text(why));
	bool was_shaking =
		c->client && smtp_client_state(c->client) == SMTP_CLIENT_SHAKING;

	if (was_shaking && c->job && !relay_secure_is_demanded(c)) {
		struct addr again = c->addr;
		struct str host = c->host;

		/* Encryption that fails is no reason to keep the mail: the same address
		   once more, in plain. */
		relay_tell_tls_failed(c, words);
		relay_count_session(c, "validation-failure", words);
		c->is_plain = true;
		c->dest->plain_until_ms = relay_mono(relay_of(c)) + PLAIN_MS;
		relay_conn_hang_up(c);
		relay_conn_dial(c, host, &again);
		return;
	}
	broke(c, cause, words);
}

static const struct stream_ops stream_ops = {
	.data = on_data,
	.drained = on_drained,
	.secured = on_secured,
	.connected = on_connected,
	.timeout = on_timeout,
	.closed = on_closed,
};

void
relay_conn_dial(struct relay_conn *c, struct str host, const struct addr *addr)
{
	struct relay *r = relay_of(c);
	int64_t now = relay_mono(r);
	struct stream_target target = { *addr, relay_source_for(r, addr),
		                        relay_limits(r)->delivery_connect_timeout };

	CHECK(!c->stream && !c->client);
	c->state = RELAY_DIALING;
	c->host = host;
	c->addr = *addr;
	c->own = (struct addr){ .family = ADDR_NONE };
	c->dialed_ms = now;
	c->is_plain = c->is_plain || now < c->dest->plain_until_ms;
	c->is_counted = false;
	if (relay_secure_is_demanded(c))
		c->client_conf.tls = SMTP_CLIENT_TLS_MUST;
	else
		c->client_conf.tls =
			c->is_plain ? SMTP_CLIENT_TLS_NEVER : SMTP_CLIENT_TLS_TRY;
	relay_tell_dial(c);
	c->stream = stream_connect(r->loop, &target, &stream_ops, &c->limits, c);
}
