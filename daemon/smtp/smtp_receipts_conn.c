/* Who is told that a message has arrived (NOTIFY=SUCCESS).
 *
 *   a mailbox of ours .... "delivered", also by an alias for it alone (RFC 3461 5.2.3)
 *   an alias for several . "expanded"; they are asked for no more (5.2.7.3 c)
 *   another server ....... it is asked instead, also by an alias for it alone (5.2.1);
 *                          the queue tells "relayed" where it knows no DSN (5.2.2)
 *
 * One for each recipient that the client named, also where two of them are one mailbox;
 * of two that lead to one address elsewhere, that other server tells, once.
 * The row that asks the queue process for it is a part of the accept: mail and receipt
 * are there together, or neither is. It names the address that the sender wrote: whose
 * mailbox that leads to is nobody's business (RFC 3464 4.2).
 *
 * A stranger may write anybody into MAIL FROM, and have us write to him. RFC 3461 knows
 * no exception for that, and we make one: nothing goes to who is likely not the sender,
 * and not much to who is not proven to be.
 */
#include "smtp/smtp_conn_priv.h"

enum {
	RECEIPT_RESERVE = 256,
};

enum err
smtp_receipts_add(struct smtp_conn *c, const struct resolution *r,
                  const struct smtp_rcpt *rcpt)
{
	struct smtp_receipt *receipt;

	if (!(rcpt->notify & SMTP_NOTIFY_SUCCESS) ||
	    !smtp_session_mail(c->session)->from_text.n)
		return OK;
	/* A name for reports is read here: that is where its mail ends. */
	if (r->count == 1 && r->targets[0].kind == RCPT_REMOTE &&
	    !str_eq(r->targets[0].domain, STR(REPORTS_DOMAIN)))
		return OK;
	if (arena_left(c->arena) < RECEIPT_RESERVE)
		return ERR_RCPT_MAX;
	receipt = ARENA_NEW(c->arena, struct smtp_receipt);
	receipt->next = c->receipts;
	receipt->rcpt = rcpt;
	receipt->is_expanded = r->count > 1;
	c->receipts = receipt;
	c->receipt_count++;
	return OK;
}

/* One more for a sender that nothing proves; false: there were enough. */
static bool
take_unproven(struct smtp_conn *c)
{
	struct smtp_guesses *taken = c->server->receipts;
	int64_t now = loop_now_ms(c->server->parts.loop);
	struct addr ip;

	if (!addr_parse_ip(smtp_session_peer(c->session)->ip, &ip))
		return false;
	if (smtp_guesses_of(taken, &ip, now) >= c->settings->receipts_max)
		return false;
	smtp_guesses_add(taken, &ip, now);
	return true;
}

/* Why nobody is told; NULL: they are. */
static const char *
why_not(struct smtp_conn *c)
{
	const struct auth_verdict *v;
	enum spf_result spf;

	if (!c->check)
		return NULL; /* a login, or a network that may relay */
	v = smtp_check_verdict(c->check);
	spf = v->has_spf_from ? v->spf_from.result : SPF_NONE;
	if (spf == SPF_FAIL || spf == SPF_SOFTFAIL)
		return "SPF says that it is not from there";
	for (const struct smtp_target *t = c->targets; t; t = t->next) {
		if (t->is_junk)
			return "DMARC says that it is not from there";
	}
	if (spf == SPF_PASS || take_unproven(c))
		return NULL;
	return c->settings->receipts_max
	               ? "too many in this minute without proof of the sender"
	               : "SPF does not prove that it is from there";
}

static bool
is_any_wanted(const struct smtp_conn *c)
{
	for (const struct smtp_target *t = c->targets; t; t = t->next) {
		if (t->notify & SMTP_NOTIFY_SUCCESS)
			return true;
	}
	return c->receipt_count > 0;
}

void
smtp_receipts_judge(struct smtp_conn *c)
{
	const struct smtp_mail *mail = smtp_session_mail(c->session);
	const char *why = is_any_wanted(c) ? why_not(c) : NULL;
	struct event e;

	c->has_no_receipts = why != NULL;
	if (!why)
		return;
	c->receipts = NULL;
	c->receipt_count = 0;
	if (!mail->from_text.n)
		return;
	event_init(&e, EV_DSN_WITHHELD, id_str(&mail->trace_id),
	           id_str(smtp_session_id(c->session)));
	event_str(&e, "from", mail->from_text);
	event_str(&e, "reason", str_from(why));
	smtp_events_add(&c->events, &e);
}

unsigned
smtp_receipts_notify(const struct smtp_conn *c, const struct smtp_target *t)
{
	unsigned notify = t->notify;

	if (!(notify & SMTP_NOTIFY_SUCCESS) || !c->has_no_receipts)
		return notify;
	/* None at all would ask for news of failures again. */
	notify &= ~(unsigned)SMTP_NOTIFY_SUCCESS;
	return notify ? notify : SMTP_NOTIFY_NEVER;
}

void
smtp_receipts_fill(const struct smtp_conn *c, struct accept_rcpt *rcpts)
{
	size_t left = c->receipt_count;

	/* The list has the last one first. */
	for (const struct smtp_receipt *r = c->receipts; r; r = r->next)
		rcpts[--left] = (struct accept_rcpt){
			.kind = RCPT_RECEIPT,
			.rcpt = r->rcpt->text,
			.notify = r->rcpt->notify,
			.orcpt = r->rcpt->orcpt,
			.is_expanded = r->is_expanded,
		};
}
