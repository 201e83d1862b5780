/* imap_body_conn.c - the large message that a connection sends from, or searches in.
 *
 * A large body is read on a thread, whole, since it is checked whole. Programs ask for
 * such a message in pieces, one command each; so it is kept for a while after a command,
 * by KEPT_MAX connections of a process at most.
 */
#include "imap/imap_conn.h"

#include "base/clock.h"

enum {
	KEPT_MAX = 8,
	KEPT_US = 10 * 1000 * 1000, /* after its last use */
};

/* --- keeping */

static void
unlist(struct imap_conn *c)
{
	if (!c->kept.next)
		return;
	list_remove(&c->kept);
	c->server->kept_n--;
}

void
imap_body_forget(struct imap_conn *c)
{
	unlist(c);
	body_reading_forget(&c->reading);
	body_close(&c->body);
	c->body_uid = 0;
}

static struct imap_conn *
first_kept(const struct imap_server *s)
{
	return CONTAINER_OF(s->kept.next, struct imap_conn, kept);
}

static void
set_timer(struct imap_server *s, int64_t now_us)
{
	int64_t left_us;

	if (list_is_empty(&s->kept))
		return;
	left_us = first_kept(s)->body_until_us - now_us;
	timer_set(&s->kept_timer, left_us > 0 ? left_us / 1000 + 1 : 0);
}

void
imap_body_expire(void *arg)
{
	struct imap_server *s = arg;
	int64_t now_us = clock_mono_us();

	while (!list_is_empty(&s->kept) && first_kept(s)->body_until_us <= now_us)
		imap_body_forget(first_kept(s));
	set_timer(s, now_us);
}

void
imap_body_keep(struct imap_conn *c)
{
	struct imap_server *s = c->server;
	int64_t now_us;

	if (!c->body || c->reading || body_bytes(c->body).n <= BODY_LATER_BYTES ||
	    body_is_waited_for(c->body)) {
		imap_body_forget(c);
		return;
	}
	now_us = clock_mono_us();
	if (c->body_until_us <= now_us) {
		imap_body_forget(c);
		return;
	}
	if (c->kept.next)
		return;
	list_add_last(&s->kept, &c->kept);
	if (++s->kept_n > KEPT_MAX)
		imap_body_forget(first_kept(s));
	if (!timer_is_set(&s->kept_timer))
		set_timer(s, now_us);
}

void
imap_body_hold(struct imap_conn *c)
{
	unlist(c);
}

struct str
imap_body_use(struct imap_conn *c)
{
	c->body_until_us = clock_mono_us() + KEPT_US;
	return c->body ? body_bytes(c->body) : (struct str){ NULL, 0 };
}

/* --- reading */

/* What other connections of the account have kept for later gives way to what one of
   them needs now. */
static void
make_room(struct imap_conn *c)
{
	LIST_EACH(&c->server->kept, l)
	{
		struct imap_conn *other = CONTAINER_OF(l, struct imap_conn, kept);

		if (other->account_id == c->account_id)
			imap_body_forget(other);
	}
}

/* A large body is there, or cannot be had: its row comes (again). */
static void
large_read(void *arg, enum err e, struct body *body)
{
	struct imap_conn *c = imap_conn_of(arg);
	uint32_t uid = c->reading_uid;
	bool was_moved = e == ERR_NOT_FOUND && c->moved_uid != uid;

	c->reading = NULL;
	/* Compaction has just moved it: its row says where to. Once. */
	c->moved_uid = was_moved ? uid : 0;
	if (!was_moved) {
		c->body = body;
		c->body_uid = uid;
	}
	imap_conn_step(c, c->reading_step);
}

void
imap_body_read(struct imap_conn *c, uint32_t uid, const struct body_ref *ref,
               loop_fn *step)
{
	imap_body_forget(c);
	c->reading_uid = uid;
	c->reading_step = step;
	c->reading = body_open_later(c->server->parts.bodies, ref, c->account_id,
	                             large_read, c);
	if (body_reading_is_waiting(c->reading))
		make_room(c);
}

/* --- its bytes */

static void step_body(void *arg);

static bool
open_body(void *arg, const struct entry *e, const struct message *m)
{
	struct imap_conn *c = arg;

	if (body_is_large(&m->ref)) {
		imap_body_read(c, e->uid, &m->ref, step_body);
		c->q.error = OK;
		return false;
	}
	c->q.error = body_open(c->server->parts.bodies, &m->ref, &c->body);
	if (c->q.error == OK)
		c->body_uid = e->uid;
	return false;
}

static enum err
get_body(struct imap_conn *c, uint32_t uid)
{
	enum err e = OK;

	if (c->body_uid == uid)
		return c->body ? OK : ERR_NOT_FOUND;
	imap_body_forget(c);
	/* Twice: it may just be on its way to another segment. */
	for (int i = 0; i < 2 && e == OK && !c->body && !c->reading; i++) {
		c->q.error = ERR_NOT_FOUND;
		e = reader_messages(imap_reader(c),
		                    &(struct entry_span){ c->box_id, uid, uid, 0 },
		                    WANT_REF, 1, open_body, c);
		if (e == OK && c->q.error != ERR_NOT_FOUND)
			e = c->q.error;
	}
	return e == OK && !c->body && !c->reading ? ERR_NOT_FOUND : e;
}

static void
step_body(void *arg)
{
	struct imap_conn *c = imap_conn_of(arg);
	struct imap_question *q = &c->q;
	enum err e = get_body(c, q->next_uid);

	if (c->reading) {
		q->step = NULL;
		return;
	}
	if (e == OK) {
		struct str bytes = imap_body_use(c);

		bytes = q->offset < bytes.n ? str_from_offset(bytes, (size_t)q->offset)
		                            : str_make(bytes.p, 0);
		imap_session_bytes(c->session, str_first(bytes, q->length),
		                   imap_conn_output(c));
	}
	imap_conn_answer(c, e);
}

void
imap_ask_body(void *arg, uint32_t uid, uint64_t offset, size_t length)
{
	struct imap_question *q = imap_conn_ask(imap_conn_of(arg), step_body);

	q->next_uid = uid;
	q->offset = offset;
	q->length = length;
}
