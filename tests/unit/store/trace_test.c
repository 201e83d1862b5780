#include "store/trace_reader.h"

#include "base/clock.h"
#include "base/duration.h"
#include "base/event.h"
#include "base/ids.h"
#include "base/mem.h"
#include "store/db.h"
#include "store/events.h"
#include "store/trace_log.h"
#include "tests/unit/check.h"
#include "tests/unit/store/rig.h"

#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

static const struct str text = STR_INIT("From: Bob <bob@example.net>\r\n"
                                        "Subject: Invoice 2231\r\n"
                                        "Message-ID: <77@example.net>\r\n\r\nHi\r\n");

static void
tell(struct rig *r, enum event_id id, struct str trace, struct str session,
     const char *const pairs[4])
{
	struct event e;

	event_init(&e, id, trace, session);
	for (size_t i = 0; i < 4 && pairs[i]; i += 2)
		event_str(&e, pairs[i], str_from(pairs[i + 1]));
	store_tell(r->client, &e);
}

struct found {
	size_t count;
	struct trace last;
	struct arena *arena;
};

static bool
take(void *arg, const struct trace *t)
{
	struct found *f = arg;

	f->count++;
	f->last = *t;
	f->last.id = arena_str(f->arena, t->id);
	f->last.to = arena_str(f->arena, t->to);
	f->last.reason = arena_str(f->arena, t->reason);
	return true;
}

static bool
take_names(void *arg, const struct trace_event *e)
{
	struct strbuf *b = arg;

	strbuf_add(b, e->name);
	strbuf_byte(b, ' ');
	return true;
}

/* The log follows in the background: asks until it has as many as wanted. */
static struct found
search(struct rig *r, const struct trace_query *q, size_t want)
{
	struct found f = { .arena = r->arena };
	int64_t until_ms = clock_mono_ms() + 60000;

	do {
		f.count = 0;
		CHECK_ERR_EQ(trace_search(r->traces, q, 100, take, &f), OK, "search");
		if (f.count < want)
			rig_turn(r, 50);
	} while (f.count < want && clock_mono_ms() < until_ms);
	return f;
}

/* The message to ann and x, and the refused one, by all that can be asked for. */
static void
search_each_way(struct rig *r)
{
	struct found f;

	f = search(r, &(struct trace_query){ .address = STR("sales@example.org") }, 0);
	CHECK_U64_EQ(f.count, 0, "aliases are searched with to:");
	f = search(r, &(struct trace_query){ .from = STR("BOB@example.net") }, 1);
	CHECK_U64_EQ(f.count, 1, "by sender");
	f = search(r, &(struct trace_query){ .to = STR("@example.org") }, 2);
	CHECK_U64_EQ(f.count, 2, "by domain");
	f = search(r, &(struct trace_query){ .message_id = STR("77@example.net") }, 1);
	CHECK_U64_EQ(f.count, 1, "by Message-ID");
	f = search(r, &(struct trace_query){ .ip = STR("192.0.2.7") }, 1);
	CHECK_U64_EQ(f.count, 1, "by address of the client");
	f = search(r, &(struct trace_query){ .text = STR("invoice 22") }, 1);
	CHECK_U64_EQ(f.count, 1, "by words of the subject");
	f = search(r, &(struct trace_query){ .verdict = VERDICT_REFUSED }, 1);
	CHECK_U64_EQ(f.count, 1, "by verdict");
	CHECK_STR_EQ(f.last.reason, STR("550 5.1.1 No such user here"), "why");
}

static bool
take_hour(void *arg, const struct trace_hour *h)
{
	struct trace_hour *sum = arg;

	sum->in += h->in;
	sum->delivered += h->delivered;
	sum->deferred += h->deferred;
	sum->refused += h->refused;
	sum->bounced += h->bounced;
	return true;
}

