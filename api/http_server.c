#include "api/http_server.h"

#include "base/event.h"
#include "base/map.h"
#include "base/mem.h"
#include "base/panic.h"
#include "base/strbuf.h"
#include "ext/library.h"

#include <limits.h>
#include <microhttpd.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

/* clang-format off */
#define FUNCTIONS(X) \
	X(MHD_add_connection) X(MHD_add_response_header) \
	X(MHD_create_response_from_buffer) X(MHD_create_response_from_callback) \
	X(MHD_destroy_response) X(MHD_get_connection_info) X(MHD_get_daemon_info) \
	X(MHD_get_timeout) X(MHD_queue_response) X(MHD_resume_connection) X(MHD_run) \
	X(MHD_start_daemon) X(MHD_stop_daemon) X(MHD_suspend_connection)
/* clang-format on */
LIBRARY(lib, "libmicrohttpd.so.12", FUNCTIONS);

enum {
	SERVER_MAGIC = 0x68747376,
	EXCHANGE_MAGIC = 0x68747865,
	STREAM_BLOCK = 16 * 1024,
	IDLE_CHECK_MS = 1000,
};

struct http_server {
	uint32_t magic;
	struct loop *loop;
	struct MHD_Daemon *daemon;
	struct watch *watch;
	struct timer timer;
	const struct http_ops *ops;
	void *arg;
	struct map *links; /* by the daemon's descriptor */
	bool is_run_due;
};

enum exchange_state {
	X_BODY,  /* the body is being read */
	X_ASKED, /* ops->request was called; suspended once that returns without an answer
	          */
	X_ANSWERED,  /* there is a response; the daemon will take it */
	X_STREAMING, /* the daemon has the response and reads the stream */
};

struct http_exchange {
	uint32_t magic;
	struct http_server *server;
	struct http_link *link; /* NULL: the client is gone */
	struct MHD_Connection *connection;
	struct MHD_Response *response;
	int status;
	enum exchange_state state;
	bool is_suspended;
	bool is_inside; /* the daemon is in a call-back of this exchange */
	bool is_stream;
	size_t body_max;
	struct strbuf body;   /* heap */
	struct strbuf stream; /* heap; what the daemon has not read yet */
	void *data;
};

static void run(void *arg);

/* The daemon is entered from the loop only, never from inside somebody's call. */
static void
run_soon(struct http_server *s)
{
	if (s->is_run_due)
		return;
	s->is_run_due = true;
	loop_defer(s->loop, run, s);
}

static void
run(void *arg)
{
	struct http_server *s = CAST(http_server, SERVER_MAGIC, arg);
	MHD_UNSIGNED_LONG_LONG ms;

	s->is_run_due = false;
	(void)lib.MHD_run(s->daemon);
	if (lib.MHD_get_timeout(s->daemon, &ms) != MHD_YES)
		ms = IDLE_CHECK_MS;
	timer_set(&s->timer, ms < IDLE_CHECK_MS ? (int64_t)ms : IDLE_CHECK_MS);
}

static void
on_ready(void *arg, unsigned events)
{
	(void)events;
	run_soon(CAST(http_server, SERVER_MAGIC, arg));
}

static struct str
fd_key(const int *fd)
{
	return str_make(fd, sizeof(*fd));
}

static void
resume(struct http_exchange *x)
{
	if (x->is_suspended) {
		x->is_suspended = false;
		lib.MHD_resume_connection(x->connection);
	}
	run_soon(x->server);
}

/* --- one exchange ------------------------------------------------------------------ */

static struct http_exchange *
exchange_new(struct http_server *s, struct MHD_Connection *c)
{
	const union MHD_ConnectionInfo *info =
		lib.MHD_get_connection_info(c, MHD_CONNECTION_INFO_CONNECTION_FD);
	struct http_link *link =
		info ? map_find(s->links, fd_key(&info->connect_fd)) : NULL;
	struct http_exchange *x;

	if (!link || link->exchange)
		return NULL;
	x = mem_alloc(sizeof(*x));
	x->magic = EXCHANGE_MAGIC;
	x->server = s;
	x->link = link;
	x->connection = c;
	x->body = strbuf_heap(0);
	x->stream = strbuf_heap(SIZE_MAX / 2);
	link->exchange = x;
	return x;
}

