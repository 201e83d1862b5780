/* smtp_reply.c - what a server session says: replies to its client, and events. Replies
 * count errors, so that a client that makes too many of them hears the last one.
 */
#include "smtp/smtp_session_priv.h"

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