static struct trace_hour
hours_of_today(struct rig *r)
{
	struct trace_hour sum = { .at_ms = 0 };
	int64_t now_ms = clock_unix_ms();

	CHECK_ERR_EQ(trace_hours(r->traces, now_ms - 7200000, now_ms + 3600000, take_hour,
	                         &sum),
	             OK, "hours");
	return sum;
}

static void
test_one_message(void)
{
	struct rig r;
	struct id session = id_new("ses_"), trace = id_new("mtr_");
	struct id refused = id_make("mtr_", clock_unix_ms() + 5, random_u64());
	struct accept_rcpt rcpts[] = { { .kind = RCPT_LOCAL,
		                         .rcpt = STR("ann@example.org"),
		                         .orig_rcpt = STR("Sales@example.org") },
		                       { .kind = RCPT_REMOTE,
		                         .rcpt = STR("x@example.com"),
		                         .domain = STR("example.com") } };
	struct op_accept op = { .trace_id = id_str(&trace),
		                .session_id = id_str(&session),
		                .direction = TRACE_IN,
		                .sender = STR("Bob@example.net"),
		                .ip = STR("192.0.2.7"),
		                .expires_ms = INT64_C(1) << 50,
		                .rcpts = rcpts,
		                .rcpts_count = 2 };
	char bytes[1024];
	struct strbuf names = strbuf_on(bytes);
	struct answer_accept answer;
	struct trace_hour hours;
	struct trace found;
	struct found f;

	rig_open(&r);
	rcpts[0].account_id = rig_account(&r);
	tell(&r, EV_CONNECT, str_from(NULL), id_str(&session),
	     (const char *const[4]){ "ip", "192.0.2.7" });
	tell(&r, EV_MAIL, id_str(&trace), id_str(&session),
	     (const char *const[4]){ "from", "bob@example.net" });
	CHECK_ERR_EQ(rig_body(&r, text), OK, "body");
	op.body = r.body;
	CHECK_ERR_EQ(rig_accept(&r, &op, &answer), OK, "accept");
	tell(&r, EV_MAIL, id_str(&refused), id_str(&session),
	     (const char *const[4]){ "from", "eve@evil.example" });
	tell(&r, EV_RCPT_REJECTED, id_str(&refused), id_str(&session),
	     (const char *const[4]){ "rcpt", "nobody@example.org", "reply",
	                             "550 5.1.1 No such user here" });
	f = search(&r, &(struct trace_query){ .direction = TRACE_ANY }, 2);
	CHECK_U64_EQ(f.count, 2, "two traces");
	f = search(&r, &(struct trace_query){ .address = STR("ann@example.org") }, 1);
	CHECK_U64_EQ(f.count, 1, "by recipient");
	CHECK_STR_EQ(f.last.id, id_str(&trace), "its id");
	CHECK_STR_EQ(f.last.to, STR("ann@example.org x@example.com"), "both recipients");
	CHECK_U64_EQ(f.last.verdict, VERDICT_ACCEPTED, "one still waits");
	CHECK_U64_EQ(f.last.queue_id, answer.results[1].queue_id, "and this is it");
	search_each_way(&r);
	hours = hours_of_today(&r);
	CHECK_U64_EQ(hours.in, 1, "came in");
	CHECK_U64_EQ(hours.deferred, 1, "waits");
	CHECK_U64_EQ(hours.refused, 1, "refused");
	f = search(&r, &(struct trace_query){ .before = id_str(&trace) }, 0);
	CHECK_U64_EQ(f.count, 0, "nothing is older");
	f = search(&r, &(struct trace_query){ .to_ms = 1 }, 0);
	CHECK_U64_EQ(f.count, 0, "nothing in 1970");
	CHECK_ERR_EQ(trace_events(r.traces, id_str(&trace), take_names, &names), OK,
	             "events");
	CHECK_STR_EQ(strbuf_str(&names),
	             STR("smtp.connect smtp.mail message.accepted message.expanded "
	                 "message.stored message.queued "),
	             "in order");
	tell(&r, EV_DELIVERED, id_str(&trace), str_from(NULL),
	     (const char *const[4]){ "rcpt", "x@example.com", "host", "mx.example.com" });
	f = search(&r,
	           &(struct trace_query){ .id = id_str(&trace),
	                                  .verdict = VERDICT_DELIVERED },
	           1);
	CHECK_U64_EQ(f.count, 1, "all delivered in the end");
	hours = hours_of_today(&r);
	CHECK_U64_EQ(hours.in, 1, "no second time");
	CHECK_U64_EQ(hours.deferred, 0, "waits no longer");
	CHECK_U64_EQ(hours.delivered, 1, "but is delivered");
	CHECK_ERR_EQ(trace_get(r.traces, id_str(&trace), r.arena, &found), OK, "get");
	CHECK_STR_EQ(found.subject, STR("Invoice 2231"), "subject");
	CHECK_ERR_EQ(trace_get(r.traces, STR("mtr_0000000000000000"), r.arena, &found),
	             ERR_NOT_FOUND, "no such trace");
	CHECK_ERR_EQ(trace_get(r.traces, STR("nonsense"), r.arena, &found), ERR_NOT_FOUND,
	             "no id at all");
	rig_close(&r);
}

