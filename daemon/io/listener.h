/* listener.h - accepts connections on a listening descriptor.
 *
 * Takes many per wake-up, reads the PROXY header of trusted proxies, counts through a
 * limiter, and hands over. Running out of descriptors does not spin: the waiting client
 * is let in with a reserve descriptor and closed, then accepting rests for 100 ms.
 */
#ifndef IO_LISTENER_H
#define IO_LISTENER_H

#include "base/addr.h"
#include "base/err.h"
#include "base/str.h"
#include "io/limiter.h"
#include "io/loop.h"

#include <stdbool.h>

struct listener;

struct accepted {
	int fd;            /* now the callee's; non-blocking, close-on-exec */
	struct addr peer;  /* the client, as the proxy says where there is one */
	struct addr local; /* the address the client connected to, as the proxy says or
	                      where want_local is; else ADDR_NONE */
	struct addr proxy; /* the proxy; ADDR_NONE: a direct connection */
	int uid;           /* of the peer of a unix socket (SO_PEERCRED), else -1 */
};

struct listener_ops {
	/* A new connection. Its place in the limiter is the callee's to give back
	   (limiter_give with accepted.peer) when it is over. */
	void (*accepted)(void *arg, const struct accepted *a);
	/* A connection was refused (ERR_BUSY, ERR_LIMIT, ERR_PROTOCOL: bad PROXY header)
	   and is closed after this: log it. *goodbye_out may be set to bytes that are
	   sent before (a protocol's "421 …"); plain-text listeners only. May be NULL. */
	void (*refused)(void *arg, const struct addr *peer, enum err why,
	                struct str *goodbye_out);
	/* Asked before each client that waits is taken: those who have not been left to
	   other processes on the socket for so many ms are. 0, or NULL: taken at once. */
	int64_t (*leave_ms)(void *arg);
};

struct listener_conf {
	const struct net *proxies; /* who may send a PROXY header */
	size_t proxies_count;
	int64_t proxy_wait_ms; /* how long a trusted peer is waited for to begin one; when
	                          nothing came, it is an ordinary client */
	struct limiter *limiter; /* NULL: no limits */
	bool want_local;         /* `local` is asked for: a system call a connection */
	bool is_in_turns;        /* client and server speak in turns from the start: what
	                            is received is acknowledged with the answer to it, not
	                            by a packet of its own before */
};

/* Listens on fd (listening already), which is taken. Everything pointed to is borrowed
   and outlives the listener. */
struct listener *listener_new(struct loop *l, int fd, const struct listener_conf *conf,
                              const struct listener_ops *ops, void *arg);
/* Not inside a callback of the listener. Stops accepting and closes the descriptor;
 * connections live on. */
void listener_free(struct listener **l);

#endif
