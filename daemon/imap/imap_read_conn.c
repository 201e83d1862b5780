/* imap_read_conn.c - questions about the messages of an open mailbox, which this
 * process's own reader answers.
 *
 * The reader blocks while it reads, so what may be much is read in slices of about
 * IMAP_SLICE_US; between two slices the loop serves others.
 */
#include "imap/imap_conn.h"

#include "base/clock.h"

enum {
	ENTRIES_AT_ONCE = 512,
};

/* --- the map */

/* One slice of those that are there. False: there are no more. */
static bool
map_slice(struct imap_conn *c, enum err *e_out)
{
	struct imap_question *q = &c->q;
	const uint32_t *uids = c->server->uids;
	size_t n;

	*e_out = reader_uids(
		imap_reader(c),
		&(struct entry_span){ c->box_id, q->next_uid, q->uidnext - 1, 0 },
		c->server->uids, IMAP_SCRATCH_ROWS, &n);
	if (*e_out != OK)
		return false;
	for (size_t i = 0; i < n; i++)
		imap_session_uid(c->session, uids[i]);
	if (n < IMAP_SCRATCH_ROWS)
		return false;
	q->next_uid = uids[n - 1] + 1;
	return q->next_uid < q->uidnext;
}

enum {
	EXPUNGED_MAX = 100000, /* what the store remembers of one mailbox */
};

static enum err
give_expunged(struct imap_conn *c, uint64_t since, struct arena *a)
{
	size_t n = IMAP_SCRATCH_ROWS;
	uint32_t *uids = c->server->uids;
	enum err e = reader_expunged(imap_reader(c), c->box_id, since, uids, n, &n);

	if (e == OK && n == IMAP_SCRATCH_ROWS) {
		uids = arena_try(a, EXPUNGED_MAX * sizeof(*uids));
		if (!uids)
			return ERR_LIMIT;
		e = reader_expunged(imap_reader(c), c->box_id, since, uids, EXPUNGED_MAX,
		                    &n);
	}
	for (size_t i = 0; e == OK && i < n; i++)
		imap_session_uid(c->session, uids[i]);
	return e;
}

static void
step_map(void *arg)
{
	struct imap_conn *c = imap_conn_of(arg);
	struct imap_question *q = &c->q;
	struct arena *a;
	enum err e = OK;

	if (q->uidnext > 1 && map_slice(c, &e)) {
		imap_conn_step(c, step_map);
		return;
	}
	if (e == OK) {
		a = arena_new(EXPUNGED_MAX * sizeof(uint32_t) + 64);
		e = give_expunged(c, q->modseq, a);
		arena_free(&a);
	}
	imap_conn_answer(c, e);
}

void
imap_ask_map(void *arg, uint64_t modseq, uint32_t uidnext)
{
	struct imap_question *q = imap_conn_ask(imap_conn_of(arg), step_map);

	q->modseq = modseq;
	q->uidnext = uidnext;
	q->next_uid = 1;
}

/* --- rows */

enum slice_end {
	SLICE_DONE,    /* the whole range */
	SLICE_STOPPED, /* the session wants no more */
	SLICE_PAUSE,   /* the time is up, or the scratch is full */
	SLICE_READING, /* a large body is read first */
};

struct messages {
	struct imap_conn *c;
	bool is_stopped, is_moved, is_paused;
	bool is_large; /* the one behind last_uid is read on a thread first */
	uint32_t last_uid;
	int64_t until_us;
};

static void step_rows(void *arg);

