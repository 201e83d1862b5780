/* Search in the delivery log: which index a query goes by, then what is left is looked at
 * row by row; day after day, until a page is full.
 */
#include "store/trace_reader.h"

#include "base/duration.h"
#include "base/ids.h"
#include "base/strbuf.h"
#include "store/trace_reader_priv.h"

enum {
	KEY_MAX_BYTES = 512,
};

/* What is left after the walk has found a row: each says itself whether it is meant. */
#define TRACE_CONDITIONS                                                                 \
	" AND ($3 = 0 OR t.direction = $3) AND ($4 = 0 OR t.verdict = $4)"               \
	" AND t.at_ms >= $5 AND t.at_ms < $6"                                            \
	" AND ($7 = '' OR t.ip = $7)"                                                    \
	" AND ($8 = '' OR lower(t.subject) LIKE $8 ESCAPE '\\')"                         \
	" AND ($9 = '' OR t.sender = $9 OR t.sender LIKE $10 ESCAPE '\\')"               \
	" AND ($11 = '' OR EXISTS (SELECT 1 FROM rcpt r WHERE r.trace_id = t.id"         \
	" AND (r.rcpt = $11 OR r.orig_rcpt = $11 OR r.rcpt LIKE $12 ESCAPE '\\')))"      \
	" AND ($13 = '' OR t.sender = $13 OR t.sender LIKE $14 ESCAPE '\\' OR"           \
	" EXISTS (SELECT 1 FROM rcpt r WHERE r.trace_id = t.id AND (r.rcpt = $13 OR"     \
	" r.orig_rcpt = $13 OR r.rcpt LIKE $14 ESCAPE '\\')))"
/* The two directions, of one kind of ids: '`' comes right behind '_'. */
#define DOWN(kind)                                                                       \
	" AND t.id > '" kind "_' AND t.id < $2" TRACE_CONDITIONS                         \
	" ORDER BY t.id DESC LIMIT $15"
#define UP(kind)                                                                         \
	" AND t.id < '" kind "`' AND t.id > $2" TRACE_CONDITIONS                         \
	" ORDER BY t.id LIMIT $15"

/* $1 is what the walk goes by; the others stand in TRACE_CONDITIONS. */
enum walk {
	WALK_ALL, /* newest first */
	WALK_ID,
	WALK_MESSAGE,
	WALK_IP,
	WALK_SENDER,
	WALK_RCPT,
	WALK_ADDRESS, /* on either side */
	WALK_COUNT,
};

#define WALKS(direction)                                                                 \
	{                                                                                \
		[WALK_ALL] =                                                             \
			"SELECT " TRACE_COLUMNS " FROM trace t WHERE $1 = ''" direction, \
		[WALK_ID] = "SELECT " TRACE_COLUMNS " FROM trace t WHERE (t.id = $1 OR " \
			    "t.session_id = $1)" direction,                              \
		[WALK_MESSAGE] = "SELECT " TRACE_COLUMNS                                 \
				 " FROM trace t WHERE t.message_id = $1" direction,      \
		[WALK_IP] = "SELECT " TRACE_COLUMNS                                      \
			    " FROM trace t WHERE t.ip = $1" direction,                   \
		[WALK_SENDER] = "SELECT " TRACE_COLUMNS                                  \
				" FROM trace t WHERE t.sender = $1" direction,           \
		[WALK_RCPT] = "SELECT " TRACE_COLUMNS                                    \
			      " FROM trace t WHERE t.id IN (SELECT trace_id FROM rcpt"   \
			      " WHERE rcpt = $1)" direction,                             \
		[WALK_ADDRESS] = "SELECT " TRACE_COLUMNS                                 \
				 " FROM trace t WHERE t.id IN (SELECT trace_id FROM"     \
				 " rcpt WHERE rcpt = $1 UNION SELECT id FROM trace"      \
				 " WHERE sender = $1)" direction,                        \
	}
