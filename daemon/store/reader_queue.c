/* Reads of the queue. */
#include "mail/address.h"
#include "store/queue_row.h"
#include "store/reader_priv.h"

static void
item_read(struct stmt *s, void *out)
{
	queue_row_read(s, out);
}

static const struct row_form item_form = { item_read, NULL, 0 };

/* Every condition is in the text and says itself whether it is meant; so there is one
   statement for each way to walk the table and none is built from pieces. */
#define QUEUE_CONDITIONS                                                                 \
	" AND ($3 = '' OR q.domain = $3) AND ($4 = '' OR q.sender = $5)"                 \
	" AND ($6 = '' OR q.rcpt = $6) AND ($7 = '' OR q.trace_id = $7)"                 \
	" AND ($8 = 0 OR q.created_ms < $8)"                                             \
	" AND ($9 = '' OR lower(q.sender) LIKE $9 ESCAPE '\\')"                          \
	" AND ($10 = '' OR lower(q.rcpt) LIKE $10 ESCAPE '\\')"

#define QUEUE_DOWN                                                                       \
	" WHERE ($1 = 0 OR q.id < $1) AND (($2 >> q.state) & 1) = 1" QUEUE_CONDITIONS
#define QUEUE_ALL " WHERE q.id > $1 AND (($2 >> q.state) & 1) = 1" QUEUE_CONDITIONS

enum {
	ALL_STATES = (1 << QUEUE_STATE_COUNT) - 1,
	FIRST_SORTED = 600, /* more than a page */
	LIKE_MAX = 1024,    /* bytes of a pattern */
};

static struct str
sender_of(const struct queue_query *q)
{
	return str_eq(q->sender, STR("<>")) ? str_from(NULL) : q->sender;
}

/* What LIKE is given for the parts of addresses; empty where they are. One that has no
   place here narrows nothing. */
struct likes {
	char sender_bytes[LIKE_MAX], rcpt_bytes[LIKE_MAX];
	struct str sender, rcpt;
};

static struct str
like_part(struct strbuf b, struct str part)
{
	if (part.n) {
		strbuf_byte(&b, '%');
		db_like(&b, part);
		strbuf_byte(&b, '%');
	}
	return b.overflow ? str_from(NULL) : strbuf_str(&b);
}

static void
likes_of(const struct queue_query *q, struct likes *out)
{
	out->sender = like_part(strbuf_on(out->sender_bytes), q->sender_part);
	out->rcpt = like_part(strbuf_on(out->rcpt_bytes), q->rcpt_part);
}

#define QUERY_VALUES(q, likes)                                                           \
	V_I((q)->after), V_I((q)->state_mask ? (q)->state_mask : ALL_STATES),            \
		V_S((q)->domain), V_S((q)->sender), V_S(sender_of(q)), V_S((q)->rcpt),   \
		V_S((q)->trace_id), V_I((q)->created_before_ms), V_S((likes)->sender),   \
		V_S((likes)->rcpt)

static bool
item_call(void *fn, void *arg, const void *row)
{
	return (*(reader_queue_fn **)fn)(arg, row);
}

/* Ids alone are sorted, and rows read one by one: a page needs few of them. $1 is named
   first, for numbers must come in their order. */
#define SORTED(from, key, than, direction)                                               \
	"SELECT q.id" from                                                               \
	" WHERE $1 >= 0 AND (($2 >> q.state) & 1) = 1" QUEUE_CONDITIONS                  \
	" AND ($1 = 0 OR (" key ", q.id) " than " ($11, $1))"                            \
	" ORDER BY " key " " direction ", q.id " direction " LIMIT $12"
#define SORTED_BOTH(from, key)                                                           \
	{                                                                                \
		SORTED(from, key, ">", "ASC"), SORTED(from, key, "<", "DESC")            \
	}

/* Each state has its rows in order in an index; the engine merges them, and looks at no
   more rows than it tells. */
#define DUE_OF(state, than)                                                              \
	"SELECT q.id, q.due_ms FROM queue q WHERE $1 >= 0 AND (($2 >> " state            \
	") & 1) = 1 AND q.state = " state QUEUE_CONDITIONS " AND (q.due_ms, q.id) " than \
	" ($11, $1)"
