/* strbuf.h - building bytes, with a cap and a sticky overflow.
 *
 * A strbuf grows up to `max` bytes, over an arena, the heap, or a fixed array. What does
 * not fit is not added at all and sets `overflow`, which stays set until strbuf_clear:
 * so a chain of adds needs one check at its end. Heap-backed ones give their memory back
 * with strbuf_release and are the right kind for what comes and goes (network buffers).
 */
#ifndef BASE_STRBUF_H
#define BASE_STRBUF_H

#include "base/arena.h"
#include "base/macros.h"
#include "base/str.h"

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum strbuf_kind {
	STRBUF_FIXED,
	STRBUF_ARENA,
	STRBUF_HEAP,
};

struct strbuf {
	char *p;
	size_t n;   /* bytes in use */
	size_t cap; /* bytes there are: none without p, never more than max */
	size_t max; /* bytes there may ever be */
	struct arena *arena;
	enum strbuf_kind kind;
	bool overflow;
};

/* Over a char array whose size the compiler knows. */
#define strbuf_on(array) strbuf_fixed((array), sizeof(array))
struct strbuf strbuf_fixed(char *p, size_t cap);
struct strbuf strbuf_arena(struct arena *a, size_t max);
struct strbuf strbuf_heap(size_t max);
/* Gives heap memory back; the buffer is empty and may be used again. */
void strbuf_release(struct strbuf *b);

/* Empty again, overflow forgotten, memory kept. */
void strbuf_clear(struct strbuf *b);
/* Drops the first n bytes (n <= b->n), the rest moves up. */
void strbuf_consume(struct strbuf *b, size_t n);
/* Cuts to n bytes (n <= b->n). */
void strbuf_truncate(struct strbuf *b, size_t n);

/* Room for n more bytes at the end, to be filled and then counted with b->n += used;
   NULL and overflow where they do not fit. */
MUSTUSE char *strbuf_reserve(struct strbuf *b, size_t n);

/* What is added piece by piece mostly finds its room: that way is in place. */
static inline bool
strbuf_has_room(const struct strbuf *b, size_t n)
{
	return !b->overflow && n <= b->cap - b->n;
}

static inline void
strbuf_bytes(struct strbuf *b, const void *p, size_t n)
{
	if (n == 0 || (!strbuf_has_room(b, n) && !strbuf_reserve(b, n)))
		return;
	memcpy(b->p + b->n, p, n);
	b->n += n;
}

static inline void
strbuf_add(struct strbuf *b, struct str s)
{
	strbuf_bytes(b, s.p, s.n);
}

static inline void
strbuf_byte(struct strbuf *b, char c)
{
	if (!strbuf_has_room(b, 1) && !strbuf_reserve(b, 1))
		return;
	b->p[b->n++] = c;
}

void strbuf_u64(struct strbuf *b, uint64_t value);
void strbuf_i64(struct strbuf *b, int64_t value);
/* With zeros in front where it has fewer digits than `width` (<= 20). */
void strbuf_digits(struct strbuf *b, uint64_t value, unsigned width);
void strbuf_hex(struct strbuf *b, struct str bytes);
void strbuf_printf(struct strbuf *b, const char *format, ...) PRINTF_LIKE(2, 3);
void strbuf_vprintf(struct strbuf *b, const char *format, va_list ap);

static inline struct str
strbuf_str(const struct strbuf *b)
{
	return (struct str){ b->p, b->n };
}
/* With a NUL behind it (not counted); "" when that does not fit. */
const char *strbuf_cstr(struct strbuf *b);

#define strbuf_lit(b, literal) strbuf_add((b), STR(literal))

#endif
