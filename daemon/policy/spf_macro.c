#include "policy/spf_macro.h"

#include "policy/lookups.h"

enum {
	NUMBER_MAX = 1000, /* labels: more than any name has */
	/* What was kept, and one piece more: a value with every byte escaped,
	   and the NUL that printing wants. */
	TAIL_BYTES = SPF_VALUE_MAX + 3 * SPF_VALUE_MAX + 1,
	IP_BYTES = 80,
	TIME_BYTES = 24,
};

#define LETTERS     STR("slodiphv")
#define LETTERS_EXP STR("slodiphvcrt")
#define DELIMITERS  STR(".-+,/_=")

struct macro {
	char letter;     /* lower case */
	bool is_escaped; /* the letter was upper case */
	bool is_reversed;
	size_t keep;           /* labels on the right; 0: all */
	struct str delimiters; /* empty: "." */
};

static bool
has(struct str set, char c)
{
	return str_find(set, c) != SIZE_MAX;
}

/* "{" letter [number] ["r"] delimiters "}", behind a "%".               RFC 7208 7.1 */
static bool
take_macro(struct str *s, struct macro *m)
{
	size_t i = 0;

	*m = (struct macro){ 0 };
	if (!str_skip_byte(s, '{') || !s->n || !byte_is_alpha(s->p[0]))
		return false;
	m->letter = byte_lower(s->p[0]);
	m->is_escaped = m->letter != s->p[0];
	*s = str_from_offset(*s, 1);
	for (; i < s->n && byte_is_digit(s->p[i]); i++)
		if (m->keep < NUMBER_MAX)
			m->keep = m->keep * 10 + (size_t)(s->p[i] - '0');
	if (i > 0 && m->keep == 0)
		return false;
	*s = str_from_offset(*s, i);
	if (s->n && byte_lower(s->p[0]) == 'r') {
		m->is_reversed = true;
		*s = str_from_offset(*s, 1);
	}
	for (i = 0; i < s->n && has(DELIMITERS, s->p[i]); i++)
		;
	m->delimiters = str_first(*s, i);
	*s = str_from_offset(*s, i);
	return str_skip_byte(s, '}');
}

enum piece {
	PIECE_END,
	PIECE_LITERAL, /* *text, as it stands */
	PIECE_ESCAPE,  /* *text, what "%%", "%_" or "%-" stands for */
	PIECE_MACRO,   /* *macro */
	PIECE_BAD,
};

static enum piece
next_piece(struct str *s, struct str *text, struct macro *m)
{
	size_t n = str_find(*s, '%');

	*text = (struct str){ 0 };
	if (!s->n)
		return PIECE_END;
	if (n != 0) {
		*text = str_first(*s, n);
		*s = str_from_offset(*s, text->n);
		return PIECE_LITERAL;
	}
	*s = str_from_offset(*s, 1);
	if (s->n && s->p[0] == '{')
		return take_macro(s, m) ? PIECE_MACRO : PIECE_BAD;
	if (str_skip_byte(s, '%'))
		*text = STR("%");
	else if (str_skip_byte(s, '_'))
		*text = STR(" ");
	else if (str_skip_byte(s, '-'))
		*text = STR("%20");
	else
		return PIECE_BAD;
	return PIECE_ESCAPE;
}

/* ── syntax ── */

static bool
check(struct str s, struct str letters, char from)
{
	struct str text, whole = s;
	enum piece piece;
	struct macro m;

	if (s.n > SPF_MACRO_MAX)
		return false;
	for (size_t i = 0; i < whole.n; i++)
		if (whole.p[i] < from || whole.p[i] > '~')
			return false;
	while ((piece = next_piece(&s, &text, &m)) != PIECE_END)
		if (piece == PIECE_BAD ||
		    (piece == PIECE_MACRO && !has(letters, m.letter)))
			return false;
	return true;
}

bool
spf_macro_check(struct str s)
{
	return check(s, LETTERS, '!');
}

bool
spf_explanation_check(struct str s)
{
	return check(s, LETTERS_EXP, ' ');
}

/* Letters, digits and hyphens, not all digits, no hyphen at an end.      RFC 7208 7.1 */
static bool
is_toplabel(struct str s)
{
	bool has_other = false;

	if (!s.n || s.p[0] == '-' || s.p[s.n - 1] == '-')
		return false;
	for (size_t i = 0; i < s.n; i++) {
		if (!byte_is_alnum(s.p[i]) && s.p[i] != '-')
			return false;
		has_other = has_other || !byte_is_digit(s.p[i]);
	}
	return has_other;
}

bool
spf_domain_spec_check(struct str s)
{
	struct str rest = s, text, last = { 0 };
	enum piece piece = PIECE_END, next;
	struct macro m;
	size_t dot;

	if (!spf_macro_check(s))
		return false;
	while ((next = next_piece(&rest, &text, &m)) != PIECE_END) {
		piece = next;
		last = text;
	}
	/* domain-end: a macro, or a dot and a label that may end a name. */
	if (piece != PIECE_LITERAL)
		return piece != PIECE_END;
	if (last.p[last.n - 1] == '.')
		last.n--;
	dot = str_find_last(last, '.');
	return dot != SIZE_MAX && is_toplabel(str_from_offset(last, dot + 1));
}

bool
spf_macro_has(struct str s, struct str letters)
{
	enum piece piece;
	struct str text;
	struct macro m;

	while ((piece = next_piece(&s, &text, &m)) != PIECE_END)
		if (piece == PIECE_MACRO && has(letters, m.letter))
			return true;
	return false;
}

/* ── expansion ── */

