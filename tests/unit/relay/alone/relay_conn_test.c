/* One connection and its jobs, without a socket, a store or a name server: each job is
 * counted before anything is dialled, goes to exactly one place, and a connection is used
 * again for what fits it and for no longer than both sides want.
 *
 * Bound to relay_conn.c alone: its neighbours are those below, a line of jobs that the
 * test fills and others that count. */
#include "relay/relay_conn.h"

#include "base/mem.h"
#include "base/panic.h"
#include "relay/relay_event.h"
#include "relay/relay_jobs.h"
#include "relay/relay_message.h"
#include "relay/relay_path.h"
#include "relay/relay_priv.h"
#include "relay/relay_result.h"
#include "relay/relay_talk.h"
#include "tests/unit/check.h"

static struct {
	struct relay relay;
	struct conf conf;
	struct conf_limits limits;
	struct relay_dest dest;
	struct relay_job jobs[2];
	struct relay_row rows[2];
	uint32_t demands[2];
	struct relay_conn *c;
	struct strbuf out;
	int64_t deadline_ms;
	size_t room;    /* what the server takes in the next transaction */
	size_t waiting; /* jobs of the line that are left */
	size_t attempts, paths, sends, quits, finished, freed, returned, dest_failed;
	store_queue_attempt_fn *counted;
	void *counted_arg;
	struct relay_finding finding; /* the last */
	char enhanced[16];
} t;

void
stream_free(struct stream **s)
{
	*s = NULL;
}

struct strbuf *
stream_output(struct stream *s)
{
	(void)s;
	return &t.out;
}

void
stream_flush_soon(struct stream *s)
{
	(void)s;
}

void
stream_deadline(struct stream *s, int64_t in_ms)
{
	(void)s;
	t.deadline_ms = in_ms;
}

void
smtp_client_free(struct smtp_client **c)
{
	*c = NULL;
}

enum smtp_client_next
smtp_client_quit(struct smtp_client *c, struct strbuf *out)
{
	(void)c;
	(void)out;
	t.quits++;
	return SMTP_CLIENT_NEXT_READ;
}

size_t
smtp_client_room(const struct smtp_client *c)
{
	(void)c;
	return t.room;
}

void
store_forget(struct store_client *c, uint64_t seq)
{
	(void)c;
	(void)seq;
}

uint64_t
store_queue_attempt(struct store_client *c, const struct op_queue_attempt *op,
                    store_queue_attempt_fn *done, void *arg)
{
	(void)c;
	CHECK_U64_EQ(op->ids_count, 1, "rows");
	t.attempts++;
	t.counted = done;
	t.counted_arg = arg;
	return t.attempts;
}

int64_t
relay_now(struct relay *r)
{
	(void)r;
	return 1000;
}

int64_t
relay_mono(const struct relay *r)
{
	(void)r;
	return 1000;
}

const struct conf_limits *
relay_limits(const struct relay *r)
{
	(void)r;
	return &t.limits;
}

void
relay_moved(struct relay *r)
{
	(void)r;
}

void
relay_dispatch_soon(struct relay *r)
{
	(void)r;
}

void
relay_path_start(struct relay_conn *c)
{
	(void)c;
	t.paths++;
}

void
relay_path_cancel(struct relay_conn *c)
{
	(void)c;
}

void
relay_message_close(struct relay_conn *c)
{
	(void)c;
}

void
relay_dest_failed(struct relay_dest *d, enum queue_reason reason)
{
	(void)d;
	(void)reason;
	t.dest_failed++;
}

void
relay_job_fail(struct relay_job *job, const struct relay_finding *finding)
{
	struct strbuf b = strbuf_on(t.enhanced);

	(void)job;
	t.finding = *finding;
	/* Its strings go with the connection. */
	strbuf_add(&b, finding->enhanced);
	t.finding.enhanced = strbuf_str(&b);
}

void
relay_job_finish(struct relay_job *job)
{
	CHECK(!job->conn);
	t.finished++;
}

void
relay_job_free(struct relay_job **job)
{
	*job = NULL;
	t.freed++;
}

void
relay_job_return(struct relay_job *job, int64_t due_ms)
{
	CHECK(!job->conn && due_ms >= 1000);
	t.returned++;
}

uint32_t
relay_job_demand(const struct relay_job *job)
{
	return t.demands[job - t.jobs];
}

struct str
relay_job_sharer(const struct relay_job *job)
{
	(void)job;
	return STR("kim");
}

