#include "store/ops.h"

#include "base/clock.h"
#include "base/ids.h"
#include "store/queue_row.h"
#include "tests/unit/check.h"
#include "tests/unit/store/rig.h"

#include <stdio.h>

static const struct str text = STR_INIT("Return-Path: <ann@example.org>\r\n"
                                        "Subject: Out\r\n\r\nBye\r\n");

enum {
	LEASE_MS = 60000,
};

static uint64_t
enqueue(struct rig *r, const char *rcpt, const char *domain, int64_t due_ms)
{
	struct id trace = id_new("mtr_");
	struct accept_rcpt to = { .kind = RCPT_REMOTE,
		                  .rcpt = str_from(rcpt),
		                  .domain = str_from(domain),
		                  .notify = NOTIFY_FAILURE };
	struct op_accept op = { .trace_id = id_str(&trace),
		                .direction = TRACE_OUT,
		                .sender = STR("ann@example.org"),
		                .envid = STR("env"),
		                .ret = RET_HDRS,
		                .due_ms = due_ms,
		                .expires_ms = clock_unix_ms() + 86400000,
		                .rcpts = &to,
		                .rcpts_count = 1 };
	struct answer_accept answer;

	if (!CHECK_ERR_EQ(rig_body(r, text), OK, "body"))
		return 0;
	op.body = r->body;
	op.body.prefix_len = 32;
	if (!CHECK_ERR_EQ(rig_accept(r, &op, &answer), OK, rcpt))
		return 0;
	return answer.results[0].queue_id;
}

static enum err
claim(struct rig *r, const char *domain, struct answer_queue *answer)
{
	struct op_queue_claim op = { .domain = str_from(domain),
		                     .now_ms = clock_unix_ms(),
		                     .limit = 10,
		                     .lease_ms = LEASE_MS,
		                     .is_attempt = true };

	return rig_queue_claim(r, &op, answer);
}

static enum err
result(struct rig *r, uint64_t id, uint32_t outcome, int64_t due_ms)
{
	struct queue_outcome_row row = { .id = id,
		                         .outcome = outcome,
		                         .due_ms = due_ms,
		                         .class = STR("rate_limited"),
		                         .code = 421,
		                         .text = STR("slow down"),
		                         .host = STR("mx.example.net") };
	struct op_queue_result op = { .now_ms = clock_unix_ms(),
		                      .rows = &row,
		                      .rows_count = 1 };

	return rig_queue_result(r, &op, NULL);
}

/* The one that was is gone, and its leases are nobody's. */
static void
another_client(struct rig *r)
{
	bodies_free(&r->bodies);
	store_client_free(&r->client);
	r->client = store_client_new(r->loop, r->conf);
	r->bodies = bodies_new(r->loop, r->client, r->conf);
}

/* Who shares the connections is whoever brought it, whatever it calls itself. */
static void
test_whose_share(void)
{
	static const struct {
		const char *what, *user, *ip, *alias, *sharer;
		uint32_t direction;
	} rows[] = {
		{ "a login", "ann@example.org", "192.0.2.1", "", "ann@example.org",
		  TRACE_OUT },
		{ "a login through an alias", "ann@example.org", "192.0.2.1",
		  "away@example.org", "ann@example.org", TRACE_OUT },
		{ "a relaying host", "", "192.0.2.1", "", "192.0.2.1", TRACE_OUT },
		{ "an alias", "", "192.0.2.1", "away@Example.ORG", "example.org",
		  TRACE_IN },
		{ "led back", "", "192.0.2.1", "", "", TRACE_IN },
		{ "our own", "", "", "", "", TRACE_OWN },
	};
	struct rig r;

	rig_open(&r);
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct id trace = id_new("mtr_");
		struct accept_rcpt to = { .kind = RCPT_REMOTE,
			                  .rcpt = STR("x@example.net"),
			                  .orig_rcpt = str_from(rows[i].alias),
			                  .domain = STR("example.net") };
		struct op_accept op = { .trace_id = id_str(&trace),
			                .direction = rows[i].direction,
			                .sender = STR("any@example.org"),
			                .user = str_from(rows[i].user),
			                .ip = str_from(rows[i].ip),
			                .expires_ms = clock_unix_ms() + 86400000,
			                .rcpts = &to,
			                .rcpts_count = 1 };
		struct answer_accept answer;
		struct answer_queue claimed;

		CHECK_ERR_EQ(rig_body(&r, text), OK, "body");
		op.body = r.body;
		CHECK_ERR_EQ(rig_accept(&r, &op, &answer), OK, rows[i].what);
		CHECK_ERR_EQ(claim(&r, "example.net", &claimed), OK, "claim");
		if (CHECK_U64_EQ(claimed.items_count, 1, rows[i].what))
			CHECK_STR_EQ(claimed.items[0].sharer, str_from(rows[i].sharer),
			             rows[i].what);
	}
	rig_close(&r);
}

