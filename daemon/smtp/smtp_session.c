#include "smtp/smtp_session.h"

#include "base/panic.h"
#include "smtp/smtp_session_priv.h"

#include <stdarg.h>
#include <stdio.h>

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

/* ---- replies --------------------------------------------------------------------- */

enum smtp_next
smtp_reply_last(struct smtp_session *s, struct strbuf *out, enum err e)
{
	const struct err_info *info = err_get(e);

	strbuf_printf(out, "%d %s %s (%s)\r\n", info->smtp, info->enhanced, info->text,
	              s->id.text);
	s->state = SMTP_STATE_CLOSED;
	return SMTP_CLOSE;
}

enum smtp_next
smtp_reply_words(struct smtp_session *s, struct strbuf *out, enum err e, struct str words)
{
	const struct err_info *info = err_get(e);

	strbuf_printf(out, "%d %s ", info->smtp, info->enhanced);
	strbuf_add(out, words.n ? words : str_from(info->text));
	strbuf_printf(out, " (%s)\r\n", s->id.text);
	if (info->smtp == 421) {
		s->state = SMTP_STATE_CLOSED;
		return SMTP_CLOSE;
	}
	/* Of what is put off, only the client's own doing counts against it. */
	if (info->class == ERR_CLASS_PEER && e != ERR_RCPT_MAX)
		s->errors++;
	if (s->errors > s->conf->error_max || s->unknowns > s->conf->unknown_max ||
	    s->auth_failures > s->conf->auth_fail_max) {
		smtp_tell_refused(s, EV_COMMAND_REJECTED, ERR_TOO_MANY_ERRORS, NULL,
		                  (struct str){ NULL, 0 });
		return smtp_reply_last(s, out, ERR_TOO_MANY_ERRORS);
	}
	return SMTP_READ;
}

enum smtp_next
smtp_reply_reset(struct smtp_session *s, struct strbuf *out, enum err e, struct str words)
{
	enum smtp_next next = smtp_reply_words(s, out, e, words);

	if (next == SMTP_CLOSE)
		smtp_transaction_end(s);
	else
		smtp_session_reset(s);
	return next;
}

enum smtp_next
smtp_reply(struct smtp_session *s, struct strbuf *out, enum err e)
{
	return smtp_reply_words(s, out, e, (struct str){ NULL, 0 });
}

enum smtp_next
smtp_reply_about(struct strbuf *out, unsigned code, const char *enhanced,
                 struct str words, struct str object)
{
	strbuf_u64(out, code);
	strbuf_byte(out, ' ');
	if (enhanced) {
		strbuf_add(out, str_from(enhanced));
		strbuf_byte(out, ' ');
	}
	strbuf_add(out, words);
	strbuf_add(out, object);
	strbuf_lit(out, "\r\n");
	return SMTP_READ;
}

enum smtp_next
smtp_reply_good(struct strbuf *out, unsigned code, const char *enhanced, struct str words)
{
	return smtp_reply_about(out, code, enhanced, words, STR(""));
}

/* ---- events ---------------------------------------------------------------------- */

void
smtp_event(const struct smtp_session *s, struct event *e, enum event_id id)
{
	struct str trace = { NULL, 0 };

	if (s->tx)
		trace = id_str(&s->tx->mail.trace_id);
	event_init(e, id, trace, id_str(&s->id));
}

void
smtp_tell(const struct smtp_session *s, struct event *e)
{
	s->ops->tell(s->ops_arg, e);
}

void
smtp_tell_refused(struct smtp_session *s, enum event_id id, enum err why,
                  const char *field, struct str value)
{
	const struct err_info *info = err_get(why);
	struct event e;

	smtp_event(s, &e, id);
	/* A command out of place says nothing about the message that is under way. */
	if (id == EV_COMMAND_REJECTED)
		e.trace_id.n = 0;
	if (field)
		event_str(&e, field, value);
	if (s->tx && id != EV_MAIL_REJECTED)
		event_str(&e, "from", s->tx->mail.from_text);
	event_str(&e, "ip", s->peer.ip);
	event_i64(&e, "code", info->smtp);
	event_str(&e, "enhanced", str_from(info->enhanced));
	event_str(&e, "reason", str_from(info->word));
	event_str(&e, "reply", str_from(info->text));
	smtp_tell(s, &e);
}

/* ---- the way of a command -------------------------------------------------------- */

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

/* Says no to a command, by what the table knows; OK where it may start. */
static enum err
refuse(const struct smtp_session *s, const struct smtp_command *c, struct str args)
{
	if ((c->flags & SMTP_NO_ARGS) && args.n)
		return ERR_COMMAND_ARGS;
	if (!(c->states & 1U << s->state))
		return ERR_SEQUENCE;
	if ((c->flags & SMTP_WANT_ARGS) && args.n == 0)
		return ERR_COMMAND_ARGS;
	if ((c->flags & SMTP_NEED_LOGIN) && s->service == SMTP_SUBMISSION && !s->login.n)
		return smtp_auth_is_offered(s) || !s->conf->has_tls ? ERR_NEED_AUTH
		                                                    : ERR_NEED_TLS;
	return OK;
}

/* Octets follow a BDAT line. Where it is refused itself, nobody knows how many, and they
   must not be read as commands: then the dialogue ends (RFC 3030 2). */
