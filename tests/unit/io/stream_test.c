/* Two streams over a socket pair talk to each other, in plain and over TLS. */
#include "io/stream.h"

#include "base/strbuf.h"
#include "io/socket.h"
#include "tests/unit/check.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
	TURNS_MAX = 2000,
};

struct side {
	struct stream *stream;
	struct strbuf heard; /* all input, taken at once */
	unsigned data_calls, secured, connected, drained, timeouts, closed;
	enum stream_end why;
	bool keeps_input, frees_in_data, starts_tls_at_data;
	size_t dropped;
	struct tls_server *tls;
};

static void
on_data(void *arg)
{
	struct side *s = arg;

	s->data_calls++;
	if (s->keeps_input)
		return;
	strbuf_add(&s->heard, stream_input(s->stream));
	if (s->starts_tls_at_data) {
		s->starts_tls_at_data = false;
		/* As a protocol does: takes its line, leaves the rest. */
		strbuf_truncate(&s->heard, s->heard.n < 10 ? s->heard.n : 10);
		stream_consume(s->stream, s->heard.n);
		stream_write(s->stream, STR("220 go\r\n"));
		stream_start_tls_server(s->stream, s->tls, TLS_ALPN_SMTP, &s->dropped);
		return;
	}
	stream_consume(s->stream, stream_input(s->stream).n);
	if (s->frees_in_data)
		stream_free(&s->stream);
}

static void
on_drained(void *arg)
{
	((struct side *)arg)->drained++;
}

static void
on_secured(void *arg)
{
	((struct side *)arg)->secured++;
}

static void
on_connected(void *arg)
{
	((struct side *)arg)->connected++;
}

static void
on_timeout(void *arg)
{
	((struct side *)arg)->timeouts++;
}

static void
on_closed(void *arg, enum stream_end why, const char *detail)
{
	struct side *s = arg;

	(void)detail;
	s->closed++;
	s->why = why;
}

static const struct stream_ops ops = {
	.data = on_data,
	.drained = on_drained,
	.secured = on_secured,
	.connected = on_connected,
	.timeout = on_timeout,
	.closed = on_closed,
};

static const struct stream_limits small_limits = {
	.in_max = 4096,
	.out_full = 4096,
	.out_max = 16 << 20,
	.stalled_ms = 100,
	.handshake_ms = 200,
	.linger_ms = 100,
};

/* As small, but nobody is cut for being slow: nor is who waits for a processor. */
static const struct stream_limits patient_limits = {
	.in_max = 4096,
	.out_full = 4096,
	.out_max = 16 << 20,
	.stalled_ms = 60 * 1000,
	.handshake_ms = 60 * 1000,
	.linger_ms = 60 * 1000,
};

struct pair {
	struct loop *loop;
	struct side a, b;
	int fd_b;          /* where b is no stream; else -1 */
	struct timer tick; /* so that no turn waits for ever */
};

static void
on_tick(void *arg)
{
	timer_set(arg, 1);
}

static void
side_init(struct side *s)
{
	*s = (struct side){ .heard = strbuf_heap(64 << 20) };
}

static void
pair_init(struct pair *p, const struct stream_limits *limits, bool has_b)
{
	int fds[2];

	socket_pair(fds);
	p->loop = loop_new();
	timer_init(&p->tick, p->loop, on_tick, &p->tick);
	timer_set(&p->tick, 1);
	side_init(&p->a);
	side_init(&p->b);
	p->fd_b = fds[1];
	p->a.stream = stream_new(p->loop, fds[0], &ops, limits, &p->a);
	if (has_b) {
		p->b.stream = stream_new(p->loop, fds[1], &ops, NULL, &p->b);
		p->fd_b = -1;
	}
}

static void
pair_fini(struct pair *p)
{
	timer_stop(&p->tick);
	stream_free(&p->a.stream);
	stream_free(&p->b.stream);
	strbuf_release(&p->a.heard);
	strbuf_release(&p->b.heard);
	if (p->fd_b >= 0)
		(void)close(p->fd_b);
	loop_free(&p->loop);
}

/* Turns the loop until *counter reaches n. */
static void
turn_until(struct pair *p, const unsigned *counter, unsigned n)
{
	for (int i = 0; i < TURNS_MAX && *counter < n; i++)
		(void)loop_turn(p->loop);
}

