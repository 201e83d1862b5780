#include "store/trace_reader.h"

#include "base/event.h"
#include "base/ids.h"
#include "base/mem.h"
#include "base/pack.h"
#include "base/strbuf.h"
#include "conf/conf.h"
#include "store/db.h"
#include "store/head.h"
#include "store/trace_log.h"

#include <dirent.h>
#include <stdlib.h>

enum {
	DAYS_MAX = 4096,    /* files looked at */
	EVENTS_MAX = 10000, /* of one trace */
	DAY_NAME = 10,      /* "2026-11-23" */
	KEY_MAX_BYTES = 512,
	HOURS_MAX = 24 * 400,
};

static const int64_t day_ms = INT64_C(86400000);
static const int64_t hour_ms = INT64_C(3600000);

/* The file used last stays open: one page of a list mostly comes from one day. */
struct trace_reader {
	struct arena *arena;
	struct str data_dir;
	struct db *db;
	int64_t day; /* that db is of */
};

struct trace_reader *
trace_reader_open_dir(struct str data_dir)
{
	struct trace_reader *r = mem_alloc(sizeof(*r));

	r->arena = arena_new(16 * 1024);
	r->data_dir = arena_str(r->arena, data_dir);
	return r;
}

struct trace_reader *
trace_reader_open(const struct conf *conf)
{
	return trace_reader_open_dir(conf->data_dir);
}

void
trace_reader_close(struct trace_reader **r)
{
	if (!*r)
		return;
	db_close(&(*r)->db);
	arena_free(&(*r)->arena);
	mem_free(*r);
	*r = NULL;
}

/* ERR_NOT_FOUND: there is no file of that day. */
static enum err
day_open(struct trace_reader *r, int64_t day)
{
	char bytes[4096];
	struct strbuf path = strbuf_on(bytes);
	enum err e;

	if (r->db && r->day == day)
		return OK;
	db_close(&r->db);
	r->day = day;
	e = db_open(trace_day_path(r->data_dir, day * day_ms, &path), DB_READ, &r->db);
	return e == ERR_STORE_TEMP ? ERR_NOT_FOUND : e;
}

/* --- which days there are --------------------------------------------------------- */

/* Days since 1970 of a date (Howard Hinnant's arithmetic); the month is 1-12. */
static int64_t
days_from(int64_t y, int64_t m, int64_t d)
{
	int64_t era, yoe, doy;

	y -= m <= 2;
	era = y / 400;
	yoe = y - era * 400;
	doy = (153 * (m + (m > 2 ? -3 : 9)) + 2) / 5 + d - 1;
	return era * 146097 + yoe * 365 + yoe / 4 - yoe / 100 + doy - 719468;
}

static bool
day_parse(struct str name, int64_t *day_out)
{
	uint32_t y, m, d;

	if (name.n != DAY_NAME + 3 || !str_ends(name, STR(".db")) ||
	    !str_parse_u32(str_first(name, 4), &y) ||
	    !str_parse_u32(str_first(str_from_offset(name, 5), 2), &m) ||
	    !str_parse_u32(str_first(str_from_offset(name, 8), 2), &d) || m < 1 || m > 12)
		return false;
	*day_out = days_from(y, m, d);
	return true;
}

static int
newest_first(const void *a, const void *b)
{
	int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;

	return x > y ? -1 : x < y;
}

static size_t
list_days(struct trace_reader *r, int64_t *days)
{
	char bytes[4096];
	struct strbuf path = strbuf_on(bytes);
	struct dirent *entry;
	size_t n = 0;
	DIR *dir;

	strbuf_add(&path, r->data_dir);
	strbuf_lit(&path, "/trace");
	dir = opendir(strbuf_cstr(&path));
	while (dir && n < DAYS_MAX && (entry = readdir(dir)))
		n += day_parse(str_from(entry->d_name), &days[n]);
	if (dir)
		(void)closedir(dir);
	qsort(days, n, sizeof(*days), newest_first);
	return n;
}

/* --- search ----------------------------------------------------------------------- */

static void
trace_read(struct stmt *s, struct trace *t)
{
	*t = (struct trace){
		.id = db_str(s, 0),
		.at_ms = db_i64(s, 1),
		.updated_ms = db_i64(s, 2),
		.direction = db_u32(s, 3),
		.verdict = db_u32(s, 4),
		.from = db_str(s, 5),
		.to = db_str(s, 6),
		.rcpt_count = db_u32(s, 7),
		.subject = db_str(s, 8),
		.message_id = db_str(s, 9),
		.ip = db_str(s, 10),
		.user = db_str(s, 11),
		.reason = db_str(s, 12),
		.size = db_u64(s, 13),
		.queue_id = db_u64(s, 14),
		.spf = db_str(s, 15),
		.dkim = db_str(s, 16),
		.dmarc = db_str(s, 17),
	};
}

