/* The life of a stream is a line of states, each left by one function:
 *
 *   CONNECTING ─connect_done→ OPEN ─start_tls→ STARTING ─flush_done→ HANDSHAKE
 *                              │ ↑                                      │
 *                              │ └──────────── handshake_step ──────────┘
 *                              └─stream_close→ CLOSING ─flush_done→ LINGER
 *   any ─end→ ENDED, and `closed` follows by a deferred call.
 *
 * Reading goes through one scratch buffer of the process: only what the owner leaves
 * unread is copied into a buffer of the stream, so the usual case allocates nothing and
 * an idle stream holds no buffers at all. The readable watch stays armed while the owner
 * waits for an answer; only input that really comes meanwhile disarms it, which saves
 * two epoll_ctl calls a command.
 */
#include "io/stream.h"

#include "base/mem.h"
#include "base/panic.h"
#include "io/socket.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
	STREAM_MAGIC = 0x7374726d,
	SCRATCH_BYTES = 64 << 10,
	TURN_BYTES = 256 << 10, /* read from one stream before others get their turn */
	LINGER_BYTES = 4 << 20, /* thrown away after our goodbye, then that is that */
	OUT_MOVE_BYTES = 64 << 10,
};

enum state {
	CONNECTING,
	OPEN,
	STARTING, /* TLS was asked for; plain output goes out first */
	HANDSHAKE,
	CLOSING, /* output goes out, then the goodbye */
	LINGER,  /* waiting for the peer's end */
	ENDED,
};

struct stream {
	uint32_t magic;
	int fd;
	enum state state;
	enum stream_end why;
	const char *detail;
	struct loop *loop;
	struct watch *watch;
	struct tls_conn *tls;
	const struct stream_ops *ops;
	const struct stream_limits *limits;
	void *arg;
	struct strbuf in;   /* unread input, where there is any between callbacks */
	const char *unread; /* into `in`, or into the scratch buffer while that is read */
	size_t unread_n;
	struct strbuf out;
	size_t out_sent; /* of out, taken by the kernel */
	struct timer deadline;
	struct timer
		guard; /* connect, handshake, stalled output, linger: one at a time */
	uint64_t bytes_in, bytes_out;
	size_t lingered;
	unsigned busy; /* callbacks of ours on the stack */
	bool is_taking, is_at_eof, is_full, is_freed;
	bool will_flush, will_retake; /* a deferred call is on its way */
	bool wants_write_to_read;     /* TLS reads need the descriptor writable */
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

static char scratch[SCRATCH_BYTES];
static struct stream *scratch_owner;

static void on_flush(void *arg);
static void on_retake(void *arg);
static void on_ended(void *arg);
static void handshake_step(struct stream *s);
static void read_turn(struct stream *s);

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
enter(struct stream *s)
{
	s->busy++;
}

static void
leave(struct stream *s)
{
	if (--s->busy || !s->is_freed)
		return;
	s->magic = 0;
	mem_free(s);
}

/* False once the owner has freed it or it has ended: touch nothing more. */
static bool
is_live(const struct stream *s)
{
	return !s->is_freed && s->state != ENDED;
}

static void
drop_input(struct stream *s)
{
	s->unread_n = 0;
	s->unread = NULL;
	strbuf_release(&s->in);
}

static void
let_go(struct stream *s)
{
	timer_stop(&s->deadline);
	timer_stop(&s->guard);
	watch_free(&s->watch);
	if (s->fd >= 0)
		(void)close(s->fd);
	s->fd = -1;
	drop_input(s);
	strbuf_release(&s->out);
	s->out_sent = 0;
}

static void
end(struct stream *s, enum stream_end why, const char *detail)
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
		loop_defer_cancel(s->loop, on_flush, s);
	if (s->will_retake)
		loop_defer_cancel(s->loop, on_retake, s);
	s->is_freed = true;
	enter(s);
	leave(s);
}

/* ── what is watched ── */

static unsigned
armed(const struct stream *s)
{
	return s->watch ? watch_events(s->watch) : 0;
}

static void
arm(struct stream *s, unsigned events)
{
	if (s->watch)
		watch_set(s->watch, events);
}

static void
disarm(struct stream *s, unsigned events)
{
	arm(s, armed(s) & ~events);
}

