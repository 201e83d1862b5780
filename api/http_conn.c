#include "api/http_conn.h"

#include "api/http_gate.h"
#include "base/mem.h"
#include "base/panic.h"
#include "base/strbuf.h"
#include "io/socket.h"

#include <errno.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
	CONN_MAGIC = 0x6874636e,
	PASS_MAX = 64 * 1024,
};

struct http_conn {
	uint32_t magic;
	const struct http_conn_conf *conf;
	struct http_peer peer;
	struct stream *stream;
	struct http_gate gate;
	struct http_link link;
	struct watch *inner; /* our end of the socketpair; NULL: not made yet */
	int inner_fd;
	struct strbuf pass; /* heap; judged bytes the daemon has not taken yet */
	bool is_ending;     /* nothing more is taken from the client */
	bool is_closing;    /* … and the daemon is done: what is unsent goes out */
	struct link in_list;
	struct limiter_place place;
};

static void pump_in(struct http_conn *c);
static void go_on(void *arg);

static struct http_conn *
of(void *arg)
{
	return CAST(http_conn, CONN_MAGIC, arg);
}

/* --- the end ----------------------------------------------------------------------- */

static void
drop_inner(struct http_conn *c)
{
	if (!c->inner)
		return;
	http_server_unlink(c->conf->server, &c->link);
	watch_free(&c->inner);
	(void)close(c->inner_fd);
	c->inner_fd = -1;
	strbuf_release(&c->pass);
}

void
http_conn_free(struct http_conn **c)
{
	if (!*c)
		return;
	loop_defer_cancel((*c)->conf->loop, go_on, *c);
	drop_inner(*c);
	list_remove(&(*c)->in_list);
	limiter_leave(&(*c)->place);
	stream_free(&(*c)->stream);
	http_gate_fini(&(*c)->gate);
	strbuf_release(&(*c)->pass);
	(*c)->magic = 0;
	mem_free(*c);
	*c = NULL;
}

static void
on_closed(void *arg, enum stream_end why, const char *detail)
{
	struct http_conn *c = of(arg);
	const struct http_conn_conf *conf = c->conf;

	(void)why;
	(void)detail;
	http_conn_free(&c);
	conf->closed(conf->arg);
}

static void
end(struct http_conn *c)
{
	if (c->is_closing)
		return;
	c->is_ending = c->is_closing = true;
	drop_inner(c);
	stream_close(c->stream);
}

/* --- from the daemon to the client -------------------------------------------------- */

/* Moves what the daemon has written; true while more may come. */
static bool
drain_inner(struct http_conn *c)
{
	char bytes[16 * 1024];

	while (!stream_is_full(c->stream)) {
		ssize_t n = recv(c->inner_fd, bytes, sizeof(bytes), 0);

		if (n > 0) {
			stream_write(c->stream, str_make(bytes, (size_t)n));
			stream_deadline(c->stream, c->conf->answer_ms);
			continue;
		}
		if (n < 0 && errno == EINTR)
			continue;
		return n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK);
	}
	return true;
}

static void
watch_inner(struct http_conn *c)
{
	unsigned events = 0;

	if (!c->inner)
		return;
	if (!stream_is_full(c->stream))
		events |= WATCH_READ;
	if (c->pass.n)
		events |= WATCH_WRITE;
	watch_set(c->inner, events);
}

/* --- from the client to the daemon -------------------------------------------------- */

static bool
flush_pass(struct http_conn *c)
{
	while (c->pass.n) {
		ssize_t n = send(c->inner_fd, c->pass.p, c->pass.n, MSG_NOSIGNAL);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return errno == EAGAIN || errno == EWOULDBLOCK;
		strbuf_consume(&c->pass, (size_t)n);
	}
	strbuf_release(&c->pass);
	return true;
}

static void
on_inner(void *arg, unsigned events)
{
	struct http_conn *c = of(arg);

	(void)events;
	if (!drain_inner(c) || !flush_pass(c)) {
		end(c);
		return;
	}
	pump_in(c);
	watch_inner(c);
}

