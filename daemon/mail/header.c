#include "mail/header.h"

#include "base/lanes.h"

/* Position behind the line that starts at `at`. */
static size_t
line_end(struct str s, size_t at)
{
	const char *lf = memchr(s.p + at, '\n', s.n - at);

	return lf ? (size_t)(lf - s.p) + 1 : s.n;
}

static bool
is_blank_at(struct str s, size_t at)
{
	if (at >= s.n)
		return false;
	return s.p[at] == '\n' ||
	       (s.p[at] == '\r' && at + 1 < s.n && s.p[at + 1] == '\n');
}

static bool
is_space(char c)
{
	return c == ' ' || c == '\t';
}

size_t
header_size(struct str s)
{
	size_t at = 0;

	while (at < s.n) {
		if (is_blank_at(s, at))
			return line_end(s, at);
		at = line_end(s, at);
	}
	return s.n;
}

/* Behind the field that starts at `at`: its line and all that continue it. */
static size_t
field_end(struct str s, size_t at)
{
	do
		at = line_end(s, at);
	while (at < s.n && is_space(s.p[at]) && s.p[at - 1] == '\n');
	return at;
}

/* Without one line end at the end. */
static struct str
without_line_end(struct str s)
{
	if (s.n && s.p[s.n - 1] == '\n')
		s.n--;
	if (s.n && s.p[s.n - 1] == '\r')
		s.n--;
	return s;
}

/* Splits raw; false where it is no field. The colon must stand on the first line. */
static bool
split_field(struct str raw, struct header_field *field_out)
{
	size_t first = line_end(raw, 0);
	const char *colon = memchr(raw.p, ':', first);
	size_t n;

	if (!colon)
		return false;
	n = (size_t)(colon - raw.p);
	field_out->value = without_line_end(str_from_offset(raw, n + 1));
	while (n > 0 && is_space(raw.p[n - 1]))
		n--;
	field_out->name = str_first(raw, n);
	field_out->raw = raw;
	return n > 0 && !is_space(raw.p[0]);
}

enum header_line
header_take(struct str *rest, struct header_field *field_out)
{
	struct str raw;

	if (!rest->n || is_blank_at(*rest, 0))
		return HEADER_END;
	raw = str_first(*rest, field_end(*rest, 0));
	*rest = str_from_offset(*rest, raw.n);
	return split_field(raw, field_out) ? HEADER_FIELD : HEADER_JUNK;
}

bool
header_next(struct str *rest, struct header_field *field_out)
{
	enum header_line kind;

	do
		kind = header_take(rest, field_out);
	while (kind == HEADER_JUNK);
	return kind == HEADER_FIELD;
}

/* A line end is 0xff, so taking it away counts one; before a count is over, they are
   summed up. */
size_t
header_lines(struct str s)
{
	size_t lines = 0, at = 0;

	while (s.n - at >= LANES) {
		lanes sum = { 0 };
		uint8_t counts[LANES];

		for (unsigned i = 0; i < UINT8_MAX && s.n - at >= LANES; i++, at += LANES)
			sum -= (lanes)(lanes_load(s.p + at) == '\n');
		memcpy(counts, &sum, sizeof(counts));
		for (unsigned i = 0; i < LANES; i++)
			lines += counts[i];
	}
	for (; at < s.n; at++)
		lines += s.p[at] == '\n';
	return lines;
}

bool
header_find(struct str header, struct str name, struct header_field *field_out)
{
	while (header_next(&header, field_out)) {
		if (str_eq_icase(field_out->name, name))
			return true;
	}
	return false;
}

size_t
header_count(struct str header, struct str name, size_t max)
{
	struct header_field field;
	size_t count = 0;

	while (count < max && header_next(&header, &field)) {
		if (str_eq_icase(field.name, name))
			count++;
	}
	return count;
}

void
header_unfold_into(struct str value, struct strbuf *out)
{
	value = str_trim(value);
	while (value.n) {
		const char *lf = memchr(value.p, '\n', value.n);
		size_t line = lf ? (size_t)(lf - value.p) + 1 : value.n;

		strbuf_add(out, lf ? without_line_end(str_first(value, line)) : value);
		value = str_from_offset(value, line);
	}
}

struct str
header_unfold(struct str value, struct arena *a)
{
	struct strbuf b;

	value = str_trim(value);
	if (str_find(value, '\n') == SIZE_MAX)
		return value;
	b = strbuf_arena(a, value.n);
	if (!strbuf_reserve(&b, value.n))
		return str_first(value, str_find(value, '\n'));
	header_unfold_into(value, &b);
	return strbuf_str(&b);
}

static bool
is_in(struct str name, const struct str *names, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		if (str_eq_icase(name, names[i]))
			return true;
	}
	return false;
}

void
header_copy_fields(struct str header, const struct str *names, size_t name_count,
                   bool want, struct strbuf *out)
{
	struct header_field field;

	while (header_next(&header, &field)) {
		if (is_in(field.name, names, name_count) != want)
			continue;
		strbuf_add(out, field.raw);
		if (field.raw.p[field.raw.n - 1] != '\n')
			strbuf_lit(out, "\r\n");
	}
	strbuf_lit(out, "\r\n");
}
