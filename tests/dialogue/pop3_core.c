/* The POP3 session in a small world of its own.
 *
 * ann@example.org has the password "secret" and three messages (UIDs 3, 7, 8, UIDVALIDITY
 * 12); the second begins lines with dots and does not end its last one. @bare yes: there
 * is one message, with lines that end in LF alone. @secure yes, @tls no, @plain yes,
 * @many N (messages instead of those three), @big N (one message of N lines), @login,
 * @open, @remove WORD (an error of err.def), @gone UID, @soft N (bytes at which an
 * answer pauses) set it up. "remove 3:7 8:8" is logged.
 */
#include "base/arena.h"
#include "base/mem.h"
#include "pop3/pop3_session.h"
#include "tests/dialogue/dialogue.h"

enum question {
	NOTHING,
	LOGIN,
	OPEN,
	MESSAGE,
	REMOVE,
	DRAINED, /* not a question: the buffer was full */
};

struct world {
	struct pop3_conf conf;
	struct pop3_session *session;
	struct strbuf *log;
	enum question asked;
	enum err answer, on_login, on_open, on_remove;
	uint32_t uid, gone_uid, many;
	struct str *message;
	struct strbuf big;
	bool is_secure, is_held, is_bare;
};

static const struct {
	uint32_t uid;
	struct str text;
} messages[] = {
	{ 3, STR_INIT("Subject: one\r\n\r\nHello\r\nWorld\r\n") },
	{ 7, STR_INIT("Subject: two\r\n\r\n.\r\n..dot\r\nend") },
	{ 8, STR_INIT("Subject: three\r\n\r\n") },
};

static const struct str bare = STR_INIT("Subject: bare\n\nend of\n.\n.x\r\nmixed\r\n\n");

static void
ask_login(void *arg, struct str user, struct str password)
{
	struct world *w = arg;

	w->asked = LOGIN;
	w->answer = w->on_login;
	if (w->answer == OK &&
	    (!str_eq(user, STR("ann@example.org")) || !str_eq(password, STR("secret"))))
		w->answer = ERR_AUTH;
}

static void
ask_open(void *arg)
{
	struct world *w = arg;

	w->asked = OPEN;
	w->answer = w->on_open;
}

static void
ask_message(void *arg, uint32_t uid, struct str *message_out)
{
	struct world *w = arg;

	w->asked = MESSAGE;
	w->uid = uid;
	w->message = message_out;
}

static void
ask_remove(void *arg, const struct uid_range *uids, size_t n)
{
	struct world *w = arg;

	strbuf_lit(w->log, "remove");
	for (size_t i = 0; i < n; i++)
		strbuf_printf(w->log, " %u:%u", uids[i].first, uids[i].last);
	strbuf_lit(w->log, "\n");
	w->asked = REMOVE;
	w->answer = w->on_remove;
}

static void
release(void *arg)
{
	struct world *w = arg;

	w->is_held = false;
}

static const struct pop3_ops ops = {
	.login = ask_login,
	.open = ask_open,
	.message = ask_message,
	.remove = ask_remove,
	.release = release,
};

static void
give_entries(struct world *w)
{
	pop3_session_begin(w->session, 12);
	if (w->big.n) {
		(void)!pop3_session_entry(w->session, 1, (uint32_t)w->big.n);
		return;
	}
	if (w->is_bare) {
		(void)!pop3_session_entry(w->session, 1, (uint32_t)bare.n);
		return;
	}
	for (uint32_t i = 1; i <= w->many; i++)
		(void)!pop3_session_entry(w->session, i * 2, i);
	for (size_t i = 0; !w->many && i < ARRAY_LEN(messages); i++)
		(void)!pop3_session_entry(w->session, messages[i].uid,
		                          (uint32_t)messages[i].text.n);
}

static void
give_message(struct world *w)
{
	w->answer = ERR_NOT_FOUND;
	if (w->uid == w->gone_uid)
		return;
	for (size_t i = 0; i < ARRAY_LEN(messages); i++) {
		if (messages[i].uid == w->uid)
			*w->message = messages[i].text;
	}
	if (w->is_bare)
		*w->message = bare;
	if (w->big.n)
		*w->message = strbuf_str(&w->big);
	w->answer = w->message->p ? OK : ERR_NOT_FOUND;
	w->is_held = w->answer == OK;
}

