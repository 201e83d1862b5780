/* mem.h - the heap, for the few things that outlive no arena.
 *
 * Only base/ and the wrappers of libraries call these; everything else lives in an
 * arena (arena.h) or in a heap-backed strbuf. Running out of memory ends the process:
 * the spool is crash-safe and the supervisor starts it again, so nothing is lost.
 */
#ifndef BASE_MEM_H
#define BASE_MEM_H

#include "base/panic.h"

#include <stddef.h>
#include <stdint.h>

/* n bytes, zeroed; never NULL. n == 0 gives a pointer that may be freed. */
void *mem_alloc(size_t n);
/* As realloc, never NULL; new bytes are not zeroed. */
void *mem_grow(void *p, size_t n);
void mem_free(void *p);

/* n bytes, as they happen to be, for what comes and goes with every command and message:
   where n is a power of two from MEM_BLOCK_MIN to MEM_BLOCK_MAX, each thread keeps some
   of what was freed for the next one. */
enum {
	MEM_BLOCK_MIN = 64,
	MEM_BLOCK_MAX = 64 * 1024,
};
void *mem_block(size_t n);
/* n as it was asked for; p may be NULL. */
void mem_block_free(void *p, size_t n);
/* Frees what this thread keeps, and gives the system what is free of the whole heap: for
   who has nothing to do. Some milliseconds. */
void mem_give_back(void);

/* a + b and a * b; a panic where they do not fit (our own sizes only, never a peer's). */
static inline size_t
size_add(size_t a, size_t b)
{
	CHECK(a <= SIZE_MAX - b);
	return a + b;
}

static inline size_t
size_mul(size_t a, size_t b)
{
	CHECK(b == 0 || a <= SIZE_MAX / b);
	return a * b;
}

#endif
