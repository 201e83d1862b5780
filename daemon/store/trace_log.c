#include "store/trace_log.h"

#include "base/duration.h"
#include "base/event.h"
#include "base/ids.h"
#include "base/list.h"
#include "base/map.h"
#include "base/mem.h"
#include "base/pack.h"
#include "base/strbuf.h"
#include "store/db.h"
#include "store/events.h"
#include "store/schema.h"
#include "store/trace_sum.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum {
	DAYS_OPEN_MAX = 4,
	BLOB_MAX = 4 << 20, /* events of one owner in one journal row */
	TAKE_ARENA_BYTES = 512 << 20,
	TAKEN_BYTES = 384 * 1024, /* until it goes to the file, if not yet to the disk */
};

/* One day's file, and what has been taken for it. */
struct day {
	struct link link;
	int64_t number; /* days since 1970 */
	struct db *db;
	uint64_t applied, taken;
	struct link owners; /* struct owner */
	struct trace_counts counts;
	bool is_begun;    /* a transaction is open */
	enum err error;   /* in it */
	struct id newest; /* trace that has a row; ids sort by birth */
	uint64_t used;
};

/* A trace or session with the events of the rows taken. */
struct owner {
	struct link link;
	struct str id;
	struct strbuf events; /* arena */
	uint64_t seq;
	struct trace_sum sum;
};

struct trace_log {
	struct arena *arena;
	struct str data_dir;
	struct link days;
	struct arena *taking;
	struct map *owners; /* id -> struct owner, of what is being taken */
	uint64_t clock;
};

/* Days are read by others, who may not write in them: those of an older version are
   brought up to date before anybody reads. One that cannot be stays as it is. */
static void
update_days(const struct trace_log *t)
{
	char bytes[4096];
	struct strbuf path = strbuf_on(bytes);
	struct dirent *entry;
	size_t dir_n;
	DIR *dir;

	strbuf_add(&path, t->data_dir);
	strbuf_lit(&path, "/trace");
	dir_n = path.n;
	dir = opendir(strbuf_cstr(&path));
	while (dir && (entry = readdir(dir))) {
		struct db *db = NULL;

		if (!str_ends(str_from(entry->d_name), STR(".db")))
			continue;
		strbuf_truncate(&path, dir_n);
		strbuf_printf(&path, "/%s", entry->d_name);
		if (db_open(strbuf_cstr(&path), DB_WRITE, &db) == OK &&
		    schema_day_update(db) != OK)
			log_line(LEVEL_WARN, "store.log.old", "day=%s", entry->d_name);
		db_close(&db);
	}
	if (dir)
		(void)closedir(dir);
}

enum err
trace_log_open(struct str data_dir, struct trace_log **out)
{
	struct trace_log *t = mem_alloc(sizeof(*t));
	const char *path;

	t->arena = arena_new(16 * 1024);
	t->data_dir = arena_str(t->arena, data_dir);
	t->taking = arena_new(TAKE_ARENA_BYTES);
	t->owners = map_new();
	list_init(&t->days);
	*out = t;
	path = arena_printf(t->arena, "%.*s/trace", STR_ARG(data_dir)).p;
	if (mkdir(path, 0700) == 0 || errno == EEXIST) {
		update_days(t);
		return OK;
	}
	trace_log_close(out);
	return ERR_IO;
}

static void
day_close(struct day *d)
{
	list_remove(&d->link);
	db_close(&d->db);
	mem_free(d);
}

void
trace_log_rest(struct trace_log *t)
{
	if (!map_count(t->owners))
		arena_reset(t->taking);
	LIST_EACH(&t->days, l)
	db_rest(CONTAINER_OF(l, struct day, link)->db);
}

void
trace_log_close(struct trace_log **t)
{
	if (!*t)
		return;
	LIST_EACH(&(*t)->days, l)
	day_close(CONTAINER_OF(l, struct day, link));
	map_free(&(*t)->owners);
	arena_free(&(*t)->taking);
	arena_free(&(*t)->arena);
	mem_free(*t);
	*t = NULL;
}

const char *
trace_day_path(struct str data_dir, int64_t at_ms, struct strbuf *out)
{
	time_t at = (time_t)(at_ms / 1000);
	struct tm tm;

	strbuf_clear(out);
	strbuf_add(out, data_dir);
	if (!gmtime_r(&at, &tm) || at_ms < 0)
		tm = (struct tm){ .tm_year = 70, .tm_mday = 1 };
	strbuf_printf(out, "/trace/%04d-%02d-%02d.db", tm.tm_year + 1900, tm.tm_mon + 1,
	              tm.tm_mday);
	return strbuf_cstr(out);
}

/* --- days ------------------------------------------------------------------------- */