static void
test_life(void)
{
	struct rig r;
	struct answer_queue claimed;
	struct queue_item item;
	struct queue_totals totals;
	int64_t later = clock_unix_ms() + 3600000;
	uint64_t a, b;

	rig_open(&r);
	a = enqueue(&r, "x@example.net", "example.net", 0);
	b = enqueue(&r, "y@example.com", "example.com", 0);
	(void)enqueue(&r, "z@example.net", "example.net", later);
	CHECK_ERR_EQ(claim(&r, "example.net", &claimed), OK, "claim");
	CHECK_U64_EQ(claimed.items_count, 1, "what is due there");
	CHECK_U64_EQ(claimed.items[0].id, a, "the first");
	CHECK_U64_EQ(claimed.items[0].attempts, 1, "counted");
	CHECK_U64_EQ(claimed.items[0].prefix_len, 32, "prefix");
	CHECK_U64_EQ(claimed.items[0].ref.size, text.n, "body");
	CHECK_STR_EQ(claimed.items[0].envid, STR("env"), "envid");
	CHECK_STR_EQ(claimed.items[0].subject, STR("Out"), "subject");
	CHECK_ERR_EQ(claim(&r, "example.net", &claimed), OK, "again");
	CHECK_U64_EQ(claimed.items_count, 0, "leased rows are nobody else's");
	CHECK_ERR_EQ(result(&r, a, OUTCOME_DEFERRED, later), OK, "deferred");
	CHECK_ERR_EQ(result(&r, a, OUTCOME_DEFERRED, later), ERR_CONFLICT,
	             "no lease now");
	CHECK_ERR_EQ(reader_queue_item(r.reader, a, r.arena, &item), OK, "item");
	CHECK_U64_EQ(item.state, QUEUE_DEFERRED, "state");
	CHECK_STR_EQ(item.last_class, STR("rate_limited"), "class");
	CHECK_I64_EQ(item.due_ms, later, "due");
	CHECK_ERR_EQ(reader_queue_totals(r.reader, &totals), OK, "totals");
	CHECK_U64_EQ(totals.by_state[QUEUE_DEFERRED], 1, "one deferred");
	CHECK_U64_EQ(totals.by_state[QUEUE_SCHEDULED], 2, "two scheduled");
	CHECK_ERR_EQ(claim(&r, "", &claimed), OK, "any domain");
	CHECK_U64_EQ(claimed.items_count, 1, "the other");
	CHECK_ERR_EQ(result(&r, b, OUTCOME_DELIVERED, 0), OK, "delivered");
	CHECK_ERR_EQ(reader_queue_item(r.reader, b, r.arena, &item), ERR_NOT_FOUND,
	             "gone");
	CHECK_TRUE(!rig_has_message(&r, claimed.items[0].message_id), "and its message");
	rig_close(&r);
}

/* What a claim gives comes in order of the message, each row once, whatever is asked for
   by id; what others hold is left out. */
static void
test_claim_by_id(void)
{
	struct rig r;
	struct answer_queue claimed;
	struct op_queue_claim op = { .limit = 10, .lease_ms = LEASE_MS };
	uint64_t ids[5];

	rig_open(&r);
	ids[2] = enqueue(&r, "x@example.net", "example.net", 0);
	ids[0] = enqueue(&r, "y@example.net", "example.net", 0);
	ids[1] = ids[2];
	ids[3] = 12345678;
	op.now_ms = clock_unix_ms();
	op.ids = ids;
	op.ids_count = 4;
	CHECK_ERR_EQ(rig_queue_claim(&r, &op, &claimed), OK, "claim");
	CHECK_U64_EQ(claimed.items_count, 2, "each once");
	CHECK_U64_EQ(claimed.items[0].id, ids[2], "the older message first");
	CHECK_U64_EQ(claimed.items[1].id, ids[0], "the newer one then");
	ids[4] = enqueue(&r, "z@example.net", "example.net", 0);
	op.ids_count = 5;
	CHECK_ERR_EQ(rig_queue_claim(&r, &op, &claimed), OK, "again");
	CHECK_U64_EQ(claimed.items_count, 1, "what is leased stays leased");
	CHECK_U64_EQ(claimed.items[0].id, ids[4], "the new one");
	rig_close(&r);
}

