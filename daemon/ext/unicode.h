/* unicode.h - texts compared without regard to case. One wrapper around utf8proc. */
#ifndef EXT_UNICODE_H
#define EXT_UNICODE_H

#include "base/str.h"
#include "base/strbuf.h"

/* Appends s in the form in which two texts are compared without regard to case: full case
   folding and compatibility decomposition, character by character (so a text may be
   folded in pieces). Bytes that are no UTF-8 become U+FFFD. ASCII costs next to nothing.
 */
void unicode_fold(struct str s, struct strbuf *out);

#endif