static bool
wants_input(const struct stream *s)
{
	return s->state == OPEN && s->is_taking && !s->is_at_eof &&
	       s->unread_n < s->limits->in_max;
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

struct strbuf *
stream_output(struct stream *s)
{
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
	loop_defer(s->loop, on_flush, s);
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
			end(s, STREAM_RESET, "closed while we wrote");
			return false;
		default:
			end(s, STREAM_TLS_BROKEN, tls_conn_error(s->tls));
			return false;
		}
	} else {
		do
			r = send(s->fd, p, n, MSG_NOSIGNAL);
		while (r < 0 && errno == EINTR);
		if (r < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) {
			arm(s, armed(s) | WATCH_WRITE);
			return false;
		}
		if (r < 0) {
			end(s, STREAM_RESET, strerrordesc_np(errno));
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

static void
say_goodbye(struct stream *s)
{
	if (s->tls)
		tls_conn_goodbye(s->tls);
	if (s->is_at_eof || shutdown(s->fd, SHUT_WR) != 0) {
		end(s, STREAM_CLOSED, "");
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
		handshake_step(s);
	}
}

static void
flush(struct stream *s)
{
	if (s->state == CONNECTING || s->state == HANDSHAKE || s->state >= LINGER)
		return;
	if (s->out.overflow) {
		end(s, STREAM_OVERFLOW, "");
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

static void
on_flush(void *arg)
{
	struct stream *s = CAST(stream, STREAM_MAGIC, arg);

	s->will_flush = false;
	enter(s);
	flush(s);
	leave(s);
}

/* ── input ── */

struct str
stream_input(const struct stream *s)
{
	return str_make(s->unread, s->unread_n);
}

/* Brings unread input to rest: in `in`, at its start, or nowhere when there is none. */
static void
settle_input(struct stream *s)
{
	if (!s->unread_n) {
		drop_input(s);
		return;
	}
	if (!s->in.n)
		strbuf_bytes(&s->in, s->unread, s->unread_n);
	else
		strbuf_consume(&s->in, s->in.n - s->unread_n);
	s->unread = s->in.p;
}

void
stream_consume(struct stream *s, size_t n)
{
	CHECK(n <= s->unread_n);
	s->unread += n;
	s->unread_n -= n;
	if (s->unread_n || scratch_owner == s)
		return;
	drop_input(s);
	if (wants_input(s) && !(armed(s) & WATCH_READ))
		arm(s, armed(s) | WATCH_READ);
}

void
stream_acknowledge(struct stream *s)
{
	const int on = 1;

	if (s->state == OPEN)
		(void)setsockopt(s->fd, IPPROTO_TCP, TCP_QUICKACK, &on, sizeof(on));
}

void
stream_take(struct stream *s, bool take)
{
	if (s->is_taking == take)
		return;
	s->is_taking = take;
	if (!take || s->state == ENDED)
		return;
	if (s->state == OPEN && !(armed(s) & WATCH_READ) && wants_input(s))
		arm(s, armed(s) | WATCH_READ);
	if (s->will_retake || s->state != OPEN)
		return;
	if (s->unread_n || s->is_at_eof || (s->tls && tls_conn_has_pending(s->tls))) {
		s->will_retake = true;
		loop_defer(s->loop, on_retake, s);
	}
}

enum read_result {
	READ_SOME,
	READ_AGAIN, /* nothing there now */
	READ_EOF,
	READ_ENDED, /* an error, the stream has ended */
};

static enum read_result
read_tls(struct stream *s, char *p, size_t n, size_t *n_out)
{
	switch (tls_conn_read(s->tls, p, n, n_out)) {
	case TLS_DONE:
		return READ_SOME;
	case TLS_WANT_READ:
		return READ_AGAIN;
	case TLS_WANT_WRITE:
		s->wants_write_to_read = true;
		arm(s, armed(s) | WATCH_WRITE);
		return READ_AGAIN;
	case TLS_EOF:
		return READ_EOF;
	default:
		end(s, STREAM_TLS_BROKEN, tls_conn_error(s->tls));
		return READ_ENDED;
	}
}

static enum read_result
read_some(struct stream *s, char *p, size_t n, size_t *n_out)
{
	ssize_t r;

	if (s->tls)
		return read_tls(s, p, n, n_out);
	do
		r = recv(s->fd, p, n, 0);
	while (r < 0 && errno == EINTR);
	if (r > 0) {
		*n_out = (size_t)r;
		return READ_SOME;
	}
	if (r == 0)
		return READ_EOF;
	if (errno == EAGAIN || errno == EWOULDBLOCK)
		return READ_AGAIN;
	end(s, STREAM_RESET, strerrordesc_np(errno));
	return READ_ENDED;
}

/* Reads once and shows it to the owner. True when there may be more to read at once;
   got_out: bytes. */
static bool
read_once(struct stream *s, size_t *got_out)
{
	size_t room = s->limits->in_max - s->unread_n, want, n = 0;
	enum read_result result;

	*got_out = 0;
	want = room < sizeof(scratch) ? room : sizeof(scratch);
	CHECK(!scratch_owner);
	result = read_some(s, scratch, want, &n);
	if (result == READ_EOF) {
		s->is_at_eof = true;
		disarm(s, WATCH_READ);
	}
	if (result != READ_SOME)
		return false;
	*got_out = n;
	s->bytes_in += n;
	if (s->unread_n) {
		settle_input(s);
		strbuf_bytes(&s->in, scratch, n);
		s->unread = s->in.p;
		s->unread_n = s->in.n;
	} else {
		s->unread = scratch;
		s->unread_n = n;
	}
	scratch_owner = s;
	s->ops->data(s->arg);
	scratch_owner = NULL;
	if (!is_live(s))
		return false;
	settle_input(s);
	return s->tls ? tls_conn_has_pending(s->tls) : n == want;
}

/* The end of the input is told when the owner has seen all of it and wants more. */
static void
check_eof(struct stream *s)
{
	if (!is_live(s) || s->state != OPEN || !s->is_at_eof || !s->is_taking)
		return;
	if (stream_unsent(s))
		flush(s);
	end(s, STREAM_EOF, "");
}

static void
read_turn(struct stream *s)
{
	size_t total = 0, n = 0;

	while (is_live(s) && wants_input(s) && total < TURN_BYTES) {
		if (!read_once(s, &n))
			break;
		total += n;
	}
	if (!is_live(s))
		return;
	if (s->state == OPEN && s->tls && wants_input(s) && total >= TURN_BYTES &&
	    !s->will_retake && tls_conn_has_pending(s->tls)) {
		s->will_retake = true;
		loop_defer(s->loop, on_retake, s);
	}
	if (stream_unsent(s) && s->state == OPEN)
		flush(s);
	check_eof(s);
}

/* The owner takes input again: first what is here, then what TLS holds. */
static void
on_retake(void *arg)
{
	struct stream *s = CAST(stream, STREAM_MAGIC, arg);

	s->will_retake = false;
	if (s->state != OPEN || !s->is_taking)
		return;
	enter(s);
	if (s->unread_n) {
		s->ops->data(s->arg);
		if (is_live(s) && s->unread_n)
			settle_input(s);
	}
	if (is_live(s) && wants_input(s)) {
		if (!(armed(s) & WATCH_READ))
			arm(s, armed(s) | WATCH_READ);
		if (s->tls && tls_conn_has_pending(s->tls))
			read_turn(s);
	}
	if (is_live(s))
		check_eof(s);
	leave(s);
}

static void
linger_step(struct stream *s)
{
	ssize_t r = recv(s->fd, scratch, sizeof(scratch), 0);

	if (r < 0 && (errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR))
		return;
	if (r > 0)
		s->lingered += (size_t)r;
	if (r <= 0 || s->lingered > LINGER_BYTES)
		end(s, STREAM_CLOSED, "");
}

/* ── TLS ── */

static void
handshake_step(struct stream *s)
{
	switch (tls_conn_handshake(s->tls)) {
	case TLS_DONE:
		break;
	case TLS_WANT_READ:
		arm(s, WATCH_READ);
		return;
	case TLS_WANT_WRITE:
		arm(s, WATCH_WRITE);
		return;
	case TLS_UNVERIFIED:
		end(s, STREAM_TLS_VERIFY, tls_conn_error(s->tls));
		return;
	default:
		end(s, STREAM_TLS, tls_conn_error(s->tls));
		return;
	}
	timer_stop(&s->guard);
	s->state = OPEN;
	arm(s, s->is_taking ? WATCH_READ : 0);
	if (s->ops->secured)
		s->ops->secured(s->arg);
	if (is_live(s) && stream_unsent(s))
		flush(s);
	/* What came with the last handshake message waits inside; and where nothing does,
	   finding that out makes OpenSSL give its buffer back. */
	if (is_live(s) && s->state == OPEN)
		read_turn(s);
}

static void
start_tls(struct stream *s, struct tls_conn *tls, size_t *dropped_out)
{
	*dropped_out = s->unread_n;
	drop_input(s);
	if (s->state != OPEN || s->tls) {
		tls_conn_free(&tls);
		end(s, STREAM_TLS, "not possible now");
		return;
	}
	if (!tls) {
		end(s, STREAM_TLS, "no certificate");
		return;
	}
	s->state = STARTING;
	disarm(s, WATCH_READ);
	s->tls = tls;
	if (!s->will_flush) {
		s->will_flush = true;
		loop_defer(s->loop, on_flush, s);
	}
}

void
stream_start_tls_server(struct stream *s, struct tls_server *tls, enum tls_alpn alpn,
                        size_t *dropped_out)
{
	start_tls(s, s->state == OPEN ? tls_conn_server(tls, s->fd, alpn) : NULL,
	          dropped_out);
}

void
stream_start_tls_client(struct stream *s, const struct tls_client *client,
                        size_t *dropped_out)
{
	start_tls(s, s->state == OPEN ? tls_conn_client(client, s->fd) : NULL,
	          dropped_out);
}

const struct tls_info *
stream_tls_info(const struct stream *s)
{
	bool is_up = s->tls && s->state != STARTING && s->state != HANDSHAKE;

	return is_up ? tls_conn_info(s->tls) : NULL;
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
		end(s, STREAM_CONNECT, strerrordesc_np(error));
		return;
	}
	timer_stop(&s->guard);
	s->state = OPEN;
	arm(s, s->is_taking ? WATCH_READ : 0);
	if (s->ops->connected)
		s->ops->connected(s->arg);
	if (is_live(s) && stream_unsent(s))
		flush(s);
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
		flush(s);
	if (!is_live(s) || !(events & WATCH_READ) || s->state != OPEN)
		return;
	/* Most owners that want nothing now will in a moment, before anything arrives:
	   the system calls of looking away are spent only when something does. */
	if (wants_input(s))
		read_turn(s);
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
		handshake_step(s);
		break;
	case STARTING:
	case CLOSING:
		flush(s);
		break;
	case LINGER:
		linger_step(s);
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
		end(s, STREAM_TIMEOUT, "");
	leave(s);
}

static void
on_guard(void *arg)
{
	struct stream *s = CAST(stream, STREAM_MAGIC, arg);

	if (s->state == CONNECTING)
		end(s, STREAM_CONNECT, "no answer in time");
	else if (s->state == HANDSHAKE)
		end(s, STREAM_TLS_TIMEOUT, "");
	else if (s->state == LINGER)
		end(s, STREAM_CLOSED, "");
	else
		end(s, STREAM_STALLED, "");
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

/* An unconnected socket towards `to`, or -1 and errno. */
static int
dial(const struct addr *to, const struct addr *from)
{
	const int on = 1;
	struct sockaddr_storage sa;
	struct addr local = from ? *from : (struct addr){ 0 };
	socklen_t n = socket_from_addr(to, &sa);
	int saved,
		fd = socket(sa.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	if (fd < 0)
		return -1;
	(void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	if (local.family == to->family) {
		struct sockaddr_storage local_sa;
		socklen_t local_n;

		local.port = 0;
		local_n = socket_from_addr(&local, &local_sa);
		if (bind(fd, (struct sockaddr *)&local_sa, local_n) != 0)
			goto out;
	}
	if (connect(fd, (struct sockaddr *)&sa, n) == 0 || errno == EINPROGRESS)
		return fd;
out:
	saved = errno;
	(void)close(fd);
	errno = saved;
	return -1;
}

struct stream *
stream_connect(struct loop *l, const struct addr *to, const struct addr *from,
               int64_t timeout_ms, const struct stream_ops *ops,
               const struct stream_limits *limits, void *arg)
{
	int fd = dial(to, from);
	int error = errno;
	struct stream *s = make(l, fd, ops, limits, arg);

	s->state = CONNECTING;
	if (fd < 0) {
		end(s, STREAM_CONNECT, strerrordesc_np(error));
		return s;
	}
	timer_set(&s->guard, timeout_ms);
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
		end(s, STREAM_CLOSED, "");
		return;
	}
	if (s->state == STARTING)
		tls_conn_free(&s->tls); /* it never began */
	s->state = CLOSING;
	drop_input(s);
	timer_stop(&s->deadline);
	timer_set(&s->guard, s->limits->linger_ms);
	if (!s->will_flush) {
		s->will_flush = true;
		loop_defer(s->loop, on_flush, s);
	}
}

int
stream_detach(struct stream **sp)
{
	struct stream *s = *sp;
	int fd = s->fd;

	CHECK(s->state == OPEN && !s->tls && !stream_unsent(s));
	s->fd = -1;
	stream_free(sp);
	return fd;
}

uint64_t
stream_bytes_in(const struct stream *s)
{
	return s->bytes_in;
}

uint64_t
stream_bytes_out(const struct stream *s)
{
	return s->bytes_out;
}
