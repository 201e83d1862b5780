/* What the session core asks, answered from the index and by the store.
 *
 * Who may send:
 *   null sender ............ always
 *   with a login ........... as itself, its aliases, with any detail; else 553
 *   a domain of ours ....... only with a login or from a relay network; else 550
 *   anybody else ........... yes
 */
#include "base/clock.h"
#include "base/mem.h"
#include "base/panic.h"
#include "base/utf8.h"
#include "mail/address_list.h"
#include "mail/encoded.h"
#include "policy/auth_results.h"
#include "smtp/smtp_conn_priv.h"
#include "smtp/smtp_params.h"

enum {
	FREE_GUESSES = 3,      /* unknown recipients answered at once */
	GUESS_PAUSE_MS = 1000, /* … and later ones after this long */
	FROM_ADDRESSES_MAX = 64,
	FROM_BUDGET = 64 * 1024,
	ACCOUNT_BUDGET = 8 * 1024,
	WORDS_MAX = 4096,     /* recipients in the record of a body, cut there */
	ORCPT_MADE_MAX = 500, /* RFC 3461 4.2 */
	ORCPT_KEPT_MAX = 6 * (ADDRESS_MAX + 1), /* each byte as \x{2B} */
	STAMP_RESERVE = 64 * 1024, /* our own lines, on top of what the client may send */
};

static struct smtp_conn *
conn_of(void *arg)
{
	return CAST(smtp_conn, SMTP_CONN_MAGIC, arg);
}

/* ---- who is there ----------------------------------------------------------------- */

void
smtp_policy_classify(const struct smtp_conn *c, const struct addr *ip,
                     struct smtp_peer *peer)
{
	const struct smtp_settings *s = c->settings;

	peer->may_relay = nets_have(s->relay_networks.p, s->relay_networks.n, ip);
	peer->may_auth_plain = nets_have(s->plaintext_auth.p, s->plaintext_auth.n, ip);
	peer->may_xclient = nets_have(s->proxies.p, s->proxies.n, &c->direct);
}

static enum err
classify(void *arg, struct smtp_peer *peer)
{
	struct smtp_conn *c = conn_of(arg);
	struct addr ip;

	if (!addr_parse_ip(peer->ip, &ip))
		ip = (struct addr){ .family = ADDR_NONE };
	smtp_policy_classify(c, &ip, peer);
	c->account_id = 0;
	return limiter_move(&c->served.place, &ip);
}

/* ---- login ------------------------------------------------------------------------ */

static void
auth_done(void *arg, enum err e, const struct answer_auth *found)
{
	struct smtp_conn *c = conn_of(arg);
	struct smtp_answer answer = { .err = e };

	c->call = 0;
	if (e == OK)
		answer.err = limiter_know(&c->served.place, found->id);
	if (answer.err != e) {
		answer.err = ERR_AUTH_TEMP;
		answer.text = str_from(err_get(ERR_BUSY)->text);
	} else if (e == OK) {
		c->account_id = found->id;
		answer.login = found->address;
	} else if (e == ERR_ACCOUNT_OFF) {
		answer.err = ERR_AUTH;
		answer.text = STR("Account disabled");
	} else if (e != ERR_AUTH && e != ERR_AUTH_RATE) {
		answer.err = ERR_AUTH_TEMP;
	}
	smtp_conn_answer(c, &answer);
}

static void
ask_auth(void *arg, const struct smtp_credentials *credentials)
{
	struct smtp_conn *c = conn_of(arg);
	struct op_auth op = {
		.kind = LOGIN_ACCOUNT,
		.protocol = STR("smtp"),
		.name = credentials->user,
		.password = credentials->password,
		.ip = smtp_session_peer(c->session)->ip,
		.session_id = id_str(smtp_session_id(c->session)),
	};

	c->call = store_auth(c->server->parts.store, &op, auth_done, c);
}

/* XCLIENT names a login; its account is looked up when it matters. */
static enum err
find_account(struct smtp_conn *c)
{
	struct account account;
	struct arena *a;
	enum err e;

	if (c->account_id)
		return OK;
	a = arena_new(ACCOUNT_BUDGET);
	e = reader_account(c->server->parts.reader, smtp_session_login(c->session), a,
	                   &account);
	if (e == OK)
		c->account_id = account.id;
	arena_free(&a);
	return e == ERR_NOT_FOUND ? ERR_SENDER_DENIED : e;
}

/* ---- sender ----------------------------------------------------------------------- */

