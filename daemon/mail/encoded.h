/* encoded.h - text that is not ASCII inside header fields.
 *
 * Decoding gives clean UTF-8 (what cannot be read becomes U+FFFD) without control
 * characters, and never fails. Follows: RFC 2047, RFC 2231, RFC 6532 (raw UTF-8).
 */
#ifndef MAIL_ENCODED_H
#define MAIL_ENCODED_H

#include "base/arena.h"
#include "base/str.h"
#include "base/strbuf.h"

#include <stdbool.h>
#include <stddef.h>

enum {
	PARAMS_MAX = 128,        /* parameters of one field that are looked at */
	PARAM_BYTES_MAX = 65536, /* bytes of one parameter put together */
};

/* Appends the text of an unfolded or folded field value or phrase: encoded words decoded,
   the space between two of them dropped, folds undone, controls become spaces. */
void encoded_decode(struct str value, struct strbuf *out);

/* The parameter `name` of a field value ("attachment; filename*0*=utf-8''a; …"): its
   continuations joined, its charset converted, quotes undone, encoded words (which many
   programs use here though they must not) decoded. False where there is none. */
bool encoded_param(struct str value, struct str name, struct arena *a,
                   struct str *text_out);

/* Appends an address in UTF-8, its type in front or not, as utf-8-addr-xtext: ASCII (RFC
   6533 3). Spaces, "+", "=" and "\" are no part of that either, but characters that are
   written so already stay as they are; what is no UTF-8 becomes "?". */
void encoded_format_address(struct str s, struct strbuf *out);
/* The same as utf-8-addr-unitext: what is not ASCII stays. Shorter, and only for where
   UTF-8 may be (SMTPUTF8). */
void encoded_format_address_utf8(struct str s, struct strbuf *out);
/* Appends in UTF-8 what such an address stands for; what is not well-formed stays as it
   is. Never longer than s. */
void encoded_parse_address(struct str s, struct strbuf *out);

/* The text as lines of at most 76 bytes of ASCII; its CRLFs stay (RFC 2045 6.7). */
void quoted_printable_format(struct str s, struct strbuf *out);
/* Skips what it does not know. */
void quoted_printable_decode(struct str s, struct strbuf *out);

#endif
