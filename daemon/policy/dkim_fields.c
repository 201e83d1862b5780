#include "policy/dkim_fields.h"

#include "mail/header.h"

#include <stdint.h>
#include <stdlib.h>

enum {
	KEY_BYTES = 8, /* of a name, that decide most comparisons */
};

struct entry {
	struct str raw;
	uint64_t key; /* the name's first bytes in lower case: ordered as they are */
	uint32_t name_size;
	/* Of the first entry of a name in `sorted`: how many there are; how many were
	   taken, in which round. */
	uint32_t count, taken, round;
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

static uint64_t
key_of(struct str name)
{
	uint64_t key = 0;

	for (size_t i = 0; i < KEY_BYTES; i++)
		key = key << 8 | (i < name.n ? (unsigned char)byte_lower(name.p[i]) : 0U);
	return key;
}

static int
compare(const struct entry *e, uint64_t key, struct str name)
{
	if (e->key != key)
		return e->key < key ? -1 : 1;
	return str_cmp_icase(str_from_offset(entry_name(e), KEY_BYTES),
	                     str_from_offset(name, KEY_BYTES));
}

static int
by_name(const void *a, const void *b)
{
	const struct entry *x = *(struct entry *const *)a, *y = *(struct entry *const *)b;
	int order = compare(x, y->key, entry_name(y));

	return order ? order : (x > y) - (x < y);
}

/* So many in a row have its name. */
static void
count_names(struct dkim_fields *f)
{
	struct entry *first = NULL;

	for (size_t i = 0; i < f->count; i++) {
		struct entry *e = f->sorted[i];

		if (!first || compare(first, e->key, entry_name(e)) != 0)
			first = e;
		first->count++;
	}
}

struct dkim_fields *
dkim_fields_new(struct arena *a, struct str header)
{
	struct dkim_fields *f = arena_try(a, sizeof(*f));
	size_t room = header_lines(header) + 1; /* a field has a line or more */
	struct header_field field;
	struct str rest = header;

	if (room > DKIM_FIELDS_MAX)
		room = DKIM_FIELDS_MAX;
	if (!f)
		return NULL;
	f->entries = arena_try(a, room * sizeof(*f->entries));
	f->sorted = arena_try(a, room * sizeof(struct entry *));
	if (!f->entries || !f->sorted)
		return NULL;
	while (header_next(&rest, &field)) {
		struct entry *e = &f->entries[f->count];

		if (f->count == room)
			return NULL;
		e->raw = field.raw;
		e->key = key_of(field.name);
		e->name_size = (uint32_t)field.name.n;
		f->sorted[f->count++] = e;
	}
	qsort(f->sorted, f->count, sizeof(struct entry *), by_name);
	count_names(f);
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

/* The first entry of that name, or NULL; *place_out: where it stands in `sorted`. */
static struct entry *
find(const struct dkim_fields *f, struct str name, size_t *place_out)
{
	size_t low = 0, high = f->count;
	uint64_t key = key_of(name);

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (compare(f->sorted[middle], key, name) < 0)
			low = middle + 1;
		else
			high = middle;
	}
	*place_out = low;
	return low < f->count && compare(f->sorted[low], key, name) == 0 ? f->sorted[low]
	                                                                 : NULL;
}

size_t
dkim_fields_named(const struct dkim_fields *f, struct str name)
{
	size_t place;
	const struct entry *first = find(f, name, &place);

	return first ? first->count : 0;
}

void
dkim_fields_rewind(struct dkim_fields *f)
{
	f->round++;
}

struct str
dkim_fields_take(struct dkim_fields *f, struct str name, const char *except)
{
	size_t place;
	struct entry *first = find(f, name, &place);

	if (!first)
		return STR("");
	if (first->round != f->round) {
		first->round = f->round;
		first->taken = 0;
	}
	while (first->taken < first->count) {
		struct str raw =
			f->sorted[place + first->count - 1 - first->taken++]->raw;

		if (raw.p != except)
			return raw;
	}
	return STR("");
}