struct walk {
	struct arena *arena;
	struct str last;
	struct strbuf *ids;
};

static bool
take_id(void *arg, const struct trace *t)
{
	struct walk *w = arg;

	strbuf_add(w->ids, t->id);
	strbuf_byte(w->ids, ' ');
	w->last = arena_str(w->arena, t->id);
	return true;
}

/* All of them, one on a page. */
static struct str
page_by_page(struct rig *r, bool is_up)
{
	struct strbuf ids = strbuf_arena(r->arena, 4096);
	struct walk w = { .arena = r->arena, .ids = &ids };
	size_t n;

	do {
		struct trace_query q = { .before = w.last, .is_up = is_up };

		n = ids.n;
		CHECK_ERR_EQ(trace_search(r->traces, &q, 1, take_id, &w), OK, "search");
	} while (ids.n > n);
	return strbuf_str(&ids);
}

/* Messages and sessions that brought none, of three days: each is on one page. */
static void
test_pages_over_days(void)
{
	static const char *const kinds[] = { "ses_", "mtr_", "ses_", "mtr_" };
	int64_t now_ms = clock_unix_ms();
	struct walk w;
	struct strbuf all;
	struct rig r;

	rig_open(&r);
	for (size_t i = 0; i < 3 * ARRAY_LEN(kinds); i++) {
		const char *kind = kinds[i % ARRAY_LEN(kinds)];
		struct id id =
			id_make(kind, now_ms - (int64_t)(i / ARRAY_LEN(kinds)) * 86400000,
		                random_u64());
		bool is_session = kind[0] == 's';

		tell(&r, EV_RCPT_REJECTED, is_session ? STR("") : id_str(&id),
		     is_session ? id_str(&id) : STR(""),
		     (const char *const[4]){ "rcpt", "nobody@example.org", "reply",
		                             "550 5.1.1 No such user here" });
	}
	(void)search(&r, &(struct trace_query){ .verdict = VERDICT_REFUSED }, 12);
	for (int is_up = 0; is_up < 2; is_up++) {
		struct trace_query q = { .is_up = is_up };

		all = strbuf_arena(r.arena, 4096);
		w = (struct walk){ .arena = r.arena, .ids = &all };
		CHECK_ERR_EQ(trace_search(r.traces, &q, 100, take_id, &w), OK, "all");
		CHECK_U64_EQ(all.n, 12 * 21, "all are there");
		CHECK_STR_EQ(page_by_page(&r, is_up), strbuf_str(&all), "page by page");
	}
	rig_close(&r);
}

static bool
take_later(void *arg, const struct trace *t)
{
	struct str *last = arg;
	static char bytes[64];
	struct strbuf b = strbuf_on(bytes);
	struct str time = str_from_offset(t->id, 4);

	CHECK_TRUE(!last->n || str_cmp(time, *last) > 0, "behind the one before");
	strbuf_add(&b, time);
	*last = strbuf_str(&b);
	return true;
}