static void
close_oldest(struct trace_log *t)
{
	struct day *oldest = NULL;
	size_t count = 0;

	LIST_EACH(&t->days, l)
	{
		struct day *d = CONTAINER_OF(l, struct day, link);

		count++;
		/* One that has taken something must stay until the commit. */
		if (!d->is_begun && (!oldest || d->used < oldest->used))
			oldest = d;
	}
	if (count >= DAYS_OPEN_MAX && oldest)
		day_close(oldest);
}

/* The last trace with a row. Where that cannot be read, any trace may have one. */
static struct id
newest_of(struct db *db)
{
	struct id newest = id_make("mtr_", INT64_MAX, UINT64_MAX);
	struct stmt *s;

	if (db_one(db, "SELECT coalesce(max(id), '') FROM trace WHERE id < 'n'",
	           NO_VALUES, &s) == OK) {
		if (!db_str(s, 0).n)
			newest.text[0] = '\0';
		else
			(void)id_parse(db_str(s, 0), "mtr_", &newest);
	}
	db_end(&s);
	return newest;
}

static enum err
day_open(struct trace_log *t, struct day *d)
{
	char bytes[4096];
	struct strbuf path = strbuf_on(bytes);
	struct stmt *s;
	enum err e = db_open(trace_day_path(t->data_dir, d->number * DAY_MS, &path),
	                     DB_WRITE, &d->db);

	if (e == OK)
		e = schema_day(d->db);
	if (e == OK)
		e = db_one(d->db, "SELECT value FROM meta WHERE name = 'applied'",
		           NO_VALUES, &s);
	if (e != OK)
		return e;
	d->applied = db_u64(s, 0);
	db_end(&s);
	d->newest = newest_of(d->db);
	return OK;
}

/* A file that is no database any more must not stop the log: it is kept beside for
   whoever wants to look, and the day begins anew. */
static void
set_aside(struct trace_log *t, struct day *d)
{
	char bytes[4096], new_bytes[4096];
	struct strbuf path = strbuf_on(bytes), aside = strbuf_on(new_bytes);

	db_close(&d->db);
	(void)trace_day_path(t->data_dir, d->number * DAY_MS, &path);
	strbuf_add(&aside, strbuf_str(&path));
	strbuf_lit(&aside, ".damaged");
	(void)rename(strbuf_cstr(&path), strbuf_cstr(&aside));
	strbuf_lit(&path, "-wal");
	(void)unlink(strbuf_cstr(&path));
	log_line(LEVEL_ERROR, "store.log.damaged", "day=%lld", (long long)d->number);
}

static enum err
day_get(struct trace_log *t, int64_t at_ms, struct day **out)
{
	int64_t number = at_ms / DAY_MS;
	struct day *d;
	enum err e;

	LIST_EACH(&t->days, l)
	{
		d = CONTAINER_OF(l, struct day, link);
		if (d->number == number) {
			d->used = ++t->clock;
			*out = d;
			return OK;
		}
	}
	close_oldest(t);
	d = mem_alloc(sizeof(*d));
	d->number = number;
	d->used = ++t->clock;
	list_init(&d->owners);
	list_add_first(&t->days, &d->link);
	e = day_open(t, d);
	if (e == ERR_CORRUPT) {
		set_aside(t, d);
		e = day_open(t, d);
	}
	if (e != OK) {
		day_close(d);
		return e;
	}
	*out = d;
	return OK;
}

/* --- taking ----------------------------------------------------------------------- */

static bool
is_newer(const struct day *d, struct str id)
{
	return str_starts(id, STR("mtr_")) && str_cmp(id, id_str(&d->newest)) > 0;
}

static enum err
owner_write(struct day *d, struct owner *o)
{
	enum err e = db_run(d->db,
	                    "INSERT INTO event (owner, seq, events) VALUES ($1, $2, $3)",
	                    VALUES(V_S(o->id), V_I(o->seq), V_B(strbuf_str(&o->events))));

	if (is_newer(d, o->id))
		(void)id_parse(o->id, "mtr_", &d->newest);
	return e == OK ? trace_sum_write(d->db, &o->sum, &d->counts) : e;
}

/* What was taken goes into the transactions, and its memory is free for what comes next:
   memory that was used before is in the processor's caches, and all of many thousand
   messages would be new each time. */
static void
write_taken(struct trace_log *t)
{
	LIST_EACH(&t->days, day_link)
	{
		struct day *d = CONTAINER_OF(day_link, struct day, link);

		LIST_EACH(&d->owners, l)
		{
			if (d->error == OK)
				d->error = owner_write(
					d, CONTAINER_OF(l, struct owner, link));
		}
		list_init(&d->owners);
	}
	map_free(&t->owners);
	t->owners = map_new();
	arena_rewind(t->taking);
}

static struct owner *
owner_get(struct trace_log *t, struct day *d, struct str id, uint64_t seq)
{
	struct owner *o = map_find(t->owners, id);

	if (o)
		return o;
	o = ARENA_NEW(t->taking, struct owner);
	o->id = arena_str(t->taking, id);
	o->seq = seq;
	o->events = strbuf_arena(t->taking, BLOB_MAX);
	/* Most traces are: their rows need not be looked for. */
	trace_sum_init(&o->sum, o->id, is_newer(d, o->id), t->taking);
	list_add_last(&d->owners, &o->link);
	(void)map_set(t->owners, o->id, o);
	return o;
}

