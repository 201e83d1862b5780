/* smtp_conn.c - one connection: the session core, its deadlines and events, and what
 * io/served.h asks about them.
 *
 *   an answer -> smtp_conn_answer -> smtp_session_resume -> served_follow
 */
#include "smtp/smtp_conn.h"

#include "base/mem.h"
#include "base/panic.h"
#include "smtp/smtp_conn_priv.h"

enum {
	CONN_BUDGET = 8 * 1024,
	SETTINGS_BUDGET = 1024 * 1024,
	OUT_MAX_BYTES = 4 * SMTP_OUT_MAX,
};

static struct smtp_conn *
conn_of(void *arg)
{
	return CAST(smtp_conn, SMTP_CONN_MAGIC, arg);
}

/* ---- deadlines -------------------------------------------------------------------- */

static int64_t
patience_ms(const struct smtp_conn *c)
{
	enum {
		REFUSED_MS = 5 * 1000,
	};
	const struct smtp_settings *s = c->settings;

	switch (smtp_session_patience(c->session)) {
	case SMTP_PATIENCE_CONTENT:
		return s->data_ms;
	case SMTP_PATIENCE_REFUSED:
		return REFUSED_MS;
	default:
		return smtp_session_helo(c->session).n ? s->command_ms : s->first_ms;
	}
}

/* Starts anew only where something was complete, so that drips of bytes gain no time;
   and never beyond the life of a session. */
static void
set_deadline(struct smtp_conn *c)
{
	uint64_t progress = smtp_session_progress(c->session);
	int64_t left = c->began_ms + c->settings->session_ms -
	               loop_now_ms(c->server->parts.loop);
	int64_t ms;

	if (c->has_deadline && progress == c->progress)
		return;
	c->progress = progress;
	c->has_deadline = true;
	ms = patience_ms(c);
	if (ms > left)
		ms = left > 1 ? left : 1;
	stream_deadline(c->served.stream, ms);
}

/* ---- events ------------------------------------------------------------------------ */

static void
event_begin(struct event *e, enum event_id id, const struct smtp_conn *c)
{
	event_init(e, id, (struct str){ NULL, 0 }, id_str(smtp_session_id(c->session)));
}

static void
tell_disconnect(struct smtp_conn *c, const char *reason)
{
	struct event e;

	event_begin(&e, EV_DISCONNECT, c);
	event_str(&e, "reason", str_from(reason));
	event_str(&e, "state", str_from(smtp_session_state(c->session)));
	event_str(&e, "ip", smtp_session_peer(c->session)->ip);
	smtp_events_add_last(&c->events, &e);
}

static void
on_dropped(void *arg, size_t n)
{
	struct smtp_conn *c = conn_of(arg);
	struct event e;

	event_begin(&e, EV_COMMAND_REJECTED, c);
	event_str(&e, "command", STR("STARTTLS"));
	event_str(&e, "ip", smtp_session_peer(c->session)->ip);
	event_str(&e, "reason", STR("plaintext_behind_starttls"));
	event_i64(&e, "size", (int64_t)n);
	event_str(&e, "reply", STR("what was sent behind STARTTLS was dropped"));
	smtp_events_add(&c->events, &e);
}

/* What is worth a line: connections that broke, and a message that was cut off. */
static void
on_closed(void *arg, enum stream_end why, const char *detail)
{
	struct smtp_conn *c = conn_of(arg);
	bool is_tls = why == STREAM_TLS || why == STREAM_TLS_TIMEOUT ||
	              why == STREAM_TLS_VERIFY;
	struct event e;

	smtp_session_lost(c->session, ERR_CLOSED);
	if (why == STREAM_CLOSED || why == STREAM_EOF)
		return;
	event_begin(&e, is_tls ? EV_TLS_FAILED : EV_DISCONNECT, c);
	event_str(&e, "reason", str_from(stream_end_word(why)));
	event_str(&e, "state", str_from(smtp_session_state(c->session)));
	event_str(&e, "ip", smtp_session_peer(c->session)->ip);
	if (detail && *detail)
		event_str(&e, "detail", str_from(detail));
	if (is_tls)
		smtp_events_add(&c->events, &e);
	else
		smtp_events_add_last(&c->events, &e);
}

/* ---- answers ----------------------------------------------------------------------- */

static enum served_next
next_of(enum smtp_next next)
{
	static const enum served_next nexts[] = {
		[SMTP_READ] = SERVED_READ,
		[SMTP_WAIT] = SERVED_WAIT,
		[SMTP_STARTTLS] = SERVED_STARTTLS,
		[SMTP_CLOSE] = SERVED_CLOSE,
	};

	return nexts[next];
}

void
smtp_conn_answer(struct smtp_conn *c, const struct smtp_answer *answer)
{
	struct smtp_answer full = *answer;

	full.unread = stream_input(c->served.stream).n;
	served_follow(&c->served,
	              next_of(smtp_session_resume(c->session, &full,
	                                          stream_output(c->served.stream))));
}

