#include "base/mem.h"

#include "base/panic.h"

#include <malloc.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

enum {
	SMALL_BYTES = 1024,
	SIZES = 11, /* of blocks that are kept */
	KEPT_BYTES_MAX = 512 * 1024,
};
_Static_assert(MEM_BLOCK_MIN << (SIZES - 1) == MEM_BLOCK_MAX, "a size for each doubling");

void *
mem_alloc(size_t n)
{
	/* glibc's calloc passes by the thread's cache of small pieces. */
	void *p = n > SMALL_BYTES ? calloc(1, n) : malloc(n ? n : 1);

	if (!p)
		PANIC("out of memory");
	if (n <= SMALL_BYTES)
		memset(p, 0, n);
	return p;
}

void *
mem_grow(void *p, size_t n)
{
	void *grown = realloc(p, n ? n : 1);

	if (!grown)
		PANIC("out of memory");
	return grown;
}

void
mem_free(void *p)
{
	free(p);
}

/* --- blocks ------------------------------------------------------------------------- */

struct block {
	struct block *next;
};

static _Thread_local struct {
	struct block *free[SIZES];
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
size_class(size_t n)
{
	if (HAS_SANITIZER || n < MEM_BLOCK_MIN || n > MEM_BLOCK_MAX || n & (n - 1))
		return -1;
	return __builtin_ctzll(n / MEM_BLOCK_MIN);
}

void *
mem_block(size_t n)
{
	int class = size_class(n);
	struct block *b = class < 0 ? NULL : kept.free[class];

	if (!b)
		return mem_grow(NULL, n);
	kept.free[class] = b->next;
	kept.bytes -= n;
	return b;
}

void
mem_block_free(void *p, size_t n)
{
	int class = size_class(n);
	struct block *b = p;

	if (!b || class < 0 || kept.bytes + n > KEPT_BYTES_MAX) {
		mem_free(p);
		return;
	}
	b->next = kept.free[class];
	kept.free[class] = b;
	kept.bytes += n;
}

void
mem_give_back(void)
{
	for (size_t i = 0; i < SIZES; i++) {
		while (kept.free[i]) {
			struct block *b = kept.free[i];

			kept.free[i] = b->next;
			mem_free(b);
		}
	}
	kept.bytes = 0;
	(void)malloc_trim(0);
}
