#include "mail/bodystructure.h"

#include "mail/envelope.h"
#include "mail/fetch_text.h"
#include "mail/mime_param.h"

/* The parts are walked in depth-first order; what must follow the parts inside a part is
 * written when the walk passes its end, from a stack of those that are open. */

struct writer {
	struct str message;
	const struct mime_tree *tree;
	struct arena *arena;
	struct strbuf *out;
	bool is_extended;
};

static void
add_params(struct writer *w, struct str value, struct str default_text)
{
	struct str name, text;
	bool is_empty = true;

	while (w->out->n < BODYSTRUCTURE_SOFT_MAX &&
	       mime_param_next(&value, w->arena, &name, &text)) {
		strbuf_byte(w->out, is_empty ? '(' : ' ');
		is_empty = false;
		fetch_string(w->out, name);
		strbuf_byte(w->out, ' ');
		fetch_string(w->out, text);
	}
	if (is_empty)
		strbuf_add(w->out, default_text);
	else
		strbuf_byte(w->out, ')');
}

static void
add_type_params(struct writer *w, const struct mime_part *part)
{
	struct str value = part->content_type.value;
	struct str none = STR("NIL");

	if (str_eq_icase(part->type, STR("text")))
		none = STR("(\"charset\" \"us-ascii\")");
	if (part->is_type_default) {
		strbuf_add(w->out, none);
		return;
	}
	(void)mime_value_first(&value, w->arena);
	add_params(w, value, none);
}

/* A field's text, or NIL. */
static void
add_field(struct writer *w, const struct header_field *f)
{
	if (!f->name.p || w->out->n > BODYSTRUCTURE_SOFT_MAX) {
		strbuf_lit(w->out, "NIL");
		return;
	}
	fetch_string(w->out, header_unfold(f->value, w->arena));
}

static void
add_disposition(struct writer *w, const struct mime_part *part)
{
	struct str value = part->content_disposition.value, word;

	if (!part->content_disposition.name.p) {
		strbuf_lit(w->out, "NIL");
		return;
	}
	word = mime_value_first(&value, w->arena);
	if (!word.n) {
		strbuf_lit(w->out, "NIL");
		return;
	}
	strbuf_byte(w->out, '(');
	fetch_string(w->out, word);
	strbuf_byte(w->out, ' ');
	add_params(w, value, STR("NIL"));
	strbuf_byte(w->out, ')');
}

/* One language, or a list of them. */
static void
add_language(struct writer *w, const struct mime_part *part)
{
	struct str rest = header_unfold(part->content_language.value, w->arena), tag;
	bool is_empty = true;

	if (!part->content_language.name.p) {
		strbuf_lit(w->out, "NIL");
		return;
	}
	while (w->out->n < BODYSTRUCTURE_SOFT_MAX && str_next(&rest, ',', &tag)) {
		tag = str_trim(tag);
		if (!tag.n)
			continue;
		strbuf_byte(w->out, is_empty ? '(' : ' ');
		is_empty = false;
		fetch_string(w->out, tag);
	}
	if (is_empty)
		strbuf_lit(w->out, "NIL");
	else
		strbuf_byte(w->out, ')');
}

/* What multiparts and others have in common at the end. */
static void
add_extension(struct writer *w, const struct mime_part *part)
{
	strbuf_byte(w->out, ' ');
	add_disposition(w, part);
	strbuf_byte(w->out, ' ');
	add_language(w, part);
	strbuf_byte(w->out, ' ');
	add_field(w, &part->content_location);
}

/* The encoding, where it is one token; what is none is not repeated to programs. */
static struct str
encoding_of(struct writer *w, const struct mime_part *part)
{
	struct str rest = part->content_encoding.value, word;

	if (!part->content_encoding.name.p)
		return STR("7bit");
	word = mime_value_first(&rest, w->arena);
	mime_skip_space(&rest);
	if (!word.n || rest.n)
		return STR("7bit");
	for (size_t i = 0; i < word.n; i++) {
		if (!byte_is_alnum(word.p[i]) && !strchr("!#$%&'*+-.^_`{|}~", word.p[i]))
			return STR("7bit");
	}
	return word;
}

