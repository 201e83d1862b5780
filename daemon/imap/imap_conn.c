/* imap_conn.c - one connection: bytes between the stream and the session core.
 *
 *   on_data, on_drained, answers -> pump -> imap_session_input -> follow
 *   follow: READ sets the deadline, WAIT stops reading, MORE waits for the stream,
 *           STARTTLS and CLOSE go to it. Every path ends in on_closed, which frees.
 */
#include "imap/imap_conn.h"

#include "base/clock.h"
#include "base/event.h"
#include "base/mem.h"
#include "base/panic.h"

static void follow(struct imap_conn *c, enum imap_next next);

/* --- settings */

static void
settings_drop(struct imap_settings *s)
{
	if (--s->refs > 0)
		return;
	strbuf_release(&s->hostname);
	strbuf_release(&s->plaintext_auth);
	mem_free(s);
}

static struct imap_settings *
settings_new(const struct conf *conf)
{
	const struct conf_limits *l = &conf->limits;
	struct imap_settings *s = mem_alloc(sizeof(*s));

	s->refs = 1;
	s->hostname = strbuf_heap(conf->hostname.n);
	strbuf_add(&s->hostname, conf->hostname);
	s->plaintext_auth = strbuf_heap(conf->plaintext_auth.n * sizeof(struct net));
	strbuf_bytes(&s->plaintext_auth, conf->plaintext_auth.p,
	             conf->plaintext_auth.n * sizeof(struct net));
	s->session = imap_conf_default;
	s->session.hostname = strbuf_str(&s->hostname);
	s->session.command_max_bytes = (uint32_t)l->imap_line;
	s->session.command_first_max_bytes = (uint32_t)l->imap_line;
	s->session.literal_first_max_bytes = (uint32_t)l->imap_literal_before_login;
	s->session.append_max_bytes = (uint64_t)l->message_size;
	s->session.bad_max = (uint32_t)l->imap_bad_max;
	s->session.auth_tries = (uint32_t)l->auth_tries;
	s->session.keywords_max = (uint32_t)l->keywords_per_mailbox;
	s->message_max_bytes = (uint64_t)l->message_size;
	s->login_ms = l->imap_login_timeout;
	s->idle_ms = l->imap_idle_timeout;
	s->stream = stream_limits_default;
	s->stream.in_max = 64 * 1024 + (size_t)l->imap_line;
	s->stream.out_full = s->session.output_soft_bytes;
	s->stream.out_max = 16 * 1024 * 1024;
	s->stream.stalled_ms = l->stalled_timeout;
	s->stream.handshake_ms = l->handshake_timeout;
	return s;
}

/* --- questions */

static void
go_on_asking(struct imap_conn *c)
{
	c->q.wants_room = false;
	imap_conn_step(c, c->q.step);
}

struct strbuf *
imap_conn_output(struct imap_conn *c)
{
	return stream_output(c->stream);
}

void
imap_conn_step(struct imap_conn *c, loop_fn *step)
{
	c->q.step = step;
	loop_defer(c->server->parts.loop, step, c);
}

void
imap_conn_step_with_room(struct imap_conn *c, loop_fn *step)
{
	c->q.step = step;
	c->q.wants_room = true;
	stream_flush_soon(c->stream);
	if (!stream_is_full(c->stream))
		go_on_asking(c);
}

struct imap_question *
imap_conn_ask(struct imap_conn *c, loop_fn *step)
{
	c->q = (struct imap_question){ 0 };
	imap_body_hold(c);
	if (step)
		imap_conn_step(c, step);
	return &c->q;
}

void
imap_conn_answer(struct imap_conn *c, enum err e)
{
	c->q.step = NULL;
	c->q.call = 0;
	follow(c, imap_session_resume(c->session, e, stream_output(c->stream)));
}

