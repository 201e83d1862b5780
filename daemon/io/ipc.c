#include "io/ipc.h"

#include "base/event.h"
#include "base/list.h"
#include "base/mem.h"
#include "base/panic.h"
#include "io/listener.h"
#include "io/socket.h"
#include "io/stream.h"

#include <sys/socket.h>
#include <unistd.h>

enum {
	PEER_MAGIC = 0x69706370,
	SERVER_MAGIC = 0x69706373,
	CLIENT_MAGIC = 0x69706363,
	FULL_BYTES = 1 << 20,
	RETRY_FIRST_MS = 20,
	RETRY_MAX_MS = 1000,
};

static const struct stream_limits limits = {
	.in_max = IPC_HEADER_BYTES + IPC_FRAME_MAX,
	.out_full = FULL_BYTES,
	.out_max = IPC_UNSENT_MAX,
	.stalled_ms = 60000,
	.handshake_ms = 1000,
	.linger_ms = 1000,
};

struct ipc_peer {
	uint32_t magic;
	unsigned busy; /* callbacks of ours on the stack */
	struct loop *loop;
	struct stream *stream; /* NULL: over */
	const struct ipc_ops *ops;
	void *arg, *data;
	const char *why;
	int uid, pid;
	struct link link;          /* in its server's list */
	struct ipc_client *client; /* whose it is, or NULL */
	bool is_freed;
};

struct ipc_server {
	uint32_t magic;
	struct loop *loop;
	struct listener *listener;
	const struct ipc_ops *ops;
	void *arg;
	struct link peers;
};

struct ipc_client {
	uint32_t magic;
	struct loop *loop;
	const struct ipc_ops *ops;
	void *arg;
	struct ipc_peer *peer;
	struct timer retry;
	int64_t retry_ms;
	char path[]; /* NUL-terminated */
};

static void client_lost(struct ipc_client *c);

/* ── one connection ── */

static void
enter(struct ipc_peer *p)
{
	p->busy++;
}

static void
leave(struct ipc_peer *p)
{
	if (--p->busy || !p->is_freed)
		return;
	p->magic = 0;
	mem_free(p);
}

static void
on_gone(void *arg)
{
	struct ipc_peer *p = CAST(ipc_peer, PEER_MAGIC, arg);

	enter(p);
	list_remove(&p->link);
	if (p->ops->closed)
		p->ops->closed(p->arg, p, p->why);
	/* Had closed() freed the client, p->client would be NULL by now. */
	if (p->client)
		client_lost(p->client);
	p->is_freed = true;
	leave(p);
}

void
ipc_close(struct ipc_peer *p, const char *why)
{
	if (!p->stream)
		return;
	stream_free(&p->stream);
	p->why = why;
	loop_defer(p->loop, on_gone, p);
}

void
ipc_peer_free(struct ipc_peer **pp)
{
	struct ipc_peer *p = *pp;

	if (!p)
		return;
	*pp = NULL;
	stream_free(&p->stream);
	loop_defer_cancel(p->loop, on_gone, p);
	list_remove(&p->link);
	enter(p);
	p->is_freed = true;
	leave(p);
}

static void
on_data(void *arg)
{
	struct ipc_peer *p = CAST(ipc_peer, PEER_MAGIC, arg);

	enter(p);
	while (p->stream) {
		struct ipc_message m;
		size_t used;
		enum ipc_frame found = ipc_parse(stream_input(p->stream), &m, &used);

		if (found == IPC_FRAME_ERROR)
			ipc_close(p, "framing");
		if (found != IPC_FRAME_OK)
			break;
		p->ops->message(p->arg, p, &m);
		if (p->stream)
			stream_consume(p->stream, used);
	}
	leave(p);
}

static void
on_drained(void *arg)
{
	struct ipc_peer *p = CAST(ipc_peer, PEER_MAGIC, arg);

	enter(p);
	if (p->ops->drained)
		p->ops->drained(p->arg, p);
	leave(p);
}

static void
on_closed(void *arg, enum stream_end why, const char *detail)
{
	struct ipc_peer *p = CAST(ipc_peer, PEER_MAGIC, arg);

	(void)detail;
	ipc_close(p, stream_end_word(why));
}

static const struct stream_ops stream_ops = {
	.data = on_data,
	.drained = on_drained,
	.closed = on_closed,
};

struct ipc_peer *
ipc_peer_new(struct loop *l, int fd, const struct ipc_ops *ops, void *arg)
{
	struct ipc_peer *p = mem_alloc(sizeof(*p));
	struct ucred cred;
	socklen_t n = sizeof(cred);

	p->magic = PEER_MAGIC;
	p->loop = l;
	p->ops = ops;
	p->arg = arg;
	p->uid = p->pid = -1;
	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &cred, &n) == 0) {
		p->uid = (int)cred.uid;
		p->pid = (int)cred.pid;
	}
	p->stream = stream_new(l, fd, &stream_ops, &limits, p);
	return p;
}