#define TRACE_COLUMNS                                                                    \
	"t.id, t.at_ms, t.updated_ms, t.direction, t.verdict, t.sender, t.rcpts,"        \
	" t.rcpt_count, t.subject, t.message_id, t.ip, t.login, t.reason, t.size,"       \
	" t.queue_id, t.spf, t.dkim, t.dmarc"

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
/* The two directions. */
#define DOWN " AND t.id < $2" TRACE_CONDITIONS " ORDER BY t.id DESC LIMIT $15"
#define UP   " AND t.id > $2" TRACE_CONDITIONS " ORDER BY t.id LIMIT $15"

/* $1 is what the walk goes by; the others stand in TRACE_CONDITIONS. */
enum walk {
	WALK_ALL, /* newest first */
	WALK_ID,
	WALK_MESSAGE,
	WALK_IP,
	WALK_SENDER,
	WALK_RCPT,
	WALK_ADDRESS, /* on either side */
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
static const char *const walks_down[] = WALKS(DOWN), *const walks_up[] = WALKS(UP);

/* The query in the form the statements want it. */
struct search {
	enum walk walk;
	struct str by; /* $1 */
	struct str before;
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
	for (size_t i = 0; i < s.n; i++) {
		if (s.p[i] == '%' || s.p[i] == '_' || s.p[i] == '\\')
			strbuf_byte(&b, '\\');
		strbuf_byte(&b, s.p[i]);
	}
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

static void
search_init(struct search *s, const struct trace_query *q, struct arena *a)
{
	*s = (struct search){ .query = q, .arena = a };
	/* Ids are ASCII: nothing sorts behind this. */
	s->before = q->before.n ? q->before : q->is_up ? STR("") : STR("\x7f");
	s->to_ms = q->to_ms ? q->to_ms : INT64_MAX;
	s->ip = str_first(q->ip, 64);
	set_address(s, q->from, &s->from, &s->from_like);
	set_address(s, q->to, &s->to, &s->to_like);
	set_address(s, q->address, &s->address, &s->address_like);
	if (q->text.n)
		s->text_like = like(a, "%", lowered(a, q->text), "%");
	choose_walk(s);
}

static enum err
search_day(struct trace_reader *r, struct search *s)
{
	const struct trace_query *q = s->query;
	struct stmt *stmt = db_query(
		r->db, (q->is_up ? walks_up : walks_down)[s->walk],
		VALUES(V_S(s->by), V_S(s->before), V_I(q->direction), V_I(q->verdict),
	               V_I(q->from_ms), V_I(s->to_ms), V_S(s->ip), V_S(s->text_like),
	               V_S(s->from), V_S(s->from_like), V_S(s->to), V_S(s->to_like),
	               V_S(s->address), V_S(s->address_like), V_I(s->limit - s->found)));

	while (db_next(stmt)) {
		struct trace t;

		trace_read(stmt, &t);
		s->found++;
		if (!s->fn(s->arg, &t)) {
			s->is_stopped = true;
			break;
		}
	}
	return db_done(r->db, &stmt);
}

/* Days a query can have something on: both its times and its ids say so. */
static bool
is_day_meant(const struct trace_query *q, int64_t day)
{
	struct id id;

	if (q->from_ms && (day + 1) * day_ms <= q->from_ms)
		return false;
	/* A trace may be told of after the day its id was made, not before. */
	if (q->to_ms && day * day_ms >= q->to_ms)
		return false;
	if (id_parse(q->before, "mtr_", &id) &&
	    (q->is_up ? day < id_time_ms(&id) / day_ms : day > id_time_ms(&id) / day_ms))
		return false;
	if (id_parse(q->id, "mtr_", &id) && day != id_time_ms(&id) / day_ms)
		return false;
	return true;
}

/* A day that is not there (retention has just taken it away, or it is being made), or
   that is damaged, must not hide the others. A damaged file is begun anew by the store:
   it is opened again at the next look. */
static enum err
passed_over(struct trace_reader *r, enum err e)
{
	if (e == ERR_CORRUPT) {
		log_line(LEVEL_WARN, "store.log.unreadable", "day=%lld",
		         (long long)r->day);
		db_close(&r->db);
	}
	return e == ERR_NOT_FOUND || e == ERR_CORRUPT ? OK : e;
}

enum err
trace_search(struct trace_reader *r, const struct trace_query *query, size_t limit,
             trace_fn *fn, void *arg)
{
	struct arena *a = arena_new(1 << 20);
	int64_t *days = ARENA_ARRAY(a, int64_t, DAYS_MAX);
	size_t count = list_days(r, days);
	struct search s;
	enum err e = OK;

	search_init(&s, query, a);
	s.limit = limit;
	s.fn = fn;
	s.arg = arg;
	for (size_t i = 0; i < count && s.found < limit && !s.is_stopped; i++) {
		int64_t day = days[query->is_up ? count - 1 - i : i];

		if (!is_day_meant(query, day))
			continue;
		e = day_open(r, day);
		if (e == OK)
			e = search_day(r, &s);
		e = passed_over(r, e);
		if (e != OK)
			break;
	}
	arena_free(&a);
	return e;
}

/* --- one trace -------------------------------------------------------------------- */

static enum err
open_day_of(struct trace_reader *r, struct str id)
{
	struct id parsed;

	if (!id_parse(id, "mtr_", &parsed) && !id_parse(id, "ses_", &parsed))
		return ERR_NOT_FOUND;
	return day_open(r, id_time_ms(&parsed) / day_ms);
}

enum err
trace_get(struct trace_reader *r, struct str id, struct arena *a, struct trace *out)
{
	struct stmt *s;
	enum err e = open_day_of(r, id);

	if (e == OK)
		e = db_one(r->db, "SELECT " TRACE_COLUMNS " FROM trace t WHERE t.id = $1",
		           VALUES(V_S(id)), &s);
	if (e != OK)
		return e;
	trace_read(s, out);
	{
		struct str *all[] = { &out->id,      &out->from,       &out->to,
			              &out->subject, &out->message_id, &out->ip,
			              &out->user,    &out->reason,     &out->spf,
			              &out->dkim,    &out->dmarc };

		e = head_keep(all, ARRAY_LEN(all), a);
	}
	db_end(&s);
	return e;
}

enum err
trace_rcpts(struct trace_reader *r, struct str id, trace_rcpt_fn *fn, void *arg)
{
	struct stmt *s;
	enum err e = open_day_of(r, id);

	if (e != OK)
		return e;
	s = db_query(
		r->db,
		"SELECT rcpt, orig_rcpt, verdict, at_ms, reason, host, mailbox,"
		" queue_id, uid, attempts FROM rcpt WHERE trace_id = $1 ORDER BY rcpt",
		VALUES(V_S(id)));
	while (db_next(s)) {
		struct trace_rcpt row = {
			.rcpt = db_str(s, 0),
			.orig_rcpt = db_str(s, 1),
			.verdict = db_u32(s, 2),
			.at_ms = db_i64(s, 3),
			.reason = db_str(s, 4),
			.host = db_str(s, 5),
			.mailbox = db_str(s, 6),
			.queue_id = db_u64(s, 7),
			.uid = db_u32(s, 8),
			.attempts = db_u32(s, 9),
		};

		if (!fn(arg, &row))
			break;
	}
	e = db_done(r->db, &s);
	return e;
}

struct events {
	struct arena *arena;
	struct trace_event *p;
	size_t n;
};

static void
events_add(struct events *list, struct str packed, uint64_t seq, struct str trace_id,
           struct str session_id)
{
	struct unpack u = unpack_from(packed);

