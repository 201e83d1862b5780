#include "mail/preview.h"

#include "base/base64.h"
#include "base/strbuf.h"
#include "base/utf8.h"
#include "ext/charset.h"
#include "mail/encoded.h"

enum {
	LOOK_BYTES = 4096, /* bytes of a body that a preview is made of */
};

/* Spaces of any width, controls, and what mail senders fill previews up with. */
static bool
is_blank(uint32_t c)
{
	return c <= ' ' || c == 0x7f || (c >= 0x80 && c <= 0xa0) || c == 0xad ||
	       c == 0x34f || (c >= 0x2000 && c <= 0x200f) || c == 0x2028 || c == 0x2029 ||
	       c == 0x3000 || c == 0xfeff;
}

/* Takes a word off *text: what stands before the next blank, at most max bytes of it.
   Empty where a blank was taken. */
static struct str
take_word(struct str *text, size_t max)
{
	struct str word = str_first(*text, 0), next = *text;
	uint32_t c = 0;

	while (next.n && word.n < max) {
		if (next.p[0] > ' ' && next.p[0] < 0x7f)
			next = str_from_offset(next, 1);
		else if (!utf8_next(&next, &c) || is_blank(c))
			break;
		word.n = text->n - next.n;
	}
	*text = str_from_offset(*text, word.n);
	/* A blank, or a byte that is none of a character: neither is shown. */
	if (!word.n)
		*text = next.n < text->n ? next : str_from_offset(*text, 1);
	return word;
}

struct str
preview_squeeze(struct str text, size_t max, struct arena *a)
{
	struct strbuf out = strbuf_arena(a, max + 8);
	bool had_space = false;

	if (!text.n || !strbuf_reserve(&out, text.n < max ? text.n + 1 : max + 8))
		return STR("");
	while (text.n && out.n <= max) {
		struct str word = take_word(&text, max + 1 - out.n);

		if (word.n && had_space && out.n)
			strbuf_byte(&out, ' ');
		had_space = !word.n;
		strbuf_add(&out, word);
	}
	return str_trim(utf8_first(strbuf_str(&out), max));
}

/* "&amp;" at the start of s: its text, and its bytes in *n_out. */
static struct str
entity_of(struct str s, size_t *n_out)
{
	static const struct {
		struct str name, text;
	} entities[] = {
		{ STR_INIT("&amp;"), STR_INIT("&") },
		{ STR_INIT("&lt;"), STR_INIT("<") },
		{ STR_INIT("&gt;"), STR_INIT(">") },
		{ STR_INIT("&quot;"), STR_INIT("\"") },
		{ STR_INIT("&nbsp;"), STR_INIT(" ") },
		{ STR_INIT("&#39;"), STR_INIT("'") },
		{ STR_INIT("&apos;"), STR_INIT("'") },
		{ STR_INIT("&zwnj;"), STR_INIT(" ") },
		{ STR_INIT("&#847;"), STR_INIT(" ") },
	};

	for (size_t i = 0; i < ARRAY_LEN(entities); i++) {
		if (str_starts_icase(s, entities[i].name)) {
			*n_out = entities[i].name.n;
			return entities[i].text;
		}
	}
	*n_out = 1;
	return STR("&");
}

/* Behind the tag at the start of s, and behind what is not shown between some. */
static struct str
skip_tag(struct str s)
{
	static const struct {
		struct str open, close;
	} hidden[] = {
		{ STR_INIT("<style"), STR_INIT("</style") },
		{ STR_INIT("<script"), STR_INIT("</script") },
		{ STR_INIT("<title"), STR_INIT("</title") },
		{ STR_INIT("<!--"), STR_INIT("-->") },
	};
	size_t n;

	for (size_t i = 0; i < ARRAY_LEN(hidden); i++) {
		if (str_starts_icase(s, hidden[i].open))
			s = str_from_offset(s, str_find_icase(s, hidden[i].close));
	}
	n = str_find(s, '>');
	return str_from_offset(s, n == SIZE_MAX ? n : n + 1);
}

/* The text of HTML, roughly: no tags, no style and script, the commonest entities. */
static void
strip_html(struct str s, struct strbuf *out)
{
	while (s.n && !out->overflow) {
		size_t n = 0;

		while (n < s.n && s.p[n] != '<' && s.p[n] != '&')
			n++;
		strbuf_add(out, str_first(s, n));
		s = str_from_offset(s, n);
		if (!s.n)
			return;
		if (s.p[0] == '<') {
			strbuf_byte(out, ' ');
			s = skip_tag(s);
		} else {
			strbuf_add(out, entity_of(s, &n));
			s = str_from_offset(s, n);
		}
	}
}

/* The part whose text is shown: the first plain one, else the first HTML one. */
static const struct mime_part *
text_part(const struct mime_tree *tree)
{
	const struct mime_part *html = NULL;

	for (uint32_t i = 0; i < tree->count; i++) {
		const struct mime_part *part = &tree->parts[i];
		struct str value = part->content_disposition.value;

		if (part->kind != MIME_LEAF || !str_eq_icase(part->type, STR("text")) ||
		    str_starts_icase(str_trim(value), STR("attachment")))
			continue;
		if (str_eq_icase(part->subtype, STR("plain")))
			return part;
		if (!html)
			html = part;
	}
	return html;
}

struct str
preview_make(struct str message, const struct mime_tree *tree, size_t max,
             struct arena *a)
{
	const struct mime_part *part = text_part(tree);
	struct strbuf bytes, text, plain;
	struct str body, charset = STR(""), result;

	if (!part || !part->body_bytes)
		return STR("");
	body = str_first(str_from_offset(message, part->body_at), part->body_bytes);
	body = str_first(body, LOOK_BYTES);
	bytes = strbuf_heap(LOOK_BYTES);
	text = strbuf_heap((size_t)LOOK_BYTES * 8);
	plain = strbuf_heap((size_t)LOOK_BYTES * 8);
	if (part->encoding == MIME_BASE64)
		base64_parse_lax(body, &bytes);
	else if (part->encoding == MIME_QUOTED_PRINTABLE)
		quoted_printable_decode(body, &bytes);
	else
		strbuf_add(&bytes, body);
	if (part->content_type.name.p)
		(void)encoded_param(part->content_type.value, STR("charset"), a,
		                    &charset);
	/* The cut may have gone through a character. */
	charset_convert(charset_find(charset), strbuf_str(&bytes), &text);
	if (body.n == LOOK_BYTES && str_ends(strbuf_str(&text), STR("\xef\xbf\xbd")))
		strbuf_truncate(&text, text.n - 3);
	if (str_eq_icase(part->subtype, STR("plain")))
		result = preview_squeeze(strbuf_str(&text), max, a);
	else {
		strip_html(strbuf_str(&text), &plain);
		result = preview_squeeze(strbuf_str(&plain), max, a);
	}
	strbuf_release(&bytes);
	strbuf_release(&text);
	strbuf_release(&plain);
	return result;
}