static void
test_leases(void)
{
	struct rig r;
	struct answer_queue claimed;
	struct answer_count count;
	struct op_queue_claim op = { .now_ms = 0, .limit = 5, .lease_ms = 1000 };
	struct op_queue_attempt attempt = { .lease_ms = 1000 };
	uint64_t id;

	rig_open(&r);
	id = enqueue(&r, "x@example.net", "example.net", 0);
	op.now_ms = clock_unix_ms();
	CHECK_ERR_EQ(rig_queue_claim(&r, &op, &claimed), OK, "claim");
	CHECK_U64_EQ(claimed.items_count, 1, "one");
	CHECK_U64_EQ(claimed.items[0].attempts, 0, "not an attempt yet");
	attempt.ids = &id;
	attempt.ids_count = 1;
	attempt.now_ms = op.now_ms;
	CHECK_ERR_EQ(rig_queue_attempt(&r, &attempt, NULL), OK, "attempt");
	op.now_ms += 1001;
	CHECK_ERR_EQ(rig_queue_claim(&r, &op, &claimed), OK, "after the lease");
	CHECK_U64_EQ(claimed.items_count, 1, "it lapsed");
	CHECK_U64_EQ(claimed.items[0].attempts, 1, "the attempt counts");
	/* Another process of the queue: what it did not lease it may not touch. */
	another_client(&r);
	CHECK_ERR_EQ(result(&r, id, OUTCOME_DELIVERED, 0), ERR_CONFLICT, "not its lease");
	CHECK_ERR_EQ(
		rig_queue_release(&r, &(struct op_queue_release){ op.now_ms }, &count),
		OK, "release");
	CHECK_U64_EQ(count.count, 1, "one lease of the dead");
	CHECK_ERR_EQ(claim(&r, "", &claimed), OK, "claim at once");
	CHECK_U64_EQ(claimed.items_count, 1, "its own now");
	rig_close(&r);
}

static void
test_actions(void)
{
	struct rig r;
	struct answer_queue claimed;
	struct answer_count count;
	struct queue_item item;
	struct op_queue_action op = { .actor = { .name = STR("admin:ann") },
		                      .ids_count = 1 };
	uint64_t id, missing = 999999999;

	rig_open(&r);
	id = enqueue(&r, "x@example.net", "example.net", 0);
	op.ids = &id;
	op.now_ms = clock_unix_ms();
	op.verb = QUEUE_HOLD;
	CHECK_ERR_EQ(rig_queue_action(&r, &op, &count), OK, "hold");
	CHECK_U64_EQ(count.count, 1, "held");
	CHECK_ERR_EQ(rig_queue_action(&r, &op, &count), OK, "hold again");
	CHECK_U64_EQ(count.count, 0, "was held");
	CHECK_ERR_EQ(claim(&r, "", &claimed), OK, "claim");
	CHECK_U64_EQ(claimed.items_count, 0, "held ones wait");
	op.verb = QUEUE_UNHOLD;
	op.if_version = 1;
	CHECK_ERR_EQ(rig_queue_action(&r, &op, &count), ERR_ETAG, "an old version");
	op.if_version = 0;
	CHECK_ERR_EQ(rig_queue_action(&r, &op, &count), OK, "release");
	op.verb = QUEUE_BOUNCE;
	CHECK_ERR_EQ(rig_queue_action(&r, &op, &count), OK, "bounce");
	CHECK_ERR_EQ(reader_queue_item(r.reader, id, r.arena, &item), OK, "item");
	CHECK_TRUE(item.expires_ms <= clock_unix_ms(), "expired now");
	op.verb = QUEUE_DELETE;
	CHECK_ERR_EQ(rig_queue_action(&r, &op, &count), OK, "delete");
	CHECK_ERR_EQ(reader_queue_item(r.reader, id, r.arena, &item), ERR_NOT_FOUND,
	             "gone");
	op.ids = &missing;
	CHECK_ERR_EQ(rig_queue_action(&r, &op, &count), OK, "passed over");
	CHECK_U64_EQ(count.count, 0, "nothing done");
	rig_close(&r);
}