static bool
give_message(void *arg, const struct entry *e, const struct message *m)
{
	struct messages *ms = arg;
	struct imap_conn *c = ms->c;
	struct imap_row row = { .entry = *e, .head = &m->head };
	struct body *body = NULL;
	bool goes_on;

	if ((c->q.want & IMAP_WANT_BODY) && body_is_large(&m->ref)) {
		if (c->body_uid != e->uid) {
			ms->is_large = true;
			imap_body_read(c, e->uid, &m->ref, step_rows);
			return false;
		}
		row.body = imap_body_use(c);
	} else if (c->q.want & IMAP_WANT_BODY) {
		enum err err = body_open(c->server->parts.bodies, &m->ref, &body);

		/* Compaction has just moved it: its row says where to. */
		if (err == ERR_NOT_FOUND && !ms->is_moved) {
			ms->is_moved = true;
			return false;
		}
		if (err == OK)
			row.body = body_bytes(body);
	}
	ms->is_moved = false;
	ms->last_uid = e->uid;
	goes_on = imap_session_row(c->session, &row, imap_conn_output(c));
	body_close(&body);
	ms->is_stopped = !goes_on;
	ms->is_paused = goes_on && clock_mono_us() >= ms->until_us;
	return goes_on && !ms->is_paused;
}

static unsigned
reader_want(unsigned want)
{
	unsigned w = 0;

	if (want & IMAP_WANT_ENVELOPE)
		w |= WANT_ENVELOPE;
	if (want & IMAP_WANT_STRUCTURE)
		w |= WANT_STRUCTURE;
	if (want & IMAP_WANT_BODY_FORM)
		w |= WANT_BODY_FORM;
	if (want & IMAP_WANT_PARTS)
		w |= WANT_PARTS;
	if (want & IMAP_WANT_FIELDS)
		w |= WANT_FIELDS;
	if (want & IMAP_WANT_BODY)
		w |= WANT_REF;
	return w;
}

static enum err
message_slice(struct imap_conn *c, struct uid_range r, int64_t until_us,
              enum slice_end *end_out)
{
	struct messages ms = { .c = c, .until_us = until_us };
	uint32_t first = r.first;
	enum err e;

	for (;;) {
		bool was_moved = ms.is_moved;

		e = reader_messages(imap_reader(c),
		                    &(struct entry_span){ c->box_id, first, r.last, 0 },
		                    reader_want(c->q.want), SIZE_MAX / 2, give_message,
		                    &ms);
		if (e != OK || !ms.is_moved || was_moved)
			break;
		if (ms.last_uid)
			first = ms.last_uid + 1;
	}
	*end_out = ms.is_stopped  ? SLICE_STOPPED
	           : ms.is_large  ? SLICE_READING
	           : ms.is_paused ? SLICE_PAUSE
	                          : SLICE_DONE;
	if (ms.last_uid)
		c->q.next_uid = ms.last_uid + 1;
	if (*end_out == SLICE_PAUSE && ms.last_uid >= r.last)
		*end_out = SLICE_DONE;
	return e;
}

/* Few at a time: the session may stop after any of them. */
static enum err
entry_slice(struct imap_conn *c, struct uid_range r, uint64_t after_modseq,
            enum slice_end *end_out)
{
	struct entry *entries = c->server->entries;
	size_t n;
	enum err e = reader_entries(
		imap_reader(c),
		&(struct entry_span){ c->box_id, r.first, r.last, after_modseq }, entries,
		ENTRIES_AT_ONCE, &n);

	*end_out = SLICE_DONE;
	for (size_t i = 0; e == OK && i < n; i++) {
		struct imap_row row = { .entry = entries[i] };

		c->q.next_uid = entries[i].uid + 1;
		if (!imap_session_row(c->session, &row, imap_conn_output(c))) {
			*end_out = SLICE_STOPPED;
			return OK;
		}
	}
	if (e == OK && n == ENTRIES_AT_ONCE && entries[n - 1].uid < r.last)
		*end_out = SLICE_PAUSE;
	return e;
}

static enum err
entry_slices(struct imap_conn *c, struct uid_range r, int64_t until_us,
             enum slice_end *end_out)
{
	enum err e;

	do {
		e = entry_slice(c, r, 0, end_out);
		r.first = c->q.next_uid;
	} while (e == OK && *end_out == SLICE_PAUSE && clock_mono_us() < until_us);
	return e;
}

