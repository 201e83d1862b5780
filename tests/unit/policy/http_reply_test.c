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

static void
test_parse(void)
{
	for (size_t i = 0; i < ARRAY_LEN(replies); i++) {
		char bytes[BODY_MAX];
		struct strbuf body = strbuf_on(bytes);
		struct str whole = str_from(replies[i].bytes);
		enum http_reply_state state =
			http_reply_parse(whole, true, &(struct http_reply){ 0 }, &body);
		struct http_reply r;

		CHECK_TRUE(state ==
		                   (replies[i].status ? HTTP_REPLY_DONE : HTTP_REPLY_BAD),
		           replies[i].bytes);
		if (state != HTTP_REPLY_DONE)
			continue;
		/* Byte by byte it is the same, and never bad on the way. */
		for (size_t n = 0; n <= whole.n; n++)
			CHECK_TRUE(http_reply_parse(str_first(whole, n), false, &r,
			                            &body) != HTTP_REPLY_BAD,
			           replies[i].bytes);
		CHECK_TRUE(http_reply_parse(whole, true, &r, &body) == HTTP_REPLY_DONE,
		           replies[i].bytes);
		CHECK_U64_EQ(r.status, replies[i].status, replies[i].bytes);
		CHECK_STR_EQ(r.type, str_from(replies[i].type), replies[i].bytes);
		CHECK_STR_EQ(strbuf_str(&body), str_from(replies[i].body),
		             replies[i].bytes);
	}
}

static void
test_head_bound(void)
{
	struct strbuf head = strbuf_heap(1 << 20);
	char bytes[BODY_MAX];
	struct strbuf body = strbuf_on(bytes);
	struct http_reply r;

	strbuf_lit(&head, "HTTP/1.1 200 OK\r\nX: ");
	while (head.n < HTTP_REPLY_HEAD_MAX)
		strbuf_byte(&head, 'x');
	CHECK_TRUE(http_reply_parse(strbuf_str(&head), false, &r, &body) ==
	                   HTTP_REPLY_MORE,
	           "as long");
	strbuf_byte(&head, 'x');
	CHECK_TRUE(http_reply_parse(strbuf_str(&head), false, &r, &body) ==
	                   HTTP_REPLY_BAD,
	           "longer");
	strbuf_release(&head);
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
		struct http_reply r;

		CHECK_U64_EQ(http_reply_parse(str_from(rows[i].bytes), false, &r, &body),
		             rows[i].is_done ? HTTP_REPLY_DONE : HTTP_REPLY_MORE,
		             rows[i].bytes);
	}
}

SUITE(policy_http_reply, { "without an end", test_without_end },
      { "replies", test_parse }, { "bound", test_head_bound });
