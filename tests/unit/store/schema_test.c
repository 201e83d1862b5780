#include "store/schema.h"

#include "base/clock.h"
#include "base/ids.h"
#include "ext/crypto.h"
#include "store/schema_priv.h"
#include "store/trace_log.h"
#include "tests/unit/check.h"
#include "tests/unit/store/rig.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum {
	PATH_BYTES = 256,
	MARK_BYTES = 16, /* hexadecimal digits that tell a step from another one */
};

static const struct str text = STR_INIT("Subject: hello\r\n\r\nIt is kept.\r\n");

/* What has been released is on somebody's disk: a step is never changed, only followed by
   another one. A new step gets its line here, with the mark that the failing test
   prints. */
static const char *const index_marks[] = {
	"4b64e1d914189405", "f52b1f0fe79a5a6e", "cd8331b45e01c3e2", "a44b63bb61a167f4",
	"c88a040dc5309102", "098490325ccbd800", "02a58d8cc63fc006", "94aa61bfd7291bf4",
	"a84c818ec2f1a619", "85082abd9473856f", "adbe29ac91c2a754", "347d1f23d44cdc7d",
	"79e4d5600ca4f09d", "3f72bab5430d3cef", "0ea80e1a840f7a05", "5ff89590d4b64048",
	"4e5a3dc998b8df88", "a2c16f04793ce267", "4532bbb4e6f42414", "5297eded2f4b971e",
	"954272d82c5118a5", "79f779230d407770",
};
static const char *const day_marks[] = { "ffb9177c36fe9405", "24bb734eeeb64115",
	                                 "06edbe3610872407" };

static void
check_marks(const char *const *marks, size_t count, int64_t versions,
            const char *(*step)(int64_t version))
{
	CHECK_U64_EQ(count, (uint64_t)versions, "a mark for each version");
	for (int64_t v = 1; v <= versions && (size_t)v <= count; v++) {
		struct sha256 digest = sha256_of(str_from(step(v)));
		char bytes[2 * sizeof(digest)], what[32];
		struct strbuf hex = strbuf_on(bytes);

		(void)snprintf(what, sizeof(what), "version %lld", (long long)v);
		strbuf_hex(&hex, sha256_str(&digest));
		CHECK_STR_EQ(str_first(strbuf_str(&hex), MARK_BYTES),
		             str_from(marks[v - 1]), what);
	}
}

static void
test_steps_stay(void)
{
	check_marks(index_marks, ARRAY_LEN(index_marks), schema_index_versions(),
	            schema_index_step);
	check_marks(day_marks, ARRAY_LEN(day_marks), schema_day_versions(),
	            schema_day_step);
}

/* --- old files ---------------------------------------------------------------- */

static const char *
path_of(struct rig *r, const char *name)
{
	return arena_printf(r->arena, "%s/%s", r->dir, name).p;
}

static void
drop_file(struct rig *r, const char *name)
{
	static const char *const ends[] = { "", "-wal", "-shm" };

	for (size_t i = 0; i < ARRAY_LEN(ends); i++)
		(void)unlink(arena_printf(r->arena, "%s/%s%s", r->dir, name, ends[i]).p);
}

/* Tables, their columns and indexes, in words. */
static struct str
shape_of(struct rig *r, struct db *db)
{
	struct strbuf out = strbuf_arena(r->arena, 1 << 20);
	struct stmt *s = db_query(db,
	                          "SELECT s.name, s.tbl_name, i.name, i.type, i.pk"
	                          " FROM sqlite_schema s"
	                          " LEFT JOIN pragma_table_info(s.name) i"
	                          " WHERE s.name NOT LIKE 'sqlite_%'"
	                          " ORDER BY s.name, i.cid",
	                          NO_VALUES);

	while (db_next(s)) {
		for (int i = 0; i < 5; i++) {
			strbuf_add(&out, db_str(s, i));
			strbuf_byte(&out, i < 4 ? ' ' : '\n');
		}
	}
	CHECK_ERR_EQ(db_done(db, &s), OK, "shape");
	return strbuf_str(&out);
}