void
ipc_send(struct ipc_peer *p, uint16_t kind, uint64_t id, struct str payload)
{
	if (!p->stream)
		return;
	ipc_format(stream_output(p->stream), kind, id, payload);
	stream_flush_soon(p->stream);
}

bool
ipc_is_full(const struct ipc_peer *p)
{
	return p->stream && stream_is_full(p->stream);
}

void
ipc_set_data(struct ipc_peer *p, void *data)
{
	p->data = data;
}

void *
ipc_data(const struct ipc_peer *p)
{
	return p->data;
}

int
ipc_pid(const struct ipc_peer *p)
{
	return p->pid;
}

/* ── server ── */

static void
on_accepted(void *arg, const struct accepted *a)
{
	struct ipc_server *s = CAST(ipc_server, SERVER_MAGIC, arg);
	struct ipc_peer *p;

	if (a->uid != 0 && a->uid != (int)geteuid()) {
		log_line(LEVEL_WARN, "ipc.refused", "uid=%d", a->uid);
		(void)close(a->fd);
		return;
	}
	p = ipc_peer_new(s->loop, a->fd, s->ops, s->arg);
	list_add_last(&s->peers, &p->link);
	if (p->ops->opened)
		p->ops->opened(p->arg, p);
}

static const struct listener_ops listener_ops = { .accepted = on_accepted };
static const struct listener_conf listener_conf = { 0 };

struct ipc_server *
ipc_server_new(struct loop *l, int fd, const struct ipc_ops *ops, void *arg)
{
	struct ipc_server *s = mem_alloc(sizeof(*s));

	s->magic = SERVER_MAGIC;
	s->loop = l;
	s->ops = ops;
	s->arg = arg;
	list_init(&s->peers);
	s->listener = listener_new(l, fd, &listener_conf, &listener_ops, s);
	return s;
}

void
ipc_server_rest(struct ipc_server *s)
{
	listener_free(&s->listener);
}

void
ipc_server_free(struct ipc_server **sp)
{
	struct ipc_server *s = *sp;

	if (!s)
		return;
	*sp = NULL;
	listener_free(&s->listener);
	while (!list_is_empty(&s->peers)) {
		struct ipc_peer *p = CONTAINER_OF(s->peers.next, struct ipc_peer, link);

		ipc_peer_free(&p);
	}
	s->magic = 0;
	mem_free(s);
}

/* ── client ── */

static void
on_retry(void *arg)
{
	struct ipc_client *c = CAST(ipc_client, CLIENT_MAGIC, arg);
	struct ipc_peer *p;
	int fd;

	if (socket_connect_unix(c->path, &fd) != OK) {
		timer_set(&c->retry, c->retry_ms);
		c->retry_ms =
			c->retry_ms * 2 < RETRY_MAX_MS ? c->retry_ms * 2 : RETRY_MAX_MS;
		return;
	}
	c->retry_ms = RETRY_FIRST_MS;
	p = ipc_peer_new(c->loop, fd, c->ops, c->arg);
	p->client = c;
	c->peer = p;
	if (c->ops->opened)
		c->ops->opened(c->arg, p);
}

static void
client_lost(struct ipc_client *c)
{
	c->peer = NULL;
	timer_set(&c->retry, c->retry_ms);
}

struct ipc_client *
ipc_client_new(struct loop *l, const char *path, const struct ipc_ops *ops, void *arg)
{
	struct str s = str_from(path);
	struct ipc_client *c = mem_alloc(size_add(sizeof(*c), size_add(s.n, 1)));

	c->magic = CLIENT_MAGIC;
	c->loop = l;
	c->ops = ops;
	c->arg = arg;
	c->retry_ms = RETRY_FIRST_MS;
	memcpy(c->path, s.p, s.n);
	timer_init(&c->retry, l, on_retry, c);
	timer_set(&c->retry, 0);
	return c;
}

void
ipc_client_free(struct ipc_client **cp)
{
	struct ipc_client *c = *cp;

	if (!c)
		return;
	*cp = NULL;
	timer_stop(&c->retry);
	if (c->peer)
		c->peer->client = NULL;
	ipc_peer_free(&c->peer);
	c->magic = 0;
	mem_free(c);
}

struct ipc_peer *
ipc_client_peer(const struct ipc_client *c)
{
	return c->peer && c->peer->stream ? c->peer : NULL;
}
