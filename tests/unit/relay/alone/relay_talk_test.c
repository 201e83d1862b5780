/* One dialogue with the next host, without a socket, a queue or a store: what is said on
 * the stream, which results the rows get, and which of three ways it goes on: to the next
 * address, back into the line, or to the results. Each happens once.
 *
 * Bound to relay_talk.c alone: its neighbours are those below, a stream that the test
 * fills and others that count. */
#include "relay/relay_talk.h"

#include "base/duration.h"
#include "base/panic.h"
#include "relay/relay_conn.h"
#include "relay/relay_count.h"
#include "relay/relay_event.h"
#include "relay/relay_jobs.h"
#include "relay/relay_message.h"
#include "relay/relay_path.h"
#include "relay/relay_priv.h"
#include "relay/relay_result.h"
#include "relay/relay_secure.h"
#include "relay/relay_sign.h"
#include "relay/relay_sts.h"
#include "tests/unit/check.h"

enum {
	ROWS = 3,
	REPLY_MS = 300 * 1000,
	DOT_MS = 600 * 1000,
};

static struct {
	struct relay relay;
	struct conf conf;
	struct conf_limits limits;
	struct relay_dest dest;
	struct relay_job job;
	struct relay_row rows[ROWS];
	struct smtp_client_rcpt rcpts[ROWS];
	struct relay_conn c;
	const struct stream_ops *ops; /* of the connection that was dialled last */
	struct str in;                /* what the server has said and nobody has read */
	struct strbuf out;
	int64_t now_ms, deadline_ms;
	bool is_demanded, has_plain_behind;
	size_t dials, shakes, hang_ups, nexts, ends, backs, results, finished, leaves,
		on_again, refused, failed_tls;
	/* of the job, when its results were taken */
	struct smtp_client_result result[ROWS];
} t;

/* ---- the stream ------------------------------------------------------------------ */

struct stream *
stream_connect(struct loop *l, const struct stream_target *target,
               const struct stream_ops *ops, const struct stream_limits *limits,
               void *arg)
{
	(void)l;
	(void)target;
	(void)limits;
	(void)arg;
	t.ops = ops;
	t.dials++;
	return (struct stream *)(void *)&t;
}

void
stream_deadline(struct stream *s, int64_t in_ms)
{
	(void)s;
	t.deadline_ms = in_ms;
}

struct strbuf *
stream_output(struct stream *s)
{
	(void)s;
	return &t.out;
}

struct str
stream_input(const struct stream *s)
{
	(void)s;
	return t.in;
}

void
stream_consume(struct stream *s, size_t n)
{
	(void)s;
	t.in = str_from_offset(t.in, n);
}

void
stream_flush_soon(struct stream *s)
{
	(void)s;
}

bool
stream_is_full(const struct stream *s)
{
	(void)s;
	return false;
}

void
stream_start_tls_client(struct stream *s, const struct tls_client *client,
                        size_t *dropped_out)
{
	(void)s;
	(void)client;
	t.shakes++;
	*dropped_out = t.has_plain_behind;
}

struct addr
stream_local(const struct stream *s)
{
	(void)s;
	return (struct addr){ .family = ADDR_NONE };
}

const struct tls_info *
stream_tls_info(const struct stream *s)
{
	(void)s;
	return NULL;
}

/* ---- the neighbours -------------------------------------------------------------- */

void
queue_destination_succeeded(struct queue_destination *d,
                            const struct queue_destination_conf *c, int64_t now_ms)
{
	(void)d;
	(void)c;
	(void)now_ms;
}

int64_t
relay_mono(const struct relay *r)
{
	(void)r;
	return t.now_ms;
}

const struct conf_limits *
relay_limits(const struct relay *r)
{
	(void)r;
	return &t.limits;
}

struct queue_destination_conf
relay_dest_conf(const struct relay *r)
{
	(void)r;
	return (struct queue_destination_conf){ 0 };
}

void
relay_dest_failed(struct relay_dest *d, enum queue_reason reason)
{
	(void)d;
	(void)reason;
}

