#include "base/base64.h"

#include "base/lanes.h"

#include <endian.h>
#include <stdint.h>

static const char standard[] =
	"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
static const char url_safe[] =
	"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

/* What a digit stands for, with a mark on those of one alphabet alone. */
enum {
	STANDARD_ONLY = 0x80,
	URL_ONLY = 0x40,
	NO_DIGIT = STANDARD_ONLY | URL_ONLY,
};

/* clang-format off */
#define S STANDARD_ONLY
#define U URL_ONLY
#define X NO_DIGIT
static const uint8_t values[256] = {
	X, X, X, X, X, X, X, X, X, X, X, X, X, X, X, X,
	X, X, X, X, X, X, X, X, X, X, X, X, X, X, X, X,
	X, X, X, X, X, X, X, X, X, X, X, S|62, X, U|62, X, S|63,
	52, 53, 54, 55, 56, 57, 58, 59, 60, 61, X, X, X, X, X, X,
	X, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14,
	15, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, X, X, X, X, U|63,
	X, 26, 27, 28, 29, 30, 31, 32, 33, 34, 35, 36, 37, 38, 39, 40,
	41, 42, 43, 44, 45, 46, 47, 48, 49, 50, 51, X, X, X, X, X,
	X, X, X, X, X, X, X, X, X, X, X, X, X, X, X, X,
	X, X, X, X, X, X, X, X, X, X, X, X, X, X, X, X,
	X, X, X, X, X, X, X, X, X, X, X, X, X, X, X, X,
	X, X, X, X, X, X, X, X, X, X, X, X, X, X, X, X,
	X, X, X, X, X, X, X, X, X, X, X, X, X, X, X, X,
	X, X, X, X, X, X, X, X, X, X, X, X, X, X, X, X,
	X, X, X, X, X, X, X, X, X, X, X, X, X, X, X, X,
	X, X, X, X, X, X, X, X, X, X, X, X, X, X, X, X,
};
#undef S
#undef U
#undef X
/* clang-format on */

static void
format(struct strbuf *out, struct str bytes, const char *alphabet, bool is_padded)
{
	const uint8_t *from = (const uint8_t *)bytes.p;
	size_t whole = bytes.n / 3 * 3, left = bytes.n - whole;
	char *p, *at;

	if (!bytes.n)
		return;
	p = at = strbuf_reserve(out, whole / 3 * 4 + (!left       ? 0
	                                              : is_padded ? 4
	                                                          : left + 1));
	if (!p)
		return;
	for (size_t i = 0; i < whole; i += 3, at += 4) {
		unsigned v = (unsigned)from[i] << 16 | (unsigned)from[i + 1] << 8 |
		             from[i + 2];

		at[0] = alphabet[v >> 18];
		at[1] = alphabet[v >> 12 & 63];
		at[2] = alphabet[v >> 6 & 63];
		at[3] = alphabet[v & 63];
	}
	if (left) {
		unsigned v = (unsigned)from[whole] << 16 |
		             (left > 1 ? (unsigned)from[whole + 1] << 8 : 0);

		*at++ = alphabet[v >> 18];
		*at++ = alphabet[v >> 12 & 63];
		if (left > 1)
			*at++ = alphabet[v >> 6 & 63];
		for (size_t k = left; is_padded && k < 3; k++)
			*at++ = '=';
	}
	out->n += (size_t)(at - p);
}

void
base64_format(struct strbuf *out, struct str bytes)
{
	format(out, bytes, standard, true);
}

void
base64url_format(struct strbuf *out, struct str bytes)
{
	format(out, bytes, url_safe, false);
}

/* The last group, of two or three digits: what is left over of them must be zero. */
static bool
parse_last(const uint8_t *from, size_t n, unsigned wrong, char *to)
{
	unsigned v = 0;

	for (size_t k = 0; k < n; k++) {
		if (values[from[k]] & wrong)
			return false;
		v = v << 6 | (values[from[k]] & 63);
	}
	v <<= 6 * (4 - n);
	if (v & (n == 2 ? 0xffff : 0xff))
		return false;
	to[0] = (char)(v >> 16);
	if (n == 3)
		to[1] = (char)(v >> 8);
	return true;
}

