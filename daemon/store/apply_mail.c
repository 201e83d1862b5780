/* Messages come in: accept and append. */
#include "store/tx.h"

#include "base/ids.h"
#include "mail/address.h"
#include "store/head.h"

enum {
	DIGEST_BYTES = 32,
	RCPTS_MAX = 100 * 1000,
};

enum err
tx_disk_check(const struct tx *tx, uint64_t size)
{
	return tx->free_bytes < tx->limits->disk_reserve_bytes + size + size / 2
	               ? ERR_DISK_FULL
	               : OK;
}

enum err
tx_quota_check(const struct tx_account *acc, uint64_t size)
{
	if (acc->quota_bytes &&
	    (size > acc->quota_bytes || acc->used_bytes > acc->quota_bytes - size))
		return ERR_QUOTA;
	return OK;
}

/* The fields of lists, searches and threads, in one column: nobody selects by them. */
static struct str
fields_pack(struct tx *tx, const struct message_head *h)
{
	struct strbuf b = strbuf_arena(tx->arena, 1 << 20);

	head_fields_pack(h, &b);
	return strbuf_str(&b);
}

enum err
tx_message_new(struct tx *tx, const struct new_body *body, struct str trace_id,
               int64_t received_ms, uint64_t refs, uint64_t *id_out)
{
	const struct body_ref *ref = &body->ref;
	const struct message_head *h = &body->head;
	struct tx_segment *seg;
	enum err e;

	if (ref->sha256.n != DIGEST_BYTES || ref->size > UINT32_MAX)
		return ERR_INVALID;
	if (!ref->segment)
		return tx->body_error == OK ? ERR_INVALID : tx->body_error;
	e = tx_segment(tx, ref->segment, &seg);
	/* A writer seals before its last operations are answered: sealed is good. One
	   that is being compacted takes nothing more. */
	if (e == ERR_NOT_FOUND || (e == OK && seg->state > SEGMENT_SEALED))
		e = ERR_STORE_TEMP;
	if (e == OK)
		e = tx_id(tx, id_out);
	if (e != OK)
		return e;
	e = tx_run(tx,
	           "INSERT INTO message (id, refs, segment, place, stored_bytes, size,"
	           " codec, sha256, received_ms, prefix_len, trace_id, flags,"
	           " header_bytes, date_ms, date_zone, envelope, body, bodystructure,"
	           " parts, fields) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10,"
	           " $11, $12, $13, $14, $15, $16, $17, $18, $19, $20)",
	           VALUES(V_I(*id_out), V_I(refs), V_I(ref->segment), V_I(ref->offset),
	                  V_I(ref->stored_bytes), V_I(ref->size), V_I(ref->codec),
	                  V_B(ref->sha256), V_I(received_ms), V_I(body->prefix_len),
	                  V_S(trace_id), V_I(h->flags), V_I(h->header_bytes),
	                  V_I(h->date_ms), V_I(h->date_zone), V_B(h->envelope),
	                  V_B(h->body), V_B(h->bodystructure), V_B(h->parts),
	                  V_B(fields_pack(tx, h))));
	if (e == OK) {
		seg->bytes += (int64_t)ref->stored_bytes;
		seg->count++;
	}
	return e;
}

enum err
tx_entry_new(struct tx *tx, struct tx_mailbox *m, struct tx_account *acc,
             const struct tx_entry *entry, uint32_t *uid_out)
{
	enum err e;

	if (m->uidnext == UINT32_MAX)
		return ERR_LIMIT;
	e = tx_run(tx,
	           "INSERT INTO entry (mailbox_id, uid, message_id, flags, modseq, size,"
	           " date_ms) VALUES ($1, $2, $3, $4, $5, $6, $7)",
	           VALUES(V_I(m->id), V_I(m->uidnext), V_I(entry->message_id),
	                  V_I(entry->flags), V_I(entry->modseq), V_I(entry->size),
	                  V_I(entry->date_ms)));
	if (e != OK)
		return e;
	*uid_out = m->uidnext++;
	m->modseq = entry->modseq;
	m->count++;
	m->unseen += !(entry->flags & FLAG_SEEN);
	m->deleted += (entry->flags & FLAG_DELETED) != 0;
	m->size_bytes += entry->size;
	m->is_dirty = true;
	acc->used_bytes += entry->size;
	acc->message_count++;
	acc->is_dirty = true;
	return OK;
}

/* --- accept ------------------------------------------------------------------------- */

