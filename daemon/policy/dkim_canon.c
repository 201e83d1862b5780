/* Bodies are large and hashing is fast, so what needs no change must not be touched byte
   by byte: a block is looked at in words, and one in which relaxing would change nothing
   goes to the sink as it is, but for what its end may turn out to be. */
#include "policy/dkim_canon.h"

#include "base/lanes.h"
#include "base/panic.h"
#include "base/strbuf.h"

enum {
	OUT_BYTES = 512,
	BLOCK_BYTES = 1024,
	RUN_BYTES = 16 * BLOCK_BYTES,
};

/* --- white space ------------------------------------------------------------------- */

static bool
is_wsp(char c)
{
	return c == ' ' || c == '\t';
}

/* Where white space stands that relaxing would change: looks one byte further. */
static lanes
changes(const uint8_t *p)
{
	lanes v = lanes_load(p), next = lanes_load(p + 1);

	return (lanes)(v == '\t') |
	       ((lanes)(v == ' ') & (lanes)((next == ' ') | (next == '\r')));
}

/* White space that relaxing would change, or whose meaning the next byte decides. */
static bool
is_changed(const uint8_t *p, size_t n)
{
	lanes found = { 0 };
	size_t i = 0;

	for (; i + 2 * LANES < n; i += 2 * LANES)
		found |= changes(p + i) | changes(p + i + LANES);
	for (; i + LANES < n; i += LANES)
		found |= changes(p + i);
	if (n > LANES) /* the last ones once more, rather than byte by byte */
		return lanes_any(found | changes(p + n - 1 - LANES)) || p[n - 1] == '\t';
	for (; i + 1 < n; i++)
		if (p[i] == '\t' ||
		    (p[i] == ' ' && (p[i + 1] == ' ' || p[i + 1] == '\r')))
			return true;
	return p[n - 1] == '\t';
}

/* --- fields ------------------------------------------------------------------------- */

/* Gathers bytes for a sink. */
struct out {
	struct strbuf b;
	dkim_sink_fn *sink;
	void *arg;
};

static void
out_flush(struct out *o)
{
	if (o->b.n)
		o->sink(o->arg, strbuf_str(&o->b));
	strbuf_clear(&o->b);
}

static void
out_byte(struct out *o, char c)
{
	if (o->b.n == o->b.max)
		out_flush(o);
	strbuf_byte(&o->b, c);
}

static void
out_bytes(struct out *o, struct str bytes)
{
	if (bytes.n > o->b.max - o->b.n)
		out_flush(o);
	if (bytes.n > o->b.max)
		o->sink(o->arg, bytes);
	else
		strbuf_add(&o->b, bytes);
}

/* A value on one line, runs of white space one space, none at its ends. */
struct relaxed {
	bool has_space, has_begun;
};

/* What is no white space at its ends, and has some inside that changes. */
static void
relax_words(struct str text, struct out *o)
{
	for (size_t n; text.n; text = str_from_offset(text, n)) {
		bool is_space = is_wsp(text.p[0]);

		for (n = 1; n < text.n && is_wsp(text.p[n]) == is_space; n++)
			continue;
		if (is_space)
			out_byte(o, ' ');
		else
			out_bytes(o, str_first(text, n));
	}
}

static void
relax_line(struct relaxed *r, struct str line, struct out *o)
{
	struct str text = line;

	while (text.n && is_wsp(text.p[0]))
		text = str_from_offset(text, 1);
	r->has_space |= text.n < line.n;
	if (!text.n)
		return;
	if (r->has_space && r->has_begun)
		out_byte(o, ' ');
	r->has_space = is_wsp(text.p[text.n - 1]);
	r->has_begun = true;
	while (is_wsp(text.p[text.n - 1]))
		text.n--;
	if (is_changed((const uint8_t *)text.p, text.n))
		relax_words(text, o);
	else
		out_bytes(o, text);
}

