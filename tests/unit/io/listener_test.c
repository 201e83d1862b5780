/* Accepting: limits, trusted proxies, and no descriptors left. */
#include "io/listener.h"

#include "base/clock.h"
#include "base/event.h"
#include "io/socket.h"
#include "tests/unit/check.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum {
	TURNS_MAX = 3000,
	PROXY_WAIT_MS = 60,
	LEAVE_MS = 30,
	CLIENTS = 40,
};

struct door {
	struct loop *loop;
	struct timer tick;
	struct listener *listener;
	int fd; /* the listener's */
	struct listener_conf conf;
	struct net proxy;
	struct addr at;
	unsigned accepted, refused, turns, asked;
	int64_t leave_ms;
	enum err why;
	struct accepted last;
	int fds[CLIENTS];
};

static void
on_tick(void *arg)
{
	timer_set(arg, 1);
}

static void
on_accepted(void *arg, const struct accepted *a)
{
	struct door *d = arg;

	d->last = *a;
	if (d->accepted < CLIENTS)
		d->fds[d->accepted] = a->fd;
	d->accepted++;
}

static void
on_refused(void *arg, const struct addr *peer, enum err why, struct str *goodbye_out)
{
	struct door *d = arg;

	(void)peer;
	d->refused++;
	d->why = why;
	*goodbye_out = STR("421 later\r\n");
}

static int64_t
on_leave(void *arg)
{
	struct door *d = arg;

	d->asked++;
	return d->leave_ms;
}

static const struct listener_ops ops = { on_accepted, on_refused, on_leave };

static void
door_open(struct door *d)
{
	struct diag diag;
	int fd;

	d->loop = loop_new();
	CHECK_TRUE(addr_parse(STR("127.0.0.1:0"), &d->at), "address");
	CHECK_TRUE(net_parse(STR("127.0.0.0/8"), &d->proxy), "network");
	CHECK_ERR_EQ(socket_listen(&d->at, &fd, &diag), OK, "listens");
	d->at = socket_local(fd);
	timer_init(&d->tick, d->loop, on_tick, &d->tick);
	timer_set(&d->tick, 1);
	d->fd = fd;
	d->listener = listener_new(d->loop, fd, &d->conf, &ops, d);
}

static void
door_init(struct door *d, struct limiter *limiter, bool trusts_loopback)
{
	*d = (struct door){ .conf = { .proxies = &d->proxy,
		                      .proxies_count = trusts_loopback ? 1 : 0,
		                      .proxy_wait_ms = PROXY_WAIT_MS,
		                      .limiter = limiter,
		                      .want_local = true } };
	door_open(d);
}

static void
door_in_turns(struct door *d, bool is_in_turns)
{
	*d = (struct door){ .conf = { .is_in_turns = is_in_turns } };
	door_open(d);
}

static void
door_fini(struct door *d)
{
	for (unsigned i = 0; i < d->accepted && i < CLIENTS; i++)
		(void)close(d->fds[i]);
	listener_free(&d->listener);
	timer_stop(&d->tick);
	loop_free(&d->loop);
}

static int
knock(const struct door *d)
{
	struct sockaddr_storage sa;
	socklen_t n = socket_from_addr(&d->at, &sa);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	CHECK_TRUE(fd >= 0 && connect(fd, (struct sockaddr *)&sa, n) == 0, "connects");
	return fd;
}

static void
turn_until(struct door *d, const unsigned *counter, unsigned n)
{
	for (int i = 0; i < TURNS_MAX && *counter < n; i++)
		(void)loop_turn(d->loop);
}

static void
test_accepts(void)
{
	struct door d;
	int c, flags;

	door_init(&d, NULL, false);
	c = knock(&d);
	turn_until(&d, &d.accepted, 1);
	if (CHECK_U64_EQ(d.accepted, 1, "accepted")) {
		flags = fcntl(d.last.fd, F_GETFL);
		CHECK_TRUE(flags & O_NONBLOCK, "non-blocking");
		CHECK_TRUE(fcntl(d.last.fd, F_GETFD) & FD_CLOEXEC, "not inherited");
		CHECK_TRUE(addr_is_loopback(&d.last.peer), "the client");
		CHECK_U64_EQ(d.last.local.port, d.at.port, "where it came in");
		CHECK_TRUE(d.last.proxy.family == ADDR_NONE, "direct");
		CHECK_I64_EQ(d.last.uid, -1, "no unix socket");
	}
	(void)close(c);
	door_fini(&d);
}

