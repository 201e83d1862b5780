#include "ext/xml.h"

#include "base/strbuf.h"

#include <expat.h>
#include <stdbool.h>

enum {
	PATH_MAX_BYTES = 512,
	PIECE_BYTES = 16 << 10, /* a length that fits any int */
	SPACE_MAX = 256,        /* of a name space, or of what stands for it */
	TOKEN_MAX = 64 << 10,   /* of one tag, comment or the like, about */
};

struct reader {
	XML_Parser parser;
	xml_element_fn *fn;
	void *arg;
	struct strbuf path, text;
	struct strbuf prefix, space; /* of the root */
	size_t depth;
	size_t quiet; /* bytes since expat last said anything */
	enum err e;
};

static void
stop(struct reader *r, enum err e)
{
	if (r->e == OK)
		r->e = e;
	(void)XML_StopParser(r->parser, XML_FALSE);
}

static struct str
attribute(const XML_Char **attributes, struct str name)
{
	for (; *attributes; attributes += 2) {
		if (str_eq(str_from(attributes[0]), name))
			return str_from(attributes[1]);
	}
	return STR("");
}

static void
begin_root(struct reader *r, struct str prefix, const XML_Char **attributes)
{
	char bytes[SPACE_MAX];
	struct strbuf name = strbuf_on(bytes);

	strbuf_printf(&name, "xmlns%s%.*s", prefix.n ? ":" : "", STR_ARG(prefix));
	strbuf_add(&r->prefix, prefix);
	strbuf_add(&r->space, attribute(attributes, strbuf_str(&name)));
	if (name.overflow || r->prefix.overflow || r->space.overflow)
		stop(r, ERR_LIMIT);
}

/* Of another name space than the root: what somebody added to the format. */
static bool
is_foreign(const struct reader *r, struct str prefix, const XML_Char **attributes)
{
	struct str space = attribute(attributes, STR("xmlns"));

	if (prefix.n)
		return !str_eq(prefix, strbuf_str(&r->prefix));
	return space.n && !str_eq(space, strbuf_str(&r->space));
}

static void XMLCALL
on_open(void *arg, const XML_Char *name, const XML_Char **attributes)
{
	struct reader *r = arg;
	struct str s = str_from(name);
	size_t colon = str_find_last(s, ':');
	struct str prefix = colon == SIZE_MAX ? STR("") : str_first(s, colon);

	r->quiet = 0;
	if (++r->depth > XML_DEPTH_MAX) {
		stop(r, ERR_LIMIT);
		return;
	}
	if (r->depth == 1)
		begin_root(r, prefix, attributes);
	if (r->path.n)
		strbuf_byte(&r->path, '/');
	if (is_foreign(r, prefix, attributes))
		strbuf_lit(&r->path, ":");
	strbuf_add(&r->path, str_from_offset(s, colon == SIZE_MAX ? 0 : colon + 1));
	if (r->path.overflow)
		stop(r, ERR_LIMIT);
	strbuf_clear(&r->text);
}

static void XMLCALL
on_text(void *arg, const XML_Char *text, int n)
{
	struct reader *r = arg;

	r->quiet = 0;
	strbuf_add(&r->text,
	           str_first(str_make(text, (size_t)n), r->text.max - r->text.n));
}

static void XMLCALL
on_close(void *arg, const XML_Char *name)
{
	struct reader *r = arg;
	size_t slash = str_find_last(strbuf_str(&r->path), '/');
	enum err e;

	(void)name;
	r->quiet = 0;
	if (r->e != OK)
		return;
	e = r->fn(r->arg, strbuf_str(&r->path), str_trim(strbuf_str(&r->text)));
	if (e != OK)
		stop(r, e);
	strbuf_truncate(&r->path, slash == SIZE_MAX ? 0 : slash);
	strbuf_clear(&r->text);
	r->depth--;
}

/* Comments and all else. */
static void XMLCALL
on_other(void *arg, const XML_Char *text, int n)
{
	struct reader *r = arg;

	(void)text;
	(void)n;
	r->quiet = 0;
}

static void XMLCALL
on_doctype(void *arg, const XML_Char *name, const XML_Char *system_id,
           const XML_Char *public_id, int has_internal)
{
	(void)name;
	(void)system_id;
	(void)public_id;
	(void)has_internal;
	stop(arg, ERR_UNSUPPORTED);
}

enum err
xml_parse(struct str document, xml_element_fn *fn, void *arg)
{
	struct reader r = { .fn = fn,
		            .arg = arg,
		            .path = strbuf_heap(PATH_MAX_BYTES),
		            .text = strbuf_heap(XML_TEXT_MAX),
		            .prefix = strbuf_heap(SPACE_MAX),
		            .space = strbuf_heap(SPACE_MAX) };
	bool is_good = true;

	r.parser = XML_ParserCreate(NULL);
	if (!r.parser)
		return ERR_LIMIT;
	XML_SetUserData(r.parser, &r);
	XML_SetElementHandler(r.parser, on_open, on_close);
	XML_SetCharacterDataHandler(r.parser, on_text);
	XML_SetDefaultHandler(r.parser, on_other);
	XML_SetStartDoctypeDeclHandler(r.parser, on_doctype);
	do {
		struct str piece = str_first(document, PIECE_BYTES);

		document = str_from_offset(document, piece.n);
		r.quiet += piece.n;
		is_good = XML_Parse(r.parser, piece.n ? piece.p : "", (int)piece.n,
		                    document.n == 0) == XML_STATUS_OK;
		/* expat begins anew with each piece of a token that goes on. */
		if (is_good && r.quiet > TOKEN_MAX)
			r.e = ERR_LIMIT;
	} while (is_good && r.e == OK && document.n);
	XML_ParserFree(r.parser);
	strbuf_release(&r.path);
	strbuf_release(&r.text);
	strbuf_release(&r.prefix);
	strbuf_release(&r.space);
	if (r.e != OK)
		return r.e;
	return is_good ? OK : ERR_MALFORMED;
}
