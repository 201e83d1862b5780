#include "policy/report.h"

#include "base/base64.h"
#include "base/strbuf.h"
#include "ext/unpack.h"
#include "mail/encoded.h"
#include "mail/mime.h"

/* The type of a part is not believed: programs name them in many ways. What could be a
   report is unpacked, and its first byte says which kind it is. */

enum {
	TRIES_MAX = 8,      /* parts looked at */
	RAW_MAX = 10 << 20, /* bytes of one, packed */
	TREE_BYTES = 8 << 20,
	JSON_MAX = 2 << 20, /* bytes; a document takes ten times as many in memory */
};

/* What may still be read, in all parts together: unpacked bytes, and those of JSON. */
struct budget {
	size_t text, json;
};

/* Where a report was found: as it was attached, and the type that this is. */
struct found {
	struct str raw, type;
};

static void
decode(struct str body, enum mime_encoding encoding, struct strbuf *out)
{
	if (encoding == MIME_BASE64)
		base64_parse_lax(body, out);
	else if (encoding == MIME_QUOTED_PRINTABLE)
		quoted_printable_decode(body, out);
	else
		strbuf_add(out, body);
}

static bool
may_be_report(const struct mime_part *part)
{
	return part->kind == MIME_LEAF && part->body_bytes > 0 &&
	       (str_eq_icase(part->type, STR("application")) ||
	        str_eq_icase(part->subtype, STR("xml")) ||
	        str_eq_icase(part->subtype, STR("json")));
}

/* The first byte that is no space. */
static char
first_sign(struct str s)
{
	if (str_starts(s, STR("\xef\xbb\xbf")))
		s = str_from_offset(s, 3);
	s = str_trim(str_first(s, 64));
	return s.n ? s.p[0] : '\0';
}

static enum err
read_unpacked(struct str text, enum pack_kind packed, struct budget *left,
              struct arena *a, struct report *report, struct str *type_out)
{
	bool is_json = first_sign(text) == '{';

	*type_out = packed == PACK_GZIP  ? STR("application/gzip")
	            : packed == PACK_ZIP ? STR("application/zip")
	            : is_json            ? STR("application/json")
	                                 : STR("application/xml");
	if (is_json && text.n > left->json)
		return ERR_LIMIT;
	if (is_json) {
		left->json -= text.n;
		return report_parse_tls(text, a, report);
	}
	return first_sign(text) == '<' ? report_parse_dmarc(text, a, report)
	                               : ERR_NOT_FOUND;
}

static enum err
read_part(struct str body, enum mime_encoding encoding, struct budget *left,
          struct arena *a, struct report *report, struct found *out)
{
	struct strbuf raw = strbuf_heap(RAW_MAX), text = strbuf_heap(left->text);
	enum err e;

	decode(body, encoding, &raw);
	e = raw.overflow ? ERR_LIMIT : unpack(strbuf_str(&raw), &text);
	left->text -= text.n;
	if (e == OK)
		e = read_unpacked(strbuf_str(&text), pack_kind_of(strbuf_str(&raw)), left,
		                  a, report, &out->type);
	if (e == OK && arena_left(a) < raw.n)
		e = ERR_LIMIT;
	if (e == OK)
		out->raw = arena_str(a, strbuf_str(&raw));
	strbuf_release(&raw);
	strbuf_release(&text);
	return e;
}

enum err
report_parse_mail(struct str message, struct arena *a, struct report *report_out,
                  struct str *raw_out, struct str *raw_type_out)
{
	struct arena *own = arena_new(TREE_BYTES);
	struct mime_tree tree;
	struct budget left = { .text = REPORT_BYTES_MAX, .json = JSON_MAX };
	struct found found = { 0 };
	unsigned tries = 0;
	enum err e = ERR_NOT_FOUND;

	mime_parse(message, own, &tree);
	for (uint32_t i = 0; i < tree.count && e != OK && tries < TRIES_MAX; i++) {
		const struct mime_part *part = &tree.parts[i];
		struct str body = str_make(message.p + part->body_at, part->body_bytes);
		enum err tried;

		if (!may_be_report(part))
			continue;
		tries++;
		tried = read_part(body, part->encoding, &left, a, report_out, &found);
		e = tried == ERR_NOT_FOUND ? e : tried;
	}
	*raw_out = found.raw;
	*raw_type_out = found.type;
	arena_free(&own);
	return e;
}