static enum err
check_login_sender(struct smtp_conn *c, const struct address *from)
{
	char bytes[ADDRESS_KEY_MAX];
	struct strbuf key = strbuf_on(bytes);
	enum err e = address_normalize(from, &key);

	if (e == OK)
		e = find_account(c);
	if (e != OK)
		return e == ERR_STORE_TEMP ? e : ERR_SENDER_DENIED;
	return reader_may_send_as(c->server->parts.reader, c->account_id,
	                          strbuf_str(&key));
}

static enum err
check_stranger(struct smtp_conn *c, const struct address *from)
{
	char bytes[ADDRESS_KEY_MAX];
	struct strbuf domain = strbuf_on(bytes);
	enum err e;

	if (from->is_literal)
		return OK;
	e = domain_normalize(from->domain, &domain);
	if (e != OK)
		return ERR_SENDER_ADDRESS;
	e = smtp_names_is_local_domain(c->server->names, strbuf_str(&domain));
	if (e == ERR_NOT_FOUND)
		return OK;
	return e == OK ? ERR_SENDER_LOCAL : e;
}

static void
ask_mail(void *arg, const struct smtp_mail *mail)
{
	struct smtp_conn *c = conn_of(arg);
	enum err e = OK;

	if (address_is_null(&mail->from))
		e = OK;
	else if (smtp_session_login(c->session).n)
		e = check_login_sender(c, &mail->from);
	else if (!smtp_session_peer(c->session)->may_relay)
		e = check_stranger(c, &mail->from);
	if (e == OK && smtp_incoming_is_due(c))
		smtp_incoming_begin(c, mail);
	c->answer = (struct smtp_answer){ .trace_id = id_new("mtr_") };
	smtp_conn_answer_soon(c, e);
}

/* ---- recipients ------------------------------------------------------------------- */

/* Somebody who might be guessing names, and from where. */
static bool
is_guesser(const struct smtp_conn *c, struct addr *ip_out)
{
	const struct smtp_peer *peer = smtp_session_peer(c->session);

	return !peer->may_relay && !smtp_session_login(c->session).n &&
	       addr_parse_ip(peer->ip, ip_out);
}

/* Who has guessed too much does not hear whether this one exists. */
static void
ask_rcpt(void *arg, const struct smtp_rcpt *rcpt)
{
	struct smtp_conn *c = conn_of(arg);
	struct smtp_guesses *guesses = c->server->guesses;
	int64_t now = loop_now_ms(c->server->parts.loop);
	struct addr ip;
	bool is_counted = is_guesser(c, &ip);
	enum err e = ERR_GUESS_RATE;

	if (!is_counted || smtp_guesses_of(guesses, &ip, now) < c->settings->guesses_max)
		e = smtp_rcpt_resolve(c, rcpt);
	if (e == ERR_NO_SUCH_USER && is_counted)
		smtp_guesses_add(guesses, &ip, now);
	if (e == ERR_NO_SUCH_USER && ++c->guesses > FREE_GUESSES)
		smtp_conn_answer_after(c, e, GUESS_PAUSE_MS);
	else
		smtp_conn_answer_soon(c, e);
}

/* ---- content ---------------------------------------------------------------------- */

static void
ask_open(void *arg, const struct smtp_mail *mail)
{
	struct smtp_conn *c = conn_of(arg);
	uint64_t max = c->settings->session.message_size_max;

	(void)mail;
	c->body = body_writer_new(c->server->parts.bodies, max + STAMP_RESERVE);
	c->answer = (struct smtp_answer){ .now_ms = clock_unix_ms() };
	if (c->check)
		c->answer.host = smtp_check_host(c->check);
	smtp_conn_answer_soon(c, OK);
}

static enum err
take_bytes(void *arg, struct str bytes)
{
	return body_write(conn_of(arg)->body, bytes);
}

static enum err
see_bytes(void *arg, struct str bytes)
{
	struct smtp_conn *c = conn_of(arg);

	return c->check ? smtp_check_see(c->check, bytes) : OK;
}

/* What people see is the From field, so a login may not write there what it may not say
   in MAIL (RFC 6409 6.1). */