void
relay_conn_hang_up(struct relay_conn *c)
{
	t.hang_ups++;
	c->stream = NULL;
	smtp_client_free(&c->client);
	c->messages = 0;
}

struct relay_job *
relay_conn_unbind(struct relay_conn *c)
{
	struct relay_job *job = c->job;

	CHECK(job);
	c->job = NULL;
	c->is_sent = false;
	return job;
}

void
relay_conn_end(struct relay_conn *c)
{
	CHECK(!c->job);
	t.ends++;
}

void
relay_conn_leave(struct relay_conn *c)
{
	c->state = RELAY_LEAVING;
	t.leaves++;
}

void
relay_conn_go_on(struct relay_conn *c)
{
	(void)c;
	t.on_again++;
}

void
relay_path_next(struct relay_conn *c)
{
	(void)c;
	t.nexts++;
}

enum err
relay_message_open(struct relay_conn *c)
{
	c->rest = STR("Subject: x\r\n\r\n.dot\r\n");
	c->rcpts = t.rcpts;
	c->message = (struct smtp_client_message){ .from = STR("ann@example.org"),
		                                   .size = c->rest.n,
		                                   .rcpts = t.rcpts,
		                                   .rcpt_count = ROWS };
	return OK;
}

void
relay_message_close(struct relay_conn *c)
{
	c->rest = (struct str){ NULL, 0 };
}

void
relay_message_results(struct relay_conn *c)
{
	(void)c;
	t.results++;
	for (size_t i = 0; i < ROWS; i++)
		t.result[i] = t.rcpts[i].result;
}

void
relay_job_fail(struct relay_job *job, const struct relay_finding *finding)
{
	(void)job;
	(void)finding;
}

void
relay_job_finish(struct relay_job *job)
{
	CHECK(job == &t.job);
	t.finished++;
}

void
relay_job_put_back(struct relay_job *job)
{
	CHECK(job == &t.job);
	t.backs++;
}

bool
relay_secure_is_demanded(const struct relay_conn *c)
{
	(void)c;
	return t.is_demanded;
}

struct tls_client
relay_secure_client(const struct relay_conn *c)
{
	(void)c;
	return (struct tls_client){ 0 };
}

bool
relay_sign_begin(struct relay_conn *c)
{
	(void)c;
	return true;
}

bool
relay_sign_step(struct relay_conn *c)
{
	(void)c;
	return true;
}

const struct mta_sts_policy *
relay_sts_policy(const struct relay_dest *d)
{
	(void)d;
	return NULL;
}

void
relay_tell_dial(const struct relay_conn *c)
{
	(void)c;
}

void
relay_tell_tls(const struct relay_conn *c)
{
	(void)c;
}

void
relay_tell_tls_failed(const struct relay_conn *c, struct str detail)
{
	(void)c;
	(void)detail;
	t.failed_tls++;
}

void
relay_tell_tls_refused(const struct relay_conn *c, struct str host, struct str detail)
{
	(void)c;
	(void)host;
	(void)detail;
	t.refused++;
}

void
relay_tell_tls_test(const struct relay_conn *c, struct str detail)
{
	(void)c;
	(void)detail;
}

void
relay_count_session(const struct relay_conn *c, const char *result, struct str reason)
{
	(void)c;
	(void)result;
	(void)reason;
}

void
relay_count_secured(const struct relay_conn *c)
{
	(void)c;
}

const char *
relay_count_certificate(struct str words)
{
	(void)words;
	return "validation-failure";
}

/* ---- one story ------------------------------------------------------------------- */

