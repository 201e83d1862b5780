#include "smtp/smtp_command.h"

#include "smtp/smtp_session_priv.h"

#define ST(name) (1U << SMTP_STATE_##name)

enum {
	ST_IDLE = ST(HELO) | ST(READY),
	ST_MAIL = ST(MAIL) | ST(RCPT),
	ST_ANY = ST_IDLE | ST_MAIL | ST(BETWEEN),
};

/* RSET                                                              RFC 5321 4.1.1.5 */
static enum smtp_next
cmd_rset(struct smtp_session *s, struct str args, struct strbuf *out)
{
	(void)args;
	smtp_session_reset(s);
	return smtp_reply_good(out, 250, "2.0.0", STR("Reset"));
}

/* NOOP [SP string]                                                  RFC 5321 4.1.1.9 */
static enum smtp_next
cmd_noop(struct smtp_session *s, struct str args, struct strbuf *out)
{
	(void)s;
	(void)args;
	return smtp_reply_good(out, 250, "2.0.0", STR("Ok"));
}

/* QUIT                                                             RFC 5321 4.1.1.10 */
static enum smtp_next
cmd_quit(struct smtp_session *s, struct str args, struct strbuf *out)
{
	(void)args;
	smtp_session_reset(s);
	(void)smtp_reply_about(out, 221, "2.0.0", s->conf->hostname,
	                       STR(" closing connection"));
	s->state = SMTP_STATE_QUIT;
	return SMTP_CLOSE;
}

/* VRFY SP string: the same words for everybody, so nobody can ask who lives here.
                                                            RFC 5321 4.1.1.6, 7.3       */
static enum smtp_next
cmd_vrfy(struct smtp_session *s, struct str args, struct strbuf *out)
{
	(void)s;
	(void)args;
	return smtp_reply_good(out, 252, "2.5.0",
	                       STR("Cannot verify, but will take a message and try"));
}

/* HELP [SP string]                                                  RFC 5321 4.1.1.8 */
static enum smtp_next
cmd_help(struct smtp_session *s, struct str args, struct strbuf *out)
{
	(void)s;
	(void)args;
	return smtp_reply_good(
		out, 214, "2.0.0",
		STR("EHLO HELO MAIL RCPT DATA BDAT RSET NOOP VRFY STARTTLS AUTH "
	            "QUIT: see RFC 5321"));
}

/* Commands that are known and not offered                             RFC 5321 4.2.4 */
static enum smtp_next
cmd_off(struct smtp_session *s, struct str args, struct strbuf *out)
{
	(void)args;
	return smtp_reply(s, out, ERR_COMMAND_OFF);
}

/* A browser that was made to talk to us: what follows is not meant for a mail server, and
   part of it may be chosen by somebody else. */
static enum smtp_next
cmd_http(struct smtp_session *s, struct str args, struct strbuf *out)
{
	(void)args;
	smtp_tell_refused(s, EV_COMMAND_REJECTED, ERR_COMMAND, "command", STR("HTTP"));
	return smtp_reply_last(s, out, ERR_COMMAND);
}

/* clang-format off */
static const struct smtp_command commands[] = {
	/* verb                  allowed in  flags                             start */
	{ STR_INIT("MAIL"),     ST(READY),  SMTP_WANT_ARGS | SMTP_NEED_LOGIN, smtp_cmd_mail },
	{ STR_INIT("RCPT"),     ST_MAIL,    SMTP_WANT_ARGS,                   smtp_cmd_rcpt },
	{ STR_INIT("DATA"),     ST(RCPT),   SMTP_NO_ARGS | SMTP_LAST,         smtp_cmd_data },
	{ STR_INIT("BDAT"),     ST_ANY,     SMTP_WANT_ARGS,                   smtp_cmd_bdat },
	{ STR_INIT("EHLO"),     ST_ANY,     SMTP_WANT_ARGS,                   smtp_cmd_ehlo },
	{ STR_INIT("HELO"),     ST_ANY,     SMTP_WANT_ARGS,                   smtp_cmd_helo },
	{ STR_INIT("QUIT"),     ST_ANY,     SMTP_NO_ARGS,                     cmd_quit },
	{ STR_INIT("RSET"),     ST_ANY,     SMTP_NO_ARGS,                     cmd_rset },
	{ STR_INIT("NOOP"),     ST_ANY,     0,                                cmd_noop },
	{ STR_INIT("STARTTLS"), ST_IDLE,    SMTP_NO_ARGS,                     smtp_cmd_starttls },
	{ STR_INIT("AUTH"),     ST(READY),  SMTP_WANT_ARGS,                   smtp_cmd_auth },
	{ STR_INIT("VRFY"),     ST_ANY,     SMTP_WANT_ARGS,                   cmd_vrfy },
	{ STR_INIT("HELP"),     ST_ANY,     0,                                cmd_help },
	{ STR_INIT("XCLIENT"),  ST_IDLE,    SMTP_WANT_ARGS,                   smtp_cmd_xclient },
	{ STR_INIT("EXPN"),     ST_ANY,     0,                                cmd_off },
	{ STR_INIT("ETRN"),     ST_ANY,     0,                                cmd_off },
	{ STR_INIT("ATRN"),     ST_ANY,     0,                                cmd_off },
	{ STR_INIT("TURN"),     ST_ANY,     0,                                cmd_off },
	{ STR_INIT("SEND"),     ST_ANY,     0,                                cmd_off },
	{ STR_INIT("SOML"),     ST_ANY,     0,                                cmd_off },
	{ STR_INIT("SAML"),     ST_ANY,     0,                                cmd_off },
	{ STR_INIT("BURL"),     ST_ANY,     0,                                cmd_off },
	{ STR_INIT("GET"),      ST_ANY,     0,                                cmd_http },
	{ STR_INIT("POST"),     ST_ANY,     0,                                cmd_http },
	{ STR_INIT("HEAD"),     ST_ANY,     0,                                cmd_http },
	{ STR_INIT("PUT"),      ST_ANY,     0,                                cmd_http },
	{ STR_INIT("DELETE"),   ST_ANY,     0,                                cmd_http },
	{ STR_INIT("PATCH"),    ST_ANY,     0,                                cmd_http },
	{ STR_INIT("OPTIONS"),  ST_ANY,     0,                                cmd_http },
	{ STR_INIT("CONNECT"),  ST_ANY,     0,                                cmd_http },
	{ STR_INIT("TRACE"),    ST_ANY,     0,                                cmd_http },
};
/* clang-format on */

const struct smtp_command *
smtp_command_find(struct str verb)
{
	for (size_t i = 0; i < ARRAY_LEN(commands); i++) {
		if (str_eq_icase(commands[i].verb, verb))
			return &commands[i];
	}
	return NULL;
}
