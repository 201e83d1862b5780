/* pop3_ask_conn.c - what a session asks: the login, the maildrop, a message, and what
 * QUIT removes. The store and this process's reader answer, always later.
 */
#include "base/mem.h"
#include "pop3/pop3_conn_priv.h"

enum {
	BOX_BYTES = 8192,
	TRIES_MAX = 2, /* to open a body that compaction moves */
};

static void
ask(struct pop3_conn *c, loop_fn *step)
{
	c->step = step;
	loop_defer(c->server->parts.loop, step, c);
}

static void
on_auth(void *arg, enum err e, const struct answer_auth *answer_in)
{
	struct pop3_conn *c = pop3_conn_of(arg);

	if (e == OK)
		e = limiter_know(&c->served.place, answer_in->id);
	if (e == OK)
		c->account_id = answer_in->id;
	pop3_conn_answer(c, e);
}

static void
ask_login(void *arg, struct str user, struct str password)
{
	struct pop3_conn *c = pop3_conn_of(arg);
	char bytes[ADDR_TEXT_MAX];
	struct op_auth op = {
		.kind = LOGIN_ACCOUNT,
		.protocol = STR("pop3"),
		.name = user,
		.password = password,
		.ip = addr_ip_text(&c->served.peer, &bytes),
		.session_id = id_str(&c->served.id),
	};

	c->call = store_auth(c->server->parts.store, &op, on_auth, c);
}

/* One slice of INBOX. */
static void
read_slice(void *arg)
{
	struct pop3_conn *c = pop3_conn_of(arg);
	struct pop3_server *s = c->server;
	size_t count = 0;
	enum err e = reader_entries(
		s->parts.reader,
		&(struct entry_span){ c->mailbox_id, c->uid, UINT32_MAX, 0 }, s->entries,
		POP3_SLICE_ROWS, &count);

	if (e != OK) {
		pop3_conn_answer(c, e);
		return;
	}
	for (size_t i = 0; i < count; i++) {
		if (!pop3_session_entry(c->session, s->entries[i].uid,
		                        s->entries[i].size)) {
			pop3_conn_answer(c, OK);
			return;
		}
	}
	if (count < POP3_SLICE_ROWS || s->entries[count - 1].uid == UINT32_MAX) {
		pop3_conn_answer(c, OK);
		return;
	}
	c->uid = s->entries[count - 1].uid + 1;
	ask(c, read_slice);
}

static void
find_inbox(void *arg)
{
	struct pop3_conn *c = pop3_conn_of(arg);
	struct arena *a = arena_new(BOX_BYTES);
	struct mailbox_info box;
	enum err e = reader_mailbox(c->server->parts.reader, c->account_id, STR("INBOX"),
	                            a, &box);

	if (e == OK) {
		c->mailbox_id = box.id;
		c->uid = 1;
		pop3_session_begin(c->session, box.uidvalidity);
		ask(c, read_slice);
	}
	arena_free(&a);
	if (e != OK)
		pop3_conn_answer(c, e);
}

static void
ask_open(void *arg)
{
	ask(pop3_conn_of(arg), find_inbox);
}

static void
message_there(struct pop3_conn *c, enum err e)
{
	if (e == OK)
		*c->message_out = body_bytes(c->body);
	if (e == OK && !c->message_out->p)
		*c->message_out = STR("");
	pop3_conn_answer(c, e);
}

static void read_message(void *arg);

static void
large_read(void *arg, enum err e, struct body *body)
{
	struct pop3_conn *c = pop3_conn_of(arg);

	c->reading = NULL;
	c->body = body;
	/* A body that is gone has been moved by compaction: the row, read again, knows
	   where to. */
	if (e == ERR_NOT_FOUND && c->tries < TRIES_MAX)
		ask(c, read_message);
	else
		message_there(c, e);
}

static bool
on_message(void *arg, const struct entry *e, const struct message *m)
{
	struct pop3_conn *c = arg;
	struct bodies *bodies = c->server->parts.bodies;

	(void)e;
	c->open_error = OK;
	if (body_is_large(&m->ref))
		c->reading =
			body_open_later(bodies, &m->ref, c->account_id, large_read, c);
	else
		c->open_error = body_open(bodies, &m->ref, &c->body);
	return false;
}

static void
read_message(void *arg)
{
	struct pop3_conn *c = pop3_conn_of(arg);
	enum err e = OK;

	c->step = NULL;
	c->open_error = ERR_NOT_FOUND;
	while (c->tries++ < TRIES_MAX && e == OK && c->open_error == ERR_NOT_FOUND)
		e = reader_messages(
			c->server->parts.reader,
			&(struct entry_span){ c->mailbox_id, c->uid, c->uid, 0 },
			WANT_REF, 1, on_message, c);
	if (!c->reading)
		message_there(c, e == OK ? c->open_error : e);
}

static void
ask_message(void *arg, uint32_t uid, struct str *message_out)
{
	struct pop3_conn *c = pop3_conn_of(arg);

	c->uid = uid;
	c->message_out = message_out;
	c->tries = 0;
	ask(c, read_message);
}

static void
release(void *arg)
{
	struct pop3_conn *c = pop3_conn_of(arg);

	body_close(&c->body);
}

static void ask_remove_more(void *arg);

static void
on_expunged(void *arg, enum err e, const struct answer_expunge *answer_in)
{
	struct pop3_conn *c = pop3_conn_of(arg);

	c->call = 0;
	if (e == OK && answer_in->next_uid) {
		c->gone_next = answer_in->next_uid;
		ask(c, ask_remove_more);
		return;
	}
	strbuf_release(&c->gone);
	pop3_conn_answer(c, e);
}

/* The store removes so many at once that others need not wait long. */
static void
ask_remove_more(void *arg)
{
	struct pop3_conn *c = pop3_conn_of(arg);
	struct uid_range *uids = (struct uid_range *)(void *)c->gone.p;
	size_t n = c->gone.n / sizeof(*uids);
	struct op_expunge op = {
		.account_id = c->account_id,
		.mailbox_id = c->mailbox_id,
		.all_flags = true,
	};

	while (n > 0 && uids->last < c->gone_next) {
		uids++;
		n--;
	}
	if (n > 0 && uids->first < c->gone_next)
		uids->first = c->gone_next;
	CHECK(n > 0); /* none would mean all */
	op.uids = uids;
	op.uids_count = n;
	c->step = NULL;
	c->call = store_expunge(c->server->parts.store, &op, on_expunged, c);
}

static void
ask_remove(void *arg, const struct uid_range *uids, size_t n)
{
	struct pop3_conn *c = pop3_conn_of(arg);

	strbuf_release(&c->gone);
	c->gone = strbuf_heap(size_mul(n, sizeof(*uids)));
	strbuf_bytes(&c->gone, uids, n * sizeof(*uids));
	c->gone_next = 0;
	ask(c, ask_remove_more);
}

void
pop3_conn_forget(struct pop3_conn *c)
{
	struct pop3_server *s = c->server;

	if (c->step)
		loop_defer_cancel(s->parts.loop, c->step, c);
	store_forget(s->parts.store, c->call);
	body_reading_forget(&c->reading);
	body_close(&c->body);
	strbuf_release(&c->gone);
}

const struct pop3_ops pop3_conn_ops = {
	.login = ask_login,
	.open = ask_open,
	.message = ask_message,
	.remove = ask_remove,
	.release = release,
};
