/* Reads of mailboxes and messages. */
#include "store/reader_priv.h"

#include "base/panic.h"
#include "store/head.h"

#include <stddef.h>

/* --- mailboxes -------------------------------------------------------------------- */

#define MAILBOX_SELECT                                                                   \
	"SELECT m.id, m.account_id, m.name, m.uidvalidity, m.uidnext, m.modseq,"         \
	" m.message_count, m.unseen, m.deleted, m.recent_uid, m.size_bytes, "            \
	"m.special_use,"                                                                 \
	" CASE WHEN s.name IS NULL THEN 0 ELSE 1 END FROM mailbox m"                     \
	" LEFT JOIN subscription s ON s.account_id = m.account_id AND s.name = m.name"

static void
mailbox_read(struct stmt *s, void *out)
{
	struct mailbox_info *m = out;

	*m = (struct mailbox_info){
		.id = db_u64(s, 0),
		.account_id = db_u64(s, 1),
		.name = db_str(s, 2),
		.uidvalidity = db_u32(s, 3),
		.uidnext = db_u32(s, 4),
		.highestmodseq = db_u64(s, 5),
		.exists = db_u32(s, 6),
		.unseen = db_u32(s, 7),
		.deleted = db_u32(s, 8),
		.recent_uid = db_u32(s, 9),
		.size_bytes = db_u64(s, 10),
		.special_use = db_u32(s, 11),
		.subscribed = db_u64(s, 12) != 0,
	};
}

static const uint16_t mailbox_strings[] = { offsetof(struct mailbox_info, name) };
static const struct row_form mailbox_form = { mailbox_read, mailbox_strings, 1 };

enum err
reader_mailbox(struct reader *r, uint64_t account_id, struct str name, struct arena *a,
               struct mailbox_info *out)
{
	if (str_eq_icase(name, STR("INBOX")))
		name = STR("INBOX");
	return reader_get(r,
	                  QUERY(MAILBOX_SELECT " WHERE m.account_id = $1 AND m.name = $2",
	                        VALUES(V_I(account_id), V_S(name))),
	                  &mailbox_form, a, out);
}

enum err
reader_mailbox_by_id(struct reader *r, uint64_t account_id, uint64_t mailbox_id,
                     struct arena *a, struct mailbox_info *out)
{
	return reader_get(r,
	                  QUERY(MAILBOX_SELECT " WHERE m.id = $1 AND m.account_id = $2",
	                        VALUES(V_I(mailbox_id), V_I(account_id))),
	                  &mailbox_form, a, out);
}

struct mailbox_call {
	reader_mailbox_fn *fn;
	bool is_stopped;
};

static bool
mailbox_call(void *holder, void *arg, const void *row)
{
	struct mailbox_call *call = holder;

	call->is_stopped = !call->fn(arg, row);
	return !call->is_stopped;
}

/* Subscribed names without a mailbox, as rows with nothing but a name. */
#define SUBSCRIBED_ONLY                                                                  \
	"SELECT 0, s.account_id, s.name, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1 FROM "             \
	"subscription s"                                                                 \
	" WHERE s.account_id = $1 AND NOT EXISTS (SELECT 1 FROM mailbox m"               \
	" WHERE m.account_id = s.account_id AND m.name = s.name) ORDER BY s.name"

enum err
reader_mailboxes(struct reader *r, uint64_t account_id, reader_mailbox_fn *fn, void *arg)
{
	struct mailbox_call call = { fn, false };
	struct mailbox_info row;
	enum err e =
		reader_each(r,
	                    QUERY(MAILBOX_SELECT " WHERE m.account_id = $1 ORDER BY"
	                                         " CASE WHEN m.name = 'INBOX' THEN 0"
	                                         " ELSE 1 END, m.name",
	                          VALUES(V_I(account_id))),
	                    &mailbox_form, &row, ROW_CALLS(mailbox_call, &call, arg));

	if (e != OK || call.is_stopped)
		return e;
	return reader_each(r, QUERY(SUBSCRIBED_ONLY, VALUES(V_I(account_id))),
	                   &mailbox_form, &row, ROW_CALLS(mailbox_call, &call, arg));
}

enum err
reader_keywords(struct reader *r, uint64_t mailbox_id, struct arena *a,
                struct keyword **out, size_t *count_out)
{
	struct keyword *list = arena_try(a, KEYWORDS_MAX * sizeof(*list));
	struct stmt *s;
	size_t n = 0;
	enum err e = list ? OK : ERR_LIMIT, done;

	*count_out = 0;
	*out = list;
	if (e == OK)
		e = reader_query(r,
		                 "SELECT bit, name FROM keyword WHERE mailbox_id = $1 "
		                 "ORDER BY bit",
		                 VALUES(V_I(mailbox_id)), &s);
	if (e != OK)
		return e;
	while (e == OK && n < KEYWORDS_MAX && db_next(s)) {
		struct str *name = &list[n].name;

		list[n].bit = db_u32(s, 0);
		*name = db_str(s, 1);
		e = head_keep(&name, 1, a);
		if (list[n].bit >= FLAG_KEYWORD_FIRST && list[n].bit < 64)
			n++;
	}
	done = reader_done(r, &s);
	*count_out = n;
	return e == OK ? done : e;
}

