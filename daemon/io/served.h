/* served.h - the life of a connection that is served, for every protocol the same.
 *
 *     served_begin ─ served_start ─ [TLS] ─ greet ─ (input ─ follow)* ─ closed ─ free
 *
 * A protocol has a session core that is fed bytes and says what is next. Here is what
 * happens then: when input is taken and when not, STARTTLS, the pause while the output is
 * full, goodbyes, the place in the limiter, and a server that stops waits for its last
 * connection. What differs is asked of the protocol through struct served_ops.
 *
 * struct served is part of the protocol's connection, struct served_all of its server.
 * Owns the stream and the place; borrows the rest.
 */
#ifndef IO_SERVED_H
#define IO_SERVED_H

#include "base/addr.h"
#include "base/err.h"
#include "base/ids.h"
#include "base/list.h"
#include "base/str.h"
#include "base/strbuf.h"
#include "io/limiter.h"
#include "io/listener.h"
#include "io/loop.h"
#include "io/stream.h"
#include "io/tls.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* What the session core wants next. */
enum served_next {
	SERVED_READ,     /* it is fed what is there and what comes */
	SERVED_WAIT,     /* a question is out: nothing is fed until served_follow */
	SERVED_MORE,     /* the output is full: drained() once the client has taken it */
	SERVED_STARTTLS, /* what is unread is dropped, then secured() */
	SERVED_CLOSE,    /* the connection ends once all is sent */
};

/* Of a protocol; arg is its connection. What these append to `out` is sent. */
struct served_ops {
	struct str name; /* "imap", in events */
	enum tls_alpn alpn;
	const struct limiter_ops *place; /* arg is the connection there too */

	void (*greet)(void *arg, struct strbuf *out);
	/* Takes bytes off the input and says how many. */
	enum served_next (*input)(void *arg, struct str in, size_t *used_out,
	                          struct strbuf *out);
	/* After SERVED_MORE: there is room. NULL: it is never said. */
	enum served_next (*drained)(void *arg, struct strbuf *out);
	/* TLS stands, from the first byte on or after SERVED_STARTTLS. */
	void (*secured)(void *arg, const struct tls_info *tls);
	/* Between two commands: a good moment to stop. */
	bool (*is_at_rest)(void *arg);
	/* Last words: ERR_SHUTDOWN, ERR_TIMEOUT, or what the protocol gave served_bye. */
	void (*bye)(void *arg, enum err why, struct strbuf *out);

	/* That is what comes next, and is about to be done: sets the deadline for it. */
	void (*next)(void *arg, enum served_next next);
	/* The output, which was full while a question was out, has room. May be NULL. */
	void (*room)(void *arg);
	/* So many bytes came behind STARTTLS, in plain, and were dropped: tell it. */
	void (*dropped)(void *arg, size_t n);
	/* The end, to be told: as closed of struct stream_ops. */
	void (*closed)(void *arg, enum stream_end why, const char *detail);
	/* Lets go of all but what is here, and of the connection itself. */
	void (*free)(void *arg);
};

/* All connections of one server. */
struct served_all {
	struct loop *loop;
	struct tls_server *tls;  /* NULL: no TLS at all */
	struct limiter *limiter; /* NULL: they are not counted */
	struct link conns;
	bool is_stopping, is_impatient;
	struct timer impatience;
	loop_fn *stopped;
	void *stopped_arg;
};

struct served {
	struct link link;
	struct served_all *all;
	const struct served_ops *ops;
	void *arg;
	struct stream *stream;
	struct limiter_place place;
	struct addr peer;
	struct id id;          /* of the session */
	enum served_next next; /* what was followed last; SERVED_STARTTLS before it */
	bool is_implicit_tls, is_greeted;
};

void served_all_init(struct served_all *all, struct loop *loop, struct tls_server *tls,
                     struct limiter *limiter);
/* Ends those that are left at once. */
void served_all_fini(struct served_all *all);
/* Those at rest are told goodbye now, others when they are, or after patience_ms where it
   is their client that is waited for; then done is called, once, later. */
void served_all_stop(struct served_all *all, int64_t patience_ms, loop_fn *done,
                     void *arg);

/* A connection was accepted, and has the place that the listener took for it. ops and arg
   are set, all else is zero. Its session is made next, then served_start. */
void served_begin(struct served *c, struct served_all *all, const struct accepted *a,
                  bool is_implicit_tls);
/* Whether TLS can be had by STARTTLS. */
bool served_has_starttls(const struct served *c);
/* Takes fd: shakes hands, or greets at once. limits are borrowed. first_ms: a deadline
   from the start; 0: none. */
void served_start(struct served *c, int fd, const struct stream_limits *limits,
                  int64_t first_ms);

/* What the session core said, to input or to the answer of a question. */
void served_follow(struct served *c, enum served_next next);
/* May it be told goodbye now, without harm: it is at rest, or ends anyhow. */
bool served_may_go(const struct served *c);
/* Says goodbye and closes; harmless where it ends already. */
void served_bye(struct served *c, enum err why);
/* Ends it at once. c is gone. */
void served_free(struct served *c);

/* For protocols that tell at once. What was refused, and why: command may be empty,
   reason is a word. */
void served_tell_refused(const struct served *c, enum err why, struct str command,
                         const char *reason);
/* An end that is TLS's fault; others are not worth an event. */
void served_tell_closed(const struct served *c, enum stream_end why, const char *detail);

#endif