/* Whoever answers hears once that it is over. */
static void
tell_gone(struct http_exchange *x)
{
	if (!x->link)
		return;
	x->server->ops->gone(x->server->arg, x);
	x->link->is_stream = false;
	x->link->exchange = NULL;
	x->link = NULL;
}

static void
exchange_free(struct http_exchange *x)
{
	if (x->response)
		lib.MHD_destroy_response(x->response);
	strbuf_release(&x->body);
	strbuf_release(&x->stream);
	x->magic = 0;
	mem_free(x);
}

static enum MHD_Result
hand_over(struct http_exchange *x)
{
	enum MHD_Result queued;

	queued = lib.MHD_queue_response(x->connection, (unsigned)x->status, x->response);
	lib.MHD_destroy_response(x->response);
	x->response = NULL;
	if (x->is_stream)
		x->state = X_STREAMING;
	return queued;
}

static bool
has_body(const struct http_head *h)
{
	return h->is_chunked || h->content_length;
}

/* The first call: the head only. */
static enum MHD_Result
begin(struct http_server *s, struct MHD_Connection *c, void **place)
{
	struct http_exchange *x = exchange_new(s, c);

	if (!x)
		return MHD_NO;
	*place = x;
	x->is_inside = true;
	x->body_max = s->ops->head(s->arg, x);
	x->is_inside = false;
	x->body.max = x->body_max;
	/* Without a body the daemon calls once more, and then keeps the connection; with
	   one that nobody wants it closes. */
	if (x->state == X_ANSWERED && x->link && has_body(x->link->head))
		return hand_over(x);
	return MHD_YES;
}

/* libmicrohttpd has made the list of parameters. */
static enum MHD_Result /* NOLINTNEXTLINE(readability-function-size) */
on_access(void *arg, struct MHD_Connection *c, const char *url, const char *method,
          const char *version, const char *upload, size_t *upload_size, void **place)
{
	struct http_server *s = CAST(http_server, SERVER_MAGIC, arg);
	struct http_exchange *x;

	(void)url;
	(void)method;
	(void)version;
	if (!*place)
		return begin(s, c, place);
	x = CAST(http_exchange, EXCHANGE_MAGIC, *place);
	if (!x->link)
		return MHD_NO;
	if (*upload_size) {
		strbuf_bytes(&x->body, upload, *upload_size);
		*upload_size = 0;
		return MHD_YES;
	}
	if (x->state == X_BODY) {
		x->state = X_ASKED;
		x->is_inside = true;
		s->ops->request(s->arg, x);
		x->is_inside = false;
	}
	if (x->state == X_ANSWERED)
		return hand_over(x);
	if (x->state == X_ASKED && !x->is_suspended) {
		x->is_suspended = true;
		lib.MHD_suspend_connection(c);
	}
	return MHD_YES;
}

static void
on_completed(void *arg, struct MHD_Connection *c, void **place,
             enum MHD_RequestTerminationCode why)
{
	struct http_exchange *x;
	struct http_link *link;

	(void)arg;
	(void)c;
	if (!*place)
		return;
	x = CAST(http_exchange, EXCHANGE_MAGIC, *place);
	*place = NULL;
	link = x->link;
	tell_gone(x);
	exchange_free(x);
	if (link && why == MHD_REQUEST_TERMINATED_COMPLETED_OK)
		link->answered(link);
}

static void
on_connection(void *arg, struct MHD_Connection *c, void **place,
              enum MHD_ConnectionNotificationCode what)
{
	struct http_server *s = CAST(http_server, SERVER_MAGIC, arg);
	const union MHD_ConnectionInfo *info;

	(void)place;
	if (what != MHD_CONNECTION_NOTIFY_CLOSED)
		return;
	info = lib.MHD_get_connection_info(c, MHD_CONNECTION_INFO_CONNECTION_FD);
	if (info)
		(void)map_remove(s->links, fd_key(&info->connect_fd));
}