/* How many entries stand before the n-th unseen one, in the order of the statement, which
   gives `max` at most; UINT32_MAX where it is not among them. */
static enum err
before_unseen(struct reader *r, const char *sql, const struct mailbox_info *m,
              uint32_t max, uint32_t n, uint32_t *before_out)
{
	struct stmt *s;
	enum err e = reader_query(r, sql, VALUES(V_I(m->id), V_I(max)), &s);

	*before_out = UINT32_MAX;
	if (e != OK)
		return e;
	for (uint32_t i = 0; *before_out == UINT32_MAX && db_next(s); i++) {
		n -= !(db_u64(s, 0) & FLAG_SEEN);
		if (n == 0)
			*before_out = i;
	}
	return reader_done(r, &s);
}

enum err
reader_unseen_seq(struct reader *r, const struct mailbox_info *m, uint32_t look,
                  uint32_t *seq_out)
{
	uint32_t before;
	enum err e;

	CHECK(r->is_held);
	*seq_out = 0;
	if (m->unseen == 0)
		return OK;
	e = before_unseen(r,
	                  "SELECT flags FROM entry WHERE mailbox_id = $1"
	                  " ORDER BY uid LIMIT $2",
	                  m, look, 1, &before);
	if (e == OK && before < m->exists) {
		*seq_out = before + 1;
		return OK;
	}
	/* From the end the first one is the last of all. */
	if (e == OK)
		e = before_unseen(r,
		                  "SELECT flags FROM entry WHERE mailbox_id = $1"
		                  " ORDER BY uid DESC LIMIT $2",
		                  m, look, m->unseen, &before);
	if (e == OK && before < m->exists)
		*seq_out = m->exists - before;
	return e;
}

/* --- entries ---------------------------------------------------------------------- */

enum err
reader_entries(struct reader *r, const struct entry_span *span, struct entry *out,
               size_t max, size_t *count_out)
{
	struct stmt *s;
	size_t n = 0;
	enum err e = reader_query(r,
	                          "SELECT uid, flags, modseq, message_id, size, date_ms"
	                          " FROM entry WHERE mailbox_id = $1 AND uid >= $2 AND"
	                          " uid <= $3 AND modseq > $4 ORDER BY uid",
	                          VALUES(V_I(span->mailbox_id), V_I(span->first),
	                                 V_I(span->last), V_I(span->after_modseq)),
	                          &s);

	*count_out = 0;
	if (e != OK)
		return e;
	while (n < max && db_next(s)) {
		out[n++] = (struct entry){
			.uid = db_u32(s, 0),
			.flags = db_u64(s, 1),
			.modseq = db_u64(s, 2),
			.message_id = db_u64(s, 3),
			.size = db_u32(s, 4),
			.internal_date_ms = db_i64(s, 5),
		};
	}
	*count_out = n;
	return reader_done(r, &s);
}

static enum err
numbers(struct reader *r, const struct query *query, uint32_t *out, size_t max,
        size_t *count_out)
{
	struct stmt *s;
	size_t n = 0;
	enum err e = reader_query(r, query->sql, query->values, query->count, &s);

	*count_out = 0;
	if (e != OK)
		return e;
	while (n < max && db_next(s))
		out[n++] = db_u32(s, 0);
	*count_out = n;
	return reader_done(r, &s);
}

enum err
reader_uids(struct reader *r, const struct entry_span *span, uint32_t *out, size_t max,
            size_t *count_out)
{
	return numbers(
		r,
		QUERY("SELECT uid FROM entry WHERE mailbox_id = $1 AND uid >= $2 AND"
	              " uid <= $3 ORDER BY uid",
	              VALUES(V_I(span->mailbox_id), V_I(span->first), V_I(span->last))),
		out, max, count_out);
}

enum err
reader_expunged(struct reader *r, uint64_t mailbox_id, uint64_t after_modseq,
                uint32_t *out, size_t max, size_t *count_out)
{
	return numbers(
		r,
		QUERY("SELECT uid FROM expunged WHERE mailbox_id = $1 AND modseq > $2"
	              " ORDER BY modseq, uid",
	              VALUES(V_I(mailbox_id), V_I(after_modseq))),
		out, max, count_out);
}

/* --- messages --------------------------------------------------------------------- */

/* Columns in the order of the table, so that SQLite reads a row no further than it must:
   what comes after the last one wanted stays on its overflow pages. */
#define MESSAGE_FIRST                                                                    \
	"m.id, m.segment, m.place, m.stored_bytes, m.size, m.codec, m.sha256,"           \
	" m.received_ms, m.prefix_len, m.trace_id, m.flags, m.header_bytes, m.date_ms,"  \
	" m.date_zone"
#define MESSAGE_REF   "m.id, m.segment, m.place, m.stored_bytes, m.size, m.codec, m.sha256"
#define ENTRY_COLUMNS "e.uid, e.flags, e.modseq, e.message_id, e.size, e.date_ms"
#define ENTRY_WHERE                                                                      \
	" FROM entry e JOIN message m ON m.id = e.message_id"                            \
	" WHERE e.mailbox_id = $1 AND e.uid >= $2 AND e.uid <= $3 ORDER BY e.uid"