/* In order of time, whether they brought a message or not. */
static void
test_kinds_are_mixed(void)
{
	struct trace_query up = { .is_up = true };
	struct str last = { NULL, 0 };
	struct rig r;

	rig_open(&r);
	for (int i = 0; i < 9; i++) {
		const char *kind = i % 2 ? "mtr_" : "ses_";
		struct id id = id_make(kind, clock_unix_ms() + i, random_u64());

		tell(&r, EV_RCPT_REJECTED, i % 2 ? id_str(&id) : STR(""),
		     i % 2 ? STR("") : id_str(&id),
		     (const char *const[4]){ "rcpt", "nobody@example.org", "reply",
		                             "550 5.1.1 No such user here" });
	}
	CHECK_U64_EQ(
		search(&r, &(struct trace_query){ .verdict = VERDICT_REFUSED }, 9).count,
		9, "all");
	CHECK_ERR_EQ(trace_search(r.traces, &up, 100, take_later, &last), OK,
	             "oldest first");
	rig_close(&r);
}

/* A bit of its row has changed when more is told of a message: charts count it once. */
static void
test_damaged_row_counts_once(void)
{
	char path[256];
	struct strbuf b = strbuf_on(path);
	int64_t now_ms = clock_unix_ms();
	struct answer_accept answer;
	struct db *db = NULL;
	struct trace_hour sum;
	struct found f;
	struct rig r;

	rig_open(&r);
	CHECK_ERR_EQ(rig_deliver(&r, rig_account(&r), text, &answer), OK, "one");
	f = search(&r, &(struct trace_query){ .text = STR("invoice") }, 1);
	CHECK_U64_EQ(f.count, 1, "in the log");
	CHECK_ERR_EQ(db_open(trace_day_path(r.conf->data_dir, now_ms, &b), DB_WRITE, &db),
	             OK, "day");
	CHECK_ERR_EQ(db_run(db, "UPDATE trace SET verdict = 66", NO_VALUES), OK,
	             "damage");
	db_close(&db);
	tell(&r, EV_BOUNCED, f.last.id, STR(""),
	     (const char *const[4]){ "rcpt", "ann@example.org", "reason", "late" });
	CHECK_U64_EQ(
		search(&r, &(struct trace_query){ .verdict = VERDICT_BOUNCED }, 1).count,
		1, "told");
	sum = hours_of_today(&r);
	CHECK_U64_EQ(sum.in, 1, "one message");
	CHECK_U64_EQ(sum.delivered + sum.bounced, 1, "which came to one end");
	rig_close(&r);
}

/* A day whose file is damaged is begun anew; mail and its log go on. */
static void
test_damaged_day(void)
{
	struct rig r;
	struct answer_accept answer;
	char path[256];
	struct strbuf b = strbuf_on(path);
	struct found f;
	FILE *file;
	uint64_t ann;

	rig_open(&r);
	ann = rig_account(&r);
	rig_stop_store(&r);
	file = fopen(trace_day_path(r.conf->data_dir, clock_unix_ms(), &b), "w");
	CHECK_TRUE(file != NULL, "file");
	for (int i = 0; file && i < 1000; i++)
		CHECK_TRUE(fputs("no database ", file) >= 0, "write");
	if (file)
		(void)fclose(file);
	event_set_log(LEVEL_ERROR + 1, "unit");
	rig_start_store(&r);
	CHECK_ERR_EQ(rig_deliver(&r, ann, text, &answer), OK, "mail comes in");
	f = search(&r, &(struct trace_query){ .text = STR("invoice") }, 1);
	CHECK_U64_EQ(f.count, 1, "and is in the log");
	rig_close(&r);
}