static void
turn_until_heard(struct pair *p, const struct side *s, size_t n)
{
	for (int i = 0; i < TURNS_MAX && s->heard.n < n && !s->closed; i++)
		(void)loop_turn(p->loop);
}

static void
test_talks(void)
{
	struct pair p;

	pair_init(&p, NULL, true);
	stream_write(p.a.stream, STR("hello "));
	stream_write(p.a.stream, STR("world"));
	turn_until_heard(&p, &p.b, 11);
	CHECK_STR_EQ(strbuf_str(&p.b.heard), STR("hello world"), "what was written");
	CHECK_U64_EQ(p.b.data_calls, 1, "two writes of a turn are one packet");
	CHECK_U64_EQ(stream_bytes_out(p.a.stream), 11, "counted");
	stream_close(p.a.stream);
	turn_until(&p, &p.b.closed, 1);
	CHECK_U64_EQ(p.b.why, STREAM_EOF, "b sees the end");
	stream_free(&p.b.stream);
	turn_until(&p, &p.a.closed, 1);
	CHECK_U64_EQ(p.a.why, STREAM_CLOSED, "a closed itself");
	CHECK_U64_EQ(p.a.closed, 1, "told once");
	pair_fini(&p);
}

static void
test_keeps_what_is_not_taken(void)
{
	struct pair p;

	pair_init(&p, NULL, true);
	p.b.keeps_input = true;
	stream_write(p.a.stream, STR("abc"));
	turn_until(&p, &p.b.data_calls, 1);
	stream_write(p.a.stream, STR("def"));
	turn_until(&p, &p.b.data_calls, 2);
	CHECK_STR_EQ(stream_input(p.b.stream), STR("abcdef"), "both are there");
	stream_consume(p.b.stream, 4);
	CHECK_STR_EQ(stream_input(p.b.stream), STR("ef"), "the rest");
	stream_write(p.a.stream, STR("gh"));
	turn_until(&p, &p.b.data_calls, 3);
	CHECK_STR_EQ(stream_input(p.b.stream), STR("efgh"), "the rest and more");
	stream_consume(p.b.stream, 4);
	CHECK_U64_EQ(stream_input(p.b.stream).n, 0, "nothing left");
	pair_fini(&p);
}

static void
test_takes_nothing_while_told_not_to(void)
{
	struct pair p;

	pair_init(&p, NULL, true);
	stream_take(p.b.stream, false);
	stream_write(p.a.stream, STR("abc"));
	stream_close(p.a.stream);
	for (int i = 0; i < 5; i++)
		(void)loop_turn(p.loop);
	CHECK_U64_EQ(p.b.data_calls, 0, "no data");
	CHECK_U64_EQ(p.b.closed, 0, "no end before the data");
	stream_take(p.b.stream, true);
	turn_until(&p, &p.b.closed, 1);
	CHECK_STR_EQ(strbuf_str(&p.b.heard), STR("abc"), "then the data");
	CHECK_U64_EQ(p.b.why, STREAM_EOF, "then the end");
	pair_fini(&p);
}

static void
test_bounds_input(void)
{
	struct pair p;
	char block[8192] = { 0 };

	pair_init(&p, &patient_limits, true);
	p.a.keeps_input = true;
	for (int i = 0; i < 8; i++)
		stream_write(p.b.stream, str_make(block, sizeof(block)));
	for (int i = 0; i < 20; i++)
		(void)loop_turn(p.loop);
	CHECK_U64_EQ(stream_input(p.a.stream).n, patient_limits.in_max,
	             "no more than in_max");
	p.a.keeps_input = false;
	stream_consume(p.a.stream, patient_limits.in_max);
	turn_until_heard(&p, &p.a, 8 * sizeof(block) - patient_limits.in_max);
	CHECK_U64_EQ(p.a.heard.n, 8 * sizeof(block) - patient_limits.in_max,
	             "all the rest");
	pair_fini(&p);
}

