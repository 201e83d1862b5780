/* pop3_conn.c - one connection: bytes between the stream and the session core. What the
 * session asks is in pop3_ask_conn.c.
 *
 *   on_data, on_drained, answers -> follow -> pop3_session_input
 *   follow: READ sets the deadline, WAIT stops reading, MORE waits for the stream,
 *           STARTTLS and CLOSE go to it. Every path ends in on_closed, which frees.
 */
#include "base/event.h"
#include "base/mem.h"
#include "pop3/pop3_conn_priv.h"

/* ---- the way of bytes ------------------------------------------------------- */

static void
say_goodbye(struct pop3_conn *c, struct str text)
{
	pop3_session_bye(c->session, text, stream_output(c->stream));
	stream_flush_soon(c->stream);
	stream_close(c->stream);
}

static void
go_on_writing(void *arg)
{
	struct pop3_conn *c = pop3_conn_of(arg);

	c->is_draining = false;
	pop3_conn_follow(c, pop3_session_drained(c->session, stream_output(c->stream)));
}

static void
tell_refused(struct pop3_conn *c, enum err why, struct str command, const char *reason)
{
	char bytes[ADDR_TEXT_MAX];

	event_tell_refused(STR("pop3"), id_str(&c->id), addr_ip_text(&c->peer, &bytes),
	                   why, command, reason);
}

static void
start_tls(struct pop3_conn *c)
{
	size_t dropped;

	stream_start_tls_server(c->stream, c->server->parts.tls, TLS_ALPN_POP3, &dropped);
	if (dropped)
		tell_refused(c, ERR_PIPELINING, STR("STLS"), "plaintext_behind_starttls");
}

static enum pop3_next
feed(struct pop3_conn *c)
{
	size_t used = 0;
	enum pop3_next next = pop3_session_input(c->session, stream_input(c->stream),
	                                         &used, stream_output(c->stream));

	if (used)
		stream_consume(c->stream, used);
	return next;
}

static void
wait_for_room(struct pop3_conn *c)
{
	stream_take(c->stream, false);
	stream_deadline(c->stream, 0); /* the stream has its own: stalled */
	if (c->is_draining)
		return;
	c->is_draining = true;
	if (!stream_is_full(c->stream))
		loop_defer(c->server->parts.loop, go_on_writing, c);
}

void
pop3_conn_follow(struct pop3_conn *c, enum pop3_next next)
{
	if (next == POP3_READ && stream_input(c->stream).n)
		next = feed(c);
	stream_flush_soon(c->stream);
	switch (next) {
	case POP3_READ:
		if (c->server->is_stopping && pop3_session_is_at_rest(c->session)) {
			say_goodbye(c, STR("Server shutting down"));
			return;
		}
		stream_take(c->stream, true);
		if (c->account_id)
			stream_deadline(c->stream, c->settings->idle_ms);
		return;
	case POP3_WAIT:
		stream_take(c->stream, false);
		if (c->account_id)
			stream_deadline(c->stream, 0);
		return;
	case POP3_MORE:
		wait_for_room(c);
		return;
	case POP3_STARTTLS:
		start_tls(c);
		return;
	case POP3_CLOSE:
		if (pop3_session_fault(c->session) != OK)
			tell_refused(c, pop3_session_fault(c->session), STR(""),
			             err_get(pop3_session_fault(c->session))->word);
		stream_close(c->stream);
		return;
	}
}

static void
on_data(void *arg)
{
	struct pop3_conn *c = pop3_conn_of(arg);

	if (c->is_greeted && !c->is_draining && !pop3_session_is_waiting(c->session))
		pop3_conn_follow(c, POP3_READ);
}

static void
on_drained(void *arg)
{
	struct pop3_conn *c = pop3_conn_of(arg);

	if (c->is_draining)
		go_on_writing(c);
}

static void
greet(struct pop3_conn *c)
{
	c->is_greeted = true;
	pop3_session_greet(c->session, stream_output(c->stream));
	pop3_conn_follow(c, POP3_READ);
}