static void
deliver_answer(void *arg)
{
	struct smtp_conn *c = conn_of(arg);

	smtp_conn_answer(c, &c->answer);
}

void
smtp_conn_answer_soon(struct smtp_conn *c, enum err e)
{
	c->answer.err = e;
	loop_defer(c->server->parts.loop, deliver_answer, c);
}

void
smtp_conn_answer_after(struct smtp_conn *c, enum err e, int64_t ms)
{
	c->answer.err = e;
	timer_set(&c->pause, ms);
}

/* ---- what is asked of a served connection ------------------------------------------ */

static void
on_greet(void *arg, struct strbuf *out)
{
	smtp_session_greet(conn_of(arg)->session, out);
}

static enum served_next
on_input(void *arg, struct str in, size_t *used_out, struct strbuf *out)
{
	return next_of(smtp_session_input(conn_of(arg)->session, in, used_out, out));
}

static void
on_secured(void *arg, const struct tls_info *tls)
{
	smtp_session_secured(conn_of(arg)->session, str_from(tls->version),
	                     str_from(tls->cipher));
}

static bool
is_at_rest(void *arg)
{
	return smtp_session_is_idle(conn_of(arg)->session);
}

static void
on_bye(void *arg, enum err why, struct strbuf *out)
{
	struct smtp_conn *c = conn_of(arg);

	if (why != ERR_SHUTDOWN)
		tell_disconnect(c, err_get(why)->word);
	smtp_session_end(c->session, why, out);
}

static void
on_next(void *arg, enum served_next next)
{
	struct smtp_conn *c = conn_of(arg);

	if (next == SERVED_READ) {
		set_deadline(c);
	} else if (next == SERVED_CLOSE) {
		if (smtp_session_has_quit(c->session))
			stream_leave(c->served.stream);
	} else {
		stream_deadline(c->served.stream, 0);
		c->has_deadline = false;
	}
}

static void
settings_release(struct smtp_settings *s)
{
	struct arena *a = s->arena;

	if (--s->refs == 0)
		arena_free(&a);
}

static void
on_free(void *arg)
{
	struct smtp_conn *c = conn_of(arg);
	struct smtp_server *server = c->server;
	struct arena *own = c->own;

	loop_defer_cancel(server->parts.loop, deliver_answer, c);
	timer_stop(&c->pause);
	store_forget(server->parts.store, c->call);
	smtp_session_free(&c->session);
	smtp_policy_forget(c);
	smtp_events_fini(&c->events);
	settings_release(c->settings);
	c->magic = 0;
	arena_free(&own);
}

/* A message that is coming in is let come, for a while. */
static bool
may_go(void *arg)
{
	enum {
		CONTENT_MS = 30 * 1000,
	};
	const struct smtp_conn *c = conn_of(arg);
	int64_t age = loop_now_ms(c->server->parts.loop) - c->began_ms;

	if (!c->served.place.is_known)
		return smtp_session_may_give_way(c->session, age > CONTENT_MS);
	return smtp_session_is_idle(c->session) && !stream_input(c->served.stream).n;
}

/* Its place is another's: who logged in or brought a message hears why. Strangers go at
   once: a goodbye waits for the client, and of those there would be more than places. */
static void
on_dismissed(void *arg)
{
	struct smtp_conn *c = conn_of(arg);

	if (smtp_session_may_give_way(c->session, true) &&
	    !smtp_session_has_delivered(c->session)) {
		tell_disconnect(c, err_get(ERR_BUSY)->word);
		served_free(&c->served);
	} else {
		served_bye(&c->served, ERR_BUSY);
	}
}

static const struct limiter_ops place_ops = { .may_go = may_go, .go = on_dismissed };

static const struct served_ops served_ops = {
	.name = STR_INIT("smtp"),
	.alpn = TLS_ALPN_SMTP,
	.place = &place_ops,
	.greet = on_greet,
	.input = on_input,
	.secured = on_secured,
	.is_at_rest = is_at_rest,
	.bye = on_bye,
	.next = on_next,
	.dropped = on_dropped,
	.closed = on_closed,
	.free = on_free,
};

static void
begin_session(struct smtp_conn *c, const struct accepted *a)
{
	char bytes[ADDR_TEXT_MAX];
	struct smtp_peer peer = { .port = a->peer.port };

	peer.ip = addr_ip_text(&a->peer, &bytes);
	smtp_policy_classify(c, &a->peer, &peer);
	c->session =
		smtp_session_new(&c->settings->session,
	                         c->protocol == CONF_SMTP ? SMTP_MX : SMTP_SUBMISSION,
	                         &peer, c->served.id, &smtp_policy_ops, c);
	smtp_events_init(&c->events, c->served.id);
}