static void
test_tells_full_and_drained(void)
{
	struct pair p;
	char block[4096] = { 0 };
	size_t total = 0;

	pair_init(&p, &patient_limits, true);
	stream_take(p.b.stream, false);
	while (total < (8 << 20)) {
		stream_write(p.a.stream, str_make(block, sizeof(block)));
		total += sizeof(block);
	}
	CHECK_TRUE(stream_is_full(p.a.stream), "full");
	(void)loop_turn(p.loop);
	CHECK_U64_EQ(p.a.drained, 0, "not drained yet");
	stream_take(p.b.stream, true);
	turn_until_heard(&p, &p.b, total);
	CHECK_U64_EQ(p.b.heard.n, total, "all arrived");
	turn_until(&p, &p.a.drained, 1);
	CHECK_U64_EQ(p.a.drained, 1, "told once");
	CHECK_U64_EQ(stream_unsent(p.a.stream), 0, "nothing left");
	pair_fini(&p);
}

/* Whoever counts what is in the output counts what has still to go. */
static void
test_output_is_what_is_unsent(void)
{
	enum {
		BLOCKS = 400,
	};
	struct pair p;
	char block[4096];
	bool is_in_order = true;
	struct stream_limits limits = patient_limits;

	limits.out_full = 2 * BLOCKS * sizeof(block);
	pair_init(&p, &limits, true);
	stream_take(p.b.stream, false);
	for (int i = 0; i < BLOCKS; i++) {
		memset(block, 'a' + i % 26, sizeof(block));
		stream_write(p.a.stream, str_make(block, sizeof(block)));
	}
	(void)loop_turn(p.loop);
	CHECK_TRUE(stream_unsent(p.a.stream) < BLOCKS * sizeof(block), "some is sent");
	CHECK_TRUE(stream_unsent(p.a.stream) > 0, "not all");
	CHECK_U64_EQ(stream_output(p.a.stream)->n, stream_unsent(p.a.stream), "the rest");
	stream_take(p.b.stream, true);
	turn_until_heard(&p, &p.b, BLOCKS * sizeof(block));
	for (size_t i = 0; i < p.b.heard.n && is_in_order; i++)
		is_in_order = p.b.heard.p[i] == (char)('a' + i / sizeof(block) % 26);
	CHECK_TRUE(is_in_order, "in order");
	pair_fini(&p);
}

static void
test_cuts_who_takes_nothing(void)
{
	struct pair p;
	char block[4096] = { 0 };

	pair_init(&p, &small_limits, false);
	for (int i = 0; i < 2048; i++)
		stream_write(p.a.stream, str_make(block, sizeof(block)));
	turn_until(&p, &p.a.closed, 1);
	CHECK_U64_EQ(p.a.why, STREAM_STALLED, "cut");
	pair_fini(&p);
}

static void
test_bounds_output(void)
{
	struct pair p;
	char block[65536] = { 0 };

	pair_init(&p, &small_limits, false);
	for (int i = 0; i < 300; i++)
		stream_write(p.a.stream, str_make(block, sizeof(block)));
	turn_until(&p, &p.a.closed, 1);
	CHECK_U64_EQ(p.a.why, STREAM_OVERFLOW, "over out_max");
	pair_fini(&p);
}

static void
test_deadline(void)
{
	struct pair p;

	pair_init(&p, NULL, true);
	stream_deadline(p.a.stream, 5);
	stream_deadline(p.b.stream, 1);
	stream_deadline(p.b.stream, 0);
	turn_until(&p, &p.a.timeouts, 1);
	CHECK_U64_EQ(p.a.timeouts, 1, "once");
	CHECK_U64_EQ(p.b.timeouts, 0, "called off");
	CHECK_U64_EQ(p.a.closed, 0, "the owner decides");
	pair_fini(&p);
}

static void
test_may_be_freed_inside(void)
{
	struct pair p;

	pair_init(&p, NULL, true);
	p.b.frees_in_data = true;
	stream_write(p.a.stream, STR("x"));
	turn_until(&p, &p.a.closed, 1);
	CHECK_TRUE(!p.b.stream, "gone");
	CHECK_U64_EQ(p.b.closed, 0, "no closed after free");
	CHECK_U64_EQ(p.a.why, STREAM_EOF, "the other side sees the end");
	pair_fini(&p);
}

static void
test_sends_all_before_it_closes(void)
{
	struct pair p;
	char block[65536];

	memset(block, 'x', sizeof(block));
	pair_init(&p, NULL, true);
	for (int i = 0; i < 32; i++)
		stream_write(p.a.stream, str_make(block, sizeof(block)));
	stream_close(p.a.stream);
	stream_write(p.a.stream, STR("too late"));
	turn_until(&p, &p.b.closed, 1);
	CHECK_U64_EQ(p.b.heard.n, 32 * sizeof(block), "all of it, and nothing after");
	pair_fini(&p);
}

