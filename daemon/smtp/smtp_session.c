#include "smtp/smtp_session.h"

#include "base/panic.h"
#include "smtp/smtp_session_priv.h"

static const char *const state_words[] = {
#define STATE(name, word, text) [SMTP_STATE_##name] = word,
#include "smtp/smtp_states.def"
#undef STATE
};
_Static_assert(ARRAY_LEN(state_words) == SMTP_STATE_COUNT, "one word for each state");

/* ---- life ------------------------------------------------------------------------ */

static void
copy_peer(struct smtp_session *s, const struct smtp_peer *peer)
{
	struct arena *a = arena_new(SMTP_PEER_BUDGET);

	s->peer = *peer;
	s->peer.ip = arena_str(a, str_first(peer->ip, 64));
	s->peer.host = arena_str(a, str_first(peer->host, ADDRESS_DOMAIN_MAX));
	/* Only now: XCLIENT hands in a peer that borrows from the old one. */
	arena_free(&s->peer_arena);
	s->peer_arena = a;
}

struct smtp_session *
smtp_session_new(const struct smtp_conf *conf, enum smtp_service service,
                 const struct smtp_peer *peer, struct id id, const struct smtp_ops *ops,
                 void *ops_arg)
{
	struct arena *a = arena_new(SMTP_SELF_BUDGET);
	struct smtp_session *s = ARENA_NEW(a, struct smtp_session);

	s->arena = a;
	s->conf = conf;
	s->ops = ops;
	s->ops_arg = ops_arg;
	s->id = id;
	s->service = service;
	s->state = SMTP_STATE_GREETING;
	s->hello_arena = arena_new(SMTP_HELLO_BUDGET);
	s->login_arena = arena_new(SMTP_LOGIN_BUDGET);
	copy_peer(s, peer);
	return s;
}

void
smtp_session_free(struct smtp_session **s)
{
	struct arena *a;

	if (!*s)
		return;
	a = (*s)->arena; /* the session lies in its own arena */
	smtp_transaction_end(*s);
	smtp_auth_end(*s);
	arena_free(&(*s)->peer_arena);
	arena_free(&(*s)->hello_arena);
	arena_free(&(*s)->login_arena);
	arena_free(&a);
	*s = NULL;
}

void
smtp_session_set_peer(struct smtp_session *s, const struct smtp_peer *peer)
{
	copy_peer(s, peer);
}

void
smtp_transaction_begin(struct smtp_session *s)
{
	struct arena *a = arena_new(SMTP_MAIL_BUDGET);

	CHECK(!s->tx);
	s->tx = ARENA_NEW(a, struct smtp_transaction);
	s->tx->arena = a;
	s->tx->last = &s->tx->mail.rcpts;
}

void
smtp_transaction_end(struct smtp_session *s)
{
	struct arena *a;

	if (!s->tx)
		return;
	s->ops->forget(s->ops_arg);
	a = s->tx->arena; /* the transaction lies in its own arena */
	s->tx = NULL;
	arena_free(&a);
}

void
smtp_session_reset(struct smtp_session *s)
{
	smtp_transaction_end(s);
	smtp_auth_end(s);
	s->state = s->helo.n ? SMTP_STATE_READY : SMTP_STATE_HELO;
}

struct str
smtp_address_text(struct arena *a, const struct address *address)
{
	struct strbuf text = strbuf_arena(a, ADDRESS_KEY_MAX);

	if (address->domain.n == 0)
		return address->local;
	address_format(&text, address);
	return strbuf_str(&text);
}

/* ---- questions ------------------------------------------------------------------- */

enum smtp_next
smtp_ask(struct smtp_session *s, smtp_resume_fn *resume)
{
	CHECK(!s->resume);
	s->resume = resume;
	return SMTP_WAIT;
}

/* That a page of ours is damaged is no fault of this message: told for good, it would
   go back to its writer; told for now, it comes again when the page is mended. */
static enum err
for_now(enum err e)
{
	return e == ERR_CORRUPT ? ERR_IO : e;
}

enum smtp_next
smtp_session_resume(struct smtp_session *s, const struct smtp_answer *answer,
                    struct strbuf *out)
{
	smtp_resume_fn *resume = s->resume;
	struct smtp_answer own = *answer;