static enum err
check_from_field(struct smtp_conn *c, const struct smtp_mail *mail)
{
	struct arena *a;
	struct address_list list;
	size_t mailboxes = 0;
	enum err e = OK;

	if (!smtp_session_login(c->session).n || mail->from_fields == 0)
		return OK;
	if (mail->from_fields > 1)
		return ERR_MESSAGE_SYNTAX;
	a = arena_new(FROM_BUDGET);
	address_list_parse(mail->header_from, FROM_ADDRESSES_MAX, a, &list);
	for (size_t i = 0; i < list.count && e == OK; i++) {
		const struct list_entry *entry = &list.entries[i];
		struct address from = { .local = entry->local, .domain = entry->domain };

		if (entry->kind != LIST_MAILBOX)
			continue;
		mailboxes++;
		e = check_login_sender(c, &from);
	}
	if (e == OK && list.is_cut)
		e = ERR_MESSAGE_SYNTAX;
	/* Else anything may stand there that programs show as a sender. */
	if (e == OK && !mailboxes)
		e = ERR_SENDER_NOBODY;
	arena_free(&a);
	return e;
}

static void
accept_done(void *arg, enum err e, const struct answer_accept *result)
{
	struct smtp_conn *c = conn_of(arg);

	(void)result;
	c->call = 0;
	/* A host that brings mail is somebody; so much the better if there is room. */
	if (e == OK && !c->served.place.is_known)
		(void)!limiter_know(&c->served.place, c->account_id);
	smtp_conn_answer(c, &(struct smtp_answer){ .err = e });
}

/* The name that the sender knows goes along, also where he did not say it (RFC 3461
   5.2.1): what other servers tell names who stands behind the alias, and what we tell
   must not (relay_dsn.c). A long one that is too long in ASCII is kept in UTF-8, and goes
   only where that may go. */
static struct str
orcpt_of(const struct smtp_target *t, struct arena *a)
{
	struct strbuf orcpt;

	if (t->rcpt->orcpt.n || !t->is_alias || t->to.kind != RCPT_REMOTE)
		return t->rcpt->orcpt;
	orcpt = strbuf_arena(a, ORCPT_MADE_MAX);
	if (ascii_check(t->rcpt->text)) {
		strbuf_lit(&orcpt, "rfc822;");
		xtext_format(&orcpt, t->rcpt->text);
	} else {
		strbuf_lit(&orcpt, "utf-8;");
		encoded_format_address(t->rcpt->text, &orcpt);
	}
	if (orcpt.overflow) {
		orcpt = strbuf_arena(a, ORCPT_KEPT_MAX);
		strbuf_lit(&orcpt, "utf-8;");
		encoded_format_address_utf8(t->rcpt->text, &orcpt);
	}
	return strbuf_str(&orcpt);
}

static void
fill_rcpts(struct smtp_conn *c, struct accept_rcpt *rcpts, struct arena *a)
{
	size_t i = 0;

	for (const struct smtp_target *t = c->targets; t; t = t->next, i++) {
		rcpts[i] = (struct accept_rcpt){
			.kind = t->to.kind,
			.rcpt = t->to.rcpt,
			.account_id = t->to.account_id,
			.domain = t->to.domain,
			.notify = smtp_receipts_notify(c, t),
			.orcpt = orcpt_of(t, a),
			.is_loop = t->is_loop,
		};
		if (t->is_alias)
			rcpts[i].orig_rcpt = t->rcpt->text;
		if (t->is_junk && t->to.kind == RCPT_LOCAL)
			rcpts[i].mailbox = smtp_incoming_junk(c, t->to.account_id);
	}
	smtp_receipts_fill(c, rcpts + i);
}

static void
body_done(void *arg, enum err e, const struct new_body *body)
{
	struct smtp_conn *c = conn_of(arg);
	const struct smtp_mail *mail = smtp_session_mail(c->session);
	const struct smtp_peer *peer = smtp_session_peer(c->session);
	struct str login = smtp_session_login(c->session);
	struct op_accept op;
	struct arena *a;
	size_t count;

	if (e != OK) {
		smtp_conn_answer(c, &(struct smtp_answer){ .err = e });
		return;
	}
	smtp_receipts_judge(c);
	count = c->target_count + c->receipt_count;
	a = arena_new(size_mul(count + 1,
	                       sizeof(*op.rcpts) + 2 * ORCPT_MADE_MAX + ORCPT_KEPT_MAX));
	op = (struct op_accept){
		.trace_id = id_str(&mail->trace_id),
		.session_id = id_str(smtp_session_id(c->session)),
		.direction = login.n || peer->may_relay ? TRACE_OUT : TRACE_IN,
		.sender = mail->from_text,
		.ip = peer->ip,
		.helo = smtp_session_helo(c->session),
		.user = login,
		.body = *body,
		/* A later bounce would tell a stranger what this reply can tell. */
		.all_or_none = true,
		.ret = mail->ret,
		.envid = mail->envid,
		.expires_ms = clock_unix_ms() + c->settings->lifetime_ms,
		.rcpts = ARENA_ARRAY(a, struct accept_rcpt, count),
		.rcpts_count = count,
	};
	/* It stays with the message, whichever alias sends it on. */
	if (mail->is_tls_required)
		op.body.head.flags |= MESSAGE_TLS_REQUIRED;
	fill_rcpts(c, op.rcpts, a);
	smtp_events_tell(&c->events);
	c->call = store_accept(c->server->parts.store, &op, accept_done, c);
	arena_free(&a);
	body_writer_free(&c->body); /* its memory is for the next message, still warm */
}

