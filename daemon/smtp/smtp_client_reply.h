/* smtp_client_reply.h - replies of a server that nobody vouches for.
 *
 * The parser takes any bytes, in any pieces, and gives lines: three digits, whether more
 * lines follow, and the text, of which at most SMTP_REPLY_LINE_MAX bytes are kept. One
 * reply may not be longer than SMTP_REPLY_MAX bytes in all, so neither an endless line
 * nor endless continuation lines cost memory or time. The text is kept as it came, NULs
 * and all: who shows it makes it safe.
 *
 * A bare LF ends a line as CRLF does: replies carry no content that could be smuggled,
 * and the dialogue goes on with servers that are sloppy here.
 *
 * Owns: a small heap buffer, given back by smtp_reply_fini. Follows: RFC 5321 4.2.1.
 */
#ifndef SMTP_SMTP_CLIENT_REPLY_H
#define SMTP_SMTP_CLIENT_REPLY_H

#include "base/str.h"
#include "base/strbuf.h"

#include <stdbool.h>
#include <stddef.h>

enum {
	SMTP_REPLY_LINE_MAX = 512,  /* bytes kept of one line (RFC 5321 4.5.3.1.5) */
	SMTP_REPLY_MAX = 64 * 1024, /* bytes of one reply, all lines and line ends */
};

enum smtp_reply_result {
	REPLY_MORE, /* all input taken, no whole line yet */
	REPLY_LINE, /* a line, in *line_out */
	REPLY_BAD,  /* no reply code, codes that differ, or too long: give up on the peer
	             */
};

struct smtp_reply_line {
	int code;        /* 200-599, the same in all lines of one reply */
	bool is_last;    /* the reply is complete */
	struct str text; /* behind the code; borrowed, valid until the next call */
};

struct smtp_reply_parser {
	struct strbuf line; /* the current line, cut at SMTP_REPLY_LINE_MAX */
	size_t total;       /* bytes of the current reply */
	int code;           /* of its first line; 0: none yet */
	bool is_whole;      /* `line` was given out: begin anew */
};

void smtp_reply_init(struct smtp_reply_parser *p);
void smtp_reply_fini(struct smtp_reply_parser *p);
/* Takes bytes off *in up to the end of one line. After REPLY_BAD only fini may follow. */
enum smtp_reply_result smtp_reply_next(struct smtp_reply_parser *p, struct str *in,
                                       struct smtp_reply_line *line_out);

/* Takes an enhanced status code and the space behind it off *text: "5.1.1 no such user".
   Only where its class belongs to `code` (RFC 2034 4); else empty, and *text unchanged.
 */
struct str smtp_reply_enhanced(int code, struct str *text);

#endif
