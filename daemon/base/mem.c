#include "base/mem.h"

#include "base/panic.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

enum {
	SMALL_BYTES = 1024,
};

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

size_t
size_add(size_t a, size_t b)
{
	CHECK(a <= SIZE_MAX - b);
	return a + b;
}

size_t
size_mul(size_t a, size_t b)
{
	CHECK(b == 0 || a <= SIZE_MAX / b);
	return a * b;
}