/* What that version had a place for, out of what the newest one has: the data of somebody
   who has not upgraded since. */
static void
copy_tables(struct rig *r, struct db *db)
{
	struct strbuf sql = strbuf_arena(r->arena, 1 << 20);
	struct stmt *s =
		db_query(db,
	                 "SELECT s.name, group_concat(i.name) FROM sqlite_schema s"
	                 " JOIN pragma_table_info(s.name) i"
	                 " WHERE s.type = 'table' AND s.name <> 'meta'"
	                 " GROUP BY s.name",
	                 NO_VALUES);

	while (db_next(s)) {
		struct str name = db_str(s, 0), columns = db_str(s, 1);

		strbuf_printf(
			&sql, "INSERT INTO main.%.*s (%.*s) SELECT %.*s FROM now.%.*s;",
			STR_ARG(name), STR_ARG(columns), STR_ARG(columns), STR_ARG(name));
	}
	CHECK_ERR_EQ(db_done(db, &s), OK, "tables");
	strbuf_lit(&sql, "INSERT INTO main.meta SELECT * FROM now.meta"
	                 " WHERE name <> 'schema';");
	CHECK_ERR_EQ(db_define(db, strbuf_cstr(&sql)), OK, "copy");
}

static void
make_old(struct rig *r, const char *now, const char *old,
         enum err (*schema_at)(struct db *db, int64_t version), int64_t version)
{
	struct db *db = NULL;

	drop_file(r, old);
	CHECK_ERR_EQ(db_open(path_of(r, old), DB_WRITE, &db), OK, old);
	CHECK_ERR_EQ(schema_at(db, version), OK, "an old schema");
	CHECK_ERR_EQ(
		db_define(
			db,
			arena_printf(r->arena, "ATTACH '%s' AS now", path_of(r, now)).p),
		OK, "attach");
	copy_tables(r, db);
	CHECK_ERR_EQ(db_define(db, "DETACH now"), OK, "detach");
	db_checkpoint(db);
	db_close(&db);
}

static void
start_again(struct rig *r)
{
	rig_start_store(r);
	r->reader = reader_open(r->conf);
	r->traces = trace_reader_open(r->conf);
}

static void
stop(struct rig *r)
{
	reader_close(&r->reader);
	trace_reader_close(&r->traces);
	rig_stop_store(r);
}

/* --- they open ---------------------------------------------------------------- */

static void
enqueue(struct rig *r)
{
	struct id trace = id_new("mtr_");
	struct accept_rcpt to = { .kind = RCPT_REMOTE,
		                  .rcpt = STR("x@example.net"),
		                  .domain = STR("example.net") };
	struct op_accept op = { .trace_id = id_str(&trace),
		                .direction = TRACE_OUT,
		                .sender = STR("ann@example.org"),
		                .expires_ms = clock_unix_ms() + 86400000,
		                .rcpts = &to,
		                .rcpts_count = 1 };
	struct answer_accept answer;

	CHECK_ERR_EQ(rig_body(r, text), OK, "body");
	op.body = r->body;
	CHECK_ERR_EQ(rig_accept(r, &op, &answer), OK, "for somebody else");
}

static bool
count_item(void *arg, const struct queue_item *item)
{
	*(size_t *)arg += str_eq(item->rcpt, STR("x@example.net"));
	return true;
}

static bool
count_message(void *arg, const struct entry *e, const struct message *m)
{
	struct rig *r = arg;
	struct body *body;

	(void)e;
	if (CHECK_ERR_EQ(body_open(r->bodies, &m->ref, &body), OK, "its bytes"))
		body_close(&body);
	return true;
}