/* A job of three is bound, the server is reached. */
static void
begin(bool is_demanded)
{
	static const struct addr addr = { .family = ADDR_V4 };
	struct relay_conn *c = &t.c;

	memset(&t, 0, sizeof(t));
	t.is_demanded = is_demanded;
	t.now_ms = 1000;
	t.limits.delivery_connect_timeout = 30000;
	t.relay.conf = &t.conf;
	t.dest.relay = &t.relay;
	t.out = strbuf_heap(1 << 20);
	for (size_t i = 0; i < ROWS; i++)
		t.rcpts[i].address = STR("x@example.net");
	t.job = (struct relay_job){ .rows = t.rows, .count = ROWS };
	*c = (struct relay_conn){ .magic = RELAY_CONN_MAGIC,
		                  .dest = &t.dest,
		                  .arena = arena_new(128 * 1024),
		                  .job = &t.job };
	c->client_conf = (struct smtp_client_conf){
		.helo = STR("mail.example.org"),
		.rcpt_max = 100,
		.times = { .greeting = REPLY_MS,
		           .command = REPLY_MS,
		           .handshake = REPLY_MS,
		           .data = REPLY_MS,
		           .block = REPLY_MS,
		           .dot = DOT_MS,
		           .idle = 2000,
		           .quit = 2000 },
	};
	relay_conn_dial(c, STR("mx.example.net"), &addr);
	t.ops->connected(c);
}

static void
end(void)
{
	smtp_client_free(&t.c.client);
	arena_free(&t.c.arena);
	strbuf_release(&t.out);
}

/* The server says this, in one piece. */
static void
hear(const char *text)
{
	t.in = str_from(text);
	t.ops->data(&t.c);
	CHECK_U64_EQ(t.in.n, 0, "all is taken");
}

/* What we have said since the last look. */
static void
check_said(const char *want, const char *what)
{
	CHECK_STR_EQ(strbuf_str(&t.out), str_from(want), what);
	strbuf_clear(&t.out);
}

static void
check_ways(size_t nexts, size_t backs, size_t results, const char *what)
{
	CHECK_U64_EQ(t.nexts, nexts, what);
	CHECK_U64_EQ(t.backs, backs, what);
	CHECK_U64_EQ(t.results, results, what);
	CHECK_U64_EQ(t.finished, results, "results are written once");
	CHECK_U64_EQ(t.ends, backs || (results && !t.c.job), "the connection ends once");
}

#define RCPT     "RCPT TO:<x@example.net>\r\n"
#define GROUP    "MAIL FROM:<ann@example.org>\r\n" RCPT RCPT RCPT "DATA\r\n"
#define TEXT     "Subject: x\r\n\r\n..dot\r\n.\r\n"
#define GREETING "220 mx\r\n"
#define HELLO    "250-mx\r\n250 PIPELINING\r\n"

/* As far as the end of the text, which the server has not answered. */
static void
send_text(void)
{
	hear(GREETING);
	hear(HELLO);
	strbuf_clear(&t.out);
	hear("250 a\r\n250 b\r\n550 5.1.1 no\r\n450 4.2.1 later\r\n354 go\r\n");
	check_said(TEXT, "the text, with its dot doubled");
}

static void
test_mix(void)
{
	begin(false);
	hear(GREETING);
	check_said("EHLO mail.example.org\r\n", "hello");
	hear(HELLO);
	check_said(GROUP, "all commands at once");
	/* However the network cuts the replies. */
	hear("250 a\r\n250 b\r\n550 5.1.1 n");
	hear("o\r\n450 4.2.1 later\r\n354");
	check_said("", "not before the last of them");
	hear(" go\r\n");
	check_said(TEXT, "the text");
	CHECK_I64_EQ(t.deadline_ms, DOT_MS, "the patience of the last dot");
	hear("250 2.0.0 kept\r\n");
	check_ways(0, 0, 1, "mix");
	CHECK_U64_EQ(t.result[0].outcome, SMTP_CLIENT_OK, "taken");
	CHECK_U64_EQ(t.result[1].outcome, SMTP_CLIENT_PERM, "refused");
	CHECK_U64_EQ(t.result[2].outcome, SMTP_CLIENT_TEMP, "put off");
	CHECK_I64_EQ(t.deadline_ms, 0, "none while the store writes");
	end();
}