#define SORTED_BY_DUE(than, direction)                                                   \
	DUE_OF("0", than)                                                                \
	" UNION ALL " DUE_OF("1", than) " UNION ALL " DUE_OF(                            \
		"2", than) " UNION ALL " DUE_OF("3", than) " ORDER BY 2 " direction      \
							   ", 1 " direction " LIMIT $12"
_Static_assert(QUEUE_STATE_COUNT == 4, "SORTED_BY_DUE names them all");

static const char *const sorted[QUEUE_SORT_COUNT][2] = {
	[QUEUE_BY_NEXT] = { SORTED_BY_DUE(">", "ASC"), SORTED_BY_DUE("<", "DESC") },
	[QUEUE_BY_SIZE] = SORTED_BOTH(QUEUE_FROM, "m.size"),
	[QUEUE_BY_ATTEMPTS] = SORTED_BOTH(" FROM queue q", "q.attempts"),
	[QUEUE_BY_DOMAIN] = SORTED_BOTH(" FROM queue q", "q.domain"),
};

/* A walk through a sorted queue. */
struct walk {
	struct queue_query from;
	struct likes likes;
	/* the row told last; apart, for what a statement is bound to must stay */
	uint64_t id;
	int64_t number;
	char text[ADDRESS_KEY_MAX];
	size_t text_n;
	size_t told;
	bool goes_on;
	reader_queue_fn *fn;
	void *arg;
};

static void
walk_note(struct walk *w, const struct queue_item *item)
{
	struct strbuf b = strbuf_on(w->text);
	const int64_t numbers[QUEUE_SORT_COUNT] = {
		[QUEUE_BY_NEXT] = item->due_ms,
		[QUEUE_BY_SIZE] = (int64_t)item->ref.size,
		[QUEUE_BY_ATTEMPTS] = item->attempts,
	};

	strbuf_add(&b, item->domain);
	w->id = item->id;
	w->number = numbers[w->from.sort];
	w->text_n = b.n;
	w->told++;
}

static enum err
walk_tell(struct walk *w, struct reader *r, uint64_t id)
{
	struct stmt *s;
	struct queue_item item;
	enum err e = reader_one(r, "SELECT " QUEUE_COLUMNS QUEUE_FROM " WHERE q.id = $1",
	                        VALUES(V_I(id)), &s);

	if (e == OK) {
		queue_row_read(s, &item);
		walk_note(w, &item);
		w->goes_on = w->fn(w->arg, &item);
	}
	db_end(&s);
	return e == ERR_NOT_FOUND ? OK : e;
}

static enum err
walk_some(struct walk *w, struct reader *r, size_t limit)
{
	const struct queue_query *q = &w->from;
	struct stmt *s;
	enum err e;

	/* Before every row there is, so that the index is entered in one way. */
	if (q->sort == QUEUE_BY_NEXT && !q->after) {
		w->from.after = q->is_down ? INT64_MAX : 0;
		w->from.after_number = q->is_down ? INT64_MAX : INT64_MIN;
	}
	e = reader_query(r, sorted[q->sort][q->is_down],
	                 VALUES(QUERY_VALUES(q, &w->likes),
	                        q->sort == QUEUE_BY_DOMAIN ? V_S(q->after_text)
	                                                   : V_I(q->after_number),
	                        V_I(limit)),
	                 &s);
	if (e != OK)
		return e;
	while (e == OK && w->goes_on && db_next(s))
		e = walk_tell(w, r, db_u64(s, 0));
	if (e == OK && w->goes_on)
		return reader_done(r, &s);
	db_end(&s);
	return e;
}

/* The first rows alone are cheap to find: only few are kept while all are looked at. Who
   wants more, since few fit a filter, has the rest sorted. */
static enum err
queue_sorted(struct reader *r, const struct queue_query *query, size_t limit,
             reader_queue_fn *fn, void *arg)
{
	struct walk w = { .from = *query, .goes_on = true, .fn = fn, .arg = arg };
	size_t first = limit < FIRST_SORTED ? limit : FIRST_SORTED;
	char text[ADDRESS_KEY_MAX];
	enum err e;

	likes_of(query, &w.likes);
	e = walk_some(&w, r, first);
	if (e != OK || !w.goes_on || w.told < first || limit == first)
		return e;
	memcpy(text, w.text, w.text_n);
	w.from.after = w.id;
	w.from.after_number = w.number;
	w.from.after_text = str_make(text, w.text_n);
	return walk_some(&w, r, limit - first);
}

