/* http_conn.h - one client of the web process: stream, gate, and the daemon's socketpair.
 *
 *     client ── stream (TLS ends here) ── gate ── socketpair ── libmicrohttpd
 *
 * Bytes go on only once the gate has judged them; the daemon's connection is made with
 * the first good head, so an idle or a hostile client costs little. Each side is read
 * only while the other one takes. The conn frees itself when the client is gone; `closed`
 * is the last thing that is heard of it.
 */
#ifndef API_HTTP_CONN_H
#define API_HTTP_CONN_H

#include "api/http_server.h"
#include "base/list.h"
#include "io/limiter.h"
#include "io/loop.h"
#include "io/stream.h"

struct http_conn;

/* Shared by all connections of a process; borrowed. */
struct http_conn_conf {
	struct loop *loop;
	struct http_server *server;
	struct tls_server *tls;
	const struct stream_limits *limits;
	size_t head_max;
	uint64_t body_max;
	int64_t head_ms;   /* a request must have come by then */
	int64_t idle_ms;   /* silence between requests, or while a body comes */
	int64_t answer_ms; /* nothing was sent for so long while an answer is due; streams
	                      send comments more often */
	struct limiter *limiter; /* NULL: not counted */
	void (*closed)(void *arg);
	void *arg;
};

/* Takes fd. tls_now: TLS from the first byte. */
struct http_conn *http_conn_new(const struct http_conn_conf *conf, int fd,
                                const struct http_peer *peer, bool tls_now);
/* Ends it at once, without `closed`. */
void http_conn_free(struct http_conn **c);
/* Closes it if no request is under way: for shutting down. */
void http_conn_close_if_idle(struct http_conn *c);

/* A list of all connections is the owner's. */
struct link *http_conn_link(struct http_conn *c);
struct http_conn *http_conn_of_link(struct link *l);

#endif
