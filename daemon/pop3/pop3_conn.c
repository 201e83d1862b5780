/* pop3_conn.c - one connection: bytes between the stream and the session core, and the
 * session's questions.
 *
 *   on_data, on_drained, answers -> follow -> pop3_session_input
 *   follow: READ sets the deadline, WAIT stops reading, MORE waits for the stream,
 *           STARTTLS and CLOSE go to it. Every path ends in on_closed, which frees.
 */
#include "base/event.h"
#include "base/ids.h"
#include "base/list.h"
#include "base/mem.h"
#include "base/panic.h"
#include "io/stream.h"
#include "pop3/pop3_server.h"
#include "pop3/pop3_session.h"

enum {
	POP3_CONN_MAGIC = 0x504f5033,
	SLICE_ROWS = 4096, /* of the maildrop read before others have their turn */
	BOX_BYTES = 8192,
	TRIES_MAX = 2, /* to open a body that compaction moves */
};

/* What of the configuration a connection follows, from its beginning to its end. */
struct pop3_settings {
	unsigned refs;
	struct strbuf hostname;
	struct strbuf plaintext_auth; /* struct net[] */
	struct pop3_conf session;     /* has_… are the connection's own */
	struct stream_limits stream;
	int64_t login_ms, idle_ms;
};

struct pop3_server {
	struct pop3_server_parts parts;
	struct pop3_settings *settings;
	struct link conns;
	bool is_stopping;
	loop_fn *stopped;
	void *stopped_arg;
	struct entry *entries; /* SLICE_ROWS */
};

struct pop3_conn {
	uint32_t magic;
	struct link link;
	struct pop3_server *server;
	struct pop3_settings *settings;
	struct pop3_conf conf;
	struct stream *stream;
	struct pop3_session *session;
	struct addr peer;
	struct id id;
	bool is_implicit_tls, is_greeted, is_draining;
	uint64_t account_id, mailbox_id;

	/* the question that is out */
	loop_fn *step; /* deferred; NULL: none */
	uint64_t call; /* of the store */
	uint32_t uid;  /* where the maildrop is read on, or the message that is wanted */
	struct str *message_out;
	struct body *body;            /* the message being sent */
	struct body_reading *reading; /* a large one: on a thread */
	enum err open_error;
	unsigned tries;
	/* QUIT: what is to go, and from where on it has not yet */
	struct strbuf gone; /* struct uid_range[] */
	uint32_t gone_next;
};

static void follow(struct pop3_conn *c, enum pop3_next next);

static struct pop3_conn *
conn_of(void *arg)
{
	return CAST(pop3_conn, POP3_CONN_MAGIC, arg);
}

/* ---- questions ------------------------------------------------------------------- */

static void
ask(struct pop3_conn *c, loop_fn *step)
{
	c->step = step;
	loop_defer(c->server->parts.loop, step, c);
}

static void
answer(struct pop3_conn *c, enum err e)
{
	c->step = NULL;
	c->call = 0;
	follow(c, pop3_session_resume(c->session, e, stream_output(c->stream)));
}

static void
on_auth(void *arg, enum err e, const struct answer_auth *answer_in)
{
	struct pop3_conn *c = conn_of(arg);

	if (e == OK)
		c->account_id = answer_in->id;
	answer(c, e);
}

static void
ask_login(void *arg, struct str user, struct str password)
{
	struct pop3_conn *c = conn_of(arg);
	char bytes[ADDR_TEXT_MAX];
	struct op_auth op = {
		.kind = LOGIN_ACCOUNT,
		.protocol = STR("pop3"),
		.name = user,
		.password = password,
		.ip = addr_ip_text(&c->peer, &bytes),
		.session_id = id_str(&c->id),
	};

	c->call = store_auth(c->server->parts.store, &op, on_auth, c);
}

