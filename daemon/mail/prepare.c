#include "mail/prepare.h"

#include "base/utf8.h"
#include "mail/bodystructure.h"
#include "mail/date.h"
#include "mail/encoded.h"
#include "mail/envelope.h"
#include "mail/header.h"
#include "mail/part_table.h"
#include "mail/preview.h"
#include "mail/subject.h"

enum {
	VALUE_MAX = 16 * 1024,   /* bytes of a raw field that the index looks at */
	DECODED_MAX = 64 * 1024, /* what they may become */
};

static bool
has_8bit(struct str s)
{
	static const uint64_t high = 0x8080808080808080U;
	size_t at = 0;

	for (; s.n - at >= 32; at += 32) {
		uint64_t x[4];

		memcpy(x, s.p + at, 32);
		if ((x[0] | x[1] | x[2] | x[3]) & high)
			return true;
	}
	return !ascii_check(str_from_offset(s, at));
}

/* A header field as text for people. */
static struct str
decode_field(struct str value, struct arena *a)
{
	struct strbuf text;
	struct str result;

	if (!value.n)
		return STR("");
	text = strbuf_heap(DECODED_MAX);
	encoded_decode(str_first(value, VALUE_MAX), &text);
	result = preview_squeeze(strbuf_str(&text), PREPARE_FIELD_MAX, a);
	strbuf_release(&text);
	return result;
}

/* Takes the next "<…>" off *rest: no spaces, controls or brackets inside. */
static bool
next_id(struct str *rest, struct str *id_out)
{
	for (;;) {
		size_t open = str_find(*rest, '<'), n = 1;

		if (open == SIZE_MAX)
			return false;
		*rest = str_from_offset(*rest, open);
		while (n < rest->n && rest->p[n] > ' ' && rest->p[n] < 0x7f &&
		       rest->p[n] != '<' && rest->p[n] != '>')
			n++;
		*id_out = str_first(*rest, n + 1);
		*rest = str_from_offset(*rest, n);
		if (n > 1 && n < PREPARE_ID_MAX && rest->n && rest->p[0] == '>')
			return true;
	}
}

static struct str
all_ids(struct str value, size_t max, struct arena *a)
{
	struct strbuf out = strbuf_arena(a, max);
	struct str id;

	value = str_first(value, VALUE_MAX);
	while (!out.overflow && next_id(&value, &id)) {
		if (str_find_str(strbuf_str(&out), id) != SIZE_MAX)
			continue;
		if (out.n + 1 + id.n > max)
			break;
		if (out.n)
			strbuf_byte(&out, ' ');
		strbuf_add(&out, id);
	}
	return out.n ? strbuf_str(&out) : STR("");
}

static struct str
first_id(struct str value)
{
	struct str id;

	return next_id(&value, &id) ? id : STR("");
}

static struct str
first_address(const struct address_list *list, struct arena *a)
{
	struct strbuf out = strbuf_arena(a, PREPARE_FIELD_MAX);

	for (size_t i = 0; i < list->count; i++) {
		const struct list_entry *e = &list->entries[i];

		if (e->kind != LIST_MAILBOX || !e->domain.n)
			continue;
		utf8_clean(&out, e->local);
		strbuf_byte(&out, '@');
		utf8_clean(&out, e->domain);
		return out.overflow ? STR("") : strbuf_str(&out);
	}
	return STR("");
}

/* RFC 8689 3: the field has one legal value and stands there once; anything else takes no
   protection away. */
static bool
is_tls_optional(struct str header)
{
	struct str name = STR("TLS-Required");
	struct header_field field;

	return header_count(header, name, 2) == 1 && header_find(header, name, &field) &&
	       str_eq_icase(str_trim(field.value), STR("No"));
}

/* What a person would call an attachment: said so, or neither text nor a picture that
   belongs to the text, nor a signature. */