static void
add_escaped(struct strbuf *out, struct str s, bool is_escaped)
{
	if (!is_escaped) {
		strbuf_add(out, s);
		return;
	}
	for (size_t i = 0; i < s.n; i++) {
		/* RFC 3986 2.3: what stands for itself. */
		if (byte_is_alnum(s.p[i]) || has(STR("-._~"), s.p[i]))
			strbuf_byte(out, s.p[i]);
		else
			strbuf_printf(out, "%%%02X", (unsigned)(uint8_t)s.p[i]);
	}
}

/* Takes the last part off, and the delimiter before it. */
static struct str
take_last(struct str *value, struct str delimiters)
{
	size_t at = value->n;
	struct str part;

	while (at && !has(delimiters, value->p[at - 1]))
		at--;
	part = str_from_offset(*value, at);
	value->n = at ? at - 1 : 0;
	return part;
}

/* … the first part, and the delimiter behind it. */
static struct str
take_first(struct str *value, struct str delimiters)
{
	size_t end = 0;
	struct str part;

	while (end < value->n && !has(delimiters, value->p[end]))
		end++;
	part = str_first(*value, end);
	*value = str_from_offset(*value, end + 1);
	return part;
}

/* Cuts the value at the delimiters, turns the parts around, keeps those on the right
   and joins them with dots. Parts are found again for each use: a value has 512 bytes at
   most, and so no memory is needed for as many parts. */
static void
add_transformed(struct strbuf *out, struct str value, const struct macro *m)
{
	struct str delimiters = m->delimiters.n ? m->delimiters : STR(".");
	size_t parts = 1, from;

	if (!value.n)
		return;
	for (size_t i = 0; i < value.n; i++)
		parts += has(delimiters, value.p[i]);
	from = m->keep && m->keep < parts ? parts - m->keep : 0;
	for (size_t k = 0; k < parts; k++) {
		struct str part = m->is_reversed ? take_last(&value, delimiters)
		                                 : take_first(&value, delimiters);

		if (k < from)
			continue;
		if (k > from)
			strbuf_byte(out, '.');
		add_escaped(out, part, m->is_escaped);
	}
}

/* "192.0.2.1", or the 32 nibbles of IPv6 with dots.                       RFC 7208 7.3 */
static void
add_ip(struct strbuf *out, const struct addr *ip)
{
	if (ip->family != ADDR_V6) {
		addr_format_ip(out, ip);
		return;
	}
	for (size_t i = 0; i < 16; i++)
		strbuf_printf(out, "%s%X.%X", i ? "." : "", ip->ip[i] >> 4U,
		              ip->ip[i] & 15U);
}

static void
add_macro(struct strbuf *out, const struct macro *m, const struct spf_macro_values *v)
{
	char bytes[IP_BYTES];
	struct strbuf made = strbuf_on(bytes);
	struct str value = { 0 };

	switch (m->letter) {
	case 's':
		value = v->sender;
		break;
	case 'l':
		value = v->local;
		break;
	case 'o':
		value = v->domain;
		break;
	case 'd':
		value = v->current;
		break;
	case 'h':
		value = v->helo;
		break;
	case 'p':
		value = v->validated;
		break;
	case 'r':
		value = v->receiver;
		break;
	case 'v':
		value = v->ip.family == ADDR_V6 ? STR("ip6") : STR("in-addr");
		break;
	case 'i':
		add_ip(&made, &v->ip);
		break;
	case 'c':
		addr_format_ip(&made, &v->ip);
		break;
	default:
		strbuf_i64(&made, v->now_ms / 1000);
		break;
	}
	if (made.n)
		value = strbuf_str(&made);
	if (value.n > SPF_VALUE_MAX)
		value = str_from_offset(value, value.n - SPF_VALUE_MAX);
	if (m->keep || m->is_reversed || m->delimiters.n)
		add_transformed(out, value, m);
	else
		add_escaped(out, value, m->is_escaped);
}

void
spf_macro_expand(struct str s, const struct spf_macro_values *values, struct strbuf *out)
{
	enum piece piece;
	struct str text;
	struct macro m;

	while ((piece = next_piece(&s, &text, &m)) != PIECE_END) {
		if (piece == PIECE_MACRO)
			add_macro(out, &m, values);
		else
			strbuf_add(out, text);
	}
}

/* What is before the last 253 bytes and their first dot cannot stay, so it need not be
   kept while the rest is made. */
static void
keep_tail(struct strbuf *tail)
{
	if (tail->n > SPF_VALUE_MAX)
		strbuf_consume(tail, tail->n - SPF_VALUE_MAX);
}

void
spf_macro_expand_name(struct str s, const struct spf_macro_values *values,
                      struct strbuf *out)
{
	char bytes[TAIL_BYTES];
	struct strbuf tail = strbuf_on(bytes);
	enum piece piece;
	struct macro m;
	struct str name, text;

	while ((piece = next_piece(&s, &text, &m)) != PIECE_END) {
		if (piece == PIECE_MACRO)
			add_macro(&tail, &m, values);
		else
			strbuf_add(&tail, text);
		keep_tail(&tail);
	}
	name = strbuf_str(&tail);
	if (name.n && name.p[name.n - 1] == '.')
		name.n--;
	if (name.n > LOOKUPS_NAME_MAX) {
		size_t dot;

		name = str_from_offset(name, name.n - LOOKUPS_NAME_MAX - 1);
		dot = str_find(name, '.');
		name = str_from_offset(name, dot == SIZE_MAX ? name.n : dot + 1);
	}
	strbuf_add(out, name);
}