/* The daemon's connection; made when there is something good to tell it. */
static bool
open_inner(struct http_conn *c)
{
	int fds[2];

	if (c->inner)
		return true;
	socket_pair(fds);
	c->link.head = &c->gate.head;
	c->link.peer = &c->peer;
	if (!http_server_add(c->conf->server, fds[1], &c->link)) {
		(void)close(fds[0]);
		return false;
	}
	c->inner_fd = fds[0];
	c->inner = watch_new(c->conf->loop, fds[0], on_inner, c);
	return true;
}

/* The answer of the gate itself; the daemon never hears of the request. */
static void
refuse(struct http_conn *c, const struct http_refusal *why)
{
	char body_bytes[512], head_bytes[768];
	struct strbuf body = strbuf_on(body_bytes), head = strbuf_on(head_bytes);

	strbuf_lit(&body, "{\"type\":\"/problems/");
	for (const char *p = why->code; *p; p++)
		strbuf_byte(&body, *p == '_' ? '-' : *p);
	strbuf_printf(&body,
	              "\",\"title\":\"%s\",\"status\":%d,\"code\":\"%s\","
	              "\"detail\":\"%s\"}\n",
	              why->text, why->status, why->code, why->text);
	strbuf_printf(
		&head,
		"HTTP/1.1 %d Refused\r\nContent-Type: application/problem+json\r\n"
		"Content-Length: %zu\r\nCache-Control: no-store\r\n"
		"X-Content-Type-Options: nosniff\r\n"
		"Content-Security-Policy: default-src 'none'; frame-ancestors 'none'\r\n"
		"Referrer-Policy: no-referrer\r\nConnection: close\r\n\r\n",
		why->status, body.n);
	stream_write(c->stream, strbuf_str(&head));
	stream_write(c->stream, strbuf_str(&body));
	end(c);
}

/* Feeds the gate until it wants more input, an answer is waited for, or enough lies in
   c->pass; true in that last case. Nothing is read while an answer is waited for; but
   where that has no end of its own, the client's is listened for, as long as nothing
   else comes. */
static bool
feed_gate(struct http_conn *c)
{
	while (!c->is_ending && c->pass.n < PASS_MAX) {
		struct str in = str_first(stream_input(c->stream), PASS_MAX);
		enum http_gate_next next;
		size_t used;

		next = http_gate_input(&c->gate, in, &used, &c->pass);
		stream_consume(c->stream, used);
		if (next == HTTP_GATE_BAD) {
			refuse(c, c->gate.refusal);
			return false;
		}
		if (next == HTTP_GATE_STARTED) {
			if (!open_inner(c)) {
				end(c);
				return false;
			}
			strbuf_add(&c->pass, strbuf_str(&c->gate.head_bytes));
			stream_deadline(c->stream, c->conf->idle_ms);
			continue;
		}
		stream_take(c->stream,
		            next == HTTP_GATE_READ || (c->link.is_stream && !in.n));
		if (next == HTTP_GATE_WAIT)
			stream_deadline(c->stream, c->conf->answer_ms);
		else if (used && c->gate.state != HTTP_GATE_HEAD)
			stream_deadline(c->stream, c->conf->idle_ms);
		/* What it left is the beginning of something: only more input helps. */
		if (next == HTTP_GATE_WAIT || used < in.n || !used)
			return false;
	}
	return !c->is_ending;
}

/* What the gate was given but has not taken is fed again here, or from on_inner as soon
   as the daemon has made room: a stream whose buffer is full brings no event of its
   own. */
static void
pump_in(struct http_conn *c)
{
	bool has_more = true;

	while (has_more && !c->pass.n) {
		has_more = feed_gate(c);
		if (c->inner && !flush_pass(c)) {
			(void)drain_inner(c);
			end(c);
			return;
		}
	}
}

