/* base64.h - RFC 4648 4 with padding, and the two other alphabets that mail needs. */
#ifndef BASE_BASE64_H
#define BASE_BASE64_H

#include "base/err.h"
#include "base/str.h"
#include "base/strbuf.h"

/* Appends without line breaks. */
void base64_format(struct strbuf *out, struct str bytes);
/* Strict: the whole of s, right padding, no spaces, zero trailing bits; else
   ERR_MALFORMED. ERR_LIMIT where out is full. "" gives nothing. */
MUSTUSE enum err base64_parse(struct str s, struct strbuf *out);
/* For MIME bodies (RFC 2045 6.8): bytes outside the alphabet are skipped, padding ends
   it; never fails but for out's overflow. */
void base64_parse_lax(struct str s, struct strbuf *out);
/* Without padding, URL and file name safe alphabet (RFC 4648 5). */
void base64url_format(struct strbuf *out, struct str bytes);
MUSTUSE enum err base64url_parse(struct str s, struct strbuf *out);

#endif
