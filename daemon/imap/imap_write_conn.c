/* imap_write_conn.c - questions that are operations of the store. */
#include "imap/imap_conn.h"

#include "base/panic.h"

enum {
	OWN_MAX_BYTES = 64 * 1024,  /* modseqs of one STORE: eight million messages, or
	                               fewer where its turns end early */
	COPIED_MAX_BYTES = 8 << 20, /* of one side of a COPY: two million messages */
};

static struct store_client *
store_of(const struct imap_conn *c)
{
	return c->server->parts.store;
}

/* The store was asked; its answer names the call no more. */
static struct imap_conn *
answered(void *arg)
{
	struct imap_conn *c = imap_conn_of(arg);

	c->q.call = 0;
	return c;
}

static void
on_none(void *arg, enum err e, const struct answer_none *answer)
{
	(void)answer;
	imap_conn_answer(answered(arg), e);
}

/* --- login */

static void
on_auth(void *arg, enum err e, const struct answer_auth *answer)
{
	struct imap_conn *c = answered(arg);

	if (e == OK)
		e = imap_conn_enter(c, answer->id, answer->address);
	imap_conn_answer(c, e);
}

void
imap_ask_login(void *arg, struct str user, struct str password)
{
	struct imap_conn *c = imap_conn_of(arg);
	char bytes[ADDR_TEXT_MAX];
	struct strbuf ip = strbuf_on(bytes);
	struct op_auth op = { .kind = LOGIN_ACCOUNT,
		              .protocol = STR("imap"),
		              .name = user,
		              .password = password,
		              .session_id = id_str(&c->served.id) };

	addr_format_ip(&ip, &c->served.peer);
	op.ip = strbuf_str(&ip);
	imap_conn_ask(c, NULL)->call = store_auth(store_of(c), &op, on_auth, c);
}

/* --- mailboxes */

static void
on_mailbox(void *arg, enum err e, const struct answer_mailbox *answer)
{
	(void)answer;
	imap_conn_answer(answered(arg), e);
}

void
imap_ask_create(void *arg, struct str name)
{
	struct imap_conn *c = imap_conn_of(arg);
	struct op_mailbox_create op = { .account_id = c->account_id, .name = name };

	imap_conn_ask(c, NULL)->call =
		store_mailbox_create(store_of(c), &op, on_mailbox, c);
}

void
imap_ask_remove(void *arg, struct str name)
{
	struct imap_conn *c = imap_conn_of(arg);
	struct op_mailbox_remove op = { .account_id = c->account_id, .name = name };

	imap_conn_ask(c, NULL)->call = store_mailbox_remove(store_of(c), &op, on_none, c);
}

void
imap_ask_subscribe(void *arg, struct str name, bool is_wanted)
{
	struct imap_conn *c = imap_conn_of(arg);
	struct op_subscribe op = { .account_id = c->account_id,
		                   .name = name,
		                   .subscribed = is_wanted };

	imap_conn_ask(c, NULL)->call = store_subscribe(store_of(c), &op, on_none, c);
}

/* --- messages */

/* The store changes so many messages at once that others need not wait long; the rest is
   asked for again, behind those that came meanwhile. */

/* The ranges from there on; the caller releases them. */
static struct strbuf
ranges_from(const struct uid_range *uids, size_t n, uint32_t first)
{
	struct strbuf b = strbuf_heap(n * sizeof(*uids) + 1);

	for (size_t i = 0; i < n; i++) {
		struct uid_range r = uids[i];

		if (r.last < first)
			continue;
		if (r.first < first)
			r.first = first;
		strbuf_bytes(&b, &r, sizeof(r));
	}
	return b;
}

static void step_store(void *arg);

static void
end_store(struct imap_conn *c, enum err e)
{
	struct imap_question *q = &c->q;

	q->box->own = (const uint64_t *)(const void *)q->own.p;
	q->box->own_n = q->own.n / sizeof(uint64_t);
	imap_conn_answer(c, e);
}

