/* Claimed rows become jobs: which go together, which are never tried, who is served. */
#include "relay/relay_priv.h"

#include "base/clock.h"
#include "relay/relay_jobs.h"
#include "relay/relay_result.h"
#include "tests/unit/check.h"

enum {
	ROWS = 8,
};

struct rig {
	struct conf *conf;
	struct relay relay;
};

static void
no_error(void *arg, const struct diag *diag)
{
	(void)arg;
	(void)diag;
	CHECK_TRUE(false, "the configuration is good");
}

static void
rig_open(struct rig *rig)
{
	static const char text[] = "hostname: mail.example.org\n"
				   "data_dir: /nonexistent\n"
				   "run_dir: /nonexistent\n"
				   "listen: {smtp: [\"127.0.0.1:0\"]}\n"
				   "limits: {delivery_rcpt_transaction: 3}\n";
	struct relay *r = &rig->relay;

	*rig = (struct rig){ .relay.magic = RELAY_MAGIC };
	CHECK_ERR_EQ(conf_parse(str_from(text), "rig.yaml", no_error, NULL, &rig->conf),
	             OK, "conf");
	r->loop = loop_new();
	r->conf = rig->conf;
	r->dests = map_new();
	r->shares = queue_shares_new();
	queue_clock_init(&r->clock, clock_unix_ms(), clock_mono_ms());
	list_init(&r->dest_list);
	list_init(&r->waiting);
	list_init(&r->reports);
	list_init(&r->telling);
	list_init(&r->results);
	list_init(&r->batches);
}

static void
rig_close(struct rig *rig)
{
	struct relay *r = &rig->relay;

	relay_dispatch_cancel(r);
	relay_results_free(r);
	relay_dests_free(r);
	CHECK_U64_EQ(r->rows, 0, "no row is left");
	map_free(&r->dests);
	queue_shares_free(&r->shares);
	loop_free(&r->loop);
	conf_free(&rig->conf);
}

/* A row that is due, of message `message` to x@domain. */
static struct queue_item
item(uint64_t id, uint64_t message, const char *domain)
{
	return (struct queue_item){ .id = id,
		                    .message_id = message,
		                    .trace_id = STR("mtr_0123456789abcdef"),
		                    .rcpt = STR("x@example.net"),
		                    .domain = str_from(domain),
		                    .created_ms = clock_unix_ms(),
		                    .due_ms = clock_unix_ms(),
		                    .expires_ms = clock_unix_ms() + 86400000 };
}

static size_t
count(const struct link *list)
{
	size_t n = 0;

	LIST_EACH(list, l)
	n++;
	return n;
}

static const struct relay_job *
job_at(const struct link *list, size_t i)
{
	const struct link *l = list->next;

	while (i--)
		l = l->next;
	return CONTAINER_OF(l, struct relay_job, link);
}

static void
test_one_job_for_one_message(void)
{
	struct rig rig;
	struct relay_dest *net, *com;
	struct queue_item items[ROWS] = {
		item(1, 1, "example.net"), item(2, 1, "example.net"),
		item(3, 1, "example.net"), item(4, 1, "example.net"),
		item(5, 2, "example.net"), item(6, 2, "example.com"),
		item(7, 3, "example.net"), item(8, 3, "example.net"),
	};

	rig_open(&rig);
	items[7].forward_domain = STR("example.org");
	relay_take(&rig.relay, items, ROWS, true);
	net = relay_dest_get(&rig.relay, STR("example.net"));
	com = relay_dest_get(&rig.relay, STR("example.com"));
	CHECK_U64_EQ(count(&com->jobs), 1, "another destination");
	if (CHECK_U64_EQ(count(&net->jobs), 5, "jobs")) {
		static const size_t rows[] = { 3, 1, 1, 1, 1 };

		for (size_t i = 0; i < ARRAY_LEN(rows); i++)
			CHECK_U64_EQ(job_at(&net->jobs, i)->count, rows[i],
			             "as many as one transaction takes, of one message, "
			             "sent on by one alias or none");
		CHECK_TRUE(job_at(&net->jobs, 0)->is_counted, "the attempt");
	}
	CHECK_U64_EQ(rig.relay.rows, ROWS, "rows in memory");
	CHECK_U64_EQ(net->job_rows, 7, "that wait there");
	rig_close(&rig);
}

