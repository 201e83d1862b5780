#include "ext/unicode.h"

#include "base/utf8.h"

#include <utf8proc.h>

enum { EXPANSION_MAX = 32 }; /* code points that one may become: 18 for U+FDFA */

/* Bytes at the start of s that are ASCII. */
static size_t
ascii_run(struct str s)
{
	static const uint64_t high = 0x8080808080808080U;
	size_t n = 0;

	for (; s.n - n >= 8; n += 8) {
		uint64_t x;

		memcpy(&x, s.p + n, 8);
		if (x & high)
			break;
	}
	while (n < s.n && (unsigned char)s.p[n] < 0x80)
		n++;
	return n;
}

/* Eight ASCII bytes at once: the top bit of each is set by one sum from 'A' on, by the
   other from behind 'Z' on. */
static uint64_t
lower_8(uint64_t x)
{
	static const uint64_t ones = 0x0101010101010101U;
	uint64_t from_a = x + ones * (0x80 - 'A');
	uint64_t behind_z = x + ones * (0x80 - 'Z' - 1);

	return x | ((from_a ^ behind_z) & ones * 0x80) >> 2;
}

static void
fold_ascii(struct str s, struct strbuf *out)
{
	char *to = s.n ? strbuf_reserve(out, s.n) : NULL;

	size_t i = 0;

	if (!to)
		return;
	for (; s.n - i >= 8; i += 8) {
		uint64_t x;

		memcpy(&x, s.p + i, 8);
		x = lower_8(x);
		memcpy(to + i, &x, 8);
	}
	for (; i < s.n; i++)
		to[i] = byte_lower(s.p[i]);
	out->n += s.n;
}

static void
fold_char(uint32_t c, struct strbuf *out)
{
	utf8proc_int32_t points[EXPANSION_MAX];
	int last_class = 0;
	utf8proc_ssize_t n = utf8proc_decompose_char(
		(utf8proc_int32_t)c, points, EXPANSION_MAX,
		UTF8PROC_CASEFOLD | UTF8PROC_COMPAT | UTF8PROC_DECOMPOSE, &last_class);

	if (n <= 0 || n > EXPANSION_MAX) {
		utf8_add(out, c);
		return;
	}
	for (utf8proc_ssize_t i = 0; i < n; i++)
		utf8_add(out, (uint32_t)points[i]);
}

void
unicode_fold(struct str s, struct strbuf *out)
{
	while (s.n && !out->overflow) {
		size_t n = ascii_run(s);
		uint32_t c = 0xfffd;

		fold_ascii(str_first(s, n), out);
		s = str_from_offset(s, n);
		if (!s.n)
			return;
		if (!utf8_next(&s, &c)) {
			s = str_from_offset(s, 1);
			c = 0xfffd;
		}
		fold_char(c, out);
	}
}
