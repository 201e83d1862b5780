#include "imap/imap_section.h"

#include "mail/header.h"

static const struct kind {
	struct str word;
	enum section_kind kind;
	enum imap_fields fields;
} kinds[] = {
	/* clang-format off */
	{ STR_INIT("HEADER.FIELDS.NOT"), SECTION_HEADER, FIELDS_OTHER },
	{ STR_INIT("HEADER.FIELDS"),     SECTION_HEADER, FIELDS_THESE },
	{ STR_INIT("HEADER"),            SECTION_HEADER, FIELDS_ALL },
	{ STR_INIT("TEXT"),              SECTION_TEXT,   FIELDS_ALL },
	{ STR_INIT("MIME"),              SECTION_MIME,   FIELDS_ALL },
	/* clang-format on */
};

static bool
take_kind(struct imap_args *args, struct imap_section *section)
{
	for (size_t i = 0; i < ARRAY_LEN(kinds); i++) {
		if (!str_skip_icase(&args->rest, kinds[i].word))
			continue;
		section->kind = kinds[i].kind;
		section->fields = kinds[i].fields;
		if (section->kind == SECTION_MIME && section->depth == 0)
			return imap_args_fail(args, "MIME needs a part number");
		return true;
	}
	return imap_args_fail(args, "Unknown section");
}

/* "1.2.", "1.2" or nothing; *goes_on_out: a word must follow. */
static bool
take_path(struct imap_args *args, struct imap_section *section, bool *goes_on_out)
{
	uint32_t *path = NULL;

	*goes_on_out = !imap_args_at(args, ']');
	if (args->rest.n == 0 || !byte_is_digit(args->rest.p[0]))
		return true;
	path = arena_try(args->arena, IMAP_PATH_MAX * sizeof(*path));
	if (!path)
		return imap_args_fail(args, "Command too large");
	section->path = path;
	*goes_on_out = false;
	while (args->rest.n > 0 && byte_is_digit(args->rest.p[0])) {
		if (section->depth == IMAP_PATH_MAX)
			return imap_args_fail(args, "Section too deep");
		if (!imap_args_u32(args, &path[section->depth]))
			return false;
		if (path[section->depth++] == 0)
			return imap_args_fail(args, "Parts are numbered from 1");
		*goes_on_out = str_skip_byte(&args->rest, '.');
		if (!*goes_on_out)
			return true;
	}
	return true;
}

/* " (name name)" */
static bool
take_names(struct imap_args *args, struct imap_section *section)
{
	struct str *names = arena_try(args->arena, IMAP_FIELDS_MAX * sizeof(*names));

	if (!names)
		return imap_args_fail(args, "Command too large");
	section->names = names;
	if (!imap_args_space(args) || !imap_args_open(args))
		return false;
	do {
		if (section->names_n == IMAP_FIELDS_MAX)
			return imap_args_fail(args, "Too many header fields");
		if (!imap_args_astring(args, &names[section->names_n++]))
			return false;
	} while (str_skip_byte(&args->rest, ' '));
	return imap_args_close(args);
}

static bool
take_partial(struct imap_args *args, struct imap_section *section)
{
	if (!str_skip_byte(&args->rest, '<'))
		return true;
	section->is_partial = true;
	if (!imap_args_u64(args, &section->first))
		return false;
	if (!str_skip_byte(&args->rest, '.'))
		return imap_args_fail(args, "Malformed partial range");
	if (!imap_args_u64(args, &section->length))
		return false;
	if (section->length == 0 || !str_skip_byte(&args->rest, '>'))
		return imap_args_fail(args, "Malformed partial range");
	return true;
}

bool
imap_section_parse(struct imap_args *args, struct imap_section *section_out)
{
	bool goes_on;

	*section_out = (struct imap_section){ .kind = SECTION_BODY };
	if (!str_skip_byte(&args->rest, '['))
		return imap_args_fail(args, "Expected a section");
	if (!take_path(args, section_out, &goes_on) ||
	    (goes_on && !take_kind(args, section_out)))
		return false;
	if (section_out->fields != FIELDS_ALL && !take_names(args, section_out))
		return false;
	if (!str_skip_byte(&args->rest, ']'))
		return imap_args_fail(args, "Malformed section");
	return take_partial(args, section_out);
}

static bool
is_atom(struct str s)
{
	for (size_t i = 0; i < s.n; i++) {
		if (!byte_is_alnum(s.p[i]) && s.p[i] != '-' && s.p[i] != '_' &&
		    s.p[i] != '.')
			return false;
	}
	return s.n > 0;
}

static void
format_names(const struct imap_section *section, struct strbuf *out)
{
	strbuf_lit(out, " (");
	for (size_t i = 0; i < section->names_n; i++) {
		if (i > 0)
			strbuf_byte(out, ' ');
		if (is_atom(section->names[i]))
			strbuf_add(out, section->names[i]);
		else
			imap_string_format(out, section->names[i]);
	}
	strbuf_byte(out, ')');
}

void
imap_section_format(const struct imap_section *section, struct strbuf *out)
{
	strbuf_byte(out, '[');
	for (size_t i = 0; i < section->depth; i++) {
		if (i > 0)
			strbuf_byte(out, '.');
		strbuf_u64(out, section->path[i]);
	}
	for (size_t i = 0; i < ARRAY_LEN(kinds); i++) {
		if (kinds[i].kind != section->kind || kinds[i].fields != section->fields)
			continue;
		if (section->depth > 0)
			strbuf_byte(out, '.');
		strbuf_add(out, kinds[i].word);
	}
	if (section->fields != FIELDS_ALL)
		format_names(section, out);
	strbuf_byte(out, ']');
	if (!section->is_partial)
		return;
	strbuf_byte(out, '<');
	strbuf_u64(out, section->first);
	strbuf_byte(out, '>');
}

static struct str
part_of(const struct imap_section *section, struct str bytes)
{
	if (!section->is_partial)
		return bytes;
	if (section->first >= bytes.n)
		return str_make(bytes.p, 0);
	bytes = str_from_offset(bytes, (size_t)section->first);
	return section->length < bytes.n ? str_first(bytes, (size_t)section->length)
	                                 : bytes;
}

bool
imap_section_find(const struct imap_section *section, struct str message,
                  struct str parts, struct strbuf *scratch, struct str *bytes_out,
                  size_t *looked_out)
{
	struct span span = { 0, message.n };
	enum mime_encoding encoding;

	*looked_out = 0;
	if (section->depth > 0 || section->kind != SECTION_BODY) {
		if (part_table_find(parts, section->path, section->depth, section->kind,
		                    &span, &encoding) != OK)
			return false;
		/* The table comes from the database: a damaged one must not lead outside. */
		if (span.at > message.n || span.n > message.n - span.at)
			return false;
	}
	*bytes_out = str_make(message.p + span.at, span.n);
	strbuf_clear(scratch);
	if (section->fields != FIELDS_ALL) {
		*looked_out = span.n * (1 + section->names_n);
		header_copy_fields(*bytes_out, section->names, section->names_n,
		                   section->fields == FIELDS_THESE, scratch);
		*bytes_out = strbuf_str(scratch);
	}
	*bytes_out = part_of(section, *bytes_out);
	return true;
}
