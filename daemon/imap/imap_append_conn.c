/* imap_append_conn.c - the messages of one APPEND, from the stream to the store.
 *
 * Each message has a body writer; finished ones are kept until the operation that makes
 * all of them appear is answered. An APPEND of more messages than should be kept is
 * several operations: what they have done is undone where the command fails
 * (store/ops_mail.h, "In turns").
 */
#include "imap/imap_conn.h"

#include "base/clock.h"
#include "base/mem.h"
#include "base/panic.h"

enum {
	TURN_MESSAGES = 500,            /* kept, before they go to the store */
	TURN_BYTES = 4 * 1024 * 1024,   /* or so many bytes that the operation carries */
	MESSAGES_MAX = 1000 * 1000,     /* of one APPEND */
	ARENA_BUDGET = 4 * 1024 * 1024, /* flags and keywords of those that are kept */
};

struct writer {
	struct body_writer *body;
	const struct new_body *stored; /* once finished */
	uint64_t flags;
	struct str *keywords;
	size_t keywords_n;
	int64_t date_ms;
};

struct imap_writers {
	struct arena *arena;
	uint64_t mailbox_id;
	struct strbuf mailbox;
	uint64_t room; /* what quota leaves; UINT64_MAX: no quota */
	struct writer list[TURN_MESSAGES];
	size_t n;
	size_t carried; /* bytes of theirs in the operation */
	enum err error; /* of the last body_write */
	/* of the turns before */
	uint64_t work;      /* 0: there was none */
	bool is_continued;  /* one was answered */
	struct strbuf uids; /* uint32_t[] */
};

/* Those that are kept. */
static void
forget_messages(struct imap_writers *w)
{
	for (size_t i = 0; i < w->n; i++)
		body_writer_free(&w->list[i].body);
	memset(w->list, 0, w->n * sizeof(w->list[0]));
	w->n = w->carried = 0;
	arena_rewind(w->arena);
}

static void
writers_free(struct imap_conn *c)
{
	struct imap_writers *w = c->writers;

	forget_messages(w);
	arena_free(&w->arena);
	strbuf_release(&w->uids);
	strbuf_release(&w->mailbox);
	mem_free(w);
	c->writers = NULL;
}

void
imap_append_abort(void *arg)
{
	struct imap_conn *c = imap_conn_of(arg);
	struct imap_writers *w = c->writers;

	if (!w)
		return;
	if (w->work)
		(void)imap_undo_new(c->server, w->work, NULL, NULL);
	writers_free(c);
}

/* --- to the store */

typedef void answered_fn(void *arg, enum err e, const struct answer_append *answer);

/* Those that are kept; is_more: others will follow. */
static void
ask_append(struct imap_conn *c, bool is_more, answered_fn *answered)
{
	const struct imap_writers *w = c->writers;
	struct arena *scratch =
		arena_new(TURN_MESSAGES * sizeof(struct append_message) + 64);
	struct append_message *messages =
		ARENA_ARRAY(scratch, struct append_message, w->n);
	struct op_append op = { .account_id = c->account_id,
		                .mailbox_id = w->mailbox_id,
		                .messages = messages,
		                .messages_count = w->n,
		                .work = w->work,
		                .is_continued = w->is_continued,
		                .is_more = is_more };

	for (size_t i = 0; i < w->n; i++) {
		const struct writer *writer = &w->list[i];

		CHECK(writer->stored);
		messages[i].body = *writer->stored;
		messages[i].flags = writer->flags;
		messages[i].keywords = writer->keywords;
		messages[i].keywords_count = writer->keywords_n;
		messages[i].internal_date_ms = writer->date_ms;
	}
	c->q.call = store_append(c->server->parts.store, &op, answered, c);
	arena_free(&scratch);
}

static void
on_undone(struct imap_conn *c)
{
	c->q.undo = NULL;
	imap_conn_answer(c, c->q.error);
}

/* The store took none of those that are kept: nor shall it have those before. */
static void
fail(struct imap_conn *c, enum err e)
{
	uint64_t work = c->writers->work;

	writers_free(c);
	c->q.error = e;
	if (work)
		c->q.undo = imap_undo_new(c->server, work, on_undone, c);
	else
		imap_conn_answer(c, e);
}

/* The store has them. */
static void
keep_uids(struct imap_writers *w, const struct answer_append *answer)
{
	strbuf_bytes(&w->uids, answer->uids, answer->uids_count * sizeof(uint32_t));
	w->is_continued = true;
	forget_messages(w);
}

/* --- begin */

/* How much more the account may hold. */
static enum err
find_room(struct imap_conn *c, struct arena *a, uint64_t *room_out)
{
	struct account account;
	enum err e =
		reader_account_by_id(c->server->parts.reader, c->account_id, a, &account);

	if (e != OK)
		return e == ERR_NOT_FOUND ? ERR_STORE_TEMP : e;
	if (account.quota_bytes == 0)
		*room_out = UINT64_MAX;
	else if (account.used_bytes >= account.quota_bytes)
		*room_out = 0;
	else
		*room_out = account.quota_bytes - account.used_bytes;
	return OK;
}