void
smtp_server_accept(struct smtp_server *s, enum conf_protocol protocol,
                   const struct accepted *a)
{
	struct arena *own = arena_new(CONN_BUDGET);
	struct smtp_conn *c = ARENA_NEW(own, struct smtp_conn);

	c->magic = SMTP_CONN_MAGIC;
	c->own = own;
	c->served = (struct served){ .ops = &served_ops, .arg = c };
	c->server = s;
	c->settings = s->settings;
	c->settings->refs++;
	c->protocol = protocol;
	c->direct = a->proxy.family == ADDR_NONE ? a->peer : a->proxy;
	c->began_ms = loop_now_ms(s->parts.loop);
	timer_init(&c->pause, s->parts.loop, deliver_answer, c);
	served_begin(&c->served, &s->conns, a, conf_protocol_is_tls(protocol));
	begin_session(c, a);
	served_start(&c->served, a->fd, &c->settings->stream, 0);
}

/* ---- the server ------------------------------------------------------------------- */

static struct smtp_settings *
settings_new(const struct conf *conf, bool has_tls)
{
	const struct conf_limits *l = &conf->limits;
	struct arena *a = arena_new(SETTINGS_BUDGET);
	struct smtp_settings *s = ARENA_NEW(a, struct smtp_settings);

	*s = (struct smtp_settings){
		.refs = 1,
		.arena = a,
		.session = {
			.hostname = arena_str(a, conf->hostname),
			.has_tls = has_tls,
			.offers_dsn = conf->incoming_dsn,
			.message_size_max = (uint64_t)l->message_size,
			.line_max = (size_t)l->smtp_line,
			.auth_line_max = (size_t)l->smtp_auth_line,
			.line_close = (size_t)l->smtp_line_close,
			.rcpt_max = (unsigned)l->rcpt_max,
			.mail_max = (unsigned)l->smtp_transactions,
			.error_max = (unsigned)l->smtp_errors,
			.unknown_max = (unsigned)l->smtp_rcpt_errors,
			.auth_fail_max = (unsigned)l->auth_tries,
			.received_max = (unsigned)l->received_max,
		},
		.proxies = conf_nets_copy(a, conf->proxies),
		.relay_networks = conf_nets_copy(a, conf->relay_networks),
		.plaintext_auth = conf_nets_copy(a, conf->plaintext_auth),
		.stream = stream_limits_default,
		.first_ms = l->smtp_first_timeout,
		.command_ms = l->smtp_command_timeout,
		.data_ms = l->smtp_data_timeout,
		.session_ms = l->smtp_session_timeout,
		.lifetime_ms = conf->delivery_lifetime_ms,
		.guesses_max = (uint32_t)l->smtp_guesses_ip,
		.verify_ms = l->verify_timeout,
		.header_max = (size_t)l->header_size,
		.sealers = arena_str(a, conf->incoming_sealers),
		.forwarders = arena_str(a, conf->incoming_forwarders),
		.forwarder_networks = conf_nets_copy(a, conf->incoming_networks),
		.refuse_spf_fail = conf->incoming_refuse_spf,
		.defer_unresolved = conf->incoming_defer,
		.receipts_max = (uint32_t)l->smtp_receipts_ip,
	};
	if (s->session.auth_line_max < s->session.line_max)
		s->session.auth_line_max = s->session.line_max;
	s->stream.out_full = SMTP_OUT_PAUSE;
	s->stream.out_max = OUT_MAX_BYTES;
	s->stream.stalled_ms = l->stalled_timeout;
	s->stream.handshake_ms = l->handshake_timeout;
	return s;
}

struct smtp_server *
smtp_server_new(const struct smtp_server_parts *parts)
{
	struct arena *a = arena_new(CONN_BUDGET);
	struct smtp_server *s = ARENA_NEW(a, struct smtp_server);

	s->own = a;
	s->parts = *parts;
	s->parts.conf = NULL;
	s->settings = settings_new(parts->conf, parts->tls != NULL);
	s->names = smtp_names_new(parts->loop, parts->store, parts->reader);
	s->guesses = smtp_guesses_new();
	s->receipts = smtp_guesses_new();
	served_all_init(&s->conns, parts->loop, parts->tls, parts->limiter);
	return s;
}

void
smtp_server_free(struct smtp_server **s)
{
	struct arena *a;

	if (!*s)
		return;
	served_all_fini(&(*s)->conns);
	settings_release((*s)->settings);
	smtp_names_free(&(*s)->names);
	smtp_guesses_free(&(*s)->guesses);
	smtp_guesses_free(&(*s)->receipts);
	a = (*s)->own;
	arena_free(&a);
	*s = NULL;
}

void
smtp_server_set_conf(struct smtp_server *s, const struct conf *conf)
{
	settings_release(s->settings);
	s->settings = settings_new(conf, s->parts.tls != NULL);
}

void
smtp_server_stop(struct smtp_server *s, int64_t patience_ms, loop_fn *done, void *arg)
{
	served_all_stop(&s->conns, patience_ms, done, arg);
}
