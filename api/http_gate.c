#include "api/http_gate.h"

#include "base/panic.h"

enum {
	/* A chunk size in hex, and extensions nobody uses. */
	CHUNK_LINE_MAX = 64,
	CHUNK_DIGITS_MAX = 8,
	EMPTY_LINES_MAX = 4, /* bytes of them */
};

static const struct http_refusal long_head = { 431, "too_large",
	                                       "The head is too large" };
static const struct http_refusal long_target = { 414, "too_large",
	                                         "The request target is too long" };
static const struct http_refusal long_body = { 413, "too_large",
	                                       "The body is too large" };
static const struct http_refusal bad_chunk = { 400, "malformed", "A chunk is not one" };

void
http_gate_init(struct http_gate *g, size_t head_max, uint64_t body_max)
{
	*g = (struct http_gate){ .state = HTTP_GATE_HEAD,
		                 .head_max = head_max,
		                 .body_max = body_max,
		                 .head_bytes = strbuf_heap(head_max + 4) };
}

void
http_gate_fini(struct http_gate *g)
{
	strbuf_release(&g->head_bytes);
}

void
http_gate_answered(struct http_gate *g)
{
	if (g->state != HTTP_GATE_ANSWER)
		return;
	g->state = HTTP_GATE_HEAD;
	g->body = 0;
	g->skipped = 0;
	strbuf_release(&g->head_bytes);
	g->head = (struct http_head){ 0 };
}

bool
http_gate_is_idle(const struct http_gate *g)
{
	return g->state == HTTP_GATE_HEAD && !g->head_bytes.n;
}

static enum http_gate_next
refuse(struct http_gate *g, const struct http_refusal *why)
{
	g->state = HTTP_GATE_REFUSED;
	g->refusal = why;
	return HTTP_GATE_BAD;
}

/* What is wrong with a head that is over its limit already. */
static const struct http_refusal *
over_limit(struct str head)
{
	return str_find(head, '\n') == SIZE_MAX && str_find(head, ' ') < HTTP_METHOD_MAX
	               ? &long_target
	               : &long_head;
}

/* Collects the head. It is looked for in what was collected, so that a client that sends
   byte by byte costs a scan of three bytes for each. */
static enum http_gate_next
take_head(struct http_gate *g, struct str in, size_t *used_out)
{
	size_t before = g->head_bytes.n, from, take, size;
	const struct http_refusal *bad;

	/* RFC 9112 2.2: an empty line before the request is passed over. */
	while (!before && *used_out < in.n && g->skipped < EMPTY_LINES_MAX &&
	       (in.p[*used_out] == '\r' || in.p[*used_out] == '\n')) {
		(*used_out)++;
		g->skipped++;
	}
	in = str_from_offset(in, *used_out);
	take = in.n < g->head_max + 1 - before ? in.n : g->head_max + 1 - before;
	strbuf_add(&g->head_bytes, str_first(in, take));
	*used_out += take;
	from = before > 3 ? before - 3 : 0;
	if (!http_head_is_whole(str_from_offset(strbuf_str(&g->head_bytes), from),
	                        &size)) {
		if (g->head_bytes.n > g->head_max)
			return refuse(g, over_limit(strbuf_str(&g->head_bytes)));
		return HTTP_GATE_READ;
	}
	size += from;
	if (size > g->head_max)
		return refuse(g, &long_head);
	*used_out -= g->head_bytes.n - size;
	strbuf_truncate(&g->head_bytes, size);
	bad = http_head_parse(strbuf_str(&g->head_bytes), &g->head);
	if (bad)
		return refuse(g, bad);
	if (g->head.content_length > g->body_max)
		return refuse(g, &long_body);
	g->left = g->head.content_length;
	g->state = g->head.is_chunked ? HTTP_GATE_SIZE : HTTP_GATE_LENGTH;
	return HTTP_GATE_STARTED;
}

/* Passes bytes of the body on; true when all that were to come have. */
static bool
pass(struct http_gate *g, struct str *in, size_t *used_out, struct strbuf *out)
{
	size_t n = in->n < g->left ? in->n : (size_t)g->left;

	strbuf_add(out, str_first(*in, n));
	*in = str_from_offset(*in, n);
	*used_out += n;
	g->left -= n;
	return !g->left;
}