const struct relay_job *
relay_job_first(const struct relay_dest *d)
{
	(void)d;
	return t.waiting ? &t.jobs[1] : NULL;
}

struct relay_job *
relay_job_next(struct relay_dest *d)
{
	(void)d;
	return t.waiting && t.waiting-- ? &t.jobs[1] : NULL;
}

void
relay_tell_attempt(const struct relay_conn *c, const struct relay_row *row)
{
	(void)c;
	(void)row;
}

void
relay_conn_send(struct relay_conn *c)
{
	(void)c;
	t.sends++;
}

/* ---- one connection -------------------------------------------------------------- */

/* Opened for the first job, whose attempt is asked to be counted. */
static void
begin(void)
{
	memset(&t, 0, sizeof(t));
	list_init(&t.relay.dest_list);
	list_init(&t.dest.conns);
	list_add_last(&t.relay.dest_list, &t.dest.link);
	t.relay.magic = RELAY_MAGIC;
	t.relay.shares = queue_shares_new();
	t.relay.conf = &t.conf;
	t.conf.hostname = STR("mail.example.org");
	t.dest.relay = &t.relay;
	t.dest.d.allowed = 1;
	t.limits.delivery_messages_connection = 3;
	t.limits.delivery_rcpt_transaction = 100;
	t.room = 100;
	for (size_t i = 0; i < ARRAY_LEN(t.jobs); i++)
		t.jobs[i] = (struct relay_job){ .relay = &t.relay,
			                        .arena = arena_new(4096),
			                        .rows = &t.rows[i],
			                        .count = 1 };
	relay_conn_open(&t.dest, &t.jobs[0]);
	CHECK(!list_is_empty(&t.dest.conns));
	t.c = CONTAINER_OF(t.dest.conns.next, struct relay_conn, link);
}

/* The dialogue stands and its first message is done. */
static void
begin_kept(void)
{
	begin();
	t.counted(t.counted_arg, OK, NULL);
	t.c->stream = (struct stream *)(void *)&t;
	t.c->client = (struct smtp_client *)(void *)&t;
	t.c->state = RELAY_WRITING;
	t.c->messages = 1;
}

static void
end(void)
{
	relay_conn_free_all(&t.relay);
	CHECK_U64_EQ(t.relay.conns, 0, "none is left");
	queue_shares_free(&t.relay.shares);
	for (size_t i = 0; i < ARRAY_LEN(t.jobs); i++)
		arena_free(&t.jobs[i].arena);
}

static void
test_counted_first(void)
{
	begin();
	CHECK_U64_EQ(t.attempts, 1, "asked");
	CHECK_U64_EQ(t.paths, 0, "nothing is looked for before");
	t.counted(t.counted_arg, OK, NULL);
	CHECK_U64_EQ(t.paths, 1, "now it is");
	CHECK_U64_EQ(t.rows[0].item.attempts, 1, "counted");
	CHECK_U64_EQ(t.attempts, 1, "once");
	end();
}

/* Whose lease is lost is somebody else's; what could not be counted comes back. */
static void
test_not_counted(void)
{
	for (unsigned is_lost = 0; is_lost < 2; is_lost++) {
		begin();
		t.counted(t.counted_arg, is_lost ? ERR_CONFLICT : ERR_IO, NULL);
		CHECK_U64_EQ(t.paths, 0, "nothing is dialled");
		CHECK_U64_EQ(t.freed, is_lost, "forgotten");
		CHECK_U64_EQ(t.returned, !is_lost, "given back");
		CHECK_U64_EQ(t.relay.conns, 0, "the connection is over");
		end();
	}
}

/* What is done over a connection whose job is done: the next one, at once. */
static void
test_reuse(void)
{
	begin_kept();
	t.waiting = 1;
	relay_conn_go_on(t.c);
	CHECK_TRUE(t.c->job == &t.jobs[1], "the next job");
	CHECK_U64_EQ(t.attempts, 2, "is counted too");
	t.counted(t.counted_arg, OK, NULL);
	CHECK_U64_EQ(t.sends, 1, "and goes over the same connection");
	CHECK_U64_EQ(t.paths, 1, "without a look for another");
	t.c->state = RELAY_WRITING;
	t.c->messages = 2;
	relay_conn_go_on(t.c);
	CHECK_TRUE(t.c->state == RELAY_IDLE && !t.c->job, "then it waits");
	CHECK_I64_EQ(t.deadline_ms, RELAY_IDLE_MS, "for a moment");
	CHECK_TRUE(relay_conn_idle(&t.dest, &t.jobs[1]) == t.c, "and is found");
	t.demands[1] = MESSAGE_TLS_REQUIRED;
	CHECK_TRUE(!relay_conn_idle(&t.dest, &t.jobs[1]), "by what fits only");
	end();
}

