/* uri.h - request targets: percent-decoding and query parameters, strictly (RFC 3986). */
#ifndef API_URI_H
#define API_URI_H

#include "base/arena.h"
#include "base/macros.h"
#include "base/str.h"
#include "base/strbuf.h"

#include <stdbool.h>

/* Decodes %HH (and, in a query, "+" as a space). False: an escape that is none, a control
   character, or bytes that are no UTF-8. The result borrows from s where nothing had to
   be decoded. */
MUSTUSE bool uri_decode(struct str s, bool is_query, struct arena *a, struct str *out);
/* Appends s with everything but unreserved characters as %HH. */
void uri_encode(struct strbuf *out, struct str s);

/* Takes the next "name=value" off *rest, decoded. False at the end, or with *bad_out set
   at a parameter that cannot be decoded. */
MUSTUSE bool uri_next_param(struct str *rest, struct arena *a, struct str *name_out,
                            struct str *value_out, bool *bad_out);

#endif