/* What is asked for while a row is being tried is done when the row comes back. */
static const struct wish_row {
	const char *what;
	uint32_t verbs[2];
	uint32_t state; /* QUEUE_STATE_COUNT: it is gone */
	bool is_sent_back;
} wishes[] = {
	{ "nothing", { 0 }, QUEUE_DEFERRED, false },
	{ "retry: it is being tried", { QUEUE_RETRY }, QUEUE_DEFERRED, false },
	{ "hold", { QUEUE_HOLD }, QUEUE_HELD, false },
	{ "hold, taken back", { QUEUE_HOLD, QUEUE_UNHOLD }, QUEUE_DEFERRED, false },
	{ "hold, but retry", { QUEUE_HOLD, QUEUE_RETRY }, QUEUE_DEFERRED, false },
	{ "bounce", { QUEUE_BOUNCE }, QUEUE_DEFERRED, true },
	{ "hold, then bounce", { QUEUE_HOLD, QUEUE_BOUNCE }, QUEUE_DEFERRED, true },
	{ "delete", { QUEUE_DELETE }, QUEUE_STATE_COUNT, false },
};

static void
wish(struct rig *r, uint64_t id, const struct wish_row *w)
{
	struct answer_count count;
	struct queue_item item;
	struct op_queue_action op = { .actor = { .name = STR("admin:ann") },
		                      .ids = &id,
		                      .ids_count = 1,
		                      .now_ms = clock_unix_ms() };

	for (size_t i = 0; i < ARRAY_LEN(w->verbs) && w->verbs[i]; i++) {
		op.verb = w->verbs[i];
		CHECK_ERR_EQ(rig_queue_action(r, &op, &count), OK, w->what);
		CHECK_U64_EQ(count.count, i || op.verb != QUEUE_RETRY, w->what);
		CHECK_ERR_EQ(reader_queue_item(r->reader, id, r->arena, &item), OK,
		             w->what);
		CHECK_U64_EQ(item.state, QUEUE_ACTIVE, "still tried");
		CHECK_ERR_EQ(rig_queue_action(r, &op, &count), OK, w->what);
		CHECK_U64_EQ(count.count, 0, "wished already");
	}
}

/* The row comes back from the process that tried it, or because that one died. */
static void
test_wish(const struct wish_row *w, bool is_dead)
{
	struct rig r;
	struct answer_queue claimed;
	struct answer_count count;
	struct queue_item item;
	struct op_queue_release release = { clock_unix_ms() };
	uint64_t id;

	rig_open(&r);
	id = enqueue(&r, "x@example.net", "example.net", 0);
	CHECK_ERR_EQ(claim(&r, "", &claimed), OK, w->what);
	wish(&r, id, w);
	if (is_dead) {
		another_client(&r);
		CHECK_ERR_EQ(rig_queue_release(&r, &release, &count), OK, w->what);
		CHECK_U64_EQ(count.count, 1, w->what);
	} else {
		CHECK_ERR_EQ(result(&r, id, OUTCOME_DEFERRED, 0), OK, w->what);
	}
	if (w->state == QUEUE_STATE_COUNT) {
		CHECK_ERR_EQ(reader_queue_item(r.reader, id, r.arena, &item),
		             ERR_NOT_FOUND, w->what);
	} else {
		CHECK_ERR_EQ(reader_queue_item(r.reader, id, r.arena, &item), OK,
		             w->what);
		CHECK_U64_EQ(item.state, w->state, w->what);
		CHECK_U64_EQ(item.wish, 0, "the wish is granted");
		CHECK_TRUE((item.expires_ms == QUEUE_SENT_BACK) == w->is_sent_back,
		           w->what);
	}
	rig_close(&r);
}

static void
test_wishes(void)
{
	for (size_t i = 0; i < ARRAY_LEN(wishes); i++) {
		test_wish(&wishes[i], false);
		test_wish(&wishes[i], true);
	}
}

/* What was taken or tried while the clock was ahead waits as long as it was to, once a
   queue process starts by the right clock; what a person put off for long stays so. */
