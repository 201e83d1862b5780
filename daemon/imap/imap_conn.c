/* imap_conn.c - one connection: the session core, its questions, and what io/served.h
 * asks about both.
 *
 *   an answer -> imap_conn_answer -> imap_session_resume -> served_follow
 */
#include "imap/imap_conn.h"

#include "base/clock.h"
#include "base/mem.h"
#include "base/panic.h"

enum {
	SETTINGS_BUDGET = 1024 * 1024,
};

/* --- settings */

static void
settings_drop(struct imap_settings *s)
{
	struct arena *a = s->arena;

	if (--s->refs == 0)
		arena_free(&a);
}

static struct imap_settings *
settings_new(const struct conf *conf)
{
	const struct conf_limits *l = &conf->limits;
	struct arena *a = arena_new(SETTINGS_BUDGET);
	struct imap_settings *s = ARENA_NEW(a, struct imap_settings);

	s->refs = 1;
	s->arena = a;
	s->plaintext_auth = conf_nets_copy(a, conf->plaintext_auth);
	s->session = imap_conf_default;
	s->session.hostname = arena_str(a, conf->hostname);
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

static enum served_next
next_of(enum imap_next next)
{
	static const enum served_next nexts[] = {
		[IMAP_READ] = SERVED_READ,   [IMAP_WAIT] = SERVED_WAIT,
		[IMAP_MORE] = SERVED_MORE,   [IMAP_STARTTLS] = SERVED_STARTTLS,
		[IMAP_CLOSE] = SERVED_CLOSE,
	};

	return nexts[next];
}

static void
go_on_asking(struct imap_conn *c)
{
	c->q.wants_room = false;
	imap_conn_step(c, c->q.step);
}

struct strbuf *
imap_conn_output(struct imap_conn *c)
{
	return stream_output(c->served.stream);
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
	stream_flush_soon(c->served.stream);
	if (!stream_is_full(c->served.stream))
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
	served_follow(&c->served,
	              next_of(imap_session_resume(c->session, e, imap_conn_output(c))));
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
	enum err e = limiter_know(&c->served.place, account_id);

	if (e != OK)
		return e;
	c->account_id = account_id;
	strbuf_clear(&c->address);
	strbuf_add(&c->address, address);
	return OK;
}

/* --- what is asked of a served connection */

static void
on_greet(void *arg, struct strbuf *out)
{
	imap_session_greet(imap_conn_of(arg)->session, out);
}

static enum served_next
on_input(void *arg, struct str in, size_t *used_out, struct strbuf *out)
{
	return next_of(imap_session_input(imap_conn_of(arg)->session, in, used_out, out));
}

static enum served_next
on_drained(void *arg, struct strbuf *out)
{
	return next_of(imap_session_drained(imap_conn_of(arg)->session, out));
}

static void
on_secured(void *arg, const struct tls_info *tls)
{
	struct imap_conn *c = imap_conn_of(arg);

	(void)tls;
	if (!c->served.is_implicit_tls)
		imap_session_secured(c->session);
}

static bool
is_at_rest(void *arg)
{
	return imap_session_is_at_rest(imap_conn_of(arg)->session);
}

static void
on_bye(void *arg, enum err why, struct strbuf *out)
{
	struct imap_conn *c = imap_conn_of(arg);
	struct str text = STR("Server shutting down");

	if (why == ERR_BUSY)
		text = STR("Too many connections, others need some");
	else if (why == ERR_TIMEOUT)
		text = c->account_id ? STR("Autologout, idle for too long")
		                     : STR("Too slow to log in");
	imap_session_bye(c->session, text, out);
}

/* The time before login is one whole; afterwards it begins anew with every input. */
static void
on_next(void *arg, enum served_next next)
{
	struct imap_conn *c = imap_conn_of(arg);
	enum err fault = imap_session_fault(c->session);

	if (next == SERVED_READ) {
		imap_body_keep(c);
		if (!imap_session_is_at_rest(c->session))
			stream_acknowledge(c->served.stream);
	}
	if (next == SERVED_CLOSE && fault != OK)
		served_tell_refused(&c->served, fault, STR(""), err_get(fault)->word);
	if (c->account_id)
		stream_deadline(c->served.stream,
		                next == SERVED_READ ? c->settings->idle_ms : 0);
}

static void
on_room(void *arg)
{
	struct imap_conn *c = imap_conn_of(arg);

	if (c->q.wants_room)
		go_on_asking(c);
}

static void
on_dropped(void *arg, size_t n)
{
	(void)n;
	served_tell_refused(&imap_conn_of(arg)->served, ERR_PIPELINING, STR("STARTTLS"),
	                    "plaintext_behind_starttls");
}

static void
log_end(const struct imap_conn *c, const char *reason)
{
	log_line(LEVEL_DEBUG, "imap.disconnect",
	         "session=%s reason=%s state=%s command=%s", c->served.id.text, reason,
	         imap_state_word(imap_session_state(c->session)),
	         imap_session_command(c->session));
}

static void
on_closed(void *arg, enum stream_end why, const char *detail)
{
	struct imap_conn *c = imap_conn_of(arg);

	served_tell_closed(&c->served, why, detail);
	log_end(c, stream_end_word(why));
}

static void
on_free(void *arg)
{
	struct imap_conn *c = imap_conn_of(arg);

	/* The session says goodbye to its mailbox and to what it was appending. */
	imap_session_free(&c->session);
	forget_question(c);
	imap_body_forget(c);
	imap_append_abort(c);
	feed_close(&c->feed);
	strbuf_release(&c->address);
	settings_drop(c->settings);
	c->magic = 0;
	mem_free(c);
}

static bool
may_go(void *arg)
{
	const struct imap_conn *c = imap_conn_of(arg);

	return !c->q.call && !c->q.step && (!c->account_id || served_may_go(&c->served));
}

/* Its place is another's: who is logged in hears why. */
static void
on_dismissed(void *arg)
{
	struct imap_conn *c = imap_conn_of(arg);

	log_end(c, err_get(ERR_BUSY)->word);
	if (c->account_id)
		served_bye(&c->served, ERR_BUSY);
	else
		served_free(&c->served);
}

static const struct limiter_ops place_ops = { .may_go = may_go, .go = on_dismissed };

static const struct served_ops served_ops = {
	.name = STR_INIT("imap"),
	.alpn = TLS_ALPN_IMAP,
	.place = &place_ops,
	.greet = on_greet,
	.input = on_input,
	.drained = on_drained,
	.secured = on_secured,
	.is_at_rest = is_at_rest,
	.bye = on_bye,
	.next = on_next,
	.room = on_room,
	.dropped = on_dropped,
	.closed = on_closed,
	.free = on_free,
};

/* --- the server */

struct imap_server *
imap_server_new(const struct imap_server_parts *parts)
{
	struct imap_server *s = mem_alloc(sizeof(*s));

	s->parts = *parts;
	s->parts.conf = NULL;
	s->settings = settings_new(parts->conf);
	served_all_init(&s->conns, parts->loop, parts->tls, parts->limiter);
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
	served_all_fini(&(*s)->conns);
	imap_undo_stop(*s);
	timer_stop(&(*s)->kept_timer);
	settings_drop((*s)->settings);
	mem_free((*s)->entries);
	mem_free((*s)->uids);
	mem_free(*s);
	*s = NULL;
}

void
imap_server_accept(struct imap_server *s, enum conf_protocol protocol,
                   const struct accepted *a)
{
	struct imap_conn *c = mem_alloc(sizeof(*c));
	const struct conf_nets *plain = &s->settings->plaintext_auth;

	if (!s->entries) {
		s->entries = mem_alloc(IMAP_SCRATCH_ROWS * sizeof(*s->entries));
		s->uids = mem_alloc(IMAP_SCRATCH_ROWS * sizeof(*s->uids));
	}
	c->magic = IMAP_CONN_MAGIC;
	c->served = (struct served){ .ops = &served_ops, .arg = c };
	c->server = s;
	c->settings = s->settings;
	c->settings->refs++;
	c->address = strbuf_heap(512);
	served_begin(&c->served, &s->conns, a, conf_protocol_is_tls(protocol));
	c->conf = c->settings->session;
	c->conf.has_starttls = served_has_starttls(&c->served);
	c->conf.has_plaintext_auth = nets_have(plain->p, plain->n, &a->peer);
	c->session =
		imap_session_new(&c->conf, &imap_conn_ops, c, c->served.is_implicit_tls);
	served_start(&c->served, a->fd, &c->settings->stream, c->settings->login_ms);
}

void
imap_server_stop(struct imap_server *s, int64_t patience_ms, loop_fn *done, void *arg)
{
	served_all_stop(&s->conns, patience_ms, done, arg);
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
