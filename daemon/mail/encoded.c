#include "mail/encoded.h"

#include "base/base64.h"
#include "base/utf8.h"
#include "ext/charset.h"
#include "mail/header.h"
#include "mail/mime_param.h"

enum {
	QUOTED_LINE_MAX = 75,  /* and the "=" of a soft line end */
	CHARACTER_HEX_MAX = 6, /* digits of one character: 10FFFF */
	CHARSET_NAME_MAX = 64,
	DECODED_MAX = 65536, /* bytes of one run of encoded words */
};

/* An encoded word as it stands. */
struct word {
	struct str charset, text;
	bool is_base64;
};

/* A run of encoded words of one charset: their bytes are joined before they are
   converted, because many programs cut characters in two. */
struct run {
	struct strbuf bytes;
	const struct charset *charset;
	bool is_open;
};

static bool
is_white(char c)
{
	return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

/* Takes "=?charset?q?text?=" off *s; false, and nothing taken, where there is none. */
static bool
take_word(struct str *s, struct word *w)
{
	struct str rest = *s;
	size_t at;
	char kind;

	if (!str_skip(&rest, STR("=?")))
		return false;
	at = str_find(str_first(rest, CHARSET_NAME_MAX), '?');
	if (at == SIZE_MAX || at == 0 || rest.n < at + 3 || rest.p[at + 2] != '?')
		return false;
	w->charset = str_first(rest, at);
	kind = byte_lower(rest.p[at + 1]);
	w->is_base64 = kind == 'b';
	if (kind != 'b' && kind != 'q')
		return false;
	rest = str_from_offset(rest, at + 3);
	at = str_find(rest, '?');
	if (at == SIZE_MAX || at + 1 >= rest.n || rest.p[at + 1] != '=')
		return false;
	w->text = str_first(rest, at);
	w->charset = str_first(w->charset, str_find(w->charset, '*')); /* RFC 2231 5 */
	*s = str_from_offset(rest, at + 2);
	return true;
}

static void
decode_q(struct str s, struct strbuf *out)
{
	for (size_t i = 0; i < s.n; i++) {
		int high = i + 2 < s.n ? byte_hex_value(s.p[i + 1]) : -1;
		int low = i + 2 < s.n ? byte_hex_value(s.p[i + 2]) : -1;

		if (s.p[i] == '=' && high >= 0 && low >= 0) {
			strbuf_byte(out, (char)(high << 4 | low));
			i += 2;
		} else {
			strbuf_byte(out, s.p[i] == '_' ? ' ' : s.p[i]);
		}
	}
}

/* Appends clean UTF-8 as a line of text: controls become spaces. */
static void
add_text(struct strbuf *out, struct str text)
{
	size_t before = out->n;

	utf8_clean(out, text);
	for (size_t i = before; i < out->n; i++) {
		unsigned char c = (unsigned char)out->p[i];

		if (c < ' ' || c == 0x7f)
			out->p[i] = ' ';
	}
}

static void
close_run(struct run *r, struct strbuf *out)
{
	struct strbuf text;

	if (!r->is_open)
		return;
	text = strbuf_heap((size_t)DECODED_MAX * 4);
	charset_convert(r->charset, strbuf_str(&r->bytes), &text);
	add_text(out, strbuf_str(&text));
	strbuf_release(&text);
	strbuf_clear(&r->bytes);
	r->is_open = false;
}

static void
add_word(struct run *r, const struct word *w, struct strbuf *out)
{
	const struct charset *c = charset_find(w->charset);

	if (r->is_open && c != r->charset)
		close_run(r, out);
	r->charset = c;
	r->is_open = true;
	if (w->is_base64)
		base64_parse_lax(w->text, &r->bytes);
	else
		decode_q(w->text, &r->bytes);
}

/* Text between encoded words, folds undone. */
static void
add_plain(struct str s, struct strbuf *out)
{
	while (s.n) {
		size_t n = 0;

		while (n < s.n && s.p[n] != '\r' && s.p[n] != '\n')
			n++;
		add_text(out, str_first(s, n));
		while (n < s.n && (s.p[n] == '\r' || s.p[n] == '\n'))
			n++;
		s = str_from_offset(s, n);
	}
}

static bool
is_white_only(struct str s)
{
	for (size_t i = 0; i < s.n; i++) {
		if (!is_white(s.p[i]))
			return false;
	}
	return true;
}

void
encoded_decode(struct str value, struct strbuf *out)
{
	struct run run = { .bytes = strbuf_heap(DECODED_MAX) };
	struct str rest = str_trim(value), plain = rest;
	struct word w;

	/* plain begins behind the last encoded word; rest is where we look. */
	while (rest.n && !out->overflow) {
		size_t at = str_find_str(rest, STR("=?"));
		struct str between;

		if (at == SIZE_MAX)
			break;
		rest = str_from_offset(rest, at);
		between = str_first(plain, plain.n - rest.n);
		if (!take_word(&rest, &w)) {
			rest = str_from_offset(rest, 2);
			continue;
		}
		if (!run.is_open || !is_white_only(between)) {
			close_run(&run, out);
			add_plain(between, out);
		}
		add_word(&run, &w, out);
		plain = rest;
	}
	close_run(&run, out);
	add_plain(plain, out);
	strbuf_release(&run.bytes);
}

/* A piece of a parameter: filename*1*=…  */
struct piece {
	uint32_t number;
	bool is_extended; /* percent-encoded */
	struct str text;
};

/* Whether key names a piece of the parameter `name`. */
static bool
match_piece(struct str key, struct str name, struct piece *piece)
{
	size_t star;

	*piece = (struct piece){ 0 };
	if (!str_starts_icase(key, name))
		return false;
	key = str_from_offset(key, name.n);
	if (!key.n)
		return true;
	if (!str_skip_byte(&key, '*'))
		return false;
	if (!key.n) {
		piece->is_extended = true;
		return true;
	}
	star = str_find(key, '*');
	piece->is_extended = star != SIZE_MAX;
	if (star != SIZE_MAX && star + 1 != key.n)
		return false;
	return str_parse_u32(str_first(key, star), &piece->number);
}

static void
add_percent(struct str s, struct strbuf *out)
{
	for (size_t i = 0; i < s.n; i++) {
		int high = i + 2 < s.n ? byte_hex_value(s.p[i + 1]) : -1;
		int low = i + 2 < s.n ? byte_hex_value(s.p[i + 2]) : -1;

		if (s.p[i] == '%' && high >= 0 && low >= 0) {
			strbuf_byte(out, (char)(high << 4 | low));
			i += 2;
		} else {
			strbuf_byte(out, s.p[i]);
		}
	}
}

/* charset'language'text: takes the first two off. */
static struct str
take_charset(struct str *text)
{
	size_t at = str_find(*text, '\'');
	struct str charset = STR("");

	if (at == SIZE_MAX)
		return charset;
	charset = str_first(*text, at);
	*text = str_from_offset(*text, at + 1);
	at = str_find(*text, '\'');
	*text = str_from_offset(*text, at == SIZE_MAX ? 0 : at + 1);
	return charset;
}

/* Joins the pieces 0, 1, 2 … as far as there are. */
static void
join(struct piece *pieces, size_t count, struct strbuf *bytes, struct str *charset_out)
{
	for (uint32_t number = 0; number < count; number++) {
		struct piece *p = NULL;

		/* Where a piece stands there twice, plain and extended, as old programs
		   want it, the extended one wins. */
		for (size_t i = 0; i < count; i++) {
			if (pieces[i].number == number &&
			    (!p || (pieces[i].is_extended && !p->is_extended)))
				p = &pieces[i];
		}
		if (!p)
			return;
		if (number == 0 && p->is_extended)
			*charset_out = take_charset(&p->text);
		if (p->is_extended)
			add_percent(p->text, bytes);
		else
			strbuf_add(bytes, p->text);
	}
}

bool
encoded_param(struct str value, struct str name, struct arena *a, struct str *text_out)
{
	struct piece pieces[PARAMS_MAX];
	struct strbuf bytes = strbuf_heap(PARAM_BYTES_MAX), text;
	struct str key, piece_text, charset = STR("");
	size_t count = 0;
	bool is_extended = false;

	(void)mime_value_first(&value, a);
	for (size_t seen = 0;
	     seen < PARAMS_MAX && mime_param_next(&value, a, &key, &piece_text); seen++) {
		if (!match_piece(key, name, &pieces[count]))
			continue;
		pieces[count].text = piece_text;
		is_extended |= pieces[count].is_extended;
		count++;
	}
	if (!count)
		return false;
	text = strbuf_arena(a, PARAM_BYTES_MAX);
	join(pieces, count, &bytes, &charset);
	if (is_extended)
		charset_convert(charset_find(charset), strbuf_str(&bytes), &text);
	else
		encoded_decode(strbuf_str(&bytes), &text);
	strbuf_release(&bytes);
	for (size_t i = 0; i < text.n; i++) {
		if ((unsigned char)text.p[i] < ' ' || text.p[i] == 0x7f)
			text.p[i] = ' ';
	}
	*text_out = strbuf_str(&text);
	return true;
}

/* How utf-8-addr-xtext writes a character: \x{FC}. */
#define CHARACTER_BEGIN "\\x{"

static void
format_address(struct str s, bool may_be_utf8, struct strbuf *out)
{
	while (s.n) {
		bool is_written = str_starts(s, STR(CHARACTER_BEGIN));
		uint32_t c = '?';

		if (!utf8_next(&s, &c))
			s = str_from_offset(s, 1);
		if (c > ' ' && c < 0x7f && c != '+' && c != '=' &&
		    (c != '\\' || is_written))
			strbuf_byte(out, (char)c);
		else if (c > 0x7f && may_be_utf8)
			utf8_add(out, c);
		else
			strbuf_printf(out, "\\x{%X}", (unsigned)c);
	}
}

void
encoded_format_address(struct str s, struct strbuf *out)
{
	format_address(s, false, out);
}

void
encoded_format_address_utf8(struct str s, struct strbuf *out)
{
	format_address(s, true, out);
}

static bool
take_character(struct str *s, uint32_t *c_out)
{
	struct str rest = *s;
	size_t end;

	if (!str_skip(&rest, STR(CHARACTER_BEGIN)))
		return false;
	end = str_find(rest, '}');
	if (end == 0 || end > CHARACTER_HEX_MAX)
		return false;
	*c_out = 0;
	for (size_t i = 0; i < end; i++) {
		int value = byte_hex_value(rest.p[i]);

		if (value < 0)
			return false;
		*c_out = *c_out * 16 + (uint32_t)value;
	}
	*s = str_from_offset(rest, end + 1);
	return true;
}

void
encoded_parse_address(struct str s, struct strbuf *out)
{
	while (s.n) {
		uint32_t c;

		if (take_character(&s, &c)) {
			utf8_add(out, c);
			continue;
		}
		strbuf_byte(out, s.p[0]);
		s = str_from_offset(s, 1);
	}
}

void
quoted_printable_format(struct str s, struct strbuf *out)
{
	size_t used = 0;

	while (s.n) {
		char c = s.p[0];
		struct str rest = str_from_offset(s, 1);
		bool is_last = !rest.n || str_starts(rest, STR("\r\n"));
		bool is_plain =
			c >= ' ' && c <= '~' && c != '=' && (c != ' ' || !is_last);

		if (str_starts(s, STR("\r\n"))) {
			strbuf_lit(out, "\r\n");
			s = str_from_offset(s, 2);
			used = 0;
			continue;
		}
		if (used + (is_plain ? 1 : 3) > QUOTED_LINE_MAX) {
			strbuf_lit(out, "=\r\n");
			used = 0;
		}
		if (is_plain)
			strbuf_byte(out, c);
		else
			strbuf_printf(out, "=%02X", (unsigned char)c);
		used += is_plain ? 1 : 3;
		s = rest;
	}
}

void
quoted_printable_decode(struct str s, struct strbuf *out)
{
	size_t i = 0;

	while (i < s.n) {
		const char *eq = memchr(s.p + i, '=', s.n - i);
		size_t plain = eq ? (size_t)(eq - s.p) - i : s.n - i;
		size_t at;
		int high, low;

		strbuf_bytes(out, s.p + i, plain);
		i += plain;
		if (i >= s.n)
			return;
		high = i + 1 < s.n ? byte_hex_value(s.p[i + 1]) : -1;
		low = i + 2 < s.n ? byte_hex_value(s.p[i + 2]) : -1;
		if (high >= 0 && low >= 0) {
			strbuf_byte(out, (char)(high << 4 | low));
			i += 3;
			continue;
		}
		/* A soft line break, perhaps with spaces before the line end. */
		at = i + 1;
		while (at < s.n && (s.p[at] == ' ' || s.p[at] == '\t'))
			at++;
		if (at < s.n && s.p[at] == '\r')
			at++;
		if (at >= s.n || s.p[at] == '\n') {
			i = at + 1;
			continue;
		}
		strbuf_byte(out, '=');
		i++;
	}
}
