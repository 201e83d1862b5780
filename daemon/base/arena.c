#include "base/arena.h"

#include "base/mem.h"
#include "base/panic.h"

#include <stdalign.h>
#include <stdarg.h>
#include <stdio.h>

/* Memory comes in chunks that double from the first size to the last one: a session that
   stays small costs one small chunk, a busy one few large ones. What is larger than a
   chunk gets one of its own. Chunks are cleared piece by piece: most are not filled. */
struct chunk {
	struct chunk *next;
	size_t cap, used;
	alignas(max_align_t) char bytes[];
};

enum {
	CHUNK_FIRST = 512 - sizeof(struct chunk), /* with its head a block */
	CHUNK_LAST = MEM_BLOCK_MAX - sizeof(struct chunk),
};

struct arena {
	struct chunk *chunks; /* newest first; only the newest has room */
	size_t budget, given, chunk_size;
	bool is_secret;
};
_Static_assert(sizeof(struct arena) <= MEM_BLOCK_MIN, "a block has room for it");

static struct chunk *
chunk_new(size_t cap)
{
	struct chunk *c = mem_block(size_add(sizeof(*c), cap));

	c->cap = cap;
	c->used = 0;
	return c;
}

static void
chunk_free(struct chunk *c)
{
	mem_block_free(c, sizeof(*c) + c->cap);
}

/* --- arenas ------------------------------------------------------------------------- */

static struct arena *
new_arena(size_t budget_bytes, bool is_secret)
{
	struct arena *a = mem_block(MEM_BLOCK_MIN);

	*a = (struct arena){ .budget = budget_bytes,
		             .chunk_size = CHUNK_FIRST,
		             .is_secret = is_secret };
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
	mem_block_free(*a, MEM_BLOCK_MIN);
	*a = NULL;
}

/* With its head, a chunk has twice the size of the one before. */
static size_t
next_size(size_t size)
{
	return 2 * size + sizeof(struct chunk);
}

/* Not cleared. */
static void *
take(struct arena *a, size_t n)
{
	struct chunk *c = a->chunks;
	void *p;

	if (!c || c->cap - c->used < n) {
		while (a->chunk_size < n && a->chunk_size < CHUNK_LAST)
			a->chunk_size = next_size(a->chunk_size);
		c = chunk_new(a->chunk_size > n ? a->chunk_size : n);
		c->next = a->chunks;
		a->chunks = c;
		if (a->chunk_size < CHUNK_LAST)
			a->chunk_size = next_size(a->chunk_size);
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
