/* A stored text with CRLF for every line end, as smtp_client_body.h will send it: what is
 * signed must be what arrives.
 */
#include "relay/relay_text.h"

#include "base/strbuf.h"

static void
take(const struct relay_text *t, struct str bytes)
{
	t->sink(t->arg, bytes);
}

void
relay_text_feed(struct relay_text *t, struct str piece)
{
	size_t from = 0;

	for (size_t i = 0; i < piece.n; i++) {
		char c = piece.p[i];

		if (t->has_cr) {
			t->has_cr = false;
			take(t, STR("\r\n"));
			from = c == '\n' ? i + 1 : i;
			if (c == '\n')
				continue;
		}
		if (c == '\r' && i + 1 < piece.n && piece.p[i + 1] == '\n') {
			i++;
			continue;
		}
		if (c != '\r' && c != '\n')
			continue;
		take(t, str_first(str_from_offset(piece, from), i - from));
		if (c == '\r')
			t->has_cr = true;
		else
			take(t, STR("\r\n"));
		from = i + 1;
	}
	if (!t->has_cr)
		take(t, str_from_offset(piece, from));
}

void
relay_text_end(struct relay_text *t)
{
	if (t->has_cr)
		take(t, STR("\r\n"));
	t->has_cr = false;
}

struct str
relay_text_header(struct str header, struct arena *a)
{
	struct strbuf b = strbuf_arena(a, 2 * header.n + 2);

	for (size_t i = 0; i < header.n; i++) {
		char c = header.p[i];

		if (c == '\r' || c == '\n') {
			if (c == '\r' && i + 1 < header.n && header.p[i + 1] == '\n')
				i++;
			strbuf_lit(&b, "\r\n");
		} else {
			strbuf_byte(&b, c);
		}
	}
	if (str_ends(strbuf_str(&b), STR("\r\n\r\n")))
		strbuf_truncate(&b, b.n - 2);
	else if (!str_ends(strbuf_str(&b), STR("\r\n")))
		strbuf_lit(&b, "\r\n");
	return strbuf_str(&b);
}