/* Nothing is dialled for them, and each has its own reason. */
static void
test_rows_that_go_back(void)
{
	struct rig rig;
	struct queue_item items[3] = {
		item(1, 1, "example.net"),
		item(2, 1, "example.net"),
		item(3, 1, "example.net"),
	};

	rig_open(&rig);
	items[1].expires_ms = QUEUE_LOOPS;
	items[2].expires_ms = QUEUE_SENT_BACK;
	relay_take(&rig.relay, items, 3, true);
	CHECK_U64_EQ(relay_dest_get(&rig.relay, STR("example.net"))->job_rows, 1,
	             "waits");
	if (CHECK_U64_EQ(count(&rig.relay.results), 2, "results")) {
		const struct relay_row *loops = job_at(&rig.relay.results, 0)->rows;
		const struct relay_row *back = job_at(&rig.relay.results, 1)->rows;

		CHECK_U64_EQ(loops->item.id, 2, "the one that loops");
		CHECK_U64_EQ(loops->attempt, ATTEMPT_PERM, "for good");
		CHECK_U64_EQ(loops->reason, REASON_LOOP, "because of that");
		CHECK_U64_EQ(back->item.id, 3, "the one somebody sends back");
		CHECK_U64_EQ(back->attempt, ATTEMPT_RETURNED, "without a try");
		CHECK_U64_EQ(loops->decision.fate, FATE_BOUNCED, "both");
		CHECK_U64_EQ(back->decision.fate, FATE_BOUNCED, "both");
	}
	rig_close(&rig);
}

/* All of one message are told of in one notification, however it went to them; it waits
   for no destination. */
static void
test_receipts(void)
{
	struct rig rig;
	struct queue_item items[ROWS];

	rig_open(&rig);
	for (size_t i = 0; i < ROWS; i++) {
		items[i] = item(i + 1, i < 6 ? 1 : 2, RECEIPTS_DOMAIN);
		items[i].expires_ms = i == 5 ? QUEUE_EXPANDED : QUEUE_IN_MAILBOX;
		/* Nobody is to be told here: making a notification needs a store. */
		items[i].notify = NOTIFY_FAILURE;
	}
	relay_take(&rig.relay, items, ROWS, true);
	CHECK_TRUE(list_is_empty(&rig.relay.dest_list), "no destination");
	if (CHECK_U64_EQ(count(&rig.relay.results), 2, "a job for each message")) {
		const struct relay_job *first = job_at(&rig.relay.results, 0);

		CHECK_U64_EQ(first->count, 6, "more than one transaction sends");
		for (size_t i = 0; i < first->count; i++) {
			CHECK_U64_EQ(first->rows[i].attempt,
			             i == 5 ? ATTEMPT_EXPANDED : ATTEMPT_IN_MAILBOX,
			             "what happened");
			CHECK_U64_EQ(first->rows[i].decision.fate, FATE_DELIVERED,
			             "it is done");
		}
		CHECK_U64_EQ(job_at(&rig.relay.results, 1)->count, 2, "the other");
	}
	rig_close(&rig);
}

static void
test_a_paused_destination(void)
{
	struct rig rig;
	struct queue_item items[2] = { item(1, 1, "example.net"),
		                       item(2, 2, "example.net") };
	struct relay_dest *d;

	rig_open(&rig);
	relay_take(&rig.relay, items, 1, false);
	d = relay_dest_get(&rig.relay, STR("example.net"));
	relay_dest_failed(d, REASON_CONNECT_REFUSED);
	CHECK_U64_EQ(count(&d->jobs), 0, "nobody waits there");
	relay_take(&rig.relay, items + 1, 1, false);
	CHECK_U64_EQ(count(&d->jobs), 0, "nor begins to");
	if (CHECK_U64_EQ(count(&rig.relay.results), 2, "they go back")) {
		for (size_t i = 0; i < 2; i++) {
			const struct relay_row *row = job_at(&rig.relay.results, i)->rows;

			CHECK_TRUE(row->is_returned && !row->is_done, "untried");
			CHECK_TRUE(row->decision.due_ms > clock_unix_ms(), "for later");
		}
	}
	CHECK_TRUE(relay_is_troubled(&rig.relay), "so claims are no attempts");
	rig_close(&rig);
}

