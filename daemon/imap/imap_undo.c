/* imap_undo.c - what a COPY or APPEND of several turns did before it failed, or before
 * its client went away, is taken out of the mailbox again, turn by turn (ops_mail.h). If
 * this process ends first, the store does it.
 */
#include "imap/imap_conn.h"

#include "base/event.h"
#include "base/mem.h"

struct imap_undo {
	struct link link;
	struct imap_server *server;
	uint64_t work, call;
	imap_undone_fn *done;
	struct imap_conn *conn;
};

static void
undo_free(struct imap_undo *u)
{
	list_remove(&u->link);
	mem_free(u);
}

static void undo_turn(struct imap_undo *u);

static void
on_turn(void *arg, enum err e, const struct answer_count *answer)
{
	struct imap_undo *u = arg;
	imap_undone_fn *done = u->done;
	struct imap_conn *c = u->conn;

	u->call = 0;
	if (e == OK && answer->count > 0) {
		undo_turn(u);
		return;
	}
	if (e != OK)
		log_line(LEVEL_WARN, "imap.undo", "reason=%s", err_get(e)->word);
	undo_free(u);
	if (done)
		done(c);
}

static void
undo_turn(struct imap_undo *u)
{
	struct op_staged_undo op = { .work = u->work };

	u->call = store_staged_undo(u->server->parts.store, &op, on_turn, u);
}

struct imap_undo *
imap_undo_new(struct imap_server *s, uint64_t work, imap_undone_fn *done,
              struct imap_conn *c)
{
	struct imap_undo *u = mem_alloc(sizeof(*u));

	u->server = s;
	u->work = work;
	u->done = done;
	u->conn = c;
	list_add_last(&s->undos, &u->link);
	undo_turn(u);
	return u;
}

void
imap_undo_forget(struct imap_undo **u)
{
	if (!*u)
		return;
	(*u)->done = NULL;
	(*u)->conn = NULL;
	*u = NULL;
}

void
imap_undo_stop(struct imap_server *s)
{
	LIST_EACH(&s->undos, l)
	{
		struct imap_undo *u = CONTAINER_OF(l, struct imap_undo, link);

		if (u->call)
			store_forget(s->parts.store, u->call);
		undo_free(u);
	}
}