enum err
reader_queue(struct reader *r, const struct queue_query *query, size_t limit,
             reader_queue_fn *fn, void *arg)
{
	struct queue_item row;
	struct likes likes;

	if (limit > INT64_MAX)
		limit = INT64_MAX;
	if (query->sort != QUEUE_BY_AGE)
		return queue_sorted(r, query, limit, fn, arg);
	likes_of(query, &likes);
	return reader_each(r,
	                   QUERY(query->is_down
	                                 ? "SELECT " QUEUE_COLUMNS QUEUE_FROM QUEUE_DOWN
	                                   " ORDER BY q.id DESC LIMIT $11"
	                                 : "SELECT " QUEUE_COLUMNS QUEUE_FROM QUEUE_ALL
	                                   " ORDER BY q.id LIMIT $11",
	                         VALUES(QUERY_VALUES(query, &likes), V_I(limit))),
	                   &item_form, &row, ROW_CALLS(item_call, &fn, arg));
}

enum err
reader_queue_item(struct reader *r, uint64_t id, struct arena *a, struct queue_item *out)
{
	struct stmt *s;
	enum err e = reader_one(r, "SELECT " QUEUE_COLUMNS QUEUE_FROM " WHERE q.id = $1",
	                        VALUES(V_I(id)), &s);

	if (e != OK)
		return e;
	queue_row_read(s, out);
	e = queue_row_try_keep(out, a);
	db_end(&s);
	return e;
}

enum err
reader_queue_count(struct reader *r, const struct queue_query *query, uint64_t max,
                   uint64_t *count_out)
{
	struct stmt *s;
	struct likes likes;
	enum err e;

	likes_of(query, &likes);
	e = reader_one(r,
	               "SELECT count(*) FROM (SELECT 1 FROM queue q" QUEUE_ALL
	               " LIMIT $11) AS found",
	               VALUES(QUERY_VALUES(query, &likes),
	                      V_I(max > INT64_MAX ? INT64_MAX : max)),
	               &s);

	*count_out = 0;
	if (e != OK)
		return e;
	*count_out = db_u64(s, 0);
	db_end(&s);
	return OK;
}

enum err
reader_queue_next_due(struct reader *r, int64_t *due_ms_out)
{
	static const uint32_t states[] = { QUEUE_SCHEDULED, QUEUE_DEFERRED };
	enum err e = OK;

	*due_ms_out = 0;
	for (size_t i = 0; i < ARRAY_LEN(states) && e == OK; i++) {
		struct stmt *s;

		e = reader_one(r,
		               "SELECT due_ms FROM queue WHERE state = $1 ORDER BY due_ms"
		               " LIMIT 1",
		               VALUES(V_I(states[i])), &s);
		if (e == OK && (!*due_ms_out || db_i64(s, 0) < *due_ms_out))
			*due_ms_out = db_i64(s, 0);
		db_end(&s);
		if (e == ERR_NOT_FOUND)
			e = OK;
	}
	return e;
}

enum err
reader_queue_totals(struct reader *r, struct queue_totals *out)
{
	struct stmt *s;
	enum err e = reader_query(r,
	                          "SELECT state, count(*), min(due_ms) FROM queue"
	                          " GROUP BY state",
	                          NO_VALUES, &s);

	*out = (struct queue_totals){ .oldest_ms = 0 };
	if (e != OK)
		return e;
	while (db_next(s)) {
		uint32_t state = db_u32(s, 0);
		int64_t due_ms = db_i64(s, 2);

		if (state >= QUEUE_STATE_COUNT)
			continue;
		out->by_state[state] = db_u64(s, 1);
		if ((state == QUEUE_SCHEDULED || state == QUEUE_DEFERRED) &&
		    (!out->next_due_ms || due_ms < out->next_due_ms))
			out->next_due_ms = due_ms;
	}
	e = reader_done(r, &s);
	if (e != OK)
		return e;
	/* Ids grow with time: the first row is the oldest. */
	e = reader_one(r, "SELECT created_ms FROM queue ORDER BY id LIMIT 1", NO_VALUES,
	               &s);
	if (e == OK)
		out->oldest_ms = db_i64(s, 0);
	db_end(&s);
	return e == ERR_NOT_FOUND ? OK : e;
}