static void
test_limits(void)
{
	struct limiter *l = limiter_new();
	char text[32] = { 0 };
	struct limiter_place place;
	struct door d;
	int a, b;

	limiter_set(l, &(struct limiter_max){ .per_ip = 1 });
	door_init(&d, l, false);
	a = knock(&d);
	turn_until(&d, &d.accepted, 1);
	b = knock(&d);
	turn_until(&d, &d.refused, 1);
	CHECK_ERR_EQ(d.why, ERR_LIMIT, "one for each client");
	CHECK_I64_EQ(recv(b, text, sizeof(text), 0), 11, "told why");
	CHECK_CSTR_EQ(text, "421 later\r\n", "in the words of the protocol");
	CHECK_I64_EQ(recv(b, text, sizeof(text), 0), 0, "and closed");
	limiter_hold(l, &place, &d.last.peer, NULL, NULL);
	limiter_leave(&place);
	(void)close(b);
	b = knock(&d);
	turn_until(&d, &d.accepted, 2);
	CHECK_U64_EQ(d.accepted, 2, "room again");
	(void)close(a);
	(void)close(b);
	door_fini(&d);
	limiter_free(&l);
}

/* Whether what was received is acknowledged before there is an answer. */
static void
test_in_turns(void)
{
	for (int is_in_turns = 0; is_in_turns <= 1; is_in_turns++) {
		struct door d;
		int c, acknowledges = -1;
		socklen_t n = sizeof(acknowledges);

		door_in_turns(&d, is_in_turns);
		c = knock(&d);
		turn_until(&d, &d.accepted, 1);
		(void)getsockopt(d.last.fd, IPPROTO_TCP, TCP_QUICKACK, &acknowledges, &n);
		CHECK_I64_EQ(acknowledges, !is_in_turns, "at once");
		(void)close(c);
		door_fini(&d);
	}
}

/* The socket is another process's as well, which takes one of two clients. */
static void
test_leaves_to_others(void)
{
	struct door d;
	int64_t begin_ms = clock_mono_ms();
	int a, b, other, taken;

	door_init(&d, NULL, false);
	d.leave_ms = LEAVE_MS;
	other = fcntl(d.fd, F_DUPFD_CLOEXEC, 0);
	a = knock(&d);
	turn_until(&d, &d.asked, 1);
	CHECK_U64_EQ(d.accepted, 0, "left");
	taken = accept4(other, NULL, NULL, SOCK_CLOEXEC);
	CHECK_TRUE(taken >= 0, "taken by the other");
	b = knock(&d);
	turn_until(&d, &d.accepted, 1);
	CHECK_U64_EQ(d.accepted, 1, "who is left is taken");
	CHECK_TRUE(d.asked <= 3, "not asked for in between");
	CHECK_TRUE(clock_mono_ms() - begin_ms >= LEAVE_MS - 1, "but after the time");
	d.leave_ms = 0;
	(void)close(a);
	a = knock(&d);
	turn_until(&d, &d.accepted, 2);
	CHECK_U64_EQ(d.accepted, 2, "and at once, where nobody is left to others");
	(void)close(taken);
	(void)close(other);
	(void)close(a);
	(void)close(b);
	door_fini(&d);
}

