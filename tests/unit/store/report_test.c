#include "store/ops.h"

#include "base/clock.h"
#include "base/ids.h"
#include "store/db.h"
#include "tests/unit/check.h"
#include "tests/unit/store/rig.h"

static const struct str text = STR_INIT("Return-Path: <dmarc@peer.example>\r\n"
                                        "Subject: Report\r\n\r\nsee there\r\n");

/* A message for the name of reports, leased. */
static uint64_t
leased(struct rig *r)
{
	struct id trace = id_new("mtr_");
	struct accept_rcpt to = { .kind = RCPT_REMOTE,
		                  .rcpt = STR("dmarc-reports@example.org"),
		                  .domain = STR(REPORTS_DOMAIN) };
	struct op_accept op = { .trace_id = id_str(&trace),
		                .direction = TRACE_IN,
		                .sender = STR("dmarc@peer.example"),
		                .expires_ms = clock_unix_ms() + 86400000,
		                .rcpts = &to,
		                .rcpts_count = 1 };
	struct op_queue_claim claim = { .domain = STR(REPORTS_DOMAIN),
		                        .now_ms = clock_unix_ms() + 3600000,
		                        .limit = 1,
		                        .lease_ms = 60000 };
	struct answer_accept answer;
	struct answer_queue rows;

	if (!CHECK_ERR_EQ(rig_body(r, text), OK, "body"))
		return 0;
	op.body = r->body;
	if (!CHECK_ERR_EQ(rig_accept(r, &op, &answer), OK, "accept") ||
	    !CHECK_ERR_EQ(rig_queue_claim(r, &claim, &rows), OK, "claim") ||
	    !CHECK_U64_EQ(rows.items_count, 1, "one"))
		return 0;
	return rows.items[0].id;
}

static struct received_row rows[] = {
	{ .source = STR_INIT("192.0.2.1"),
	  .name = STR_INIT("example.org"),
	  .origin = STR_INIT("google"),
	  .domains = STR_INIT("google.com"),
	  .count = 7,
	  .is_good = true,
	  .spf = STR_INIT("fail"),
	  .dkim = STR_INIT("pass") },
	{ .source = STR_INIT("192.0.2.2"),
	  .name = STR_INIT("example.org"),
	  .origin = STR_INIT("google"),
	  .count = 2,
	  .done = STR_INIT("quarantine") },
	{ .source = STR_INIT("192.0.2.3"),
	  .name = STR_INIT("example.org"),
	  .origin = STR_INIT("192.0.2.3"),
	  .count = 1,
	  .done = STR_INIT("reject") },
};

static struct op_report_put
report(const char *name, bool is_proven)
{
	return (struct op_report_put){
		.report = { .kind = 1,
		            .is_proven = is_proven,
		            .sender = STR("peer.example"),
		            .name = str_from(name),
		            .reporter = STR("Peer"),
		            .about = STR("example.org"),
		            .begin_ms = 86400000,
		            .end_ms = 2 * 86400000,
		            .good = 7,
		            .bad = 3,
		            .raw_type = STR("application/xml") },
		.domain = STR("example.org"),
		.raw = STR("<feedback/>"),
		.rows = rows,
		.rows_count = ARRAY_LEN(rows),
	};
}

static enum err
put(struct rig *r, struct op_report_put op, uint64_t *version_out)
{
	struct answer_id answer = { 0 };
	enum err e;

	op.queue_id = leased(r);
	e = rig_report_put(r, &op, &answer);
	*version_out = answer.version;
	return e;
}

static const struct report_query all = { .kind = 1, .to_ms = INT64_MAX };

struct sums {
	struct report_sum p[10];
	size_t n;
	struct arena *a;
};

static bool
take_sum(void *arg, const struct report_sum *sum)
{
	struct sums *s = arg;

	s->p[s->n] = *sum;
	s->p[s->n].key = arena_str(s->a, sum->key);
	s->n++;
	return s->n < ARRAY_LEN(s->p);
}

static struct sums
sums_of(struct rig *r, struct report_sums_query query)
{
	struct sums s = { .a = r->arena };

	query.which = all;
	CHECK_ERR_EQ(reader_report_sums(r->reader, &query, take_sum, &s), OK, "sums");
	return s;
}

static uint64_t
waiting(struct rig *r)
{
	struct queue_totals t;

	CHECK_ERR_EQ(reader_queue_totals(r->reader, &t), OK, "totals");
	return t.by_state[QUEUE_ACTIVE] + t.by_state[QUEUE_SCHEDULED];
}

