/* The life of a stream is a line of states, each left by one function:
 *
 *   CONNECTING ─connect_done→ OPEN ─start_tls→ STARTING ─flush_done→ HANDSHAKE
 *                              │ ↑                                      │
 *                              │ └──────────── handshake_step ──────────┘
 *                              └─stream_close→ CLOSING ─flush_done→ LINGER
 *   any ─stream_finish→ ENDED, and `closed` follows by a deferred call.
 *
 * Reading goes through one scratch buffer of the process: only what the owner leaves
 * unread is copied into a buffer of the stream, so the usual case allocates nothing and
 * an idle stream holds no buffers at all. The readable watch stays armed while the owner
 * waits for an answer; only input that really comes meanwhile disarms it, which saves
 * two epoll_ctl calls a command.
 *
 * Reading is in stream_input.c, TLS in stream_tls.c; what the three share in
 * stream_priv.h.
 */
#include "io/stream_priv.h"

#include "io/socket.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
	OUT_MOVE_BYTES = 64 << 10,
};

const struct stream_limits stream_limits_default = {
	.in_max = 64 << 10,
	.out_full = 64 << 10,
	.out_max = 4 << 20,
	.stalled_ms = 60000,
	.handshake_ms = 30000,
	.linger_ms = 5000,
};

static const struct {
	const char *word, *text;
} ends[] = {
#define STREAM_END(id, word, text) [STREAM_##id] = { word, text },
#include "io/stream_end.def"
#undef STREAM_END
};
_Static_assert(ARRAY_LEN(ends) == STREAM_END_COUNT, "one row for each end");

static void on_ended(void *arg);

const char *
stream_end_word(enum stream_end why)
{
	return ends[why].word;
}

const char *
stream_end_text(enum stream_end why)
{
	return ends[why].text;
}

/* ── coming and going of the struct ── */

static void
let_go(struct stream *s)
{
	timer_stop(&s->deadline);
	timer_stop(&s->guard);
	watch_free(&s->watch);
	if (s->fd >= 0)
		(void)close(s->fd);
	s->fd = -1;
	stream_drop_input(s);
	strbuf_release(&s->out);
	s->out_sent = 0;
}

void
stream_finish(struct stream *s, enum stream_end why, const char *detail)
{
	if (!is_live(s))
		return;
	s->state = ENDED;
	s->why = why;
	s->detail = detail;
	let_go(s);
	loop_defer(s->loop, on_ended, s);
}

static void
on_ended(void *arg)
{
	struct stream *s = CAST(stream, STREAM_MAGIC, arg);

	enter(s);
	s->ops->closed(s->arg, s->why, s->detail);
	leave(s);
}

void
stream_free(struct stream **sp)
{
	struct stream *s = *sp;

	if (!s)
		return;
	*sp = NULL;
	let_go(s);
	tls_conn_free(&s->tls);
	loop_defer_cancel(s->loop, on_ended, s);
	if (s->will_flush)
		loop_defer_cancel(s->loop, stream_on_flush, s);
	if (s->will_retake)
		loop_defer_cancel(s->loop, stream_on_retake, s);
	s->is_freed = true;
	enter(s);
	leave(s);
}

/* ── output ── */

size_t
stream_unsent(const struct stream *s)
{
	return s->out.n - s->out_sent;
}

bool
stream_is_full(const struct stream *s)
{
	return stream_unsent(s) >= s->limits->out_full;
}

/* Whoever builds replies in it counts them by its length, and stops where it is full:
   what has gone must not be among them, or he stops where nothing says when to go on.
   Where it is full, he stops in any case, and much need not be moved. */
struct strbuf *
stream_output(struct stream *s)
{
	if (s->out_sent && !stream_is_full(s)) {
		strbuf_consume(&s->out, s->out_sent);
		s->out_sent = 0;
	}
	return &s->out;
}

void
stream_flush_soon(struct stream *s)
{
	if (s->state == ENDED)
		return;
	/* Also where it became full only since the flush was asked for. */
	if (stream_is_full(s))
		s->is_full = true;
	if (s->will_flush)
		return;
	s->will_flush = true;
	loop_defer(s->loop, stream_on_flush, s);
}

void
stream_write(struct stream *s, struct str bytes)
{
	if (s->state >= CLOSING)
		return;
	strbuf_add(&s->out, bytes);
	stream_flush_soon(s);
}

/* STARTING has its TLS already, but what is written still goes out in plain. */
static bool
writes_tls(const struct stream *s)
{
	return s->tls && s->state != STARTING;
}

