/* pop3_conn.c - one connection: the session core, and what io/served.h asks about it.
 * What the session asks is in pop3_ask_conn.c.
 *
 *   an answer -> pop3_conn_answer -> pop3_session_resume -> served_follow
 */
#include "base/event.h"
#include "base/mem.h"
#include "pop3/pop3_conn_priv.h"

enum {
	SETTINGS_BUDGET = 1024 * 1024,
};

/* ---- settings ---------------------------------------------------------------------- */

static void
settings_drop(struct pop3_settings *s)
{
	struct arena *a = s->arena;

	if (--s->refs == 0)
		arena_free(&a);
}

static struct pop3_settings *
settings_new(const struct conf *conf)
{
	const struct conf_limits *l = &conf->limits;
	struct arena *a = arena_new(SETTINGS_BUDGET);
	struct pop3_settings *s = ARENA_NEW(a, struct pop3_settings);

	s->refs = 1;
	s->arena = a;
	s->plaintext_auth = conf_nets_copy(a, conf->plaintext_auth);
	s->session = pop3_conf_default;
	s->session.hostname = arena_str(a, conf->hostname);
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

/* ---- what is asked of a served connection ------------------------------------------ */

static enum served_next
next_of(enum pop3_next next)
{
	static const enum served_next nexts[] = {
		[POP3_READ] = SERVED_READ,   [POP3_WAIT] = SERVED_WAIT,
		[POP3_MORE] = SERVED_MORE,   [POP3_STARTTLS] = SERVED_STARTTLS,
		[POP3_CLOSE] = SERVED_CLOSE,
	};

	return nexts[next];
}

void
pop3_conn_answer(struct pop3_conn *c, enum err e)
{
	c->step = NULL;
	c->call = 0;
	served_follow(&c->served,
	              next_of(pop3_session_resume(c->session, e,
	                                          stream_output(c->served.stream))));
}

static void
on_greet(void *arg, struct strbuf *out)
{
	pop3_session_greet(pop3_conn_of(arg)->session, out);
}

static enum served_next
on_input(void *arg, struct str in, size_t *used_out, struct strbuf *out)
{
	return next_of(pop3_session_input(pop3_conn_of(arg)->session, in, used_out, out));
}

static enum served_next
on_drained(void *arg, struct strbuf *out)
{
	return next_of(pop3_session_drained(pop3_conn_of(arg)->session, out));
}

static void
on_secured(void *arg, const struct tls_info *tls)
{
	struct pop3_conn *c = pop3_conn_of(arg);

	(void)tls;
	if (!c->served.is_implicit_tls)
		pop3_session_secured(c->session);
}

static bool
is_at_rest(void *arg)
{
	return pop3_session_is_at_rest(pop3_conn_of(arg)->session);
}

static void
on_bye(void *arg, enum err why, struct strbuf *out)
{
	struct str text = STR("Server shutting down");

	if (why == ERR_BUSY)
		text = STR("Too many connections, others need some");
	else if (why == ERR_TIMEOUT) /* RFC 1939 3: nothing is deleted then. */
		text = STR("Idle for too long");
	pop3_session_bye(pop3_conn_of(arg)->session, text, out);
}

/* The time before login is one whole; afterwards it begins anew with every input. */
static void
on_next(void *arg, enum served_next next)
{
	struct pop3_conn *c = pop3_conn_of(arg);
	enum err fault = pop3_session_fault(c->session);

	if (next == SERVED_CLOSE && fault != OK)
		served_tell_refused(&c->served, fault, STR(""), err_get(fault)->word);
	if (c->account_id)
		stream_deadline(c->served.stream,
		                next == SERVED_READ ? c->settings->idle_ms : 0);
}

static void
on_dropped(void *arg, size_t n)
{
	(void)n;
	served_tell_refused(&pop3_conn_of(arg)->served, ERR_PIPELINING, STR("STLS"),
	                    "plaintext_behind_starttls");
}

static void
log_end(const struct pop3_conn *c, const char *reason)
{
	log_line(LEVEL_DEBUG, "pop3.disconnect", "session=%s reason=%s state=%s",
	         c->served.id.text, reason,
	         pop3_state_word(pop3_session_state(c->session)));
}

static void
on_closed(void *arg, enum stream_end why, const char *detail)
{
	struct pop3_conn *c = pop3_conn_of(arg);

	served_tell_closed(&c->served, why, detail);
	log_end(c, stream_end_word(why));
}

static void
on_free(void *arg)
{
	struct pop3_conn *c = pop3_conn_of(arg);

	pop3_session_free(&c->session); /* releases the message */
	pop3_conn_forget(c);
	settings_drop(c->settings);
	c->magic = 0;
	mem_free(c);
}

static bool
may_go(void *arg)
{
	const struct pop3_conn *c = pop3_conn_of(arg);

	return !c->call && !c->step && (!c->account_id || served_may_go(&c->served));
}

/* As for IMAP, with which it shares the room. */
static void
on_dismissed(void *arg)
{
	struct pop3_conn *c = pop3_conn_of(arg);

	log_end(c, err_get(ERR_BUSY)->word);
	if (c->account_id)
		served_bye(&c->served, ERR_BUSY);
	else
		served_free(&c->served);
}

static const struct limiter_ops place_ops = { .may_go = may_go, .go = on_dismissed };

static const struct served_ops served_ops = {
	.name = STR_INIT("pop3"),
	.alpn = TLS_ALPN_POP3,
	.place = &place_ops,
	.greet = on_greet,
	.input = on_input,
	.drained = on_drained,
	.secured = on_secured,
	.is_at_rest = is_at_rest,
	.bye = on_bye,
	.next = on_next,
	.dropped = on_dropped,
	.closed = on_closed,
	.free = on_free,
};

/* ---- the server -------------------------------------------------------------------- */

void
pop3_server_accept(struct pop3_server *s, enum conf_protocol protocol,
                   const struct accepted *a)
{
	struct pop3_conn *c = mem_alloc(sizeof(*c));
	const struct conf_nets *plain = &s->settings->plaintext_auth;

	if (!s->entries)
		s->entries = mem_alloc(POP3_SLICE_ROWS * sizeof(*s->entries));
	c->magic = POP3_CONN_MAGIC;
	c->served = (struct served){ .ops = &served_ops, .arg = c };
	c->server = s;
	c->settings = s->settings;
	c->settings->refs++;
	served_begin(&c->served, &s->conns, a, conf_protocol_is_tls(protocol));
	c->conf = c->settings->session;
	c->conf.has_starttls = served_has_starttls(&c->served);
	c->conf.has_plaintext_auth = nets_have(plain->p, plain->n, &a->peer);
	c->session =
		pop3_session_new(&c->conf, &pop3_conn_ops, c, c->served.is_implicit_tls);
	served_start(&c->served, a->fd, &c->settings->stream, c->settings->login_ms);
}

struct pop3_server *
pop3_server_new(const struct pop3_server_parts *parts)
{
	struct pop3_server *s = mem_alloc(sizeof(*s));

	s->parts = *parts;
	s->parts.conf = NULL;
	s->settings = settings_new(parts->conf);
	served_all_init(&s->conns, parts->loop, parts->tls, parts->limiter);
	return s;
}

void
pop3_server_free(struct pop3_server **s)
{
	if (!*s)
		return;
	served_all_fini(&(*s)->conns);
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
pop3_server_stop(struct pop3_server *s, int64_t patience_ms, loop_fn *done, void *arg)
{
	served_all_stop(&s->conns, patience_ms, done, arg);
}
