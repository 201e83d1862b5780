#include "mail/mime.h"

#include "base/panic.h"

/* One pass, line by line, with a stack of what is open:
 *
 *   header -> leaf body ----------------.   a line "--boundary" of any open multipart
 *        \-> multipart: preamble -------+-> closes all that is above that multipart,
 *        \-> message: header again      |   then begins a part of it (header), or, with
 *                                       '   "--" behind it, its epilogue
 *
 * The line end before a boundary line belongs to the boundary (RFC 2046 5.1.1), so what
 * is closed by it ends there, unless that line end has been used up by a header or by
 * another boundary. LFs are counted on the way: a part's lines are the count at
 * its end less the count at its beginning. */

enum {
	PARTS_FIRST = 4,
	/* RFC 2046 5.1.1 allows 70 bytes; of a longer one the beginning counts. */
	BOUNDARY_MAX = 80,
};

struct open_part {
	uint32_t index;
	struct str boundary; /* of a multipart that has not seen its end, else empty */
};

struct parser {
	struct str message;
	struct arena *arena;
	struct mime_part *parts;
	size_t *body_line; /* LFs before each part's body */
	uint32_t count, cap;
	struct open_part stack[MIME_DEPTH_MAX + 2]; /* from the message inwards */
	uint32_t open;
	uint32_t boundaries; /* of those, how many have one */
	size_t at;           /* always at the start of a line, or at the end */
	size_t lines;        /* LFs before `at` */
	size_t content_at;   /* behind the last header or boundary line */
	bool is_cut, is_ambiguous;
};

static struct mime_part *
top_part(struct parser *p)
{
	return &p->parts[p->stack[p->open - 1].index];
}

/* Room for one more part; false where the arena has none. */
static bool
grow_parts(struct parser *p)
{
	uint32_t cap = p->cap ? p->cap * 4 : PARTS_FIRST;
	struct mime_part *parts;
	size_t *body_line;

	if (p->count < p->cap)
		return true;
	parts = arena_try(p->arena, cap * sizeof(*parts));
	body_line = arena_try(p->arena, cap * sizeof(*body_line));
	if (!parts || !body_line)
		return false;
	if (p->count) {
		memcpy(parts, p->parts, p->count * sizeof(*parts));
		memcpy(body_line, p->body_line, p->count * sizeof(*body_line));
	}
	p->parts = parts;
	p->body_line = body_line;
	p->cap = cap;
	return true;
}

static bool
may_open(const struct parser *p)
{
	return p->count < MIME_PARTS_MAX && p->open <= MIME_DEPTH_MAX;
}

/* A new part inside the innermost open one, beginning at p->at. */
static bool
open_part(struct parser *p)
{
	struct mime_part *part;
	uint32_t parent = p->open ? p->stack[p->open - 1].index : MIME_NO_PART;

	if (!grow_parts(p))
		return false;
	part = &p->parts[p->count];
	*part = (struct mime_part){
		.parent = parent,
		.depth = p->open,
		.header_at = p->at,
	};
	if (parent != MIME_NO_PART)
		p->parts[parent].child_count++;
	p->stack[p->open++] = (struct open_part){ .index = p->count };
	p->count++;
	return true;
}

/* Closes parts until `keep` are open; they end at `end`, with `lines` LFs before it. */
static void
close_parts(struct parser *p, uint32_t keep, size_t end, size_t lines)
{
	while (p->open > keep) {
		struct open_part *o = &p->stack[--p->open];
		struct mime_part *part = &p->parts[o->index];

		if (o->boundary.n) {
			p->boundaries--;
			p->is_ambiguous = true; /* it never ended */
		}
		part->next = p->count;
		if (end > part->body_at) {
			part->body_bytes = end - part->body_at;
			part->body_lines = lines - p->body_line[o->index];
		}
	}
}

/* Where the boundary line at p->at belongs: the position on the stack, or the number of
   open parts where it is none of ours. As RFC 2046 5.1.1 wants it, the beginning of the
   line decides; where several fit, a whole line does, then the longest, then the
   innermost. */