/* All that was kept is there, and more is taken. */
static void
check_served(struct rig *r, uint32_t kept)
{
	struct queue_query all = { 0 };
	struct account ann;
	struct mailbox_info m;
	struct answer_accept answer;
	size_t queued = 0;

	if (!CHECK_ERR_EQ(
		    reader_account(r->reader, STR("ann@example.org"), r->arena, &ann), OK,
		    "account") ||
	    !CHECK_ERR_EQ(reader_mailbox(r->reader, ann.id, STR("INBOX"), r->arena, &m),
	                  OK, "INBOX"))
		return;
	CHECK_U64_EQ(m.exists, kept, "messages");
	CHECK_ERR_EQ(reader_messages(r->reader,
	                             &(struct entry_span){ m.id, 1, UINT32_MAX, 0 },
	                             WANT_REF, kept + 1, count_message, r),
	             OK, "read");
	CHECK_ERR_EQ(reader_queue(r->reader, &all, 10, count_item, &queued), OK, "queue");
	CHECK_U64_EQ(queued, 1, "what waits");
	CHECK_ERR_EQ(rig_deliver(r, ann.id, text, &answer), OK, "new mail");
	CHECK_U64_EQ(answer.results[0].uid, m.uidnext, "its UID");
	enqueue(r);
}

static void
test_each_index_opens(void)
{
	struct rig r;
	struct db *db;
	struct str shape;
	struct answer_accept answer;
	uint64_t ann;

	rig_open(&r);
	ann = rig_account(&r);
	CHECK_ERR_EQ(rig_deliver(&r, ann, text, &answer), OK, "one");
	enqueue(&r);
	stop(&r);
	CHECK_TRUE(rename(path_of(&r, "index.db"), path_of(&r, "now.db")) == 0, "aside");
	CHECK_ERR_EQ(db_open(path_of(&r, "now.db"), DB_READ, &db), OK, "now");
	shape = shape_of(&r, db);
	db_close(&db);
	for (int64_t v = 1; v < schema_index_versions(); v++) {
		make_old(&r, "now.db", "index.db", schema_index_at, v);
		start_again(&r);
		check_served(&r, 1);
		stop(&r);
		CHECK_ERR_EQ(db_open(path_of(&r, "index.db"), DB_READ, &db), OK, "new");
		CHECK_STR_EQ(shape_of(&r, db), shape, "the tables of today");
		db_close(&db);
	}
	start_again(&r);
	rig_close(&r);
}

/* Rows from before sharers were kept do not all share one. */
static void
test_old_rows_have_sharers(void)
{
	static const struct {
		const char *sender, *forward_domain, *sharer;
	} rows[] = {
		{ "Ann@example.org", "", "ann@example.org" },
		{ "srs0=x=y=z=pat@example.org", "example.com", "example.com" },
		{ "", "", "" },
	};
	struct rig r;
	struct db *db;

	rig_open(&r);
	CHECK_ERR_EQ(db_open(path_of(&r, "old.db"), DB_WRITE, &db), OK, "file");
	CHECK_ERR_EQ(schema_index_at(db, 16), OK, "before");
	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		CHECK_ERR_EQ(db_run(db,
		                    "INSERT INTO queue (id, sender, forward_domain)"
		                    " VALUES ($1, $2, $3)",
		                    VALUES(V_I(i + 1), V_S(str_from(rows[i].sender)),
		                           V_S(str_from(rows[i].forward_domain)))),
		             OK, "row");
	CHECK_ERR_EQ(schema_index(db, 1), OK, "today's");
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct stmt *s;

		CHECK_ERR_EQ(db_one(db, "SELECT sharer FROM queue WHERE id = $1",
		                    VALUES(V_I(i + 1)), &s),
		             OK, "row");
		CHECK_STR_EQ(db_str(s, 0), str_from(rows[i].sharer), rows[i].sender);
		db_end(&s);
	}
	db_close(&db);
	rig_close(&r);
}

