/* UDP first, sent up to three times; a datagram that is no answer to the question is
 * passed over, for anybody may send one (the port is the kernel's choice, the id and the
 * letter case are random). TCP for what was cut. */
#include "io/dns_direct.h"

#include "base/arena.h"
#include "base/ids.h"
#include "base/mem.h"
#include "base/panic.h"
#include "base/strbuf.h"
#include "io/dns_message.h"
#include "io/socket.h"

#include <errno.h>
#include <unistd.h>

enum {
	MAGIC = 0x646e7364,
	PORT = 53,
	QUERY_MAX = 12 + DNS_NAME_MAX + 4,
	MESSAGE_MAX = 64 << 10,
	PARSE_BYTES = 1 << 20,
	TRIES = 3,
	FLAG_RECURSE = 1, /* in the third byte */
	LENGTH_BYTES = 2,
	STRANGERS_MAX = 20, /* datagrams that are no answer */
};

struct dns_direct {
	uint32_t magic;
	struct loop *loop;
	struct addr server;
	dns_direct_fn *fn;
	void *arg;
	int fd;
	struct watch *watch;
	struct timer step, limit;
	int64_t step_ms;
	int tries, strangers;
	bool is_tcp;
	size_t sent;          /* of what goes out over TCP */
	struct strbuf query;  /* heap */
	struct strbuf stream; /* heap: TCP, both ways, one after the other */
};

static void
close_socket(struct dns_direct *q)
{
	watch_free(&q->watch);
	if (q->fd >= 0)
		(void)close(q->fd);
	q->fd = -1;
}

static void on_first(void *arg);

static void
query_free(struct dns_direct *q)
{
	loop_defer_cancel(q->loop, on_first, q);
	close_socket(q);
	timer_stop(&q->step);
	timer_stop(&q->limit);
	strbuf_release(&q->query);
	strbuf_release(&q->stream);
	q->magic = 0;
	mem_free(q);
}

static void
finish(struct dns_direct *q, const struct dns_answer *answer)
{
	dns_direct_fn *fn = q->fn;
	void *arg = q->arg;
	struct strbuf message = q->stream; /* the answer may point into it */

	q->stream = strbuf_heap(0);
	query_free(q);
	fn(arg, answer);
	strbuf_release(&message);
}

static void
fail(struct dns_direct *q)
{
	struct dns_answer a = { .status = DNS_TEMP };

	finish(q, &a);
}

static void start_tcp(struct dns_direct *q);

/* A message is here, whole. False: it is not the answer. */
static bool
take_message(struct dns_direct *q, struct str message)
{
	struct arena *a = arena_new(PARSE_BYTES);
	struct dns_parsed parsed;
	bool ok = message.n > 1 && message.p[0] == q->query.p[0] &&
	          message.p[1] == q->query.p[1] &&
	          dns_message_parse(message, strbuf_str(&q->query), a, &parsed) == OK &&
	          (q->is_tcp || !parsed.is_other_case);

	if (ok && parsed.is_truncated && !q->is_tcp) {
		arena_free(&a);
		start_tcp(q);
		return true;
	}
	if (ok) {
		/* A cache or a parent does not speak for the zone. */
		if (!parsed.is_authority)
			parsed.answer = (struct dns_answer){ .status = DNS_TEMP };
		finish(q, &parsed.answer);
	}
	arena_free(&a);
	return ok;
}

/* --- TCP ---------------------------------------------------------------------------- */

static void
read_tcp(struct dns_direct *q)
{
	for (;;) {
		char *p = strbuf_reserve(&q->stream, 4096);
		ssize_t n = p ? read(q->fd, p, 4096) : 0;
		size_t length;

		if (n < 0 && (errno == EAGAIN || errno == EINTR))
			return;
		if (n <= 0) {
			fail(q);
			return;
		}
		q->stream.n += (size_t)n;
		if (q->stream.n < LENGTH_BYTES)
			continue;
		length = (size_t)(uint8_t)q->stream.p[0] << 8 | (uint8_t)q->stream.p[1];
		if (q->stream.n - LENGTH_BYTES < length)
			continue;
		if (!take_message(q, str_make(q->stream.p + LENGTH_BYTES, length)))
			fail(q);
		return;
	}
}

static void
write_tcp(struct dns_direct *q)
{
	while (q->sent < q->query.n + LENGTH_BYTES) {
		ssize_t n = write(q->fd, q->stream.p + q->sent, q->stream.n - q->sent);

		if (n < 0 && (errno == EAGAIN || errno == EINTR))
			return;
		if (n < 0) {
			fail(q);
			return;
		}
		q->sent += (size_t)n;
	}
	strbuf_clear(&q->stream);
	watch_set(q->watch, WATCH_READ);
}