/* One slice of INBOX. */
static void
read_slice(void *arg)
{
	struct pop3_conn *c = conn_of(arg);
	struct pop3_server *s = c->server;
	size_t count = 0;
	enum err e = reader_entries(
		s->parts.reader,
		&(struct entry_span){ c->mailbox_id, c->uid, UINT32_MAX, 0 }, s->entries,
		SLICE_ROWS, &count);

	if (e != OK) {
		answer(c, e);
		return;
	}
	for (size_t i = 0; i < count; i++) {
		if (!pop3_session_entry(c->session, s->entries[i].uid,
		                        s->entries[i].size)) {
			answer(c, OK);
			return;
		}
	}
	if (count < SLICE_ROWS || s->entries[count - 1].uid == UINT32_MAX) {
		answer(c, OK);
		return;
	}
	c->uid = s->entries[count - 1].uid + 1;
	ask(c, read_slice);
}

static void
find_inbox(void *arg)
{
	struct pop3_conn *c = conn_of(arg);
	struct arena *a = arena_new(BOX_BYTES);
	struct mailbox_info box;
	enum err e = reader_mailbox(c->server->parts.reader, c->account_id, STR("INBOX"),
	                            a, &box);

	if (e == OK) {
		c->mailbox_id = box.id;
		c->uid = 1;
		pop3_session_begin(c->session, box.uidvalidity);
		ask(c, read_slice);
	}
	arena_free(&a);
	if (e != OK)
		answer(c, e);
}

static void
ask_open(void *arg)
{
	ask(conn_of(arg), find_inbox);
}

static void
message_there(struct pop3_conn *c, enum err e)
{
	if (e == OK)
		*c->message_out = body_bytes(c->body);
	if (e == OK && !c->message_out->p)
		*c->message_out = STR("");
	answer(c, e);
}

static void read_message(void *arg);

static void
large_read(void *arg, enum err e, struct body *body)
{
	struct pop3_conn *c = conn_of(arg);

	c->reading = NULL;
	c->body = body;
	/* A body that is gone has been moved by compaction: the row, read again, knows
	   where to. */
	if (e == ERR_NOT_FOUND && c->tries < TRIES_MAX)
		ask(c, read_message);
	else
		message_there(c, e);
}

static bool
on_message(void *arg, const struct entry *e, const struct message *m)
{
	struct pop3_conn *c = arg;
	struct bodies *bodies = c->server->parts.bodies;

	(void)e;
	c->open_error = OK;
	if (body_is_large(&m->ref))
		c->reading = body_open_later(bodies, &m->ref, large_read, c);
	else
		c->open_error = body_open(bodies, &m->ref, &c->body);
	return false;
}

static void
read_message(void *arg)
{
	struct pop3_conn *c = conn_of(arg);
	enum err e = OK;

	c->step = NULL;
	c->open_error = ERR_NOT_FOUND;
	while (c->tries++ < TRIES_MAX && e == OK && c->open_error == ERR_NOT_FOUND)
		e = reader_messages(
			c->server->parts.reader,
			&(struct entry_span){ c->mailbox_id, c->uid, c->uid, 0 },
			WANT_REF, 1, on_message, c);
	if (!c->reading)
		message_there(c, e == OK ? c->open_error : e);
}

static void
ask_message(void *arg, uint32_t uid, struct str *message_out)
{
	struct pop3_conn *c = conn_of(arg);

	c->uid = uid;
	c->message_out = message_out;
	c->tries = 0;
	ask(c, read_message);
}

static void
release(void *arg)
{
	struct pop3_conn *c = conn_of(arg);

	body_close(&c->body);
}

static void ask_remove_more(void *arg);

static void
on_expunged(void *arg, enum err e, const struct answer_expunge *answer_in)
{
	struct pop3_conn *c = conn_of(arg);

	c->call = 0;
	if (e == OK && answer_in->next_uid) {
		c->gone_next = answer_in->next_uid;
		ask(c, ask_remove_more);
		return;
	}
	strbuf_release(&c->gone);
	answer(c, e);
}

/* The store removes so many at once that others need not wait long. */
static void
ask_remove_more(void *arg)
{
	struct pop3_conn *c = conn_of(arg);
	struct uid_range *uids = (struct uid_range *)(void *)c->gone.p;
	size_t n = c->gone.n / sizeof(*uids);
	struct op_expunge op = {
		.account_id = c->account_id,
		.mailbox_id = c->mailbox_id,
		.all_flags = true,
	};

	while (n > 0 && uids->last < c->gone_next) {
		uids++;
		n--;
	}
	if (n > 0 && uids->first < c->gone_next)
		uids->first = c->gone_next;
	CHECK(n > 0); /* none would mean all */
	op.uids = uids;
	op.uids_count = n;
	c->step = NULL;
	c->call = store_expunge(c->server->parts.store, &op, on_expunged, c);
}