/* --- call-backs -------------------------------------------------------------------- */

static void
on_data(void *arg)
{
	struct http_conn *c = of(arg);

	if (c->is_ending)
		return;
	pump_in(c);
	watch_inner(c);
}

static void
on_drained(void *arg)
{
	struct http_conn *c = of(arg);

	if (!c->inner)
		return;
	if (!drain_inner(c)) {
		end(c);
		return;
	}
	if (c->gate.state == HTTP_GATE_HEAD)
		go_on(c);
	watch_inner(c);
}

static void
on_secured(void *arg)
{
	struct http_conn *c = of(arg);

	stream_deadline(c->stream, c->conf->head_ms);
}

static void
on_timeout(void *arg)
{
	static const struct http_refusal too_slow = {
		408, "timeout", "The request did not come in time"
	};
	struct http_conn *c = of(arg);

	if (http_gate_is_idle(&c->gate) || c->gate.state == HTTP_GATE_ANSWER)
		end(c);
	else
		refuse(c, &too_slow);
}

static void
go_on(void *arg)
{
	struct http_conn *c = of(arg);

	/* An answer that still waits in the socketpair goes out before anything else. */
	if (c->is_ending || stream_is_full(c->stream))
		return;
	stream_deadline(c->stream, c->conf->idle_ms);
	stream_take(c->stream, true);
	pump_in(c);
	watch_inner(c);
}

/* The daemon has written all of the answer; it may still lie in the socketpair. The next
   request is looked at from the loop: this call comes from inside the daemon. */
static void
on_answered(struct http_link *link)
{
	struct http_conn *c = of(CONTAINER_OF(link, struct http_conn, link));

	if (c->is_ending)
		return;
	http_gate_answered(&c->gate);
	if (!drain_inner(c)) {
		/* It closes after this answer; on_inner sees that as well. */
		c->is_ending = true;
	}
	loop_defer_cancel(c->conf->loop, go_on, c);
	loop_defer(c->conf->loop, go_on, c);
}

static const struct stream_ops stream_ops = {
	.data = on_data,
	.drained = on_drained,
	.secured = on_secured,
	.timeout = on_timeout,
	.closed = on_closed,
};

/* No request is under way, and no answer waits for its client. */
static bool
may_go(void *arg)
{
	struct http_conn *c = of(arg);

	return !c->link.exchange && !stream_output(c->stream)->n &&
	       (c->gate.state == HTTP_GATE_HEAD || c->is_closing);
}

static void
on_dismissed(void *arg)
{
	on_closed(arg, STREAM_CLOSED, "");
}

static const struct limiter_ops place_ops = { .may_go = may_go, .go = on_dismissed };

struct http_conn *
http_conn_new(const struct http_conn_conf *conf, int fd, const struct http_peer *peer,
              bool tls_now)
{
	struct http_conn *c = mem_alloc(sizeof(*c));
	size_t dropped;

	c->magic = CONN_MAGIC;
	c->conf = conf;
	c->peer = *peer;
	limiter_hold(conf->limiter, &c->place, &peer->addr, &place_ops, c);
	c->inner_fd = -1;
	c->pass = strbuf_heap(4 * PASS_MAX);
	c->link.answered = on_answered;
	http_gate_init(&c->gate, conf->head_max, conf->body_max);
	c->stream = stream_new(conf->loop, fd, &stream_ops, conf->limits, c);
	if (tls_now)
		stream_start_tls_server(c->stream, conf->tls, TLS_ALPN_HTTP, &dropped);
	stream_deadline(c->stream, conf->head_ms);
	return c;
}

void
http_conn_close_if_idle(struct http_conn *c)
{
	if (!c->link.exchange)
		end(c);
}

struct link *
http_conn_link(struct http_conn *c)
{
	return &c->in_list;
}

struct http_conn *
http_conn_of_link(struct link *l)
{
	return CONTAINER_OF(l, struct http_conn, in_list);
}