static bool
is_attachment(const struct mime_tree *tree, const struct mime_part *part)
{
	struct str disposition = str_trim(part->content_disposition.value);

	if (part->kind == MIME_MULTIPART)
		return false;
	if (str_starts_icase(disposition, STR("attachment")))
		return true;
	if (part->kind == MIME_MESSAGE)
		return part->parent != MIME_NO_PART;
	if (str_eq_icase(part->type, STR("text")) || part->content_id.name.p ||
	    str_ends_icase(part->subtype, STR("-signature")) ||
	    str_eq_icase(part->type, STR("message")))
		return false;
	return part->parent == MIME_NO_PART ||
	       !str_eq_icase(tree->parts[part->parent].subtype, STR("related"));
}

static void
prepare_index(const struct envelope_fields *f, const struct address_list *from,
              struct arena *a, struct prepared *p)
{
	p->from = decode_field(f->from, a);
	p->to = decode_field(f->to, a);
	p->cc = decode_field(f->cc, a);
	p->subject = decode_field(f->subject, a);
	p->subject_base = subject_base(p->subject);
	p->from_address = first_address(from, a);
	p->message_id = first_id(str_first(f->message_id, VALUE_MAX));
	p->in_reply_to = all_ids(f->in_reply_to, PREPARE_REFERENCES_MAX, a);
	p->references = all_ids(f->references, PREPARE_REFERENCES_MAX, a);
	p->has_date = date_parse_rfc5322(str_first(f->date, 256), &p->date_ms,
	                                 &p->date_zone_min) == OK;
	if (!p->has_date)
		p->date_ms = p->date_zone_min = 0;
	p->received_count = (uint32_t)f->received_count;
}

static struct str
finish(const struct strbuf *b, struct str otherwise)
{
	return b->overflow || !b->n ? otherwise : strbuf_str(b);
}

void
mail_prepare(struct str message, struct arena *a, struct prepared *prepared_out)
{
	struct strbuf envelope = strbuf_arena(a, PREPARE_TEXT_MAX);
	struct strbuf body = strbuf_arena(a, PREPARE_TEXT_MAX);
	struct strbuf structure = strbuf_arena(a, PREPARE_TEXT_MAX);
	struct strbuf table = strbuf_arena(a, PREPARE_TEXT_MAX);
	struct envelope_fields fields;
	struct address_list from;
	struct prepared p = { .size_bytes = message.n };
	struct mime_tree tree;

	if (!message.n)
		message = STR("");
	mime_parse(message, a, &tree);
	p.header_bytes = tree.parts[0].header_bytes;
	p.part_count = tree.count;
	p.is_ambiguous = tree.is_ambiguous;
	envelope_read(str_first(message, p.header_bytes), &fields);
	envelope_format(&fields, a, &envelope, &from);
	bodystructure_format(message, &tree, false, a, &body);
	bodystructure_format(message, &tree, true, a, &structure);
	part_table_format(&tree, &table);
	p.envelope = finish(&envelope, STR("(NIL NIL NIL NIL NIL NIL NIL NIL NIL NIL)"));
	p.body = finish(&body, STR("(\"text\" \"plain\" NIL NIL NIL \"7bit\" 0 0)"));
	p.bodystructure =
		finish(&structure, STR("(\"text\" \"plain\" NIL NIL NIL \"7bit\" 0 0 NIL "
	                               "NIL NIL NIL)"));
	p.parts = finish(&table, STR(""));
	prepare_index(&fields, &from, a, &p);
	p.preview = preview_make(message, &tree, PREPARE_PREVIEW_MAX, a);
	for (uint32_t i = 0; i < tree.count && !p.has_attachment; i++)
		p.has_attachment = is_attachment(&tree, &tree.parts[i]);
	p.has_8bit_header = has_8bit(str_first(message, p.header_bytes));
	p.is_tls_optional = is_tls_optional(str_first(message, p.header_bytes));
	p.has_8bit = p.has_8bit_header || has_8bit(message);
	*prepared_out = p;
}
