/* store_bench - the accept path alone, as a client of the store sees it: bodies into the
 * segment, accept operations in rounds of N outstanding ones, one process with the store
 * in it. Prints messages a second and CPU time a message, all threads together; then what
 * reading the mailbox costs.
 *
 *     build/store_bench [MESSAGES] [BYTES] [OUTSTANDING]
 */
#include "base/clock.h"
#include "base/ids.h"
#include "base/mem.h"
#include "tests/unit/store/rig.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>

struct round {
	struct rig *rig;
	struct op_accept op;
	struct accept_rcpt rcpt;
	struct str message;
	size_t left, out;
	bool is_done;
};

struct one {
	struct round *round;
	struct body_writer *writer;
	struct id trace;
};

static void start_one(struct round *r);

static void
accepted(void *arg, enum err e, const struct answer_accept *answer)
{
	struct one *o = arg;
	struct round *r = o->round;

	(void)answer;
	if (e != OK) {
		(void)fprintf(stderr, "accept: %s\n", err_get(e)->word);
		exit(1);
	}
	body_writer_free(&o->writer);
	mem_free(o);
	r->out--;
	if (r->left)
		start_one(r);
	else if (!r->out)
		r->is_done = true;
}

static void
body_done(void *arg, enum err e, const struct new_body *body)
{
	struct one *o = arg;

	if (e != OK) {
		(void)fprintf(stderr, "body: %s\n", err_get(e)->word);
		exit(1);
	}
	o->round->op.trace_id = id_str(&o->trace);
	o->round->op.body = *body;
	(void)store_accept(o->round->rig->client, &o->round->op, accepted, o);
}

static void
start_one(struct round *r)
{
	static const struct body_about about = { .sender = STR_INIT("bob@example.net"),
		                                 .rcpts = STR_INIT("ann@example.org") };
	struct one *o = mem_alloc(sizeof(*o));

	o->round = r;
	o->trace = id_new("mtr_");
	o->writer = body_writer_new(r->rig->bodies, 100 << 20);
	r->left--;
	r->out++;
	if (body_write(o->writer, r->message) != OK)
		exit(1);
	body_finish(o->writer, &about, body_done, o);
}

static double
cpu_s(void)
{
	struct rusage u;

	(void)getrusage(RUSAGE_SELF, &u);
	return (double)(u.ru_utime.tv_sec + u.ru_stime.tv_sec) +
	       (double)(u.ru_utime.tv_usec + u.ru_stime.tv_usec) / 1e6;
}

static void
run_round(struct rig *rig, uint64_t account, struct str message, size_t count,
          size_t batch)
{
	struct round r = { .rig = rig, .message = message, .left = count };
	double cpu = cpu_s();
	int64_t us = clock_mono_us();

	r.rcpt = (struct accept_rcpt){ .kind = RCPT_LOCAL,
		                       .rcpt = STR("ann@example.org"),
		                       .account_id = account };
	r.op = (struct op_accept){ .direction = TRACE_IN,
		                   .sender = STR("bob@example.net"),
		                   .ip = STR("192.0.2.1"),
		                   .rcpts = &r.rcpt,
		                   .rcpts_count = 1 };
	for (size_t i = 0; i < batch && r.left; i++)
		start_one(&r);
	while (!r.is_done)
		(void)loop_turn(rig->loop);
	us = clock_mono_us() - us;
	cpu = cpu_s() - cpu;
	(void)printf("accept %7zu bytes, %3zu at once: %8.0f/s  %6.1f us CPU each  %6.1f "
	             "MB/s\n",
	             message.n, batch, (double)count * 1e6 / (double)us,
	             cpu * 1e6 / (double)count, (double)(count * message.n) / (double)us);
}

static bool
take_message(void *arg, const struct entry *e, const struct message *m)
{
	size_t *sum = arg;

	(void)e;
	*sum += m->head.envelope.n + m->head.bodystructure.n;
	return true;
}