static void
on_secured(void *arg)
{
	struct pop3_conn *c = pop3_conn_of(arg);

	if (c->is_implicit_tls) {
		greet(c);
		return;
	}
	pop3_session_secured(c->session);
	pop3_conn_follow(c, POP3_READ);
}

static void
on_timeout(void *arg)
{
	struct pop3_conn *c = pop3_conn_of(arg);

	/* RFC 1939 3: after an idle time nothing is deleted. */
	if (c->is_greeted)
		say_goodbye(c, STR("Idle for too long"));
	else
		stream_close(c->stream);
}

/* ---- beginning and end ------------------------------------------------------ */

static void
settings_drop(struct pop3_settings *s)
{
	if (--s->refs > 0)
		return;
	strbuf_release(&s->hostname);
	strbuf_release(&s->plaintext_auth);
	mem_free(s);
}

static struct pop3_settings *
settings_new(const struct conf *conf)
{
	const struct conf_limits *l = &conf->limits;
	struct pop3_settings *s = mem_alloc(sizeof(*s));

	s->refs = 1;
	s->hostname = strbuf_heap(conf->hostname.n);
	strbuf_add(&s->hostname, conf->hostname);
	s->plaintext_auth = strbuf_heap(conf->plaintext_auth.n * sizeof(struct net));
	strbuf_bytes(&s->plaintext_auth, conf->plaintext_auth.p,
	             conf->plaintext_auth.n * sizeof(struct net));
	s->session = pop3_conf_default;
	s->session.hostname = strbuf_str(&s->hostname);
	s->session.bad_max = (uint32_t)l->imap_bad_max;
	s->session.auth_tries = (uint32_t)l->auth_tries;
	s->login_ms = l->imap_login_timeout;
	s->idle_ms = l->pop3_idle_timeout;
	s->stream = stream_limits_default;
	s->stream.out_full = s->session.output_soft_bytes;
	s->stream.stalled_ms = l->stalled_timeout;
	s->stream.handshake_ms = l->handshake_timeout;
	return s;
}

static void
conn_free(struct pop3_conn *c)
{
	struct pop3_server *s = c->server;

	pop3_session_free(&c->session); /* releases the message */
	pop3_conn_forget(c);
	loop_defer_cancel(s->parts.loop, go_on_writing, c);
	stream_free(&c->stream);
	limiter_leave(&c->place);
	settings_drop(c->settings);
	list_remove(&c->link);
	c->magic = 0;
	mem_free(c);
	if (s->is_stopping && list_is_empty(&s->conns) && s->stopped) {
		loop_fn *stopped = s->stopped;

		s->stopped = NULL;
		stopped(s->stopped_arg);
	}
}

static void
tell_tls_failed(struct pop3_conn *c, enum stream_end why, const char *detail)
{
	char bytes[ADDR_TEXT_MAX];

	event_tell_tls_failed(STR("pop3"), id_str(&c->id), addr_ip_text(&c->peer, &bytes),
	                      stream_end_word(why), detail);
}

static void
on_closed(void *arg, enum stream_end why, const char *detail)
{
	struct pop3_conn *c = pop3_conn_of(arg);

	if (why == STREAM_TLS || why == STREAM_TLS_TIMEOUT)
		tell_tls_failed(c, why, detail);
	log_line(LEVEL_DEBUG, "pop3.disconnect", "session=%s reason=%s state=%s",
	         c->id.text, stream_end_word(why),
	         pop3_state_word(pop3_session_state(c->session)));
	conn_free(c);
}

static const struct stream_ops stream_callbacks = {
	.data = on_data,
	.drained = on_drained,
	.secured = on_secured,
	.timeout = on_timeout,
	.closed = on_closed,
};

static bool
may_log_in_plain(const struct pop3_settings *s, const struct addr *peer)
{
	const struct net *nets = (const struct net *)(const void *)s->plaintext_auth.p;

	return nets_have(nets, s->plaintext_auth.n / sizeof(*nets), peer);
}

