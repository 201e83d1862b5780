#include "base/base64.h"

static const char standard[] =
	"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
static const char url_safe[] =
	"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

static void
format(struct strbuf *out, struct str bytes, const char *alphabet, bool is_padded)
{
	for (size_t i = 0; i < bytes.n; i += 3) {
		size_t n = bytes.n - i < 3 ? bytes.n - i : 3;
		unsigned v = 0;

		for (size_t k = 0; k < 3; k++)
			v = v << 8 | (k < n ? (unsigned char)bytes.p[i + k] : 0u);
		for (size_t k = 0; k < 4; k++) {
			if (k <= n)
				strbuf_byte(out, alphabet[v >> (18 - 6 * k) & 63]);
			else if (is_padded)
				strbuf_byte(out, '=');
		}
	}
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

/* 0-63, or -1; c62 and c63 are the last two characters of the alphabet. */
static int
value_of(char c, char c62, char c63)
{
	if (c >= 'A' && c <= 'Z')
		return c - 'A';
	if (c >= 'a' && c <= 'z')
		return c - 'a' + 26;
	if (byte_is_digit(c))
		return c - '0' + 52;
	if (c == c62)
		return 62;
	return c == c63 ? 63 : -1;
}

/* Digits without padding: groups of four, the last one of two, three or four. */
static enum err
parse_digits(struct str s, char c62, char c63, struct strbuf *out)
{
	if (s.n % 4 == 1)
		return ERR_MALFORMED;
	for (size_t i = 0; i < s.n; i += 4) {
		size_t n = s.n - i < 4 ? s.n - i : 4;
		unsigned v = 0;

		for (size_t k = 0; k < 4; k++) {
			int digit = k < n ? value_of(s.p[i + k], c62, c63) : 0;

			if (digit < 0)
				return ERR_MALFORMED;
			v = v << 6 | (unsigned)digit;
		}
		if ((n == 2 && (v & 0xffff)) || (n == 3 && (v & 0xff)))
			return ERR_MALFORMED;
		for (size_t k = 0; k + 1 < n; k++)
			strbuf_byte(out, (char)(v >> (16 - 8 * k) & 0xff));
	}
	return out->overflow ? ERR_LIMIT : OK;
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
	return parse_digits(s, '+', '/', out);
}

enum err
base64url_parse(struct str s, struct strbuf *out)
{
	return parse_digits(s, '-', '_', out);
}

void
base64_parse_lax(struct str s, struct strbuf *out)
{
	unsigned v = 0, have = 0;

	for (size_t i = 0; i < s.n && s.p[i] != '='; i++) {
		int digit = value_of(s.p[i], '+', '/');

		if (digit < 0)
			continue;
		v = (v << 6 | (unsigned)digit) & 0xffffff;
		have += 6;
		if (have >= 8) {
			have -= 8;
			strbuf_byte(out, (char)(v >> have & 0xff));
		}
	}
}