static void
test_future(void)
{
	enum { DAYS_MS = 10 * 86400 * 1000, PAUSE_MS = 300 * 1000 };
	struct rig r;
	struct answer_queue claimed;
	struct answer_count count;
	struct queue_item item;
	int64_t now_ms = clock_unix_ms(), ahead_ms = now_ms + DAYS_MS;
	struct op_queue_claim op = { .limit = 10, .lease_ms = LEASE_MS };
	uint64_t tried, put_off;

	rig_open(&r);
	tried = enqueue(&r, "x@example.net", "example.net", 0);
	put_off = enqueue(&r, "y@example.net", "example.net", ahead_ms);
	op.ids = &tried;
	op.ids_count = 1;
	op.now_ms = ahead_ms;
	op.is_attempt = true;
	CHECK_ERR_EQ(rig_queue_claim(&r, &op, &claimed), OK, "claim ahead");
	CHECK_U64_EQ(claimed.items_count, 1, "one");
	CHECK_ERR_EQ(result(&r, tried, OUTCOME_DEFERRED, ahead_ms + PAUSE_MS), OK,
	             "deferred ahead");
	another_client(&r);
	CHECK_ERR_EQ(rig_queue_release(&r, &(struct op_queue_release){ now_ms }, &count),
	             OK, "release");
	CHECK_ERR_EQ(reader_queue_item(r.reader, tried, r.arena, &item), OK, "tried");
	CHECK_I64_EQ(item.due_ms, now_ms + PAUSE_MS, "waits its pause");
	CHECK_I64_EQ(item.last_attempt_ms, now_ms, "tried no later than now");
	CHECK_U64_EQ(item.attempts, 1, "tries are kept");
	CHECK_ERR_EQ(reader_queue_item(r.reader, put_off, r.arena, &item), OK, "put off");
	CHECK_I64_EQ(item.due_ms, ahead_ms, "stays put off");
	rig_close(&r);
}

/* What the next hop took is gone, whatever was wished meanwhile. */
static void
test_wish_too_late(void)
{
	struct rig r;
	struct answer_queue claimed;
	struct answer_count count;
	struct queue_item item;
	uint64_t id;
	struct op_queue_action op = { .actor = { .name = STR("admin:ann") },
		                      .ids = &id,
		                      .ids_count = 1,
		                      .verb = QUEUE_HOLD };

	rig_open(&r);
	id = enqueue(&r, "x@example.net", "example.net", 0);
	CHECK_ERR_EQ(claim(&r, "", &claimed), OK, "claim");
	op.now_ms = clock_unix_ms();
	CHECK_ERR_EQ(rig_queue_action(&r, &op, &count), OK, "hold");
	CHECK_ERR_EQ(result(&r, id, OUTCOME_DELIVERED, 0), OK, "delivered");
	CHECK_ERR_EQ(reader_queue_item(r.reader, id, r.arena, &item), ERR_NOT_FOUND,
	             "gone");
	CHECK_ERR_EQ(rig_queue_action(&r, &op, &count), OK, "hold what is gone");
	CHECK_U64_EQ(count.count, 0, "nothing done");
	rig_close(&r);
}

/* The bounce and its notification are one transaction. */
static void
test_notification(void)
{
	struct rig r;
	struct answer_queue claimed;
	struct answer_accept answer;
	struct id trace = id_new("mtr_");
	struct accept_rcpt rcpt = { .kind = RCPT_LOCAL, .rcpt = STR("ann@example.org") };
	struct op_accept dsn = { .trace_id = id_str(&trace),
		                 .direction = TRACE_OWN,
		                 .rcpts = &rcpt,
		                 .rcpts_count = 1 };
	struct queue_outcome_row row = { .outcome = OUTCOME_BOUNCED, .class = STR("x") };
	struct op_queue_result op = { .rows = &row,
		                      .rows_count = 1,
		                      .notifications = &dsn,
		                      .notifications_count = 1 };
	struct queue_item item;

	rig_open(&r);
	rcpt.account_id = rig_account(&r);
	row.id = enqueue(&r, "x@example.net", "example.net", 0);
	op.now_ms = clock_unix_ms();
	CHECK_ERR_EQ(claim(&r, "", &claimed), OK, "claim");
	CHECK_ERR_EQ(rig_body(&r, text), OK, "body");
	dsn.body = r.body;
	rcpt.account_id++;
	CHECK_ERR_EQ(rig_queue_result(&r, &op, &answer), ERR_NO_SUCH_USER,
	             "nobody to tell");
	CHECK_ERR_EQ(reader_queue_item(r.reader, row.id, r.arena, &item), OK,
	             "so it is not bounced either");
	rcpt.account_id--;
	CHECK_ERR_EQ(rig_queue_result(&r, &op, &answer), OK, "bounced and told");
	CHECK_U64_EQ(answer.results_count, 1, "one told");
	CHECK_U64_EQ(answer.results[0].uid, 1, "in the inbox");
	CHECK_ERR_EQ(reader_queue_item(r.reader, row.id, r.arena, &item), ERR_NOT_FOUND,
	             "gone");
	rig_close(&r);
}