static uint32_t
find_boundary(const struct parser *p, bool *is_end_out)
{
	const char *lf = memchr(p->message.p + p->at, '\n', p->message.n - p->at);
	size_t end = lf ? (size_t)(lf - p->message.p) : p->message.n;
	struct str line = str_make(p->message.p + p->at + 2, end - p->at - 2);
	uint32_t best = p->open;
	bool is_end = false;

	while (line.n && (line.p[line.n - 1] == ' ' || line.p[line.n - 1] == '\t' ||
	                  line.p[line.n - 1] == '\r'))
		line.n--;
	for (uint32_t i = p->open; i-- > 0;) {
		struct str b = p->stack[i].boundary;
		struct str behind;

		if (!b.n || !str_starts(line, b))
			continue;
		if (best != p->open && p->stack[best].boundary.n >= b.n)
			continue;
		behind = str_from_offset(line, b.n);
		best = i;
		is_end = str_starts(behind, STR("--"));
		if (behind.n == 0 || (is_end && behind.n == 2))
			break;
	}
	*is_end_out = is_end;
	return best;
}

static bool
is_boundary_start(const struct parser *p)
{
	return p->boundaries && p->message.n - p->at >= 2 && p->message.p[p->at] == '-' &&
	       p->message.p[p->at + 1] == '-';
}

/* Goes behind the line at p->at. */
static void
next_line(struct parser *p)
{
	const char *lf = memchr(p->message.p + p->at, '\n', p->message.n - p->at);

	if (lf)
		p->lines++;
	p->at = lf ? (size_t)(lf - p->message.p) + 1 : p->message.n;
}

/* If a boundary line stands at p->at: closes what it closes, goes behind the line and
   says true; *is_part_out tells whether a part begins there. */
static bool
take_boundary(struct parser *p, bool *is_part_out)
{
	size_t end = p->at, lines = p->lines;
	bool is_end = false;
	uint32_t level = find_boundary(p, &is_end);

	if (level == p->open)
		return false;
	if (end > p->content_at) {
		end--;
		lines--;
		if (end > p->content_at && p->message.p[end - 1] == '\r')
			end--;
	}
	close_parts(p, level + 1, end, lines);
	next_line(p);
	p->content_at = p->at;
	if (is_end) {
		p->stack[level].boundary.n = 0;
		p->boundaries--;
	}
	*is_part_out = !is_end;
	return true;
}

/* Keeps the fields that BODYSTRUCTURE needs. */
static void
keep_field(struct parser *p, struct mime_part *part, const struct header_field *f)
{
	static const struct {
		struct str name;
		size_t offset;
	} kept[] = {
		{ STR_INIT("Type"), offsetof(struct mime_part, content_type) },
		{ STR_INIT("Transfer-Encoding"),
		  offsetof(struct mime_part, content_encoding) },
		{ STR_INIT("Disposition"),
		  offsetof(struct mime_part, content_disposition) },
		{ STR_INIT("ID"), offsetof(struct mime_part, content_id) },
		{ STR_INIT("Description"),
		  offsetof(struct mime_part, content_description) },
		{ STR_INIT("MD5"), offsetof(struct mime_part, content_md5) },
		{ STR_INIT("Language"), offsetof(struct mime_part, content_language) },
		{ STR_INIT("Location"), offsetof(struct mime_part, content_location) },
	};
	struct str name = f->name;

	if (!str_skip_icase(&name, STR("Content-")))
		return;
	for (size_t i = 0; i < ARRAY_LEN(kept); i++) {
		struct header_field *slot = (void *)((char *)part + kept[i].offset);

		if (!str_eq_icase(name, kept[i].name))
			continue;
		if (slot->name.p && i < 2)
			p->is_ambiguous = true;
		if (!slot->name.p)
			*slot = *f;
		return;
	}
}

static void
find_type(struct parser *p, struct mime_part *part)
{
	struct str parent_type =
		part->parent == MIME_NO_PART ? STR("") : p->parts[part->parent].subtype;
	struct str rest = part->content_type.value;
	struct str both =
		part->content_type.name.p ? mime_value_first(&rest, p->arena) : STR("");
	size_t slash = str_find(both, '/');

	mime_skip_space(&rest);
	if (slash != SIZE_MAX && slash > 0 && slash + 1 < both.n &&
	    (!rest.n || rest.p[0] == ';')) {
		part->type = str_first(both, slash);
		part->subtype = str_from_offset(both, slash + 1);
		return;
	}
	part->is_type_default = true;
	part->type = STR("text");
	part->subtype = STR("plain");
	if (!part->content_type.name.p && str_eq_icase(parent_type, STR("digest")) &&
	    p->parts[part->parent].kind == MIME_MULTIPART) {
		part->type = STR("message");
		part->subtype = STR("rfc822");
	}
}

