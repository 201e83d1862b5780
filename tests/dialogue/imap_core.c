/* The IMAP session in the world of imap_world.h.
 *
 * @login yes: ann is logged in before the first line; @inbox N: there are N messages in
 * INBOX, small ones with a Subject that has their number; @plain no: no login without
 * TLS; @tls no: no TLS to be had; @secure yes: TLS from the first byte; @command N,
 * @append N, @bad N: limits; @output N: where output pauses; @stop yes: the server says
 * goodbye in the first pause.
 * ! mail, ! gone UID, ! seen UID, ! word UID (it has the keyword Word then), ! drop NAME:
 * what another session does; ! damaged UID: that message cannot be read any more;
 * ! fail WORD: the next answer is this error of err.def; ! shutdown.
 */
#include "tests/dialogue/dialogue.h"
#include "tests/dialogue/imap_world.h"

#include "base/arena.h"
#include "base/panic.h"

enum {
	ANSWER_MAX = 1 << 20, /* bytes: three of the largest literals made at once */
};

struct world {
	struct arena *arena;
	struct imap_conf conf;
	struct imap_world *store;
	struct imap_session *session;
	bool is_secure, is_logged_in, is_paused, stops_at_pause;
};

static void *
core_open(struct strbuf *log)
{
	struct arena *a = arena_new(1 << 20);
	struct world *w = ARENA_NEW(a, struct world);

	(void)log;
	w->arena = a;
	w->conf = imap_conf_default;
	w->conf.hostname = STR("mail.example.org");
	w->conf.has_starttls = true;
	w->conf.has_plaintext_auth = true;
	w->store = imap_world_new();
	return w;
}

static void
add_mail(struct world *w, uint64_t n)
{
	char bytes[512];
	struct strbuf b = strbuf_on(bytes);

	strbuf_printf(&b,
	              "From: Ann <ann@example.org>\r\nTo: bob@example.org\r\n"
	              "Date: Mon, 24 Nov 2025 10:00:%02u +0100\r\nSubject: number %u\r\n"
	              "Message-ID: <%u@example.org>\r\n\r\nbody %u\r\n",
	              (unsigned)n % 60, (unsigned)n, (unsigned)n, (unsigned)n);
	imap_world_append(w->store, strbuf_str(&b), 0);
}

static bool
is_yes(struct str value)
{
	return str_eq(value, STR("yes"));
}

static bool
core_set(void *core, struct str key, struct str value)
{
	struct world *w = core;
	uint64_t n = 0;

	(void)str_parse_u64(value, &n);
	if (str_eq(key, STR("login"))) {
		w->is_logged_in = is_yes(value);
	} else if (str_eq(key, STR("plain"))) {
		w->conf.has_plaintext_auth = is_yes(value);
	} else if (str_eq(key, STR("tls"))) {
		w->conf.has_starttls = is_yes(value);
	} else if (str_eq(key, STR("secure"))) {
		w->is_secure = is_yes(value);
	} else if (str_eq(key, STR("command"))) {
		w->conf.command_max_bytes = w->conf.command_first_max_bytes = (uint32_t)n;
	} else if (str_eq(key, STR("append"))) {
		w->conf.append_max_bytes = n;
	} else if (str_eq(key, STR("bad"))) {
		w->conf.bad_max = (uint32_t)n;
	} else if (str_eq(key, STR("tries"))) {
		w->conf.auth_tries = (uint32_t)n;
	} else if (str_eq(key, STR("output"))) {
		w->conf.output_soft_bytes = (uint32_t)n;
	} else if (str_eq(key, STR("stop"))) {
		w->stops_at_pause = is_yes(value);
	} else if (str_eq(key, STR("keywords"))) {
		w->conf.keywords_max = (uint32_t)n;
	} else if (str_eq(key, STR("inbox"))) {
		for (uint64_t i = 1; i <= n; i++)
			add_mail(w, i);
	} else {
		return false;
	}
	return true;
}

static enum dialogue_next
told(struct world *w, enum imap_next next)
{
	w->is_paused = next == IMAP_MORE;
	switch (next) {
	case IMAP_READ:
		return DIALOGUE_READ;
	case IMAP_WAIT:
	case IMAP_MORE:
		return DIALOGUE_WAIT;
	case IMAP_STARTTLS:
		return DIALOGUE_STARTTLS;
	case IMAP_CLOSE:
		break;
	}
	return DIALOGUE_CLOSE;
}

