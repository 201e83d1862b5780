/* http_reply.h - the reply to one HTTP/1.1 GET, from bytes that a stranger sent.
 *
 * Enough for a policy or a report's receiver: one status, a few fields, a body by length,
 * in chunks or up to the end of the connection (RFC 9112 6). Given all bytes so far, it
 * goes on where it was, and says whether more must come: however small the pieces, each
 * byte is looked at once. Nothing is followed or unpacked.
 */
#ifndef POLICY_HTTP_REPLY_H
#define POLICY_HTTP_REPLY_H

#include "base/macros.h"
#include "base/str.h"
#include "base/strbuf.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
	HTTP_REPLY_HEAD_MAX = 16 << 10,
};

enum http_reply_state {
	HTTP_REPLY_MORE,
	HTTP_REPLY_DONE,
	HTTP_REPLY_BAD, /* it is no reply, or cut off, or too long */
};

/* Zero before the first byte. */
struct http_reply {
	unsigned status; /* 200 …; 0: not known yet */

	/* how far it is: of http_reply.c */
	enum http_reply_stage {
		HTTP_REPLY_HEAD,
		HTTP_REPLY_BODY,
		HTTP_REPLY_CHUNK, /* the line in front of one */
		HTTP_REPLY_CHUNK_BYTES,
		HTTP_REPLY_CHUNK_END,
		HTTP_REPLY_OVER,
	} stage;
	bool has_length, is_chunked;
	uint64_t length; /* of the body or the chunk, still to come */
	size_t at;       /* bytes that are done with */
	size_t looked;   /* behind them, without an end of line */
	size_t type_at, type_n;
};

/* bytes: all of them since the connection began. is_end: no more will come. What came is
   appended to body; where it is full the reply is bad. */
MUSTUSE enum http_reply_state http_reply_parse(struct http_reply *r, struct str bytes,
                                               bool is_end, struct strbuf *body);
/* Content-Type without its parameters, in the bytes; empty: none was given. */
struct str http_reply_type(const struct http_reply *r, struct str bytes);

#endif