static void
test_put(void)
{
	struct report_sums_query query = { .group = REPORT_ALL, .limit = 10 };
	struct sums s;
	struct str raw;
	uint64_t version;
	struct rig r;

	rig_open(&r);
	(void)rig_account(&r);
	CHECK_ERR_EQ(put(&r, report("r1", true), &version), OK, "put");
	CHECK_U64_EQ(version, 1, "it is new");
	CHECK_U64_EQ(waiting(&r), 0, "the queue row is gone");
	CHECK_ERR_EQ(put(&r, report("r1", true), &version), OK, "again");
	CHECK_U64_EQ(version, 0, "it was there");
	CHECK_U64_EQ(waiting(&r), 0, "its queue row is gone as well");
	/* A stranger who uses the name of somebody's report does not keep it out. */
	CHECK_ERR_EQ(put(&r, report("r1", false), &version), OK, "forged");
	CHECK_U64_EQ(version, 1, "another one");
	s = sums_of(&r, query);
	CHECK_U64_EQ(s.p[0].reports, 1, "counts once, and only the proven one");
	CHECK_U64_EQ(s.p[0].good, 7, "good");
	CHECK_U64_EQ(s.p[0].bad, 3, "bad");
	query.group = REPORT_ORIGINS;
	s = sums_of(&r, query);
	CHECK_U64_EQ(s.n, 2, "origins");
	CHECK_STR_EQ(s.p[0].key, STR("google"), "the largest first");
	CHECK_U64_EQ(s.p[0].dkim, 7, "dkim");
	CHECK_U64_EQ(s.p[0].quarantined, 2, "quarantined");
	CHECK_U64_EQ(s.p[1].rejected, 1, "rejected");
	query.after = (struct report_after){ 9, STR("google"), STR("") };
	s = sums_of(&r, query);
	CHECK_U64_EQ(s.n, 1, "the next page");
	query = (struct report_sums_query){ .group = REPORT_SOURCES,
		                            .origin = STR("google"),
		                            .limit = 10 };
	s = sums_of(&r, query);
	CHECK_U64_EQ(s.n, 2, "sources of one origin");
	query.group = REPORT_DAYS;
	s = sums_of(&r, query);
	CHECK_I64_EQ(s.p[0].first_ms, 86400000, "day");
	query.group = REPORT_FAILURES;
	s = sums_of(&r, query);
	CHECK_STR_EQ(s.p[0].key, STR("quarantine"), "failures by kind");
	CHECK_ERR_EQ(reader_report_raw(r.reader, 1, r.arena, &raw), ERR_NOT_FOUND, "id");
	rig_close(&r);
}

static void
test_refused(void)
{
	struct accept_rcpt to = { .kind = RCPT_LOCAL, .rcpt = STR("ann@example.org") };
	struct op_report_refuse op = { .reason = STR("it is none"),
		                       .rcpts = &to,
		                       .rcpts_count = 1 };
	struct mailbox_info inbox;
	struct answer_accept answer;
	struct rig r;

	rig_open(&r);
	to.account_id = rig_account(&r);
	op.queue_id = leased(&r);
	CHECK_ERR_EQ(rig_report_refuse(&r, &op, &answer), OK, "refused");
	CHECK_U64_EQ(waiting(&r), 0, "the queue row is gone");
	CHECK_ERR_EQ(
		reader_mailbox(r.reader, to.account_id, STR("INBOX"), r.arena, &inbox),
		OK, "inbox");
	CHECK_U64_EQ(inbox.exists, 1, "somebody has it");
	CHECK_ERR_EQ(rig_report_refuse(&r, &op, &answer), ERR_CONFLICT, "not twice");
	rig_close(&r);
}

static void
test_bounds(void)
{
	struct op_report_put op = report("r", true);
	struct received_row *many;
	uint64_t version;
	struct rig r;

	rig_open(&r);
	(void)rig_account(&r);
	op.domain = STR("example.net");
	CHECK_ERR_EQ(put(&r, op, &version), ERR_NOT_FOUND, "no domain of ours");
	op = report("", true);
	CHECK_ERR_EQ(put(&r, op, &version), ERR_INVALID, "no name");
	many = ARENA_ARRAY(r.arena, struct received_row, REPORT_STORED_ROWS_MAX + 1);
	op = report("many", true);
	op.rows = many;
	op.rows_count = REPORT_STORED_ROWS_MAX + 1;
	CHECK_ERR_EQ(put(&r, op, &version), ERR_LIMIT, "a row too many");
	op.rows_count--;
	CHECK_ERR_EQ(put(&r, op, &version), OK, "as many as may be");
	for (int i = 0; i < REPORTS_UNPROVEN_PER_DAY; i++) {
		char name[20];
		struct strbuf b = strbuf_on(name);

		strbuf_printf(&b, "u%d", i);
		op = report(strbuf_cstr(&b), false);
		op.rows_count = 0;
		if (!CHECK_ERR_EQ(put(&r, op, &version), OK, "unproven"))
			break;
	}
	op = report("over", false);
	CHECK_ERR_EQ(put(&r, op, &version), ERR_LIMIT, "too many of a day");
	CHECK_ERR_EQ(put(&r, report("still", true), &version), OK,
	             "those that are proven do not suffer");
	rig_close(&r);
}