/* An output that is empty again: what was written before has gone to the client. Whatever
   was asked, one answer writes no more than a connection has room for. */
static enum dialogue_next
core_answer(void *core, size_t unread, struct strbuf *out)
{
	struct world *w = core;
	size_t before = out->n;
	enum dialogue_next next;

	(void)unread;
	if (w->is_paused && w->stops_at_pause) {
		imap_session_bye(w->session, STR("Server shutting down"), out);
		return DIALOGUE_CLOSE;
	}
	if (w->is_paused)
		next = told(w, imap_session_drained(w->session, out));
	else
		next = told(w, imap_world_answer(w->store, out));
	CHECK(out->n - before <= w->conf.output_soft_bytes + ANSWER_MAX);
	return next;
}

static enum dialogue_next
core_input(void *core, struct str in, size_t *used_out, struct strbuf *out)
{
	struct world *w = core;

	return told(w, imap_session_input(w->session, in, used_out, out));
}

static void
log_in(struct world *w)
{
	char bytes[2048];
	struct strbuf out = strbuf_on(bytes);
	size_t used;
	enum dialogue_next next;

	next = core_input(w, STR("x LOGIN ann@example.org secret\r\n"), &used, &out);
	while (next == DIALOGUE_WAIT)
		next = core_answer(w, 0, &out);
}

static void
core_greet(void *core, struct strbuf *out)
{
	struct world *w = core;

	w->session = imap_session_new(&w->conf, &imap_world_ops, w->store, w->is_secure);
	imap_world_attach(w->store, w->session);
	if (w->is_logged_in) {
		log_in(w);
		return;
	}
	imap_session_greet(w->session, out);
}

static void
core_secured(void *core)
{
	struct world *w = core;

	imap_session_secured(w->session);
}

static bool
fail_with(struct world *w, struct str word)
{
	for (int e = 1; e < ERR_COUNT; e++) {
		if (!str_eq(str_from(err_get((enum err)e)->name), word))
			continue;
		imap_world_fail_next(w->store, (enum err)e);
		return true;
	}
	return false;
}

static bool
core_happen(void *core, struct str what, struct strbuf *out)
{
	struct world *w = core;
	uint64_t uid = 0;
	struct str word = what;
	enum imap_next next;

	if (str_skip(&what, STR("fail ")))
		return fail_with(w, what);
	if (str_eq(word, STR("shutdown"))) {
		imap_session_bye(w->session, STR("Server shutting down"), out);
		return true;
	}
	if (str_eq(word, STR("mail"))) {
		add_mail(w, 0);
	} else if (str_skip(&what, STR("gone ")) && str_parse_u64(what, &uid)) {
		imap_world_expunge(w->store, (uint32_t)uid);
	} else if (str_skip(&what, STR("seen ")) && str_parse_u64(what, &uid)) {
		imap_world_flag(w->store, (uint32_t)uid, FLAG_SEEN);
	} else if (str_skip(&what, STR("word ")) && str_parse_u64(what, &uid)) {
		imap_world_word(w->store, (uint32_t)uid);
	} else if (str_skip(&what, STR("damaged ")) && str_parse_u64(what, &uid)) {
		imap_world_damage(w->store, (uint32_t)uid);
	} else if (str_skip(&what, STR("drop "))) {
		imap_world_drop_box(w->store, what);
	} else {
		return false;
	}
	next = imap_session_notify(w->session, out);
	while (next == IMAP_WAIT && imap_world_has_question(w->store))
		next = imap_world_answer(w->store, out);
	return true;
}

static void
core_check(void *core)
{
	struct world *w = core;

	if (w->session)
		imap_session_check(w->session);
}

static void
core_close(void *core)
{
	struct world *w = core;
	struct arena *a = w->arena;

	imap_session_free(&w->session);
	imap_world_free(&w->store);
	arena_free(&a);
}

static const struct dialogue_core core = {
	.name = "imap",
	.open = core_open,
	.set = core_set,
	.greet = core_greet,
	.input = core_input,
	.answer = core_answer,
	.secured = core_secured,
	.happen = core_happen,
	.check = core_check,
	.close = core_close,
};

__attribute__((constructor)) static void
join(void)
{
	dialogue_register(&core);
}