static void
on_flags(void *arg, enum err e, const struct answer_flags *answer)
{
	struct imap_conn *c = answered(arg);
	struct imap_question *q = &c->q;

	if (e == OK && answer->has_new_keywords)
		e = imap_read_keywords(c, q->arena, q->box);
	for (size_t i = 0; e == OK && i < answer->rows_count; i++) {
		struct imap_row row = { .entry = { .uid = answer->rows[i].uid,
			                           .flags = answer->rows[i].flags,
			                           .modseq = answer->rows[i].modseq },
			                .prior_modseq = answer->rows[i].prior_modseq };

		if (!imap_session_row(c->session, &row, imap_conn_output(c)))
			break;
	}
	if (e == OK && answer->own_modseq)
		strbuf_bytes(&q->own, &answer->own_modseq, sizeof(answer->own_modseq));
	if (e == OK && answer->next_uid) {
		q->next_uid = answer->next_uid;
		imap_conn_step_with_room(c, step_store);
	} else {
		end_store(c, e);
	}
}

static void
step_store(void *arg)
{
	struct imap_conn *c = imap_conn_of(arg);
	struct imap_question *q = &c->q;
	struct strbuf left = ranges_from(q->uids, q->uids_n, q->next_uid);
	struct op_flags op = { .account_id = c->account_id,
		               .mailbox_id = c->box_id,
		               .uids = (struct uid_range *)(void *)left.p,
		               .uids_count = left.n / sizeof(struct uid_range),
		               .mode = q->mode,
		               .flags = q->flags->bits,
		               .keywords = q->flags->keywords,
		               .keywords_count = q->flags->keywords_n };

	q->step = NULL;
	q->call = store_flags(store_of(c), &op, on_flags, c);
	strbuf_release(&left);
}

void
imap_ask_store(void *arg, const struct imap_flagging *what, struct arena *a,
               struct imap_box *box_out)
{
	struct imap_question *q = imap_conn_ask(imap_conn_of(arg), step_store);

	q->uids = what->uids;
	q->uids_n = what->n;
	q->mode = what->mode;
	q->flags = what->flags;
	q->arena = a;
	q->box = box_out;
	q->own = strbuf_arena(a, OWN_MAX_BYTES);
}

/* --- copy and move: in turns, all of them one command */

static void step_copy(void *arg);

static void
end_copy(struct imap_conn *c, enum err e)
{
	struct imap_question *q = &c->q;
	struct imap_copied *copied = q->copied;

	/* What was moved is told even where not all could be. */
	if (copied && (e == OK || q->is_move)) {
		copied->n = q->to_uids.n / sizeof(uint32_t);
		copied->from = (const uint32_t *)(const void *)q->from_uids.p;
		copied->to = (const uint32_t *)(const void *)q->to_uids.p;
		if (q->from_uids.overflow || q->to_uids.overflow)
			copied->to = NULL;
	}
	q->work = 0;
	imap_conn_answer(c, e);
}

static void
on_undone(struct imap_conn *c)
{
	c->q.undo = NULL;
	end_copy(c, c->q.error);
}

static void
on_copy(void *arg, enum err e, const struct answer_copy *answer)
{
	struct imap_conn *c = answered(arg);
	struct imap_question *q = &c->q;

	if (e == OK && q->copied) {
		q->copied->uidvalidity = answer->uidvalidity;
		strbuf_bytes(&q->from_uids, answer->from_uids,
		             answer->from_uids_count * sizeof(uint32_t));
		strbuf_bytes(&q->to_uids, answer->to_uids,
		             answer->to_uids_count * sizeof(uint32_t));
	}
	if (e == OK && answer->next_uid) {
		q->next_uid = answer->next_uid;
		imap_conn_step(c, step_copy);
	} else if (e != OK && q->work && q->next_uid) {
		q->error = e;
		q->undo = imap_undo_new(c->server, q->work, on_undone, c);
	} else {
		end_copy(c, e);
	}
}

