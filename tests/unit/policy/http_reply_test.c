#include "policy/http_reply.h"

#include "tests/unit/check.h"

enum {
	BODY_MAX = 40,
};

/* status 0: no reply. */
static const struct {
	const char *bytes;
	unsigned status;
	const char *type, *body;
} replies[] = {
	{ "HTTP/1.1 200 OK\r\nContent-Type: text/plain; charset=utf-8\r\n"
	  "Content-Length: 5\r\n\r\nhello",
	  200, "text/plain", "hello" },
	{ "HTTP/1.0 404 \r\ncontent-type:TEXT/HTML\r\n\r\nto the end", 404, "TEXT/HTML",
	  "to the end" },
	{ "HTTP/1.1 200\n\nbare", 200, "", "bare" },
	{ "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\nA;x=y\r\n"
	  "0123456789\r\n0\r\n\r\n",
	  200, "", "abc0123456789" },
	{ "HTTP/1.1 100 Continue\r\nContent-Length: 9\r\n\r\nHTTP/1.1 204 None\r\n\r\n",
	  204, "", "" },
	{ "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 2\r\n\r\nabc", 200, "",
	  "ab" },
	{ "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\nabc", 0, "",
	  "" },
	{ "HTTP/1.1 200 OK\r\nContent-Length: -2\r\n\r\nabc", 0, "", "" },
	{ "HTTP/1.1 200 OK\r\nContent-Length: 41\r\n\r\n", 0, "", "" },
	{ "HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nhello", 0, "", "" },
	{ "HTTP/1.1 200 OK\r\n\r\n01234567890123456789012345678901234567890", 0, "", "" },
	{ "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\n", 0, "", "" },
	{ "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nContent-Length: "
	  "1\r\n\r\n0\r\n\r\n",
	  0, "", "" },
	{ "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nx\r\n", 0, "", "" },
	{ "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nfffffff\r\n", 0, "", "" },
	{ "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabcd\r\n0\r\n", 0,
	  "", "" },
	{ "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nab", 0, "", "" },
	{ "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc0\r\n\r\n", 0, "",
	  "" },
	{ "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
	  "14\r\n01234567890123456789\r\n15\r\n012345678901234567890\r\n0\r\n\r\n",
	  0, "", "" },
	{ "HTTP/1.1 204 None\r\nContent-Length: 5\r\n\r\nhello", 204, "", "" },
	{ "HTTP/1.1 304 Old\r\nTransfer-Encoding: chunked\r\n\r\n", 304, "", "" },
	{ "HTTP/2 200 OK\r\n\r\n", 0, "", "" },
	{ "HTTP/1.1 20 OK\r\n\r\n", 0, "", "" },
	{ "HTTP/1.1 2000 OK\r\n\r\n", 0, "", "" },
	{ "HTTP/1.1 200 OK\r\nno colon\r\n\r\n", 0, "", "" },
	{ "SSH-2.0-x\r\n", 0, "", "" },
	{ "", 0, "", "" },
};

/* Given in pieces of that size, from a place of its own each time: nothing may point into
   what was given before. */
static enum http_reply_state
parse(struct str whole, size_t piece, struct http_reply *r, struct strbuf *body,
      struct str *type_out)
{
	enum http_reply_state state = HTTP_REPLY_MORE;

	*r = (struct http_reply){ 0 };
	strbuf_clear(body);
	for (size_t n = 0; n < whole.n && state == HTTP_REPLY_MORE;) {
		struct strbuf copy = strbuf_heap(1 << 20);

		n += piece < whole.n - n ? piece : whole.n - n;
		strbuf_add(&copy, str_first(whole, n));
		state = http_reply_parse(r, strbuf_str(&copy), false, body);
		strbuf_release(&copy);
	}
	if (state == HTTP_REPLY_MORE)
		state = http_reply_parse(r, whole, true, body);
	*type_out = http_reply_type(r, whole);
	return state;
}

static void
test_parse(void)
{
	static const size_t pieces[] = { SIZE_MAX, 1, 2, 7 };

	for (size_t i = 0; i < ARRAY_LEN(replies) * ARRAY_LEN(pieces); i++) {
		size_t k = i / ARRAY_LEN(pieces);
		const char *what = replies[k].bytes;
		char bytes[BODY_MAX];
		struct strbuf body = strbuf_on(bytes);
		struct http_reply r;
		struct str type;
		enum http_reply_state state = parse(
			str_from(what), pieces[i % ARRAY_LEN(pieces)], &r, &body, &type);

		CHECK_U64_EQ(state, replies[k].status ? HTTP_REPLY_DONE : HTTP_REPLY_BAD,
		             what);
		if (state != HTTP_REPLY_DONE)
			continue;
		CHECK_U64_EQ(r.status, replies[k].status, what);
		CHECK_STR_EQ(type, str_from(replies[k].type), what);
		CHECK_STR_EQ(strbuf_str(&body), str_from(replies[k].body), what);
	}
}

