/* mem.h - the heap, for the few things that outlive no arena.
 *
 * Only base/ and the wrappers of libraries call these; everything else lives in an
 * arena (arena.h) or in a heap-backed strbuf. Running out of memory ends the process:
 * the spool is crash-safe and the supervisor starts it again, so nothing is lost.
 */
#ifndef BASE_MEM_H
#define BASE_MEM_H

#include <stddef.h>

/* n bytes, zeroed; never NULL. n == 0 gives a pointer that may be freed. */
void *mem_alloc(size_t n);
/* As realloc, never NULL; new bytes are not zeroed. */
void *mem_grow(void *p, size_t n);
void mem_free(void *p);

/* a + b and a * b; a panic where they do not fit (our own sizes only, never a peer's). */
size_t size_add(size_t a, size_t b);
size_t size_mul(size_t a, size_t b);

#endif
