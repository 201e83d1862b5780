#include "policy/http_reply.h"

enum {
	CHUNK_DIGITS_MAX = 7,
	CHUNK_LINE_MAX = 1024,
};

/* "HTTP/1.1 200 OK"                                                      RFC 9112 4 */
static bool
take_status(struct str line, unsigned *status_out)
{
	uint32_t status;

	if (!str_skip(&line, STR("HTTP/1.")) || line.n < 5 || !byte_is_digit(line.p[0]) ||
	    line.p[1] != ' ' || (line.n > 5 && line.p[5] != ' '))
		return false;
	if (!str_parse_u32(str_first(str_from_offset(line, 2), 3), &status) ||
	    status < 100)
		return false;
	*status_out = status;
	return true;
}

static bool
take_length(struct http_reply *r, struct str value)
{
	uint64_t before = r->length;

	if (!str_parse_u64(value, &r->length) || (r->has_length && r->length != before))
		return false;
	r->has_length = true;
	return true;
}

static bool
take_field(struct http_reply *r, struct str bytes, struct str line)
{
	size_t colon = str_find(line, ':');
	struct str name = str_first(line, colon), value;

	if (colon == SIZE_MAX || !name.n)
		return false;
	value = str_trim(str_from_offset(line, colon + 1));
	if (str_eq_icase(name, STR("content-type"))) {
		value = str_trim(str_first(value, str_find(value, ';')));
		r->type_at = (size_t)(value.p - bytes.p);
		r->type_n = value.n;
	} else if (str_eq_icase(name, STR("content-length"))) {
		return take_length(r, value);
	} else if (str_eq_icase(name, STR("transfer-encoding"))) {
		r->is_chunked = str_eq_icase(value, STR("chunked"));
		return r->is_chunked;
	}
	return true;
}

/* What is not done with yet. */
static struct str
rest_of(const struct http_reply *r, struct str bytes)
{
	return str_from_offset(bytes, r->at);
}

/* Takes a line, without its CRLF; false: its end is not there yet. */
static bool
take_line(struct http_reply *r, struct str bytes, struct str *line_out)
{
	struct str rest = rest_of(r, bytes);
	size_t n = str_find(str_from_offset(rest, r->looked), '\n');

	if (n == SIZE_MAX) {
		r->looked = rest.n;
		return false;
	}
	n += r->looked;
	r->looked = 0;
	r->at += n + 1;
	*line_out = str_first(rest, n);
	if (line_out->n && line_out->p[line_out->n - 1] == '\r')
		line_out->n--;
	return true;
}

/* RFC 9112 6.3: nothing follows these, whatever their fields say. */
static bool
has_body(unsigned status)
{
	return status != 204 && status != 304;
}

/* The empty line behind the fields. */
static enum http_reply_state
end_head(struct http_reply *r, const struct strbuf *body)
{
	/* RFC 9110 15.2: what comes before the reply proper. */
	if (r->status < 200) {
		*r = (struct http_reply){ .at = r->at };
		return HTTP_REPLY_MORE;
	}
	if (!has_body(r->status)) {
		r->stage = HTTP_REPLY_OVER;
		return HTTP_REPLY_DONE;
	}
	if (r->has_length && (r->is_chunked || r->length > body->max))
		return HTTP_REPLY_BAD;
	r->stage = r->is_chunked ? HTTP_REPLY_CHUNK : HTTP_REPLY_BODY;
	return HTTP_REPLY_MORE;
}

static enum http_reply_state
read_head(struct http_reply *r, struct str bytes, struct strbuf *body)
{
	enum http_reply_state state = HTTP_REPLY_MORE;
	struct str line;

	while (state == HTTP_REPLY_MORE && r->stage == HTTP_REPLY_HEAD) {
		if (!take_line(r, bytes, &line))
			return bytes.n > HTTP_REPLY_HEAD_MAX ? HTTP_REPLY_BAD
			                                     : HTTP_REPLY_MORE;
		if (r->at > HTTP_REPLY_HEAD_MAX)
			return HTTP_REPLY_BAD;
		if (!r->status)
			state = take_status(line, &r->status) ? HTTP_REPLY_MORE
			                                      : HTTP_REPLY_BAD;
		else if (!line.n)
			state = end_head(r, body);
		else if (!take_field(r, bytes, line))
			state = HTTP_REPLY_BAD;
	}
	return state;
}

