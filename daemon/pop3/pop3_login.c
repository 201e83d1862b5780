/* Who are you: CAPA, STLS, USER and PASS, AUTH PLAIN (RFC 4616, RFC 5034). */
#include "base/base64.h"
#include "pop3/pop3_priv.h"

enum {
	LOGIN_BUDGET = 32 * 1024,
	USER_MAX = 320,
	PASSWORD_MAX = 1024,
};

/* The command has another name here than the table of errors gives it (RFC 2595 4). */
static const char need_tls[] = "Must issue a STLS command first";

void
pop3_forget_login(struct pop3_session *s)
{
	arena_free(&s->login);
	s->user = STR("");
}

static bool
may_log_in(const struct pop3_session *s)
{
	return s->is_secure || s->conf->has_plaintext_auth;
}

enum pop3_next
pop3_cmd_capa(struct pop3_session *s, struct str args, struct strbuf *out)
{
	(void)args;
	(void)pop3_ok(s, out, "Capability list follows");
	strbuf_lit(out, "TOP\r\nUIDL\r\nRESP-CODES\r\nAUTH-RESP-CODE\r\nPIPELINING\r\n"
	                "EXPIRE NEVER\r\nIMPLEMENTATION Mailstead\r\n");
	/* After the login too: they may not differ by state (RFC 2449 6). */
	if (may_log_in(s))
		strbuf_lit(out, "USER\r\nSASL PLAIN\r\n");
	if (!s->is_secure && s->conf->has_starttls)
		strbuf_lit(out, "STLS\r\n");
	strbuf_lit(out, ".\r\n");
	return POP3_READ;
}

enum pop3_next
pop3_cmd_stls(struct pop3_session *s, struct str args, struct strbuf *out)
{
	(void)args;
	if (s->is_secure)
		return pop3_err(s, out, ERR_SEQUENCE);
	if (!s->conf->has_starttls)
		return pop3_err(s, out, ERR_TLS_UNAVAILABLE);
	(void)pop3_ok(s, out, "Begin TLS negotiation");
	return POP3_STARTTLS;
}

static enum pop3_next
opened(struct pop3_session *s, enum err e, struct strbuf *out)
{
	if (e != OK) {
		strbuf_release(&s->entries);
		s->count = 0;
		s->bytes = 0;
		return pop3_err(s, out, e);
	}
	s->state = POP3_STATE_TRANSACTION;
	return pop3_ok(s, out, "Maildrop has %zu messages (%llu octets)", s->count,
	               (unsigned long long)s->bytes);
}

static enum pop3_next
logged_in(struct pop3_session *s, enum err e, struct strbuf *out)
{
	pop3_forget_login(s);
	if (e == OK) {
		s->ops->open(s->ops_arg);
		return pop3_ask(s, opened);
	}
	/* The password was right (RFC 2449 8.1.2). */
	if (e == ERR_LIMIT)
		return pop3_err_text(s, out,
		                     "[IN-USE] Too many sessions of this account");
	if (e == ERR_BUSY)
		return pop3_err(s, out, e);
	if (++s->auth_failures < s->conf->auth_tries)
		return pop3_err(s, out, e);
	(void)pop3_err(s, out, e);
	s->fault = ERR_AUTH;
	s->state = POP3_STATE_END;
	return POP3_CLOSE;
}

static enum pop3_next
ask_login(struct pop3_session *s, struct str user, struct str password,
          struct strbuf *out)
{
	if (!user.n || !password.n || user.n > USER_MAX || password.n > PASSWORD_MAX)
		return logged_in(s, ERR_AUTH, out);
	s->ops->login(s->ops_arg, user, password);
	pop3_forget_login(s);
	return pop3_ask(s, logged_in);
}

/* USER name. Every name is taken: which ones exist is nobody's business. */
enum pop3_next
pop3_cmd_user(struct pop3_session *s, struct str args, struct strbuf *out)
{
	if (!may_log_in(s))
		return pop3_err_text(s, out, need_tls);
	args = str_trim(args);
	if (!args.n || args.n > USER_MAX)
		return pop3_err(s, out, ERR_COMMAND_ARGS);
	pop3_forget_login(s);
	s->login = arena_new_secret(LOGIN_BUDGET);
	s->user = arena_str(s->login, args);
	return pop3_ok(s, out, "Send the password");
}

/* PASS string: all of the rest of the line, spaces too. */
enum pop3_next
pop3_cmd_pass(struct pop3_session *s, struct str args, struct strbuf *out)
{
	if (!s->user.n)
		return pop3_err(s, out, ERR_SEQUENCE);
	return ask_login(s, s->user, args, out);
}

struct plain {
	struct str authzid, user, password;
};

/* [authzid] NUL authcid NUL passwd, in base 64; all of it in s->login.  RFC 4616 2 */
static enum err
parse_plain(struct pop3_session *s, struct str line, struct plain *plain_out)
{
	struct strbuf plain = strbuf_arena(s->login, USER_MAX * 2 + PASSWORD_MAX);
	struct str rest;
	size_t at;

	if (base64_parse(line, &plain) != OK)
		return ERR_SYNTAX;
	rest = strbuf_str(&plain);
	at = str_find(rest, '\0');
	plain_out->authzid = str_first(rest, at);
	rest = str_from_offset(rest, at == SIZE_MAX ? at : at + 1);
	at = str_find(rest, '\0');
	if (at == SIZE_MAX)
		return ERR_SYNTAX;
	plain_out->user = str_first(rest, at);
	plain_out->password = str_from_offset(rest, at + 1);
	return str_find(plain_out->password, '\0') == SIZE_MAX ? OK : ERR_SYNTAX;
}

enum pop3_next
pop3_auth_line(struct pop3_session *s, struct str line, struct strbuf *out)
{
	struct plain plain;
	enum err e;

	s->state = POP3_STATE_AUTHORIZATION;
	pop3_forget_login(s);
	if (str_eq(line, STR("*")))
		return pop3_err(s, out, ERR_AUTH_CANCELLED);
	s->login = arena_new_secret(LOGIN_BUDGET);
	e = parse_plain(s, line, &plain);
	if (e != OK) {
		pop3_forget_login(s);
		return pop3_err(s, out, e);
	}
	/* Acting for somebody else is not offered. */
	if (plain.authzid.n && !str_eq_icase(plain.authzid, plain.user))
		return logged_in(s, ERR_AUTH, out);
	return ask_login(s, plain.user, plain.password, out);
}

/* AUTH [mechanism [initial-response]]; alone it lists what there is. */
enum pop3_next
pop3_cmd_auth(struct pop3_session *s, struct str args, struct strbuf *out)
{
	struct str mechanism;

	args = str_trim(args);
	if (!args.n) {
		(void)pop3_ok(s, out, "Mechanisms follow");
		if (may_log_in(s))
			strbuf_lit(out, "PLAIN\r\n");
		strbuf_lit(out, ".\r\n");
		return POP3_READ;
	}
	mechanism = str_first(args, str_find(args, ' '));
	if (!str_eq_icase(mechanism, STR("PLAIN")))
		return pop3_err(s, out, ERR_AUTH_MECHANISM);
	if (!may_log_in(s))
		return pop3_err_text(s, out, need_tls);
	args = str_trim(str_from_offset(args, mechanism.n));
	if (args.n)
		return pop3_auth_line(s, str_eq(args, STR("=")) ? STR("") : args, out);
	strbuf_lit(out, "+ \r\n");
	s->state = POP3_STATE_SASL;
	return POP3_READ;
}