static bool
has_octets(const struct smtp_session *s, struct str line)
{
	return s->state != SMTP_STATE_AUTH && str_skip_icase(&line, STR("BDAT")) &&
	       (!line.n || line.p[0] == ' ' || line.p[0] == '\t');
}

static enum smtp_next
command(struct smtp_session *s, struct str line, struct strbuf *out)
{
	size_t space = str_find(line, ' ');
	struct str verb = str_first(line, space == SIZE_MAX ? line.n : space);
	struct str args = str_trim(str_from_offset(line, verb.n));
	const struct smtp_command *c = smtp_command_find(verb);
	enum err e = c ? refuse(s, c, args) : ERR_COMMAND;

	if (line.n > s->conf->line_max && !str_eq_icase(verb, STR("AUTH")))
		e = ERR_LINE_TOO_LONG;
	if (e == OK && (c->flags & SMTP_LAST) && s->unread) {
		smtp_tell_refused(s, EV_COMMAND_REJECTED, ERR_PIPELINING, "command",
		                  verb);
		return smtp_reply_last(s, out, ERR_PIPELINING);
	}
	if (e != OK) {
		smtp_tell_refused(s, EV_COMMAND_REJECTED, e, "command",
		                  str_first(line, 80));
		return has_octets(s, line) ? smtp_reply_last(s, out, e)
		                           : smtp_reply(s, out, e);
	}
	return c->start(s, args, out);
}

/* ---- lines ----------------------------------------------------------------------- */

/* A refused line is passed over up to its LF, so that its rest is not taken for a
   command; the reply comes at the end of it. Without an end in sight: goodbye. */
static enum smtp_next
skip_line(struct smtp_session *s, struct str in, size_t *used_out, struct strbuf *out)
{
	size_t lf = str_find(in, '\n');
	enum err e = s->line_err;

	*used_out = lf == SIZE_MAX ? in.n : lf + 1;
	s->line_skipped += *used_out;
	if (s->line_skipped > s->conf->line_close) {
		/* As much in one piece as in many. */
		*used_out -= s->line_skipped - s->conf->line_close;
		smtp_tell_refused(s, EV_COMMAND_REJECTED, e, NULL,
		                  (struct str){ NULL, 0 });
		return smtp_reply_last(s, out, e);
	}
	if (lf == SIZE_MAX)
		return SMTP_READ;
	s->line_err = OK;
	s->line_skipped = 0;
	s->progress++;
	smtp_tell_refused(s, EV_COMMAND_REJECTED, e, NULL, (struct str){ NULL, 0 });
	if (s->state == SMTP_STATE_AUTH) {
		smtp_auth_end(s);
		s->state = SMTP_STATE_READY;
	}
	return smtp_reply(s, out, e);
}

static enum smtp_next
refuse_line(struct smtp_session *s, enum line_result why, struct str line, size_t *used,
            struct strbuf *out)
{
	struct str nothing = { NULL, 0 };
	bool is_last = has_octets(s, line);

	switch (why) {
	case LINE_LONG:
		/* The reader looked at more than the line: only its max is ours to take.
		 */
		*used = s->conf->auth_line_max;
		s->line_err =
			s->state == SMTP_STATE_AUTH ? ERR_AUTH_LINE : ERR_LINE_TOO_LONG;
		break;
	case LINE_BARE_CR:
		s->line_err = ERR_BARE_NEWLINE;
		break;
	case LINE_BARE_LF:
		/* The refused line ends here; a person at a terminal should hear why. */
		smtp_tell_refused(s, EV_COMMAND_REJECTED, ERR_BARE_NEWLINE, NULL,
		                  nothing);
		s->progress++;
		if (s->state == SMTP_STATE_AUTH)
			smtp_session_reset(s);
		return is_last ? smtp_reply_last(s, out, ERR_BARE_NEWLINE)
		               : smtp_reply(s, out, ERR_BARE_NEWLINE);
	default:
		/* A NUL is no SMTP at all: TLS on a plain port, or worse. */
		smtp_tell_refused(s, EV_COMMAND_REJECTED, ERR_NUL_BYTE, NULL, nothing);
		return smtp_reply_last(s, out, ERR_NUL_BYTE);
	}
	if (is_last) {
		smtp_tell_refused(s, EV_COMMAND_REJECTED, s->line_err, NULL, nothing);
		return smtp_reply_last(s, out, s->line_err);
	}
	s->line_skipped = *used;
	return SMTP_READ;
}

static enum smtp_next
line_input(struct smtp_session *s, struct str in, size_t *used_out, struct strbuf *out)
{
	enum line_result result;
	struct str line;

	*used_out = 0;
	if (s->line_err != OK)
		return skip_line(s, in, used_out, out);
	result = line_next(&s->line, in, s->conf->auth_line_max, &line, used_out);
	if (result == LINE_MORE)
		return SMTP_READ;
	if (result != LINE_OK)
		return refuse_line(s, result, line, used_out, out);
	s->progress++;
	s->unread = in.n - *used_out;
	return s->state == SMTP_STATE_AUTH ? smtp_auth_line(s, line, out)
	                                   : command(s, line, out);
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
		return line_input(s, in, used_out, out);
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