/* Sends once. True when it makes sense to try again. */
static bool
send_some(struct stream *s)
{
	const char *p = s->out.p + s->out_sent;
	size_t n = stream_unsent(s), sent = 0;
	/* The last words travel with the end of the connection. */
	int more = s->state == CLOSING ? MSG_MORE : 0;
	ssize_t r;

	if (writes_tls(s)) {
		switch (tls_conn_write(s->tls, p, n, &sent)) {
		case TLS_DONE:
			break;
		case TLS_WANT_READ:
			return false; /* the readable watch stands, and flushes too */
		case TLS_WANT_WRITE:
			arm(s, armed(s) | WATCH_WRITE);
			return false;
		case TLS_EOF:
			stream_finish(s, STREAM_RESET, "closed while we wrote");
			return false;
		default:
			stream_finish(s, STREAM_TLS_BROKEN, tls_conn_error(s->tls));
			return false;
		}
	} else {
		do
			r = send(s->fd, p, n, MSG_NOSIGNAL | more);
		while (r < 0 && errno == EINTR);
		if (r < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) {
			arm(s, armed(s) | WATCH_WRITE);
			return false;
		}
		if (r < 0) {
			stream_finish(s, STREAM_RESET, strerrordesc_np(errno));
			return false;
		}
		sent = (size_t)r;
	}
	s->out_sent += sent;
	s->bytes_out += sent;
	if (s->state != CLOSING)
		timer_stop(&s->guard); /* progress */
	return true;
}

/* Closing a socket with unread input resets the connection, and the peer may lose what we
   said last. */
static bool
has_unread(const struct stream *s)
{
	int n;

	return ioctl(s->fd, FIONREAD, &n) != 0 || n > 0;
}

static void
say_goodbye(struct stream *s)
{
	if (s->tls)
		tls_conn_goodbye(s->tls);
	if (s->is_at_eof || (s->is_leaving && !s->tls && !has_unread(s)) ||
	    shutdown(s->fd, SHUT_WR) != 0) {
		stream_finish(s, STREAM_CLOSED, "");
		return;
	}
	s->state = LINGER;
	arm(s, WATCH_READ);
}

/* All output is with the kernel. */
static void
flush_done(struct stream *s)
{
	strbuf_release(&s->out);
	s->out_sent = 0;
	if (s->state != CLOSING)
		timer_stop(&s->guard);
	if (armed(s) & WATCH_WRITE)
		disarm(s, WATCH_WRITE);
	if (s->state == CLOSING) {
		say_goodbye(s);
	} else if (s->state == STARTING) {
		s->state = HANDSHAKE;
		timer_set(&s->guard, s->limits->handshake_ms);
		stream_handshake_step(s);
	}
}

void
stream_flush(struct stream *s)
{
	if (s->state == CONNECTING || s->state == HANDSHAKE || s->state >= LINGER)
		return;
	if (s->out.overflow) {
		stream_finish(s, STREAM_OVERFLOW, "");
		return;
	}
	while (stream_unsent(s) && send_some(s))
		;
	if (!is_live(s))
		return;
	if (!stream_unsent(s)) {
		flush_done(s);
	} else {
		if (s->out_sent > OUT_MOVE_BYTES && s->out_sent > s->out.n / 2) {
			strbuf_consume(&s->out, s->out_sent);
			s->out_sent = 0;
		}
		if (!timer_is_set(&s->guard))
			timer_set(&s->guard, s->limits->stalled_ms);
		/* Nobody reads any more: only room for the rest is of interest. */
		if (s->state == CLOSING && (armed(s) & WATCH_WRITE))
			arm(s, WATCH_WRITE);
	}
	if (is_live(s) && s->is_full && stream_unsent(s) <= s->limits->out_full / 4) {
		s->is_full = false;
		if (s->ops->drained && s->state == OPEN)
			s->ops->drained(s->arg);
	}
}

void
stream_on_flush(void *arg)
{
	struct stream *s = CAST(stream, STREAM_MAGIC, arg);

	s->will_flush = false;
	enter(s);
	stream_flush(s);
	leave(s);
}

/* ── events ── */

static void
connect_done(struct stream *s)
{
	int error = 0;
	socklen_t n = sizeof(error);

	if (getsockopt(s->fd, SOL_SOCKET, SO_ERROR, &error, &n) != 0)
		error = errno;
	if (error) {
		stream_finish(s, STREAM_CONNECT, strerrordesc_np(error));
		return;
	}
	timer_stop(&s->guard);
	s->state = OPEN;
	arm(s, s->is_taking ? WATCH_READ : 0);
	if (s->ops->connected)
		s->ops->connected(s->arg);
	if (is_live(s) && stream_unsent(s))
		stream_flush(s);
}

static void
open_step(struct stream *s, unsigned events)
{
	if ((events & WATCH_WRITE) && s->wants_write_to_read) {
		s->wants_write_to_read = false;
		if (!stream_unsent(s))
			disarm(s, WATCH_WRITE);
		events |= WATCH_READ;
	}
	if ((events & WATCH_WRITE) || (s->tls && stream_unsent(s)))
		stream_flush(s);
	if (!is_live(s) || !(events & WATCH_READ) || s->state != OPEN)
		return;
	/* Most owners that want nothing now will in a moment, before anything arrives:
	   the system calls of looking away are spent only when something does. */
	if (wants_input(s))
		stream_read_turn(s);
	else
		disarm(s, WATCH_READ);
}

