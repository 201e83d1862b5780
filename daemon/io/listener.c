#include "io/listener.h"

#include "base/event.h"
#include "base/list.h"
#include "base/mem.h"
#include "base/panic.h"
#include "io/proxy.h"
#include "io/socket.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
	LISTENER_MAGIC = 0x6c736e72,
	WAITING_MAGIC = 0x70726f78,
	TURN_ACCEPTS = 64,  /* per wake-up; other processes on the socket want some too */
	REST_MS = 100,      /* after running out of descriptors */
	WAITING_MAX = 1000, /* proxies that have not sent their header yet */
	PROXY_POLL_MS = 10, /* how often a half header is looked at again */
};

struct listener {
	uint32_t magic;
	int fd;
	int reserve_fd; /* given up for a moment when there are no descriptors left */
	struct loop *loop;
	struct watch *watch;
	const struct listener_conf *conf;
	const struct listener_ops *ops;
	void *arg;
	struct timer rest;
	struct link waiting;
	size_t waiting_count;
	bool is_leaving; /* those who wait to others, until the timer */
	int64_t left_ms; /* for so long in all */
};

/* A connection from a trusted proxy whose first bytes are waited for. */
struct waiting {
	uint32_t magic;
	struct link link;
	struct listener *listener;
	struct watch *watch;
	struct timer timer;
	int64_t until_ms;
	bool is_partial;
	struct accepted a;
};

static void
refuse(struct listener *l, int fd, const struct addr *peer, enum err why)
{
	struct str goodbye = { 0 };

	if (l->ops->refused)
		l->ops->refused(l->arg, peer, why, &goodbye);
	if (goodbye.n)
		(void)!send(fd, goodbye.p, goodbye.n, MSG_NOSIGNAL | MSG_DONTWAIT);
	(void)close(fd);
}

static void
hand_over(struct listener *l, const struct accepted *a)
{
	enum err e = l->conf->limiter ? limiter_take(l->conf->limiter, &a->peer) : OK;

	if (e == OK)
		l->ops->accepted(l->arg, a);
	else
		refuse(l, a->fd, &a->peer, e);
}

/* ── the PROXY header ── */

static void
waiting_free(struct waiting *w)
{
	watch_free(&w->watch);
	timer_stop(&w->timer);
	list_remove(&w->link);
	w->listener->waiting_count--;
	w->magic = 0;
	mem_free(w);
}

static void
waiting_done(struct waiting *w, enum proxy_result result, const struct proxy_header *h,
             size_t used)
{
	struct listener *l = w->listener;
	struct accepted a = w->a;
	char header[PROXY_HEADER_MAX];

	waiting_free(w);
	if (result == PROXY_OK && recv(a.fd, header, used, 0) != (ssize_t)used)
		result = PROXY_ERROR;
	if (result == PROXY_ERROR || result == PROXY_MORE) {
		refuse(l, a.fd, &a.peer, ERR_PROTOCOL);
		return;
	}
	if (result == PROXY_OK && !h->is_local) {
		a.proxy = a.peer;
		a.peer = h->peer;
		a.local = h->local;
	}
	hand_over(l, &a);
}

/* Looks at what is there without taking it; only a whole header is taken. */
static void
waiting_look(struct waiting *w)
{
	char bytes[PROXY_HEADER_MAX];
	struct proxy_header h = { 0 };
	ssize_t n = recv(w->a.fd, bytes, sizeof(bytes), MSG_PEEK);
	bool is_over = loop_now_ms(w->listener->loop) >= w->until_ms;
	enum proxy_result result;
	size_t used = 0;

	if (n == 0 ||
	    (n < 0 && errno != EAGAIN && errno != EWOULDBLOCK && errno != EINTR)) {
		waiting_done(w, PROXY_NONE, &h, 0); /* the session will meet the end */
		return;
	}
	result = proxy_parse(str_make(bytes, n > 0 ? (size_t)n : 0), &h, &used);
	if (result != PROXY_MORE) {
		waiting_done(w, result, &h, used);
		return;
	}
	if (is_over) {
		waiting_done(w, n > 0 ? PROXY_ERROR : PROXY_NONE, &h, 0);
		return;
	}
	if (n > 0) {
		/* Half a header keeps the descriptor readable: ask the clock instead. */
		if (!w->is_partial)
			w->until_ms += REST_MS;
		w->is_partial = true;
		watch_set(w->watch, 0);
		timer_set(&w->timer, PROXY_POLL_MS);
	}
}

static void
on_waiting_event(void *arg, unsigned events)
{
	(void)events;
	waiting_look(CAST(waiting, WAITING_MAGIC, arg));
}

static void
on_waiting_timer(void *arg)
{
	waiting_look(CAST(waiting, WAITING_MAGIC, arg));
}

static void
wait_for_header(struct listener *l, const struct accepted *a)
{
	struct waiting *w;

	if (l->waiting_count >= WAITING_MAX) {
		refuse(l, a->fd, &a->peer, ERR_BUSY);
		return;
	}
	w = mem_alloc(sizeof(*w));
	w->magic = WAITING_MAGIC;
	w->listener = l;
	w->a = *a;
	w->until_ms = loop_now_ms(l->loop) + l->conf->proxy_wait_ms;
	w->watch = watch_new(l->loop, a->fd, on_waiting_event, w);
	timer_init(&w->timer, l->loop, on_waiting_timer, w);
	list_add_last(&l->waiting, &w->link);
	l->waiting_count++;
	watch_set(w->watch, WATCH_READ);
	timer_set(&w->timer, l->conf->proxy_wait_ms);
}