/* What could not be written to the log is tried again soon, though nothing more comes. */
static void
test_tried_again(void)
{
	struct id id = id_new("mtr_");
	char path[256], away[272];
	struct rig r;

	rig_open(&r);
	(void)snprintf(path, sizeof(path), "%.*s/trace", STR_ARG(r.conf->data_dir));
	(void)snprintf(away, sizeof(away), "%s.away", path);
	CHECK_ERR_EQ(rig_account(&r) ? OK : ERR_NOT_FOUND, OK, "the store is there");
	rig_turn(&r, 500);
	CHECK_TRUE(rename(path, away) == 0, "no place");
	event_set_log(LEVEL_ERROR + 1, "unit");
	tell(&r, EV_RCPT_REJECTED, id_str(&id), STR(""),
	     (const char *const[4]){ "rcpt", "nobody@example.org", "reply", "550 No" });
	rig_turn(&r, 1500);
	CHECK_TRUE(rename(away, path) == 0, "a place");
	CHECK_U64_EQ(search(&r, &(struct trace_query){ .id = id_str(&id) }, 1).count, 1,
	             "it is there within a minute");
	rig_close(&r);
}

enum {
	MANY = 1200, /* messages, whose rows take many times what is kept before it is
	                written */
};

/* A log of its own, beside that of the rig. */
struct many {
	struct rig rig;
	struct str dir;
	struct trace_log *log;
	struct id ids[MANY];
	struct strbuf row;
};

static void
many_open(struct many *m)
{
	int64_t now_ms = clock_unix_ms();

	rig_open(&m->rig);
	m->dir = arena_printf(m->rig.arena, "%s/many", m->rig.dir);
	CHECK_TRUE(mkdir(m->dir.p, 0700) == 0, "folder");
	CHECK_ERR_EQ(trace_log_open(m->dir, &m->log), OK, "log");
	m->row = strbuf_heap(64 * 1024);
	/* As many sessions at once make them: nearly in order. */
	for (int i = 0; i < MANY; i++)
		m->ids[i] = id_make("mtr_", now_ms + (i ^ 7), random_u64());
}

static void
many_close(struct many *m)
{
	strbuf_release(&m->row);
	trace_log_close(&m->log);
	rig_close(&m->rig);
}

static void
many_add(struct many *m, enum event_id id, const struct id *trace, const char *key,
         const char *value)
{
	struct event e;

	event_init(&e, id, id_str(trace), STR("ses_01arz3ndektsv4rrff"));
	event_str(&e, key, str_from(value));
	event_str(&e, "direction", STR("in"));
	events_pack(&m->row, &e);
}

/* A row for each message, and one more for the first of them; what taking and writing
   them came to. */
static enum err
many_take(struct many *m)
{
	enum err e = OK, done;

	for (unsigned i = 0; i < MANY && e == OK; i++) {
		strbuf_clear(&m->row);
		many_add(m, EV_MAIL, &m->ids[i], "from", "bob@example.net");
		many_add(m, EV_STORED, &m->ids[i], "rcpt", "ann@example.org");
		e = trace_log_take(m->log, i + 1, strbuf_str(&m->row));
	}
	strbuf_clear(&m->row);
	many_add(m, EV_BOUNCED, &m->ids[0], "rcpt", "ann@example.org");
	if (e == OK)
		e = trace_log_take(m->log, MANY + 1, strbuf_str(&m->row));
	done = trace_log_commit(m->log);
	return e == OK ? done : e;
}

static void
many_check(struct many *m)
{
	struct trace_reader *traces = trace_reader_open_dir(m->dir);
	struct strbuf names = strbuf_arena(m->rig.arena, 1024);
	struct trace_hour sum = { .at_ms = 0 };
	int64_t now_ms = clock_unix_ms();

	CHECK_ERR_EQ(
		trace_hours(traces, now_ms - 7200000, now_ms + 3600000, take_hour, &sum),
		OK, "hours");
	CHECK_U64_EQ(sum.in, MANY, "all of them");
	CHECK_U64_EQ(sum.delivered, MANY - 1, "all but one");
	CHECK_U64_EQ(sum.bounced, 1, "which was told of twice");
	CHECK_ERR_EQ(trace_events(traces, id_str(&m->ids[0]), take_names, &names), OK,
	             "its events");
	CHECK_STR_EQ(strbuf_str(&names), STR("smtp.mail message.stored message.bounced "),
	             "in order");
	trace_reader_close(&traces);
}

