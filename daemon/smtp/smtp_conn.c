/* One connection: bytes between the stream and the session core, deadlines, the end.
 *
 *   on_data, on_drained, answers -> pump -> smtp_session_input -> follow
 *   follow: READ sets the deadline, WAIT stops reading, STARTTLS and CLOSE go to the
 *           stream. Every path ends in on_closed, which frees.
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

static void pump(struct smtp_conn *c);

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
	stream_deadline(c->stream, ms);
}

static void
say_goodbye(struct smtp_conn *c, enum err why)
{
	smtp_session_end(c->session, why, stream_output(c->stream));
	stream_flush_soon(c->stream);
	stream_close(c->stream);
}

static void
on_timeout(void *arg)
{
	struct smtp_conn *c = conn_of(arg);
	struct event e;

	event_init(&e, EV_DISCONNECT, (struct str){ NULL, 0 },
	           id_str(smtp_session_id(c->session)));
	event_str(&e, "reason", STR("timeout"));
	event_str(&e, "state", str_from(smtp_session_state(c->session)));
	event_str(&e, "ip", smtp_session_peer(c->session)->ip);
	smtp_events_add_last(&c->events, &e);
	say_goodbye(c, ERR_TIMEOUT);
}

/* ---- steps ------------------------------------------------------------------------ */

static void
start_tls(struct smtp_conn *c)
{
	size_t dropped;

	stream_start_tls_server(c->stream, c->server->parts.tls, TLS_ALPN_SMTP, &dropped);
	if (dropped) {
		struct event e;

		event_init(&e, EV_COMMAND_REJECTED, (struct str){ NULL, 0 },
		           id_str(smtp_session_id(c->session)));
		event_str(&e, "command", STR("STARTTLS"));
		event_str(&e, "ip", smtp_session_peer(c->session)->ip);
		event_str(&e, "reason", STR("plaintext_behind_starttls"));
		event_i64(&e, "size", (int64_t)dropped);
		event_str(&e, "reply", STR("what was sent behind STARTTLS was dropped"));
		smtp_events_add(&c->events, &e);
	}
}

static void
follow(struct smtp_conn *c, enum smtp_next next)
{
	stream_flush_soon(c->stream);
	switch (next) {
	case SMTP_READ:
		if (c->server->is_stopping && smtp_session_is_idle(c->session) &&
		    stream_input(c->stream).n == 0) {
			say_goodbye(c, ERR_SHUTDOWN);
			return;
		}
		stream_take(c->stream, true);
		set_deadline(c);
		break;
	case SMTP_WAIT:
		stream_take(c->stream, false);
		stream_deadline(c->stream, 0);
		c->has_deadline = false;
		break;
	case SMTP_STARTTLS:
		stream_deadline(c->stream, 0);
		c->has_deadline = false;
		start_tls(c);
		break;
	case SMTP_CLOSE:
		if (smtp_session_has_quit(c->session))
			stream_leave(c->stream);
		else
			stream_close(c->stream);
		break;
	}
}

static void
pump(struct smtp_conn *c)
{
	enum smtp_next next = SMTP_READ;
	struct str in = stream_input(c->stream);
	size_t used = 0;

	if (in.n && !stream_is_full(c->stream)) {
		next = smtp_session_input(c->session, in, &used,
		                          stream_output(c->stream));
		if (used)
			stream_consume(c->stream, used);
	}
	follow(c, next);
}

static void
on_data(void *arg)
{
	pump(conn_of(arg));
}

static void
on_drained(void *arg)
{
	struct smtp_conn *c = conn_of(arg);

	/* While a question is out, its answer goes on. */
	if (c->has_deadline)
		pump(c);
}

/* ---- answers ---------------------------------------------------------------------- */

