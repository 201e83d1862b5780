#include "imap/imap_utf7.h"

#include "base/utf8.h"

#include <stdint.h>

static const char alphabet[] =
	"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+,";

enum {
	CHAR_MIN = 0x20, /* what stands for itself: printable ASCII */
	CHAR_MAX = 0x7e,
	SURROGATE_HIGH = 0xd800,
	SURROGATE_LOW = 0xdc00,
	SURROGATE_END = 0xe000,
	PLANE_1 = 0x10000,
};

static bool
is_plain(uint32_t c)
{
	return c >= CHAR_MIN && c <= CHAR_MAX;
}

/* Bits on their way between UTF-16 units and base 64 digits. */
struct bits {
	uint32_t value;
	unsigned n;
};

static void
put_unit(struct strbuf *out, struct bits *b, uint32_t unit)
{
	b->value = b->value << 16 | unit;
	b->n += 16;
	while (b->n >= 6) {
		b->n -= 6;
		strbuf_byte(out, alphabet[b->value >> b->n & 63]);
	}
	b->value &= (1U << b->n) - 1;
}

static void
put_char(struct strbuf *out, struct bits *b, uint32_t c)
{
	if (c < PLANE_1) {
		put_unit(out, b, c);
		return;
	}
	c -= PLANE_1;
	put_unit(out, b, SURROGATE_HIGH + (c >> 10));
	put_unit(out, b, SURROGATE_LOW + (c & 0x3ff));
}

static void
shift_out(struct strbuf *out, const struct bits *b)
{
	if (b->n)
		strbuf_byte(out, alphabet[b->value << (6 - b->n) & 63]);
	strbuf_byte(out, '-');
}

void
imap_utf7_format(struct strbuf *out, struct str utf8)
{
	struct bits b = { 0, 0 };
	bool is_shifted = false;
	uint32_t c;

	while (utf8_next(&utf8, &c)) {
		if (is_plain(c) == is_shifted) {
			if (is_shifted)
				shift_out(out, &b);
			else
				strbuf_byte(out, '&');
			b = (struct bits){ 0, 0 };
			is_shifted = !is_shifted;
		}
		if (is_shifted)
			put_char(out, &b, c);
		else
			strbuf_byte(out, (char)c);
		if (c == '&')
			strbuf_byte(out, '-');
	}
	if (is_shifted)
		shift_out(out, &b);
}

static int
digit_value(char c)
{
	const char *at = c ? memchr(alphabet, c, sizeof(alphabet) - 1) : NULL;

	return at ? (int)(at - alphabet) : -1;
}

/* One UTF-16 unit more: a character goes out unless it is half of a pair. */
static bool
take_unit(struct strbuf *out, uint32_t *high, uint32_t unit)
{
	bool is_low = unit >= SURROGATE_LOW && unit < SURROGATE_END;

	if (*high) {
		if (!is_low)
			return false;
		utf8_add(out, PLANE_1 + ((*high - SURROGATE_HIGH) << 10) +
		                      (unit - SURROGATE_LOW));
		*high = 0;
		return true;
	}
	if (is_low || is_plain(unit))
		return false;
	if (unit >= SURROGATE_HIGH && unit < SURROGATE_LOW)
		*high = unit;
	else
		utf8_add(out, unit);
	return true;
}

/* What stands between & and -: whole characters, none of them plain, and no more than
   five zero bits behind them. */
static bool
take_shifted(struct strbuf *out, struct str digits)
{
	struct bits b = { 0, 0 };
	uint32_t high = 0;

	for (size_t i = 0; i < digits.n; i++) {
		int v = digit_value(digits.p[i]);

		if (v < 0)
			return false;
		b.value = b.value << 6 | (uint32_t)v;
		b.n += 6;
		if (b.n < 16)
			continue;
		b.n -= 16;
		if (!take_unit(out, &high, b.value >> b.n & 0xffff))
			return false;
		b.value &= (1U << b.n) - 1;
	}
	return !high && b.n < 6 && b.value == 0;
}

enum err
imap_utf7_parse(struct str utf7, struct strbuf *out)
{
	bool was_shifted = false;

	while (utf7.n > 0) {
		unsigned char c = (unsigned char)utf7.p[0];
		size_t end;

		if (!is_plain(c))
			return ERR_MALFORMED;
		utf7 = str_from_offset(utf7, 1);
		if (c != '&') {
			strbuf_byte(out, (char)c);
			was_shifted = false;
			continue;
		}
		end = str_find(utf7, '-');
		if (end == SIZE_MAX)
			return ERR_MALFORMED;
		if (end == 0) {
			strbuf_byte(out, '&');
			was_shifted = false;
		} else {
			/* "&AOQ-&APY-" is "&AOQA9g-" in two pieces. */
			if (was_shifted || !take_shifted(out, str_first(utf7, end)))
				return ERR_MALFORMED;
			was_shifted = true;
		}
		utf7 = str_from_offset(utf7, end + 1);
	}
	return out->overflow ? ERR_LIMIT : OK;
}

/* Control characters of both sets, and line separators: nobody can see them. */
static bool
is_control(uint32_t c)
{
	return c < 0x20 || (c >= 0x7f && c < 0xa0) || c == 0x2028 || c == 0x2029 ||
	       c == 0xfeff;
}

enum err
imap_name_check(struct str utf8)
{
	struct str rest = utf8, level;
	unsigned levels = 0;
	uint32_t c;

	if (utf8.n == 0 || utf8.n > IMAP_NAME_MAX_BYTES || !utf8_check(utf8))
		return ERR_INVALID;
	if (utf8.p[0] == '/' || utf8.p[utf8.n - 1] == '/')
		return ERR_INVALID;
	while (str_next(&rest, '/', &level)) {
		if (level.n == 0 || str_eq(level, STR(".")) || str_eq(level, STR("..")))
			return ERR_INVALID;
		if (++levels > IMAP_NAME_MAX_LEVELS)
			return ERR_INVALID;
	}
	while (utf8_next(&utf8, &c)) {
		if (is_control(c) || c == '%' || c == '*')
			return ERR_INVALID;
	}
	return OK;
}
