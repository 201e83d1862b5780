/* http_server.h - libmicrohttpd on our loop: requests in, answers out, later if need be.
 *
 * The daemon has no thread and no listening socket of its own: its epoll descriptor is
 * watched by the loop, and each connection is one end of a socketpair whose other end
 * belongs to a struct http_conn (http_conn.h), which has judged the framing before. What
 * the daemon is used for: reading the body, answers with or without a known length, HEAD,
 * 100-continue, keep-alive. Request heads are those of the gate, never the daemon's own
 * reading. Everything happens on the loop's thread.
 *
 * An exchange is one request and its answer. It lives from `request` to `gone`.
 */
#ifndef API_HTTP_SERVER_H
#define API_HTTP_SERVER_H

#include "api/http_head.h"
#include "base/addr.h"
#include "base/macros.h"
#include "base/str.h"
#include "io/loop.h"

#include <stdbool.h>
#include <stddef.h>

struct http_server;
struct http_exchange;

/* Who is at the other end of a connection. */
struct http_peer {
	struct addr addr;  /* ADDR_NONE: the unix socket */
	struct addr local; /* what the client connected to */
	int uid;           /* of the peer of the unix socket, else -1 */
	bool is_tls;
};

struct http_ops {
	/* A head is there. Returns how many bytes of body may follow; or answers at once
	   (http_answer) without waiting for them: then the connection ends afterwards. */
	size_t (*head)(void *arg, struct http_exchange *x);
	/* The body is there as well: answer, now or later. Not called where head
	   answered. */
	void (*request)(void *arg, struct http_exchange *x);
	/* It is over, answered or not: forget x. */
	void (*gone)(void *arg, struct http_exchange *x);
	/* A stream has room again (http_stream_write). */
	void (*drained)(void *arg, struct http_exchange *x);
};

/* Never NULL. ops is borrowed. memory: bytes the daemon may use for one connection. */
struct http_server *http_server_new(struct loop *l, size_t memory,
                                    const struct http_ops *ops, void *arg);
/* All connections end; gone is called for exchanges under way. */
void http_server_free(struct http_server **s);

/* --- for whoever answers --- */

const struct http_head *http_exchange_head(const struct http_exchange *x);
struct str http_exchange_body(const struct http_exchange *x);
const struct http_peer *http_exchange_peer(const struct http_exchange *x);
void http_exchange_set_data(struct http_exchange *x, void *data);
void *http_exchange_data(const struct http_exchange *x);

/* Answers, once. The fields' values must hold no CR or LF (CHECKed); all is copied. */
void http_answer(struct http_exchange *x, int status, const struct http_field *fields,
                 size_t count, struct str body);
/* The same with a body that lives as long as the server. */
void http_answer_static(struct http_exchange *x, int status,
                        const struct http_field *fields, size_t count, struct str body);
/* Begins an answer of unknown length. */
void http_answer_stream(struct http_exchange *x, int status,
                        const struct http_field *fields, size_t count);
/* Appends to it; false, and nothing is added, where more than max bytes wait already. */
MUSTUSE bool http_stream_write(struct http_exchange *x, struct str bytes, size_t max);

/* --- for http_conn --- */

struct http_link {
	const struct http_head *head; /* of the request under way */
	const struct http_peer *peer;
	/* The answer has been written to the socket, all of it. */
	void (*answered)(struct http_link *link);
	struct http_exchange *exchange; /* under way, or NULL */
	bool is_stream;                 /* its answer has no end but the client's */
	int fd;
};

/* Takes fd, the daemon's end of the socketpair. False: no memory or no descriptor, and fd
   is closed. link->head and peer are set. */
MUSTUSE bool http_server_add(struct http_server *s, int fd, struct http_link *link);
/* The client is gone: gone is called for an exchange under way, and link is forgotten. */
void http_server_unlink(struct http_server *s, struct http_link *link);

#endif
