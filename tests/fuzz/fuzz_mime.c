/* Messages: every part lies inside its parent, the FETCH forms are well-formed, every
   section that is found lies inside the message. */
#include "base/panic.h"
#include "base/utf8.h"
#include "mail/mime.h"
#include "mail/part_table.h"
#include "mail/prepare.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Behind a string at s, quoted or literal. */
static struct str
skip_string(struct str s)
{
	size_t n = 0;

	if (str_skip_byte(&s, '{')) {
		while (s.n && byte_is_digit(s.p[0])) {
			n = n * 10 + (size_t)(s.p[0] - '0');
			s = str_from_offset(s, 1);
		}
		CHECK(str_skip(&s, STR("}\r\n")) && s.n >= n);
		return str_from_offset(s, n);
	}
	CHECK(str_skip_byte(&s, '"'));
	while (s.n && s.p[0] != '"') {
		unsigned char c = (unsigned char)s.p[0];

		CHECK(c && c < 0x80 && c != '\r' && c != '\n');
		s = str_from_offset(s, c == '\\' ? 2 : 1);
	}
	CHECK(str_skip_byte(&s, '"'));
	return s;
}

/* One list, all of s. */
static void
check_form(struct str s)
{
	size_t depth = 0;

	do {
		CHECK(s.n);
		if (s.p[0] == '(') {
			depth++;
			s = str_from_offset(s, 1);
		} else if (s.p[0] == ')') {
			depth--;
			s = str_from_offset(s, 1);
		} else if (s.p[0] == '"' || s.p[0] == '{') {
			s = skip_string(s);
		} else if (!str_skip(&s, STR("NIL")) && !str_skip_byte(&s, ' ')) {
			CHECK(byte_is_digit(s.p[0]));
			s = str_from_offset(s, 1);
		}
	} while (depth);
	CHECK(!s.n);
}

static void
check_tree(struct str message, const struct mime_tree *tree)
{
	for (uint32_t i = 0; i < tree->count; i++) {
		const struct mime_part *part = &tree->parts[i], *parent;

		CHECK(part->body_at == part->header_at + part->header_bytes);
		CHECK(part->body_at + part->body_bytes <= message.n);
		CHECK(part->next > i && part->next <= tree->count);
		CHECK(header_lines(str_make(message.p + part->body_at,
		                            part->body_bytes)) == part->body_lines);
		CHECK(part->type.n && part->subtype.n &&
		      part->depth <= MIME_DEPTH_MAX + 1);
		if (i == 0)
			continue;
		parent = &tree->parts[part->parent];
		CHECK(part->parent < i && parent->next >= part->next);
		CHECK(part->header_at >= parent->body_at);
		/* A part whose header is cut by a boundary may end a line end later. */
		CHECK(part->body_at + part->body_bytes <=
		      parent->body_at + parent->body_bytes + 2);
	}
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct arena *a = arena_new(PREPARE_ARENA_BYTES),
		     *b = arena_new(PREPARE_ARENA_BYTES);
	struct str message = str_make(data, size);
	struct mime_tree tree;
	struct prepared p;

	mime_parse(message, b, &tree);
	check_tree(message, &tree);
	mail_prepare(message, a, &p);
	check_form(p.envelope);
	check_form(p.body);
	check_form(p.bodystructure);
	CHECK(utf8_check(p.from) && utf8_check(p.to) && utf8_check(p.cc));
	CHECK(utf8_check(p.subject) && utf8_check(p.preview) &&
	      utf8_check(p.from_address));
	CHECK(p.preview.n <= PREPARE_PREVIEW_MAX && p.subject.n <= PREPARE_FIELD_MAX);
	for (uint32_t i = 0; i < 4 * 4 * 4 * 4; i++) {
		uint32_t path[] = { i & 3, i >> 2 & 3, i >> 4 & 3 };
		struct span span;
		enum mime_encoding encoding;

		if (part_table_find(p.parts, path, i % 4, (enum section_kind)(i >> 6),
		                    &span, &encoding) == OK)
			CHECK(span.at + span.n <= message.n);
		/* The message as a damaged table: any answer, and no byte outside. */
		if (part_table_find(message, path, i % 4, (enum section_kind)(i >> 6),
		                    &span, &encoding) == OK)
			CHECK(span.at + span.n >= span.at);
	}
	arena_free(&a);
	arena_free(&b);
	return 0;
}
