/* A protocol whose commands are one byte each, served over a socket pair. What it is
   asked and told is noted as words, in order. */
#include "io/served.h"

#include "base/macros.h"
#include "base/mem.h"
#include "io/socket.h"
#include "tests/unit/check.h"

#include <sys/socket.h>
#include <unistd.h>

enum {
	TURNS_MAX = 2000,
	FULL = 64 * 1024,
	LONG_REPLY = 40007, /* of which the kernel takes a part */
	LONG_REPLIES = 20,  /* more than a socket takes */
	LONG_MS = 60000,
};

struct rig {
	struct loop *loop;
	struct served_all all;
	struct limiter *limiter;
	struct tls_server *tls;
	struct conn *conn; /* NULL: it is gone */
	int fd;            /* the client's end */
	struct timer tick;
	struct strbuf seen;  /* what the protocol was asked */
	struct strbuf heard; /* by the client */
	unsigned stopped;
};

struct conn {
	struct served served;
	struct rig *rig;
	bool is_busy; /* in the middle of a command */
	unsigned more;
};

static void
note(struct conn *c, const char *word)
{
	if (c->rig->seen.n)
		strbuf_byte(&c->rig->seen, ' ');
	strbuf_add(&c->rig->seen, str_from(word));
}

static void
on_greet(void *arg, struct strbuf *out)
{
	note(arg, "greet");
	strbuf_byte(out, '>');
}

/* r: read on, b: a command that wants more, e: its end, w: a question, m: fills the
   output twice, k: a long reply, s: STARTTLS, q: the end. Where the output holds much
   already, nothing is taken, as in SMTP. */
static enum served_next
on_input(void *arg, struct str in, size_t *used_out, struct strbuf *out)
{
	struct conn *c = arg;

	while (*used_out < in.n && out->n < FULL) {
		char command = in.p[(*used_out)++];

		strbuf_byte(out, command);
		for (int i = 1; command == 'k' && i < LONG_REPLY; i++)
			strbuf_byte(out, '.');
		c->is_busy = command == 'b';
		if (command == 'w')
			return SERVED_WAIT;
		if (command == 's')
			return SERVED_STARTTLS;
		if (command == 'q')
			return SERVED_CLOSE;
		if (command == 'm') {
			c->more = 2;
			return SERVED_MORE;
		}
	}
	return SERVED_READ;
}

static enum served_next
on_drained(void *arg, struct strbuf *out)
{
	struct conn *c = arg;

	note(c, "drained");
	if (!c->more--)
		return SERVED_READ;
	for (int i = 0; i < FULL; i++)
		strbuf_byte(out, '.');
	return SERVED_MORE;
}

static void
on_secured(void *arg, const struct tls_info *tls)
{
	(void)tls;
	note(arg, "secured");
}

static bool
is_at_rest(void *arg)
{
	return !((struct conn *)arg)->is_busy;
}

static void
on_bye(void *arg, enum err why, struct strbuf *out)
{
	note(arg, "bye");
	strbuf_add(out, str_from(err_get(why)->word));
}

static void
on_next(void *arg, enum served_next next)
{
	static const char *const words[] = { "read", "wait", "more", "tls", "close" };

	note(arg, words[next]);
}

static void
on_room(void *arg)
{
	note(arg, "room");
}

static void
on_dropped(void *arg, size_t n)
{
	CHECK_U64_EQ(n, 3, "dropped");
	note(arg, "dropped");
}

static void
on_closed(void *arg, enum stream_end why, const char *detail)
{
	(void)detail;
	note(arg, stream_end_word(why));
}

static void
on_free(void *arg)
{
	struct conn *c = arg;

	note(c, "free");
	c->rig->conn = NULL;
	mem_free(c);
}

static bool
may_go(void *arg)
{
	return served_may_go(&((struct conn *)arg)->served);
}

static void
on_dismissed(void *arg)
{
	served_bye(&((struct conn *)arg)->served, ERR_BUSY);
}

static const struct limiter_ops place_ops = { .may_go = may_go, .go = on_dismissed };

static const struct served_ops ops = {
	.name = STR_INIT("test"),
	.alpn = TLS_ALPN_NONE,
	.place = &place_ops,
	.greet = on_greet,
	.input = on_input,
	.drained = on_drained,
	.secured = on_secured,
	.is_at_rest = is_at_rest,
	.bye = on_bye,
	.next = on_next,
	.room = on_room,
	.dropped = on_dropped,
	.closed = on_closed,
	.free = on_free,
};

static const struct stream_limits limits = {
	.in_max = 4096,
	.out_full = FULL,
	.out_max = 16 << 20,
	.stalled_ms = 60 * 1000,
	.handshake_ms = 60 * 1000,
	.linger_ms = 60 * 1000,
};

static void
on_tick(void *arg)
{
	timer_set(arg, 1);
}

