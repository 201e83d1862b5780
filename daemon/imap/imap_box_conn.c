/* imap_box_conn.c - questions about mailboxes, which this process's own reader answers,
 * and the opening of one: who is the first to see a message, the store decides.
 */
#include "imap/imap_conn.h"

enum {
	UNSEEN_LOOK =
		1000, /* entries at either end in which the first unseen one is sought */
	BOXES_MAX_BYTES = 32 * 1024 * 1024,
};

/* --- mailboxes */

static enum err
find_box(struct imap_conn *c, struct str name, struct arena *a,
         struct mailbox_info *info_out)
{
	enum err e = reader_mailbox(imap_reader(c), c->account_id, name, a, info_out);

	/* A name that is only subscribed is no mailbox. */
	return e == OK && info_out->id == 0 ? ERR_NOT_FOUND : e;
}

static void
step_status(void *arg)
{
	struct imap_conn *c = imap_conn_of(arg);

	imap_conn_answer(c, find_box(c, c->q.name, c->q.arena, c->q.info));
}

void
imap_ask_status(void *arg, struct str name, struct arena *a,
                struct mailbox_info *info_out)
{
	struct imap_question *q = imap_conn_ask(imap_conn_of(arg), step_status);

	q->name = name;
	q->arena = a;
	q->info = info_out;
}

struct boxes_copy {
	struct arena *arena;
	struct strbuf boxes;
};

static bool
copy_box(void *arg, const struct mailbox_info *m)
{
	struct boxes_copy *copy = arg;
	struct mailbox_info info = *m;
	char *name = arena_try(copy->arena, m->name.n + 1);

	if (!name) {
		copy->boxes.overflow = true;
		return false;
	}
	if (m->name.n > 0)
		memcpy(name, m->name.p, m->name.n);
	info.name.p = name;
	strbuf_bytes(&copy->boxes, &info, sizeof(info));
	return !copy->boxes.overflow;
}

static void
step_boxes(void *arg)
{
	struct imap_conn *c = imap_conn_of(arg);
	struct boxes_copy copy = { c->q.arena,
		                   strbuf_arena(c->q.arena, BOXES_MAX_BYTES) };
	enum err e = reader_mailboxes(imap_reader(c), c->account_id, copy_box, &copy);

	if (e == OK && copy.boxes.overflow)
		e = ERR_LIMIT;
	c->q.boxes->boxes = (const struct mailbox_info *)(const void *)copy.boxes.p;
	c->q.boxes->n = copy.boxes.n / sizeof(struct mailbox_info);
	imap_conn_answer(c, e);
}

void
imap_ask_boxes(void *arg, struct arena *a, struct imap_boxes *boxes_out)
{
	struct imap_question *q = imap_conn_ask(imap_conn_of(arg), step_boxes);

	q->arena = a;
	q->boxes = boxes_out;
}

enum err
imap_read_keywords(struct imap_conn *c, struct arena *a, struct imap_box *box)
{
	return reader_keywords(imap_reader(c), c->box_id, a, &box->keywords,
	                       &box->keywords_n);
}

/* --- opening */

/* How many entries there are from this UID to that one: a mailbox may hold far more than
   one read gives. */
static uint32_t
count_between(struct imap_conn *c, uint32_t first, uint32_t last)
{
	uint32_t count = 0;
	size_t n = IMAP_SCRATCH_ROWS;

	while (n == IMAP_SCRATCH_ROWS && first <= last) {
		if (reader_uids(imap_reader(c),
		                &(struct entry_span){ c->box_id, first, last, 0 },
		                c->server->uids, IMAP_SCRATCH_ROWS, &n) != OK)
			break;
		count += (uint32_t)n;
		if (n > 0)
			first = c->server->uids[n - 1] + 1;
	}
	return count;
}

/* The recent messages are those from recent_first on; counted are they or the others,
   whichever have fewer UIDs. */