	while (u.rest.n && list->n < EVENTS_MAX) {
		struct trace_event *e = &list->p[list->n];

		*e = (struct trace_event){ .at_ms = unpack_i64(&u),
			                   .seq = seq * EVENTS_MAX + list->n };
		e->name = unpack_str(&u);
		e->body = unpack_str(&u);
		e->trace_id = trace_id;
		e->session_id = session_id;
		e->id = event_find(e->name);
		if (u.bad)
			return;
		list->n++;
	}
}

static enum err
events_load(struct trace_reader *r, struct str owner, struct str trace_id,
            struct str session_id, struct events *list)
{
	struct stmt *s;
	enum err e = open_day_of(r, owner);

	if (e != OK)
		return e;
	s = db_query(r->db, "SELECT seq, events FROM event WHERE owner = $1 ORDER BY seq",
	             VALUES(V_S(owner)));
	while (db_next(s)) {
		struct str packed = db_str(s, 1), *keep = &packed;

		if (head_keep(&keep, 1, list->arena) != OK)
			break;
		events_add(list, packed, db_u64(s, 0), trace_id, session_id);
	}
	e = db_done(r->db, &s);
	return e;
}

/* By time; events of one moment stay in the order they were told in. */
static int
by_time(const void *a, const void *b)
{
	const struct trace_event *x = a, *y = b;

	if (x->at_ms != y->at_ms)
		return x->at_ms < y->at_ms ? -1 : 1;
	return x->seq < y->seq ? -1 : x->seq > y->seq;
}

static struct str
session_of(struct trace_reader *r, struct str id, struct arena *a)
{
	struct str session = { NULL, 0 }, *keep = &session;
	struct stmt *s;

	if (open_day_of(r, id) != OK ||
	    db_one(r->db, "SELECT session_id FROM trace WHERE id = $1", VALUES(V_S(id)),
	           &s) != OK)
		return session;
	session = db_str(s, 0);
	if (head_keep(&keep, 1, a) != OK)
		session = str_from(NULL);
	db_end(&s);
	return session;
}

enum err
trace_events(struct trace_reader *r, struct str id, trace_event_fn *fn, void *arg)
{
	struct events list = { .arena = arena_new(64 << 20) };
	struct str session = session_of(r, id, list.arena);
	bool is_trace = str_starts(id, STR("mtr_"));
	enum err e;

	list.p = ARENA_ARRAY(list.arena, struct trace_event, EVENTS_MAX);
	/* The session may have begun the day before, whose file may be gone. It comes
	   first: what was told in one moment and one batch began with it. */
	e = OK;
	if (session.n && !str_eq(session, id) &&
	    events_load(r, session, str_from(NULL), session, &list) == ERR_IO)
		e = ERR_IO;
	if (e == OK)
		e = events_load(r, id, is_trace ? id : str_from(NULL),
		                is_trace ? session : id, &list);
	if (e == OK && !list.n)
		e = ERR_NOT_FOUND;
	if (e == OK)
		qsort(list.p, list.n, sizeof(*list.p), by_time);
	for (size_t i = 0; i < list.n && e == OK; i++) {
		list.p[i].seq = i + 1;
		if (!fn(arg, &list.p[i]))
			break;
	}
	arena_free(&list.arena);
	return e;
}

/* --- charts ----------------------------------------------------------------------- */

static void
count_in(struct trace_hour *h, uint32_t direction, uint32_t verdict, uint64_t count)
{
	if (direction == TRACE_IN)
		h->in += count;
	else if (direction == TRACE_OUT)
		h->out += count;
	if (verdict == VERDICT_DELIVERED)
		h->delivered += count;
	else if (verdict == VERDICT_DEFERRED || verdict == VERDICT_ACCEPTED)
		h->deferred += count;
	else if (verdict == VERDICT_REFUSED)
		h->refused += count;
	else if (verdict == VERDICT_BOUNCED || verdict == VERDICT_EXPIRED)
		h->bounced += count;
}

static enum err
hours_of_day(struct trace_reader *r, int64_t from_ms, int64_t to_ms, int64_t first_hour,
             struct trace_hour *hours, size_t count)
{
	struct stmt *s = db_query(r->db,
	                          "SELECT at_ms / 3600000, direction, verdict, count(*)"
	                          " FROM trace WHERE at_ms >= $1 AND at_ms < $2"
	                          " GROUP BY at_ms / 3600000, direction, verdict",
	                          VALUES(V_I(from_ms), V_I(to_ms)));