static void
rig_connect(struct rig *r, bool is_implicit_tls, int64_t first_ms)
{
	const struct accepted a = { .peer = { .family = ADDR_NONE } };
	struct conn *c = mem_alloc(sizeof(*c));
	int fds[2];

	socket_pair(fds);
	r->fd = fds[1];
	r->conn = c;
	*c = (struct conn){ .served = { .ops = &ops, .arg = c }, .rig = r };
	CHECK_ERR_EQ(limiter_take(r->limiter, &a.peer), OK, "a place");
	served_begin(&c->served, &r->all, &a, is_implicit_tls);
	served_start(&c->served, fds[0], &limits, first_ms);
}

static void
rig_init(struct rig *r)
{
	*r = (struct rig){ .loop = loop_new(),
		           .limiter = limiter_new(),
		           .tls = tls_server_new(),
		           .fd = -1,
		           .seen = strbuf_heap(4096),
		           .heard = strbuf_heap(1 << 20) };
	timer_init(&r->tick, r->loop, on_tick, &r->tick);
	timer_set(&r->tick, 1);
	served_all_init(&r->all, r->loop, r->tls, r->limiter);
}

static void
rig_fini(struct rig *r)
{
	served_all_fini(&r->all);
	CHECK_TRUE(!r->conn, "nobody is left");
	CHECK_U64_EQ(limiter_count(r->limiter), 0, "places are given back");
	timer_stop(&r->tick);
	if (r->fd >= 0)
		(void)close(r->fd);
	tls_server_free(&r->tls);
	limiter_free(&r->limiter);
	strbuf_release(&r->seen);
	strbuf_release(&r->heard);
	loop_free(&r->loop);
}

static void
turn_and_hear(struct rig *r)
{
	char bytes[4096];
	ssize_t n;

	(void)loop_turn(r->loop);
	n = recv(r->fd, bytes, sizeof(bytes), MSG_DONTWAIT);
	if (n > 0)
		strbuf_bytes(&r->heard, bytes, (size_t)n);
}

/* Until the protocol was asked all that. */
static void
expect_seen(struct rig *r, const char *want)
{
	for (int i = 0; i < TURNS_MAX && !str_eq(strbuf_str(&r->seen), str_from(want));
	     i++)
		turn_and_hear(r);
	CHECK_STR_EQ(strbuf_str(&r->seen), str_from(want), "in this order");
	strbuf_clear(&r->seen);
}

static void
say(struct rig *r, const char *what)
{
	struct str s = str_from(what);

	CHECK_TRUE(send(r->fd, s.p, s.n, MSG_NOSIGNAL) == (ssize_t)s.n, "sent");
}

/* The client has read all, and ends its side too. */
static void
client_leaves(struct rig *r)
{
	turn_and_hear(r);
	turn_and_hear(r);
	(void)shutdown(r->fd, SHUT_WR);
}

static void
test_dialogue(void)
{
	struct rig r;

	rig_init(&r);
	rig_connect(&r, false, 0);
	expect_seen(&r, "greet read");
	say(&r, "rrw");
	expect_seen(&r, "wait");
	say(&r, "r");
	for (int i = 0; i < 20; i++)
		turn_and_hear(&r);
	CHECK_U64_EQ(r.seen.n, 0, "nothing is taken meanwhile");
	served_follow(&r.conn->served, SERVED_READ);
	expect_seen(&r, "read read");
	say(&r, "q");
	expect_seen(&r, "close");
	client_leaves(&r);
	expect_seen(&r, "closed free");
	CHECK_STR_EQ(strbuf_str(&r.heard), STR(">rrwrq"), "heard");
	rig_fini(&r);
}

/* What comes behind a pause is answered behind it. */
static void
test_pause(void)
{
	struct rig r;

	rig_init(&r);
	rig_connect(&r, false, 0);
	expect_seen(&r, "greet read");
	say(&r, "mr");
	expect_seen(&r, "more drained more drained more drained read");
	for (int i = 0; i < TURNS_MAX && r.heard.n < 2 * FULL + 3; i++)
		turn_and_hear(&r);
	CHECK_U64_EQ(r.heard.n, 2 * FULL + 3, "all of it");
	rig_fini(&r);
}

/* A client that first says all, and then reads, hears all: also where the kernel has
   taken a part of the output. */
static void
test_reads_late(void)
{
	struct rig r;

	rig_init(&r);
	rig_connect(&r, false, 0);
	expect_seen(&r, "greet read");
	for (int i = 0; i < LONG_REPLIES; i++) {
		say(&r, "k");
		(void)loop_turn(r.loop);
		strbuf_clear(&r.seen);
	}
	for (int i = 0; i < TURNS_MAX && r.heard.n < LONG_REPLIES * LONG_REPLY + 1; i++) {
		turn_and_hear(&r);
		strbuf_clear(&r.seen);
	}
	CHECK_U64_EQ(r.heard.n, LONG_REPLIES * LONG_REPLY + 1, "all of it");
	rig_fini(&r);
}

static void
test_room(void)
{
	struct rig r;

	rig_init(&r);
	rig_connect(&r, false, 0);
	expect_seen(&r, "greet read");
	say(&r, "w");
	expect_seen(&r, "wait");
	for (int i = 0; i < FULL; i++)
		strbuf_byte(stream_output(r.conn->served.stream), '.');
	stream_flush_soon(r.conn->served.stream);
	expect_seen(&r, "room");
	rig_fini(&r);
}