static bool
count_item(void *arg, const struct queue_item *item)
{
	(void)item;
	++*(uint64_t *)arg;
	return true;
}

struct order {
	char text[64];
	struct strbuf b;
	uint64_t last;
};

static bool
take_order(void *arg, const struct queue_item *item)
{
	struct order *o = arg;

	strbuf_add(&o->b, str_first(item->rcpt, 1));
	o->last = item->id;
	return true;
}

/* Each order there and back, whole and from the middle on. */
static void
test_orders(void)
{
	static const struct {
		const char *what;
		enum queue_sort sort;
		bool is_down;
		const char *whole;
	} rows[] = {
		{ "age", QUEUE_BY_AGE, false, "xyz" },
		{ "age, down", QUEUE_BY_AGE, true, "zyx" },
		{ "next", QUEUE_BY_NEXT, false, "zxy" },
		{ "next, down", QUEUE_BY_NEXT, true, "yxz" },
		{ "size: all alike", QUEUE_BY_SIZE, false, "xyz" },
		{ "size, down", QUEUE_BY_SIZE, true, "zyx" },
		{ "attempts: all alike", QUEUE_BY_ATTEMPTS, false, "xyz" },
		{ "domain", QUEUE_BY_DOMAIN, false, "yzx" },
		{ "domain, down", QUEUE_BY_DOMAIN, true, "xzy" },
	};
	int64_t now_ms = clock_unix_ms() + 3600000;
	struct rig r;

	rig_open(&r);
	(void)enqueue(&r, "x@example.net", "example.net", now_ms + 2000);
	(void)enqueue(&r, "y@example.com", "example.com", now_ms + 3000);
	(void)enqueue(&r, "z@example.com", "example.com", now_ms + 1000);
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct queue_query query = { .sort = rows[i].sort,
			                     .is_down = rows[i].is_down };
		struct order o = { .last = 0 };

		o.b = strbuf_on(o.text);
		CHECK_ERR_EQ(reader_queue(r.reader, &query, 10, take_order, &o), OK,
		             rows[i].what);
		CHECK_STR_EQ(strbuf_str(&o.b), str_from(rows[i].whole), rows[i].what);
	}
	rig_close(&r);
}

struct count {
	char last[64];
	size_t n, in_order;
};

static bool
count_order(void *arg, const struct queue_item *item)
{
	struct count *c = arg;
	struct str last = str_from(c->last);

	c->in_order += str_cmp(last, item->domain) < 0;
	c->n++;
	(void)snprintf(c->last, sizeof(c->last), "%.*s", STR_ARG(item->domain));
	return true;
}

/* More rows than are sorted at first. */
static void
test_long_order(void)
{
	enum { ROWS = 900 };
	static char names[ROWS][32], rcpts[ROWS][32];
	static struct accept_rcpt to[ROWS];
	struct id trace = id_new("mtr_");
	struct op_accept op = { .trace_id = id_str(&trace),
		                .direction = TRACE_OUT,
		                .sender = STR("ann@example.org"),
		                .due_ms = clock_unix_ms() + 3600000,
		                .expires_ms = clock_unix_ms() + 86400000,
		                .rcpts = to,
		                .rcpts_count = ROWS };
	struct queue_query query = { .sort = QUEUE_BY_DOMAIN };
	struct count c = { .n = 0 };
	struct answer_accept answer;
	struct rig r;

	rig_open(&r);
	for (size_t i = 0; i < ROWS; i++) {
		(void)snprintf(names[i], sizeof(names[i]), "d%03zu.example", ROWS - i);
		(void)snprintf(rcpts[i], sizeof(rcpts[i]), "x@%s", names[i]);
		to[i] = (struct accept_rcpt){ .kind = RCPT_REMOTE,
			                      .rcpt = str_from(rcpts[i]),
			                      .domain = str_from(names[i]),
			                      .notify = NOTIFY_FAILURE };
	}
	CHECK_ERR_EQ(rig_body(&r, text), OK, "body");
	op.body = r.body;
	op.body.prefix_len = 32;
	CHECK_ERR_EQ(rig_accept(&r, &op, &answer), OK, "accepted");
	CHECK_ERR_EQ(reader_queue(r.reader, &query, 100000, count_order, &c), OK, "all");
	CHECK_U64_EQ(c.n, ROWS, "each once");
	CHECK_U64_EQ(c.in_order, ROWS, "in order");
	c = (struct count){ .n = 0 };
	CHECK_ERR_EQ(reader_queue(r.reader, &query, 700, count_order, &c), OK, "some");
	CHECK_U64_EQ(c.n, 700, "as many as were asked for");
	rig_close(&r);
}

