/* unicode.h - case folding and normal forms. One wrapper around utf8proc. */
#ifndef EXT_UNICODE_H
#define EXT_UNICODE_H

#include "base/str.h"
#include "base/strbuf.h"

/* Appends s in the form in which two texts are compared without regard to case: full case
   folding and compatibility decomposition, composed again (NFKC), marks kept. Bytes that
   are no UTF-8 become U+FFFD. ASCII costs next to nothing. */
void unicode_fold(struct str s, struct strbuf *out);
/* Appends s in Unicode normal form C; bytes that are no UTF-8 become U+FFFD. */
void unicode_nfc(struct str s, struct strbuf *out);

#endif