static void
test_proxy(void)
{
	static const char header[] =
		"PROXY TCP4 192.0.2.7 198.51.100.1 4000 25\r\nEHLO x\r\n";
	static const char head[] = "PROXY TCP4 192.0.2.7 198.51.100.1 4000 25\r\n";
	char text[32] = { 0 };
	struct door d;
	int64_t begin_ms;
	int c;

	door_init(&d, NULL, true);
	d.conf.proxy_wait_ms = 60000; /* longer than we may be without a processor */
	c = knock(&d);
	CHECK_I64_EQ(send(c, header, 10, 0), 10, "half a header");
	for (int i = 0; i < 10; i++)
		(void)loop_turn(d.loop);
	CHECK_U64_EQ(d.accepted + d.refused, 0, "waited for");
	CHECK_TRUE(send(c, header + 10, sizeof(header) - 11, 0) > 0, "the rest");
	turn_until(&d, &d.accepted, 1);
	if (CHECK_U64_EQ(d.accepted, 1, "accepted")) {
		char bytes[ADDR_TEXT_MAX];

		CHECK_STR_EQ(addr_ip_text(&d.last.peer, &bytes), STR("192.0.2.7"),
		             "the client, as the proxy says");
		CHECK_U64_EQ(d.last.local.port, 25, "where it came in");
		CHECK_TRUE(addr_is_loopback(&d.last.proxy), "through whom");
		CHECK_I64_EQ(recv(d.last.fd, text, sizeof(text), 0), 8,
		             "what follows is the session's");
	}
	(void)close(c);
	d.conf.proxy_wait_ms = PROXY_WAIT_MS;
	c = knock(&d);
	begin_ms = clock_mono_ms();
	turn_until(&d, &d.accepted, 2);
	CHECK_TRUE(clock_mono_ms() - begin_ms >= PROXY_WAIT_MS - 5,
	           "silence is waited out");
	CHECK_TRUE(d.last.proxy.family == ADDR_NONE, "and is an ordinary client");
	(void)close(c);
	c = knock(&d);
	CHECK_TRUE(send(c, head, 8, 0) == 8, "half a header for ever");
	turn_until(&d, &d.refused, 1);
	CHECK_ERR_EQ(d.why, ERR_PROTOCOL, "is refused");
	(void)close(c);
	c = knock(&d);
	CHECK_TRUE(send(c, "EHLO x\r\n", 8, 0) == 8, "an ordinary client talks at once");
	turn_until(&d, &d.accepted, 3);
	CHECK_U64_EQ(d.accepted, 3, "no header, no wait");
	(void)close(c);
	c = knock(&d); /* still waited for when the door closes */
	(void)loop_turn(d.loop);
	door_fini(&d);
	(void)close(c);
}

static int64_t
cpu_ms(void)
{
	struct timespec t;

	(void)clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
	return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

static void
count_turns(void *arg)
{
	struct timer *t = arg;

	timer_set(t, 10);
}

/* In a child: 0 when all went well, else the line that did not. */
static int
without_descriptors(void)
{
	struct rlimit limit;
	struct door d;
	int clients[CLIENTS], n = 0;
	int64_t begin_ms, begin_cpu_ms;
	char text[32];

	event_set_log(LEVEL_ERROR, "unit");
	door_init(&d, NULL, false);
	timer_stop(&d.tick);
	timer_init(&d.tick, d.loop, count_turns, &d.tick);
	timer_set(&d.tick, 10);
	for (; n < CLIENTS; n++)
		clients[n] = knock(&d);
	if (getrlimit(RLIMIT_NOFILE, &limit) != 0)
		return __LINE__;
	/* Room for two more. */
	limit.rlim_cur = (rlim_t)clients[CLIENTS - 1] + 3;
	if (setrlimit(RLIMIT_NOFILE, &limit) != 0)
		return __LINE__;
	begin_ms = clock_mono_ms();
	begin_cpu_ms = cpu_ms();
	/* Longer on a machine that is busy with others. */
	while (clock_mono_ms() - begin_ms < 450 || d.refused < 2) {
		(void)loop_turn(d.loop);
		d.turns++;
	}
	if (d.accepted != 2 || d.refused < 2 || d.refused > 10 || d.why != ERR_BUSY)
		return __LINE__;
	/* It rests in between: neither many turns nor much work. */
	if (d.turns > 200 || cpu_ms() - begin_cpu_ms > 200)
		return __LINE__;
	if (recv(clients[2], text, sizeof(text), 0) != 11) /* told, not left hanging */
		return __LINE__;
	(void)close(d.fds[0]);
	(void)close(d.fds[1]);
	d.accepted = 0;
	for (int i = 0; i < 100 && !d.accepted; i++)
		(void)loop_turn(d.loop);
	return d.accepted ? 0 : __LINE__;
}

static void
test_no_descriptors_left(void)
{
	pid_t pid = fork();
	int status;

	if (pid == 0)
		_exit(without_descriptors() % 256);
	CHECK_TRUE(waitpid(pid, &status, 0) == pid && WIFEXITED(status), "ended");
	CHECK_I64_EQ(WEXITSTATUS(status), 0, "line (modulo 256) that failed");
}

SUITE(io_listener, { "accepts", test_accepts }, { "limits", test_limits },
      { "speaks in turns", test_in_turns }, { "leaves to others", test_leaves_to_others },
      { "PROXY", test_proxy }, { "no descriptors left", test_no_descriptors_left });
