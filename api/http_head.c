#include "api/http_head.h"

static const struct http_refusal bad_line = { 400, "malformed",
	                                      "Lines must end in CRLF" };
static const struct http_refusal bad_byte = { 400, "malformed",
	                                      "A byte that no header may hold" };
static const struct http_refusal bad_start = { 400, "malformed",
	                                       "The request line is not one" };
static const struct http_refusal bad_target = { 400, "malformed",
	                                        "The request target is not a path" };
static const struct http_refusal long_target = { 414, "too_large",
	                                         "The request target is too long" };
static const struct http_refusal bad_version = { 505, "unsupported",
	                                         "Only HTTP/1.0 and HTTP/1.1" };
static const struct http_refusal bad_field = { 400, "malformed",
	                                       "A header field is not one" };
static const struct http_refusal many_fields = { 431, "too_large",
	                                         "Too many header fields" };
static const struct http_refusal twice = { 400, "malformed",
	                                   "A header field is there twice" };
static const struct http_refusal bad_host = { 400, "malformed",
	                                      "Exactly one Host is needed" };
static const struct http_refusal bad_length = { 400, "malformed",
	                                        "Content-Length is not a number" };
static const struct http_refusal two_lengths = {
	400, "malformed", "Content-Length and Transfer-Encoding together"
};
static const struct http_refusal bad_coding = { 501, "unsupported",
	                                        "Only chunked as Transfer-Encoding" };
static const struct http_refusal bad_expect = { 417, "unsupported",
	                                        "Only 100-continue can be expected" };

/* RFC 9110 5.6.2 */
static bool
is_token_byte(char c)
{
	return byte_is_alnum(c) || (c && str_find(STR("!#$%&'*+-.^_`|~"), c) != SIZE_MAX);
}

static bool
is_token(struct str s)
{
	for (size_t i = 0; i < s.n; i++) {
		if (!is_token_byte(s.p[i]))
			return false;
	}
	return s.n > 0;
}

bool
http_head_is_whole(struct str bytes, size_t *size_out)
{
	for (size_t i = 0; i < bytes.n; i++) {
		size_t next = i + 1;

		if (bytes.p[i] != '\n')
			continue;
		if (next < bytes.n && bytes.p[next] == '\r')
			next++;
		if (next < bytes.n && bytes.p[next] == '\n') {
			*size_out = next + 1;
			return true;
		}
	}
	return false;
}

/* Takes the next line without its CRLF; false where it ends in another way. */
static bool
take_line(struct str *rest, struct str *line_out)
{
	size_t at = str_find(*rest, '\n');

	if (at == SIZE_MAX || at == 0 || rest->p[at - 1] != '\r')
		return false;
	*line_out = str_first(*rest, at - 1);
	*rest = str_from_offset(*rest, at + 1);
	return true;
}

static const struct http_refusal *
check_target(struct str target)
{
	if (target.n > HTTP_TARGET_MAX)
		return &long_target;
	if (!target.n || target.p[0] != '/')
		return &bad_target;
	for (size_t i = 0; i < target.n; i++) {
		char c = target.p[i];

		if (c <= ' ' || c >= 0x7f || c == '#' || c == '"' || c == '<' ||
		    c == '>' || c == '\\' || c == '^' || c == '`' || c == '{' ||
		    c == '|' || c == '}')
			return &bad_target;
	}
	return NULL;
}

/* method SP request-target SP HTTP-version                              RFC 9112 3 */
static const struct http_refusal *
parse_start(struct str line, struct http_head *h)
{
	size_t at = str_find(line, ' ');
	const struct http_refusal *bad;

	h->method = str_first(line, at);
	if (at == SIZE_MAX || at > HTTP_METHOD_MAX || !is_token(h->method))
		return &bad_start;
	line = str_from_offset(line, at + 1);
	at = str_find(line, ' ');
	/* Without a version it is HTTP/0.9, or a line cut by the limit of the whole head.
	 */
	if (at == SIZE_MAX)
		return line.n > HTTP_TARGET_MAX ? &long_target : &bad_start;
	h->target = str_first(line, at);
	bad = check_target(h->target);
	if (bad)
		return bad;
	line = str_from_offset(line, at + 1);
	h->is_http10 = str_eq(line, STR("HTTP/1.0"));
	if (h->is_http10 || str_eq(line, STR("HTTP/1.1")))
		return NULL;
	return str_starts(line, STR("HTTP/")) ? &bad_version : &bad_start;
}

