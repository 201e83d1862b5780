#include "base/panic.h"

#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void
panic_at(const char *file, int line, const char *what)
{
	(void)fprintf(stderr, "panic panic.check where=%s:%d check=\"%s\"\n", file, line,
	              what);
	abort();
}

void *
panic_cast(void *p, uint32_t magic, const char *file, int line)
{
	uint32_t found;

	if (!p)
		panic_at(file, line, "CAST of NULL");
	memcpy(&found, p, sizeof(found));
	if (found != magic)
		panic_at(file, line, "CAST to another type");
	return p;
}
