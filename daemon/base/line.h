/* line.h - the line reader of all protocols.
 *
 * Lines end in CRLF and in nothing else. A bare CR, a bare LF and a NUL are errors, found
 * before any protocol sees the line (RFC 5321 2.3.8). The reader keeps no bytes: it looks
 * at what has been received and remembers only how far it has looked, so feeding byte by
 * byte costs no more than feeding at once.
 */
#ifndef BASE_LINE_H
#define BASE_LINE_H

#include "base/str.h"

#include <stdbool.h>
#include <stddef.h>

enum line_result {
	LINE_MORE,    /* no whole line yet */
	LINE_OK,      /* a line, without its CRLF */
	LINE_LONG,    /* more than max bytes without an end */
	LINE_BARE_LF, /* an LF without CR */
	LINE_BARE_CR, /* a CR without LF */
	LINE_NUL,     /* a NUL byte */
};

struct line_reader {
	size_t seen; /* bytes of the current line already looked at */
};

/* Looks for one line at the start of `input` (all unconsumed bytes, each call). With
   LINE_OK *line_out is the line and *used_out what to consume; with an error *used_out
   covers the bytes up to and including the offending one (LINE_LONG: the first max,
   which hold no end of a line), so that a caller who goes on can skip the rest up to its
   end. max counts the line without CRLF. However the bytes arrive, the results are the
   same. */
enum line_result line_next(struct line_reader *r, struct str input, size_t max,
                           struct str *line_out, size_t *used_out);

/* The first line of an HTTP request, where another protocol was expected: a browser was
   made to talk to us, and what follows may be chosen by somebody else. */
bool line_is_http(struct str line);

#endif