/* Of messages, and of sessions that brought none. */
static const char *const kinds[] = { "mtr_", "ses_" };
enum {
	KINDS = ARRAY_LEN(kinds),
	KIND_BYTES = 4,
};
static const char *const walks_down[KINDS][WALK_COUNT] = { WALKS(DOWN("mtr")),
	                                                   WALKS(DOWN("ses")) };
static const char *const walks_up[KINDS][WALK_COUNT] = { WALKS(UP("mtr")),
	                                                 WALKS(UP("ses")) };

/* The query in the form the statements want it. */
struct search {
	enum walk walk;
	struct str by; /* $1 */
	int64_t day;   /* that of query->before, where a page begins; else -1 */
	struct str from, from_like, to, to_like, address, address_like, text_like, ip;
	const struct trace_query *query;
	int64_t to_ms;
	struct arena *arena;
	/* who is told, and how many were */
	trace_fn *fn;
	void *arg;
	size_t limit, found;
	bool is_stopped;
};

static struct str
lowered(struct arena *a, struct str s)
{
	char *p = arena_cstr(a, str_first(s, KEY_MAX_BYTES));
	size_t n = s.n < KEY_MAX_BYTES ? s.n : KEY_MAX_BYTES;

	for (size_t i = 0; i < n; i++)
		p[i] = byte_lower(p[i]);
	return str_make(p, n);
}

static struct str
like(struct arena *a, const char *before, struct str s, const char *after)
{
	struct strbuf b = strbuf_arena(a, 4 * KEY_MAX_BYTES);

	strbuf_add(&b, str_from(before));
	db_like(&b, s);
	strbuf_add(&b, str_from(after));
	return strbuf_str(&b);
}

/* "@example.org" is everybody there: a pattern; an address is only itself. */
static void
set_address(struct search *s, struct str given, struct str *exact, struct str *pattern)
{
	*exact = lowered(s->arena, given);
	*pattern = like(s->arena, exact->n && exact->p[0] == '@' ? "%" : "", *exact, "");
}

static bool
is_exact(struct str address)
{
	return address.n && address.p[0] != '@';
}

static void
choose_walk(struct search *s)
{
	const struct trace_query *q = s->query;

	if (q->id.n) {
		s->walk = WALK_ID;
		s->by = q->id;
	} else if (q->message_id.n) {
		struct str id = q->message_id;

		s->walk = WALK_MESSAGE;
		s->by = id.p[0] == '<' ? id
		                       : arena_printf(s->arena, "<%.*s>",
		                                      STR_ARG(str_first(id, 998)));
	} else if (is_exact(s->address)) {
		s->walk = WALK_ADDRESS;
		s->by = s->address;
	} else if (is_exact(s->to)) {
		s->walk = WALK_RCPT;
		s->by = s->to;
	} else if (is_exact(s->from)) {
		s->walk = WALK_SENDER;
		s->by = s->from;
	} else if (s->ip.n) {
		s->walk = WALK_IP;
		s->by = s->ip;
	}
}

/* Of a message, or of a session that brought none; -1: it is no id. */
static int64_t
id_day(struct str text)
{
	struct id id;

	return id_parse(text, "mtr_", &id) || id_parse(text, "ses_", &id)
	               ? id_time_ms(&id) / DAY_MS
	               : -1;
}

static void
search_init(struct search *s, const struct trace_query *q, struct arena *a)
{
	*s = (struct search){ .query = q, .arena = a };
	s->day = id_day(q->before);
	s->to_ms = q->to_ms ? q->to_ms : INT64_MAX;
	s->ip = str_first(q->ip, 64);
	set_address(s, q->from, &s->from, &s->from_like);
	set_address(s, q->to, &s->to, &s->to_like);
	set_address(s, q->address, &s->address, &s->address_like);
	if (q->text.n)
		s->text_like = like(a, "%", lowered(a, q->text), "%");
	choose_walk(s);
}

/* Rows of one kind, in order. */
struct side {
	struct stmt *stmt;
	struct trace row;
	bool has_row;
};

