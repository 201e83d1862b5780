#include "mail/mime_param.h"

#include "base/strbuf.h"

static bool
is_white(char c)
{
	return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

/* Takes a comment, nested ones inside, off *s, which begins with "(". */
static void
skip_comment(struct str *s)
{
	size_t depth = 0, i = 0;

	for (; i < s->n; i++) {
		if (s->p[i] == '\\')
			i++;
		else if (s->p[i] == '(')
			depth++;
		else if (s->p[i] == ')' && --depth == 0)
			break;
	}
	*s = str_from_offset(*s, i + 1);
}

void
mime_skip_space(struct str *s)
{
	while (s->n) {
		if (is_white(s->p[0]))
			*s = str_from_offset(*s, 1);
		else if (s->p[0] == '(')
			skip_comment(s);
		else
			return;
	}
}

/* What ends a token (RFC 2045 5.1 without the bytes that programs use unquoted). */
static bool
ends_token(char c)
{
	return is_white(c) || c == ';' || c == '(' || c == '"';
}

static struct str
take_token(struct str *s, char also)
{
	struct str token = *s;
	size_t n = 0;

	while (n < s->n && !ends_token(s->p[n]) && s->p[n] != also)
		n++;
	token.n = n;
	*s = str_from_offset(*s, n);
	return token;
}

/* Behind an opening quote: up to the closing one, backslashes and folds undone. */
static struct str
take_quoted(struct str *s, struct arena *a)
{
	size_t n = 0;
	bool is_plain = true;
	struct str raw;
	struct strbuf b;

	while (n < s->n && s->p[n] != '"') {
		if (s->p[n] == '\\' || s->p[n] == '\r' || s->p[n] == '\n')
			is_plain = false;
		n += s->p[n] == '\\' && n + 1 < s->n ? 2 : 1;
	}
	raw = str_first(*s, n);
	*s = str_from_offset(*s, n + 1);
	if (is_plain)
		return raw;
	b = strbuf_arena(a, raw.n);
	if (!strbuf_reserve(&b, raw.n))
		return raw;
	for (size_t i = 0; i < raw.n; i++) {
		if (raw.p[i] == '\r' || raw.p[i] == '\n')
			continue;
		if (raw.p[i] == '\\' && i + 1 < raw.n)
			i++;
		strbuf_byte(&b, raw.p[i]);
	}
	return strbuf_str(&b);
}

struct str
mime_value_first(struct str *rest, struct arena *a)
{
	struct str first, second;

	mime_skip_space(rest);
	first = take_token(rest, '/');
	mime_skip_space(rest);
	if (!str_skip_byte(rest, '/'))
		return first;
	mime_skip_space(rest);
	second = take_token(rest, '/');
	if (first.p + first.n + 1 == second.p)
		return str_make(first.p, first.n + 1 + second.n);
	if (arena_left(a) < first.n + second.n + 64)
		return first;
	return arena_printf(a, "%.*s/%.*s", STR_ARG(first), STR_ARG(second));
}

/* Behind the next ";", quoted strings and comments passed over. */
static bool
skip_to_param(struct str *rest, struct arena *a)
{
	while (rest->n) {
		char c = rest->p[0];

		if (c == '(') {
			skip_comment(rest);
			continue;
		}
		*rest = str_from_offset(*rest, 1);
		if (c == ';')
			return true;
		if (c == '"')
			(void)take_quoted(rest, a);
	}
	return false;
}

bool
mime_param_next(struct str *rest, struct arena *a, struct str *name_out,
                struct str *value_out)
{
	while (skip_to_param(rest, a)) {
		mime_skip_space(rest);
		*name_out = take_token(rest, '=');
		mime_skip_space(rest);
		if (!str_skip_byte(rest, '=') || !name_out->n)
			continue;
		mime_skip_space(rest);
		if (str_skip_byte(rest, '"'))
			*value_out = take_quoted(rest, a);
		else
			*value_out = take_token(rest, ';');
		return true;
	}
	return false;
}