/* Who has said goodbye need not close first; who then says more is waited for, so that
   he hears our last word. */
static void
test_leaves(void)
{
	for (int says_more = 0; says_more < 2; says_more++) {
		struct pair p;
		char bytes[16];

		pair_init(&p, NULL, false);
		stream_write(p.a.stream, STR("221 bye"));
		if (says_more)
			CHECK_TRUE(write(p.fd_b, "NOOP", 4) == 4, "more");
		stream_leave(p.a.stream);
		for (int i = 0; i < 5; i++)
			(void)loop_turn(p.loop);
		CHECK_U64_EQ(p.a.closed, !says_more, "over, or waits");
		CHECK_TRUE(read(p.fd_b, bytes, sizeof(bytes)) == 7, "the last word");
		CHECK_TRUE(read(p.fd_b, bytes, sizeof(bytes)) == 0, "and our end");
		(void)close(p.fd_b);
		p.fd_b = -1;
		turn_until(&p, &p.a.closed, 1);
		CHECK_U64_EQ(p.a.closed, 1, "closed once");
		pair_fini(&p);
	}
}

/* ── TLS ── */

static struct tls_server *
server_with_pair(void)
{
	char directory[] = "/tmp/mailstead-unit-XXXXXX", certificate[64], key[64];
	struct tls_server *t = tls_server_new();
	struct tls_pair pair;
	struct diag diag;
	bool made;

	CHECK_TRUE(mkdtemp(directory), "a directory");
	(void)snprintf(certificate, sizeof(certificate), "%s/tls.pem", directory);
	(void)snprintf(key, sizeof(key), "%s/tls.key", directory);
	CHECK_ERR_EQ(tls_make_self_signed(STR("mail.example.org"), certificate, key,
	                                  &made, &diag),
	             OK, "self-signed pair");
	pair = (struct tls_pair){ .certificate_path = str_from(certificate),
		                  .key_path = str_from(key) };
	CHECK_ERR_EQ(tls_server_load(t, &pair, 1, &diag), OK, "loads");
	(void)unlink(certificate);
	(void)unlink(key);
	(void)rmdir(directory);
	return t;
}

static const struct tls_client any_client = { .name = STR_INIT("mail.example.org"),
	                                      .check = TLS_CHECK_NONE };

static void
test_tls_talks(void)
{
	struct tls_server *t = server_with_pair();
	const struct tls_info *info;
	char block[65536];
	struct pair p;
	size_t dropped;

	memset(block, 'y', sizeof(block));
	pair_init(&p, NULL, true);
	stream_start_tls_server(p.a.stream, t, TLS_ALPN_SMTP, &dropped);
	stream_start_tls_client(p.b.stream, &any_client, &dropped);
	turn_until(&p, &p.a.secured, 1);
	turn_until(&p, &p.b.secured, 1);
	CHECK_U64_EQ(p.a.secured, 1, "server side");
	CHECK_U64_EQ(p.b.secured, 1, "client side");
	info = stream_tls_info(p.a.stream);
	if (CHECK_TRUE(info, "facts")) {
		CHECK_CSTR_EQ(info->version, "TLSv1.3", "version");
	}
	info = stream_tls_info(p.b.stream);
	CHECK_TRUE(info && !info->verified, "nobody vouches for it");
	for (int i = 0; i < 32; i++)
		stream_write(p.a.stream, str_make(block, sizeof(block)));
	turn_until_heard(&p, &p.b, 32 * sizeof(block));
	CHECK_U64_EQ(p.b.heard.n, 32 * sizeof(block), "2 MiB through TLS");
	stream_write(p.b.stream, STR("bye"));
	turn_until_heard(&p, &p.a, 3);
	CHECK_STR_EQ(strbuf_str(&p.a.heard), STR("bye"), "the other way");
	stream_close(p.b.stream);
	turn_until(&p, &p.a.closed, 1);
	CHECK_U64_EQ(p.a.why, STREAM_EOF, "close_notify is an ordinary end");
	pair_fini(&p);
	tls_server_free(&t);
}

