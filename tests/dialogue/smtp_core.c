/* The SMTP server session in a small world of its own.
 *
 * Ours is example.org with ann, bob (disabled), full (over quota) and list (an alias);
 * ann's password is "secret". @service submission, @relay yes, @plain yes, @proxy yes,
 * @tls no, @size N, @rcpt_max N, @errors N, @unknown N, @open WORD, @accept WORD, @write
 * WORD (an error of err.def), @host NAME (leads back to the client) set it up.
 * @dmarc reject (quarantine, none): example.com asks for that, and nothing proves the
 * message to be its.
 */
#include "smtp/smtp_judge.h"
#include "smtp/smtp_session.h"
#include "tests/dialogue/dialogue.h"

#include <stdlib.h>

enum question {
	NOTHING,
	AUTH,
	MAIL,
	RCPT,
	OPEN,
	ACCEPT,
};

struct world {
	struct smtp_conf conf;
	enum smtp_service service;
	struct smtp_peer peer;
	struct smtp_session *session;
	enum question asked;
	struct smtp_answer answer;
	enum err on_open, on_accept, on_write;
	struct str host;
	struct arena *arena;
	struct strbuf
		words; /* of the answer; gone with the transaction, as in a connection */
	struct auth_verdict verdict;
	struct strbuf body;
	struct strbuf *log;
	unsigned traces;
	bool has_taken; /* a message */
};

static bool
is_ours(const struct address *a)
{
	return str_eq_icase(a->domain, STR("example.org")) || a->domain.n == 0;
}

static void
ask_auth(void *arg, const struct smtp_credentials *c)
{
	struct world *w = arg;
	bool is_right = str_eq(c->user, STR("ann@example.org")) &&
	                str_eq(c->password, STR("secret"));

	w->asked = AUTH;
	w->answer = (struct smtp_answer){ .err = is_right ? OK : ERR_AUTH,
		                          .login = STR("ann@example.org") };
}

static void
ask_mail(void *arg, const struct smtp_mail *mail)
{
	struct world *w = arg;
	const struct smtp_peer *peer = smtp_session_peer(w->session);
	struct str login = smtp_session_login(w->session);

	w->asked = MAIL;
	w->answer = (struct smtp_answer){ .err = OK };
	w->answer.trace_id = id_make("mtr_", 1764000000000 + w->traces++, 7);
	if (login.n && !str_eq_icase(mail->from_text, login))
		w->answer.err = ERR_SENDER_DENIED;
	else if (!login.n && !peer->may_relay && mail->from_text.n &&
	         is_ours(&mail->from))
		w->answer.err = ERR_SENDER_LOCAL;
}

static void
ask_rcpt(void *arg, const struct smtp_rcpt *rcpt)
{
	static const struct {
		const char *local;
		enum err err;
	} known[] = {
		{ "ann", OK },         { "postmaster", OK },
		{ "list", OK },        { "bob", ERR_ACCOUNT_OFF },
		{ "full", ERR_QUOTA }, { "page", ERR_CORRUPT },
	};
	struct world *w = arg;
	bool may_relay = smtp_session_peer(w->session)->may_relay ||
	                 smtp_session_login(w->session).n;

	w->asked = RCPT;
	w->answer = (struct smtp_answer){ .err = may_relay ? OK : ERR_RELAY };
	if (!is_ours(&rcpt->address))
		return;
	w->answer.err = ERR_NO_SUCH_USER;
	for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
		if (str_eq_icase(address_without_detail(rcpt->address.local, NULL),
		                 str_from(known[i].local)))
			w->answer.err = known[i].err;
	}
	/* Many different ones, for the limits. */
	if (str_starts(rcpt->address.local, STR("user")))
		w->answer.err = OK;
}

static void
ask_open(void *arg, const struct smtp_mail *mail)
{
	struct world *w = arg;

	(void)mail;
	w->asked = OPEN;
	w->answer = (struct smtp_answer){ .err = w->on_open,
		                          .now_ms = 1764000000000,
		                          .host = w->host };
	strbuf_clear(&w->body);
}

static enum err
take_bytes(void *arg, struct str bytes)
{
	struct world *w = arg;

	strbuf_add(&w->body, bytes);
	return w->on_write;
}

static void
log_lines(struct world *w, struct str rest)
{
	struct str line;

	while (str_next(&rest, '\n', &line)) {
		bool has_cr = line.n && line.p[line.n - 1] == '\r';

		line.n -= has_cr;
		strbuf_add(w->log, line.n ? STR("| ") : STR("|"));
		strbuf_add(w->log, line);
		strbuf_add(w->log, has_cr ? STR("\n") : STR(" (bare)\n"));
	}
}