/* All refused, and the server that had run ahead wants the text all the same. */
static void
test_text_for_nobody(void)
{
	begin(false);
	hear(GREETING);
	hear(HELLO);
	strbuf_clear(&t.out);
	hear("250 a\r\n550 b\r\n550 c\r\n550 d\r\n354 go\r\n");
	check_said(".\r\n", "no text");
	hear("250 2.0.0 kept nothing\r\n");
	check_ways(0, 0, 1, "nobody");
	for (size_t i = 0; i < ROWS; i++)
		CHECK_U64_EQ(t.result[i].outcome, SMTP_CLIENT_PERM, "refused");
	end();
}

/* Nobody knows whether it was taken: it is tried later, and at no other address now. */
static void
test_loss_after_the_dot(void)
{
	begin(false);
	send_text();
	t.ops->closed(&t.c, STREAM_EOF, "");
	check_ways(0, 0, 1, "loss");
	CHECK_U64_EQ(t.result[0].outcome, SMTP_CLIENT_TEMP, "tried later");
	CHECK_ERR_EQ(t.result[0].cause, ERR_CLOSED, "and why");
	CHECK_U64_EQ(t.result[1].outcome, SMTP_CLIENT_PERM, "what was said holds");
	end();
	begin(false);
	send_text();
	t.ops->timeout(&t.c);
	check_ways(0, 0, 1, "silence");
	CHECK_ERR_EQ(t.result[0].cause, ERR_TIMEOUT, "silence");
	end();
}

/* Before anything was decided the next address may do better. */
static void
test_loss_before_the_text(void)
{
	static const char *const said[] = { "", GREETING, GREETING HELLO };

	for (size_t i = 0; i < ARRAY_LEN(said); i++) {
		begin(false);
		if (i > 0)
			hear(GREETING);
		if (i > 1)
			hear(HELLO);
		if (i % 2)
			t.ops->timeout(&t.c);
		else
			t.ops->closed(&t.c, STREAM_EOF, "");
		check_ways(1, 0, 0, "the next address");
		CHECK_TRUE(t.c.job && !t.c.is_sent && !t.c.stream, "the job stays");
		CHECK_ERR_EQ(t.c.best.cause, i % 2 ? ERR_TIMEOUT : ERR_CLOSED, "why");
		end();
	}
	begin(false);
	hear(GREETING);
	hear(HELLO);
	hear("250 a\r\n250 b\r\n421 4.3.2 going down\r\n");
	check_ways(1, 0, 0, "421 in the middle");
	CHECK_U64_EQ((size_t)t.c.best.code, 421,
	             "is what is told where no other does better");
	end();
}

/* A kept connection that breaks was closed in the meantime: once more, over another one.
   A second time it is a failure. */
static void
test_kept(void)
{
	for (unsigned was_retried = 0; was_retried < 2; was_retried++) {
		begin(false);
		send_text();
		hear("250 2.0.0 kept\r\n");
		t.results = t.finished = 0;
		t.c.state = RELAY_TALKING;
		t.job.was_retried = was_retried;
		relay_conn_send(&t.c);
		check_said(GROUP, "without a new hello");
		t.ops->closed(&t.c, STREAM_EOF, "");
		check_ways(was_retried, !was_retried, 0, "kept");
		CHECK_TRUE(t.job.was_retried, "is remembered");
		end();
	}
}

/* What must be encrypted is not begun in plain, whatever the server does. */
static void
test_demanded(void)
{
	static const char *const hellos[] = {
		HELLO,
		"250-mx\r\n250 XTARTTLS\r\n",
		"500 what\r\n",
		"250-mx\r\n250 STARTTLS\r\n",
	};

	for (size_t i = 0; i < ARRAY_LEN(hellos); i++) {
		begin(true);
		hear(GREETING);
		hear(hellos[i]);
		if (i == 2)
			hear("250 mx\r\n"); /* HELO */
		if (i == 3)
			hear("454 4.7.0 not now\r\n");
		CHECK_TRUE(str_find_str(strbuf_str(&t.out), STR("MAIL")) == SIZE_MAX,
		           "no address in plain");
		check_ways(1, 0, 0, "the next address");
		CHECK_U64_EQ(t.shakes, 0, "no handshake");
		end();
	}
	/* Nor is it tried again in plain. */
	for (unsigned is_verify = 0; is_verify < 2; is_verify++) {
		begin(true);
		hear(GREETING);
		hear(hellos[3]);
		hear("220 go\r\n");
		CHECK_U64_EQ(t.shakes, 1, "handshake");
		t.ops->closed(&t.c, is_verify ? STREAM_TLS_VERIFY : STREAM_TLS, "no");
		CHECK_U64_EQ(t.dials, 1, "not in plain");
		CHECK_U64_EQ(t.refused, 1, "told");
		check_ways(1, 0, 0, "refused");
		CHECK_ERR_EQ(t.c.best.cause, is_verify ? ERR_TLS : ERR_TLS_UNAVAILABLE,
		             "why");
		end();
	}
}