static void
test_tls_input_waits_inside(void)
{
	struct tls_server *t = server_with_pair();
	char block[65536];
	struct pair p;
	size_t dropped;

	memset(block, 'z', sizeof(block));
	pair_init(&p, NULL, true);
	stream_start_tls_server(p.a.stream, t, TLS_ALPN_SMTP, &dropped);
	stream_start_tls_client(p.b.stream, &any_client, &dropped);
	turn_until(&p, &p.b.secured, 1);
	stream_take(p.b.stream, false);
	stream_write(p.a.stream, str_make(block, sizeof(block)));
	for (int i = 0; i < 5; i++)
		(void)loop_turn(p.loop);
	CHECK_U64_EQ(p.b.data_calls, 0, "told to wait");
	stream_take(p.b.stream, true);
	turn_until_heard(&p, &p.b, sizeof(block));
	CHECK_U64_EQ(p.b.heard.n, sizeof(block), "then all of it");
	pair_fini(&p);
	tls_server_free(&t);
}

static void
test_starttls_drops_plaintext(void)
{
	struct pair p;

	pair_init(&p, NULL, true);
	p.a.tls = server_with_pair();
	p.a.starts_tls_at_data = true;
	stream_write(p.b.stream, STR("STARTTLS\r\nMAIL FROM:<a@b>\r\n"));
	turn_until_heard(&p, &p.b, 8);
	CHECK_STR_EQ(strbuf_str(&p.b.heard), STR("220 go\r\n"), "answered in plain");
	CHECK_U64_EQ(p.a.dropped, 17, "what was said before TLS is gone");
	CHECK_STR_EQ(strbuf_str(&p.a.heard), STR("STARTTLS\r\n"),
	             "only the command counts");
	stream_start_tls_client(p.b.stream, &any_client, &p.b.dropped);
	turn_until(&p, &p.a.secured, 1);
	stream_write(p.b.stream, STR("EHLO x\r\n"));
	turn_until_heard(&p, &p.a, 18);
	CHECK_STR_EQ(strbuf_str(&p.a.heard), STR("STARTTLS\r\nEHLO x\r\n"),
	             "goes on inside");
	tls_server_free(&p.a.tls);
	pair_fini(&p);
}

static void
test_tls_without_certificate(void)
{
	struct tls_server *t = tls_server_new();
	struct pair p;
	size_t dropped;

	pair_init(&p, NULL, true);
	stream_start_tls_server(p.a.stream, t, TLS_ALPN_SMTP, &dropped);
	turn_until(&p, &p.a.closed, 1);
	CHECK_U64_EQ(p.a.why, STREAM_TLS, "ends");
	pair_fini(&p);
	tls_server_free(&t);
}

static void
test_tls_wants_the_right_name(void)
{
	const struct tls_client strict = { .name = STR_INIT("mail.example.org"),
		                           .check = TLS_CHECK_NAME };
	struct tls_server *t = server_with_pair();
	struct pair p;
	size_t dropped;

	pair_init(&p, NULL, true);
	stream_start_tls_server(p.a.stream, t, TLS_ALPN_SMTP, &dropped);
	stream_start_tls_client(p.b.stream, &strict, &dropped);
	turn_until(&p, &p.b.closed, 1);
	CHECK_U64_EQ(p.b.why, STREAM_TLS_VERIFY, "a self-signed certificate is refused");
	pair_fini(&p);
	tls_server_free(&t);
}

static void
test_tls_refuses_plain_text(void)
{
	struct tls_server *t = server_with_pair();
	struct pair p;
	size_t dropped;

	pair_init(&p, NULL, true);
	stream_start_tls_server(p.a.stream, t, TLS_ALPN_SMTP, &dropped);
	stream_write(p.b.stream, STR("GET / HTTP/1.1\r\nHost: x\r\n\r\n"));
	turn_until(&p, &p.a.closed, 1);
	CHECK_U64_EQ(p.a.why, STREAM_TLS, "no TLS at all");
	pair_fini(&p);
	tls_server_free(&t);
}

static void
test_tls_handshake_has_a_deadline(void)
{
	struct tls_server *t = server_with_pair();
	struct pair p;
	size_t dropped;

	pair_init(&p, &small_limits, false);
	stream_start_tls_server(p.a.stream, t, TLS_ALPN_SMTP, &dropped);
	turn_until(&p, &p.a.closed, 1);
	CHECK_U64_EQ(p.a.why, STREAM_TLS_TIMEOUT, "silence");
	pair_fini(&p);
	tls_server_free(&t);
}

