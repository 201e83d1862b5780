#include "store/ops.h"

#include "base/clock.h"
#include "base/ids.h"
#include "tests/unit/check.h"
#include "tests/unit/store/rig.h"

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
	CHECK_ERR_EQ(reader_message(r.reader, claimed.items[0].message_id, WANT_REF,
	                            r.arena, &(struct message){ 0 }),
	             ERR_NOT_FOUND, "and its message");
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

static bool
take_domain(void *arg, const struct queue_domain *d)
{
	*(struct queue_domain *)arg = *d;
	return false;
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
		{ "null sender", { .sender = STR_INIT("<>") }, 0 },
		{ "age", { .created_before_ms = 1 }, 0 },
	};
	struct rig r;
	struct queue_domain d = { 0 };

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
	CHECK_ERR_EQ(reader_queue_domains(r.reader,
	                                  &(struct queue_domain_query){
						  clock_unix_ms(), true, STR(""), 10 },
	                                  take_domain, &d),
	             OK, "due");
	CHECK_U64_EQ(d.waiting, 2, "waiting");
	CHECK_U64_EQ(d.due, 1, "due");
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

SUITE(store_queue, { "limit", test_limit }, { "from accept to delivered", test_life },
      { "claim by id", test_claim_by_id }, { "leases", test_leases },
      { "actions", test_actions }, { "wishes", test_wishes },
      { "wish_too_late", test_wish_too_late }, { "future", test_future },
      { "bounce and notification", test_notification }, { "lists", test_lists });
