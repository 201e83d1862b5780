/* smtp_client_tx.c - one message in the outbound dialogue. It is a script: RSET (where
 * one was left in the middle), MAIL, one RCPT for each recipient, DATA. Two positions
 * walk through it, the next command to write and the next reply to come; with PIPELINING
 * the first runs ahead, without it both go in step. So one set of handlers serves both
 * kinds of servers.
 */
#include "base/panic.h"
#include "smtp/smtp_client_priv.h"

void
smtp_client_settle(struct smtp_client *c, struct smtp_client_result result)
{
	for (size_t i = 0; c->message && i < c->count; i++) {
		struct smtp_client_rcpt *rcpt = &c->message->rcpts[c->order[i]];

		if (rcpt->result.outcome == SMTP_CLIENT_OPEN)
			rcpt->result = result;
	}
}

static enum smtp_client_next
end_transaction(struct smtp_client *c)
{
	c->message = NULL;
	return smtp_client_enter(c, SMTP_CLIENT_IDLE);
}

/* Script positions: 0 RSET, 1 MAIL, 2... RCPT, the last DATA. */
static enum smtp_client_state
script_state(const struct smtp_client *c, size_t position)
{
	if (position == 0)
		return SMTP_CLIENT_RSET;
	if (position == 1)
		return SMTP_CLIENT_MAIL;
	return position < c->count + 2 ? SMTP_CLIENT_RCPT : SMTP_CLIENT_DATA;
}

static void
write_command(struct smtp_client *c, struct strbuf *out)
{
	size_t position = c->written++;

	switch (script_state(c, position)) {
	case SMTP_CLIENT_RSET:
		strbuf_lit(out, "RSET\r\n");
		break;
	case SMTP_CLIENT_MAIL:
		c->mails++;
		smtp_client_format_mail(c, out);
		break;
	case SMTP_CLIENT_RCPT:
		smtp_client_format_rcpt(c, &c->message->rcpts[c->order[position - 2]],
		                        out);
		break;
	default:
		strbuf_lit(out, "DATA\r\n");
		break;
	}
	smtp_client_sent(c);
}

/* Writes what may be written now, and says what to wait for. */
static enum smtp_client_next
go_on(struct smtp_client *c, struct strbuf *out)
{
	bool may_run_ahead = c->ext.offers & SMTP_OFFER_PIPELINING;

	while (c->written < c->count + 3 && (may_run_ahead || c->written == c->answered))
		write_command(c, out);
	return smtp_client_enter(c, script_state(c, c->answered));
}

enum smtp_client_next
smtp_client_on_rset(struct smtp_client *c, int code, struct strbuf *out)
{
	if (code / 100 != 2)
		return smtp_client_give_up_on(c, code);
	c->answered++;
	return go_on(c, out);
}

enum smtp_client_next
smtp_client_on_mail(struct smtp_client *c, int code, struct strbuf *out)
{
	c->answered++;
	if (code / 100 == 2)
		return go_on(c, out);
	smtp_client_settle(c, smtp_client_reply_result(c, c->tx, code));
	/* Commands that ran ahead are still answered; otherwise that was all. */
	return c->outstanding ? go_on(c, out) : end_transaction(c);
}

/* The server wants no more recipients in this transaction (RFC 5321 4.5.3.1.10, which
   makes 552 the same as 452 here, if it does not say that it means something else). */
static bool
is_too_many(const struct smtp_client_result *r)
{
	if (r->code != 452 && r->code != 552 && r->code != 451)
		return false;
	if (r->enhanced.n)
		return str_ends(r->enhanced, STR(".5.3"));
	return r->code == 452 || str_find_icase(r->text, STR("too many")) != SIZE_MAX;
}

enum smtp_client_next
smtp_client_on_rcpt(struct smtp_client *c, int code, struct strbuf *out)
{
	struct smtp_client_rcpt *rcpt = &c->message->rcpts[c->order[c->answered - 2]];

	c->answered++;
	if (rcpt->result.outcome == SMTP_CLIENT_OPEN) {
		if (code / 100 == 2) {
			c->accepted++;
		} else {
			rcpt->result = smtp_client_reply_result(c, c->tx, code);
			if (c->accepted && is_too_many(&rcpt->result))
				rcpt->result.outcome = SMTP_CLIENT_AGAIN;
		}
	}
	if (!c->accepted && !c->outstanding && c->answered == c->count + 2) {
		c->want_rset = true;
		return end_transaction(c);
	}
	return go_on(c, out);
}

enum smtp_client_next
smtp_client_on_data(struct smtp_client *c, int code, struct strbuf *out)
{
	c->want_rset = true;
	if (code == 354 && c->accepted) {
		c->body = (struct smtp_body_writer){ 0 };
		return smtp_client_enter(c, SMTP_CLIENT_BODY);
	}
	if (code == 354) {
		/* DATA ran ahead and the server takes text for nobody: it gets none
		   (RFC 2920 3.1). */
		strbuf_lit(out, ".\r\n");
		smtp_client_sent(c);
		return smtp_client_enter(c, SMTP_CLIENT_DOT);
	}
	if (code / 100 < 4)
		return smtp_client_give_up(c, ERR_PROTOCOL);
	smtp_client_settle(c, smtp_client_reply_result(c, c->tx, code));
	return end_transaction(c);
}