static void
relax(struct relaxed *r, struct str value, struct out *o)
{
	struct str line;

	for (; value.n; value = str_from_offset(value, line.n + 1)) {
		size_t end = str_find(value, '\n');

		line = str_first(value, end);
		relax_line(r,
		           end != SIZE_MAX && end && line.p[end - 1] == '\r'
		                   ? str_first(line, end - 1)
		                   : line,
		           o);
	}
}

static struct str
without_end(struct str raw)
{
	if (raw.n && raw.p[raw.n - 1] == '\n')
		raw.n--;
	if (raw.n && raw.p[raw.n - 1] == '\r')
		raw.n--;
	return raw;
}

static void
put_relaxed(struct str before, struct str after, struct out *o)
{
	size_t colon = str_find(before, ':'), n = colon == SIZE_MAX ? before.n : colon;
	struct str name = str_trim(str_first(before, n));
	struct relaxed r = { false, false };

	if (name.n < o->b.max - o->b.n) {
		for (size_t i = 0; i < name.n; i++)
			o->b.p[o->b.n + i] = byte_lower(name.p[i]);
		o->b.n += name.n;
	} else {
		for (size_t i = 0; i < name.n; i++)
			out_byte(o, byte_lower(name.p[i]));
	}
	out_byte(o, ':');
	relax(&r, str_from_offset(before, n + 1), o);
	relax(&r, after, o);
}

void
dkim_canon_field(enum dkim_canon canon, struct str raw, struct str without, bool is_last,
                 dkim_sink_fn *sink, void *arg)
{
	char room[OUT_BYTES];
	struct out o = { strbuf_on(room), sink, arg };
	struct str before = without_end(raw), after = STR("");

	if (without.n) {
		size_t at = (size_t)(without.p - raw.p);

		after = str_from_offset(before, at + without.n);
		before = str_first(before, at);
	}
	if (canon == DKIM_RELAXED) {
		put_relaxed(before, after, &o);
	} else {
		sink(arg, before);
		sink(arg, after);
	}
	if (!is_last) {
		out_byte(&o, '\r');
		out_byte(&o, '\n');
	}
	out_flush(&o);
}

/* --- bodies ------------------------------------------------------------------------- */

void
dkim_body_init(struct dkim_body *b, enum dkim_canon canon, dkim_sink_fn *sink, void *arg)
{
	*b = (struct dkim_body){ .canon = canon, .sink = sink, .arg = arg };
}

static void
put(struct dkim_body *b, struct str bytes)
{
	if (!bytes.n)
		return;
	b->length += bytes.n;
	b->sink(b->arg, bytes);
}

/* Something stands behind what was held back: it counts. */
static void
put_held(struct dkim_body *b)
{
	static const char ends[] =
		"\r\n\r\n\r\n\r\n\r\n\r\n\r\n\r\n\r\n\r\n\r\n\r\n\r\n\r\n";

	while (b->line_ends) {
		uint64_t n = b->line_ends < (sizeof(ends) - 1) / 2
		                     ? b->line_ends
		                     : (sizeof(ends) - 1) / 2;

		put(b, str_make(ends, (size_t)n * 2));
		b->line_ends -= n;
	}
	if (b->has_space)
		put(b, STR(" "));
	if (b->has_cr)
		put(b, STR("\r"));
	b->has_space = b->has_cr = false;
}

/* A block that stays as it is, but for its end, which is held back. */
static void
add_block(struct dkim_body *b, struct str block)
{
	bool has_cr = block.p[block.n - 1] == '\r', has_space = false;
	uint64_t line_ends = 0;

	if (has_cr)
		block.n--;
	if (b->canon == DKIM_RELAXED && block.n && block.p[block.n - 1] == ' ') {
		has_space = true;
		block.n--;
	}
	while (block.n >= 2 && block.p[block.n - 1] == '\n' &&
	       block.p[block.n - 2] == '\r') {
		line_ends++;
		block.n -= 2;
	}
	if (block.n)
		put_held(b);
	put(b, block);
	b->line_ends += line_ends;
	b->has_space = has_space;
	b->has_cr = has_cr;
}