static void
test_lists(void)
{
	static const struct {
		const char *what;
		struct queue_query query;
		uint64_t found;
	} rows[] = {
		{ "all", { .state_mask = 0 }, 3 },
		{ "state", { .state_mask = 1 << QUEUE_HELD }, 0 },
		{ "domain", { .domain = STR_INIT("example.net") }, 2 },
		{ "recipient", { .rcpt = STR_INIT("x@example.net") }, 1 },
		{ "sender", { .sender = STR_INIT("ann@example.org") }, 3 },
		{ "part of a recipient", { .rcpt_part = STR_INIT("@example.n") }, 2 },
		{ "no pattern", { .rcpt_part = STR_INIT("x_example") }, 0 },
		{ "part of a sender", { .sender_part = STR_INIT("nn@") }, 3 },
		{ "of both",
		  { .sender_part = STR_INIT("ann"), .rcpt_part = STR_INIT("z") },
		  1 },
		{ "null sender", { .sender = STR_INIT("<>") }, 0 },
		{ "age", { .created_before_ms = 1 }, 0 },
	};
	struct rig r;

	rig_open(&r);
	(void)enqueue(&r, "x@example.net", "example.net", 0);
	(void)enqueue(&r, "y@example.net", "example.net", clock_unix_ms() + 3600000);
	(void)enqueue(&r, "z@example.com", "example.com", clock_unix_ms() + 3600000);
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		uint64_t n = 0;

		CHECK_ERR_EQ(reader_queue(r.reader, &rows[i].query, 10, count_item, &n),
		             OK, rows[i].what);
		CHECK_U64_EQ(n, rows[i].found, rows[i].what);
		CHECK_ERR_EQ(reader_queue_count(r.reader, &rows[i].query, 10, &n), OK,
		             rows[i].what);
		CHECK_U64_EQ(n, rows[i].found, rows[i].what);
	}
	rig_close(&r);
}

/* Over limits.queue_messages new mail to other servers is put off. */
static void
test_limit(void)
{
	struct rig r;
	struct id trace = id_new("mtr_");
	struct accept_rcpt to[] = { { .kind = RCPT_REMOTE,
		                      .rcpt = STR("a@example.net"),
		                      .domain = STR("example.net") } };
	struct op_accept op = { .trace_id = id_str(&trace),
		                .direction = TRACE_OUT,
		                .expires_ms = INT64_MAX,
		                .rcpts = to,
		                .rcpts_count = 1 };

	rig_open(&r);
	r.conf->limits.queue_messages = 2;
	store_server_reload(r.server, r.conf);
	(void)enqueue(&r, "x@example.net", "example.net", 0);
	(void)enqueue(&r, "y@example.net", "example.net", 0);
	CHECK_ERR_EQ(rig_body(&r, text), OK, "body");
	op.body = r.body;
	CHECK_ERR_EQ(rig_accept(&r, &op, NULL), ERR_DISK_FULL, "the third");
	rig_close(&r);
}

/* --- turns ------------------------------------------------------------------------ */

enum {
	FLOOD = 100,
	CLAIM = 10,
	SHARERS = 100, /* more than one claim asks */
};

/* Rows as they lie on disk, of this sharer, due one after the other. */
static void
put_rows(struct db *db, uint64_t first, size_t n, const char *sharer, int64_t due_ms)
{
	CHECK_ERR_EQ(db_begin(db, DB_WRITE), OK, "begin");
	for (size_t i = 0; i < n; i++)
		CHECK_ERR_EQ(db_run(db,
		                    "INSERT INTO queue (id, due_ms, domain, sharer)"
		                    " VALUES ($1, $2, 'example.net', $3)",
		                    VALUES(V_I(first + i), V_I(due_ms + (int64_t)i),
		                           V_S(str_from(sharer)))),
		             OK, "row");
	CHECK_ERR_EQ(db_commit(db), OK, "commit");
}