void
smtp_client_body(struct smtp_client *c, struct str piece, struct strbuf *out)
{
	CHECK(c->state == SMTP_CLIENT_BODY);
	smtp_body_write(&c->body, piece, out);
	c->steps++;
}

enum smtp_client_next
smtp_client_body_end(struct smtp_client *c, struct strbuf *out)
{
	CHECK(c->state == SMTP_CLIENT_BODY);
	smtp_body_end(&c->body, out);
	smtp_client_sent(c);
	return smtp_client_enter(c, SMTP_CLIENT_DOT);
}

enum smtp_client_next
smtp_client_on_dot(struct smtp_client *c, int code, struct strbuf *out)
{
	(void)out;
	c->want_rset = false;
	smtp_client_settle(c, smtp_client_reply_result(c, c->tx, code));
	return end_transaction(c);
}

/* The server answers before the text is complete. It may refuse so, but it cannot have
   accepted; and as its next replies could not be told apart, the dialogue ends. */
enum smtp_client_next
smtp_client_on_body(struct smtp_client *c, int code, struct strbuf *out)
{
	(void)out;
	if (code / 100 < 4)
		return smtp_client_give_up(c, ERR_PROTOCOL);
	smtp_client_settle(c, smtp_client_reply_result(c, c->tx, code));
	return smtp_client_give_up_on(c, code);
}

bool
smtp_client_has_requiretls(const struct smtp_client *c)
{
	return c->is_secured && (c->ext.offers & SMTP_OFFER_REQUIRETLS);
}

/* Why this message cannot go to this server at all, or OK. Text with 8-bit bytes is not
   converted for a 7-bit server but returned (RFC 6152 3 leaves the choice): a conversion
   would break signatures, and servers without 8BITMIME have all but died out. */
static enum err
check_message(const struct smtp_client *c, const struct smtp_client_message *m)
{
	if (!smtp_client_path_check(m->from))
		return ERR_SENDER_ADDRESS;
	if (m->is_tls_required && !smtp_client_has_requiretls(c))
		return ERR_NEED_REQUIRETLS;
	if (c->ext.size_max && m->size > c->ext.size_max)
		return ERR_TOO_LARGE;
	if (m->is_utf8 && !(c->ext.offers & SMTP_OFFER_SMTPUTF8))
		return ERR_NEED_SMTPUTF8;
	if (m->is_8bit && !(c->ext.offers & SMTP_OFFER_8BITMIME))
		return ERR_NEED_8BITMIME;
	return OK;
}

static struct smtp_client_result
refused(enum err cause)
{
	return (struct smtp_client_result){
		.outcome = SMTP_CLIENT_PERM,
		.at = SMTP_CLIENT_MAIL,
		.cause = cause,
		.enhanced = str_from(err_get(cause)->enhanced),
	};
}

/* Picks the recipients that go into this transaction. */
static void
pick(struct smtp_client *c, struct smtp_client_message *m)
{
	enum err why = check_message(c, m);
	size_t room = smtp_client_room(c);

	c->order = ARENA_ARRAY(c->tx, size_t, room);
	c->count = 0;
	for (size_t i = 0; i < m->rcpt_count; i++) {
		struct smtp_client_rcpt *rcpt = &m->rcpts[i];

		rcpt->result = (struct smtp_client_result){ 0 };
		if (why != OK)
			rcpt->result = refused(why);
		else if (!rcpt->address.n || !smtp_client_path_check(rcpt->address))
			rcpt->result = refused(ERR_ADDRESS);
		else if (c->count == room)
			rcpt->result.outcome = SMTP_CLIENT_AGAIN;
		else
			c->order[c->count++] = i;
	}
}

enum smtp_client_next
smtp_client_send(struct smtp_client *c, struct smtp_client_message *message,
                 struct strbuf *out)
{
	CHECK(c->state == SMTP_CLIENT_IDLE);
	arena_reset(c->tx);
	pick(c, message);
	if (!c->count)
		return SMTP_CLIENT_NEXT_READY;
	c->message = message;
	c->accepted = 0;
	c->written = c->answered = c->want_rset ? 0 : 1;
	c->want_rset = false;
	return go_on(c, out);
}

static uint64_t
least(uint64_t a, uint64_t b)
{
	return b && b < a ? b : a;
}

size_t
smtp_client_room(const struct smtp_client *c)
{
	if (c->state == SMTP_CLIENT_CLOSED)
		return 0;
	if (c->ext.mail_max && c->mails >= c->ext.mail_max)
		return 0;
	return (size_t)least(least(SMTP_CLIENT_RCPT_LIMIT, c->conf->rcpt_max),
	                     c->ext.rcpt_max);
}