	while (db_next(s)) {
		int64_t at = db_i64(s, 0) - first_hour;

		if (at >= 0 && (size_t)at < count)
			count_in(&hours[at], db_u32(s, 1), db_u32(s, 2), db_u64(s, 3));
	}
	return db_done(r->db, &s);
}

enum err
trace_hours(struct trace_reader *r, int64_t from_ms, int64_t to_ms, trace_hour_fn *fn,
            void *arg)
{
	int64_t first = from_ms / hour_ms, last = (to_ms + hour_ms - 1) / hour_ms;
	size_t count = last > first ? (size_t)(last - first) : 0;
	struct arena *a = arena_new(8 << 20);
	int64_t *days = ARENA_ARRAY(a, int64_t, DAYS_MAX);
	struct trace_hour *hours;
	size_t day_count = list_days(r, days);
	enum err e = OK;

	if (count > HOURS_MAX)
		count = HOURS_MAX;
	hours = ARENA_ARRAY(a, struct trace_hour, count + 1);
	for (size_t i = 0; i < day_count && e == OK; i++) {
		/* What is told after midnight of a trace from before is in its day. */
		if ((days[i] + 2) * day_ms <= from_ms || days[i] * day_ms >= to_ms)
			continue;
		e = day_open(r, days[i]);
		if (e == OK)
			e = hours_of_day(r, from_ms, to_ms, first, hours, count);
		e = passed_over(r, e);
	}
	for (size_t i = 0; i < count && e == OK; i++) {
		hours[i].at_ms = (first + (int64_t)i) * hour_ms;
		if (hours[i].in + hours[i].out + hours[i].delivered + hours[i].deferred +
		            hours[i].refused + hours[i].bounced &&
		    !fn(arg, &hours[i]))
			break;
	}
	arena_free(&a);
	return e;
}