static void
ask_remove(void *arg, const struct uid_range *uids, size_t n)
{
	struct pop3_conn *c = conn_of(arg);

	strbuf_release(&c->gone);
	c->gone = strbuf_heap(size_mul(n, sizeof(*uids)));
	strbuf_bytes(&c->gone, uids, n * sizeof(*uids));
	c->gone_next = 0;
	ask(c, ask_remove_more);
}

static const struct pop3_ops session_ops = {
	.login = ask_login,
	.open = ask_open,
	.message = ask_message,
	.remove = ask_remove,
	.release = release,
};

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
	struct pop3_conn *c = conn_of(arg);

	c->is_draining = false;
	follow(c, pop3_session_drained(c->session, stream_output(c->stream)));
}

static void
tell_refused(struct pop3_conn *c, enum err why, struct str command, const char *reason)
{
	char bytes[ADDR_TEXT_MAX];
	struct event e;

	event_init(&e, EV_COMMAND_REJECTED, (struct str){ NULL, 0 }, id_str(&c->id));
	event_str(&e, "protocol", STR("pop3"));
	if (command.n)
		event_str(&e, "command", command);
	event_str(&e, "ip", addr_ip_text(&c->peer, &bytes));
	event_str(&e, "reason", str_from(reason));
	event_str(&e, "reply", str_from(err_get(why)->text));
	event_tell(&e);
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

static void
follow(struct pop3_conn *c, enum pop3_next next)
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
	struct pop3_conn *c = conn_of(arg);

	if (c->is_greeted && !c->is_draining && !pop3_session_is_waiting(c->session))
		follow(c, POP3_READ);
}

static void
on_drained(void *arg)
{
	struct pop3_conn *c = conn_of(arg);

	if (c->is_draining)
		go_on_writing(c);
}

static void
greet(struct pop3_conn *c)
{
	c->is_greeted = true;
	pop3_session_greet(c->session, stream_output(c->stream));
	follow(c, POP3_READ);
}

static void
on_secured(void *arg)
{
	struct pop3_conn *c = conn_of(arg);

	if (c->is_implicit_tls) {
		greet(c);
		return;
	}
	pop3_session_secured(c->session);
	follow(c, POP3_READ);
}

static void
on_timeout(void *arg)
{
	struct pop3_conn *c = conn_of(arg);

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
	if (c->step)
		loop_defer_cancel(s->parts.loop, c->step, c);
	store_forget(s->parts.store, c->call);
	loop_defer_cancel(s->parts.loop, go_on_writing, c);
	body_reading_forget(&c->reading);
	body_close(&c->body);
	strbuf_release(&c->gone);
	stream_free(&c->stream);
	if (s->parts.limiter)
		limiter_give(s->parts.limiter, &c->peer);
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
	struct event e;

	event_init(&e, EV_TLS_FAILED, (struct str){ NULL, 0 }, id_str(&c->id));
	event_str(&e, "protocol", STR("pop3"));
	event_str(&e, "ip", addr_ip_text(&c->peer, &bytes));
	event_str(&e, "reason", str_from(stream_end_word(why)));
	event_str(&e, "detail", str_from(detail));
	event_tell(&e);
}

static void
on_closed(void *arg, enum stream_end why, const char *detail)
{
	struct pop3_conn *c = conn_of(arg);

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

void
pop3_server_accept(struct pop3_server *s, enum conf_protocol protocol,
                   const struct accepted *a)
{
	struct pop3_conn *c = mem_alloc(sizeof(*c));
	size_t dropped;

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
	list_add_last(&s->conns, &c->link);
	c->session = pop3_session_new(&c->conf, &session_ops, c, c->is_implicit_tls);
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
	s->entries = mem_alloc(SLICE_ROWS * sizeof(*s->entries));
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
