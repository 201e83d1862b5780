/* Receipts: rows of the queue that tell a sender what the same transaction delivered. */
#include "store/ops.h"

#include "base/clock.h"
#include "base/ids.h"
#include "tests/unit/check.h"
#include "tests/unit/store/rig.h"

static const struct str text = STR_INIT("Return-Path: <kim@example.com>\r\n"
                                        "Subject: In\r\n\r\nHello\r\n");

enum {
	RECEIPTS = 2, /* behind the one mailbox */
	LEASE_MS = 60000,
};

/* A message into Ann's mailbox, whose sender wants to hear of it twice. */
static struct op_accept
receipts_op(struct rig *r, uint64_t ann, const struct id *trace, struct accept_rcpt *to)
{
	to[0] = (struct accept_rcpt){ .kind = RCPT_LOCAL,
		                      .rcpt = STR("ann@example.org"),
		                      .account_id = ann,
		                      .notify = NOTIFY_SUCCESS };
	to[1] = (struct accept_rcpt){ .kind = RCPT_RECEIPT,
		                      .rcpt = STR("shop@example.org"),
		                      .notify = NOTIFY_SUCCESS,
		                      .orcpt = STR("rfc822;Shop@example.org") };
	to[2] = (struct accept_rcpt){ .kind = RCPT_RECEIPT,
		                      .rcpt = STR("team@example.org"),
		                      .notify = NOTIFY_SUCCESS,
		                      .is_expanded = true };
	CHECK_ERR_EQ(rig_body(r, text), OK, "body");
	return (struct op_accept){ .trace_id = id_str(trace),
		                   .direction = TRACE_IN,
		                   .sender = STR("kim@example.com"),
		                   .envid = STR("Q+2B"),
		                   .all_or_none = true,
		                   .body = r->body,
		                   .rcpts = to,
		                   .rcpts_count = 1 + RECEIPTS };
}

static uint64_t
rows_in_queue(struct rig *r)
{
	struct queue_query all = { .sort = QUEUE_BY_AGE };
	uint64_t rows = 0;

	CHECK_ERR_EQ(reader_queue_count(r->reader, &all, 10, &rows), OK, "count");
	return rows;
}

static bool
count_dropped(void *arg, const struct trace_event *e)
{
	uint64_t *n = arg;

	*n += str_eq(e->name, STR("message.dsn.dropped"));
	return true;
}

static uint64_t
dropped_in_log(struct rig *r, const struct id *trace)
{
	uint64_t n = 0;

	for (int i = 0; i < 100 && n < RECEIPTS; i++) {
		rig_turn(r, 50);
		n = 0;
		(void)!trace_events(r->traces, id_str(trace), count_dropped, &n);
	}
	return n;
}

/* Mail and receipts are there together, or neither is. */
static void
test_receipts(void)
{
	struct rig r;
	struct id trace = id_new("mtr_");
	struct accept_rcpt to[1 + RECEIPTS];
	struct op_queue_claim claim = { .limit = 10, .lease_ms = LEASE_MS };
	struct queue_outcome_row told[RECEIPTS];
	struct op_queue_result done = { .rows = told, .rows_count = RECEIPTS };
	struct answer_queue claimed;
	struct answer_accept answer;
	struct op_accept op;
	uint64_t ann;

	rig_open(&r);
	ann = rig_account(&r);
	op = receipts_op(&r, ann, &trace, to);
	op.all_or_none = false;
	CHECK_ERR_EQ(rig_accept(&r, &op, &answer), OK, "one by one");
	CHECK_ERR_EQ(answer.results[1].error, ERR_INVALID, "nobody knows of the others");
	op = receipts_op(&r, ann, &trace, to);
	op.sender = str_from(NULL);
	CHECK_ERR_EQ(rig_accept(&r, &op, &answer), ERR_INVALID, "the null sender");
	op = receipts_op(&r, ann, &trace, to);
	to[0].account_id++;
	CHECK_ERR_EQ(rig_accept(&r, &op, &answer), ERR_NO_SUCH_USER, "no mailbox");
	CHECK_U64_EQ(rows_in_queue(&r), 0, "no receipts");
	op = receipts_op(&r, ann, &trace, to);
	CHECK_ERR_EQ(rig_accept(&r, &op, &answer), OK, "with a mailbox");
	CHECK_U64_EQ(answer.results[0].uid, 2, "in the inbox");
	claim.now_ms = clock_unix_ms() + 1000;
	CHECK_ERR_EQ(rig_queue_claim(&r, &claim, &claimed), OK, "due at once");
	if (CHECK_U64_EQ(claimed.items_count, RECEIPTS, "receipts")) {
		const struct queue_item *item = claimed.items;

		CHECK_I64_EQ(item[0].expires_ms, QUEUE_IN_MAILBOX, "which");
		CHECK_I64_EQ(item[1].expires_ms, QUEUE_EXPANDED, "which");
		CHECK_STR_EQ(item[0].domain, STR(RECEIPTS_DOMAIN), "where");
		CHECK_STR_EQ(item[0].rcpt, STR("shop@example.org"), "of whom");
		CHECK_STR_EQ(item[0].orcpt, STR("rfc822;Shop@example.org"), "orcpt");
		CHECK_STR_EQ(item[0].envid, STR("Q+2B"), "envid");
		CHECK_U64_EQ(item[0].message_id, item[1].message_id, "one message");
		for (size_t i = 0; i < RECEIPTS; i++)
			told[i] = (struct queue_outcome_row){ .id = item[i].id,
				                              .outcome =
				                                      OUTCOME_DELIVERED };
		done.now_ms = clock_unix_ms();
		CHECK_ERR_EQ(rig_queue_result(&r, &done, NULL), OK, "told");
		CHECK_U64_EQ(rows_in_queue(&r), 0, "both are gone");
	}
	rig_close(&r);
}