void
smtp_conn_answer(struct smtp_conn *c, const struct smtp_answer *answer)
{
	struct smtp_answer full = *answer;
	enum smtp_next next;

	full.unread = stream_input(c->stream).n;
	next = smtp_session_resume(c->session, &full, stream_output(c->stream));
	if (next == SMTP_READ)
		pump(c);
	else
		follow(c, next);
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

/* ---- beginning and end ------------------------------------------------------------- */

static void
greet(struct smtp_conn *c)
{
	smtp_session_greet(c->session, stream_output(c->stream));
	follow(c, SMTP_READ);
}

static void
on_secured(void *arg)
{
	struct smtp_conn *c = conn_of(arg);
	const struct tls_info *tls = stream_tls_info(c->stream);

	smtp_session_secured(c->session, str_from(tls->version), str_from(tls->cipher));
	if (c->protocol == CONF_SUBMISSIONS && stream_bytes_out(c->stream) == 0)
		greet(c);
	else
		follow(c, SMTP_READ);
}

static void
settings_release(struct smtp_settings *s)
{
	struct arena *a = s->arena;

	if (--s->refs == 0)
		arena_free(&a);
}

static void
conn_free(struct smtp_conn *c)
{
	struct smtp_server *server = c->server;
	struct arena *own = c->own;

	loop_defer_cancel(server->parts.loop, deliver_answer, c);
	timer_stop(&c->pause);
	store_forget(server->parts.store, c->call);
	stream_free(&c->stream);
	smtp_session_free(&c->session);
	smtp_policy_forget(c);
	smtp_events_fini(&c->events);
	list_remove(&c->link);
	server->count--;
	limiter_leave(&c->place);
	settings_release(c->settings);
	c->magic = 0;
	arena_free(&own);
	if (server->is_stopping && server->count == 0 && server->on_stopped) {
		loop_fn *fn = server->on_stopped;

		server->on_stopped = NULL;
		fn(server->on_stopped_arg);
	}
}

/* What is worth a line: connections that broke, and a message that was cut off. */
static void
tell_end(struct smtp_conn *c, enum stream_end why, const char *detail)
{
	bool is_tls = why == STREAM_TLS || why == STREAM_TLS_TIMEOUT ||
	              why == STREAM_TLS_VERIFY;
	struct event e;

	smtp_session_lost(c->session, ERR_CLOSED);
	if (why == STREAM_CLOSED || why == STREAM_EOF)
		return;
	event_init(&e, is_tls ? EV_TLS_FAILED : EV_DISCONNECT, (struct str){ NULL, 0 },
	           id_str(smtp_session_id(c->session)));
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

static void
on_closed(void *arg, enum stream_end why, const char *detail)
{
	struct smtp_conn *c = conn_of(arg);

	tell_end(c, why, detail);
	conn_free(c);
}

static const struct stream_ops stream_callbacks = {
	.data = on_data,
	.drained = on_drained,
	.secured = on_secured,
	.timeout = on_timeout,
	.closed = on_closed,
};

static void
begin_session(struct smtp_conn *c, const struct accepted *a)
{
	char bytes[ADDR_TEXT_MAX];
	struct strbuf ip = strbuf_on(bytes);
	struct smtp_peer peer = { .port = a->peer.port };

	addr_format_ip(&ip, &a->peer);
	peer.ip = strbuf_str(&ip);
	smtp_policy_classify(c, &a->peer, &peer);
	c->session =
		smtp_session_new(&c->settings->session,
	                         c->protocol == CONF_SMTP ? SMTP_MX : SMTP_SUBMISSION,
	                         &peer, id_new("ses_"), &smtp_policy_ops, c);
	smtp_events_init(&c->events, *smtp_session_id(c->session));
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

	if (!c->place.is_known)
		return smtp_session_may_give_way(c->session, age > CONTENT_MS);
	return smtp_session_is_idle(c->session) && !stream_input(c->stream).n;
}

/* Its place is another's: who logged in or brought a message hears why. Strangers go at
   once: a goodbye waits for the client, and of those there would be more than places. */
static void
on_dismissed(void *arg)
{
	struct smtp_conn *c = conn_of(arg);
	struct event e;

	event_init(&e, EV_DISCONNECT, (struct str){ NULL, 0 },
	           id_str(smtp_session_id(c->session)));
	event_str(&e, "reason", str_from(err_get(ERR_BUSY)->word));
	event_str(&e, "state", str_from(smtp_session_state(c->session)));
	event_str(&e, "ip", smtp_session_peer(c->session)->ip);
	smtp_events_add_last(&c->events, &e);
	if (smtp_session_may_give_way(c->session, true) &&
	    !smtp_session_has_delivered(c->session))
		conn_free(c);
	else
		say_goodbye(c, ERR_BUSY);
}

static const struct limiter_ops place_ops = { .may_go = may_go, .go = on_dismissed };

void
smtp_server_accept(struct smtp_server *s, enum conf_protocol protocol,
                   const struct accepted *a)
{
	struct arena *own = arena_new(CONN_BUDGET);
	struct smtp_conn *c = ARENA_NEW(own, struct smtp_conn);
	size_t dropped;

	c->magic = SMTP_CONN_MAGIC;
	c->own = own;
	c->server = s;
	c->settings = s->settings;
	c->settings->refs++;
	c->protocol = protocol;
	c->direct = a->proxy.family == ADDR_NONE ? a->peer : a->proxy;
	c->began_ms = loop_now_ms(s->parts.loop);
	timer_init(&c->pause, s->parts.loop, deliver_answer, c);
	limiter_hold(s->parts.limiter, &c->place, &a->peer, &place_ops, c);
	list_add_last(&s->conns, &c->link);
	s->count++;
	begin_session(c, a);
	c->stream = stream_new(s->parts.loop, a->fd, &stream_callbacks,
	                       &c->settings->stream, c);
	if (conf_protocol_is_tls(protocol))
		stream_start_tls_server(c->stream, s->parts.tls, TLS_ALPN_SMTP, &dropped);
	else
		greet(c);
}

/* ---- the server ------------------------------------------------------------------- */

static struct conf_nets
copy_nets(struct arena *a, struct conf_nets nets)
{
	struct net *copy = ARENA_ARRAY(a, struct net, nets.n);

	if (nets.n)
		memcpy(copy, nets.p, nets.n * sizeof(*copy));
	return (struct conf_nets){ .p = copy, .n = nets.n };
}

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
		.proxies = copy_nets(a, conf->proxies),
		.relay_networks = copy_nets(a, conf->relay_networks),
		.plaintext_auth = copy_nets(a, conf->plaintext_auth),
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
		.forwarder_networks = copy_nets(a, conf->incoming_networks),
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
	list_init(&s->conns);
	return s;
}

void
smtp_server_free(struct smtp_server **s)
{
	struct arena *a;

	if (!*s)
		return;
	(*s)->on_stopped = NULL;
	LIST_EACH(&(*s)->conns, l)
	conn_free(CONTAINER_OF(l, struct smtp_conn, link));
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
smtp_server_stop(struct smtp_server *s, loop_fn *done, void *arg)
{
	s->is_stopping = true;
	s->on_stopped = done;
	s->on_stopped_arg = arg;
	LIST_EACH(&s->conns, l)
	{
		struct smtp_conn *c = CONTAINER_OF(l, struct smtp_conn, link);

		if (smtp_session_is_idle(c->session))
			say_goodbye(c, ERR_SHUTDOWN);
	}
	if (s->count == 0 && s->on_stopped) {
		s->on_stopped = NULL;
		loop_defer(s->parts.loop, done, arg);
	}
}
