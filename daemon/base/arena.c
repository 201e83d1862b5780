#include "base/arena.h"

#include "base/mem.h"
#include "base/panic.h"

#include <stdalign.h>
#include <stdarg.h>
#include <stdio.h>

/* Memory comes in chunks that double from the first size to the last one: a session that
   stays small costs one small chunk, a busy one few large ones. What is larger than a
   chunk gets one of its own.

   Every command and every message fills and frees some arenas, so each thread keeps a few
   chunks for the next ones. They are given out as they were and cleared piece by piece:
   most chunks are not filled. */
enum {
	CHUNK_FIRST = 512,
	CHUNK_LAST = 64 * 1024,
	SIZES = 8, /* from the one to the other */
	KEPT_BYTES_MAX = 128 * 1024,
};
_Static_assert(CHUNK_FIRST << (SIZES - 1) == CHUNK_LAST, "a size for each doubling");

struct chunk {
	struct chunk *next;
	size_t cap, used;
	alignas(max_align_t) char bytes[];
};

struct arena {
	struct chunk *chunks; /* newest first; only the newest has room */
	size_t budget, given, chunk_size;
	bool is_secret;
};

/* --- chunks that are kept ------------------------------------------------------------ */

static _Thread_local struct {
	struct chunk *free[SIZES];
	size_t bytes;
} kept;

/* AddressSanitizer must see every use of what was freed. */
#ifdef __has_feature
#define HAS_SANITIZER __has_feature(address_sanitizer)
#elif defined(__SANITIZE_ADDRESS__)
#define HAS_SANITIZER 1
#else
#define HAS_SANITIZER 0
#endif

/* -1: of no size that is kept. */
static int
size_class(size_t cap)
{
	for (int i = 0; i < SIZES && !HAS_SANITIZER; i++) {
		if (cap == (size_t)CHUNK_FIRST << i)
			return i;
	}
	return -1;
}

static struct chunk *
chunk_new(size_t cap)
{
	int class = size_class(cap);
	struct chunk *c = class < 0 ? NULL : kept.free[class];

	if (c) {
		kept.free[class] = c->next;
		kept.bytes -= cap;
	} else {
		c = mem_grow(NULL, size_add(sizeof(*c), cap));
		c->cap = cap;
	}
	c->used = 0;
	return c;
}

static void
chunk_free(struct chunk *c)
{
	int class = size_class(c->cap);

	if (class < 0 || kept.bytes + c->cap > KEPT_BYTES_MAX) {
		mem_free(c);
		return;
	}
	c->next = kept.free[class];
	kept.free[class] = c;
	kept.bytes += c->cap;
}

/* --- arenas ------------------------------------------------------------------------- */

static struct arena *
new_arena(size_t budget_bytes, bool is_secret)
{
	struct arena *a = mem_alloc(sizeof(*a));

	a->budget = budget_bytes;
	a->chunk_size = CHUNK_FIRST;
	a->is_secret = is_secret;
	return a;
}

struct arena *
arena_new(size_t budget_bytes)
{
	return new_arena(budget_bytes, false);
}

struct arena *
arena_new_secret(size_t budget_bytes)
{
	return new_arena(budget_bytes, true);
}

void
arena_reset(struct arena *a)
{
	while (a->chunks) {
		struct chunk *c = a->chunks;

		a->chunks = c->next;
		if (a->is_secret)
			explicit_bzero(c->bytes, c->used);
		chunk_free(c);
	}
	a->given = 0;
	a->chunk_size = CHUNK_FIRST;
}

void
arena_rewind(struct arena *a)
{
	struct chunk *last = NULL, **from = &a->chunks;

	for (; *from && !last; from = last ? from : &(*from)->next) {
		if ((*from)->cap == CHUNK_LAST) {
			last = *from;
			*from = last->next;
		}
	}
	arena_reset(a);
	if (!last)
		return;
	if (a->is_secret)
		explicit_bzero(last->bytes, last->used);
	last->used = 0;
	last->next = NULL;
	a->chunks = last;
	a->chunk_size = CHUNK_LAST;
}

void
arena_free(struct arena **a)
{
	if (!*a)
		return;
	arena_reset(*a);
	mem_free(*a);
	*a = NULL;
}

/* Not cleared. */
static void *
take(struct arena *a, size_t n)
{
	struct chunk *c = a->chunks;
	void *p;

	if (!c || c->cap - c->used < n) {
		size_t cap = a->chunk_size > n ? a->chunk_size : n;

		c = chunk_new(cap);
		c->next = a->chunks;
		a->chunks = c;
		if (a->chunk_size < CHUNK_LAST)
			a->chunk_size *= 2;
	}
	p = c->bytes + c->used;
	c->used += n;
	a->given += n;
	return p;
}

/* Rounded up so that the next piece is aligned as well. */
static size_t
rounded(size_t n)
{
	return size_add(n, alignof(max_align_t) - 1) & ~(alignof(max_align_t) - 1);
}

void *
arena_try_raw(struct arena *a, size_t n)
{
	if (n > a->budget - a->given || rounded(n) > a->budget - a->given)
		return NULL;
	return take(a, rounded(n));
}

void *
arena_try(struct arena *a, size_t n)
{
	void *p = arena_try_raw(a, n);

	if (p)
		memset(p, 0, n);
	return p;
}

void *
arena_alloc(struct arena *a, size_t n)
{
	void *p = arena_try(a, n);

	if (!p)
		PANIC("arena over its budget");
	return p;
}

char *
arena_cstr(struct arena *a, struct str s)
{
	char *p = arena_try_raw(a, size_add(s.n, 1));

	if (!p)
		PANIC("arena over its budget");
	if (s.n)
		memcpy(p, s.p, s.n);
	p[s.n] = '\0';
	return p;
}

struct str
arena_str(struct arena *a, struct str s)
{
	return str_make(arena_cstr(a, s), s.n);
}

struct str
arena_printf(struct arena *a, const char *format, ...)
{
	va_list ap;
	int n;
	char *p;

	va_start(ap, format);
	n = vsnprintf(NULL, 0, format, ap);
	va_end(ap);
	CHECK(n >= 0);
	p = arena_alloc(a, (size_t)n + 1);
	va_start(ap, format);
	(void)vsnprintf(p, (size_t)n + 1, format, ap);
	va_end(ap);
	return str_make(p, (size_t)n);
}

size_t
arena_used(const struct arena *a)
{
	return a->given;
}

size_t
arena_left(const struct arena *a)
{
	return a->budget - a->given;
}