static void
test_put_back(void)
{
	struct rig rig;
	struct queue_item items[2] = { item(1, 1, "example.net"),
		                       item(2, 2, "example.net") };
	struct relay_dest *d;
	struct relay_job *job;

	rig_open(&rig);
	relay_take(&rig.relay, items, 2, true);
	d = relay_dest_get(&rig.relay, STR("example.net"));
	job = relay_job_next(d);
	CHECK_U64_EQ(job->rows[0].item.id, 1, "the first");
	CHECK_U64_EQ(d->job_rows, 1, "taken");
	relay_job_put_back(job);
	CHECK_U64_EQ(relay_job_first(d)->rows[0].item.id, 1, "first again");
	CHECK_U64_EQ(d->job_rows, 2, "both");
	relay_return_all(&rig.relay);
	CHECK_U64_EQ(count(&d->jobs), 0, "all go back when the process stops");
	CHECK_U64_EQ(count(&rig.relay.results), 2, "to the store");
	rig_close(&rig);
}

/* Who comes behind many of one sharer is served after the first of them. */
static void
test_rounds(void)
{
	static const uint64_t order[] = { 1, 4, 7, 2, 5, 3, 6, 8 };
	struct rig rig;
	struct queue_item items[ROWS];
	struct relay_dest *d;

	rig_open(&rig);
	for (size_t i = 0; i < ROWS; i++) {
		items[i] = item(i + 1, i + 1, "example.net");
		items[i].sharer = STR("flood@example.org");
	}
	items[3].sharer = items[4].sharer = STR("kim@example.org");
	items[6].sharer = STR("pat@example.org");
	relay_take(&rig.relay, items, ROWS - 1, true);
	d = relay_dest_get(&rig.relay, STR("example.net"));
	for (size_t i = 0; i < ROWS; i++) {
		struct relay_job *job = relay_job_next(d);

		CHECK_U64_EQ(job->rows[0].item.id, order[i], "its turn");
		relay_job_free(&job);
		if (i == 2) /* one more of who was served just now, by rounds the last */
			relay_take(&rig.relay, items + ROWS - 1, 1, true);
	}
	CHECK_U64_EQ(d->job_rows, 0, "all served");
	rig_close(&rig);
}

/* By rounds the first in the line need not be the oldest: a lease must outlive the wait. */
static void
test_waits_too_long(void)
{
	struct rig rig;
	struct queue_item items[3];
	struct relay_dest *d;
	struct relay_job *last;

	rig_open(&rig);
	for (size_t i = 0; i < 3; i++) {
		items[i] = item(i + 1, i + 1, "example.net");
		items[i].sharer = i ? STR("flood@example.org") : STR("kim@example.org");
	}
	relay_take(&rig.relay, items, 3, true);
	d = relay_dest_get(&rig.relay, STR("example.net"));
	last = CONTAINER_OF(d->jobs.prev, struct relay_job, link);
	last->since_ms -= RELAY_WAIT_MAX_MS + 1;
	relay_sweep(&rig.relay);
	CHECK_U64_EQ(count(&d->jobs), 2, "the others wait");
	if (CHECK_U64_EQ(count(&rig.relay.results), 1, "goes back"))
		CHECK_U64_EQ(job_at(&rig.relay.results, 0)->rows[0].item.id, 3,
		             "the oldest");
	rig_close(&rig);
}

/* That the first in the line has just come says nothing of how long the others wait. */
static void
test_congestion(void)
{
	enum {
		FLOOD_ROWS = RELAY_CONGESTED_ROWS + 8,
	};
	struct queue_item items[FLOOD_ROWS];
	struct relay_dest *net;
	struct rig rig;

	rig_open(&rig);
	for (size_t i = 0; i < FLOOD_ROWS; i++)
		items[i] = item(i + 1, i + 1, "example.net");
	relay_take(&rig.relay, items, FLOOD_ROWS, true);
	net = relay_dest_get(&rig.relay, STR("example.net"));
	CHECK_TRUE(!relay_is_troubled(&rig.relay), "many, but not for long");
	LIST_EACH(&net->jobs, l)
	{
		if (l != net->jobs.next)
			CONTAINER_OF(l, struct relay_job, link)->since_ms -=
				2 * RELAY_CONGESTED_MS;
	}
	CHECK_TRUE(relay_is_troubled(&rig.relay), "long and slow");
	relay_sweep(&rig.relay);
	CHECK_TRUE(net->job_rows < RELAY_CONGESTED_ROWS, "only so many stay in memory");
	rig_close(&rig);
}

SUITE(relay_jobs, { "congestion", test_congestion },
      { "one job for one message", test_one_job_for_one_message },
      { "rows that go back", test_rows_that_go_back }, { "receipts", test_receipts },
      { "a paused destination", test_a_paused_destination },
      { "put back", test_put_back }, { "rounds", test_rounds },
      { "waits too long", test_waits_too_long });