static void
side_next(struct side *side)
{
	side->has_row = db_next(side->stmt);
	if (side->has_row)
		trace_row_read(side->stmt, &side->row);
}

static void
side_begin(struct side *side, size_t kind, struct trace_reader *r, struct search *s)
{
	const struct trace_query *q = s->query;
	bool is_inside = r->day == s->day && q->before.n > KIND_BYTES;
	/* Ids are ASCII: nothing sorts behind the last of these. */
	struct str from = is_inside  ? str_from_offset(q->before, KIND_BYTES)
	                  : q->is_up ? STR("")
	                             : STR("\x7f");
	struct str before = arena_printf(s->arena, "%s%.*s", kinds[kind], STR_ARG(from));

	side->stmt = db_query(
		r->db, (q->is_up ? walks_up : walks_down)[kind][s->walk],
		VALUES(V_S(s->by), V_S(before), V_I(q->direction), V_I(q->verdict),
	               V_I(q->from_ms), V_I(s->to_ms), V_S(s->ip), V_S(s->text_like),
	               V_S(s->from), V_S(s->from_like), V_S(s->to), V_S(s->to_like),
	               V_S(s->address), V_S(s->address_like), V_I(s->limit - s->found)));
	side_next(side);
}

/* Whose row is next in time, which is what an id begins with behind its kind; or NULL. */
static struct side *
side_first(struct side *a, struct side *b, bool is_up)
{
	int cmp;

	if (!a->has_row || !b->has_row)
		return a->has_row ? a : b->has_row ? b : NULL;
	cmp = str_cmp(str_from_offset(a->row.id, KIND_BYTES),
	              str_from_offset(b->row.id, KIND_BYTES));
	return (cmp < 0) == is_up ? a : b;
}

static enum err
search_day(struct trace_reader *r, struct search *s)
{
	struct side sides[KINDS], *first;
	enum err e = OK;

	for (size_t i = 0; i < KINDS; i++)
		side_begin(&sides[i], i, r, s);
	while (s->found < s->limit && !s->is_stopped &&
	       (first = side_first(&sides[0], &sides[1], s->query->is_up)) != NULL) {
		s->found++;
		s->is_stopped = !s->fn(s->arg, &first->row);
		side_next(first);
	}
	for (size_t i = 0; i < KINDS; i++) {
		enum err done = db_done(r->db, &sides[i].stmt);

		if (e == OK)
			e = done;
	}
	return e;
}

/* Days a query can have something on: both its times and its ids say so. */
static bool
is_day_meant(const struct search *s, int64_t day)
{
	const struct trace_query *q = s->query;
	struct id id;

	if (q->from_ms && (day + 1) * DAY_MS <= q->from_ms)
		return false;
	/* A trace may be told of after the day its id was made, not before. */
	if (q->to_ms && day * DAY_MS >= q->to_ms)
		return false;
	if (s->day >= 0 && (q->is_up ? day < s->day : day > s->day))
		return false;
	if (id_parse(q->id, "mtr_", &id) && day != id_time_ms(&id) / DAY_MS)
		return false;
	return true;
}

enum err
trace_search(struct trace_reader *r, const struct trace_query *query, size_t limit,
             trace_fn *fn, void *arg)
{
	struct arena *a = arena_new(1 << 20);
	int64_t *days = ARENA_ARRAY(a, int64_t, TRACE_DAYS_MAX);
	size_t count = trace_days(r, days);
	struct search s;
	enum err e = OK;

	search_init(&s, query, a);
	s.limit = limit;
	s.fn = fn;
	s.arg = arg;
	for (size_t i = 0; i < count && s.found < limit && !s.is_stopped; i++) {
		int64_t day = days[query->is_up ? count - 1 - i : i];

		if (!is_day_meant(&s, day))
			continue;
		e = trace_day_open(r, day);
		if (e == OK)
			e = search_day(r, &s);
		e = trace_day_passed(r, e);
		if (e != OK)
			break;
	}
	arena_free(&a);
	return e;
}