/* What a person may do to them. */
static void
test_actions_on_receipts(void)
{
	static const struct {
		const char *what;
		uint32_t verb;
		uint64_t count;
	} rows[] = {
		{ "nothing is sent back", QUEUE_BOUNCE, 0 },
		{ "held", QUEUE_HOLD, 1 },
		{ "nor from there", QUEUE_BOUNCE, 0 },
		{ "released", QUEUE_UNHOLD, 1 },
		{ "deleted", QUEUE_DELETE, 1 },
	};
	struct rig r;
	struct id trace = id_new("mtr_");
	struct accept_rcpt to[1 + RECEIPTS];
	struct answer_accept accepted;
	struct op_accept op;
	uint64_t ann;

	rig_open(&r);
	ann = rig_account(&r);
	op = receipts_op(&r, ann, &trace, to);
	CHECK_ERR_EQ(rig_accept(&r, &op, &accepted), OK, "accepted");
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct op_queue_action action = { .actor.name = STR("test"),
			                          .ids = &accepted.results[1].queue_id,
			                          .ids_count = 1,
			                          .verb = rows[i].verb,
			                          .now_ms = clock_unix_ms() };
		struct answer_count answer;

		CHECK_ERR_EQ(rig_queue_action(&r, &action, &answer), OK, rows[i].what);
		CHECK_U64_EQ(answer.count, rows[i].count, rows[i].what);
	}
	rig_close(&r);
}

/* Its own row may be the one too many: the mailbox has room, so the mail is taken, and
   the log says that the sender hears nothing. */
static void
test_no_room_for_receipts(void)
{
	static const struct str far = STR_INIT("example.net");
	struct rig r;
	struct id trace = id_new("mtr_");
	struct accept_rcpt to[1 + RECEIPTS];
	struct accept_rcpt remote = { .kind = RCPT_REMOTE,
		                      .rcpt = STR("kim@example.net"),
		                      .domain = far };
	struct answer_accept answer;
	struct op_accept op;
	uint64_t ann;

	rig_open(&r);
	ann = rig_account(&r);
	r.conf->limits.queue_messages = 1;
	store_server_reload(r.server, r.conf);
	op = receipts_op(&r, ann, &trace, to);
	op.expires_ms = INT64_MAX;
	op.rcpts = &remote;
	op.rcpts_count = 1;
	CHECK_ERR_EQ(rig_accept(&r, &op, &answer), OK, "the queue is full now");
	op = receipts_op(&r, ann, &trace, to);
	CHECK_ERR_EQ(rig_accept(&r, &op, &answer), OK, "taken");
	CHECK_U64_EQ(answer.results[0].uid, 1, "in the inbox");
	CHECK_U64_EQ(answer.results[1].queue_id, 0, "no receipt");
	CHECK_ERR_EQ(answer.results[1].error, ERR_DISK_FULL, "which is why");
	CHECK_U64_EQ(rows_in_queue(&r), 1, "nothing new in the queue");
	CHECK_U64_EQ(dropped_in_log(&r, &trace), RECEIPTS, "and the log says so");
	op = receipts_op(&r, ann, &trace, to);
	op.rcpts = &to[1];
	op.rcpts_count = RECEIPTS;
	CHECK_ERR_EQ(rig_accept(&r, &op, &answer), ERR_DISK_FULL, "news of nothing");
	op = receipts_op(&r, ann, &trace, to);
	to[1] = remote;
	op.expires_ms = INT64_MAX;
	CHECK_ERR_EQ(rig_accept(&r, &op, &answer), ERR_DISK_FULL, "mail still waits");
	rig_close(&r);
}

SUITE(store_receipt, { "no room for receipts", test_no_room_for_receipts },
      { "receipts", test_receipts }, { "actions on receipts", test_actions_on_receipts });