static void
test_no_reuse(void)
{
	enum { STOPS, NO_ROOM, ENOUGH, DEMAND, CASES };

	for (unsigned i = 0; i < CASES; i++) {
		begin_kept();
		t.waiting = 1;
		t.relay.is_stopping = i == STOPS;
		t.room = i == NO_ROOM ? 0 : 100;
		t.c->messages = i == ENOUGH ? 3 : 1;
		t.demands[1] = i == DEMAND ? MESSAGE_TLS_REQUIRED : 0;
		relay_conn_go_on(t.c);
		CHECK_TRUE(t.c->state == RELAY_LEAVING && !t.c->job, "it leaves");
		CHECK_U64_EQ(t.quits, 1, "politely");
		CHECK_I64_EQ(t.deadline_ms, RELAY_QUIT_MS, "and not for ever");
		CHECK_U64_EQ(t.waiting, 1, "the job stays in the line");
		end();
	}
}

/* No address is left: what a server said is the result, else why none was tried. */
static void
test_exhausted(void)
{
	begin();
	relay_conn_exhausted(t.c, ERR_DNS_TEMP, false);
	CHECK_ERR_EQ(t.finding.cause, ERR_DNS_TEMP, "why");
	CHECK_U64_EQ(t.finding.attempt, ATTEMPT_TEMP, "later");
	CHECK_U64_EQ(t.finished, 1, "once");
	CHECK_U64_EQ(t.dest_failed, 1, "the others wait too");
	end();
	begin();
	relay_conn_exhausted(t.c, ERR_NULL_MX, true);
	CHECK_U64_EQ(t.finding.attempt, ATTEMPT_PERM, "never");
	CHECK_U64_EQ(t.dest_failed, 0, "nobody waits");
	end();
	begin();
	t.c->best = (struct relay_finding){ .attempt = ATTEMPT_TEMP, .code = 421 };
	relay_conn_exhausted(t.c, ERR_NULL_MX, true);
	CHECK_I64_EQ(t.finding.code, 421, "what was said");
	CHECK_U64_EQ(t.finding.attempt, ATTEMPT_TEMP, "counts");
	end();
}

/* REQUIRETLS that no host can meet goes back at once, if none may be there another time
   (RFC 8689 4.2.1). */
static void
test_requiretls(void)
{
	for (unsigned i = 0; i < 4; i++) {
		bool is_passing = i == 2, is_offered = i == 1;

		begin();
		t.c->demand = MESSAGE_TLS_REQUIRED;
		t.c->is_passing = is_passing;
		t.c->path.dns = i == 3 ? ERR_DNS_TEMP : OK;
		t.c->best = (struct relay_finding){
			.attempt = ATTEMPT_TEMP,
			.cause = is_offered ? ERR_TLS : ERR_NEED_REQUIRETLS
		};
		relay_conn_exhausted(t.c, ERR_CONNECT, false);
		CHECK_U64_EQ(t.finding.attempt, i < 2 ? ATTEMPT_PERM : ATTEMPT_TEMP,
		             "now or later");
		if (i < 2)
			CHECK_STR_EQ(t.finding.enhanced,
			             i ? STR("5.7.10") : STR("5.7.30"), "code");
		end();
	}
}

/* We stop: what was not begun goes back, what was begun is ended. */
static void
test_stop(void)
{
	begin();
	relay_conn_stop_all(&t.relay);
	CHECK_U64_EQ(t.returned, 1, "given back");
	CHECK_U64_EQ(t.relay.conns, 0, "no connection");
	end();
	begin();
	t.c->is_sent = true;
	relay_conn_stop_all(&t.relay);
	CHECK_U64_EQ(t.returned, 0, "in a transaction");
	CHECK_TRUE(t.c->job == &t.jobs[0], "it goes on");
	end();
	begin_kept();
	relay_conn_stop_all(&t.relay);
	CHECK_U64_EQ(t.returned, 0, "its result is being written");
	end();
}

SUITE(relay_conn, { "counted first", test_counted_first },
      { "not counted", test_not_counted }, { "reuse", test_reuse },
      { "no reuse", test_no_reuse }, { "exhausted", test_exhausted },
      { "requiretls", test_requiretls }, { "stop", test_stop });
