/* Frames whole, trickled and broken; a client that comes back. */
#include "io/ipc.h"

#include "io/socket.h"
#include "tests/unit/check.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
	TURNS_MAX = 3000,
	BIG = 3 << 20,
};

struct end {
	unsigned opened, messages, closed;
	uint16_t kind;
	uint64_t id;
	struct strbuf payload;
	const char *why;
	struct ipc_peer *peer;
};

struct world {
	struct loop *loop;
	struct timer tick;
	struct end a, b;
};

static void
on_tick(void *arg)
{
	timer_set(arg, 1);
}

static void
on_opened(void *arg, struct ipc_peer *p)
{
	struct end *e = arg;

	e->opened++;
	e->peer = p;
}

static void
on_message(void *arg, struct ipc_peer *p, const struct ipc_message *m)
{
	struct end *e = arg;

	(void)p;
	e->messages++;
	e->kind = m->kind;
	e->id = m->id;
	strbuf_clear(&e->payload);
	strbuf_add(&e->payload, m->payload);
}

static void
on_closed(void *arg, struct ipc_peer *p, const char *why)
{
	struct end *e = arg;

	(void)p;
	e->closed++;
	e->why = why;
	e->peer = NULL;
}

static const struct ipc_ops ops = { .opened = on_opened,
	                            .message = on_message,
	                            .closed = on_closed };

static void
world_init(struct world *w)
{
	*w = (struct world){ .loop = loop_new() };
	w->a.payload = w->b.payload = strbuf_heap(IPC_FRAME_MAX);
	timer_init(&w->tick, w->loop, on_tick, &w->tick);
	timer_set(&w->tick, 1);
}

static void
world_fini(struct world *w)
{
	timer_stop(&w->tick);
	strbuf_release(&w->a.payload);
	strbuf_release(&w->b.payload);
	loop_free(&w->loop);
}

static void
turn_until(struct world *w, const unsigned *counter, unsigned n)
{
	for (int i = 0; i < TURNS_MAX && *counter < n; i++)
		(void)loop_turn(w->loop);
}

static void
test_frames_are_whole_or_more(void)
{
	struct strbuf b = strbuf_heap(1024);
	struct ipc_message m;
	size_t used, first;

	ipc_format(&b, 7, UINT64_C(0x0102030405060708), STR("payload"));
	first = b.n;
	ipc_format(&b, 65535, 0, STR(""));
	CHECK_U64_EQ(first, IPC_HEADER_BYTES + 7, "size");
	for (size_t n = 0; n < first; n++)
		CHECK_TRUE(ipc_parse(str_make(b.p, n), &m, &used) == IPC_FRAME_MORE,
		           "each beginning waits for more");
	if (CHECK_TRUE(ipc_parse(strbuf_str(&b), &m, &used) == IPC_FRAME_OK, "whole")) {
		CHECK_U64_EQ(used, first, "the first only");
		CHECK_U64_EQ(m.kind, 7, "kind");
		CHECK_U64_EQ(m.id, UINT64_C(0x0102030405060708), "id");
		CHECK_STR_EQ(m.payload, STR("payload"), "payload");
	}
	strbuf_consume(&b, first);
	CHECK_TRUE(ipc_parse(strbuf_str(&b), &m, &used) == IPC_FRAME_OK, "an empty one");
	CHECK_U64_EQ(m.kind, 65535, "kind");
	CHECK_U64_EQ(m.payload.n, 0, "no payload");
	strbuf_release(&b);
}

/* Only the four bytes of the length are there: nobody waits for the rest of a lie. */
static void
test_lengths_out_of_range(void)
{
	static const struct {
		uint32_t n;
		enum ipc_frame want;
	} rows[] = {
		{ 0, IPC_FRAME_ERROR },
		{ 9, IPC_FRAME_ERROR },
		{ 10, IPC_FRAME_MORE },
		{ IPC_FRAME_MAX + 10, IPC_FRAME_MORE },
		{ IPC_FRAME_MAX + 11, IPC_FRAME_ERROR },
		{ UINT32_MAX, IPC_FRAME_ERROR },
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		const char bytes[4] = { (char)rows[i].n, (char)(rows[i].n >> 8),
			                (char)(rows[i].n >> 16),
			                (char)(rows[i].n >> 24) };
		struct ipc_message m;
		size_t used;

		CHECK_U64_EQ(ipc_parse(str_make(bytes, 4), &m, &used), rows[i].want,
		             "length out of range");
	}
}