static void
step_rows(void *arg)
{
	struct imap_conn *c = imap_conn_of(arg);
	struct imap_question *q = &c->q;
	int64_t until_us = clock_mono_us() + IMAP_SLICE_US;
	enum slice_end end = SLICE_DONE;
	enum err e = OK;

	while (q->at < q->uids_n && e == OK && end == SLICE_DONE) {
		struct uid_range r = q->uids[q->at];

		if (clock_mono_us() >= until_us) {
			end = SLICE_PAUSE;
			break;
		}
		if (q->next_uid > r.first)
			r.first = q->next_uid;
		if (r.first <= r.last)
			e = q->want ? message_slice(c, r, until_us, &end)
			            : entry_slices(c, r, until_us, &end);
		if (end == SLICE_DONE) {
			q->at++;
			q->next_uid = 0;
		}
	}
	if (e == OK && end == SLICE_READING)
		q->step = NULL;
	else if (e == OK && end == SLICE_PAUSE)
		imap_conn_step(c, step_rows);
	else
		imap_conn_answer(c, e);
}

void
imap_ask_rows(void *arg, const struct uid_range *uids, size_t n, unsigned want)
{
	struct imap_question *q = imap_conn_ask(imap_conn_of(arg), step_rows);

	q->uids = uids;
	q->uids_n = n;
	q->want = want;
}

/* --- changes */

static void
step_changed_rows(void *arg)
{
	struct imap_conn *c = imap_conn_of(arg);
	struct imap_question *q = &c->q;
	struct uid_range r = { q->next_uid, UINT32_MAX };
	enum slice_end end;
	enum err e = entry_slice(c, r, q->since->rows, &end);

	if (e == OK && end == SLICE_PAUSE)
		imap_conn_step(c, step_changed_rows);
	else
		imap_conn_answer(c, e);
}

/* The mailbox's row is known, recents are claimed: on to what changed. */
static void
tell_changes(struct imap_conn *c)
{
	struct imap_question *q = &c->q;
	const struct imap_since *since = q->since;
	uint64_t modseq = q->box->info.highestmodseq;
	enum err e = OK;

	if (modseq == since->rows && (!since->want_gone || modseq == since->gone)) {
		imap_conn_answer(c, OK);
		return;
	}
	e = imap_read_keywords(c, q->arena, q->box);
	if (e == OK && since->want_gone)
		e = give_expunged(c, since->gone, q->arena);
	if (e != OK) {
		imap_conn_answer(c, e);
		return;
	}
	q->next_uid = since->after_uid + 1;
	imap_conn_step(c, step_changed_rows);
}

static void
recent_claimed(void *arg, enum err e, const struct answer_recent *answer)
{
	struct imap_conn *c = imap_conn_of(arg);
	struct imap_box *box = c->q.box;
	uint32_t first = e == OK ? answer->recent_uid : box->info.uidnext;

	c->q.call = 0;
	e = reader_mailbox_by_id(imap_reader(c), c->account_id, c->box_id, c->q.arena,
	                         &box->info);
	box->recent_first = first;
	if (e == OK)
		tell_changes(c);
	else
		imap_conn_answer(c, e);
}

static void
step_changes(void *arg)
{
	struct imap_conn *c = imap_conn_of(arg);
	struct imap_question *q = &c->q;
	struct imap_box *box = q->box;
	struct op_recent op = { .account_id = c->account_id, .mailbox_id = c->box_id };
	enum err e = reader_mailbox_by_id(imap_reader(c), c->account_id, c->box_id,
	                                  q->arena, &box->info);

	if (e != OK) {
		imap_conn_answer(c, e);
		return;
	}
	box->recent_first = box->info.recent_uid;
	if (q->since->is_readonly || box->info.recent_uid >= box->info.uidnext) {
		tell_changes(c);
	} else if (q->since->is_urgent) {
		/* Two sessions may both take the message for recent; so may RFC
		 * 3501 2.3.2. */
		(void)store_recent(c->server->parts.store, &op, NULL, NULL);
		tell_changes(c);
	} else {
		imap_take_recent(c, recent_claimed);
	}
}

void
imap_ask_changes(void *arg, const struct imap_since *since, struct arena *a,
                 struct imap_box *box_out)
{
	struct imap_question *q = imap_conn_ask(imap_conn_of(arg), step_changes);

	q->since = since;
	q->arena = a;
	q->box = box_out;
}