static void
test_connects(void)
{
	struct loop *l = loop_new();
	struct side s;
	struct stream_target target = { .timeout_ms = 1000 };
	struct addr to;
	int fd, closed_fd;
	struct diag diag;

	side_init(&s);
	CHECK_TRUE(addr_parse(STR("127.0.0.1:0"), &to), "address");
	CHECK_ERR_EQ(socket_listen(&to, &fd, &diag), OK, "listens");
	target.to = socket_local(fd);
	s.stream = stream_connect(l, &target, &ops, NULL, &s);
	for (int i = 0; i < TURNS_MAX && !s.connected; i++)
		(void)loop_turn(l);
	CHECK_U64_EQ(s.connected, 1, "connected");
	stream_free(&s.stream);
	/* A port that was just in use and is closed now. */
	CHECK_TRUE(addr_parse(STR("127.0.0.1:0"), &to), "address");
	CHECK_ERR_EQ(socket_listen(&to, &closed_fd, &diag), OK, "listens");
	target.to = socket_local(closed_fd);
	(void)close(closed_fd);
	s.stream = stream_connect(l, &target, &ops, NULL, &s);
	for (int i = 0; i < TURNS_MAX && !s.closed; i++)
		(void)loop_turn(l);
	CHECK_U64_EQ(s.why, STREAM_CONNECT, "refused");
	stream_free(&s.stream);
	(void)close(fd);
	loop_free(&l);
}

static void
test_connects_from(void)
{
	static const struct {
		const char *from;
		bool is_ours;
	} cases[] = { { "127.0.0.2", true }, { "192.0.2.1", false } };
	struct loop *l = loop_new();
	struct stream_target target = { .timeout_ms = 1000 };
	struct addr to, peer;
	int fd;
	struct diag diag;

	CHECK_TRUE(addr_parse(STR("127.0.0.1:0"), &to), "address");
	CHECK_ERR_EQ(socket_listen(&to, &fd, &diag), OK, "listens");
	target.to = socket_local(fd);
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct side s;

		side_init(&s);
		CHECK_TRUE(addr_parse_ip(str_from(cases[i].from), &target.from), "from");
		s.stream = stream_connect(l, &target, &ops, NULL, &s);
		for (int n = 0; n < TURNS_MAX && !s.connected && !s.closed; n++)
			(void)loop_turn(l);
		CHECK_U64_EQ(s.connected, cases[i].is_ours, cases[i].from);
		if (s.connected) {
			struct sockaddr_storage sa = { 0 };
			socklen_t size = sizeof(sa);
			int client = accept(fd, (struct sockaddr *)&sa, &size);

			peer = socket_to_addr(&sa);
			CHECK_TRUE(addr_eq_ip(&peer, &target.from), cases[i].from);
			(void)close(client);
		}
		stream_free(&s.stream);
	}
	(void)close(fd);
	loop_free(&l);
}

SUITE(io_stream, { "talks", test_talks },
      { "keeps what is not taken", test_keeps_what_is_not_taken },
      { "takes nothing while told not to", test_takes_nothing_while_told_not_to },
      { "bounds input", test_bounds_input },
      { "tells full and drained", test_tells_full_and_drained },
      { "output is what is unsent", test_output_is_what_is_unsent },
      { "cuts who takes nothing", test_cuts_who_takes_nothing },
      { "bounds output", test_bounds_output }, { "deadline", test_deadline },
      { "may be freed inside", test_may_be_freed_inside },
      { "sends all before it closes", test_sends_all_before_it_closes },
      { "leaves", test_leaves }, { "TLS talks", test_tls_talks },
      { "TLS input waits inside", test_tls_input_waits_inside },
      { "STARTTLS drops plaintext", test_starttls_drops_plaintext },
      { "TLS without certificate", test_tls_without_certificate },
      { "TLS wants the right name", test_tls_wants_the_right_name },
      { "TLS refuses plain text", test_tls_refuses_plain_text },
      { "TLS handshake has a deadline", test_tls_handshake_has_a_deadline },
      { "connects", test_connects },
      { "connects from an address of ours", test_connects_from });
