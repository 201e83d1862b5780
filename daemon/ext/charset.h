/* charset.h - text in other character sets, made UTF-8. One wrapper around iconv.
 *
 * Only charsets of a list are handed to iconv, by our names for them, so no peer can name
 * a converter of its choice. Converting never fails: bytes that mean nothing become
 * U+FFFD; an unknown charset is read as UTF-8.
 */
#ifndef EXT_CHARSET_H
#define EXT_CHARSET_H

#include "base/str.h"
#include "base/strbuf.h"

#include <stdbool.h>

struct charset;

/* By any usual name, without case ("latin1", "cp1252", "UTF8"); NULL for one that is not
   on the list. The empty name is US-ASCII, which is read as UTF-8. */
const struct charset *charset_find(struct str name);
/* True for US-ASCII and UTF-8, where ASCII bytes mean themselves and nothing need be done
   for them. */
bool charset_is_utf8(const struct charset *c);

/* Appends s as UTF-8. c may be NULL: unknown. */
void charset_convert(const struct charset *c, struct str s, struct strbuf *out);

/* Conversion in pieces: a character cut in two by the end of a piece is kept for the
   next. */
struct charset_stream;

struct charset_stream *charset_open(const struct charset *c);
void charset_feed(struct charset_stream *stream, struct str piece, struct strbuf *out);
/* Says what was kept (as U+FFFD). */
void charset_finish(struct charset_stream *stream, struct strbuf *out);
void charset_close(struct charset_stream **stream);

#endif
