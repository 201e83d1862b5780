#include "policy/http_reply.h"

enum {
	CHUNK_DIGITS_MAX = 7,
	CHUNK_LINE_MAX = 1024,
};

struct head {
	bool has_length, is_chunked;
	uint64_t length;
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
take_field(struct str line, struct head *h, struct http_reply *r)
{
	size_t colon = str_find(line, ':');
	struct str name = str_first(line, colon), value;

	if (colon == SIZE_MAX || !name.n)
		return false;
	value = str_trim(str_from_offset(line, colon + 1));
	if (str_eq_icase(name, STR("content-type"))) {
		r->type = str_trim(str_first(value, str_find(value, ';')));
	} else if (str_eq_icase(name, STR("content-length"))) {
		uint64_t before = h->length;

		if (!str_parse_u64(value, &h->length) ||
		    (h->has_length && h->length != before))
			return false;
		h->has_length = true;
	} else if (str_eq_icase(name, STR("transfer-encoding"))) {
		if (!str_eq_icase(value, STR("chunked")))
			return false;
		h->is_chunked = true;
	}
	return true;
}

/* Takes a line off *rest, without its CRLF; false: its end is not there yet. */
static bool
take_line(struct str *rest, struct str *line_out)
{
	size_t n = str_find(*rest, '\n');

	if (n == SIZE_MAX)
		return false;
	*line_out = str_first(*rest, n);
	if (line_out->n && line_out->p[line_out->n - 1] == '\r')
		line_out->n--;
	*rest = str_from_offset(*rest, n + 1);
	return true;
}

static enum http_reply_state
parse_head(struct str *rest, struct head *h, struct http_reply *r)
{
	struct str whole = *rest, line;
	bool is_first = true;

	while (take_line(rest, &line)) {
		if (whole.n - rest->n > HTTP_REPLY_HEAD_MAX)
			return HTTP_REPLY_BAD;
		if (is_first) {
			if (!take_status(line, &r->status))
				return HTTP_REPLY_BAD;
			is_first = false;
		} else if (!line.n) {
			/* RFC 9110 15.2: what comes before the reply proper. */
			if (r->status >= 200)
				return HTTP_REPLY_DONE;
			*h = (struct head){ 0 };
			*r = (struct http_reply){ 0 };
			is_first = true;
		} else if (!take_field(line, h, r)) {
			return HTTP_REPLY_BAD;
		}
	}
	return whole.n > HTTP_REPLY_HEAD_MAX ? HTTP_REPLY_BAD : HTTP_REPLY_MORE;
}

/* "1a; extension" */
static bool
chunk_size(struct str line, size_t *size_out)
{
	struct str digits = str_trim(str_first(line, str_find(line, ';')));

	if (!digits.n || digits.n > CHUNK_DIGITS_MAX)
		return false;
	*size_out = 0;
	for (size_t i = 0; i < digits.n; i++) {
		int value = byte_hex_value(digits.p[i]);

		if (value < 0)
			return false;
		*size_out = *size_out * 16 + (size_t)value;
	}
	return true;
}

/* RFC 9112 7.1; fields behind the last chunk are not looked at. */
static enum http_reply_state
parse_chunks(struct str rest, struct strbuf *body)
{
	struct str line;
	size_t size;

	for (;;) {
		if (!take_line(&rest, &line))
			return rest.n > CHUNK_LINE_MAX ? HTTP_REPLY_BAD : HTTP_REPLY_MORE;
		if (!chunk_size(line, &size))
			return HTTP_REPLY_BAD;
		if (!size)
			return HTTP_REPLY_DONE;
		if (size > body->max - body->n)
			return HTTP_REPLY_BAD;
		if (rest.n < size + 2)
			return HTTP_REPLY_MORE;
		strbuf_add(body, str_first(rest, size));
		rest = str_from_offset(rest, size);
		if (!str_skip(&rest, STR("\r\n")))
			return HTTP_REPLY_BAD;
	}
}

static enum http_reply_state
parse_body(struct str rest, bool is_end, const struct head *h, struct strbuf *body)
{
	enum http_reply_state state;

	if (h->is_chunked) {
		state = h->has_length ? HTTP_REPLY_BAD : parse_chunks(rest, body);
		return state == HTTP_REPLY_MORE && is_end ? HTTP_REPLY_BAD : state;
	}
	if (h->has_length) {
		if (h->length > body->max)
			return HTTP_REPLY_BAD;
		if (rest.n < h->length)
			return is_end ? HTTP_REPLY_BAD : HTTP_REPLY_MORE;
		rest = str_first(rest, (size_t)h->length);
	}
	strbuf_add(body, rest);
	if (body->overflow)
		return HTTP_REPLY_BAD;
	return h->has_length || is_end ? HTTP_REPLY_DONE : HTTP_REPLY_MORE;
}

/* RFC 9112 6.3: nothing follows these, whatever their fields say. */
static bool
has_body(unsigned status)
{
	return status != 204 && status != 304;
}

enum http_reply_state
http_reply_parse(struct str bytes, bool is_end, struct http_reply *reply_out,
                 struct strbuf *body)
{
	struct head h = { 0 };
	enum http_reply_state state;

	*reply_out = (struct http_reply){ 0 };
	strbuf_clear(body);
	state = parse_head(&bytes, &h, reply_out);
	if (state == HTTP_REPLY_DONE && has_body(reply_out->status))
		state = parse_body(bytes, is_end, &h, body);
	else if (state == HTTP_REPLY_MORE && is_end)
		state = HTTP_REPLY_BAD;
	return state;
}