static void
test_many_in_one_transaction(void)
{
	struct many *m = mem_alloc(sizeof(*m));

	many_open(m);
	CHECK_ERR_EQ(many_take(m), OK, "all in one");
	many_check(m);
	many_close(m);
	mem_free(m);
}

/* A row that cannot be written takes all others along, written before it or after. */
static void
test_all_or_nothing(void)
{
	struct many *m = mem_alloc(sizeof(*m));
	struct trace_reader *traces;
	char path[256];
	struct strbuf b = strbuf_on(path);
	struct trace trace;
	struct db *db = NULL;

	many_open(m);
	strbuf_clear(&m->row);
	many_add(m, EV_CONNECT, &m->ids[1], "ip", "192.0.2.1");
	CHECK_ERR_EQ(trace_log_take(m->log, 0, strbuf_str(&m->row)), OK, "no row");
	CHECK_ERR_EQ(trace_log_commit(m->log), OK, "a file");
	CHECK_ERR_EQ(db_open(trace_day_path(m->dir, clock_unix_ms(), &b), DB_WRITE, &db),
	             OK, "day");
	CHECK_ERR_EQ(db_run(db,
	                    "INSERT INTO event (owner, seq, events) VALUES ($1, $2, $3)",
	                    VALUES(V_S(id_str(&m->ids[500])), V_I(501), V_B(STR("")))),
	             OK, "in the way");
	event_set_log(LEVEL_ERROR + 1, "unit");
	CHECK_TRUE(many_take(m) != OK, "it is told");
	traces = trace_reader_open_dir(m->dir);
	CHECK_ERR_EQ(trace_get(traces, id_str(&m->ids[0]), m->rig.arena, &trace),
	             ERR_NOT_FOUND, "nothing of it counts");
	trace_reader_close(&traces);
	CHECK_ERR_EQ(db_run(db, "DELETE FROM event", NO_VALUES), OK, "out of the way");
	db_close(&db);
	CHECK_ERR_EQ(many_take(m), OK, "again");
	many_check(m);
	many_close(m);
	mem_free(m);
}

/* A row about two days, of which one cannot be opened just now: the other one must not
   take it for done. */
static void
test_a_day_that_does_not_open(void)
{
	struct many *m = mem_alloc(sizeof(*m));
	int64_t old_ms = clock_unix_ms() - 3 * DAY_MS;
	struct id old = id_make("mtr_", old_ms, random_u64());
	struct strbuf names;
	struct trace_reader *traces;
	char path[256];
	struct strbuf b = strbuf_on(path);

	many_open(m);
	CHECK_TRUE(mkdir(trace_day_path(m->dir, old_ms, &b), 0700) == 0, "in the way");
	strbuf_clear(&m->row);
	many_add(m, EV_MAIL, &m->ids[0], "from", "bob@example.net");
	many_add(m, EV_MAIL, &old, "from", "bob@example.net");
	many_add(m, EV_STORED, &m->ids[0], "rcpt", "ann@example.org");
	event_set_log(LEVEL_ERROR + 1, "unit");
	CHECK_TRUE(trace_log_take(m->log, 1, strbuf_str(&m->row)) != OK, "it is told");
	CHECK_TRUE(trace_log_commit(m->log) != OK, "nothing of it counts");
	CHECK_TRUE(rmdir(path) == 0, "out of the way");
	CHECK_ERR_EQ(trace_log_take(m->log, 1, strbuf_str(&m->row)), OK, "again");
	CHECK_ERR_EQ(trace_log_commit(m->log), OK, "both days");
	traces = trace_reader_open_dir(m->dir);
	names = strbuf_arena(m->rig.arena, 1024);
	CHECK_ERR_EQ(trace_events(traces, id_str(&m->ids[0]), take_names, &names), OK,
	             "its events");
	CHECK_STR_EQ(strbuf_str(&names), STR("smtp.mail message.stored "), "each, once");
	trace_reader_close(&traces);
	many_close(m);
	mem_free(m);
}