/* Without a certificate the handshake fails: that is told, and greeted is nobody. */
static void
test_tls(void)
{
	struct rig r;

	rig_init(&r);
	rig_connect(&r, true, 0);
	expect_seen(&r, "tls free");
	(void)close(r.fd);
	rig_connect(&r, false, 0);
	expect_seen(&r, "greet read");
	CHECK_TRUE(!served_has_starttls(&r.conn->served), "no certificate");
	say(&r, "srrr");
	expect_seen(&r, "tls dropped tls free");
	rig_fini(&r);
}

static void
test_deadline(void)
{
	struct rig r;

	rig_init(&r);
	rig_connect(&r, false, 20);
	expect_seen(&r, "greet read bye");
	client_leaves(&r);
	expect_seen(&r, "closed free");
	rig_fini(&r);
}

static void
on_stopped(void *arg)
{
	((struct rig *)arg)->stopped++;
}

static void
turn_until_stopped(struct rig *r)
{
	for (int i = 0; i < TURNS_MAX && !r->stopped; i++)
		(void)loop_turn(r->loop);
	CHECK_U64_EQ(r->stopped, 1, "told once");
}

/* Who is in the middle of a command may end it. */
static void
test_stop(void)
{
	struct rig r;

	rig_init(&r);
	rig_connect(&r, false, 0);
	expect_seen(&r, "greet read");
	say(&r, "b");
	expect_seen(&r, "read");
	served_all_stop(&r.all, LONG_MS, on_stopped, &r);
	for (int i = 0; i < 20; i++)
		(void)loop_turn(r.loop);
	CHECK_U64_EQ(r.stopped, 0, "not yet");
	say(&r, "e");
	expect_seen(&r, "bye");
	client_leaves(&r);
	turn_until_stopped(&r);
	expect_seen(&r, "closed free");
	rig_fini(&r);
}

/* Who never ends it is told goodbye all the same, and who asked something behind that. */
static void
test_stop_without_patience(void)
{
	static const char *const commands[] = { "b", "w" };

	for (size_t i = 0; i < ARRAY_LEN(commands); i++) {
		struct rig r;

		rig_init(&r);
		rig_connect(&r, false, 0);
		expect_seen(&r, "greet read");
		say(&r, commands[i]);
		expect_seen(&r, i == 0 ? "read" : "wait");
		served_all_stop(&r.all, 0, on_stopped, &r);
		for (int n = 0; n < 20 && !r.all.is_impatient; n++)
			(void)loop_turn(r.loop);
		if (i == 1) {
			expect_seen(&r, "");
			served_follow(&r.conn->served, SERVED_READ);
		}
		expect_seen(&r, "bye");
		client_leaves(&r);
		turn_until_stopped(&r);
		rig_fini(&r);
	}
}

static void
test_stop_at_rest(void)
{
	struct rig r;

	rig_init(&r);
	rig_connect(&r, false, 0);
	expect_seen(&r, "greet read");
	served_all_stop(&r.all, LONG_MS, on_stopped, &r);
	expect_seen(&r, "bye");
	client_leaves(&r);
	turn_until_stopped(&r);
	rig_fini(&r);
}

static void
test_stop_without_any(void)
{
	struct rig r;

	rig_init(&r);
	served_all_stop(&r.all, LONG_MS, on_stopped, &r);
	CHECK_U64_EQ(r.stopped, 0, "never inside the call");
	turn_until_stopped(&r);
	rig_fini(&r);
}

/* One place: who comes next takes it from who waits for nothing. */
static void
test_gives_way(void)
{
	struct limiter_max max = { .total = 1 };
	struct addr peer = { .family = ADDR_NONE };
	struct rig r;

	rig_init(&r);
	limiter_set(r.limiter, &max);
	rig_connect(&r, false, 0);
	expect_seen(&r, "greet read");
	say(&r, "w");
	expect_seen(&r, "wait");
	CHECK_ERR_EQ(limiter_take(r.limiter, &peer), ERR_BUSY, "a question is out");
	served_follow(&r.conn->served, SERVED_READ);
	expect_seen(&r, "read");
	CHECK_TRUE(served_may_go(&r.conn->served), "at rest");
	served_bye(&r.conn->served, ERR_BUSY);
	served_bye(&r.conn->served, ERR_TIMEOUT);
	expect_seen(&r, "bye");
	CHECK_TRUE(served_may_go(&r.conn->served), "it ends anyhow");
	client_leaves(&r);
	expect_seen(&r, "closed free");
	rig_fini(&r);
}

SUITE(io_served, { "dialogue", test_dialogue }, { "pause", test_pause },
      { "reads late", test_reads_late }, { "room", test_room }, { "TLS", test_tls },
      { "deadline", test_deadline }, { "stop", test_stop },
      { "stop at rest", test_stop_at_rest },
      { "stop without patience", test_stop_without_patience },
      { "stop without any", test_stop_without_any }, { "gives way", test_gives_way });