static void
begin_single(struct writer *w, const struct mime_part *part)
{
	strbuf_byte(w->out, '(');
	fetch_string(w->out, part->type);
	strbuf_byte(w->out, ' ');
	fetch_string(w->out, part->subtype);
	strbuf_byte(w->out, ' ');
	add_type_params(w, part);
	strbuf_byte(w->out, ' ');
	add_field(w, &part->content_id);
	strbuf_byte(w->out, ' ');
	add_field(w, &part->content_description);
	strbuf_byte(w->out, ' ');
	fetch_string(w->out, encoding_of(w, part));
	strbuf_byte(w->out, ' ');
	strbuf_u64(w->out, part->body_bytes);
}

static void
end_single(struct writer *w, const struct mime_part *part)
{
	if (mime_is_message(part) || str_eq_icase(part->type, STR("text"))) {
		strbuf_byte(w->out, ' ');
		strbuf_u64(w->out, part->body_lines);
	}
	if (w->is_extended) {
		strbuf_byte(w->out, ' ');
		add_field(w, &part->content_md5);
		add_extension(w, part);
	}
	strbuf_byte(w->out, ')');
}

/* The grammar wants a part in every multipart. */
static void
add_empty_part(struct writer *w)
{
	strbuf_lit(w->out,
	           "(\"text\" \"plain\" (\"charset\" \"us-ascii\") NIL NIL \"7bit\" 0 0");
	if (w->is_extended)
		strbuf_lit(w->out, " NIL NIL NIL NIL");
	strbuf_byte(w->out, ')');
}

static void
add_envelope(struct writer *w, const struct mime_part *message)
{
	struct envelope_fields fields = { 0 };

	if (w->out->n < BODYSTRUCTURE_SOFT_MAX)
		envelope_read(str_first(str_from_offset(w->message, message->header_at),
		                        message->header_bytes),
		              &fields);
	strbuf_byte(w->out, ' ');
	envelope_format(&fields, w->arena, w->out, NULL);
	strbuf_byte(w->out, ' ');
}

static void
end_multipart(struct writer *w, const struct mime_part *part)
{
	struct str value = part->content_type.value;

	if (!part->child_count)
		add_empty_part(w);
	strbuf_byte(w->out, ' ');
	fetch_string(w->out, part->subtype);
	if (w->is_extended) {
		strbuf_byte(w->out, ' ');
		(void)mime_value_first(&value, w->arena);
		add_params(w, value, STR("NIL"));
		add_extension(w, part);
	}
	strbuf_byte(w->out, ')');
}

static void
begin_part(struct writer *w, uint32_t i)
{
	const struct mime_part *part = &w->tree->parts[i];

	if (part->kind == MIME_MULTIPART) {
		strbuf_byte(w->out, '(');
		return;
	}
	begin_single(w, part);
	if (part->kind == MIME_MESSAGE) {
		add_envelope(w, part + 1);
	} else if (mime_is_message(part)) {
		/* Too deep to be taken apart: the grammar wants something here. */
		strbuf_lit(w->out, " (NIL NIL NIL NIL NIL NIL NIL NIL NIL NIL) ");
		add_empty_part(w);
	}
}

static void
end_part(struct writer *w, uint32_t i)
{
	const struct mime_part *part = &w->tree->parts[i];

	if (part->kind == MIME_MULTIPART)
		end_multipart(w, part);
	else
		end_single(w, part);
}

void
bodystructure_format(struct str message, const struct mime_tree *tree, bool is_extended,
                     struct arena *a, struct strbuf *out)
{
	struct writer w = { message, tree, a, out, is_extended };
	uint32_t open = MIME_NO_PART;

	for (uint32_t i = 0; i < tree->count; i++) {
		while (open != MIME_NO_PART && tree->parts[open].next <= i) {
			end_part(&w, open);
			open = tree->parts[open].parent;
		}
		begin_part(&w, i);
		open = i;
	}
	while (open != MIME_NO_PART) {
		end_part(&w, open);
		open = tree->parts[open].parent;
	}
}