/* Sixteen digits of the standard alphabet become twelve bytes, and a thirteenth is
   written over; false where one is no digit, or the machine is of the other byte order. */
static bool
parse_lanes(const uint8_t *from, char *to)
{
	typedef uint32_t words __attribute__((vector_size(LANES)));
	lanes c = lanes_load(from), upper = (lanes)((c >= 'A') & (c <= 'Z'));
	lanes lower = (lanes)((c >= 'a') & (c <= 'z'));
	lanes digit = (lanes)((c >= '0') & (c <= '9'));
	lanes plus = (lanes)(c == '+'), slash = (lanes)(c == '/');
	words v;

	if (__BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__ ||
	    lanes_any(~(upper | lower | digit | plus | slash)))
		return false;
	c -= (upper & 'A') + (lower & ('a' - 26));
	c += (digit & (52 - '0')) + (plus & (62 - '+')) + (slash & (63 - '/'));
	v = (words)c;
	/* The first digit of four is the lowest byte of a word. */
	v = v << 26 | (v & 0x3f00) << 12 | (v & 0x3f0000) >> 2 | v >> 24 << 8;
	for (unsigned i = 0; i < LANES / sizeof(uint32_t); i++) {
		uint32_t word = htobe32(v[i]);

		memcpy(to + 3 * i, &word, sizeof(word));
	}
	return true;
}

/* Digits without padding: groups of four, the last one of two, three or four. */
static enum err
parse_digits(struct str s, unsigned wrong, struct strbuf *out)
{
	const uint8_t *from = (const uint8_t *)s.p;
	size_t left = s.n % 4, whole = s.n - left;
	size_t size = whole / 4 * 3 + (left ? left - 1 : 0), i = 0;
	char *to;

	if (left == 1)
		return ERR_MALFORMED;
	if (!size)
		return out->overflow ? ERR_LIMIT : OK;
	to = strbuf_reserve(out, size);
	if (!to)
		return ERR_LIMIT;
	for (; wrong == URL_ONLY && i + LANES < whole && parse_lanes(from + i, to);
	     i += LANES)
		to += LANES / 4 * 3;
	for (; i < whole; i += 4, to += 3) {
		unsigned a = values[from[i]], b = values[from[i + 1]];
		unsigned c = values[from[i + 2]], d = values[from[i + 3]], v;

		if ((a | b | c | d) & wrong)
			return ERR_MALFORMED;
		v = (a & 63) << 18 | (b & 63) << 12 | (c & 63) << 6 | (d & 63);
		to[0] = (char)(v >> 16);
		to[1] = (char)(v >> 8);
		to[2] = (char)v;
	}
	if (left && !parse_last(from + whole, left, wrong, to))
		return ERR_MALFORMED;
	out->n += size;
	return OK;
}

enum err
base64_parse(struct str s, struct strbuf *out)
{
	if (s.n % 4 != 0)
		return ERR_MALFORMED;
	if (s.n && s.p[s.n - 1] == '=')
		s.n--;
	if (s.n % 4 == 3 && s.p[s.n - 1] == '=')
		s.n--;
	return parse_digits(s, URL_ONLY, out);
}

enum err
base64url_parse(struct str s, struct strbuf *out)
{
	return parse_digits(s, STANDARD_ONLY, out);
}

void
base64_parse_lax(struct str s, struct strbuf *out)
{
	unsigned v = 0, have = 0;

	for (size_t i = 0; i < s.n && s.p[i] != '='; i++) {
		unsigned digit = values[(unsigned char)s.p[i]];

		if (digit & URL_ONLY)
			continue;
		v = (v << 6 | (digit & 63)) & 0xffffff;
		have += 6;
		if (have >= 8) {
			have -= 8;
			strbuf_byte(out, (char)(v >> have & 0xff));
		}
	}
}