	CHECK(resume);
	own.err = for_now(answer->err);
	s->resume = NULL;
	s->progress++;
	s->unread = answer->unread;
	return resume(s, &own, out);
}

/* ---- input ----------------------------------------------------------------------- */

static enum smtp_next
input_once(struct smtp_session *s, struct str in, size_t *used_out, struct strbuf *out)
{
	switch (s->state) {
	case SMTP_STATE_GREETING:
		*used_out = in.n;
		smtp_tell_refused(s, EV_COMMAND_REJECTED, ERR_PIPELINING, NULL,
		                  (struct str){ NULL, 0 });
		return smtp_reply_last(s, out, ERR_PIPELINING);
	case SMTP_STATE_DATA:
	case SMTP_STATE_CHUNK:
	case SMTP_STATE_SKIP:
		return smtp_content_input(s, in, used_out, out);
	default:
		return smtp_line_input(s, in, used_out, out);
	}
}

static bool
is_over(const struct smtp_session *s)
{
	return s->state == SMTP_STATE_CLOSED || s->state == SMTP_STATE_QUIT;
}

enum smtp_next
smtp_session_input(struct smtp_session *s, struct str in, size_t *used_out,
                   struct strbuf *out)
{
	enum smtp_next next = SMTP_READ;
	size_t used = 0;

	CHECK(!s->resume && !is_over(s));
	while (next == SMTP_READ && used < in.n && out->n < SMTP_OUT_PAUSE) {
		size_t n = 0;

		next = input_once(s, str_from_offset(in, used), &n, out);
		used += n;
		if (n == 0 && next == SMTP_READ)
			break;
	}
	if (next == SMTP_CLOSE && !is_over(s))
		s->state = SMTP_STATE_CLOSED;
	*used_out = used;
	return next;
}

/* ---- from outside ---------------------------------------------------------------- */

void
smtp_session_greet(struct smtp_session *s, struct strbuf *out)
{
	struct event e;

	CHECK(s->state == SMTP_STATE_GREETING);
	smtp_event(s, &e, EV_CONNECT);
	event_str(&e, "ip", s->peer.ip);
	event_i64(&e, "port", s->peer.port);
	event_str(&e, "service", s->service == SMTP_MX ? STR("smtp") : STR("submission"));
	smtp_tell(s, &e);
	s->state = SMTP_STATE_HELO;
	strbuf_lit(out, "220 ");
	strbuf_add(out, s->conf->hostname);
	strbuf_lit(out, " ESMTP Mailstead\r\n");
}

void
smtp_session_secured(struct smtp_session *s, struct str tls, struct str cipher)
{
	struct event e;

	CHECK(!s->resume);
	smtp_transaction_end(s);
	smtp_auth_end(s);
	arena_reset(s->hello_arena);
	arena_reset(s->login_arena);
	s->helo = s->login = (struct str){ NULL, 0 };
	s->is_esmtp = false;
	s->line = (struct line_reader){ 0 };
	/* Once in a session at most, so it cannot fill the arena. */
	s->tls = arena_printf(s->arena, "%.*s %.*s", STR_ARG(str_first(tls, 32)),
	                      STR_ARG(str_first(cipher, 64)));
	if (s->state != SMTP_STATE_GREETING)
		s->state = SMTP_STATE_HELO;
	smtp_event(s, &e, EV_TLS);
	event_str(&e, "tls", tls);
	event_str(&e, "cipher", cipher);
	smtp_tell(s, &e);
}

void
smtp_session_lost(const struct smtp_session *s, enum err why)
{
	const struct smtp_transaction *tx = s->tx;
	struct event e;

	/* While the store is asked, what becomes of the message is its to say. */
	if (s->resume || (s->state != SMTP_STATE_DATA && s->state != SMTP_STATE_CHUNK &&
	                  s->state != SMTP_STATE_BETWEEN))
		return;
	smtp_event(s, &e, EV_DATA_REJECTED);
	event_str(&e, "from", tx->mail.from_text);
	event_str(&e, "rcpt", tx->mail.rcpts->text);
	event_i64(&e, "rcpts", (int64_t)tx->mail.rcpt_count);
	event_i64(&e, "size", (int64_t)tx->data.size);
	event_str(&e, "ip", s->peer.ip);
	event_str(&e, "reason", str_from(err_get(why)->word));
	event_str(&e, "reply", str_from(err_get(why)->text));
	smtp_tell(s, &e);
}