static bool
count_report(void *arg, const struct received_report *report)
{
	struct sums *s = arg;

	s->n += !report->is_proven;
	s->p[0].reports++;
	return true;
}

/* Over the room there is, the oldest go; a flood of forged ones pushes out its like. */
static void
test_room(void)
{
	enum {
		RAW = 100 * 1000,
		FORGED = 30,
	};
	struct report_query query = all;
	struct op_report_put op = report("good", true);
	struct sums s = { 0 };
	uint64_t version;
	struct rig r;

	rig_open(&r);
	r.conf->limits.report_space = 1 << 20;
	store_server_reload(r.server, r.conf);
	(void)rig_account(&r);
	CHECK_ERR_EQ(put(&r, op, &version), OK, "the good one");
	for (int i = 0; i < FORGED; i++) {
		op = report(arena_printf(r.arena, "f%d%c", i, 0).p, false);
		op.raw = str_make(arena_alloc(r.arena, RAW), RAW);
		if (!CHECK_ERR_EQ(put(&r, op, &version), OK, "forged"))
			break;
	}
	query.with_unproven = true;
	CHECK_ERR_EQ(reader_reports(r.reader, &query, 0, 100, count_report, &s), OK,
	             "all");
	CHECK_U64_EQ(s.n, 10, "as many as there is room for");
	CHECK_U64_EQ(s.p[0].reports, 11, "and the good one");
	rig_close(&r);
}

/* What is older than limits.report_days goes when the store looks after things. */
static void
test_days(void)
{
	struct report_query query = all;
	char bytes[128];
	struct strbuf path = strbuf_on(bytes);
	uint64_t version, left = 99;
	struct stmt *s_left;
	struct db *db;
	struct rig r;

	rig_open(&r);
	(void)rig_account(&r);
	for (int i = 0; i < 12; i++) {
		const char *name = arena_printf(r.arena, "r%d%c", i, 0).p;

		CHECK_ERR_EQ(put(&r, report(name, i % 2), &version), OK, name);
	}
	rig_stop_store(&r);
	strbuf_printf(&path, "%s/index.db", r.dir);
	CHECK_ERR_EQ(db_open(strbuf_cstr(&path), DB_WRITE, &db), OK, "open");
	CHECK_ERR_EQ(db_run(db, "UPDATE report SET received_ms = $1 WHERE name <> 'r7'",
	                    VALUES(V_I(clock_unix_ms() - INT64_C(401) * 86400000))),
	             OK, "they are old");
	db_close(&db);
	rig_start_store(&r);
	query.with_unproven = true;
	for (int i = 0; i < 2400 && left != 1; i++) {
		struct sums s = { 0 };

		rig_turn(&r, 25);
		CHECK_ERR_EQ(reader_reports(r.reader, &query, 0, 100, count_report, &s),
		             OK, "all");
		left = s.p[0].reports;
	}
	CHECK_U64_EQ(left, 1, "the young one stays");
	CHECK_ERR_EQ(db_open(strbuf_cstr(&path), DB_READ, &db), OK, "open");
	CHECK_ERR_EQ(db_one(db,
	                    "SELECT count(*) FROM report_row WHERE report_id NOT IN"
	                    " (SELECT id FROM report)",
	                    NO_VALUES, &s_left),
	             OK, "rows");
	CHECK_U64_EQ(db_u64(s_left, 0), 0, "and no rows of others");
	db_end(&s_left);
	CHECK_ERR_EQ(db_one(db,
	                    "SELECT value - (SELECT sum(space) FROM report) FROM meta"
	                    " WHERE name = 'report_space'",
	                    NO_VALUES, &s_left),
	             OK, "room");
	CHECK_I64_EQ(db_i64(s_left, 0), 0, "the room is counted right");
	db_end(&s_left);
	db_close(&db);
	rig_close(&r);
}

static void
test_domain_goes(void)
{
	struct op_domain_remove remove = { .name = STR("example.org"),
		                           .with_accounts = true };
	struct report_query query = all;
	struct sums s = { 0 };
	uint64_t version;
	struct rig r;

	rig_open(&r);
	(void)rig_account(&r);
	CHECK_ERR_EQ(put(&r, report("r1", true), &version), OK, "put");
	CHECK_ERR_EQ(rig_domain_remove(&r, &remove, NULL), OK, "remove");
	CHECK_ERR_EQ(reader_reports(r.reader, &query, 0, 100, count_report, &s), OK,
	             "all");
	CHECK_U64_EQ(s.p[0].reports, 0, "they went with their domain");
	rig_close(&r);
}

SUITE(store_report, { "put", test_put }, { "refused", test_refused },
      { "bounds", test_bounds }, { "room", test_room }, { "days", test_days },
      { "domain", test_domain_goes });
