/* gzip.h - bytes in the gzip format (RFC 1952), over zlib at its fastest level.
 *
 * For answers that a client said it can unpack. Whole texts only, in one call of some
 * milliseconds a megabyte: the caller bounds what it gives.
 */
#ifndef EXT_GZIP_H
#define EXT_GZIP_H

#include "base/macros.h"
#include "base/str.h"
#include "base/strbuf.h"

#include <stdbool.h>

/* Appends bytes compressed. False, and out is as it was: they do not get smaller, or out
   is full. */
MUSTUSE bool gzip_pack(struct str bytes, struct strbuf *out);
/* The same, smaller or not. False: bytes are none or far too many, or out is full. */
MUSTUSE bool gzip_pack_always(struct str bytes, struct strbuf *out);

#endif
