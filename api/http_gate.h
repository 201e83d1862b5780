/* http_gate.h - where requests begin and end in a stream of bytes, without any I/O.
 *
 * The gate stands between a connection and libmicrohttpd. It is fed all unread input,
 * takes some, and hands on only what belongs to a request whose head it has judged
 * (http_head.h) and whose body it has counted, chunked ones chunk by chunk
 * (RFC 9112 7.1). One request is on the way at a time: after its last byte nothing is
 * taken until http_gate_answered(). Something wrong ends it: the driver writes the
 * refusal itself and closes; nothing of that request's rest goes on.
 *
 *     HEAD ─ LENGTH ─────────────────── ANSWER ─ HEAD …
 *          └ SIZE ─ DATA ─ DATA_END ─ SIZE … ─ TRAILER ─ ANSWER
 */
#ifndef API_HTTP_GATE_H
#define API_HTTP_GATE_H

#include "api/http_head.h"
#include "base/macros.h"
#include "base/str.h"
#include "base/strbuf.h"

#include <stdbool.h>
#include <stdint.h>

enum http_gate_state {
	HTTP_GATE_HEAD,
	HTTP_GATE_LENGTH,
	HTTP_GATE_SIZE,
	HTTP_GATE_DATA,
	HTTP_GATE_DATA_END,
	HTTP_GATE_TRAILER,
	HTTP_GATE_ANSWER,
	HTTP_GATE_REFUSED,
};

/* Plain: embed it. */
struct http_gate {
	enum http_gate_state state;
	uint64_t left;     /* bytes of the body or chunk still to come */
	uint64_t body;     /* bytes of body so far */
	unsigned skipped;  /* bytes of empty lines before the head */
	uint64_t body_max; /* more are refused */
	size_t head_max;
	struct strbuf head_bytes; /* heap; of the request under way */
	struct http_head head;    /* borrows from head_bytes */
	const struct http_refusal *refusal;
};

enum http_gate_next {
	HTTP_GATE_READ,    /* feed more when there is more */
	HTTP_GATE_STARTED, /* a head was taken: g->head is valid until it is answered.
	                      Pass g->head_bytes on, then feed what is left, if only "" */
	HTTP_GATE_WAIT, /* the whole request has gone on; feed nothing until answered */
	HTTP_GATE_BAD,  /* g->refusal says why */
};

void http_gate_init(struct http_gate *g, size_t head_max, uint64_t body_max);
void http_gate_fini(struct http_gate *g);

/* Takes *used_out bytes of in and appends what may go on to out (which has room for
   as many bytes as in has). */
MUSTUSE enum http_gate_next http_gate_input(struct http_gate *g, struct str in,
                                            size_t *used_out, struct strbuf *out);
/* The answer to the request has been sent: the next one may come. */
void http_gate_answered(struct http_gate *g);
/* True while no byte of a next request was seen: closing is clean. */
bool http_gate_is_idle(const struct http_gate *g);

#endif
