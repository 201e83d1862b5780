#include "policy/dkim_fields.h"

#include "mail/header.h"

#include <stdint.h>
#include <stdlib.h>

struct entry {
	struct str raw;
	uint32_t name_size;
	/* Of the first entry of a name in `sorted`: how many were taken, in which round. */
	uint32_t taken, round;
};

struct dkim_fields {
	size_t count;
	uint32_t round;
	struct entry *entries; /* from the top */
	struct entry **sorted; /* by name, then from the top */
};

static struct str
entry_name(const struct entry *e)
{
	return str_first(e->raw, e->name_size);
}

static int
by_name(const void *a, const void *b)
{
	const struct entry *x = *(struct entry *const *)a, *y = *(struct entry *const *)b;
	int order = str_cmp_icase(entry_name(x), entry_name(y));

	return order ? order : (x > y) - (x < y);
}

struct dkim_fields *
dkim_fields_new(struct arena *a, struct str header)
{
	struct dkim_fields *f = arena_try(a, sizeof(*f));
	struct header_field field;
	struct str rest = header;
	size_t count = 0;

	while (header_next(&rest, &field))
		if (++count > DKIM_FIELDS_MAX)
			return NULL;
	if (!f)
		return NULL;
	f->entries = arena_try(a, (count + 1) * sizeof(*f->entries));
	f->sorted = arena_try(a, (count + 1) * sizeof(struct entry *));
	if (!f->entries || !f->sorted)
		return NULL;
	rest = header;
	while (header_next(&rest, &field)) {
		struct entry *e = &f->entries[f->count];

		e->raw = field.raw;
		e->name_size = (uint32_t)field.name.n;
		f->sorted[f->count++] = e;
	}
	qsort(f->sorted, f->count, sizeof(struct entry *), by_name);
	return f;
}

size_t
dkim_fields_count(const struct dkim_fields *f)
{
	return f->count;
}

struct str
dkim_fields_raw(const struct dkim_fields *f, size_t i)
{
	return f->entries[i].raw;
}

struct str
dkim_fields_name(const struct dkim_fields *f, size_t i)
{
	return entry_name(&f->entries[i]);
}

struct str
dkim_field_value(struct str raw)
{
	size_t colon = str_find(raw, ':');

	return str_from_offset(raw, colon == SIZE_MAX ? raw.n : colon + 1);
}

/* The first place in `sorted` whose name is not before (is_after: is behind) `name`. */
static size_t
bound(const struct dkim_fields *f, struct str name, bool is_after)
{
	size_t low = 0, high = f->count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;
		int order = str_cmp_icase(entry_name(f->sorted[middle]), name);

		if (order < 0 || (is_after && order == 0))
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

size_t
dkim_fields_named(const struct dkim_fields *f, struct str name)
{
	return bound(f, name, true) - bound(f, name, false);
}

void
dkim_fields_rewind(struct dkim_fields *f)
{
	f->round++;
}

struct str
dkim_fields_take(struct dkim_fields *f, struct str name, const char *except)
{
	size_t first = bound(f, name, false), end = bound(f, name, true);
	struct entry *group;

	if (first == end)
		return STR("");
	group = f->sorted[first];
	if (group->round != f->round) {
		group->round = f->round;
		group->taken = 0;
	}
	while (group->taken < end - first) {
		struct str raw = f->sorted[end - 1 - group->taken++]->raw;

		if (raw.p != except)
			return raw;
	}
	return STR("");
}
