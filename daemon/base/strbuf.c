#include "base/strbuf.h"

#include "base/mem.h"
#include "base/panic.h"

#include <stdio.h>

enum {
	GROW_FIRST = 128,
};

struct strbuf
strbuf_fixed(char *p, size_t cap)
{
	return (struct strbuf){ .p = p, .cap = cap, .max = cap, .kind = STRBUF_FIXED };
}

struct strbuf
strbuf_arena(struct arena *a, size_t max)
{
	return (struct strbuf){ .max = max, .arena = a, .kind = STRBUF_ARENA };
}

struct strbuf
strbuf_heap(size_t max)
{
	return (struct strbuf){ .max = max, .kind = STRBUF_HEAP };
}

void
strbuf_release(struct strbuf *b)
{
	if (b->kind == STRBUF_HEAP) {
		mem_block_free(b->p, b->cap);
		b->p = NULL;
		b->cap = 0;
	}
	strbuf_clear(b);
}

void
strbuf_clear(struct strbuf *b)
{
	b->n = 0;
	b->overflow = false;
}

void
strbuf_consume(struct strbuf *b, size_t n)
{
	CHECK(n <= b->n);
	if (n == 0)
		return;
	memmove(b->p, b->p + n, b->n - n);
	b->n -= n;
}

void
strbuf_truncate(struct strbuf *b, size_t n)
{
	CHECK(n <= b->n);
	b->n = n;
}

/* What there is, in `cap` bytes; NULL where the arena has none. What is large may grow
   where it is. */
static char *
moved(struct strbuf *b, size_t cap)
{
	bool is_heap = b->kind == STRBUF_HEAP;
	char *p;

	if (is_heap && cap > MEM_BLOCK_MAX)
		return mem_grow(b->p, cap);
	p = is_heap ? mem_block(cap) : arena_try_raw(b->arena, cap);
	if (p && b->n)
		memcpy(p, b->p, b->n);
	if (is_heap)
		mem_block_free(b->p, b->cap);
	return p;
}

/* Makes room for n more bytes; false, and overflow, where they may not be. */
static bool
has_room(struct strbuf *b, size_t n)
{
	size_t cap = b->cap;
	char *p;

	if (n > b->max - b->n || b->overflow) {
		b->overflow = true;
		return false;
	}
	if (n <= b->cap - b->n)
		return true;
	while (cap - b->n < n)
		cap = cap ? size_mul(cap, 2) : GROW_FIRST;
	if (cap > b->max)
		cap = b->max;
	p = moved(b, cap);
	if (!p) {
		b->overflow = true;
		return false;
	}
	b->p = p;
	b->cap = cap;
	return true;
}

char *
strbuf_reserve(struct strbuf *b, size_t n)
{
	if (!has_room(b, n))
		return NULL;
	return b->p ? b->p + b->n : b->p; /* no bytes of no buffer */
}

void
strbuf_digits(struct strbuf *b, uint64_t value, unsigned width)
{
	char digits[20];
	size_t at = sizeof(digits);

	CHECK(width <= sizeof(digits));
	do {
		digits[--at] = (char)('0' + value % 10);
		value /= 10;
	} while (value || sizeof(digits) - at < width);
	strbuf_bytes(b, digits + at, sizeof(digits) - at);
}

void
strbuf_u64(struct strbuf *b, uint64_t value)
{
	strbuf_digits(b, value, 1);
}

void
strbuf_i64(struct strbuf *b, int64_t value)
{
	if (value < 0) {
		strbuf_byte(b, '-');
		strbuf_u64(b, 0 - (uint64_t)value);
		return;
	}
	strbuf_u64(b, (uint64_t)value);
}

void
strbuf_hex(struct strbuf *b, struct str bytes)
{
	static const char digits[] = "0123456789abcdef";

	for (size_t i = 0; i < bytes.n; i++) {
		strbuf_byte(b, digits[(unsigned char)bytes.p[i] >> 4]);
		strbuf_byte(b, digits[(unsigned char)bytes.p[i] & 15]);
	}
}

void
strbuf_vprintf(struct strbuf *b, const char *format, va_list ap)
{
	va_list again;
	int n;
	char *p;

	/* Mostly it fits into what is there already: formatted once. */
	va_copy(again, ap);
	n = vsnprintf(b->cap ? b->p + b->n : NULL, b->cap - b->n, format, again);
	va_end(again);
	CHECK(n >= 0);
	if (b->overflow)
		return;
	if ((size_t)n < b->cap - b->n) {
		b->n += (size_t)n;
		return;
	}
	/* One byte more for the NUL that vsnprintf writes; in a buffer that is full but
	   for that byte, the text goes through memory of its own. */
	if ((size_t)n + 1 <= b->max - b->n) {
		p = strbuf_reserve(b, (size_t)n + 1);
		if (!p)
			return;
		(void)vsnprintf(p, (size_t)n + 1, format, ap);
		b->n += (size_t)n;
		return;
	}
	p = mem_alloc((size_t)n + 1);
	(void)vsnprintf(p, (size_t)n + 1, format, ap);
	strbuf_bytes(b, p, (size_t)n);
	mem_free(p);
}

void
strbuf_printf(struct strbuf *b, const char *format, ...)
{
	va_list ap;

	va_start(ap, format);
	strbuf_vprintf(b, format, ap);
	va_end(ap);
}

const char *
strbuf_cstr(struct strbuf *b)
{
	bool was = b->overflow;

	if (!has_room(b, 1)) {
		b->overflow = was;
		return "";
	}
	b->p[b->n] = '\0';
	return b->p;
}
