/* MAIL and RCPT: the envelope. */
#include "base/utf8.h"
#include "smtp/smtp_command.h"
#include "smtp/smtp_params.h"
#include "smtp/smtp_session_priv.h"

/* Is SMTPUTF8 among the parameters? The path before them is read by it. */
static bool
has_smtputf8(struct str args)
{
	struct str word;

	while (str_next(&args, ' ', &word)) {
		if (str_eq_icase(word, STR("SMTPUTF8")))
			return true;
	}
	return false;
}

/* For the log and who searches it: the address where it could be read, else what stands
   in its place. */
static struct str
address_said(struct str parsed, struct str args, struct str before)
{
	size_t end;

	if (parsed.p)
		return parsed;
	(void)str_skip_icase(&args, before);
	args = str_trim(args);
	end = str_find(args, '>');
	if (end != SIZE_MAX && str_skip_byte(&args, '<'))
		return str_first(args, end - 1);
	return args;
}

static enum smtp_next
refuse_mail(struct smtp_session *s, struct str from, enum err e, struct str words,
            struct strbuf *out)
{
	smtp_tell_refused(s, EV_MAIL_REJECTED, e, "from", from);
	return smtp_reply_reset(s, out, e, words);
}

static enum smtp_next
mail_answered(struct smtp_session *s, const struct smtp_answer *answer,
              struct strbuf *out)
{
	struct smtp_mail *mail = &s->tx->mail;
	struct event e;

	if (answer->err != OK)
		return refuse_mail(s, mail->from_text, answer->err, answer->text, out);
	mail->trace_id = answer->trace_id;
	s->mails++;
	s->state = SMTP_STATE_MAIL;
	smtp_event(s, &e, EV_MAIL);
	event_str(&e, "from", mail->from_text);
	if (mail->size_declared)
		event_i64(&e, "size", (int64_t)mail->size_declared);
	if (mail->is_tls_required)
		event_str(&e, "demand", STR("requiretls"));
	smtp_tell(s, &e);
	return smtp_reply_good(out, 250, "2.1.0", STR("Sender ok"));
}

static enum err
parse_mail(struct smtp_session *s, struct str args)
{
	struct smtp_transaction *tx = s->tx;
	unsigned flags = ADDRESS_NULL | (has_smtputf8(args) ? ADDRESS_UTF8 : 0);
	enum err e;

	if (!str_skip_icase(&args, STR("FROM:")))
		return ERR_SYNTAX;
	/* No space is allowed here, and many clients send one (RFC 5321 3.3). */
	while (str_skip_byte(&args, ' '))
		;
	e = address_parse_path(&args, flags, tx->arena, &tx->mail.from);
	if (e != OK)
		return e == ERR_ADDRESS ? ERR_SENDER_ADDRESS : e;
	tx->mail.from_text = smtp_address_text(tx->arena, &tx->mail.from);
	e = smtp_params_parse_mail(args, tx->arena, &tx->mail);
	/* Offered under TLS only, and what came in plain is no secret any more. */
	if (e == OK && tx->mail.is_tls_required && !s->tls.n)
		e = ERR_NEED_TLS;
	if (e == OK && (tx->mail.ret || tx->mail.envid.n) && !smtp_dsn_is_offered(s))
		e = ERR_PARAMETER;
	if (e == OK && tx->mail.size_declared > s->conf->message_size_max)
		e = ERR_TOO_LARGE;
	return e;
}

/* MAIL FROM:<reverse-path> [SP parameters]                          RFC 5321 4.1.1.2 */
enum smtp_next
smtp_cmd_mail(struct smtp_session *s, struct str args, struct strbuf *out)
{
	struct str nothing = { NULL, 0 };
	enum err e;

	if (s->mails >= s->conf->mail_max) {
		smtp_tell_refused(s, EV_MAIL_REJECTED, ERR_LIMIT, "from",
		                  address_said(nothing, args, STR("FROM:")));
		return smtp_reply_last(s, out, ERR_LIMIT);
	}
	smtp_transaction_begin(s);
	e = parse_mail(s, args);
	if (e != OK)
		return refuse_mail(
			s, address_said(s->tx->mail.from_text, args, STR("FROM:")), e,
			nothing, out);
	s->ops->mail(s->ops_arg, &s->tx->mail);
	return smtp_ask(s, mail_answered);
}

