/* utf8.h - is it UTF-8, and which characters (RFC 3629): no surrogates, no overlong
 * forms, nothing over U+10FFFF. */
#ifndef BASE_UTF8_H
#define BASE_UTF8_H

#include "base/str.h"
#include "base/strbuf.h"

#include <stdbool.h>
#include <stdint.h>

bool utf8_check(struct str s);
/* True where every byte is below 0x80. */
bool ascii_check(struct str s);
/* Takes one character off *s. False at the end of s and at a byte that starts none;
   in the second case *s is not moved (s->n > 0). */
bool utf8_next(struct str *s, uint32_t *char_out);
/* c must be a character (see above); others are written as U+FFFD. */
void utf8_add(struct strbuf *out, uint32_t c);
/* Copies s; every byte that belongs to no character becomes U+FFFD. */
void utf8_clean(struct strbuf *out, struct str s);
/* s cut to at most max bytes without cutting a character in two (what is no UTF-8 may be
   cut anywhere). */
struct str utf8_first(struct str s, size_t max);

#endif