static enum mime_encoding
find_encoding(struct parser *p, const struct mime_part *part)
{
	struct str rest = part->content_encoding.value, word;

	if (!part->content_encoding.name.p)
		return MIME_7BIT;
	word = mime_value_first(&rest, p->arena);
	if (str_eq_icase(word, STR("base64")))
		return MIME_BASE64;
	return str_eq_icase(word, STR("quoted-printable")) ? MIME_QUOTED_PRINTABLE
	                                                   : MIME_7BIT;
}

bool
mime_is_message(const struct mime_part *part)
{
	return str_eq_icase(part->type, STR("message")) &&
	       str_eq_icase(part->subtype, STR("rfc822"));
}

static struct str
find_param(struct str value, struct str name, struct arena *a)
{
	struct str key, text;

	(void)mime_value_first(&value, a);
	while (mime_param_next(&value, a, &key, &text)) {
		if (str_eq_icase(key, name))
			return text;
	}
	return STR("");
}

/* The header of the innermost part has been read: says what kind of part it is. True
   where a message begins at p->at. */
static bool
begin_body(struct parser *p)
{
	struct open_part *o = &p->stack[p->open - 1];
	struct mime_part *part = &p->parts[o->index];

	part->body_at = p->at;
	p->body_line[o->index] = p->lines;
	part->encoding = find_encoding(p, part);
	find_type(p, part);
	if (str_eq_icase(part->type, STR("multipart"))) {
		struct str b =
			find_param(part->content_type.value, STR("boundary"), p->arena);

		while (b.n && b.p[b.n - 1] == ' ')
			b.n--; /* RFC 2046 5.1.1: it ends in no space */
		b = str_first(b, BOUNDARY_MAX);
		part->kind = MIME_MULTIPART;
		if (b.n && may_open(p)) {
			o->boundary = b;
			p->boundaries++;
		} else {
			p->is_cut |= b.n > 0;
			p->is_ambiguous = true;
		}
		return false;
	}
	if (!mime_is_message(part))
		return false;
	if (!may_open(p)) {
		p->is_cut = true;
		return false;
	}
	part->kind = MIME_MESSAGE;
	return true;
}

/* Reads fields up to the empty line, a boundary or the end. */
static void
read_fields(struct parser *p, struct mime_part *part)
{
	struct str rest = str_from_offset(p->message, p->at);
	struct header_field field;
	enum header_line kind;
	bool is_end;

	for (;;) {
		p->at = p->message.n - rest.n;
		if (is_boundary_start(p) && find_boundary(p, &is_end) != p->open) {
			p->is_ambiguous = true;
			return;
		}
		kind = header_take(&rest, &field);
		if (kind == HEADER_END)
			break;
		if (kind == HEADER_FIELD)
			keep_field(p, part, &field);
	}
	if (rest.n)
		next_line(p); /* the empty one */
}

static void
read_header(struct parser *p)
{
	struct mime_part *part = top_part(p);
	size_t lines = p->lines;

	read_fields(p, part);
	part->header_bytes = p->at - part->header_at;
	part->header_lines = header_lines(
		str_make(p->message.p + part->header_at, part->header_bytes));
	p->lines = lines + part->header_lines;
	p->content_at = p->at;
}

/* Goes on to the next boundary that begins a part and behind it; false at the end. */
static bool
find_part(struct parser *p)
{
	while (p->at < p->message.n) {
		bool is_part = false;

		if (!p->boundaries) {
			p->lines += header_lines(str_from_offset(p->message, p->at));
			p->at = p->message.n;
		} else if (!is_boundary_start(p) || !take_boundary(p, &is_part)) {
			next_line(p);
		} else if (is_part) {
			return true;
		}
	}
	return false;
}

void
mime_parse(struct str message, struct arena *a, struct mime_tree *tree_out)
{
	struct parser p = { .message = message.n ? message : STR(""), .arena = a };

	CHECK(open_part(&p));
	for (;;) {
		read_header(&p);
		if (begin_body(&p)) {
			if (open_part(&p))
				continue;
			p.is_cut = true;
			top_part(&p)->kind = MIME_LEAF;
		}
		do {
			if (!find_part(&p))
				goto out;
			if (may_open(&p))
				break;
			p.is_cut = true;
		} while (true);
		if (!open_part(&p)) {
			p.is_cut = true;
			break;
		}
	}
out:
	close_parts(&p, 0, message.n, p.lines + (p.at < message.n));
	*tree_out = (struct mime_tree){
		.parts = p.parts,
		.count = p.count,
		.is_cut = p.is_cut,
		.is_ambiguous = p.is_ambiguous,
	};
}
