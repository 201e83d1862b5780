#include "base/tally.h"

#include "base/map.h"
#include "base/mem.h"
#include "base/panic.h"

#include <stdint.h>

struct tally {
	struct map *counts; /* a number in a pointer; none: not there */
};

struct tally *
tally_new(void)
{
	struct tally *t = mem_alloc(sizeof(*t));

	t->counts = map_new();
	return t;
}

void
tally_free(struct tally **t)
{
	if (!*t)
		return;
	map_free(&(*t)->counts);
	mem_free(*t);
	*t = NULL;
}

size_t
tally_of(const struct tally *t, struct str key)
{
	return (uintptr_t)map_find(t->counts, key);
}

bool
tally_enter(struct tally *t, struct str key, size_t max)
{
	uintptr_t n = tally_of(t, key);

	if (max && n >= max)
		return false;
	(void)map_set(t->counts, key, (void *)(n + 1));
	return true;
}

void
tally_leave(struct tally *t, struct str key)
{
	uintptr_t n = tally_of(t, key);

	CHECK(n);
	if (n > 1)
		(void)map_set(t->counts, key, (void *)(n - 1));
	else
		(void)map_remove(t->counts, key);
}
