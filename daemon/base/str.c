#include "base/str.h"

#include "base/lanes.h"

int
str_cmp(struct str a, struct str b)
{
	size_t n = a.n < b.n ? a.n : b.n;
	int order = n ? memcmp(a.p, b.p, n) : 0;

	if (order != 0)
		return order;
	return (a.n > b.n) - (a.n < b.n);
}

int
str_cmp_icase(struct str a, struct str b)
{
	size_t n = a.n < b.n ? a.n : b.n;

	for (size_t i = 0; i < n; i++) {
		unsigned char x = (unsigned char)byte_lower(a.p[i]);
		unsigned char y = (unsigned char)byte_lower(b.p[i]);

		if (x != y)
			return x < y ? -1 : 1;
	}
	return (a.n > b.n) - (a.n < b.n);
}

bool
str_eq_icase(struct str a, struct str b)
{
	size_t i = 0;

	if (a.n != b.n)
		return false;
	for (; a.n - i >= sizeof(uint64_t); i += sizeof(uint64_t)) {
		uint64_t x, y;

		memcpy(&x, a.p + i, sizeof(x));
		memcpy(&y, b.p + i, sizeof(y));
		if (x != y && bytes_lower(x) != bytes_lower(y))
			return false;
	}
	for (; i < a.n; i++)
		if (byte_lower(a.p[i]) != byte_lower(b.p[i]))
			return false;
	return true;
}

bool
str_eq_secret(struct str a, struct str b)
{
	unsigned diff = 0;

	if (a.n != b.n)
		return false;
	for (size_t i = 0; i < a.n; i++)
		diff |= (unsigned char)a.p[i] ^ (unsigned char)b.p[i];
	return diff == 0;
}

bool
str_starts(struct str s, struct str prefix)
{
	return s.n >= prefix.n && str_eq(str_first(s, prefix.n), prefix);
}

bool
str_starts_icase(struct str s, struct str prefix)
{
	return s.n >= prefix.n && str_eq_icase(str_first(s, prefix.n), prefix);
}

bool
str_ends(struct str s, struct str suffix)
{
	return s.n >= suffix.n && str_eq(str_from_offset(s, s.n - suffix.n), suffix);
}

bool
str_ends_icase(struct str s, struct str suffix)
{
	return s.n >= suffix.n &&
	       str_eq_icase(str_from_offset(s, s.n - suffix.n), suffix);
}

size_t
str_find_last(struct str s, char c)
{
	const char *at = s.n ? memrchr(s.p, c, s.n) : NULL;

	return at ? (size_t)(at - s.p) : SIZE_MAX;
}

size_t
str_find_str(struct str s, struct str needle)
{
	const char *at;

	if (needle.n == 0)
		return 0;
	if (s.n < needle.n)
		return SIZE_MAX;
	at = memmem(s.p, s.n, needle.p, needle.n);
	return at ? (size_t)(at - s.p) : SIZE_MAX;
}

size_t
str_find_icase(struct str s, struct str needle)
{
	if (needle.n == 0)
		return 0;
	for (size_t i = 0; i + needle.n <= s.n; i++) {
		if (str_eq_icase(str_make(s.p + i, needle.n), needle))
			return i;
	}
	return SIZE_MAX;
}

static bool
skip(struct str *s, size_t n)
{
	*s = str_from_offset(*s, n);
	return true;
}

bool
str_skip(struct str *s, struct str prefix)
{
	return str_starts(*s, prefix) && skip(s, prefix.n);
}

bool
str_skip_icase(struct str *s, struct str prefix)
{
	return str_starts_icase(*s, prefix) && skip(s, prefix.n);
}

bool
str_next(struct str *rest, char sep, struct str *part_out)
{
	size_t at;

	if (rest->n == 0)
		return false;
	at = str_find(*rest, sep);
	if (at == SIZE_MAX) {
		*part_out = *rest;
		*rest = (struct str){ NULL, 0 };
		return true;
	}
	*part_out = str_first(*rest, at);
	*rest = str_from_offset(*rest, at + 1);
	return true;
}

static bool
is_space(char c)
{
	return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

struct str
str_trim(struct str s)
{
	while (s.n > 0 && is_space(s.p[0])) {
		s.p++;
		s.n--;
	}
	while (s.n > 0 && is_space(s.p[s.n - 1]))
		s.n--;
	return s;
}

static lanes
not_plain(const char *p)
{
	lanes v = lanes_load(p);

	return (lanes)(v <= ' ') | (lanes)(v == 0x7f);
}

size_t
str_plain(struct str s)
{
	size_t n = 0;

	for (; s.n - n >= LANES; n += LANES) {
		lanes found = not_plain(s.p + n);

		if (lanes_any(found))
			return n + lanes_first(found);
	}
	if (n) /* the last ones once more, rather than byte by byte */
		return s.n - LANES + lanes_first(not_plain(s.p + s.n - LANES));
	while (n < s.n && (unsigned char)s.p[n] > ' ' && s.p[n] != 0x7f)
		n++;
	return n;
}

bool
str_parse_u64(struct str s, uint64_t *value_out)
{
	uint64_t value = 0;

	if (s.n == 0)
		return false;
	for (size_t i = 0; i < s.n; i++) {
		uint64_t digit;

		if (!byte_is_digit(s.p[i]))
			return false;
		digit = (uint64_t)(s.p[i] - '0');
		if (value > (UINT64_MAX - digit) / 10)
			return false;
		value = value * 10 + digit;
	}
	*value_out = value;
	return true;
}

bool
str_parse_u32(struct str s, uint32_t *value_out)
{
	uint64_t value;

	if (!str_parse_u64(s, &value) || value > UINT32_MAX)
		return false;
	*value_out = (uint32_t)value;
	return true;
}

int
byte_hex_value(char c)
{
	if (byte_is_digit(c))
		return c - '0';
	c = byte_lower(c);
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}