static void
test_trickles(void)
{
	struct strbuf b = strbuf_heap(1024);
	struct ipc_peer *p;
	struct world w;
	int fds[2];

	world_init(&w);
	socket_pair(fds);
	p = ipc_peer_new(w.loop, fds[0], &ops, &w.a);
	ipc_format(&b, 3, 4, STR("one"));
	ipc_format(&b, 5, 6, STR("two"));
	for (size_t i = 0; i < b.n; i++) {
		CHECK_I64_EQ(send(fds[1], b.p + i, 1, 0), 1, "a byte");
		(void)loop_turn(w.loop);
	}
	turn_until(&w, &w.a.messages, 2);
	CHECK_U64_EQ(w.a.messages, 2, "byte by byte");
	CHECK_STR_EQ(strbuf_str(&w.a.payload), STR("two"), "the last");
	CHECK_I64_EQ(send(fds[1], b.p, b.n, 0), (int64_t)b.n, "both at once");
	turn_until(&w, &w.a.messages, 4);
	CHECK_U64_EQ(w.a.messages, 4, "whole");
	(void)close(fds[1]);
	turn_until(&w, &w.a.closed, 1);
	CHECK_CSTR_EQ(w.a.why, "eof", "the end");
	strbuf_release(&b);
	world_fini(&w);
	(void)p;
}

static void
test_broken_framing_ends_it(void)
{
	struct world w;
	int fds[2];

	world_init(&w);
	socket_pair(fds);
	(void)ipc_peer_new(w.loop, fds[0], &ops, &w.a);
	CHECK_I64_EQ(send(fds[1], "\xff\xff\xff\xff", 4, 0), 4, "4 GiB announced");
	turn_until(&w, &w.a.closed, 1);
	CHECK_U64_EQ(w.a.closed, 1, "disconnected");
	if (w.a.closed)
		CHECK_CSTR_EQ(w.a.why, "framing", "why");
	CHECK_U64_EQ(w.a.messages, 0, "nothing was heard");
	(void)close(fds[1]);
	world_fini(&w);
}

static void
test_large_frames(void)
{
	struct ipc_peer *a, *b;
	struct world w;
	char *big = calloc(1, BIG); /* lint: a test's block, larger than a stack */
	int fds[2];

	world_init(&w);
	if (!CHECK_TRUE(big, "memory"))
		return;
	memset(big, 'x', BIG);
	socket_pair(fds);
	a = ipc_peer_new(w.loop, fds[0], &ops, &w.a);
	b = ipc_peer_new(w.loop, fds[1], &ops, &w.b);
	ipc_send(a, 9, 1, str_make(big, BIG));
	CHECK_TRUE(ipc_is_full(a), "more than 1 MiB waits");
	turn_until(&w, &w.b.messages, 1);
	CHECK_STR_EQ(strbuf_str(&w.b.payload), str_make(big, BIG), "3 MiB");
	CHECK_TRUE(!ipc_is_full(a), "gone out");
	ipc_close(b, "test");
	turn_until(&w, &w.b.closed, 1);
	turn_until(&w, &w.a.closed, 1);
	CHECK_CSTR_EQ(w.b.why, "test", "its own reason");
	free(big); /* lint: from calloc above */
	world_fini(&w);
}

static void
test_client_comes_back(void)
{
	char directory[] = "/tmp/mailstead-unit-XXXXXX", path[64];
	struct ipc_server *server;
	struct ipc_client *client;
	struct world w;
	struct diag diag;
	int fd;

	world_init(&w);
	CHECK_TRUE(mkdtemp(directory), "a directory");
	(void)snprintf(path, sizeof(path), "%s/s", directory);
	client = ipc_client_new(w.loop, path, &ops, &w.a);
	for (int i = 0; i < 60; i++)
		(void)loop_turn(w.loop);
	CHECK_TRUE(!ipc_client_peer(client), "nobody is there");
	for (unsigned round = 1; round <= 3; round++) {
		CHECK_ERR_EQ(socket_listen_unix(path, 0600, &fd, &diag), OK, "listens");
		server = ipc_server_new(w.loop, fd, &ops, &w.b);
		turn_until(&w, &w.a.opened, round);
		turn_until(&w, &w.b.opened, round);
		CHECK_U64_EQ(w.a.opened, round, "connected");
		if (!ipc_client_peer(client) || !w.b.peer)
			break;
		CHECK_I64_EQ(ipc_pid(w.b.peer), (int64_t)getpid(), "which process");
		ipc_send(ipc_client_peer(client), 1, round, STR("ask"));
		turn_until(&w, &w.b.messages, round);
		CHECK_U64_EQ(w.b.id, round, "asked");
		ipc_send(w.b.peer, 2, round, STR("answer"));
		turn_until(&w, &w.a.messages, round);
		CHECK_STR_EQ(strbuf_str(&w.a.payload), STR("answer"), "answered");
		ipc_server_free(&server);
		turn_until(&w, &w.a.closed, round);
		CHECK_U64_EQ(w.a.closed, round, "told of the end, once");
		CHECK_TRUE(!ipc_client_peer(client), "no peer now");
	}
	ipc_client_free(&client);
	(void)unlink(path);
	(void)rmdir(directory);
	world_fini(&w);
}

SUITE(io_ipc, { "frames are whole or more", test_frames_are_whole_or_more },
      { "lengths out of range", test_lengths_out_of_range },
      { "trickles", test_trickles },
      { "broken framing ends it", test_broken_framing_ends_it },
      { "large frames", test_large_frames },
      { "client comes back", test_client_comes_back });