enum {
	ENTRY_COUNT = 6,
	FIRST_COUNT = 14,
	REF_COUNT = 7,
};

static void
ref_read(struct stmt *s, int c, struct message *m)
{
	m->id = db_u64(s, c++);
	m->ref.segment = db_u64(s, c++);
	m->ref.offset = db_u64(s, c++);
	m->ref.stored_bytes = db_u64(s, c++);
	m->ref.size = db_u64(s, c++);
	m->ref.codec = db_u32(s, c++);
	m->ref.sha256 = db_str(s, c);
}

static void
first_read(struct stmt *s, int c, struct message *m)
{
	ref_read(s, c, m);
	c += REF_COUNT;
	m->received_ms = db_i64(s, c++);
	m->prefix_len = db_u32(s, c++);
	m->trace_id = db_str(s, c++);
	m->head.flags = db_u32(s, c++);
	m->head.header_bytes = db_u32(s, c++);
	m->head.date_ms = db_i64(s, c++);
	m->head.date_zone = db_u32(s, c);
}

static void
forms_read(struct stmt *s, int c, unsigned want, struct message *m)
{
	if (want & WANT_ENVELOPE)
		m->head.envelope = db_str(s, c);
	if (want & WANT_BODY_FORM)
		m->head.body = db_str(s, c + 1);
	if (want & WANT_STRUCTURE)
		m->head.bodystructure = db_str(s, c + 2);
	if (want & WANT_PARTS)
		m->head.parts = db_str(s, c + 3);
	if (want & WANT_FIELDS)
		head_fields_unpack(db_str(s, c + 4), &m->head);
}

static const unsigned want_narrow = WANT_ENVELOPE | WANT_STRUCTURE | WANT_BODY_FORM;

/* Nothing but what IMAP sends as it is. */
static bool
is_narrow(unsigned want)
{
	return want && !(want & ~want_narrow);
}

/* One statement for each kind of wish: SQLite copies every column of a row that it gives,
   so the wishes that come most name only theirs, with '' where another would stand. */
static const char *
entries_sql(unsigned want)
{
	if (is_narrow(want)) {
		if (want == WANT_ENVELOPE)
			return "SELECT " ENTRY_COLUMNS ", m.envelope" ENTRY_WHERE;
		if (!(want & WANT_BODY_FORM))
			return "SELECT " ENTRY_COLUMNS
			       ", m.envelope, '', m.bodystructure" ENTRY_WHERE;
		return "SELECT " ENTRY_COLUMNS
		       ", m.envelope, m.body, m.bodystructure" ENTRY_WHERE;
	}
	if (want == WANT_REF)
		return "SELECT " ENTRY_COLUMNS ", " MESSAGE_REF ENTRY_WHERE;
	switch (want & (want_narrow | WANT_PARTS | WANT_FIELDS)) {
	case 0:
		return "SELECT " ENTRY_COLUMNS ", " MESSAGE_FIRST ENTRY_WHERE;
	case WANT_PARTS:
		return "SELECT " ENTRY_COLUMNS ", " MESSAGE_FIRST
		       ", '', '', '', m.parts" ENTRY_WHERE;
	case WANT_FIELDS:
		return "SELECT " ENTRY_COLUMNS ", " MESSAGE_FIRST
		       ", '', '', '', '', m.fields" ENTRY_WHERE;
	default:
		return "SELECT " ENTRY_COLUMNS ", " MESSAGE_FIRST
		       ", m.envelope, m.body, m.bodystructure, m.parts,"
		       " m.fields" ENTRY_WHERE;
	}
}

static void
message_read(struct stmt *s, unsigned want, struct message *m)
{
	*m = (struct message){ 0 };
	if (is_narrow(want)) {
		m->id = db_u64(s, 3);
		forms_read(s, ENTRY_COUNT, want, m);
		return;
	}
	if (want == WANT_REF) {
		ref_read(s, ENTRY_COUNT, m);
		return;
	}
	first_read(s, ENTRY_COUNT, m);
	forms_read(s, ENTRY_COUNT + FIRST_COUNT, want, m);
}

enum err
reader_messages(struct reader *r, const struct entry_span *span, unsigned want,
                size_t max, reader_message_fn *fn, void *arg)
{
	struct stmt *s;
	enum err e = reader_query(
		r, entries_sql(want),
		VALUES(V_I(span->mailbox_id), V_I(span->first), V_I(span->last)), &s);

	if (e != OK)
		return e;
	for (size_t n = 0; n < max && db_next(s); n++) {
		struct entry entry = {
			.uid = db_u32(s, 0),
			.flags = db_u64(s, 1),
			.modseq = db_u64(s, 2),
			.message_id = db_u64(s, 3),
			.size = db_u32(s, 4),
			.internal_date_ms = db_i64(s, 5),
		};
		struct message m;

		message_read(s, want, &m);
		if (!fn(arg, &entry, &m))
			break;
	}
	return reader_done(r, &s);
}