/* "1a; extension" */
static bool
chunk_size(struct str line, uint64_t *size_out)
{
	struct str digits = str_trim(str_first(line, str_find(line, ';')));

	if (!digits.n || digits.n > CHUNK_DIGITS_MAX)
		return false;
	*size_out = 0;
	for (size_t i = 0; i < digits.n; i++) {
		int value = byte_hex_value(digits.p[i]);

		if (value < 0)
			return false;
		*size_out = *size_out * 16 + (uint64_t)value;
	}
	return true;
}

/* As much as is there of what is still to come. */
static void
take_bytes(struct http_reply *r, struct str bytes, struct strbuf *body)
{
	struct str rest = rest_of(r, bytes);

	if (r->length < rest.n)
		rest = str_first(rest, (size_t)r->length);
	strbuf_add(body, rest);
	r->at += rest.n;
	r->length -= rest.n;
}

/* The next step in a body of chunks; false: that was all that can be said now.
   RFC 9112 7.1; fields behind the last chunk are not looked at. */
static bool
chunk_step(struct http_reply *r, struct str bytes, struct strbuf *body,
           enum http_reply_state *state_out)
{
	struct str rest = rest_of(r, bytes), line;

	switch (r->stage) {
	case HTTP_REPLY_CHUNK:
		if (!take_line(r, bytes, &line)) {
			/* The last one may be its CR. */
			*state_out = rest.n > CHUNK_LINE_MAX + 1 ? HTTP_REPLY_BAD
			                                         : HTTP_REPLY_MORE;
			return false;
		}
		*state_out = HTTP_REPLY_BAD;
		if (line.n > CHUNK_LINE_MAX || !chunk_size(line, &r->length) ||
		    r->length > body->max - body->n)
			return false;
		r->stage = HTTP_REPLY_CHUNK_BYTES;
		if (!r->length) {
			r->stage = HTTP_REPLY_OVER;
			*state_out = HTTP_REPLY_DONE;
		}
		return r->length > 0;
	case HTTP_REPLY_CHUNK_BYTES:
		take_bytes(r, bytes, body);
		r->stage = HTTP_REPLY_CHUNK_END;
		*state_out = HTTP_REPLY_MORE;
		if (r->length)
			r->stage = HTTP_REPLY_CHUNK_BYTES;
		return !r->length;
	default:
		*state_out = rest.n < 2 ? HTTP_REPLY_MORE : HTTP_REPLY_BAD;
		if (!str_skip(&rest, STR("\r\n")))
			return false;
		r->at += 2;
		r->stage = HTTP_REPLY_CHUNK;
		return true;
	}
}

static enum http_reply_state
read_chunks(struct http_reply *r, struct str bytes, struct strbuf *body)
{
	enum http_reply_state state;

	while (chunk_step(r, bytes, body, &state))
		;
	return state;
}

/* By its length, or up to the end. */
static enum http_reply_state
read_body(struct http_reply *r, struct str bytes, bool is_end, struct strbuf *body)
{
	if (!r->has_length)
		r->length = UINT64_MAX;
	take_bytes(r, bytes, body);
	if (body->overflow)
		return HTTP_REPLY_BAD;
	if (r->has_length ? r->length > 0 : !is_end)
		return HTTP_REPLY_MORE;
	r->stage = HTTP_REPLY_OVER;
	return HTTP_REPLY_DONE;
}

enum http_reply_state
http_reply_parse(struct http_reply *r, struct str bytes, bool is_end, struct strbuf *body)
{
	enum http_reply_state state = HTTP_REPLY_MORE;

	if (r->stage == HTTP_REPLY_OVER)
		return HTTP_REPLY_DONE;
	if (r->stage == HTTP_REPLY_HEAD)
		state = read_head(r, bytes, body);
	if (state == HTTP_REPLY_MORE && r->stage == HTTP_REPLY_BODY)
		state = read_body(r, bytes, is_end, body);
	else if (state == HTTP_REPLY_MORE && r->stage != HTTP_REPLY_HEAD)
		state = read_chunks(r, bytes, body);
	return state == HTTP_REPLY_MORE && is_end ? HTTP_REPLY_BAD : state;
}

struct str
http_reply_type(const struct http_reply *r, struct str bytes)
{
	return str_make(bytes.p + r->type_at, r->type_n);
}
