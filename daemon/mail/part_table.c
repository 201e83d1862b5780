#include "mail/part_table.h"

#include "base/pack.h"

/* Version, count, then a row for each part in depth-first order, numbers as LEB128:
 * kind and encoding in one byte, parts inside (all levels), where the header begins less
 * where the row before it began its own, header bytes, body bytes. A plain message takes
 * about 10 bytes. */
enum { TABLE_VERSION = 1 };

struct row {
	enum mime_kind kind;
	enum mime_encoding encoding;
	uint32_t inside;
	size_t header_at, header_bytes, body_at, body_bytes;
};

struct reader {
	struct str rest;
	uint32_t count, taken; /* rows in the table, and taken off rest */
	size_t at;             /* header_at of the last row */
	bool is_bad;
};

static void
add_number(struct strbuf *out, uint64_t v)
{
	for (; v >= 0x80; v >>= 7)
		strbuf_byte(out, (char)(v | 0x80));
	strbuf_byte(out, (char)v);
}

static uint64_t
take_number(struct reader *r)
{
	uint64_t v = 0;

	for (unsigned shift = 0; shift < 63 && r->rest.n; shift += 7) {
		unsigned char c = (unsigned char)r->rest.p[0];

		r->rest = str_from_offset(r->rest, 1);
		v |= (uint64_t)(c & 0x7f) << shift;
		if (c < 0x80)
			return v;
	}
	r->is_bad = true;
	return 0;
}

void
part_table_format(const struct mime_tree *tree, struct strbuf *out)
{
	size_t at = 0;

	strbuf_byte(out, TABLE_VERSION);
	add_number(out, tree->count);
	for (uint32_t i = 0; i < tree->count; i++) {
		const struct mime_part *part = &tree->parts[i];

		strbuf_byte(out,
		            (char)((unsigned)part->kind | (unsigned)part->encoding << 4));
		add_number(out, part->next - i - 1);
		add_number(out, part->header_at - at);
		add_number(out, part->header_bytes);
		add_number(out, part->body_bytes);
		at = part->header_at;
	}
}

static bool
open_table(struct str table, struct reader *r)
{
	*r = (struct reader){ .rest = str_from_offset(table, 1) };
	if (!table.n || table.p[0] != TABLE_VERSION)
		return false;
	r->count = (uint32_t)take_number(r);
	return !r->is_bad && r->count >= 1 && r->count <= MIME_PARTS_MAX;
}

static bool
take_row(struct reader *r, struct row *row)
{
	static const uint64_t size_max = (uint64_t)1 << 48;
	unsigned char c = r->rest.n ? (unsigned char)r->rest.p[0] : 0xff;
	uint64_t inside, step, header, body;

	r->rest = str_from_offset(r->rest, 1);
	inside = take_number(r);
	step = take_number(r);
	header = take_number(r);
	body = take_number(r);
	r->taken++;
	if ((c & 0xf) > MIME_MESSAGE || c >> 4 > MIME_BASE64 || r->taken > r->count ||
	    inside > r->count - r->taken || step > size_max || header > size_max ||
	    body > size_max || r->is_bad) {
		r->is_bad = true;
		return false;
	}
	r->at += step;
	*row = (struct row){
		.kind = (enum mime_kind)(c & 0xf),
		.encoding = (enum mime_encoding)(c >> 4),
		.inside = (uint32_t)inside,
		.header_at = r->at,
		.header_bytes = header,
		.body_at = r->at + header,
		.body_bytes = body,
	};
	return true;
}

/* Goes to the child number `wanted` (from 1) of row, whose own row was taken last. */
static bool
enter_child(struct reader *r, struct row *row, uint32_t wanted)
{
	uint32_t end = r->taken + row->inside;

	while (r->taken < end && wanted > 0) {
		if (!take_row(r, row))
			return false;
		if (--wanted == 0)
			return true;
		for (uint32_t i = row->inside; i > 0; i--) {
			struct row skipped;

			if (!take_row(r, &skipped))
				return false;
		}
	}
	return false;
}

/* Where a path has led to. */
struct place {
	struct row row;
	bool is_message; /* row stands for a whole message, not yet for its text */
};

/* One number of the path further. A message that is no multipart has one part, "1": its
   own text. A number behind a message part goes into the message. */
static bool
enter_number(struct reader *r, struct place *at, uint32_t number)
{
	if (!at->is_message && at->row.kind == MIME_MESSAGE) {
		if (!enter_child(r, &at->row, 1))
			return false;
		at->is_message = true;
	}
	if (at->row.kind == MIME_MULTIPART && at->row.inside) {
		at->is_message = false;
		return enter_child(r, &at->row, number);
	}
	if (number != 1 || (!at->is_message && at->row.kind != MIME_MULTIPART))
		return false;
	/* BODYSTRUCTURE gives a multipart without parts an empty one. */
	if (at->row.kind == MIME_MULTIPART)
		at->row = (struct row){ .header_at = at->row.body_at,
			                .body_at = at->row.body_at };
	at->is_message = false;
	return true;
}

static enum err
pick(struct reader *r, struct place *at, enum section_kind kind, struct span *span_out,
     enum mime_encoding *encoding_out)
{
	bool is_inside = kind == SECTION_HEADER || kind == SECTION_TEXT;

	*encoding_out = MIME_7BIT;
	/* HEADER and TEXT behind a number are those of the message in that part. */
	if (is_inside && !at->is_message &&
	    (at->row.kind != MIME_MESSAGE || !enter_child(r, &at->row, 1)))
		return r->is_bad ? ERR_CORRUPT : ERR_NOT_FOUND;
	if (kind == SECTION_MIME && at->is_message)
		return ERR_NOT_FOUND;
	if (kind == SECTION_HEADER || kind == SECTION_MIME) {
		*span_out = (struct span){ at->row.header_at, at->row.header_bytes };
		return OK;
	}
	*span_out = (struct span){ at->row.body_at, at->row.body_bytes };
	if (kind == SECTION_BODY && at->is_message)
		*span_out = (struct span){ 0, at->row.body_at + at->row.body_bytes };
	else if (kind == SECTION_BODY)
		*encoding_out = at->row.encoding;
	return OK;
}

enum err
part_table_find(struct str table, const uint32_t *path, size_t depth,
                enum section_kind kind, struct span *span_out,
                enum mime_encoding *encoding_out)
{
	struct place at = { .is_message = true };
	struct reader r;

	if (!open_table(table, &r) || !take_row(&r, &at.row))
		return ERR_CORRUPT;
	for (size_t i = 0; i < depth; i++) {
		if (!enter_number(&r, &at, path[i]))
			return r.is_bad ? ERR_CORRUPT : ERR_NOT_FOUND;
	}
	return pick(&r, &at, kind, span_out, encoding_out);
}