/* A newer one is left alone. */
static void
test_newer_is_refused(void)
{
	struct rig r;
	struct db *db;

	rig_open(&r);
	CHECK_ERR_EQ(db_open(path_of(&r, "newer.db"), DB_WRITE, &db), OK, "file");
	CHECK_ERR_EQ(schema_index(db, 1), OK, "today's");
	CHECK_ERR_EQ(db_run(db, "UPDATE meta SET value = value + 1 WHERE name = 'schema'",
	                    NO_VALUES),
	             OK, "tomorrow's");
	CHECK_ERR_EQ(schema_index(db, 1), ERR_UNSUPPORTED, "refused");
	db_close(&db);
	rig_close(&r);
}

/* Housekeeping brings days up to date, right after the start. */
static void
wait_for_day(struct rig *r, const char *day)
{
	int64_t until_ms = clock_mono_ms() + 60000, version = 0;
	struct stmt *s;
	struct db *db;

	CHECK_ERR_EQ(db_open(path_of(r, day), DB_READ, &db), OK, day);
	while (version < schema_day_versions() && clock_mono_ms() < until_ms) {
		rig_turn(r, 20);
		if (db_one(db, "SELECT value FROM meta WHERE name = 'schema'", NO_VALUES,
		           &s) == OK)
			version = db_i64(s, 0);
		db_end(&s);
	}
	db_close(&db);
	CHECK_I64_EQ(version, schema_day_versions(), "its version");
}

static void
wait_for_trace(struct rig *r, struct str id, struct trace *out)
{
	int64_t until_ms = clock_mono_ms() + 60000;
	enum err e;

	while ((e = trace_get(r->traces, id, r->arena, out)) != OK &&
	       clock_mono_ms() < until_ms)
		rig_turn(r, 20);
	CHECK_ERR_EQ(e, OK, "its trace");
}

static bool
take_hour(void *arg, const struct trace_hour *h)
{
	*(uint64_t *)arg += h->in;
	return true;
}

static void
test_each_day_opens(void)
{
	char bytes[PATH_BYTES];
	struct strbuf path = strbuf_on(bytes);
	struct rig r;
	struct id id = id_new("mtr_");
	struct event e;
	struct trace found;
	uint64_t counted;
	const char *day;

	rig_open(&r);
	event_init(&e, EV_ACCEPTED, id_str(&id), str_from(NULL));
	event_str(&e, "direction", STR("in"));
	event_str(&e, "from", STR("bob@example.net"));
	event_str(&e, "subject", STR("kept"));
	store_tell(r.client, &e);
	wait_for_trace(&r, id_str(&id), &found);
	stop(&r);
	day = str_from_offset(str_from(trace_day_path(str_from(r.dir), e.at_ms, &path)),
	                      strlen(r.dir) + 1)
	              .p;
	CHECK_TRUE(rename(path_of(&r, day), path_of(&r, "day.db")) == 0, "aside");
	for (int64_t v = 1; v < schema_day_versions(); v++) {
		make_old(&r, "day.db", day, schema_day_at, v);
		start_again(&r);
		wait_for_day(&r, day);
		wait_for_trace(&r, id_str(&id), &found);
		CHECK_STR_EQ(found.subject, STR("kept"), "what it says");
		event_init(&e, EV_DMARC, id_str(&id), str_from(NULL));
		event_str(&e, "result", STR("pass"));
		store_tell(r.client, &e);
		for (int i = 0; i < 1200 && !found.dmarc.n; i++) {
			rig_turn(&r, 50);
			wait_for_trace(&r, id_str(&id), &found);
		}
		CHECK_STR_EQ(found.dmarc, STR("pass"), "what is added");
		counted = 0;
		CHECK_ERR_EQ(trace_hours(r.traces, e.at_ms - 7200000, e.at_ms + 3600000,
		                         take_hour, &counted),
		             OK, "hours");
		CHECK_U64_EQ(counted, 1, "counted once");
		stop(&r);
	}
	start_again(&r);
	rig_close(&r);
}

SUITE(store_schema, { "no step changes", test_steps_stay },
      { "an index of each version opens", test_each_index_opens },
      { "one of a newer version does not", test_newer_is_refused },
      { "old rows have sharers", test_old_rows_have_sharers },
      { "a day of each version opens", test_each_day_opens });