static enum err
check_local(struct tx *tx, const struct op_accept *op, size_t i)
{
	const struct accept_rcpt *r = &op->rcpts[i];
	uint64_t size = op->body.ref.size, wanted = size;
	struct tx_account *acc;
	enum err e = tx_account(tx, r->account_id, &acc);

	if (e != OK)
		return e == ERR_NOT_FOUND ? ERR_NO_SUCH_USER : e;
	if (acc->state != ACCOUNT_ACTIVE)
		return ERR_ACCOUNT_OFF;
	/* The same account through two aliases takes the room twice. */
	for (size_t j = 0; acc->quota_bytes && j < i; j++) {
		if (op->rcpts[j].kind == RCPT_LOCAL &&
		    op->rcpts[j].account_id == r->account_id)
			wanted += size;
	}
	return tx_quota_check(acc, wanted);
}

/* May it be a row of the queue? */
static bool
is_queued(const struct op_accept *op, const struct accept_rcpt *r)
{
	if (r->kind == RCPT_RECEIPT)
		return op->all_or_none && op->sender.n && r->rcpt.n;
	return r->kind == RCPT_REMOTE && r->domain.n && op->expires_ms > 0;
}

/* There is no room for news of it: that must not cost a mailbox the mail itself. Who sent
   it takes no news for no news (RFC 3461 4.1 knows no mark for "not told"). */
static bool
is_receipt_dropped(const struct accept_rcpt *r, enum err e)
{
	return r->kind == RCPT_RECEIPT && e == ERR_DISK_FULL;
}

/* Judges all recipients; nothing has been written yet. */
static enum err
check_rcpts(struct tx *tx, const struct op_accept *op, struct answer_accept *answer,
            uint64_t *good_out)
{
	enum err first = OK;

	*good_out = 0;
	for (size_t i = 0; i < op->rcpts_count; i++) {
		const struct accept_rcpt *r = &op->rcpts[i];
		enum err e = ERR_INVALID;

		if (r->kind == RCPT_LOCAL)
			e = check_local(tx, op, i);
		else if (is_queued(op, r))
			e = tx->queue_rows < tx->limits->queue_max ? OK : ERR_DISK_FULL;
		answer->results[i].error = e;
		*good_out += e == OK;
		if (e != OK && first == OK && !is_receipt_dropped(r, e))
			first = e;
	}
	/* Nothing but receipts, and no room for them. */
	if (first == OK && !*good_out)
		first = ERR_DISK_FULL;
	return op->all_or_none || !*good_out ? first : OK;
}

static void
tell_accepted(struct tx *tx, const struct op_accept *op)
{
	const struct message_head *h = &op->body.head;
	struct event e;

	event_init(&e, EV_ACCEPTED, op->trace_id, op->session_id);
	event_str(&e, "from", op->sender);
	event_i64(&e, "size", (int64_t)op->body.ref.size);
	event_str(&e, "direction",
	          str_from(direction_name((enum trace_direction)op->direction)));
	if (op->ip.n)
		event_str(&e, "ip", op->ip);
	if (op->helo.n)
		event_str(&e, "helo", op->helo);
	if (op->user.n)
		event_str(&e, "user", op->user);
	if (h->message_id.n)
		event_str(&e, "message_id", h->message_id);
	if (h->subject.n)
		event_str(&e, "subject", h->subject);
	tx_event(tx, &e);
}

static void
tell_rcpt(struct tx *tx, const struct op_accept *op, const struct accept_rcpt *r,
          const struct accept_result *result, struct str mailbox)
{
	struct event e;

	if (r->orig_rcpt.n && !str_eq_icase(r->orig_rcpt, r->rcpt)) {
		event_init(&e, EV_EXPANDED, op->trace_id, op->session_id);
		event_str(&e, "alias", r->orig_rcpt);
		event_str(&e, "rcpt", r->rcpt);
		tx_event(tx, &e);
	}
	event_init(&e, r->kind == RCPT_LOCAL ? EV_STORED : EV_QUEUED, op->trace_id,
	           op->session_id);
	event_str(&e, "rcpt", r->rcpt);
	if (r->kind == RCPT_LOCAL) {
		event_str(&e, "mailbox", mailbox);
		event_i64(&e, "uid", result->uid);
	} else {
		event_i64(&e, "queue_id", (int64_t)result->queue_id);
	}
	tx_event(tx, &e);
}