static void
log_message(struct world *w, const struct smtp_mail *mail)
{
	strbuf_printf(w->log, "stored size=%llu prefix=%zu",
	              (unsigned long long)mail->size + mail->return_path.n,
	              mail->return_path.n);
	strbuf_printf(w->log, " from=<%.*s>", STR_ARG(mail->from_text));
	for (const struct smtp_rcpt *r = mail->rcpts; r; r = r->next)
		strbuf_printf(w->log, " rcpt=<%.*s> notify=%u orcpt=%.*s",
		              STR_ARG(r->text), r->notify, STR_ARG(r->orcpt));
	strbuf_printf(w->log, " ret=%d envid=%.*s%s header_from=%.*s\n", (int)mail->ret,
	              STR_ARG(mail->envid), mail->is_tls_required ? " tls=required" : "",
	              STR_ARG(mail->header_from));
	log_lines(w, mail->return_path);
	log_lines(w, strbuf_str(&w->body));
	strbuf_lit(w->log, "| end\n");
}

/* What the connection does with a verdict, for one domain that honours all policies. */
static void
judge(struct world *w, const struct smtp_mail *mail)
{
	struct smtp_judge_conf conf = { 0 };
	struct auth_request request = { 0 };
	struct smtp_judgement j;

	smtp_judge(&conf, &request, &w->verdict, mail->from_fields, w->arena, &j);
	w->answer.err = j.error;
	if (j.error == OK &&
	    smtp_judge_for(j.wanted, INCOMING_HONOUR) == DMARC_POLICY_REJECT)
		w->answer.err = ERR_DMARC;
	strbuf_clear(&w->words);
	strbuf_add(&w->words, j.words);
	w->answer.text = strbuf_str(&w->words);
}

static void
ask_accept(void *arg, const struct smtp_mail *mail)
{
	struct world *w = arg;

	w->asked = ACCEPT;
	w->answer = (struct smtp_answer){ .err = w->on_accept };
	if (w->service == SMTP_MX && w->on_accept == OK)
		judge(w, mail);
	if (w->answer.err == OK)
		log_message(w, mail);
	w->has_taken |= w->answer.err == OK;
}

static void
forget(void *arg)
{
	struct world *w = arg;

	strbuf_lit(w->log, "forgotten\n");
	strbuf_clear(&w->body);
	if (w->words.n)
		memset(w->words.p, 'x', w->words.n);
}

static void
tell(void *arg, struct event *e)
{
	struct world *w = arg;

	strbuf_printf(w->log, "%s ", event_name(e->id));
	strbuf_add(w->log, strbuf_str(&e->body));
	strbuf_lit(w->log, "\n");
}

static enum err
classify(void *arg, struct smtp_peer *peer)
{
	(void)arg;
	peer->may_relay = str_starts(peer->ip, STR("192.0.2."));
	peer->may_auth_plain = false;
	return str_eq(peer->ip, STR("192.0.2.99")) ? ERR_LIMIT : OK;
}

static const struct smtp_ops ops = {
	.auth = ask_auth,
	.mail = ask_mail,
	.rcpt = ask_rcpt,
	.open = ask_open,
	.accept = ask_accept,
	.write = take_bytes,
	.forget = forget,
	.tell = tell,
	.classify = classify,
};

static void *
world_open(struct strbuf *log)
{
	struct world *w = calloc(1, sizeof(*w));

	if (!w)
		abort();
	w->conf = (struct smtp_conf){
		.hostname = STR("mail.example.org"),
		.has_tls = true,
		.offers_dsn = true,
		.message_size_max = 100000,
		.line_max = 2048,
		.auth_line_max = 12288,
		.line_close = 65536,
		.rcpt_max = 100,
		.mail_max = 10,
		.error_max = 50,
		.unknown_max = 20,
		.auth_fail_max = 3,
		.received_max = 100,
	};
	w->peer = (struct smtp_peer){ .ip = STR("203.0.113.9"), .port = 4711 };
	w->body = strbuf_heap(1 << 20);
	w->arena = arena_new(1 << 20);
	w->words = strbuf_heap(1 << 10);
	w->log = log;
	return w;
}

static enum err
find_error(struct str word)
{
	for (int e = OK; e < ERR_COUNT; e++) {
		if (str_eq(word, str_from(err_get((enum err)e)->name)))
			return (enum err)e;
	}
	return ERR_INTERNAL;
}

static void
fail_dmarc(struct world *w, struct str policy)
{
	struct dmarc_verdict *d = &w->verdict.dmarc;

	d->result = DMARC_FAIL;
	d->policy = str_eq(policy, STR("reject"))       ? DMARC_POLICY_REJECT
	            : str_eq(policy, STR("quarantine")) ? DMARC_POLICY_QUARANTINE
	                                                : DMARC_POLICY_NONE;
	d->policy_domain = STR("example.com");
	d->reason = STR("nothing is aligned");
}