static void
step_copy(void *arg)
{
	struct imap_conn *c = imap_conn_of(arg);
	struct imap_question *q = &c->q;
	struct strbuf left = ranges_from(q->uids, q->uids_n, q->next_uid);
	struct op_copy op = { .account_id = c->account_id,
		              .mailbox_id = q->from_id,
		              .to_mailbox_id = q->to_id,
		              .uids = (struct uid_range *)(void *)left.p,
		              .uids_count = left.n / sizeof(struct uid_range),
		              .is_move = q->is_move,
		              .work = q->work,
		              .is_continued = q->work && q->next_uid };

	q->step = NULL;
	q->call = store_copy(store_of(c), &op, on_copy, c);
	strbuf_release(&left);
}

/* The destination is found by name, then the store is asked. */
static void
step_copy_first(void *arg)
{
	struct imap_conn *c = imap_conn_of(arg);
	struct imap_question *q = &c->q;
	struct mailbox_info to;
	enum err e = reader_mailbox(c->server->parts.reader, c->account_id, q->name,
	                            q->arena, &to);

	if (e == OK && to.id == 0)
		e = ERR_NOT_FOUND;
	if (e != OK) {
		imap_conn_answer(c, e);
		return;
	}
	q->to_id = to.id;
	if (!q->is_move)
		q->work = imap_work_new();
	step_copy(c);
}

void
imap_ask_copy(void *arg, const struct imap_copying *what, struct arena *a,
              struct imap_copied *copied_out)
{
	struct imap_conn *c = imap_conn_of(arg);
	struct imap_question *q = imap_conn_ask(c, step_copy_first);

	q->uids = what->uids;
	q->uids_n = what->n;
	q->name = what->name;
	q->from_id = c->box_id;
	q->is_move = what->is_move;
	q->arena = a;
	q->copied = copied_out;
	q->from_uids = strbuf_arena(a, COPIED_MAX_BYTES);
	q->to_uids = strbuf_arena(a, COPIED_MAX_BYTES);
}

/* --- rename */

/* INBOX stays, and its messages move on, in turns. */
static void
on_rename(void *arg, enum err e, const struct answer_renamed *answer)
{
	struct imap_conn *c = answered(arg);
	struct imap_question *q = &c->q;

	if (e != OK || !answer->next_uid) {
		imap_conn_answer(c, e);
		return;
	}
	q->all = (struct uid_range){ answer->next_uid, answer->last_uid };
	q->uids = &q->all;
	q->uids_n = 1;
	q->from_id = answer->from_mailbox_id;
	q->to_id = answer->to_mailbox_id;
	q->is_move = true;
	imap_conn_step(c, step_copy);
}

void
imap_ask_rename(void *arg, struct str from, struct str to)
{
	struct imap_conn *c = imap_conn_of(arg);
	struct op_mailbox_rename op = { .account_id = c->account_id,
		                        .from = from,
		                        .to = to };

	imap_conn_ask(c, NULL)->call =
		store_mailbox_rename(store_of(c), &op, on_rename, c);
}

/* --- expunge */

static void step_expunge(void *arg);

static void
on_expunge(void *arg, enum err e, const struct answer_expunge *answer)
{
	struct imap_conn *c = answered(arg);

	if (e == OK && answer->next_uid) {
		c->q.next_uid = answer->next_uid;
		imap_conn_step(c, step_expunge);
	} else {
		imap_conn_answer(c, e);
	}
}

static void
step_expunge(void *arg)
{
	struct imap_conn *c = imap_conn_of(arg);
	struct imap_question *q = &c->q;
	struct strbuf left = ranges_from(q->uids, q->uids_n, q->next_uid);
	struct op_expunge op = { .account_id = c->account_id,
		                 .mailbox_id = c->box_id,
		                 .uids = (struct uid_range *)(void *)left.p,
		                 .uids_count = left.n / sizeof(struct uid_range) };

	q->step = NULL;
	/* None would mean all. */
	CHECK(op.uids_count > 0);
	q->call = store_expunge(store_of(c), &op, on_expunge, c);
	strbuf_release(&left);
}

void
imap_ask_expunge(void *arg, const struct uid_range *uids, size_t n)
{
	struct imap_question *q = imap_conn_ask(imap_conn_of(arg), step_expunge);

	q->uids = uids;
	q->uids_n = n;
}