static void *
open_world(struct strbuf *log)
{
	struct world *w = mem_alloc(sizeof(*w));

	w->conf = pop3_conf_default;
	w->conf.hostname = STR("mail.example.org");
	w->conf.has_starttls = true;
	w->big = strbuf_heap((size_t)4 << 20);
	w->log = log;
	return w;
}

static enum err
error_of(struct str word)
{
	for (unsigned e = 0; e < ERR_COUNT; e++) {
		if (str_eq(word, str_from(err_get((enum err)e)->name)))
			return (enum err)e;
	}
	return ERR_INTERNAL;
}

static bool
set_number(struct world *w, struct str key, struct str value)
{
	uint32_t n;

	if (!str_parse_u32(value, &n))
		return false;
	if (str_eq(key, STR("many")))
		w->many = n;
	else if (str_eq(key, STR("gone")))
		w->gone_uid = n;
	else if (str_eq(key, STR("soft")))
		w->conf.output_soft_bytes = n;
	else if (str_eq(key, STR("big")))
		for (uint32_t i = 0; i < n; i++)
			strbuf_printf(&w->big, i ? ".line %u\r\n" : "\r\n", i);
	else
		return false;
	return true;
}

static bool
set(void *core, struct str key, struct str value)
{
	struct world *w = core;

	if (str_eq(key, STR("secure")))
		w->is_secure = str_eq(value, STR("yes"));
	else if (str_eq(key, STR("bare")))
		w->is_bare = str_eq(value, STR("yes"));
	else if (str_eq(key, STR("tls")))
		w->conf.has_starttls = str_eq(value, STR("yes"));
	else if (str_eq(key, STR("plain")))
		w->conf.has_plaintext_auth = str_eq(value, STR("yes"));
	else if (str_eq(key, STR("login")))
		w->on_login = error_of(value);
	else if (str_eq(key, STR("open")))
		w->on_open = error_of(value);
	else if (str_eq(key, STR("remove")))
		w->on_remove = error_of(value);
	else
		return set_number(w, key, value);
	return true;
}

static void
greet(void *core, struct strbuf *out)
{
	struct world *w = core;

	w->session = pop3_session_new(&w->conf, &ops, w, w->is_secure);
	pop3_session_greet(w->session, out);
}

static enum dialogue_next
next_of(struct world *w, enum pop3_next next)
{
	switch (next) {
	case POP3_READ:
		return DIALOGUE_READ;
	case POP3_WAIT:
		return DIALOGUE_WAIT;
	case POP3_MORE:
		w->asked = DRAINED;
		return DIALOGUE_WAIT;
	case POP3_STARTTLS:
		return DIALOGUE_STARTTLS;
	default:
		return DIALOGUE_CLOSE;
	}
}

static enum dialogue_next
input(void *core, struct str in, size_t *used_out, struct strbuf *out)
{
	struct world *w = core;

	return next_of(w, pop3_session_input(w->session, in, used_out, out));
}

static enum dialogue_next
answer(void *core, size_t unread, struct strbuf *out)
{
	struct world *w = core;
	enum question asked = w->asked;

	(void)unread;
	w->asked = NOTHING;
	if (asked == DRAINED)
		return next_of(w, pop3_session_drained(w->session, out));
	if (asked == OPEN && w->answer == OK)
		give_entries(w);
	if (asked == MESSAGE)
		give_message(w);
	return next_of(w, pop3_session_resume(w->session, w->answer, out));
}

static void
secured(void *core)
{
	struct world *w = core;

	pop3_session_secured(w->session);
}

static bool
happen(void *core, struct str what, struct strbuf *out)
{
	struct world *w = core;

	if (!str_eq(what, STR("shutdown")))
		return false;
	pop3_session_bye(w->session, STR("Service shutting down"), out);
	return true;
}

static void
check(void *core)
{
	struct world *w = core;

	pop3_session_check(w->session);
}

static void
close_world(void *core)
{
	struct world *w = core;

	pop3_session_free(&w->session);
	if (w->is_held)
		strbuf_lit(w->log, "a message was not released\n");
	strbuf_release(&w->big);
	mem_free(w);
}

static const struct dialogue_core core = {
	.name = "pop3",
	.open = open_world,
	.set = set,
	.greet = greet,
	.input = input,
	.answer = answer,
	.secured = secured,
	.happen = happen,
	.check = check,
	.close = close_world,
};

__attribute__((constructor)) static void
register_core(void)
{
	dialogue_register(&core);
}