static void
forget_question(struct imap_conn *c)
{
	if (c->q.step && !c->q.wants_room)
		loop_defer_cancel(c->server->parts.loop, c->q.step, c);
	if (c->q.call)
		store_forget(c->server->parts.store, c->q.call);
	if (c->q.undo)
		imap_undo_forget(&c->q.undo);
	else if (c->q.work)
		(void)imap_undo_new(c->server, c->q.work, NULL, NULL);
	c->q = (struct imap_question){ 0 };
}

/* --- accounts */

enum err
imap_conn_enter(struct imap_conn *c, uint64_t account_id, struct str address)
{
	enum err e = limiter_know(&c->place, account_id);

	if (e != OK)
		return e;
	c->account_id = account_id;
	strbuf_clear(&c->address);
	strbuf_add(&c->address, address);
	return OK;
}

/* --- the way of bytes */

static void
say_goodbye(struct imap_conn *c, struct str text)
{
	imap_session_bye(c->session, text, stream_output(c->stream));
	stream_flush_soon(c->stream);
	stream_close(c->stream);
}

static void
go_on_writing(void *arg)
{
	struct imap_conn *c = imap_conn_of(arg);

	c->is_draining = false;
	follow(c, imap_session_drained(c->session, stream_output(c->stream)));
}

/* The time before login is one whole; afterwards it begins anew with every input. */
static void
set_deadline(struct imap_conn *c)
{
	if (c->account_id != 0)
		stream_deadline(c->stream, c->settings->idle_ms);
}

static void
tell_refused(struct imap_conn *c, enum err why, struct str command, const char *reason)
{
	char bytes[ADDR_TEXT_MAX];

	event_tell_refused(STR("imap"), id_str(&c->id), addr_ip_text(&c->peer, &bytes),
	                   why, command, reason);
}

static void
start_tls(struct imap_conn *c)
{
	size_t dropped;

	stream_start_tls_server(c->stream, c->server->parts.tls, TLS_ALPN_IMAP, &dropped);
	if (dropped)
		tell_refused(c, ERR_PIPELINING, STR("STARTTLS"),
		             "plaintext_behind_starttls");
}

/* Input that is there already is looked at now, not in the next turn. */
static enum imap_next
feed(struct imap_conn *c)
{
	struct str in = stream_input(c->stream);
	size_t used = 0;
	enum imap_next next;

	next = imap_session_input(c->session, in, &used, stream_output(c->stream));
	if (used > 0)
		stream_consume(c->stream, used);
	return next;
}

static void
follow(struct imap_conn *c, enum imap_next next)
{
	if (next == IMAP_READ && stream_input(c->stream).n > 0)
		next = feed(c);
	stream_flush_soon(c->stream);
	switch (next) {
	case IMAP_READ:
		imap_body_keep(c);
		if (c->server->is_stopping && imap_session_is_at_rest(c->session)) {
			say_goodbye(c, STR("Server shutting down"));
			return;
		}
		stream_take(c->stream, true);
		if (!imap_session_is_at_rest(c->session))
			stream_acknowledge(c->stream);
		set_deadline(c);
		return;
	case IMAP_WAIT:
		stream_take(c->stream, false);
		if (c->account_id != 0)
			stream_deadline(c->stream, 0);
		return;
	case IMAP_MORE:
		stream_take(c->stream, false);
		if (c->is_draining)
			return;
		c->is_draining = true;
		if (!stream_is_full(c->stream))
			loop_defer(c->server->parts.loop, go_on_writing, c);
		return;
	case IMAP_STARTTLS:
		start_tls(c);
		return;
	case IMAP_CLOSE:
		if (imap_session_fault(c->session) != OK)
			tell_refused(c, imap_session_fault(c->session), STR(""),
			             err_get(imap_session_fault(c->session))->word);
		stream_close(c->stream);
		return;
	}
}

static void
on_data(void *arg)
{
	struct imap_conn *c = imap_conn_of(arg);

	if (!c->is_greeted || c->is_draining || imap_session_is_waiting(c->session))
		return;
	follow(c, IMAP_READ);
}

static void
on_drained(void *arg)
{
	struct imap_conn *c = imap_conn_of(arg);

	if (c->is_draining)
		go_on_writing(c);
	else if (c->q.wants_room)
		go_on_asking(c);
}

