#include "base/utf8.h"

enum {
	REPLACEMENT = 0xfffd,
};

bool
ascii_check(struct str s)
{
	for (size_t i = 0; i < s.n; i++) {
		if ((unsigned char)s.p[i] >= 0x80)
			return false;
	}
	return true;
}

/* Length of a character by its first byte, and the bits of that byte; 0: starts none. */
static size_t
lead(unsigned char c, uint32_t *bits_out)
{
	static const struct {
		unsigned char mask, want;
	} forms[] = { { 0x80, 0x00 }, { 0xe0, 0xc0 }, { 0xf0, 0xe0 }, { 0xf8, 0xf0 } };

	for (size_t n = 0; n < ARRAY_LEN(forms); n++) {
		if ((c & forms[n].mask) == forms[n].want) {
			*bits_out = c & (unsigned char)~forms[n].mask;
			return n + 1;
		}
	}
	return 0;
}

bool
utf8_next(struct str *s, uint32_t *char_out)
{
	static const uint32_t smallest[] = { 0, 0, 0x80, 0x800, 0x10000 };
	uint32_t c = 0;
	size_t n;

	/* Most of what there is. */
	if (s->n && (unsigned char)s->p[0] < 0x80) {
		*char_out = (unsigned char)s->p[0];
		*s = (struct str){ s->p + 1, s->n - 1 };
		return true;
	}
	n = s->n ? lead((unsigned char)s->p[0], &c) : 0;
	if (n == 0 || n > s->n)
		return false;
	for (size_t i = 1; i < n; i++) {
		unsigned char next = (unsigned char)s->p[i];

		if ((next & 0xc0) != 0x80)
			return false;
		c = c << 6 | (next & 0x3f);
	}
	if (c < smallest[n] || c > 0x10ffff || (c >= 0xd800 && c <= 0xdfff))
		return false;
	*char_out = c;
	*s = str_from_offset(*s, n);
	return true;
}

bool
utf8_check(struct str s)
{
	uint32_t c;

	while (utf8_next(&s, &c))
		continue;
	return s.n == 0;
}

void
utf8_add(struct strbuf *out, uint32_t c)
{
	char bytes[4];
	size_t n;

	if (c > 0x10ffff || (c >= 0xd800 && c <= 0xdfff))
		c = REPLACEMENT;
	if (c < 0x80) {
		strbuf_byte(out, (char)c);
		return;
	}
	n = c < 0x800 ? 2 : c < 0x10000 ? 3 : 4;
	for (size_t i = n; i-- > 1; c >>= 6)
		bytes[i] = (char)(0x80 | (c & 0x3f));
	bytes[0] = (char)((0xf00u >> n & 0xf0u) | c);
	strbuf_bytes(out, bytes, n);
}

/* s behind its ASCII bytes, eight at a time: what text mostly is. */
static struct str
after_ascii(struct str s)
{
	while (s.n >= sizeof(uint64_t)) {
		uint64_t word;

		memcpy(&word, s.p, sizeof(word));
		if (word & UINT64_C(0x8080808080808080))
			break;
		s = (struct str){ s.p + sizeof(word), s.n - sizeof(word) };
	}
	return s;
}

void
utf8_clean(struct strbuf *out, struct str s)
{
	uint32_t c;

	while (s.n) {
		struct str before = s;

		do
			s = after_ascii(s);
		while (utf8_next(&s, &c));
		strbuf_bytes(out, before.p, before.n - s.n);
		if (!s.n)
			break;
		utf8_add(out, REPLACEMENT);
		s = str_from_offset(s, 1);
	}
}

struct str
utf8_first(struct str s, size_t max)
{
	if (s.n <= max)
		return s;
	/* A character has at most three bytes after its first; a longer run is none. */
	for (size_t n = max; max - n < 4; n--) {
		if (((unsigned char)s.p[n] & 0xc0) != 0x80)
			return str_first(s, n);
		if (n == 0)
			break;
	}
	return str_first(s, max);
}
