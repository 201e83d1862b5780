#include "store/trace_reader.h"

#include "base/duration.h"
#include "base/event.h"
#include "base/ids.h"
#include "base/mem.h"
#include "base/pack.h"
#include "base/rfc3339.h"
#include "conf/conf.h"
#include "store/head.h"
#include "store/trace_log.h"
#include "store/trace_reader_priv.h"

#include <dirent.h>
#include <stdlib.h>

enum {
	EVENTS_MAX = 10000, /* of one trace */
	DAY_NAME = 10,      /* "2026-11-23" */
	HOURS_MAX = 24 * 400,
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

enum err
trace_day_open(struct trace_reader *r, int64_t day)
{
	char bytes[4096];
	struct strbuf path = strbuf_on(bytes);
	enum err e;

	if (r->db && r->day == day)
		return OK;
	db_close(&r->db);
	r->day = day;
	e = db_open(trace_day_path(r->data_dir, day * DAY_MS, &path), DB_READ, &r->db);
	return e == ERR_STORE_TEMP ? ERR_NOT_FOUND : e;
}

/* --- which days there are --------------------------------------------------------- */

static bool
day_parse(struct str name, int64_t *day_out)
{
	int64_t at_ms;

	if (name.n != DAY_NAME + 3 || !str_ends(name, STR(".db")) ||
	    !rfc3339_parse(str_first(name, DAY_NAME), &at_ms) || at_ms < 0)
		return false;
	*day_out = at_ms / DAY_MS;
	return true;
}

static int
newest_first(const void *a, const void *b)
{
	int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;

	return x > y ? -1 : x < y;
}

size_t
trace_days(struct trace_reader *r, int64_t *days)
{
	char bytes[4096];
	struct strbuf path = strbuf_on(bytes);
	struct dirent *entry;
	size_t n = 0;
	DIR *dir;

	strbuf_add(&path, r->data_dir);
	strbuf_lit(&path, "/trace");
	dir = opendir(strbuf_cstr(&path));
	while (dir && n < TRACE_DAYS_MAX && (entry = readdir(dir)))
		n += day_parse(str_from(entry->d_name), &days[n]);
	if (dir)
		(void)closedir(dir);
	qsort(days, n, sizeof(*days), newest_first);
	return n;
}

enum err
trace_day_passed(struct trace_reader *r, enum err e)
{
	if (e == ERR_CORRUPT) {
		log_line(LEVEL_WARN, "store.log.unreadable", "day=%lld",
		         (long long)r->day);
		db_close(&r->db);
	}
	return e == ERR_NOT_FOUND || e == ERR_CORRUPT ? OK : e;
}

/* --- one trace -------------------------------------------------------------------- */

void
trace_row_read(struct stmt *s, struct trace *t)
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

static enum err
open_day_of(struct trace_reader *r, struct str id)
{
	struct id parsed;

	if (!id_parse(id, "mtr_", &parsed) && !id_parse(id, "ses_", &parsed))
		return ERR_NOT_FOUND;
	return trace_day_open(r, id_time_ms(&parsed) / DAY_MS);
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
	trace_row_read(s, out);
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
hours_of_day(struct trace_reader *r, int64_t first_hour, struct trace_hour *hours,
             size_t count)
{
	struct stmt *s =
		db_query(r->db,
	                 "SELECT hour, direction, verdict, messages"
	                 " FROM hour_count WHERE hour >= $1 AND hour < $2",
	                 VALUES(V_I(first_hour), V_I(first_hour + (int64_t)count)));

	while (db_next(s))
		count_in(&hours[db_i64(s, 0) - first_hour], db_u32(s, 1), db_u32(s, 2),
		         db_u64(s, 3));
	return db_done(r->db, &s);
}

enum err
trace_hours(struct trace_reader *r, int64_t from_ms, int64_t to_ms, trace_hour_fn *fn,
            void *arg)
{
	int64_t first = from_ms / HOUR_MS, last = (to_ms + HOUR_MS - 1) / HOUR_MS;
	size_t count = last > first ? (size_t)(last - first) : 0;
	struct arena *a = arena_new(8 << 20);
	int64_t *days = ARENA_ARRAY(a, int64_t, TRACE_DAYS_MAX);
	struct trace_hour *hours;
	size_t day_count = trace_days(r, days);
	enum err e = OK;

	if (count > HOURS_MAX)
		count = HOURS_MAX;
	hours = ARENA_ARRAY(a, struct trace_hour, count + 1);
	for (size_t i = 0; i < day_count && e == OK; i++) {
		/* What is told after midnight of a trace from before is in its day. */
		if ((days[i] + 2) * DAY_MS <= from_ms || days[i] * DAY_MS >= to_ms)
			continue;
		e = trace_day_open(r, days[i]);
		if (e == OK)
			e = hours_of_day(r, first, hours, count);
		e = trace_day_passed(r, e);
	}
	for (size_t i = 0; i < count && e == OK; i++) {
		hours[i].at_ms = (first + (int64_t)i) * HOUR_MS;
		if (hours[i].in + hours[i].out + hours[i].delivered + hours[i].deferred +
		            hours[i].refused + hours[i].bounced &&
		    !fn(arg, &hours[i]))
			break;
	}
	arena_free(&a);
	return e;
}