/* --- answers ----------------------------------------------------------------------- */

static void
put_answer(struct http_exchange *x, int status, struct MHD_Response *response,
           const struct http_field *fields, size_t count)
{
	char bytes[8192];

	CHECK(x->state == X_BODY || x->state == X_ASKED);
	CHECK(response);
	for (size_t i = 0; i < count; i++) {
		struct strbuf b = strbuf_on(bytes);
		size_t name_size;

		CHECK(str_find(fields[i].value, '\n') == SIZE_MAX);
		CHECK(str_find(fields[i].value, '\r') == SIZE_MAX);
		strbuf_add(&b, fields[i].name);
		strbuf_byte(&b, '\0');
		name_size = b.n;
		strbuf_add(&b, fields[i].value);
		strbuf_byte(&b, '\0');
		if (!b.overflow && fields[i].value.n)
			(void)lib.MHD_add_response_header(response, bytes,
			                                  bytes + name_size);
	}
	x->status = status;
	x->response = response;
	x->state = X_ANSWERED;
	if (!x->is_inside)
		resume(x);
}

void
http_answer(struct http_exchange *x, int status, const struct http_field *fields,
            size_t count, struct str body)
{
	/* libmicrohttpd copies; its signature is older than const. */
	put_answer(x, status,
	           lib.MHD_create_response_from_buffer(body.n, (void *)(uintptr_t)body.p,
	                                               MHD_RESPMEM_MUST_COPY),
	           fields, count);
}

void
http_answer_static(struct http_exchange *x, int status, const struct http_field *fields,
                   size_t count, struct str body)
{
	put_answer(x, status,
	           lib.MHD_create_response_from_buffer(body.n, (void *)(uintptr_t)body.p,
	                                               MHD_RESPMEM_PERSISTENT),
	           fields, count);
}

static ssize_t
on_stream_read(void *arg, uint64_t at, char *p, size_t max)
{
	struct http_exchange *x = CAST(http_exchange, EXCHANGE_MAGIC, arg);
	size_t n = x->stream.n < max ? x->stream.n : max;

	(void)at;
	if (n) {
		memcpy(p, x->stream.p, n);
		strbuf_consume(&x->stream, n);
		if (!x->stream.n) {
			strbuf_release(&x->stream);
			if (x->link)
				x->server->ops->drained(x->server->arg, x);
		}
		return (ssize_t)n;
	}
	if (!x->link)
		return MHD_CONTENT_READER_END_OF_STREAM;
	x->is_suspended = true;
	lib.MHD_suspend_connection(x->connection);
	return 0;
}

void
http_answer_stream(struct http_exchange *x, int status, const struct http_field *fields,
                   size_t count)
{
	x->is_stream = x->link->is_stream = true;
	put_answer(x, status,
	           lib.MHD_create_response_from_callback(MHD_SIZE_UNKNOWN, STREAM_BLOCK,
	                                                 on_stream_read, x, NULL),
	           fields, count);
}

bool
http_stream_write(struct http_exchange *x, struct str bytes, size_t max)
{
	CHECK(x->is_stream);
	if (x->stream.n + bytes.n > max)
		return false;
	strbuf_add(&x->stream, bytes);
	if (x->state == X_STREAMING)
		resume(x);
	return true;
}

/* --- the server -------------------------------------------------------------------- */

PRINTF_LIKE(2, 0)
static void
on_daemon_log(void *arg, const char *format, va_list ap)
{
	char bytes[512], safe[1024];
	struct strbuf b = strbuf_on(bytes), value = strbuf_on(safe);

	(void)arg;
	strbuf_vprintf(&b, format, ap);
	/* It wants to cork TCP, which a local socket has not. */
	if (str_find_str(strbuf_str(&b), STR("TCP_")) != SIZE_MAX ||
	    str_starts(strbuf_str(&b), STR("Failed to push")))
		return;
	logfmt_value(&value, str_trim(strbuf_str(&b)));
	log_line(LEVEL_DEBUG, "http.daemon", "detail=%s", strbuf_cstr(&value));
}

