#include "base/pack.h"

#include <endian.h>

static void
put(struct strbuf *b, uint64_t v, size_t n)
{
	uint64_t little = htole64(v);

	strbuf_bytes(b, &little, n);
}

void
pack_u8(struct strbuf *b, uint8_t v)
{
	put(b, v, 1);
}

void
pack_u16(struct strbuf *b, uint16_t v)
{
	put(b, v, 2);
}

void
pack_u32(struct strbuf *b, uint32_t v)
{
	put(b, v, 4);
}

void
pack_u64(struct strbuf *b, uint64_t v)
{
	put(b, v, 8);
}

void
pack_i64(struct strbuf *b, int64_t v)
{
	put(b, (uint64_t)v, 8);
}

void
pack_str(struct strbuf *b, struct str v)
{
	if (v.n > UINT32_MAX) {
		b->overflow = true;
		return;
	}
	pack_u32(b, (uint32_t)v.n);
	strbuf_add(b, v);
}

struct unpack
unpack_from(struct str bytes)
{
	return (struct unpack){ .rest = bytes };
}

static struct str
take(struct unpack *u, size_t n)
{
	struct str part = { "", 0 };

	if (u->bad || n > u->rest.n) {
		u->bad = true;
		return part;
	}
	part = str_first(u->rest, n);
	u->rest = str_from_offset(u->rest, n);
	return part;
}

static uint64_t
get(struct unpack *u, size_t n)
{
	struct str bytes = take(u, n);
	uint64_t little = 0;

	memcpy(&little, bytes.p, bytes.n);
	return le64toh(little);
}

uint8_t
unpack_u8(struct unpack *u)
{
	return (uint8_t)get(u, 1);
}

uint16_t
unpack_u16(struct unpack *u)
{
	return (uint16_t)get(u, 2);
}

uint32_t
unpack_u32(struct unpack *u)
{
	return (uint32_t)get(u, 4);
}

uint64_t
unpack_u64(struct unpack *u)
{
	return get(u, 8);
}

int64_t
unpack_i64(struct unpack *u)
{
	return (int64_t)get(u, 8);
}

struct str
unpack_str(struct unpack *u)
{
	return take(u, unpack_u32(u));
}

bool
unpack_done(const struct unpack *u)
{
	return !u->bad && u->rest.n == 0;
}
