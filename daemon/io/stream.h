/* stream.h - one connection: bytes in, bytes out, TLS or not, with limits and deadlines.
 *
 * A stream owns its descriptor and, from stream_start_tls on, its TLS state. It reads
 * only while its owner takes input, keeps unread input (up to in_max) and unwritten
 * output (up to out_max) in heap buffers that exist only while they hold bytes, so an
 * idle stream is small. Output is collected and written once after the callbacks of a
 * turn ("corked"): a batch of pipelined commands makes one packet.
 *
 * Callbacks never run inside a call to the stream. `closed` comes exactly once, at the
 * end, whatever the reason, and never after stream_free; every other callback comes
 * before it. stream_free may be called inside any callback.
 *
 *     stream_new ─ data* ─ [start_tls ─ secured ─ data*] ─ stream_close ─ closed ─
 * stream_free
 */
#ifndef IO_STREAM_H
#define IO_STREAM_H

#include "base/addr.h"
#include "base/err.h"
#include "base/str.h"
#include "base/strbuf.h"
#include "io/loop.h"
#include "io/tls.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct stream;

/* Why a stream ended. */
enum stream_end {
#define STREAM_END(id, word, text) STREAM_##id,
#include "io/stream_end.def"
#undef STREAM_END
	STREAM_END_COUNT
};
/* A stable word for the log ("eof"), and plain words. */
const char *stream_end_word(enum stream_end why);
const char *stream_end_text(enum stream_end why);

struct stream_ops {
	/* There is unread input: look at stream_input, take with stream_consume. What is
	   left stays, and data comes again when more has arrived (or by stream_take). */
	void (*data)(void *arg);
	/* The output, which stream_is_full said was full, is down to a quarter. May be
	   NULL. */
	void (*drained)(void *arg);
	/* TLS stands (stream_tls_info). May be NULL where TLS is never started. */
	void (*secured)(void *arg);
	/* stream_connect reached the other side. May be NULL elsewhere. */
	void (*connected)(void *arg);
	/* The deadline has passed: say goodbye and stream_close, or set another. NULL:
	   the stream ends with STREAM_TIMEOUT. */
	void (*timeout)(void *arg);
	/* The end. detail: our words about the cause, for the log, or "". */
	void (*closed)(void *arg, enum stream_end why, const char *detail);
};

struct stream_limits {
	size_t in_max;      /* unread input kept; reading pauses there */
	size_t out_full;    /* from here on stream_is_full: make no more */
	size_t out_max;     /* over this the stream ends (STREAM_OVERFLOW) */
	int64_t stalled_ms; /* output waits and the peer takes nothing: STREAM_STALLED */
	int64_t handshake_ms; /* TLS must stand by then: STREAM_TLS_TIMEOUT */
	int64_t linger_ms; /* after stream_close: for the output, then for the peer's end
	                    */
};
/* in_max 64 KiB, out_full 64 KiB, out_max 4 MiB, stalled 60 s, handshake 30 s, linger
   5 s: used where limits is NULL. */
extern const struct stream_limits stream_limits_default;

/* Takes fd (a connected socket). Input is taken at once. ops and limits are borrowed
   and outlive the stream. */
struct stream *stream_new(struct loop *l, int fd, const struct stream_ops *ops,
                          const struct stream_limits *limits, void *arg);
/* Where a connection goes. */
struct stream_target {
	struct addr to;
	struct addr from; /* an address of ours, of the same family; ADDR_NONE: any */
	int64_t timeout_ms;
};
/* A stream that first connects, in time: then ops->connected, else
   closed(STREAM_CONNECT). */
struct stream *stream_connect(struct loop *l, const struct stream_target *target,
                              const struct stream_ops *ops,
                              const struct stream_limits *limits, void *arg);
/* Ends it at once, without a callback and without sending what waits. */
void stream_free(struct stream **s);

/* All unread input; good until the stream is used again or the callback returns. */
struct str stream_input(const struct stream *s);
/* Takes the first n bytes of it away (n <= stream_input().n). */
void stream_consume(struct stream *s, size_t n);
/* false: no data callback and no reading until true again (while an answer is waited
   for); back-pressure reaches the peer. true: data comes soon if there is any. */
void stream_take(struct stream *s, bool take);
/* What has been read is acknowledged now. For where more must come before there is
   anything to answer: a peer with Nagle's algorithm sends its next small piece only then,
   and the kernel would wait 40 ms for an answer to send along. */
void stream_acknowledge(struct stream *s);

/* Appends to the output; it is written soon. After the end nothing happens. */
void stream_write(struct stream *s, struct str bytes);
/* The output itself, for building replies in place; call stream_flush_soon after. It is
   at least as long as what is unsent, and just as long unless stream_is_full. Never keep
   it over a callback. */
struct strbuf *stream_output(struct stream *s);
void stream_flush_soon(struct stream *s);
/* Stop making output now; ops->drained says when to go on. */
bool stream_is_full(const struct stream *s);
/* Bytes of output that the kernel has not taken yet. */
size_t stream_unsent(const struct stream *s);

/* Starts TLS. Output written before goes out first, in plain. Unread input is dropped
   (nothing said before TLS may count as said inside): *dropped_out is how many bytes
   were dropped; more than 0 is an attack or a broken client, so end the session. Ends
   in ops->secured, or closed(STREAM_TLS…). */
void stream_start_tls_server(struct stream *s, struct tls_server *tls, enum tls_alpn alpn,
                             size_t *dropped_out);
/* The client side; what `client` says about names and checking holds. */
void stream_start_tls_client(struct stream *s, const struct tls_client *client,
                             size_t *dropped_out);
/* Facts about the TLS in use, or NULL where there is none (yet). */
const struct tls_info *stream_tls_info(const struct stream *s);

/* ops->timeout in ms from now, unless set again before; 0: none. Cheap: call it for
   every command. */
void stream_deadline(struct stream *s, int64_t in_ms);

/* Sends what waits, says goodbye (TLS close_notify, FIN), waits up to linger_ms for the
   peer to have read it, then closed(STREAM_CLOSED). Input is dropped from here on. */
void stream_close(struct stream *s);

/* The same, where the peer has said its last word and expects nothing but our end: it is
   not waited for, unless it has sent more all the same, or speaks TLS. */
void stream_leave(struct stream *s);

/* Our end of it; ADDR_NONE where there is none (any more). */
struct addr stream_local(const struct stream *s);
uint64_t stream_bytes_out(const struct stream *s);

#endif