static enum smtp_next
refuse_rcpt(struct smtp_session *s, struct str rcpt, enum err e, struct str words,
            struct strbuf *out)
{
	smtp_tell_refused(s, EV_RCPT_REJECTED, e, "rcpt", rcpt);
	if (e == ERR_NO_SUCH_USER)
		s->unknowns++;
	return smtp_reply_words(s, out, e, words);
}

static enum smtp_next
rcpt_answered(struct smtp_session *s, const struct smtp_answer *answer,
              struct strbuf *out)
{
	struct smtp_transaction *tx = s->tx;
	struct smtp_rcpt *rcpt = tx->asked;
	struct event e;

	if (answer->err != OK)
		return refuse_rcpt(s, rcpt->text, answer->err, answer->text, out);
	*tx->last = rcpt;
	tx->last = &rcpt->next;
	tx->mail.rcpt_count++;
	s->state = SMTP_STATE_RCPT;
	smtp_event(s, &e, EV_RCPT);
	event_str(&e, "rcpt", rcpt->text);
	smtp_tell(s, &e);
	return smtp_reply_good(out, 250, "2.1.5", STR("Recipient ok"));
}

static enum err
parse_rcpt(struct smtp_session *s, struct str args, struct smtp_rcpt *rcpt)
{
	struct arena *a = s->tx->arena;
	unsigned flags = ADDRESS_POSTMASTER | (s->tx->mail.is_utf8 ? ADDRESS_UTF8 : 0);
	enum err e;

	if (!str_skip_icase(&args, STR("TO:")))
		return ERR_SYNTAX;
	while (str_skip_byte(&args, ' '))
		;
	e = address_parse_path(&args, flags, a, &rcpt->address);
	if (e != OK)
		return e;
	rcpt->text = smtp_address_text(a, &rcpt->address);
	e = smtp_params_parse_rcpt(args, a, rcpt);
	if (e == OK && (rcpt->notify || rcpt->orcpt.n) && !smtp_dsn_is_offered(s))
		e = ERR_PARAMETER;
	/* It would go out in a command to servers without SMTPUTF8 (RFC 6533 3). */
	if (e == OK && !s->tx->mail.is_utf8 && !ascii_check(rcpt->orcpt))
		e = ERR_NEED_SMTPUTF8;
	return e;
}

/* A full transaction answers 452, not 552, so that the client sends the rest in another
   one (RFC 5321 4.5.3.1.10). Who goes on as long again is told goodbye. */
static enum smtp_next
refuse_one_too_many(struct smtp_session *s, struct str args, struct strbuf *out)
{
	struct str nothing = { NULL, 0 };
	enum err e = ++s->tx->too_many > s->conf->rcpt_max ? ERR_TOO_MANY_ERRORS
	                                                   : ERR_RCPT_MAX;

	/* One event tells it as well as a thousand. */
	if (s->tx->too_many == 1 || e != ERR_RCPT_MAX)
		smtp_tell_refused(s, EV_RCPT_REJECTED, e, "rcpt",
		                  address_said(nothing, args, STR("TO:")));
	return smtp_reply(s, out, e);
}

/* RCPT TO:<forward-path> [SP parameters]                            RFC 5321 4.1.1.3 */
enum smtp_next
smtp_cmd_rcpt(struct smtp_session *s, struct str args, struct strbuf *out)
{
	struct smtp_transaction *tx = s->tx;
	struct str nothing = { NULL, 0 };
	struct smtp_rcpt *rcpt;
	enum err e;

	/* Refused ones take memory as well, so it may be used up before the count is. */
	if (tx->mail.rcpt_count >= s->conf->rcpt_max ||
	    arena_left(tx->arena) < SMTP_CONTENT_RESERVE + SMTP_RCPT_RESERVE)
		return refuse_one_too_many(s, args, out);
	rcpt = ARENA_NEW(tx->arena, struct smtp_rcpt);
	e = parse_rcpt(s, args, rcpt);
	if (e != OK)
		return refuse_rcpt(s, address_said(rcpt->text, args, STR("TO:")), e,
		                   nothing, out);
	tx->asked = rcpt;
	s->ops->rcpt(s->ops_arg, rcpt);
	return smtp_ask(s, rcpt_answered);
}