static void
on_event(void *arg, unsigned events)
{
	struct stream *s = CAST(stream, STREAM_MAGIC, arg);

	enter(s);
	switch (s->state) {
	case CONNECTING:
		connect_done(s);
		break;
	case OPEN:
		open_step(s, events);
		break;
	case HANDSHAKE:
		stream_handshake_step(s);
		break;
	case STARTING:
	case CLOSING:
		stream_flush(s);
		break;
	case LINGER:
		stream_linger_step(s);
		break;
	case ENDED:
		break;
	}
	leave(s);
}

static void
on_deadline(void *arg)
{
	struct stream *s = CAST(stream, STREAM_MAGIC, arg);

	enter(s);
	if (s->ops->timeout)
		s->ops->timeout(s->arg);
	else
		stream_finish(s, STREAM_TIMEOUT, "");
	leave(s);
}

static void
on_guard(void *arg)
{
	struct stream *s = CAST(stream, STREAM_MAGIC, arg);

	if (s->state == CONNECTING)
		stream_finish(s, STREAM_CONNECT, "no answer in time");
	else if (s->state == HANDSHAKE)
		stream_finish(s, STREAM_TLS_TIMEOUT, "");
	else if (s->state == LINGER)
		stream_finish(s, STREAM_CLOSED, "");
	else
		stream_finish(s, STREAM_STALLED, "");
}

/* ── for the owner ── */

static struct stream *
make(struct loop *l, int fd, const struct stream_ops *ops,
     const struct stream_limits *limits, void *arg)
{
	struct stream *s = mem_alloc(sizeof(*s));

	s->magic = STREAM_MAGIC;
	s->loop = l;
	s->fd = fd;
	s->ops = ops;
	s->limits = limits ? limits : &stream_limits_default;
	s->arg = arg;
	s->detail = "";
	s->is_taking = true;
	s->in = strbuf_heap(s->limits->in_max + SCRATCH_BYTES);
	s->out = strbuf_heap(s->limits->out_max);
	timer_init(&s->deadline, l, on_deadline, s);
	timer_init(&s->guard, l, on_guard, s);
	if (fd >= 0)
		s->watch = watch_new(l, fd, on_event, s);
	return s;
}

struct stream *
stream_new(struct loop *l, int fd, const struct stream_ops *ops,
           const struct stream_limits *limits, void *arg)
{
	struct stream *s = make(l, fd, ops, limits, arg);

	s->state = OPEN;
	arm(s, WATCH_READ);
	return s;
}

/* Without a port: connect() chooses it, which spares ports where there are many targets. */
static bool
bind_to(int fd, const struct addr *from)
{
	const int on = 1;
	struct addr a = *from;
	struct sockaddr_storage sa;
	socklen_t n;

	a.port = 0;
	n = socket_from_addr(&a, &sa);
	(void)setsockopt(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &on, sizeof(on));
	return bind(fd, (struct sockaddr *)&sa, n) == 0;
}

/* An unconnected socket towards the target, or -1 and errno. */
static int
dial(const struct stream_target *target)
{
	const int on = 1;
	bool is_bound = target->from.family != ADDR_NONE;
	struct sockaddr_storage sa;
	socklen_t n = socket_from_addr(&target->to, &sa);
	int saved;
	int fd = socket(sa.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	if (fd < 0)
		return -1;
	(void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	if ((!is_bound || bind_to(fd, &target->from)) &&
	    (connect(fd, (struct sockaddr *)&sa, n) == 0 || errno == EINPROGRESS))
		return fd;
	saved = errno;
	(void)close(fd);
	errno = saved;
	return -1;
}

struct stream *
stream_connect(struct loop *l, const struct stream_target *target,
               const struct stream_ops *ops, const struct stream_limits *limits,
               void *arg)
{
	int fd = dial(target);
	int error = errno;
	struct stream *s = make(l, fd, ops, limits, arg);

	s->state = CONNECTING;
	if (fd < 0) {
		stream_finish(s, STREAM_CONNECT, strerrordesc_np(error));
		return s;
	}
	timer_set(&s->guard, target->timeout_ms);
	arm(s, WATCH_WRITE);
	return s;
}

void
stream_deadline(struct stream *s, int64_t in_ms)
{
	if (s->state >= CLOSING || !in_ms)
		timer_stop(&s->deadline);
	else
		timer_set(&s->deadline, in_ms);
}

void
stream_close(struct stream *s)
{
	if (s->state >= CLOSING)
		return;
	if (s->state == CONNECTING || s->state == HANDSHAKE) {
		stream_finish(s, STREAM_CLOSED, "");
		return;
	}
	if (s->state == STARTING)
		tls_conn_free(&s->tls); /* it never began */
	s->state = CLOSING;
	stream_drop_input(s);
	timer_stop(&s->deadline);
	timer_set(&s->guard, s->limits->linger_ms);
	if (!s->will_flush) {
		s->will_flush = true;
		loop_defer(s->loop, stream_on_flush, s);
	}
}

void
stream_leave(struct stream *s)
{
	s->is_leaving = !s->unread_n;
	stream_close(s);
}

struct addr
stream_local(const struct stream *s)
{
	return socket_local(s->fd);
}

uint64_t
stream_bytes_out(const struct stream *s)
{
	return s->bytes_out;
}
