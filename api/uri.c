#include "api/uri.h"

#include "base/utf8.h"

bool
uri_decode(struct str s, bool is_query, struct arena *a, struct str *out)
{
	struct strbuf b;

	*out = s;
	if (str_find(s, '%') == SIZE_MAX && (!is_query || str_find(s, '+') == SIZE_MAX))
		return true;
	b = strbuf_arena(a, s.n);
	for (size_t i = 0; i < s.n; i++) {
		int high, low;

		if (s.p[i] == '+' && is_query) {
			strbuf_byte(&b, ' ');
			continue;
		}
		if (s.p[i] != '%') {
			strbuf_byte(&b, s.p[i]);
			continue;
		}
		if (s.n - i < 3)
			return false;
		high = byte_hex_value(s.p[i + 1]);
		low = byte_hex_value(s.p[i + 2]);
		if (high < 0 || low < 0)
			return false;
		strbuf_byte(&b, (char)(high << 4 | low));
		i += 2;
	}
	for (size_t i = 0; i < b.n; i++) {
		if ((unsigned char)b.p[i] < ' ' || b.p[i] == 0x7f)
			return false;
	}
	*out = strbuf_str(&b);
	return !b.overflow && utf8_check(*out);
}

void
uri_encode(struct strbuf *out, struct str s)
{
	for (size_t i = 0; i < s.n; i++) {
		char c = s.p[i];

		if (byte_is_alnum(c) || (c && str_find(STR("-._~"), c) != SIZE_MAX))
			strbuf_byte(out, c);
		else
			strbuf_printf(out, "%%%02X", (unsigned char)c);
	}
}

bool
uri_next_param(struct str *rest, struct arena *a, struct str *name_out,
               struct str *value_out, bool *bad_out)
{
	struct str part;
	size_t at;

	*bad_out = false;
	do {
		if (!str_next(rest, '&', &part))
			return false;
	} while (!part.n);
	at = str_find(part, '=');
	if (!uri_decode(str_first(part, at), true, a, name_out) ||
	    !uri_decode(at == SIZE_MAX ? STR("") : str_from_offset(part, at + 1), true, a,
	                value_out))
		*bad_out = true;
	return !*bad_out;
}