static bool
world_set(void *core, struct str key, struct str value)
{
	struct world *w = core;
	bool is_yes = str_eq(value, STR("yes"));
	uint64_t n = 0;

	(void)str_parse_u64(value, &n);
	if (str_eq(key, STR("service")))
		w->service = str_eq(value, STR("submission")) ? SMTP_SUBMISSION : SMTP_MX;
	else if (str_eq(key, STR("relay")))
		w->peer.may_relay = is_yes;
	else if (str_eq(key, STR("plain")))
		w->peer.may_auth_plain = is_yes;
	else if (str_eq(key, STR("proxy")))
		w->peer.may_xclient = is_yes;
	else if (str_eq(key, STR("tls")))
		w->conf.has_tls = is_yes;
	else if (str_eq(key, STR("dsn")))
		w->conf.offers_dsn = is_yes;
	else if (str_eq(key, STR("size")))
		w->conf.message_size_max = n;
	else if (str_eq(key, STR("rcpt_max")))
		w->conf.rcpt_max = (unsigned)n;
	else if (str_eq(key, STR("mail_max")))
		w->conf.mail_max = (unsigned)n;
	else if (str_eq(key, STR("errors")))
		w->conf.error_max = (unsigned)n;
	else if (str_eq(key, STR("unknown")))
		w->conf.unknown_max = (unsigned)n;
	else if (str_eq(key, STR("open")))
		w->on_open = find_error(value);
	else if (str_eq(key, STR("host")))
		w->host = arena_str(w->arena, value);
	else if (str_eq(key, STR("accept")))
		w->on_accept = find_error(value);
	else if (str_eq(key, STR("dmarc")))
		fail_dmarc(w, value);
	else if (str_eq(key, STR("write")))
		w->on_write = find_error(value);
	else
		return false;
	return true;
}

static void
begin(struct world *w)
{
	if (!w->session)
		w->session = smtp_session_new(&w->conf, w->service, &w->peer,
		                              id_make("ses_", 1764000000000, 1), &ops, w);
}

static void
world_greet(void *core, struct strbuf *out)
{
	struct world *w = core;

	begin(w);
	smtp_session_greet(w->session, out);
}

static enum dialogue_next
world_input(void *core, struct str in, size_t *used_out, struct strbuf *out)
{
	struct world *w = core;

	return (enum dialogue_next)smtp_session_input(w->session, in, used_out, out);
}

static enum dialogue_next
world_answer(void *core, size_t unread, struct strbuf *out)
{
	struct world *w = core;

	w->asked = NOTHING;
	w->answer.unread = unread;
	return (enum dialogue_next)smtp_session_resume(w->session, &w->answer, out);
}

static void
world_secured(void *core)
{
	struct world *w = core;

	smtp_session_secured(w->session, STR("TLSv1.3"), STR("TLS_AES_256_GCM_SHA384"));
}

static bool
world_happen(void *core, struct str what, struct strbuf *out)
{
	struct world *w = core;

	if (str_eq(what, STR("timeout")))
		smtp_session_end(w->session, ERR_TIMEOUT, out);
	else if (str_eq(what, STR("shutdown")))
		smtp_session_end(w->session, ERR_SHUTDOWN, out);
	else
		return false;
	return true;
}

static void
world_check(void *core)
{
	struct world *w = core;

	smtp_session_check(w->session);
	if (w->has_taken && smtp_session_may_give_way(w->session, true) &&
	    !smtp_session_has_delivered(w->session))
		abort(); /* the reply could be lost, and the message come twice */
}

static void
world_close(void *core)
{
	struct world *w = core;

	smtp_session_free(&w->session);
	strbuf_release(&w->words);
	strbuf_release(&w->body);
	arena_free(&w->arena);
	free(w);
}

_Static_assert((int)DIALOGUE_READ == SMTP_READ && (int)DIALOGUE_WAIT == SMTP_WAIT &&
                       (int)DIALOGUE_STARTTLS == SMTP_STARTTLS &&
                       (int)DIALOGUE_CLOSE == SMTP_CLOSE,
               "the same steps");

static const struct dialogue_core core = {
	.name = "smtp",
	.open = world_open,
	.set = world_set,
	.greet = world_greet,
	.input = world_input,
	.answer = world_answer,
	.secured = world_secured,
	.happen = world_happen,
	.check = world_check,
	.close = world_close,
};

__attribute__((constructor)) static void
register_core(void)
{
	dialogue_register(&core);
}
