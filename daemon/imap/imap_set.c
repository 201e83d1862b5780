#include "imap/imap_set.h"

#include <stdlib.h>

static bool
take_number(struct str *s, uint32_t *number_out)
{
	uint64_t value = 0;
	size_t n = 0;

	if (str_skip_byte(s, '*')) {
		*number_out = 0;
		return true;
	}
	while (n < s->n && byte_is_digit(s->p[n])) {
		value = value * 10 + (uint64_t)(s->p[n] - '0');
		if (value > UINT32_MAX)
			return false;
		n++;
	}
	if (n == 0 || value == 0)
		return false;
	*s = str_from_offset(*s, n);
	*number_out = (uint32_t)value;
	return true;
}

/* How many ranges there can be at most: the commas, and one. */
static size_t
count_ranges(struct str s)
{
	size_t n = 1;

	for (size_t i = 0; i < s.n; i++) {
		char c = s.p[i];

		if (c == ',')
			n++;
		else if (!byte_is_digit(c) && c != ':' && c != '*')
			break;
	}
	return n;
}

bool
imap_set_parse(struct str *s, struct arena *a, struct imap_set *set_out)
{
	size_t max = count_ranges(*s), n = 0;
	struct uid_range *r = arena_try(a, max * sizeof(*r));

	if (!r)
		return false;
	do {
		if (!take_number(s, &r[n].first))
			return false;
		r[n].last = r[n].first;
		if (str_skip_byte(s, ':') && !take_number(s, &r[n].last))
			return false;
		n++;
	} while (n < max && str_skip_byte(s, ','));
	*set_out = (struct imap_set){ r, n };
	return true;
}

static int
by_first(const void *a, const void *b)
{
	const struct uid_range *x = a, *y = b;

	return (x->first > y->first) - (x->first < y->first);
}

static struct uid_range
resolved(struct uid_range r, uint32_t max)
{
	r.first = r.first ? r.first : max;
	r.last = r.last ? r.last : max;
	if (r.first > r.last)
		r = (struct uid_range){ r.last, r.first };
	return r;
}

void
imap_set_resolve(struct imap_set *set, uint32_t max)
{
	struct uid_range *r = set->ranges;
	size_t n = 0, kept = 0;

	for (size_t i = 0; i < set->n; i++) {
		if (max == 0 && (r[i].first == 0 || r[i].last == 0))
			continue;
		r[kept++] = resolved(r[i], max);
	}
	if (kept > 1)
		qsort(r, kept, sizeof(*r), by_first);
	for (size_t i = 0; i < kept; i++) {
		if (n > 0 &&
		    (r[n - 1].last == UINT32_MAX || r[i].first <= r[n - 1].last + 1)) {
			if (r[i].last > r[n - 1].last)
				r[n - 1].last = r[i].last;
			continue;
		}
		r[n++] = r[i];
	}
	set->n = n;
}

bool
imap_set_has(const struct imap_set *set, uint32_t number)
{
	size_t low = 0, high = set->n;

	while (low < high) {
		size_t mid = low + (high - low) / 2;

		if (set->ranges[mid].last < number)
			low = mid + 1;
		else
			high = mid;
	}
	return low < set->n && set->ranges[low].first <= number;
}

uint64_t
imap_set_count(const struct imap_set *set)
{
	uint64_t count = 0;

	for (size_t i = 0; i < set->n; i++)
		count += (uint64_t)set->ranges[i].last - set->ranges[i].first + 1;
	return count;
}

void
imap_set_format(struct strbuf *out, const struct uid_range *ranges, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		if (i > 0)
			strbuf_byte(out, ',');
		strbuf_u64(out, ranges[i].first);
		if (ranges[i].last == ranges[i].first)
			continue;
		strbuf_byte(out, ':');
		strbuf_u64(out, ranges[i].last);
	}
}

void
imap_set_builder_init(struct imap_set_builder *b, struct arena *a)
{
	b->bytes = strbuf_arena(a, SIZE_MAX / 2);
}

struct imap_set
imap_set_builder_set(const struct imap_set_builder *b)
{
	return (struct imap_set){ (struct uid_range *)(void *)b->bytes.p,
		                  b->bytes.n / sizeof(struct uid_range) };
}

bool
imap_set_builder_add(struct imap_set_builder *b, uint32_t first, uint32_t last)
{
	struct imap_set set = imap_set_builder_set(b);
	struct uid_range r = { first, last };

	if (set.n > 0 && set.ranges[set.n - 1].last + 1 == first) {
		set.ranges[set.n - 1].last = last;
		return true;
	}
	strbuf_bytes(&b->bytes, &r, sizeof(r));
	return !b->bytes.overflow;
}