static uint32_t
count_recent(struct imap_conn *c, const struct imap_box *box)
{
	const struct mailbox_info *info = &box->info;
	uint32_t first = box->recent_first, others;

	if (first >= info->uidnext)
		return 0;
	if (info->uidnext - first <= first)
		return count_between(c, first, info->uidnext - 1);
	others = first > 1 ? count_between(c, 1, first - 1) : 0;
	return others < info->exists ? info->exists - others : 0;
}

static void
on_change(void *arg, const struct change *change)
{
	struct imap_conn *c = imap_conn_of(arg);

	if (change->kind == CHANGE_MAILBOX && change->mailbox_id != c->box_id)
		return;
	if (imap_session_notify(c->session, imap_conn_output(c)) == IMAP_WAIT)
		served_follow(&c->served, SERVED_WAIT);
}

void
imap_box_left(void *arg)
{
	struct imap_conn *c = imap_conn_of(arg);

	imap_body_forget(c);
	feed_close(&c->feed);
	c->box_id = 0;
}

static enum err
finish_open(struct imap_conn *c)
{
	struct imap_box *box = c->q.box;
	enum err e;

	box->recent_n = count_recent(c, box);
	e = imap_read_keywords(c, c->q.arena, box);
	/* To find it among all would be to read them; SELECT may do without (RFC 3501
	   6.3.1). */
	return e == OK ? reader_unseen_seq(imap_reader(c), &box->info, UNSEEN_LOOK,
	                                   &box->unseen_seq)
	               : e;
}

/* Its row has been read, or could not be; what is counted is of the same state. */
static void
opened(struct imap_conn *c, enum err e)
{
	if (e == OK)
		e = finish_open(c);
	reader_release(imap_reader(c));
	if (e != OK)
		imap_box_left(c);
	imap_conn_answer(c, e);
}

/* A store that cannot write (a full disk) takes nobody's right to read: the mailbox
   opens, and another session will hear which messages are recent. Else all from
   answer->recent_uid to below the uidnext of that moment are ours, so the row is read
   again. */
static void
recent_taken(void *arg, enum err taken, const struct answer_recent *answer)
{
	struct imap_conn *c = imap_conn_of(arg);
	struct imap_box *box = c->q.box;
	enum err e = reader_hold(imap_reader(c));

	c->q.call = 0;
	if (e == OK)
		e = reader_mailbox_by_id(imap_reader(c), c->account_id, c->box_id,
		                         c->q.arena, &box->info);
	box->recent_first = taken == OK ? answer->recent_uid : box->info.uidnext;
	opened(c, e);
}

void
imap_take_recent(struct imap_conn *c, store_recent_fn *done)
{
	struct op_recent op = { .account_id = c->account_id, .mailbox_id = c->box_id };

	c->q.step = NULL;
	c->q.call = store_recent(c->server->parts.store, &op, done, c);
}

static void
step_open(void *arg)
{
	struct imap_conn *c = imap_conn_of(arg);
	struct imap_box *box = c->q.box;
	enum err e;

	/* Watched before it is read: nothing can happen in between. */
	c->feed = feed_open(c->server->parts.store, FEED_ACCOUNT, c->account_id,
	                    on_change, c);
	e = reader_hold(imap_reader(c));
	if (e == OK)
		e = find_box(c, c->q.name, c->q.arena, &box->info);
	if (e != OK) {
		opened(c, e);
		return;
	}
	c->box_id = box->info.id;
	box->recent_first = box->info.recent_uid;
	if (!c->q.is_readonly && box->info.recent_uid < box->info.uidnext) {
		reader_release(imap_reader(c));
		imap_take_recent(c, recent_taken);
	} else {
		opened(c, OK);
	}
}

void
imap_ask_open(void *arg, struct str name, bool is_readonly, struct arena *a,
              struct imap_box *box_out)
{
	struct imap_question *q = imap_conn_ask(imap_conn_of(arg), step_open);

	q->name = name;
	q->is_readonly = is_readonly;
	q->arena = a;
	q->box = box_out;
}