/* ── accepting ── */

static void
took(struct listener *l, int fd, const struct sockaddr_storage *sa)
{
	struct accepted a = { .fd = fd, .uid = -1 };
	struct ucred cred;
	socklen_t n = sizeof(cred);

	a.peer = socket_to_addr(sa);
	if (a.peer.family == ADDR_NONE) {
		if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &cred, &n) == 0)
			a.uid = (int)cred.uid;
	} else {
		if (l->conf->want_local)
			a.local = socket_local(fd);
		if (nets_have(l->conf->proxies, l->conf->proxies_count, &a.peer)) {
			wait_for_header(l, &a);
			return;
		}
	}
	hand_over(l, &a);
}

static int
open_reserve(void)
{
	return open("/dev/null", O_RDONLY | O_CLOEXEC);
}

/* No descriptors left: the one that waits is told by a close, not left hanging, and
   then we rest, for the backlog would wake us again at once. */
static void
out_of_descriptors(struct listener *l)
{
	struct addr nobody = { 0 };
	int fd;

	log_line(LEVEL_WARN, "listen.descriptors", "errno=%d", errno);
	if (l->reserve_fd >= 0) {
		(void)close(l->reserve_fd);
		fd = accept4(l->fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
		if (fd >= 0)
			refuse(l, fd, &nobody, ERR_BUSY);
		l->reserve_fd = open_reserve();
	}
	watch_set(l->watch, 0);
	timer_set(&l->rest, REST_MS);
}

/* False: nobody is left, or accepting rests. */
static bool
take_one(struct listener *l)
{
	struct sockaddr_storage sa = { 0 };
	socklen_t n = sizeof(sa);
	int fd = accept4(l->fd, (struct sockaddr *)&sa, &n, SOCK_NONBLOCK | SOCK_CLOEXEC);

	if (fd >= 0) {
		took(l, fd, &sa);
		return true;
	}
	if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM)
		out_of_descriptors(l);
	return errno == EINTR || errno == ECONNABORTED || errno == EPROTO;
}

/* Who is left to others is not asked for in between: the socket would wake us again at
   once, for as long as it holds somebody. */
static bool
is_left_to_others(struct listener *l)
{
	int64_t leave_ms = l->ops->leave_ms ? l->ops->leave_ms(l->arg) - l->left_ms : 0;

	if (leave_ms <= 0)
		return false;
	watch_set(l->watch, 0);
	timer_set(&l->rest, leave_ms);
	l->left_ms += leave_ms;
	l->is_leaving = true;
	return true;
}

static void
take_waiting(struct listener *l)
{
	for (int i = 0; i < TURN_ACCEPTS; i++) {
		if (is_left_to_others(l))
			return;
		if (!take_one(l))
			break;
	}
	l->left_ms = 0;
}

static void
on_acceptable(void *arg, unsigned events)
{
	struct listener *l = CAST(listener, LISTENER_MAGIC, arg);

	(void)events;
	if (watch_events(l->watch) == 0)
		watch_set(l->watch, WATCH_READ);
	take_waiting(l);
}

static void
on_rested(void *arg)
{
	struct listener *l = CAST(listener, LISTENER_MAGIC, arg);
	bool is_leaving = l->is_leaving;

	l->is_leaving = false;
	if (l->reserve_fd < 0)
		l->reserve_fd = open_reserve();
	watch_set(l->watch, WATCH_READ);
	if (is_leaving)
		take_waiting(l);
}

struct listener *
listener_new(struct loop *loop, int fd, const struct listener_conf *conf,
             const struct listener_ops *ops, void *arg)
{
	struct listener *l = mem_alloc(sizeof(*l));
	int on = 1, off = 0;

	CHECK(ioctl(fd, FIONBIO, &on) == 0); /* who started us may have made it */
	if (conf->is_in_turns)               /* inherited by what is accepted */
		(void)setsockopt(fd, IPPROTO_TCP, TCP_QUICKACK, &off, sizeof(off));
	l->magic = LISTENER_MAGIC;
	l->fd = fd;
	l->reserve_fd = open_reserve();
	l->loop = loop;
	l->conf = conf;
	l->ops = ops;
	l->arg = arg;
	list_init(&l->waiting);
	timer_init(&l->rest, loop, on_rested, l);
	l->watch = watch_new(loop, fd, on_acceptable, l);
	watch_set(l->watch, WATCH_READ);
	return l;
}

void
listener_free(struct listener **lp)
{
	struct listener *l = *lp;

	if (!l)
		return;
	*lp = NULL;
	LIST_EACH(&l->waiting, link)
	{
		struct waiting *w = CONTAINER_OF(link, struct waiting, link);

		int fd = w->a.fd;

		waiting_free(w);
		(void)close(fd);
	}
	timer_stop(&l->rest);
	watch_free(&l->watch);
	(void)close(l->fd);
	if (l->reserve_fd >= 0)
		(void)close(l->reserve_fd);
	l->magic = 0;
	mem_free(l);
}