void
smtp_session_end(struct smtp_session *s, enum err why, struct strbuf *out)
{
	if (is_over(s))
		return;
	/* Whoever ended a message wrongly and waits should hear that, and not of time. */
	if ((s->state == SMTP_STATE_DATA || s->state == SMTP_STATE_CHUNK) &&
	    s->tx->data.err != OK && why == ERR_TIMEOUT)
		why = s->tx->data.err;
	smtp_session_lost(s, why);
	s->resume = NULL;
	(void)smtp_reply_last(s, out, why);
	smtp_transaction_end(s);
	smtp_auth_end(s);
}

enum smtp_patience
smtp_session_patience(const struct smtp_session *s)
{
	if (s->state != SMTP_STATE_DATA && s->state != SMTP_STATE_CHUNK)
		return SMTP_PATIENCE_COMMAND;
	return s->tx->data.err == ERR_BARE_NEWLINE ? SMTP_PATIENCE_REFUSED
	                                           : SMTP_PATIENCE_CONTENT;
}

uint64_t
smtp_session_progress(const struct smtp_session *s)
{
	return s->progress;
}

bool
smtp_session_is_idle(const struct smtp_session *s)
{
	return !s->resume && s->line_err == OK && s->line.seen == 0 &&
	       (s->state == SMTP_STATE_HELO || s->state == SMTP_STATE_READY);
}

bool
smtp_session_may_give_way(const struct smtp_session *s, bool is_long)
{
	bool is_content = s->state == SMTP_STATE_DATA || s->state == SMTP_STATE_CHUNK ||
	                  s->state == SMTP_STATE_BETWEEN || s->state == SMTP_STATE_SKIP;

	return !s->resume && !s->login.n && (is_long || !is_content);
}

bool
smtp_session_has_delivered(const struct smtp_session *s)
{
	return s->has_delivered;
}

bool
smtp_session_has_quit(const struct smtp_session *s)
{
	return s->state == SMTP_STATE_QUIT;
}

const struct smtp_peer *
smtp_session_peer(const struct smtp_session *s)
{
	return &s->peer;
}

const struct id *
smtp_session_id(const struct smtp_session *s)
{
	return &s->id;
}

struct str
smtp_session_login(const struct smtp_session *s)
{
	return s->login;
}

struct str
smtp_session_helo(const struct smtp_session *s)
{
	return s->helo;
}

const struct smtp_mail *
smtp_session_mail(const struct smtp_session *s)
{
	return s->tx ? &s->tx->mail : NULL;
}

const char *
smtp_session_state(const struct smtp_session *s)
{
	return state_words[s->state];
}

void
smtp_session_check(const struct smtp_session *s)
{
	bool is_in_mail = s->state == SMTP_STATE_MAIL || s->state == SMTP_STATE_RCPT ||
	                  s->state == SMTP_STATE_DATA || s->state == SMTP_STATE_CHUNK ||
	                  s->state == SMTP_STATE_BETWEEN;
	size_t rcpts = 0;

	CHECK(s->state < SMTP_STATE_COUNT);
	CHECK(!is_in_mail || s->tx);
	CHECK(s->tx || !is_in_mail);
	CHECK((s->state == SMTP_STATE_AUTH) <= (s->sasl.arena != NULL));
	CHECK(s->login.n == 0 || s->helo.n || s->state <= SMTP_STATE_HELO || is_over(s));
	if (!s->tx)
		return;
	for (const struct smtp_rcpt *r = s->tx->mail.rcpts; r; r = r->next)
		rcpts++;
	CHECK(rcpts == s->tx->mail.rcpt_count);
	CHECK(rcpts <= s->conf->rcpt_max);
	CHECK(s->state != SMTP_STATE_RCPT || rcpts > 0);
	CHECK((s->state != SMTP_STATE_DATA && s->state != SMTP_STATE_CHUNK) ||
	      s->tx->head);
}