static struct str
rcpt_words(const struct smtp_conn *c, struct arena *a)
{
	struct strbuf words = strbuf_arena(a, WORDS_MAX);

	for (const struct smtp_target *t = c->targets; t; t = t->next) {
		if (words.n)
			strbuf_byte(&words, ' ');
		strbuf_add(&words, t->to.rcpt);
	}
	return strbuf_str(&words);
}

/* The body, with Return-Path and what was found in front. */
static void
keep(struct smtp_conn *c, struct str found)
{
	const struct smtp_mail *mail = smtp_session_mail(c->session);
	struct arena *a = arena_new(6 * (size_t)WORDS_MAX + BODY_PREFIX_MAX);
	struct strbuf prefix = strbuf_arena(a, BODY_PREFIX_MAX);
	struct strbuf loops = strbuf_arena(a, WORDS_MAX);
	struct body_about about;
	enum err e = smtp_rcpt_mark(c, &loops);

	if (e != OK) {
		c->answer = (struct smtp_answer){ 0 };
		smtp_conn_answer_soon(c, e);
		arena_free(&a);
		return;
	}
	strbuf_add(&prefix, mail->return_path);
	strbuf_add(&prefix, strbuf_str(&loops));
	strbuf_add(&prefix, found);
	CHECK(!prefix.overflow);
	about = (struct body_about){
		.trace_id = id_str(&mail->trace_id),
		.sender = mail->from_text,
		.rcpts = rcpt_words(c, a),
		.at_ms = clock_unix_ms(),
		.prefix_len = (uint32_t)mail->return_path.n,
		.prefix = strbuf_str(&prefix),
	};
	body_finish(c->body, &about, body_done, c);
	arena_free(&a);
}

static void
checked(void *arg)
{
	struct smtp_conn *c = conn_of(arg);
	struct strbuf found = strbuf_heap(AUTH_RESULTS_MAX);
	struct smtp_answer answer = { .err = OK };

	answer.err = smtp_incoming_judge(c, &found, &answer.text);
	if (answer.err == OK)
		keep(c, strbuf_str(&found));
	else
		smtp_conn_answer(c, &answer);
	strbuf_release(&found);
}

static void
ask_accept(void *arg, const struct smtp_mail *mail)
{
	struct smtp_conn *c = conn_of(arg);
	enum err e = check_from_field(c, mail);

	if (e != OK) {
		c->answer = (struct smtp_answer){ 0 };
		smtp_conn_answer_soon(c, e);
	} else if (c->check) {
		smtp_check_finish(c->check, checked, c);
	} else {
		keep(c, STR(""));
	}
}

/* ---- the end ---------------------------------------------------------------------- */

void
smtp_policy_forget(struct smtp_conn *c)
{
	body_writer_free(&c->body);
	smtp_check_free(&c->check);
	arena_free(&c->arena);
	c->targets = NULL;
	c->target_count = 0;
	c->receipts = NULL;
	c->receipt_count = 0;
	c->has_no_receipts = false;
	smtp_events_forget_message(&c->events);
}

static void
forget(void *arg)
{
	smtp_policy_forget(conn_of(arg));
}

static void
tell(void *arg, struct event *event)
{
	smtp_events_add(&conn_of(arg)->events, event);
}

const struct smtp_ops smtp_policy_ops = {
	.auth = ask_auth,
	.mail = ask_mail,
	.rcpt = ask_rcpt,
	.open = ask_open,
	.accept = ask_accept,
	.write = take_bytes,
	.saw = see_bytes,
	.forget = forget,
	.tell = tell,
	.classify = classify,
};