/* Once for all messages of the command: the store looks again when it takes them. */
static enum err
begin_first(struct imap_conn *c, struct str mailbox)
{
	struct arena *scratch = arena_new(64 * 1024);
	struct imap_writers *w;
	struct mailbox_info info;
	uint64_t room;
	enum err e = reader_mailbox(c->server->parts.reader, c->account_id, mailbox,
	                            scratch, &info);

	if (e == OK && info.id == 0)
		e = ERR_NOT_FOUND;
	if (e == OK)
		e = find_room(c, scratch, &room);
	if (e == OK) {
		w = c->writers = mem_alloc(sizeof(*w));
		w->arena = arena_new(ARENA_BUDGET);
		w->mailbox = strbuf_heap(mailbox.n);
		strbuf_add(&w->mailbox, mailbox);
		w->uids = strbuf_heap(MESSAGES_MAX * sizeof(uint32_t));
		w->mailbox_id = info.id;
		w->room = room;
	}
	arena_free(&scratch);
	return e;
}

static bool
keep_flags(struct imap_writers *w, struct writer *writer, const struct imap_flags *flags)
{
	writer->flags = flags->bits;
	if (flags->keywords_n == 0)
		return true;
	writer->keywords =
		arena_try(w->arena, flags->keywords_n * sizeof(*writer->keywords));
	if (!writer->keywords)
		return false;
	for (size_t i = 0; i < flags->keywords_n; i++) {
		char *p = arena_try(w->arena, flags->keywords[i].n);

		if (!p)
			return false;
		memcpy(p, flags->keywords[i].p, flags->keywords[i].n);
		writer->keywords[i] = str_make(p, flags->keywords[i].n);
	}
	writer->keywords_n = flags->keywords_n;
	return true;
}

static enum err
begin(struct imap_conn *c, const struct imap_append *append)
{
	struct imap_writers *w;
	struct writer *writer;
	enum err e = c->writers ? OK : begin_first(c, append->mailbox);

	if (e != OK)
		return e;
	w = c->writers;
	if (append->size > c->settings->message_max_bytes)
		return ERR_TOO_LARGE;
	if (append->size > w->room)
		return ERR_QUOTA;
	if (w->uids.n >= MESSAGES_MAX * sizeof(uint32_t))
		return ERR_LIMIT;
	if (w->room != UINT64_MAX)
		w->room -= append->size;
	writer = &w->list[w->n++];
	writer->date_ms = append->has_date ? append->date_ms : clock_unix_ms();
	writer->body = body_writer_new(c->server->parts.bodies, append->size);
	return keep_flags(w, writer, &append->flags) ? OK : ERR_LIMIT;
}

static void on_turn(void *arg, enum err e, const struct answer_append *answer);

static void
step_begin(void *arg)
{
	struct imap_conn *c = imap_conn_of(arg);
	struct imap_writers *w = c->writers;

	c->q.step = NULL;
	if (w && (w->n == TURN_MESSAGES || w->carried >= TURN_BYTES)) {
		if (!w->work)
			w->work = imap_work_new();
		ask_append(c, true, on_turn);
	} else {
		imap_conn_answer(c, begin(c, c->q.append));
	}
}

static void
on_turn(void *arg, enum err e, const struct answer_append *answer)
{
	struct imap_conn *c = imap_conn_of(arg);

	c->q.call = 0;
	if (e != OK) {
		fail(c, e);
		return;
	}
	keep_uids(c->writers, answer);
	imap_conn_answer(c, begin(c, c->q.append));
}

void
imap_ask_append_begin(void *arg, const struct imap_append *append)
{
	imap_conn_ask(imap_conn_of(arg), step_begin)->append = append;
}

/* --- the message */

void
imap_append_data(void *arg, struct str bytes)
{
	struct imap_conn *c = imap_conn_of(arg);
	struct imap_writers *w = c->writers;

	CHECK(w && w->n > 0);
	w->error = body_write(w->list[w->n - 1].body, bytes);
}

static void
on_finished(void *arg, enum err e, const struct new_body *body)
{
	struct imap_conn *c = imap_conn_of(arg);
	struct imap_writers *w = c->writers;

	if (w && w->n > 0)
		w->list[w->n - 1].stored = body;
	if (w && body)
		w->carried += body->record.n;
	imap_conn_answer(c, e);
}

void
imap_ask_append_end(void *arg)
{
	struct imap_conn *c = imap_conn_of(arg);
	struct imap_writers *w = c->writers;
	const struct writer *writer = &w->list[w->n - 1];
	struct body_about about = {
		.account = strbuf_str(&c->address),
		.mailbox = strbuf_str(&w->mailbox),
		.flags = writer->flags,
		.at_ms = writer->date_ms,
		.carried = w->carried,
	};

	(void)imap_conn_ask(c, NULL);
	body_finish(writer->body, &about, on_finished, c);
}

/* --- the end */

static void
on_append(void *arg, enum err e, const struct answer_append *answer)
{
	struct imap_conn *c = imap_conn_of(arg);
	struct imap_writers *w = c->writers;
	struct imap_copied *copied = c->q.copied;

	uint32_t *to;

	c->q.call = 0;
	if (e != OK) {
		fail(c, e);
		return;
	}
	keep_uids(w, answer);
	to = arena_try(c->q.arena, w->uids.n + 1);
	copied->uidvalidity = answer->uidvalidity;
	copied->n = to ? w->uids.n / sizeof(*to) : 0;
	copied->to = to;
	if (to)
		memcpy(to, w->uids.p, w->uids.n);
	writers_free(c);
	imap_conn_answer(c, OK);
}

void
imap_ask_append_commit(void *arg, struct arena *a, struct imap_copied *copied_out)
{
	struct imap_conn *c = imap_conn_of(arg);
	struct imap_question *q = imap_conn_ask(c, NULL);

	q->arena = a;
	q->copied = copied_out;
	ask_append(c, false, on_append);
}
