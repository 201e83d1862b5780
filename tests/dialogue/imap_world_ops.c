/* imap_world_ops.c - the questions of a session, kept until they are answered. */
#include "base/panic.h"
#include "tests/dialogue/imap_world_priv.h"

/* --- questions */

static struct question *
ask(void *arg, answer_fn *answer)
{
	struct imap_world *w = arg;

	CHECK(!w->q.answer);
	w->q = (struct question){ .answer = answer };
	return &w->q;
}

static int64_t
now_ms(void *arg)
{
	(void)arg;
	return IMAP_WORLD_NOW_MS;
}

static void
left(void *arg)
{
	((struct imap_world *)arg)->open = NULL;
}

static void
ask_login(void *arg, struct str user, struct str password)
{
	struct question *q = ask(arg, imap_world_answer_login);

	q->name = user;
	q->to = password;
}

static void
ask_open(void *arg, struct str name, bool is_readonly, struct arena *a,
         struct imap_box *box)
{
	struct question *q = ask(arg, imap_world_answer_open);

	q->name = name;
	q->is_wanted = is_readonly;
	q->arena = a;
	q->box = box;
}

static void
ask_status(void *arg, struct str name, struct arena *a, struct mailbox_info *info)
{
	struct question *q = ask(arg, imap_world_answer_status);

	q->name = name;
	q->arena = a;
	q->info = info;
}

static void
ask_boxes(void *arg, struct arena *a, struct imap_boxes *boxes)
{
	struct question *q = ask(arg, imap_world_answer_boxes);

	q->arena = a;
	q->boxes = boxes;
}

static void
ask_create(void *arg, struct str name)
{
	ask(arg, imap_world_answer_create)->name = name;
}

static void
ask_remove(void *arg, struct str name)
{
	ask(arg, imap_world_answer_remove)->name = name;
}

static void
ask_rename(void *arg, struct str from, struct str to)
{
	struct question *q = ask(arg, imap_world_answer_rename);

	q->name = from;
	q->to = to;
}

static void
ask_subscribe(void *arg, struct str name, bool is_wanted)
{
	struct question *q = ask(arg, imap_world_answer_subscribe);

	q->name = name;
	q->is_wanted = is_wanted;
}

static void
ask_map(void *arg, uint64_t modseq, uint32_t uidnext)
{
	struct question *q = ask(arg, imap_world_answer_map);

	q->modseq = modseq;
	q->uid = uidnext;
}

static void
ask_rows(void *arg, const struct uid_range *uids, size_t n, unsigned want)
{
	struct question *q = ask(arg, imap_world_answer_rows);

	q->uids = uids;
	q->n = n;
	q->want = want;
}

static void
ask_changes(void *arg, const struct imap_since *since, struct arena *a,
            struct imap_box *box)
{
	struct question *q = ask(arg, imap_world_answer_changes);

	q->since = since;
	q->arena = a;
	q->box = box;
}

static void
ask_body(void *arg, uint32_t uid, uint64_t offset, size_t length)
{
	struct question *q = ask(arg, imap_world_answer_body);

	q->uid = uid;
	q->offset = offset;
	q->length = length;
}

static void
ask_store(void *arg, const struct imap_flagging *what, struct arena *a,
          struct imap_box *box)
{
	struct question *q = ask(arg, imap_world_answer_store);

	q->uids = what->uids;
	q->n = what->n;
	q->mode = what->mode;
	q->flags = what->flags;
	q->arena = a;
	q->box = box;
}

static void
ask_copy(void *arg, const struct imap_copying *what, struct arena *a,
         struct imap_copied *copied)
{
	struct question *q = ask(arg, imap_world_answer_copy);

	q->uids = what->uids;
	q->n = what->n;
	q->name = what->name;
	q->is_wanted = what->is_move;
	q->arena = a;
	q->copied = copied;
}

static void
ask_expunge(void *arg, const struct uid_range *uids, size_t n)
{
	struct question *q = ask(arg, imap_world_answer_expunge);

	q->uids = uids;
	q->n = n;
}

static void
ask_append_begin(void *arg, const struct imap_append *append)
{
	ask(arg, imap_world_answer_append_begin)->append = append;
}

static void
append_data(void *arg, struct str bytes)
{
	struct imap_world *w = arg;

	CHECK(!w->q.answer && w->appends_n > 0 && bytes.n > 0);
	strbuf_add(&w->appends[w->appends_n - 1].bytes, bytes);
}

static void
ask_append_end(void *arg)
{
	ask(arg, imap_world_answer_append_end);
}

static void
ask_append_commit(void *arg, struct arena *a, struct imap_copied *copied)
{
	struct question *q = ask(arg, imap_world_answer_append_commit);

	q->arena = a;
	q->copied = copied;
}

const struct imap_ops imap_world_ops = {
	.now_ms = now_ms,
	.left = left,
	.login = ask_login,
	.open = ask_open,
	.status = ask_status,
	.boxes = ask_boxes,
	.create = ask_create,
	.remove = ask_remove,
	.rename = ask_rename,
	.subscribe = ask_subscribe,
	.map = ask_map,
	.rows = ask_rows,
	.changes = ask_changes,
	.body = ask_body,
	.store = ask_store,
	.copy = ask_copy,
	.expunge = ask_expunge,
	.append_begin = ask_append_begin,
	.append_data = append_data,
	.append_end = ask_append_end,
	.append_commit = ask_append_commit,
	.append_abort = imap_world_abort,
};
