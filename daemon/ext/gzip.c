#include "ext/gzip.h"

#include "base/panic.h"

#include <limits.h>
#include <zlib.h>

enum {
	WINDOW_BITS = 15 + 16, /* with gzip's head and checksum */
	MEMORY_LEVEL = 8,
	SPARE_BYTES = 128, /* head and checksum */
};

/* room: bytes that it may have. */
static bool
pack(struct str bytes, size_t room, struct strbuf *out)
{
	z_stream z = { 0 };
	char *p;
	int rc;

	if (!bytes.n || bytes.n > INT_MAX / 2)
		return false;
	p = strbuf_reserve(out, room);
	if (!p) {
		out->overflow = false;
		return false;
	}
	CHECK(deflateInit2(&z, Z_BEST_SPEED, Z_DEFLATED, WINDOW_BITS, MEMORY_LEVEL,
	                   Z_DEFAULT_STRATEGY) == Z_OK);
	z.next_in = (z_const Bytef *)(uintptr_t)bytes.p;
	z.avail_in = (uInt)bytes.n;
	z.next_out = (Bytef *)p;
	z.avail_out = (uInt)room;
	rc = deflate(&z, Z_FINISH);
	(void)deflateEnd(&z);
	if (rc != Z_STREAM_END)
		return false;
	out->n += z.total_out;
	return true;
}

bool
gzip_pack(struct str bytes, struct strbuf *out)
{
	/* No smaller: not worth it. */
	return bytes.n && pack(bytes, bytes.n - 1, out);
}

bool
gzip_pack_always(struct str bytes, struct strbuf *out)
{
	return pack(bytes, bytes.n + bytes.n / 1000 + SPARE_BYTES, out);
}