struct heard {
	struct change last;
	unsigned resets, mailboxes, queues, settings, events;
};

static void
hear(void *arg, const struct change *c)
{
	struct heard *h = arg;

	h->resets += c->kind == CHANGE_RESET;
	h->mailboxes += c->kind == CHANGE_MAILBOX;
	h->queues += c->kind == CHANGE_QUEUE;
	h->settings += c->kind == CHANGE_SETTINGS;
	h->events += c->kind == CHANGE_EVENT;
	if (c->kind == CHANGE_MAILBOX)
		h->last = *c;
}

/* News come from another thread: waits for them, not for a time. */
static void
turn_until(struct rig *r, const unsigned *count, unsigned want)
{
	int64_t until_ms = clock_mono_ms() + 60000;

	while (*count < want && clock_mono_ms() < until_ms)
		rig_turn(r, 10);
}

static void
test_feed(void)
{
	struct rig r;
	struct heard ann = { .resets = 0 }, other = { .resets = 0 },
		     all = { .resets = 0 };
	struct feed *feeds[4];
	const struct setting_new setting = { STR("a"), STR("1") };
	struct answer_accept answer;
	uint64_t id;

	rig_open(&r);
	id = rig_account(&r);
	feeds[0] = feed_open(r.client, FEED_ACCOUNT, id, hear, &ann);
	feeds[1] = feed_open(r.client, FEED_ACCOUNT, id + 1, hear, &other);
	feeds[2] = feed_open(r.client, FEED_SETTINGS, 0, hear, &all);
	feeds[3] = feed_open(r.client, FEED_EVENTS, 0, hear, &all);
	rig_turn(&r, 30);
	CHECK_ERR_EQ(rig_deliver(&r, id, text, &answer), OK, "deliver");
	turn_until(&r, &ann.mailboxes, 1);
	turn_until(&r, &all.events, 2);
	CHECK_U64_EQ(ann.mailboxes, 1, "told once");
	CHECK_U64_EQ(ann.last.uidnext, 2, "what it is now");
	CHECK_U64_EQ(ann.last.exists, 1, "one message");
	CHECK_U64_EQ(other.mailboxes, 0, "not to others");
	CHECK_TRUE(all.events >= 2, "accepted and stored");
	CHECK_ERR_EQ(rig_settings_put(&r,
	                              &(struct op_settings_put){ .items = &setting,
	                                                         .items_count = 1 },
	                              NULL),
	             OK, "setting");
	turn_until(&r, &all.settings, 1);
	CHECK_U64_EQ(all.settings, 1, "told");
	feed_close(&feeds[1]);
	rig_stop_store(&r);
	rig_start_store(&r);
	turn_until(&r, &ann.resets, 1);
	CHECK_U64_EQ(ann.resets, 1, "look again");
	CHECK_ERR_EQ(rig_deliver(&r, id, text, &answer), OK, "deliver");
	turn_until(&r, &ann.mailboxes, 2);
	CHECK_U64_EQ(ann.mailboxes, 2, "subscribed again");
	for (size_t i = 0; i < ARRAY_LEN(feeds); i++)
		feed_close(&feeds[i]);
	rig_close(&r);
}

SUITE(store_trace, { "one message", test_one_message }, { "feed", test_feed },
      { "pages over days", test_pages_over_days }, { "damaged day", test_damaged_day },
      { "tried again", test_tried_again }, { "kinds are mixed", test_kinds_are_mixed },
      { "damaged row counts once", test_damaged_row_counts_once },
      { "many in one transaction", test_many_in_one_transaction },
      { "all or nothing", test_all_or_nothing },
      { "a day that does not open", test_a_day_that_does_not_open });