/* Paths and arguments are read from the gate's head; the daemon leaves them alone. */
static size_t
do_not_unescape(void *arg, struct MHD_Connection *c, char *s)
{
	(void)arg;
	(void)c;
	return str_from(s).n;
}

struct http_server *
http_server_new(struct loop *l, size_t memory, const struct http_ops *ops, void *arg)
{
	struct http_server *s = mem_alloc(sizeof(*s));
	const union MHD_DaemonInfo *info;

	s->magic = SERVER_MAGIC;
	s->loop = l;
	s->ops = ops;
	s->arg = arg;
	s->links = map_new();
	if (!library_load(&lib_library))
		PANIC("libmicrohttpd cannot be loaded");
	s->daemon = lib.MHD_start_daemon(
		MHD_USE_EPOLL | MHD_USE_NO_LISTEN_SOCKET | MHD_ALLOW_SUSPEND_RESUME |
			MHD_USE_ERROR_LOG,
		0, NULL, NULL, on_access, s, MHD_OPTION_EXTERNAL_LOGGER, on_daemon_log,
		NULL, MHD_OPTION_CONNECTION_MEMORY_LIMIT, memory,
		MHD_OPTION_CONNECTION_LIMIT, (unsigned)INT_MAX,
		MHD_OPTION_NOTIFY_COMPLETED, on_completed, s,
		MHD_OPTION_NOTIFY_CONNECTION, on_connection, s,
		MHD_OPTION_UNESCAPE_CALLBACK, do_not_unescape, NULL, MHD_OPTION_END);
	if (!s->daemon)
		PANIC("libmicrohttpd does not start");
	info = lib.MHD_get_daemon_info(s->daemon, MHD_DAEMON_INFO_EPOLL_FD);
	CHECK(info && info->epoll_fd >= 0);
	timer_init(&s->timer, l, run, s);
	s->watch = watch_new(l, info->epoll_fd, on_ready, s);
	watch_set(s->watch, WATCH_READ);
	return s;
}

static void
drop_link(void *arg, struct str key, void *value)
{
	struct http_server *s = arg;

	(void)key;
	http_server_unlink(s, value);
}

void
http_server_free(struct http_server **s)
{
	if (!*s)
		return;
	map_each((*s)->links, drop_link, *s);
	timer_stop(&(*s)->timer);
	watch_free(&(*s)->watch);
	loop_defer_cancel((*s)->loop, run, *s);
	(void)lib.MHD_run(
		(*s)->daemon); /* takes the resumed ones back, which it insists on */
	lib.MHD_stop_daemon((*s)->daemon);
	map_free(&(*s)->links);
	(*s)->magic = 0;
	mem_free(*s);
	*s = NULL;
}

bool
http_server_add(struct http_server *s, int fd, struct http_link *link)
{
	/* What it is; the client's own address stays with the link. */
	struct sockaddr sa = { .sa_family = AF_UNIX };

	link->fd = fd;
	(void)map_set(s->links, fd_key(&link->fd), link);
	if (lib.MHD_add_connection(s->daemon, fd, &sa, sizeof(sa.sa_family)) != MHD_YES) {
		(void)map_remove(s->links, fd_key(&link->fd));
		return false;
	}
	run_soon(s);
	return true;
}

void
http_server_unlink(struct http_server *s, struct http_link *link)
{
	struct http_exchange *x = link->exchange;

	if (map_find(s->links, fd_key(&link->fd)) == link)
		(void)map_remove(s->links, fd_key(&link->fd));
	if (!x)
		return;
	tell_gone(x);
	resume(x); /* the daemon finds the socket closed, or on_access says no */
}

const struct http_head *
http_exchange_head(const struct http_exchange *x)
{
	return x->link->head;
}

struct str
http_exchange_body(const struct http_exchange *x)
{
	return strbuf_str(&x->body);
}

const struct http_peer *
http_exchange_peer(const struct http_exchange *x)
{
	return x->link->peer;
}

void
http_exchange_set_data(struct http_exchange *x, void *data)
{
	x->data = data;
}

void *
http_exchange_data(const struct http_exchange *x)
{
	return x->data;
}
