#include "ext/unpack.h"

#include <stdint.h>
#include <zlib.h>

enum {
	STEP = 16 << 10,
	GZIP_BITS = 15 + 16, /* zlib's word for "a gzip header" */
	RAW_BITS = -15,
	ZIP_END_BYTES = 22,
	ZIP_ENTRY_BYTES = 46,
	ZIP_FILE_BYTES = 30,
	ZIP_COMMENT_MAX = 65535,
	ZIP_STORED = 0,
	ZIP_DEFLATED = 8,
	ZIP_ENCRYPTED = 1,
};

enum pack_kind
pack_kind_of(struct str bytes)
{
	if (str_starts(bytes, STR("\x1f\x8b")))
		return PACK_GZIP;
	if (str_starts(bytes, STR("PK\x03\x04")))
		return PACK_ZIP;
	return PACK_NONE;
}

static enum err
check_ratio(size_t packed, size_t unpacked)
{
	return unpacked > UNPACK_RATIO_FROM && unpacked / UNPACK_RATIO_MAX > packed
	               ? ERR_LIMIT
	               : OK;
}

/* Inflates until the stream ends; *rest_out: what of the bytes is behind it. */
static enum err
inflate_all(struct str bytes, int bits, struct strbuf *out, struct str *rest_out)
{
	z_stream z = { 0 };
	size_t before = out->n;
	enum err e = OK;
	int status = Z_OK;

	if (bytes.n > UINT32_MAX / 2 || inflateInit2(&z, bits) != Z_OK)
		return ERR_LIMIT;
	z.next_in = (Bytef *)(uintptr_t)bytes.p;
	z.avail_in = (uInt)bytes.n;
	while (status == Z_OK && e == OK) {
		size_t room = out->max - out->n < STEP ? out->max - out->n : STEP;
		char *p = room ? strbuf_reserve(out, room) : NULL;

		if (!p) {
			e = ERR_LIMIT;
			break;
		}
		z.next_out = (Bytef *)p;
		z.avail_out = (uInt)room;
		status = inflate(&z, Z_NO_FLUSH);
		out->n += room - z.avail_out;
		e = check_ratio(bytes.n, out->n - before);
	}
	*rest_out = str_from_offset(bytes, bytes.n - z.avail_in);
	(void)inflateEnd(&z);
	if (e != OK)
		return e;
	return status == Z_STREAM_END ? OK : ERR_MALFORMED;
}

/* Several members may follow each other (RFC 1952 2.2); what is behind them is nothing. */
static enum err
unpack_gzip(struct str bytes, struct strbuf *out)
{
	size_t packed = bytes.n, before = out->n;
	enum err e = OK;

	while (e == OK && pack_kind_of(bytes) == PACK_GZIP) {
		e = inflate_all(bytes, GZIP_BITS, out, &bytes);
		if (e == OK)
			e = check_ratio(packed, out->n - before);
	}
	return e;
}

/* --- zip ---------------------------------------------------------------------------- */

/* A number of n bytes, the least first. The caller has looked at the length. */
static uint32_t
number(struct str s, size_t at, size_t n)
{
	uint32_t value = 0;

	for (size_t i = n; i > 0; i--)
		value = value << 8 | (unsigned char)s.p[at + i - 1];
	return value;
}

/* The directory's end, behind which is nothing but a comment. */
static enum err
find_end(struct str zip, struct str *end_out)
{
	size_t last = zip.n < ZIP_END_BYTES ? 0 : zip.n - ZIP_END_BYTES;

	for (size_t back = 0; zip.n >= ZIP_END_BYTES && back <= ZIP_COMMENT_MAX; back++) {
		struct str s = str_from_offset(zip, last - back);

		if (str_starts(s, STR("PK\x05\x06")) && number(s, 20, 2) == back) {
			*end_out = s;
			return OK;
		}
		if (back == last)
			break;
	}
	return ERR_MALFORMED;
}

struct zip_file {
	uint32_t flags, method, crc, packed, unpacked, at;
};

static enum err
find_file(struct str zip, struct zip_file *f)
{
	struct str end, entry;
	enum err e = find_end(zip, &end);

	if (e != OK)
		return e;
	if (number(end, 10, 2) != 1)
		return ERR_UNSUPPORTED;
	entry = str_from_offset(zip, number(end, 16, 4));
	if (entry.n < ZIP_ENTRY_BYTES || !str_starts(entry, STR("PK\x01\x02")))
		return ERR_MALFORMED;
	*f = (struct zip_file){ number(entry, 8, 2),  number(entry, 10, 2),
		                number(entry, 16, 4), number(entry, 20, 4),
		                number(entry, 24, 4), number(entry, 42, 4) };
	return OK;
}

/* Its bytes. */
static enum err
file_bytes(struct str zip, const struct zip_file *f, struct str *bytes_out)
{
	struct str s = str_from_offset(zip, f->at);
	size_t skip;

	if (s.n < ZIP_FILE_BYTES || !str_starts(s, STR("PK\x03\x04")))
		return ERR_MALFORMED;
	if (number(s, 6, 2) & ZIP_ENCRYPTED || f->flags & ZIP_ENCRYPTED)
		return ERR_UNSUPPORTED;
	if (number(s, 8, 2) != f->method)
		return ERR_MALFORMED;
	skip = (size_t)ZIP_FILE_BYTES + number(s, 26, 2) + number(s, 28, 2);
	s = str_from_offset(s, skip);
	if (s.n < f->packed)
		return ERR_MALFORMED;
	*bytes_out = str_first(s, f->packed);
	return OK;
}

static enum err
unpack_zip(struct str zip, struct strbuf *out)
{
	struct zip_file f = { 0 };
	struct str bytes, rest, found;
	size_t before = out->n;
	enum err e = find_file(zip, &f);

	if (e == OK)
		e = file_bytes(zip, &f, &bytes);
	if (e != OK)
		return e;
	if (f.method == ZIP_STORED) {
		strbuf_add(out, bytes);
		e = out->overflow ? ERR_LIMIT : OK;
	} else if (f.method == ZIP_DEFLATED) {
		e = inflate_all(bytes, RAW_BITS, out, &rest);
	} else {
		e = ERR_UNSUPPORTED;
	}
	if (e != OK)
		return e;
	found = str_from_offset(strbuf_str(out), before);
	if (found.n != f.unpacked ||
	    crc32(0, (const Bytef *)found.p, (uInt)found.n) != f.crc)
		return ERR_MALFORMED;
	return OK;
}

enum err
unpack(struct str bytes, struct strbuf *out)
{
	switch (pack_kind_of(bytes)) {
	case PACK_GZIP:
		return unpack_gzip(bytes, out);
	case PACK_ZIP:
		return unpack_zip(bytes, out);
	default:
		strbuf_add(out, bytes);
		return out->overflow ? ERR_LIMIT : OK;
	}
}