static void
tell_dropped(struct tx *tx, const struct op_accept *op, const struct accept_rcpt *r)
{
	struct event e;

	event_init(&e, EV_DSN_DROPPED, op->trace_id, op->session_id);
	event_str(&e, "from", op->sender);
	event_str(&e, "rcpt", r->rcpt);
	event_str(&e, "action", r->is_expanded ? STR("expanded") : STR("delivered"));
	event_str(&e, "reason", STR("the queue is full"));
	tx_event(tx, &e);
}

static enum err
store_local(struct tx *tx, const struct op_accept *op, const struct accept_rcpt *r,
            uint64_t message_id, struct accept_result *result)
{
	struct str name = r->mailbox.n ? r->mailbox : STR("INBOX");
	struct tx_mailbox *m;
	struct tx_account *acc;
	enum err e = tx_account(tx, r->account_id, &acc);

	if (e == OK)
		e = tx_mailbox_name_check(tx, &name);
	if (e == OK)
		e = tx_mailbox_named(tx, r->account_id, name, &m);
	if (e == ERR_NOT_FOUND)
		e = tx_mailbox_new(tx, r->account_id, name, USE_NONE, &m);
	if (e == OK)
		e = tx_entry_new(tx, m, acc,
		                 &(struct tx_entry){ message_id, r->flags & FLAG_SYSTEM,
		                                     m->modseq + 1, op->body.ref.size,
		                                     tx->now_ms },
		                 &result->uid);
	if (e != OK)
		return e;
	result->mailbox_id = m->id;
	result->uidvalidity = m->uidvalidity;
	tell_rcpt(tx, op, r, result, name);
	return OK;
}

/* The domain of the alias that sends it on. */
static void
forward_domain(const struct accept_rcpt *r, struct strbuf *out)
{
	size_t at = str_find_last(r->orig_rcpt, '@');

	if (at == SIZE_MAX ||
	    domain_normalize(str_from_offset(r->orig_rcpt, at + 1), out) != OK)
		strbuf_clear(out);
}

/* Not the sender: whoever has one address may have a thousand, or none. */
static struct str
sharer_of(const struct op_accept *op, struct str forward_domain)
{
	if (op->user.n)
		return op->user;
	if (forward_domain.n)
		return forward_domain;
	return op->direction == TRACE_OUT ? op->ip : str_from(NULL);
}

/* When it expires, or what it is instead of mail to be sent. */
static int64_t
expires_of(const struct op_accept *op, const struct accept_rcpt *r)
{
	if (r->kind == RCPT_RECEIPT)
		return r->is_expanded ? QUEUE_EXPANDED : QUEUE_IN_MAILBOX;
	return r->is_loop ? QUEUE_LOOPS : op->expires_ms;
}

static enum err
store_queued(struct tx *tx, const struct op_accept *op, const struct accept_rcpt *r,
             uint64_t message_id, struct accept_result *result)
{
	char bytes[ADDRESS_KEY_MAX];
	struct strbuf forward = strbuf_on(bytes);
	bool is_receipt = r->kind == RCPT_RECEIPT;
	struct str domain = is_receipt ? STR(RECEIPTS_DOMAIN) : r->domain;
	int64_t due_ms = op->due_ms && !is_receipt ? op->due_ms : tx->now_ms;
	enum err e = tx_id(tx, &result->queue_id);

	if (r->orig_rcpt.n)
		forward_domain(r, &forward);

	if (e == OK)
		e = tx_run(tx,
		           "INSERT INTO queue (id, message_id, state, due_ms, version,"
		           " created_ms, expires_ms, trace_id, sender, rcpt, domain,"
		           " notify, ret, orcpt, envid, forward_domain, sharer) VALUES"
		           " ($1, $2, $3, $4, 1, $5, $6, $7, $8, $9, $10, $11, $12,"
		           " $13, $14, $15, $16)",
		           VALUES(V_I(result->queue_id), V_I(message_id),
		                  V_I(QUEUE_SCHEDULED), V_I(due_ms), V_I(tx->now_ms),
		                  V_I(expires_of(op, r)), V_S(op->trace_id),
		                  V_S(op->sender), V_S(r->rcpt), V_S(domain),
		                  V_I(r->notify), V_I(op->ret), V_S(r->orcpt),
		                  V_S(op->envid), V_S(strbuf_str(&forward)),
		                  V_S(sharer_of(op, strbuf_str(&forward)))));
	if (e != OK)
		return e;
	tx->queue_rows++;
	tx_changed_queue(tx, due_ms);
	if (!is_receipt)
		tell_rcpt(tx, op, r, result, str_from(NULL));
	return OK;
}