static bool
is_held(const struct dkim_body *b)
{
	return b->line_ends || b->has_space || b->has_cr;
}

/* What was held back counts. Behind bytes in `out` it came with the same block, so there
   is room for it. */
static void
release(struct dkim_body *b, struct strbuf *out)
{
	if (!out->n) {
		put_held(b);
		return;
	}
	for (; b->line_ends; b->line_ends--)
		strbuf_lit(out, "\r\n");
	if (b->has_space)
		strbuf_byte(out, ' ');
	if (b->has_cr)
		strbuf_byte(out, '\r');
	b->has_space = b->has_cr = false;
}

/* Up to a block of bytes that change, or that stand behind something held back. */
static void
add_bytes(struct dkim_body *b, struct str bytes)
{
	char room[BLOCK_BYTES];
	struct strbuf out = strbuf_on(room);
	size_t from = 0; /* bytes from here on are good as they are */

	for (size_t i = 0; i < bytes.n; i++) {
		char c = bytes.p[i];
		bool is_space = b->canon == DKIM_RELAXED && is_wsp(c);

		if (!is_space && c != '\r' && !(c == '\n' && b->has_cr)) {
			if (is_held(b)) {
				release(b, &out);
				from = i;
			}
			continue;
		}
		if (!is_held(b))
			strbuf_bytes(&out, bytes.p + from, i - from);
		from = i + 1;
		if (c == '\n') {
			b->has_cr = b->has_space = false;
			b->line_ends++;
			continue;
		}
		if (b->has_cr)
			release(b, &out); /* it ended no line */
		if (is_space)
			b->has_space = true;
		else
			b->has_cr = true;
	}
	if (!is_held(b))
		strbuf_bytes(&out, bytes.p + from, bytes.n - from);
	CHECK(!out.overflow);
	put(b, strbuf_str(&out));
}

/* How many bytes to take until nothing is held back whose meaning the next byte decides. */
static size_t
undecided(struct str block)
{
	size_t n = 0;

	while (n < block.n &&
	       (is_wsp(block.p[n]) || block.p[n] == '\r' || block.p[n] == '\n'))
		n++;
	return n < block.n ? n + 1 : n;
}

/* How many bytes stay as they are: of whole blocks, each looked at with the byte behind
   it, which it may depend on. They are hashed while they are still near. */
static size_t
unchanged(const struct dkim_body *b, struct str bytes)
{
	size_t n = 0;

	if (b->canon == DKIM_SIMPLE)
		return bytes.n;
	while (n < bytes.n && n < RUN_BYTES) {
		size_t left = bytes.n - n;
		size_t size = left < BLOCK_BYTES ? left : BLOCK_BYTES;

		if (is_changed((const uint8_t *)bytes.p + n,
		               size < left ? size + 1 : size))
			break;
		n += size;
	}
	return n;
}

void
dkim_body_add(struct dkim_body *b, struct str bytes)
{
	while (bytes.n) {
		struct str block = str_first(bytes, BLOCK_BYTES);
		size_t n = 0;

		if (b->has_cr || b->has_space)
			block = str_first(block, undecided(block));
		else
			n = unchanged(b, bytes);
		if (n) {
			block = str_first(bytes, n);
			add_block(b, block);
		} else {
			add_bytes(b, block);
		}
		bytes = str_from_offset(bytes, block.n);
	}
}

void
dkim_body_end(struct dkim_body *b)
{
	if (b->has_cr) /* a byte, not half a line end */
		put_held(b);
	b->has_space = false;
	b->line_ends = 0;
	/* An empty body is one line end for "simple", nothing for "relaxed" (RFC 6376
	   3.4.3, 3.4.4); any other ends in exactly one. */
	if (b->length || b->canon == DKIM_SIMPLE)
		put(b, STR("\r\n"));
}