/* Both ids of an event are known from where it lies: only the rest is kept. */
static enum err
take_event(struct trace_log *t, uint64_t seq, const struct trace_event *event)
{
	struct str id = event->trace_id.n ? event->trace_id : event->session_id;
	struct id parsed;
	struct owner *o;
	struct day *d;
	enum err e;

	if (!id_parse(id, "mtr_", &parsed) && !id_parse(id, "ses_", &parsed))
		return OK; /* of the appliance, not of a message: the log line has it */
	e = day_get(t, id_time_ms(&parsed), &d);
	if (e != OK || seq <= d->applied)
		return e;
	/* From the first owner on, so that what is looked up shares the transaction. */
	if (!d->is_begun)
		e = db_begin(d->db, DB_WRITE);
	if (e != OK)
		return e;
	d->is_begun = true;
	d->taken = seq;
	o = owner_get(t, d, id, seq);
	o->seq = seq;
	pack_i64(&o->events, event->at_ms);
	pack_str(&o->events, event->name);
	pack_str(&o->events, event->body);
	trace_sum_add(&o->sum, d->db, event);
	return OK;
}

/* A journal row counts as a whole, and comes again: no day may take it for done. */
static void
fail_all(struct trace_log *t)
{
	LIST_EACH(&t->days, l)
	{
		struct day *d = CONTAINER_OF(l, struct day, link);

		if (d->is_begun && d->error == OK)
			d->error = ERR_STORE_TEMP;
	}
}

enum err
trace_log_take(struct trace_log *t, uint64_t seq, struct str events)
{
	struct trace_event event;
	enum err e = OK;

	/* Between two journal rows, for an owner has one row of events for each. */
	if (arena_used(t->taking) > TAKEN_BYTES)
		write_taken(t);
	while (e == OK && events_next(&events, &event))
		e = take_event(t, seq, &event);
	if (e != OK)
		fail_all(t);
	return e;
}

static enum err
day_commit(struct day *d)
{
	enum err e = d->error;

	if (!d->is_begun)
		return OK;
	d->is_begun = false;
	d->error = OK;
	if (e == OK)
		e = trace_counts_write(d->db, &d->counts);
	d->counts.n = 0;
	if (e == OK)
		e = db_run(d->db, "UPDATE meta SET value = $1 WHERE name = 'applied'",
		           VALUES(V_I(d->taken)));
	if (e == OK)
		e = db_commit(d->db);
	if (e == OK)
		d->applied = d->taken;
	else
		db_rollback(d->db);
	return e;
}

enum err
trace_log_commit(struct trace_log *t)
{
	enum err e = OK;

	write_taken(t);
	LIST_EACH(&t->days, l)
	{
		struct day *d = CONTAINER_OF(l, struct day, link);
		enum err bad = day_commit(d);

		e = e == OK ? bad : e;
		if (bad == ERR_CORRUPT) {
			set_aside(t, d);
			day_close(d);
		}
	}
	return e;
}

/* --- retention -------------------------------------------------------------------- */

static bool
is_before(const char *name, const char *first_kept)
{
	struct str s = str_from(name), kept = str_from(first_kept);

	/* "2026-11-23.db", with "-wal" or "-shm" behind it. */
	return s.n >= 13 && s.n <= 17 && byte_is_digit(s.p[0]) && s.p[4] == '-' &&
	       str_cmp(str_first(s, 10), kept) < 0;
}

void
trace_log_expire(struct trace_log *t, int64_t before_ms)
{
	char bytes[4096], first[16];
	struct strbuf path = strbuf_on(bytes);
	struct str day, dir_path;
	struct dirent *entry;
	struct strbuf kept = strbuf_on(first);
	DIR *dir;

	(void)trace_day_path(t->data_dir, before_ms, &path);
	day = str_from_offset(strbuf_str(&path), path.n - 13);
	strbuf_add(&kept, str_first(day, 10));
	LIST_EACH(&t->days, l)
	{
		struct day *d = CONTAINER_OF(l, struct day, link);

		if (d->number < before_ms / DAY_MS && !d->is_begun)
			day_close(d);
	}
	strbuf_clear(&path);
	strbuf_add(&path, t->data_dir);
	strbuf_lit(&path, "/trace");
	dir_path = strbuf_str(&path);
	dir = opendir(strbuf_cstr(&path));
	while (dir && (entry = readdir(dir))) {
		if (!is_before(entry->d_name, strbuf_cstr(&kept)))
			continue;
		strbuf_truncate(&path, dir_path.n);
		strbuf_printf(&path, "/%s", entry->d_name);
		(void)unlink(strbuf_cstr(&path));
	}
	if (dir)
		(void)closedir(dir);
}
