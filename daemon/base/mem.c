#include "base/mem.h"

#include "base/panic.h"

#include <stdint.h>
#include <stdlib.h>

void *
mem_alloc(size_t n)
{
	void *p = calloc(1, n ? n : 1);

	if (!p)
		PANIC("out of memory");
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