static void
greet(struct imap_conn *c)
{
	c->is_greeted = true;
	imap_session_greet(c->session, stream_output(c->stream));
	follow(c, IMAP_READ);
}

static void
on_secured(void *arg)
{
	struct imap_conn *c = imap_conn_of(arg);

	if (c->is_implicit_tls) {
		greet(c);
		return;
	}
	imap_session_secured(c->session);
	follow(c, IMAP_READ);
}

static void
on_timeout(void *arg)
{
	struct imap_conn *c = imap_conn_of(arg);

	if (!c->is_greeted) {
		stream_close(c->stream);
		return;
	}
	say_goodbye(c, c->account_id ? STR("Autologout, idle for too long")
	                             : STR("Too slow to log in"));
}

static void
conn_free(struct imap_conn *c)
{
	struct imap_server *s = c->server;

	/* The session says goodbye to its mailbox and to what it was appending. */
	imap_session_free(&c->session);
	forget_question(c);
	loop_defer_cancel(s->parts.loop, go_on_writing, c);
	imap_body_forget(c);
	imap_append_abort(c);
	feed_close(&c->feed);
	stream_free(&c->stream);
	limiter_leave(&c->place);
	strbuf_release(&c->address);
	settings_drop(c->settings);
	list_remove(&c->link);
	mem_free(c);
	if (s->is_stopping && list_is_empty(&s->conns) && s->stopped) {
		loop_fn *stopped = s->stopped;

		s->stopped = NULL;
		stopped(s->stopped_arg);
	}
}

static void
on_closed(void *arg, enum stream_end why, const char *detail)
{
	struct imap_conn *c = imap_conn_of(arg);
	char bytes[ADDR_TEXT_MAX];

	if (why == STREAM_TLS || why == STREAM_TLS_TIMEOUT)
		event_tell_tls_failed(STR("imap"), id_str(&c->id),
		                      addr_ip_text(&c->peer, &bytes),
		                      stream_end_word(why), detail);
	log_line(LEVEL_DEBUG, "imap.disconnect",
	         "session=%s reason=%s state=%s command=%s", c->id.text,
	         stream_end_word(why),
	         c->session ? imap_state_word(imap_session_state(c->session)) : "none",
	         c->session ? imap_session_command(c->session) : "");
	conn_free(c);
}

static const struct stream_ops stream_callbacks = {
	.data = on_data,
	.drained = on_drained,
	.secured = on_secured,
	.timeout = on_timeout,
	.closed = on_closed,
};

/* --- the server */

struct imap_server *
imap_server_new(const struct imap_server_parts *parts)
{
	struct imap_server *s = mem_alloc(sizeof(*s));

	s->parts = *parts;
	s->parts.conf = NULL;
	s->settings = settings_new(parts->conf);
	list_init(&s->conns);
	list_init(&s->undos);
	list_init(&s->kept);
	timer_init(&s->kept_timer, parts->loop, imap_body_expire, s);
	return s;
}

void
imap_server_set_conf(struct imap_server *s, const struct conf *conf)
{
	settings_drop(s->settings);
	s->settings = settings_new(conf);
}

void
imap_server_free(struct imap_server **s)
{
	if (!*s)
		return;
	(*s)->stopped = NULL;
	LIST_EACH(&(*s)->conns, l)
	conn_free(CONTAINER_OF(l, struct imap_conn, link));
	imap_undo_stop(*s);
	timer_stop(&(*s)->kept_timer);
	settings_drop((*s)->settings);
	mem_free((*s)->entries);
	mem_free((*s)->uids);
	mem_free(*s);
	*s = NULL;
}

static bool
may_log_in_plain(const struct imap_settings *s, const struct addr *peer)
{
	const struct net *nets = (const struct net *)(const void *)s->plaintext_auth.p;

	return nets_have(nets, s->plaintext_auth.n / sizeof(*nets), peer);
}