static bool
may_go(void *arg)
{
	const struct pop3_conn *c = pop3_conn_of(arg);

	return !c->call && !c->step &&
	       (!c->account_id ||
	        (pop3_session_is_at_rest(c->session) && !c->is_draining));
}

/* As for IMAP, with which it shares the room. */
static void
on_dismissed(void *arg)
{
	struct pop3_conn *c = pop3_conn_of(arg);

	log_line(LEVEL_DEBUG, "pop3.disconnect", "session=%s reason=%s state=%s",
	         c->id.text, err_get(ERR_BUSY)->word,
	         pop3_state_word(pop3_session_state(c->session)));
	if (c->account_id)
		say_goodbye(c, STR("Too many connections, others need some"));
	else
		conn_free(c);
}

static const struct limiter_ops place_ops = { .may_go = may_go, .go = on_dismissed };

void
pop3_server_accept(struct pop3_server *s, enum conf_protocol protocol,
                   const struct accepted *a)
{
	struct pop3_conn *c = mem_alloc(sizeof(*c));
	size_t dropped;

	if (!s->entries)
		s->entries = mem_alloc(POP3_SLICE_ROWS * sizeof(*s->entries));
	c->magic = POP3_CONN_MAGIC;
	c->server = s;
	c->settings = s->settings;
	c->settings->refs++;
	c->peer = a->peer;
	c->id = id_new("ses_");
	c->is_implicit_tls = conf_protocol_is_tls(protocol);
	c->conf = c->settings->session;
	c->conf.has_starttls =
		!c->is_implicit_tls && s->parts.tls && tls_server_is_ready(s->parts.tls);
	c->conf.has_plaintext_auth = may_log_in_plain(c->settings, &c->peer);
	limiter_hold(s->parts.limiter, &c->place, &a->peer, &place_ops, c);
	list_add_last(&s->conns, &c->link);
	c->session = pop3_session_new(&c->conf, &pop3_conn_ops, c, c->is_implicit_tls);
	c->stream = stream_new(s->parts.loop, a->fd, &stream_callbacks,
	                       &c->settings->stream, c);
	/* The time before login is one whole. */
	stream_deadline(c->stream, c->settings->login_ms);
	if (c->is_implicit_tls)
		stream_start_tls_server(c->stream, s->parts.tls, TLS_ALPN_POP3, &dropped);
	else
		greet(c);
}

struct pop3_server *
pop3_server_new(const struct pop3_server_parts *parts)
{
	struct pop3_server *s = mem_alloc(sizeof(*s));

	s->parts = *parts;
	s->parts.conf = NULL;
	s->settings = settings_new(parts->conf);
	list_init(&s->conns);
	return s;
}

void
pop3_server_free(struct pop3_server **s)
{
	if (!*s)
		return;
	(*s)->stopped = NULL;
	LIST_EACH(&(*s)->conns, l)
	conn_free(CONTAINER_OF(l, struct pop3_conn, link));
	settings_drop((*s)->settings);
	mem_free((*s)->entries);
	mem_free(*s);
	*s = NULL;
}

void
pop3_server_set_conf(struct pop3_server *s, const struct conf *conf)
{
	settings_drop(s->settings);
	s->settings = settings_new(conf);
}

void
pop3_server_stop(struct pop3_server *s, loop_fn *done, void *arg)
{
	s->is_stopping = true;
	if (list_is_empty(&s->conns)) {
		loop_defer(s->parts.loop, done, arg);
		return;
	}
	s->stopped = done;
	s->stopped_arg = arg;
	LIST_EACH(&s->conns, l)
	{
		struct pop3_conn *c = CONTAINER_OF(l, struct pop3_conn, link);

		if (!c->is_greeted)
			stream_close(c->stream);
		else if (!c->is_draining && pop3_session_is_at_rest(c->session))
			say_goodbye(c, STR("Server shutting down"));
	}
}
