/* EHLO, HELO, STARTTLS and XCLIENT: who is there, and what is offered. */
#include "base/addr.h"
#include "smtp/smtp_command.h"
#include "smtp/smtp_params.h"
#include "smtp/smtp_session_priv.h"

/* What may stand behind HELO. Many clients send names that DNS does not allow, so only
   what could do harm in a header field or the log is refused. */
static bool
helo_check(struct str name)
{
	if (name.n > ADDRESS_DOMAIN_MAX)
		return false;
	for (size_t i = 0; i < name.n; i++) {
		char c = name.p[i];

		if (!byte_is_alnum(c) && !memchr(".-_:[]", c, 6))
			return false;
	}
	return true;
}

static enum err
take_helo(struct smtp_session *s, struct str name, bool is_esmtp)
{
	struct event e;

	if (!helo_check(name))
		return ERR_SYNTAX;
	smtp_session_reset(s);
	arena_reset(s->hello_arena);
	s->helo = arena_str(s->hello_arena, name);
	s->is_esmtp = is_esmtp;
	s->state = SMTP_STATE_READY;
	smtp_event(s, &e, EV_HELO);
	event_str(&e, "helo", name);
	smtp_tell(s, &e);
	return OK;
}

static enum smtp_next
refuse_helo(struct smtp_session *s, struct str name, struct strbuf *out)
{
	smtp_tell_refused(s, EV_COMMAND_REJECTED, ERR_SYNTAX, "helo", name);
	return smtp_reply(s, out, ERR_SYNTAX);
}

/* HELO SP domain                                                    RFC 5321 4.1.1.1 */
enum smtp_next
smtp_cmd_helo(struct smtp_session *s, struct str args, struct strbuf *out)
{
	if (take_helo(s, args, false) != OK)
		return refuse_helo(s, args, out);
	return smtp_reply_good(out, 250, NULL, s->conf->hostname);
}

/* What is offered: keyword, its parameters, and whether it is offered now. */
static bool
offers_starttls(const struct smtp_session *s)
{
	return s->conf->has_tls && s->tls.n == 0;
}

bool
smtp_dsn_is_offered(const struct smtp_session *s)
{
	return s->conf->offers_dsn || s->service == SMTP_SUBMISSION ||
	       s->peer.may_relay || s->login.n;
}

/* RFC 8689 2: not before the session is encrypted. */
static bool
offers_requiretls(const struct smtp_session *s)
{
	return s->tls.n > 0;
}

static bool
offers_xclient(const struct smtp_session *s)
{
	return s->peer.may_xclient;
}

static void
format_size(const struct smtp_session *s, struct strbuf *out)
{
	strbuf_byte(out, ' ');
	strbuf_u64(out, s->conf->message_size_max);
}

/* RFC 9422 4 */
static void
format_limits(const struct smtp_session *s, struct strbuf *out)
{
	strbuf_printf(out, " MAILMAX=%u RCPTMAX=%u", s->conf->mail_max,
	              s->conf->rcpt_max);
}

static const struct {
	struct str keyword;
	bool (*is_offered)(const struct smtp_session *s); /* NULL: always */
	void (*format)(const struct smtp_session *s, struct strbuf *out); /* or NULL */
} extensions[] = {
	{ STR_INIT("PIPELINING"), NULL, NULL },
	{ STR_INIT("SIZE"), NULL, format_size },
	{ STR_INIT("8BITMIME"), NULL, NULL },
	{ STR_INIT("SMTPUTF8"), NULL, NULL },
	{ STR_INIT("CHUNKING"), NULL, NULL },
	{ STR_INIT("ENHANCEDSTATUSCODES"), NULL, NULL },
	{ STR_INIT("DSN"), smtp_dsn_is_offered, NULL },
	{ STR_INIT("LIMITS"), NULL, format_limits },
	{ STR_INIT("STARTTLS"), offers_starttls, NULL },
	{ STR_INIT("REQUIRETLS"), offers_requiretls, NULL },
	{ STR_INIT("AUTH PLAIN LOGIN"), smtp_auth_is_offered, NULL },
	{ STR_INIT("XCLIENT NAME ADDR PORT PROTO HELO LOGIN DESTADDR DESTPORT"),
	  offers_xclient, NULL },
};

/* EHLO SP domain                                                    RFC 5321 4.1.1.1 */
enum smtp_next
smtp_cmd_ehlo(struct smtp_session *s, struct str args, struct strbuf *out)
{
	size_t last = 0;

	if (take_helo(s, args, true) != OK)
		return refuse_helo(s, args, out);
	strbuf_lit(out, "250-");
	strbuf_add(out, s->conf->hostname);
	strbuf_lit(out, "\r\n");
	for (size_t i = 0; i < ARRAY_LEN(extensions); i++) {
		if (extensions[i].is_offered && !extensions[i].is_offered(s))
			continue;
		last = out->n;
		strbuf_lit(out, "250-");
		strbuf_add(out, extensions[i].keyword);
		if (extensions[i].format)
			extensions[i].format(s, out);
		strbuf_lit(out, "\r\n");
	}
	if (!out->overflow)
		out->p[last + 3] = ' ';
	return SMTP_READ;
}