/* Wall clock and processor time: on a busy machine only the second means something. */
struct watch_time {
	int64_t wall_us;
	double cpu_s;
};

static struct watch_time
watch_begin(void)
{
	return (struct watch_time){ clock_mono_us(), cpu_s() };
}

static void
watch_end(struct watch_time t, const char *what, size_t n)
{
	(void)printf("%-20s %7zu: %8lld us, %8.0f us CPU\n", what, n,
	             (long long)(clock_mono_us() - t.wall_us), (cpu_s() - t.cpu_s) * 1e6);
}

static void
run_reads(struct rig *r, uint64_t account)
{
	struct watch_time t = watch_begin();
	struct mailbox_info m;
	size_t n = 0, sum = 0;
	uint32_t *uids;

	if (reader_mailbox(r->reader, account, STR("INBOX"), r->arena, &m) != OK)
		exit(1);
	watch_end(t, "mailbox row", 1);
	uids = ARENA_ARRAY(r->arena, uint32_t, m.exists);
	t = watch_begin();
	if (reader_uids(r->reader, &(struct entry_span){ m.id, 1, UINT32_MAX, 0 }, uids,
	                m.exists, &n) != OK)
		exit(1);
	watch_end(t, "UIDs", n);
	for (int i = 0; i < 2; i++) {
		t = watch_begin();
		if (reader_messages(r->reader,
		                    &(struct entry_span){ m.id, 1, UINT32_MAX, 0 },
		                    WANT_ENVELOPE | WANT_STRUCTURE, SIZE_MAX,
		                    take_message, &sum) != OK)
			exit(1);
		watch_end(t, "ENVELOPE, STRUCTURE", n);
	}
}

static struct str
make_message(struct arena *a, size_t bytes)
{
	struct strbuf b = strbuf_arena(a, bytes + 4096);

	strbuf_lit(&b, "Return-Path: <bob@example.net>\r\n"
	               "Received: from mx.example.net ([192.0.2.1]) by mail.example.org "
	               "with ESMTPS; Mon, 23 Nov 2026 16:24:56 +0000\r\n"
	               "From: Bob Example <bob@example.net>\r\n"
	               "To: Ann Example <ann@example.org>\r\n"
	               "Subject: A message of the usual kind\r\n"
	               "Date: Mon, 23 Nov 2026 16:24:56 +0000\r\n"
	               "Message-ID: <20261123162456.12345@example.net>\r\n"
	               "MIME-Version: 1.0\r\n"
	               "Content-Type: text/plain; charset=utf-8\r\n\r\n");
	while (b.n < bytes) {
		strbuf_printf(&b,
		              "%016llx words and more words, as people write them\r\n",
		              (unsigned long long)random_u64());
	}
	return strbuf_str(&b);
}

int
main(int argc, char **argv)
{
	static const size_t batches[] = { 1, 8, 20, 64 };
	uint32_t count = 20000, bytes = 4096, only = 0;
	struct rig r;
	uint64_t account;

	if ((argc > 1 && !str_parse_u32(str_from(argv[1]), &count)) ||
	    (argc > 2 && !str_parse_u32(str_from(argv[2]), &bytes)) ||
	    (argc > 3 && !str_parse_u32(str_from(argv[3]), &only))) {
		(void)fprintf(stderr,
		              "usage: store_bench [MESSAGES] [BYTES] [OUTSTANDING]\n");
		return 2;
	}
	rig_open(&r);
	account = rig_account(&r);
	if (only)
		run_round(&r, account, make_message(r.arena, bytes), count, only);
	for (size_t i = 0; i < ARRAY_LEN(batches) && !only; i++)
		run_round(&r, account, make_message(r.arena, bytes),
		          batches[i] == 1 ? count / 10 : count, batches[i]);
	run_reads(&r, account);
	rig_close(&r);
	return 0;
}
