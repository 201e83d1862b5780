#include "mail/fetch_text.h"

enum kind {
	KIND_PLAIN,   /* may stand between quotes as it is */
	KIND_ESCAPED, /* has quotes or backslashes */
	KIND_LITERAL,
};

static enum kind
kind_of(struct str s)
{
	enum kind kind = KIND_PLAIN;

	for (size_t i = 0; i < s.n; i++) {
		unsigned char c = (unsigned char)s.p[i];

		if (c >= 0x80 || c == '\r' || c == '\n' || c == '\0')
			return KIND_LITERAL;
		if (c == '"' || c == '\\')
			kind = KIND_ESCAPED;
	}
	return kind;
}

static void
add_literal(struct strbuf *out, struct str s)
{
	size_t at;

	strbuf_printf(out, "{%zu}\r\n", s.n);
	at = out->n;
	strbuf_add(out, s);
	for (size_t i = at; i < out->n; i++) {
		if (out->p[i] == '\0')
			out->p[i] = '?';
	}
}

void
fetch_string(struct strbuf *out, struct str s)
{
	enum kind kind = kind_of(s);

	if (kind == KIND_LITERAL) {
		add_literal(out, s);
		return;
	}
	strbuf_byte(out, '"');
	if (kind == KIND_PLAIN) {
		strbuf_add(out, s);
	} else {
		for (size_t i = 0; i < s.n; i++) {
			if (s.p[i] == '"' || s.p[i] == '\\')
				strbuf_byte(out, '\\');
			strbuf_byte(out, s.p[i]);
		}
	}
	strbuf_byte(out, '"');
}

void
fetch_nstring(struct strbuf *out, struct str s)
{
	if (s.p)
		fetch_string(out, s);
	else
		strbuf_lit(out, "NIL");
}