enum err
tx_message_place(struct tx *tx, const struct op_accept *op, const struct accept_rcpt *r,
                 uint64_t message_id, struct accept_result *result)
{
	return r->kind == RCPT_LOCAL ? store_local(tx, op, r, message_id, result)
	                             : store_queued(tx, op, r, message_id, result);
}

enum err
op_accept_apply(struct tx *tx, const struct op_accept *op, struct answer_accept *answer)
{
	struct new_body body = op->body;
	uint64_t good;
	enum err e;

	if (op->trace_id.n != ID_BYTES || !op->rcpts_count ||
	    op->rcpts_count > RCPTS_MAX || op->direction < TRACE_IN ||
	    op->direction > TRACE_OWN)
		return ERR_INVALID;
	e = tx_disk_check(tx, op->body.ref.size);
	if (e != OK)
		return e;
	answer->results = ARENA_ARRAY(tx->arena, struct accept_result, op->rcpts_count);
	answer->results_count = op->rcpts_count;
	e = check_rcpts(tx, op, answer, &good);
	/* A login without a sender may not have its From vouched for: nobody checked it. */
	if (op->direction == TRACE_OWN || (op->direction == TRACE_OUT && op->sender.n))
		body.head.flags |= MESSAGE_OURS;
	if (e == OK)
		e = tx_message_new(tx, &body, op->trace_id, tx->now_ms, good,
		                   &answer->message_id);
	if (e != OK)
		return e;
	tell_accepted(tx, op);
	for (size_t i = 0; i < op->rcpts_count && e == OK; i++) {
		const struct accept_rcpt *r = &op->rcpts[i];
		struct accept_result *result = &answer->results[i];

		if (is_receipt_dropped(r, result->error))
			tell_dropped(tx, op, r);
		if (result->error != OK)
			continue;
		e = tx_message_place(tx, op, r, answer->message_id, result);
	}
	return e;
}

/* --- append ------------------------------------------------------------------------- */

static enum err
append_end(struct tx *tx, const struct op_append *op, const struct tx_account *acc,
           const struct tx_mailbox *m, const struct answer_append *answer)
{
	struct tx_uids uids = tx_uids_of(answer->uids, answer->uids_count);

	tx_mailbox_event(tx, EV_APPENDED, acc, m, NULL, uids);
	if (op->is_more)
		return tx_stage_note(tx, op->work, m, uids);
	return op->is_continued ? tx_stage_end(tx, op->work) : OK;
}

enum err
op_append_apply(struct tx *tx, const struct op_append *op, struct answer_append *answer)
{
	struct tx_mailbox *m;
	struct tx_account *acc;
	uint64_t sum = 0, modseq;
	enum err e = tx_mailbox(tx, op->account_id, op->mailbox_id, &m);

	if (e == OK)
		e = tx_account(tx, op->account_id, &acc);
	if (e == OK && op->is_continued)
		e = tx_stage_check(tx, op->work);
	for (size_t i = 0; i < op->messages_count; i++)
		sum += op->messages[i].body.ref.size;
	if (e == OK)
		e = tx_quota_check(acc, sum);
	if (e == OK)
		e = tx_disk_check(tx, sum);
	if (e != OK)
		return e;
	answer->uidvalidity = m->uidvalidity;
	answer->uids_count = op->messages_count;
	answer->uids = ARENA_ARRAY(tx->arena, uint32_t, op->messages_count + 1);
	modseq = m->modseq + 1;
	for (size_t i = 0; i < op->messages_count && e == OK; i++) {
		const struct append_message *a = &op->messages[i];
		uint64_t id, flags = a->flags;
		bool is_new = false;

		e = tx_keywords_bits(tx, m, a->keywords, a->keywords_count, &flags,
		                     &is_new);
		if (e == OK)
			e = tx_message_new(tx, &a->body, str_from(NULL), tx->now_ms, 1,
			                   &id);
		if (e == OK)
			e = tx_entry_new(tx, m, acc,
			                 &(struct tx_entry){ id, flags, modseq,
			                                     a->body.ref.size,
			                                     a->internal_date_ms },
			                 &answer->uids[i]);
	}
	return e == OK ? append_end(tx, op, acc, m, answer) : e;
}
