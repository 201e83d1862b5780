#include "policy/dkim_fields.h"

#include "mail/header.h"

#include <endian.h>
#include <stdint.h>
#include <stdlib.h>

enum {
	KEY_BYTES = 8, /* of a name, that decide most comparisons */
	FEW = 32,
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
	struct entry **sorted; /* by name, then from the top */
	uint64_t *keys;        /* of those in `sorted` */
};

static struct str
entry_name(const struct entry *e)
{
	return str_first(e->raw, e->name_size);
}

/* Up to eight bytes, the first one in the lowest place: two loads that may overlap,
   rather than a loop. */
static uint64_t
load(const char *p, size_t n)
{
	uint64_t x = 0;
	uint32_t low, high;
	uint16_t first, last;

	if (n >= sizeof(x)) {
		memcpy(&x, p, sizeof(x));
		return le64toh(x);
	}
	if (n >= sizeof(low)) {
		memcpy(&low, p, sizeof(low));
		memcpy(&high, p + n - sizeof(high), sizeof(high));
		return le32toh(low) | (uint64_t)le32toh(high) << 8 * (n - sizeof(high));
	}
	if (n >= sizeof(first)) {
		memcpy(&first, p, sizeof(first));
		memcpy(&last, p + n - sizeof(last), sizeof(last));
		return le16toh(first) | (uint64_t)le16toh(last) << 8 * (n - sizeof(last));
	}
	return n ? (unsigned char)p[0] : 0;
}

static uint64_t
key_of(struct str name)
{
	return __builtin_bswap64(bytes_lower(load(name.p, name.n)));
}

static int
compare(const struct entry *e, uint64_t key, struct str name)
{
	if (e->key != key)
		return e->key < key ? -1 : 1;
	if (e->name_size > KEY_BYTES && name.n > KEY_BYTES)
		return str_cmp_icase(str_from_offset(entry_name(e), KEY_BYTES),
		                     str_from_offset(name, KEY_BYTES));
	return (e->name_size > name.n) - (e->name_size < name.n);
}

static int
by_name(const void *a, const void *b)
{
	const struct entry *x = *(struct entry *const *)a, *y = *(struct entry *const *)b;
	int order = compare(x, y->key, entry_name(y));

	return order ? order : (x > y) - (x < y);
}

/* Most headers have few fields: those are put in place one by one. */
static void
sort(struct dkim_fields *f)
{
	if (f->count > FEW) {
		qsort(f->sorted, f->count, sizeof(struct entry *), by_name);
		return;
	}
	for (size_t i = 1; i < f->count; i++) {
		struct entry *e = f->sorted[i];
		size_t at = i;

		for (; at && by_name(&f->sorted[at - 1], &e) > 0; at--)
			f->sorted[at] = f->sorted[at - 1];
		f->sorted[at] = e;
	}
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
		f->keys[i] = e->key;
	}
}

struct dkim_fields *
dkim_fields_new(struct arena *a, struct str header)
{
	struct dkim_fields *f = arena_try(a, sizeof(*f));
	size_t room = header_lines(header) + 1; /* a field has a line or more */
	struct header_field field;
	struct str rest = header;
	struct entry *entries;

	if (room > DKIM_FIELDS_MAX)
		room = DKIM_FIELDS_MAX;
	if (!f)
		return NULL;
	entries = arena_try(a, room * sizeof(*entries));
	f->sorted = arena_try_raw(a, room * sizeof(struct entry *));
	f->keys = arena_try_raw(a, room * sizeof(*f->keys));
	if (!entries || !f->sorted || !f->keys)
		return NULL;
	while (header_next(&rest, &field)) {
		struct entry *e = &entries[f->count];

		if (f->count == room)
			return NULL;
		e->raw = field.raw;
		e->key = key_of(field.name);
		e->name_size = (uint32_t)field.name.n;
		f->sorted[f->count++] = e;
	}
	sort(f);
	count_names(f);
	return f;
}

struct str
dkim_field_value(struct str raw)
{
	size_t colon = str_find(raw, ':');

	return str_from_offset(raw, colon == SIZE_MAX ? raw.n : colon + 1);
}

/* Where in `sorted` the first stands that is not before that name. */
static size_t
find_place(const struct dkim_fields *f, uint64_t key, struct str name)
{
	size_t low = 0, high;

	/* By the first bytes alone, without a branch that hangs on what is found. */
	for (size_t n = f->count; n > 1; n -= n / 2)
		low += (size_t)(f->keys[low + n / 2 - 1] < key) * (n / 2);
	low += low < f->count && f->keys[low] < key;
	if (low == f->count || f->keys[low] != key ||
	    compare(f->sorted[low], key, name) >= 0)
		return low;
	for (high = f->count; low < high;) {
		size_t middle = low + (high - low) / 2;

		if (compare(f->sorted[middle], key, name) < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

/* The first entry of that name, or NULL; *place_out: where it stands in `sorted`. */
static struct entry *
find(const struct dkim_fields *f, struct str name, size_t *place_out)
{
	uint64_t key = key_of(name);
	size_t place = find_place(f, key, name);

	*place_out = place;
	return place < f->count && f->keys[place] == key &&
	                       compare(f->sorted[place], key, name) == 0
	               ? f->sorted[place]
	               : NULL;
}

struct str
dkim_fields_at(const struct dkim_fields *f, struct str name, size_t i)
{
	size_t place;
	const struct entry *first = find(f, name, &place);

	return first && i < first->count ? f->sorted[place + i]->raw : STR("");
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