static bool
may_go(void *arg)
{
	const struct imap_conn *c = imap_conn_of(arg);

	return !c->q.call && !c->q.step &&
	       (!c->account_id || imap_session_is_at_rest(c->session));
}

/* Its place is another's: who is logged in hears why. */
static void
on_dismissed(void *arg)
{
	struct imap_conn *c = imap_conn_of(arg);

	log_line(LEVEL_DEBUG, "imap.disconnect", "session=%s reason=%s state=%s",
	         c->id.text, err_get(ERR_BUSY)->word,
	         imap_state_word(imap_session_state(c->session)));
	if (c->account_id)
		say_goodbye(c, STR("Too many connections, others need some"));
	else
		conn_free(c);
}

static const struct limiter_ops place_ops = { .may_go = may_go, .go = on_dismissed };

void
imap_server_accept(struct imap_server *s, enum conf_protocol protocol,
                   const struct accepted *a)
{
	struct imap_conn *c = mem_alloc(sizeof(*c));
	size_t dropped;

	if (!s->entries) {
		s->entries = mem_alloc(IMAP_SCRATCH_ROWS * sizeof(*s->entries));
		s->uids = mem_alloc(IMAP_SCRATCH_ROWS * sizeof(*s->uids));
	}
	c->magic = IMAP_CONN_MAGIC;
	c->server = s;
	c->settings = s->settings;
	c->settings->refs++;
	c->peer = a->peer;
	c->id = id_new("ses_");
	c->is_implicit_tls = conf_protocol_is_tls(protocol);
	c->address = strbuf_heap(512);
	c->conf = c->settings->session;
	c->conf.has_starttls =
		!c->is_implicit_tls && s->parts.tls && tls_server_is_ready(s->parts.tls);
	c->conf.has_plaintext_auth = may_log_in_plain(c->settings, &c->peer);
	limiter_hold(s->parts.limiter, &c->place, &a->peer, &place_ops, c);
	list_add_last(&s->conns, &c->link);
	c->session = imap_session_new(&c->conf, &imap_conn_ops, c, c->is_implicit_tls);
	c->stream = stream_new(s->parts.loop, a->fd, &stream_callbacks,
	                       &c->settings->stream, c);
	stream_deadline(c->stream, c->settings->login_ms);
	if (c->is_implicit_tls)
		stream_start_tls_server(c->stream, s->parts.tls, TLS_ALPN_IMAP, &dropped);
	else
		greet(c);
}

void
imap_server_stop(struct imap_server *s, loop_fn *done, void *arg)
{
	s->is_stopping = true;
	if (list_is_empty(&s->conns)) {
		done(arg);
		return;
	}
	s->stopped = done;
	s->stopped_arg = arg;
	LIST_EACH(&s->conns, l)
	{
		struct imap_conn *c = CONTAINER_OF(l, struct imap_conn, link);

		if (!c->is_greeted)
			stream_close(c->stream);
		else if (imap_session_is_at_rest(c->session))
			say_goodbye(c, STR("Server shutting down"));
	}
}

static int64_t
now_ms(void *arg)
{
	(void)arg;
	return clock_unix_ms();
}

const struct imap_ops imap_conn_ops = {
	.now_ms = now_ms,
	.left = imap_box_left,
	.login = imap_ask_login,
	.open = imap_ask_open,
	.status = imap_ask_status,
	.boxes = imap_ask_boxes,
	.create = imap_ask_create,
	.remove = imap_ask_remove,
	.rename = imap_ask_rename,
	.subscribe = imap_ask_subscribe,
	.map = imap_ask_map,
	.rows = imap_ask_rows,
	.changes = imap_ask_changes,
	.body = imap_ask_body,
	.store = imap_ask_store,
	.copy = imap_ask_copy,
	.expunge = imap_ask_expunge,
	.append_begin = imap_ask_append_begin,
	.append_data = imap_append_data,
	.append_end = imap_ask_append_end,
	.append_commit = imap_ask_append_commit,
	.append_abort = imap_append_abort,
};
