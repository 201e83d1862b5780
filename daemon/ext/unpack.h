/* unpack.h - what strangers packed: gzip, and zip with one file in it. Over zlib.
 *
 * Nothing is written anywhere but into the buffer, whose bound and a ratio end every
 * bomb; sums are checked. Of a zip its directory is believed, and only where the file
 * says the same of itself.
 */
#ifndef EXT_UNPACK_H
#define EXT_UNPACK_H

#include "base/err.h"
#include "base/macros.h"
#include "base/str.h"
#include "base/strbuf.h"

enum {
	UNPACK_RATIO_MAX = 100,       /* bytes that may come out of one */
	UNPACK_RATIO_FROM = 64 << 10, /* … once so many have come out */
};

enum pack_kind {
	PACK_NONE, /* neither of them */
	PACK_GZIP,
	PACK_ZIP,
};

/* By its first bytes. */
enum pack_kind pack_kind_of(struct str bytes);

/* Appends what is in it; PACK_NONE: the bytes themselves. ERR_MALFORMED: it is broken;
   ERR_LIMIT: out is full, or the ratio; ERR_UNSUPPORTED: encrypted, packed in a way that
   is neither deflate nor none, or a zip that has not exactly one file. */
MUSTUSE enum err unpack(struct str bytes, struct strbuf *out);

#endif
