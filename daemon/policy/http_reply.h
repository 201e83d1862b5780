/* http_reply.h - the reply to one HTTP/1.1 GET, from bytes that a stranger sent.
 *
 * Enough for a policy or a report's receiver: one status, a few fields, a body by length,
 * in chunks or up to the end of the connection (RFC 9112 6). Given all bytes so far, it
 * says whether more must come. Nothing is followed or unpacked.
 */
#ifndef POLICY_HTTP_REPLY_H
#define POLICY_HTTP_REPLY_H

#include "base/macros.h"
#include "base/str.h"
#include "base/strbuf.h"

#include <stdbool.h>

enum {
	HTTP_REPLY_HEAD_MAX = 16 << 10,
};

enum http_reply_state {
	HTTP_REPLY_MORE,
	HTTP_REPLY_DONE,
	HTTP_REPLY_BAD, /* it is no reply, or cut off, or too long */
};

struct http_reply {
	unsigned status; /* 200 … */
	struct str type; /* Content-Type without its parameters; points into the bytes */
};

/* bytes: all of them since the connection began. is_end: no more will come. body is
   cleared and filled; where it is full the reply is bad. */
MUSTUSE enum http_reply_state http_reply_parse(struct str bytes, bool is_end,
                                               struct http_reply *reply_out,
                                               struct strbuf *body);

#endif