/* STARTTLS                                                                RFC 3207 4 */
enum smtp_next
smtp_cmd_starttls(struct smtp_session *s, struct str args, struct strbuf *out)
{
	enum err e = OK;

	(void)args;
	if (s->tls.n)
		e = ERR_SEQUENCE;
	else if (!s->conf->has_tls)
		e = ERR_TLS_UNAVAILABLE;
	if (e != OK) {
		smtp_tell_refused(s, EV_COMMAND_REJECTED, e, "command", STR("STARTTLS"));
		return smtp_reply(s, out, e);
	}
	(void)smtp_reply_good(out, 220, "2.0.0", STR("Ready to start TLS"));
	return SMTP_STARTTLS;
}

/* ---- XCLIENT: a proxy of ours says who the client is ------------------------------ */

enum {
	XCLIENT_MAX = 4096, /* all values of one XCLIENT, decoded */
};

struct xclient {
	struct smtp_peer peer;
	struct str helo, login;
	struct strbuf *scratch;
};

static bool
is_unavailable(struct str value)
{
	return str_eq_icase(value, STR("[UNAVAILABLE]")) ||
	       str_eq_icase(value, STR("[TEMPUNAVAIL]"));
}

static bool
x_addr(struct xclient *x, struct str value)
{
	size_t at = x->scratch->n;
	struct addr addr;

	if (is_unavailable(value))
		return true;
	(void)str_skip_icase(&value, STR("IPV6:"));
	if (!addr_parse_ip(value, &addr))
		return false;
	addr_format_ip(x->scratch, &addr);
	x->peer.ip = str_from_offset(strbuf_str(x->scratch), at);
	return true;
}

static bool
x_name(struct xclient *x, struct str value)
{
	if (is_unavailable(value))
		value.n = 0;
	x->peer.host = value;
	return helo_check(value);
}

static bool
x_port(struct xclient *x, struct str value)
{
	uint32_t port;

	if (is_unavailable(value))
		return true;
	if (!str_parse_u32(value, &port) || port > UINT16_MAX)
		return false;
	x->peer.port = (uint16_t)port;
	return true;
}

static bool
x_helo(struct xclient *x, struct str value)
{
	if (is_unavailable(value))
		value.n = 0;
	x->helo = value;
	return helo_check(value);
}

static bool
x_login(struct xclient *x, struct str value)
{
	if (is_unavailable(value))
		value.n = 0;
	x->login = value;
	return value.n == 0 || address_is_login(value);
}

/* The protocol, and our end of the connection: nothing depends on them. */
static bool
x_ignore(struct xclient *x, struct str value)
{
	(void)x;
	return value.n > 0;
}

static const struct {
	struct str name;
	bool (*read)(struct xclient *x, struct str value);
} attributes[] = {
	{ STR_INIT("ADDR"), x_addr },       { STR_INIT("NAME"), x_name },
	{ STR_INIT("PORT"), x_port },       { STR_INIT("HELO"), x_helo },
	{ STR_INIT("LOGIN"), x_login },     { STR_INIT("PROTO"), x_ignore },
	{ STR_INIT("DESTADDR"), x_ignore }, { STR_INIT("DESTPORT"), x_ignore },
};

static bool
read_attribute(struct xclient *x, struct str word)
{
	size_t equals = str_find(word, '='), at = x->scratch->n;
	struct str name = str_first(word, equals), value;

	if (equals == SIZE_MAX)
		return false;
	if (!xtext_parse(str_from_offset(word, equals + 1), x->scratch))
		return false;
	value = str_from_offset(strbuf_str(x->scratch), at);
	for (size_t i = 0; i < ARRAY_LEN(attributes); i++) {
		if (str_eq_icase(name, attributes[i].name))
			return attributes[i].read(x, value);
	}
	return false;
}

/* XCLIENT attribute=xtext …: the session starts anew, as somebody else's. */
enum smtp_next
smtp_cmd_xclient(struct smtp_session *s, struct str args, struct strbuf *out)
{
	char bytes[XCLIENT_MAX];
	struct strbuf scratch = strbuf_on(bytes);
	struct xclient x = { .peer = s->peer, .scratch = &scratch };
	struct str word;
	enum err e = s->peer.may_xclient ? OK : ERR_FORBIDDEN;

	while (e == OK && str_next(&args, ' ', &word)) {
		if (word.n && !read_attribute(&x, word))
			e = ERR_SYNTAX;
	}
	if (e == OK && s->ops->classify)
		e = s->ops->classify(s->ops_arg, &x.peer);
	if (e != OK) {
		smtp_tell_refused(s, EV_COMMAND_REJECTED, e, "command", STR("XCLIENT"));
		return smtp_reply(s, out, e);
	}
	/* The proxy stays one, whoever it speaks for. */
	x.peer.may_xclient = true;
	smtp_session_set_peer(s, &x.peer);
	smtp_session_reset(s);
	arena_reset(s->hello_arena);
	s->helo = (struct str){ NULL, 0 };
	s->is_esmtp = false;
	s->login = (struct str){ NULL, 0 };
	if (x.login.n)
		s->login = smtp_login_keep(s, x.login);
	s->state = SMTP_STATE_GREETING;
	smtp_session_greet(s, out);
	return SMTP_READ;
}