/* A line of the chunked framing, with its CRLF, of at most max bytes. 1: there; 0: not
   yet; -1: wrong. */
static int
find_line(struct str in, size_t max, struct str *line_out)
{
	size_t at = str_find(in, '\n');

	if (at == SIZE_MAX)
		return in.n > max ? -1 : 0;
	if (at > max || !at || in.p[at - 1] != '\r')
		return -1;
	*line_out = str_first(in, at - 1);
	for (size_t i = 0; i < line_out->n; i++) {
		unsigned char c = (unsigned char)line_out->p[i];

		if (c < ' ' || c >= 0x7f)
			return -1;
	}
	return 1;
}

static bool
parse_size(struct str line, uint64_t *size_out)
{
	*size_out = 0;
	/* No extensions: nobody sends them, and they have hidden requests before. */
	if (!line.n || line.n > CHUNK_DIGITS_MAX)
		return false;
	for (size_t i = 0; i < line.n; i++) {
		int digit = byte_hex_value(line.p[i]);

		if (digit < 0)
			return false;
		*size_out = *size_out << 4 | (unsigned)digit;
	}
	return true;
}

static int
step_size(struct http_gate *g, struct str *in, size_t *used_out, struct strbuf *out)
{
	struct str line;
	uint64_t size;
	int found = find_line(*in, CHUNK_LINE_MAX, &line);

	if (found <= 0)
		return found;
	if (!parse_size(line, &size))
		return -1;
	g->body += size;
	if (g->body > g->body_max) {
		g->refusal = &long_body;
		return -1;
	}
	g->left = line.n + 2;
	(void)pass(g, in, used_out, out);
	g->left = size;
	g->state = size ? HTTP_GATE_DATA : HTTP_GATE_TRAILER;
	return 1;
}

/* Trailer fields are refused: we use none, and they could say Content-Length. */
static int
step_line_end(struct http_gate *g, struct str *in, size_t *used_out, struct strbuf *out)
{
	struct str line;
	int found = find_line(*in, 2, &line);

	if (found <= 0)
		return found;
	if (line.n)
		return -1;
	g->left = 2;
	(void)pass(g, in, used_out, out);
	g->state = g->state == HTTP_GATE_TRAILER ? HTTP_GATE_ANSWER : HTTP_GATE_SIZE;
	return 1;
}

/* One step through the body: 1 on, 0 more input is needed, -1 wrong. */
static int
step(struct http_gate *g, struct str *in, size_t *used_out, struct strbuf *out)
{
	switch (g->state) {
	case HTTP_GATE_LENGTH:
		if (!pass(g, in, used_out, out))
			return 0;
		g->state = HTTP_GATE_ANSWER;
		return 1;
	case HTTP_GATE_SIZE:
		return step_size(g, in, used_out, out);
	case HTTP_GATE_DATA:
		if (!pass(g, in, used_out, out))
			return 0;
		g->state = HTTP_GATE_DATA_END;
		return 1;
	case HTTP_GATE_DATA_END:
	case HTTP_GATE_TRAILER:
		return step_line_end(g, in, used_out, out);
	case HTTP_GATE_HEAD:
	case HTTP_GATE_ANSWER:
	case HTTP_GATE_REFUSED:
		break;
	}
	PANIC("no body is read in this state");
}

enum http_gate_next
http_gate_input(struct http_gate *g, struct str in, size_t *used_out, struct strbuf *out)
{
	int went = 1;

	*used_out = 0;
	if (g->state == HTTP_GATE_REFUSED)
		return HTTP_GATE_BAD;
	if (g->state == HTTP_GATE_HEAD)
		return take_head(g, in, used_out);
	while (went > 0 && g->state != HTTP_GATE_ANSWER)
		went = step(g, &in, used_out, out);
	if (went < 0)
		return refuse(g, g->refusal ? g->refusal : &bad_chunk);
	return g->state == HTTP_GATE_ANSWER ? HTTP_GATE_WAIT : HTTP_GATE_READ;
}