/* No control characters but HTAB; bytes over 0x7f are opaque (RFC 9110 5.5). */
static bool
is_value(struct str s)
{
	for (size_t i = 0; i < s.n; i++) {
		unsigned char c = (unsigned char)s.p[i];

		if ((c < ' ' && c != '\t') || c == 0x7f)
			return false;
	}
	return true;
}

static const struct http_refusal *
parse_field(struct str line, struct http_head *h)
{
	size_t at = str_find(line, ':');
	struct http_field *f;

	/* A line that begins with a space is folded, "Name :" has a space too many: both
	   are no tokens (RFC 9112 5.1, 5.2). */
	if (at == SIZE_MAX || !is_token(str_first(line, at)))
		return &bad_field;
	if (!is_value(line))
		return &bad_byte;
	if (h->fields_count == HTTP_FIELDS_MAX)
		return &many_fields;
	f = &h->fields[h->fields_count++];
	f->name = str_first(line, at);
	f->value = str_trim(str_from_offset(line, at + 1));
	return NULL;
}

/* What we look at may stand once: of two, one parser takes the first and another the
   second. */
static const struct http_refusal *
check_once(const struct http_head *h)
{
	static const struct str once[] = {
		STR_INIT("content-length"),   STR_INIT("transfer-encoding"),
		STR_INIT("content-type"),     STR_INIT("authorization"),
		STR_INIT("cookie"),           STR_INIT("origin"),
		STR_INIT("sec-fetch-site"),   STR_INIT("if-match"),
		STR_INIT("if-none-match"),    STR_INIT("x-csrf-token"),
		STR_INIT("last-event-id"),    STR_INIT("expect"),
		STR_INIT("content-encoding"),
	};

	for (size_t i = 0; i < ARRAY_LEN(once); i++) {
		unsigned seen = 0;

		for (size_t k = 0; k < h->fields_count; k++)
			seen += str_eq_icase(h->fields[k].name, once[i]);
		if (seen > 1)
			return &twice;
	}
	return NULL;
}

static const struct http_refusal *
check_host(const struct http_head *h)
{
	unsigned seen = 0;

	for (size_t k = 0; k < h->fields_count; k++) {
		if (str_eq_icase(h->fields[k].name, STR("host")))
			seen += h->fields[k].value.n ? 1 : 2;
	}
	return seen == 1 ? NULL : &bad_host;
}

static const struct http_refusal *
check_framing(struct http_head *h)
{
	struct str coding = http_head_find(h, STR("transfer-encoding"));
	bool has_coding = false;

	for (size_t k = 0; k < h->fields_count; k++) {
		struct http_field f = h->fields[k];

		if (str_eq_icase(f.name, STR("transfer-encoding")))
			has_coding = true;
		if (!str_eq_icase(f.name, STR("content-length")))
			continue;
		if (f.value.n > 18 || !str_parse_u64(f.value, &h->content_length))
			return &bad_length;
		h->has_content_length = true;
	}
	if (!has_coding)
		return NULL;
	if (h->has_content_length || h->is_http10)
		return &two_lengths;
	if (!str_eq_icase(coding, STR("chunked")))
		return &bad_coding;
	h->is_chunked = true;
	return NULL;
}

const struct http_refusal *
http_head_parse(struct str bytes, struct http_head *head_out)
{
	const struct http_refusal *bad;
	struct str line, expect;

	head_out->fields_count = 0;
	head_out->is_http10 = head_out->is_chunked = false;
	head_out->has_content_length = head_out->expects_continue = false;
	head_out->content_length = 0;
	head_out->method = head_out->target = STR("");
	if (!take_line(&bytes, &line))
		return &bad_line;
	bad = parse_start(line, head_out);
	while (!bad && take_line(&bytes, &line) && line.n)
		bad = parse_field(line, head_out);
	if (bad)
		return bad;
	if (bytes.n || line.n)
		return &bad_line;
	bad = check_once(head_out);
	if (!bad)
		bad = check_host(head_out);
	if (!bad)
		bad = check_framing(head_out);
	expect = http_head_find(head_out, STR("expect"));
	head_out->expects_continue = str_eq_icase(expect, STR("100-continue"));
	if (!bad && expect.n && !head_out->expects_continue)
		bad = &bad_expect;
	return bad;
}

struct str
http_head_find(const struct http_head *h, struct str name)
{
	for (size_t k = 0; k < h->fields_count; k++) {
		if (str_eq_icase(h->fields[k].name, name))
			return h->fields[k].value;
	}
	return (struct str){ NULL, 0 };
}
