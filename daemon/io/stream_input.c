/* All reading of a stream: turns, the owner's pauses, the end of the input, and what
 * comes after our goodbye. The scratch buffer of the process is known here alone.
 */
#include "io/stream_priv.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/socket.h>

enum {
	TURN_BYTES = 256 << 10, /* read from one stream before others get their turn */
	LINGER_BYTES = 4 << 20, /* thrown away after our goodbye, then that is that */
};

static char scratch[SCRATCH_BYTES];
static struct stream *scratch_owner;

void
stream_drop_input(struct stream *s)
{
	s->unread_n = 0;
	s->unread = NULL;
	strbuf_release(&s->in);
}

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
		stream_drop_input(s);
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
	stream_drop_input(s);
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
		loop_defer(s->loop, stream_on_retake, s);
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
		stream_finish(s, STREAM_TLS_BROKEN, tls_conn_error(s->tls));
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
	stream_finish(s, STREAM_RESET, strerrordesc_np(errno));
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
		stream_flush(s);
	stream_finish(s, STREAM_EOF, "");
}

void
stream_read_turn(struct stream *s)
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
		loop_defer(s->loop, stream_on_retake, s);
	}
	if (stream_unsent(s) && s->state == OPEN)
		stream_flush(s);
	check_eof(s);
}

/* The owner takes input again: first what is here, then what TLS holds. */
void
stream_on_retake(void *arg)
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
			stream_read_turn(s);
	}
	if (is_live(s))
		check_eof(s);
	leave(s);
}

void
stream_linger_step(struct stream *s)
{
	ssize_t r = recv(s->fd, scratch, sizeof(scratch), 0);

	if (r < 0 && (errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR))
		return;
	if (r > 0)
		s->lingered += (size_t)r;
	if (r <= 0 || s->lingered > LINGER_BYTES)
		stream_finish(s, STREAM_CLOSED, "");
}