/* What comes byte by byte is not looked at from the beginning each time. */
static void
test_once(void)
{
	enum {
		LONG = 4 << 20,
	};
	struct strbuf whole = strbuf_heap(LONG + 100), body = strbuf_heap(LONG);
	struct http_reply r = { 0 };
	size_t head;

	strbuf_printf(&whole, "HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n", LONG);
	head = whole.n;
	for (size_t n = 1; n < head + LONG; n++) {
		if (n > head)
			strbuf_byte(&whole, 'x');
		if (http_reply_parse(&r, str_first(strbuf_str(&whole), n), false,
		                     &body) != HTTP_REPLY_MORE)
			break;
	}
	CHECK_U64_EQ(body.n, LONG - 1, "all but the last");
	strbuf_byte(&whole, 'x');
	CHECK_TRUE(http_reply_parse(&r, strbuf_str(&whole), false, &body) ==
	                   HTTP_REPLY_DONE,
	           "and that");
	strbuf_release(&whole);
	strbuf_release(&body);
}

static void
test_head_bound(void)
{
	struct strbuf head = strbuf_heap(1 << 20);
	char bytes[BODY_MAX];
	struct strbuf body = strbuf_on(bytes);
	struct http_reply r = { 0 };

	strbuf_lit(&head, "HTTP/1.1 200 OK\r\nX: ");
	while (head.n < HTTP_REPLY_HEAD_MAX)
		strbuf_byte(&head, 'x');
	CHECK_TRUE(http_reply_parse(&r, strbuf_str(&head), false, &body) ==
	                   HTTP_REPLY_MORE,
	           "as long");
	strbuf_byte(&head, 'x');
	CHECK_TRUE(http_reply_parse(&r, strbuf_str(&head), false, &body) ==
	                   HTTP_REPLY_BAD,
	           "longer");
	strbuf_release(&head);
}

static void
test_chunk_line_bound(void)
{
	static const char *const ends[] = { "\n", "\r\n" };

	for (size_t i = 0; i < 51 * ARRAY_LEN(ends); i++) {
		size_t n = 1000 + i / ARRAY_LEN(ends);
		const char *end = ends[i % ARRAY_LEN(ends)];
		struct strbuf whole = strbuf_heap(1 << 20);
		char bytes[BODY_MAX];
		struct strbuf body = strbuf_on(bytes);
		struct http_reply r;
		struct str type;
		enum http_reply_state state;

		strbuf_lit(&whole,
		           "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0;");
		for (size_t k = 2; k < n; k++)
			strbuf_byte(&whole, 'x');
		strbuf_add(&whole, str_from(end));
		state = parse(strbuf_str(&whole), SIZE_MAX, &r, &body, &type);
		CHECK_U64_EQ(state, n <= 1024 ? HTTP_REPLY_DONE : HTTP_REPLY_BAD,
		             "whole");
		CHECK_U64_EQ(parse(strbuf_str(&whole), 1, &r, &body, &type), state,
		             "byte by byte");
		strbuf_release(&whole);
	}
}

/* Which need not wait for the end of the connection (RFC 9112 6.3). */
static void
test_without_end(void)
{
	static const struct {
		const char *bytes;
		bool is_done;
	} rows[] = {
		{ "HTTP/1.1 204 None\r\n\r\n", true },
		{ "HTTP/1.1 304 Old\r\n\r\n", true },
		{ "HTTP/1.1 201 Made\r\nContent-Length: 0\r\n\r\n", true },
		{ "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n", true },
		{ "HTTP/1.1 200 OK\r\n\r\nall?", false },
		{ "HTTP/1.1 100 Continue\r\n\r\n", false },
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		char bytes[BODY_MAX];
		struct strbuf body = strbuf_on(bytes);
		struct http_reply r = { 0 };

		CHECK_U64_EQ(http_reply_parse(&r, str_from(rows[i].bytes), false, &body),
		             rows[i].is_done ? HTTP_REPLY_DONE : HTTP_REPLY_MORE,
		             rows[i].bytes);
	}
}

SUITE(policy_http_reply, { "without an end", test_without_end },
      { "replies", test_parse }, { "each byte once", test_once },
      { "bound", test_head_bound }, { "bound of a chunk's line", test_chunk_line_bound });