/* Where nothing is demanded, encryption that fails costs one more dial, and the address
   is not asked for it again for a while. */
static void
test_opportunistic(void)
{
	begin(false);
	hear(GREETING);
	hear("250-mx\r\n250 STARTTLS\r\n");
	hear("220 go\r\n");
	t.ops->closed(&t.c, STREAM_TLS, "no");
	CHECK_U64_EQ(t.dials, 2, "the same address again");
	CHECK_U64_EQ(t.failed_tls, 1, "told");
	check_ways(0, 0, 0, "it goes on");
	t.ops->connected(&t.c);
	strbuf_clear(&t.out);
	hear(GREETING);
	hear("250-mx\r\n250 STARTTLS\r\n");
	check_said("EHLO mail.example.org\r\nMAIL FROM:<ann@example.org>\r\n",
	           "in plain");
	CHECK_TRUE(t.dest.plain_until_ms > t.now_ms, "remembered");
	end();
	/* Offered and not meant: on without. */
	begin(false);
	hear(GREETING);
	hear("250-mx\r\n250-PIPELINING\r\n250 STARTTLS\r\n");
	strbuf_clear(&t.out);
	hear("454 4.7.0 not now\r\n");
	check_said(GROUP, "on without");
	end();
}

/* Text behind STARTTLS that came in plain is nobody's answer (RFC 3207 6). */
static void
test_injection(void)
{
	begin(false);
	hear(GREETING);
	hear("250-mx\r\n250 STARTTLS\r\n");
	strbuf_clear(&t.out);
	hear("220 go\r\n250 injected\r\n");
	check_ways(1, 0, 0, "in one piece");
	CHECK_U64_EQ(t.shakes, 0, "no handshake");
	end();
	begin(false);
	hear(GREETING);
	hear("250-mx\r\n250 STARTTLS\r\n");
	strbuf_clear(&t.out);
	t.has_plain_behind = true;
	hear("220 go\r\n");
	check_ways(1, 0, 0, "found by the stream");
	CHECK_TRUE(!t.out.n, "nothing is said");
	end();
}

/* The time of a step begins with the step, not with each byte of a reply. */
static void
test_deadline(void)
{
	begin(false);
	CHECK_I64_EQ(t.deadline_ms, REPLY_MS, "greeting");
	t.deadline_ms = -1;
	hear("220-and");
	hear(" so on\r\n220-and so on\r\n");
	CHECK_I64_EQ(t.deadline_ms, -1, "bytes alone give no time");
	hear("220 mx\r\n");
	CHECK_I64_EQ(t.deadline_ms, REPLY_MS, "hello");
	hear(HELLO);
	/* And the whole job has an end, however lively the server is. */
	t.now_ms = t.c.job_until_ms - 7;
	hear("250 a\r\n");
	CHECK_I64_EQ(t.deadline_ms, 7, "what is left of the job's time");
	end();
}

SUITE(relay_talk, { "mix", test_mix }, { "text for nobody", test_text_for_nobody },
      { "loss after the dot", test_loss_after_the_dot },
      { "loss before the text", test_loss_before_the_text }, { "kept", test_kept },
      { "demanded", test_demanded }, { "opportunistic", test_opportunistic },
      { "injection", test_injection }, { "deadline", test_deadline });