static void
on_tcp(void *arg, unsigned events)
{
	struct dns_direct *q = CAST(dns_direct, MAGIC, arg);

	if (events & WATCH_WRITE)
		write_tcp(q);
	else
		read_tcp(q);
}

static bool
open_socket(struct dns_direct *q, int type, watch_fn *fn)
{
	struct sockaddr_storage sa;
	socklen_t n = socket_from_addr(&q->server, &sa);

	close_socket(q);
	q->fd = socket(q->server.family == ADDR_V4 ? AF_INET : AF_INET6,
	               type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (q->fd < 0)
		return false;
	if (connect(q->fd, (struct sockaddr *)&sa, n) != 0 && errno != EINPROGRESS) {
		close_socket(q);
		return false;
	}
	q->watch = watch_new(q->loop, q->fd, fn, q);
	return true;
}

static void
start_tcp(struct dns_direct *q)
{
	timer_stop(&q->step);
	q->is_tcp = true;
	q->sent = 0;
	strbuf_clear(&q->stream);
	strbuf_byte(&q->stream, (char)(q->query.n >> 8));
	strbuf_byte(&q->stream, (char)(q->query.n & 0xff));
	strbuf_add(&q->stream, strbuf_str(&q->query));
	if (open_socket(q, SOCK_STREAM, on_tcp))
		watch_set(q->watch, WATCH_WRITE);
	else
		fail(q);
}

/* --- UDP ---------------------------------------------------------------------------- */

static void
on_udp(void *arg, unsigned events)
{
	struct dns_direct *q = CAST(dns_direct, MAGIC, arg);

	(void)events;
	for (;;) {
		ssize_t n;
		char *p;

		strbuf_clear(&q->stream);
		p = strbuf_reserve(&q->stream, MESSAGE_MAX - 1);
		n = p ? recv(q->fd, p, MESSAGE_MAX - 1, 0) : -1;
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0) {
			/* Nobody listens there: say so at once, unless it comes back. */
			if (errno == ECONNREFUSED && q->tries >= TRIES)
				fail(q);
			return;
		}
		if (take_message(q, str_make(p, (size_t)n)))
			return;
		if (++q->strangers > STRANGERS_MAX) {
			fail(q);
			return;
		}
	}
}

static void
on_step(void *arg)
{
	struct dns_direct *q = CAST(dns_direct, MAGIC, arg);

	if (q->fd < 0 && !open_socket(q, SOCK_DGRAM, on_udp)) {
		fail(q);
		return;
	}
	watch_set(q->watch, WATCH_READ);
	(void)send(q->fd, q->query.p, q->query.n, MSG_NOSIGNAL);
	if (++q->tries < TRIES)
		timer_set(&q->step, q->step_ms);
}

static void
on_limit(void *arg)
{
	fail(CAST(dns_direct, MAGIC, arg));
}

static void
on_first(void *arg)
{
	struct dns_direct *q = CAST(dns_direct, MAGIC, arg);

	if (q->query.n)
		on_step(q);
	else
		finish(q, &(struct dns_answer){ .status = DNS_BAD_NAME });
}

struct dns_direct *
dns_direct_ask(struct loop *l, const struct addr *server,
               const struct dns_direct_question *question, dns_direct_fn *fn, void *arg)
{
	struct dns_direct *q = mem_alloc(sizeof(*q));
	struct strbuf wire = strbuf_heap(DNS_NAME_MAX + 1);

	q->magic = MAGIC;
	q->loop = l;
	q->server = *server;
	q->server.port = server->port ? server->port : PORT;
	q->fn = fn;
	q->arg = arg;
	q->fd = -1;
	q->step_ms = question->timeout_ms / TRIES + 1;
	q->query = strbuf_heap(QUERY_MAX);
	q->stream = strbuf_heap(MESSAGE_MAX + LENGTH_BYTES);
	if (dns_name_parse(question->name, &wire)) {
		dns_message_format(&q->query, (uint16_t)random_u64(), strbuf_str(&wire),
		                   question->type, random_u64());
		q->query.p[2] = (char)(q->query.p[2] & ~FLAG_RECURSE);
	}
	strbuf_release(&wire);
	timer_init(&q->step, l, on_step, q);
	timer_init(&q->limit, l, on_limit, q);
	timer_set(&q->limit, question->timeout_ms);
	loop_defer(l, on_first, q);
	return q;
}

void
dns_direct_cancel(struct dns_direct **qp)
{
	struct dns_direct *q = *qp;

	if (!q)
		return;
	*qp = NULL;
	CHECK(q->magic == MAGIC);
	query_free(q);
}