/* How many of a claim are not of the flood, and how many it has in all. */
static size_t
claimed_of_others(struct rig *r, size_t *all_out)
{
	struct answer_queue claimed;
	size_t n = 0;

	CHECK_ERR_EQ(claim(r, "", &claimed), OK, "claim");
	for (size_t i = 0; i < claimed.items_count; i++)
		n += !str_eq(claimed.items[i].sharer, STR("flood@example.org"));
	*all_out = claimed.items_count;
	return n;
}

static struct db *
open_index(struct rig *r)
{
	struct db *db = NULL;

	CHECK_ERR_EQ(
		db_open(arena_printf(r->arena, "%s/index.db", r->dir).p, DB_WRITE, &db),
		OK, "index");
	return db;
}

/* Whoever has much due is in nobody's way, nor are those who have nothing due. */
static void
test_turns(void)
{
	struct rig r;
	struct db *db;
	size_t all, found = 0;
	char name[32];

	rig_open(&r);
	db = open_index(&r);
	put_rows(db, 1, FLOOD, "flood@example.org", 1000);
	put_rows(db, 1000, 1, "kim@example.org", 2000);
	CHECK_U64_EQ(claimed_of_others(&r, &all), 1, "with the first claim");
	CHECK_U64_EQ(all, CLAIM, "which is full");
	put_rows(db, 1001, 1, "", 2000);
	put_rows(db, 1002, 1, "alan@example.org", 2000);
	for (size_t i = 0; i < SHARERS; i++) {
		(void)snprintf(name, sizeof(name), "b%d@example.org", (int)i);
		put_rows(db, 2000 + i, 1, name, clock_unix_ms() + 3600000);
	}
	for (int i = 0; i < 4; i++) {
		found += claimed_of_others(&r, &all);
		CHECK_U64_EQ(all, CLAIM, "full as well");
	}
	CHECK_U64_EQ(found, 2, "each once, soon");
	for (int i = 0; i < FLOOD && all; i++)
		(void)claimed_of_others(&r, &all);
	CHECK_U64_EQ(all, 0, "nothing is left that is due");
	db_close(&db);
	rig_close(&r);
}

/* With a hundred thousand rows no walk over them is hidden in a claim. */
static void
test_turns_are_indexed(void)
{
	static const char *const queries[] = {
		"SELECT sharer FROM queue WHERE " QUEUE_WAITS
		" AND sharer > $1 ORDER BY sharer LIMIT 1",
		"SELECT id FROM queue WHERE " QUEUE_WAITS
		" AND sharer = $1 AND due_ms <= 1 ORDER BY due_ms, id LIMIT 8",
	};
	struct rig r;
	struct db *db;

	rig_open(&r);
	db = open_index(&r);
	for (size_t i = 0; i < ARRAY_LEN(queries); i++) {
		struct stmt *s = db_query(
			db, arena_printf(r.arena, "EXPLAIN QUERY PLAN %s", queries[i]).p,
			VALUES(V_S(STR("a"))));

		CHECK_TRUE(db_next(s), "a plan");
		CHECK_TRUE(str_starts(db_str(s, 3), STR("SEARCH queue USING ")) &&
		                   str_find_str(db_str(s, 3), STR("INDEX queue_turn")) !=
		                           SIZE_MAX,
		           db_str(s, 3).p);
		CHECK_TRUE(!db_next(s), "of one step");
		CHECK_ERR_EQ(db_done(db, &s), OK, "done");
	}
	db_close(&db);
	rig_close(&r);
}

SUITE(store_queue, { "limit", test_limit }, { "whose share", test_whose_share },
      { "from accept to delivered", test_life }, { "claim by id", test_claim_by_id },
      { "leases", test_leases }, { "actions", test_actions }, { "wishes", test_wishes },
      { "wish_too_late", test_wish_too_late }, { "future", test_future },
      { "bounce and notification", test_notification }, { "lists", test_lists },
      { "orders", test_orders }, { "long order", test_long_order },
      { "turns", test_turns }, { "turns are indexed", test_turns_are_indexed });
