/* smtp_line.c - lines of a server session: a command's way to its handler, and what is
 * done with a line that is none.
 */
#include "smtp/smtp_session_priv.h"

/* ---- the way of a command -------------------------------------------------------- */

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

enum smtp_next
smtp_line_input(struct smtp_session *s, struct str in, size_t *used_out,
                struct strbuf *out)
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
