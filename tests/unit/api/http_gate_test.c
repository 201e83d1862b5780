#include "api/http_gate.h"

#include "tests/unit/api/http_gate_rig.h"
#include "tests/unit/check.h"

static int
run(struct str text, size_t piece, struct strbuf *passed, unsigned *requests_out)
{
	static const struct http_gate_rig small = { .head_max = 512, .body_max = 100 };

	return http_gate_rig_run(&small, text, piece, passed, requests_out);
}

#define H "Host: a\r\n"

static const struct {
	const char *what;
	struct str text;
	int status;
	unsigned requests;
} rows[] = {
	{ "plain", STR_INIT("GET / HTTP/1.1\r\n" H "\r\n"), 0, 1 },
	{ "an empty line before", STR_INIT("\r\nGET / HTTP/1.1\r\n" H "\r\n"), 0, 1 },
	{ "two, pipelined",
	  STR_INIT("GET / HTTP/1.1\r\n" H "\r\nGET /b HTTP/1.1\r\n" H "\r\n"), 0, 2 },
	{ "a body", STR_INIT("POST / HTTP/1.1\r\n" H "Content-Length: 3\r\n\r\nabc"), 0,
	  1 },
	{ "a body and another",
	  STR_INIT("POST / HTTP/1.1\r\n" H
	           "Content-Length: 3\r\n\r\nabcGET / HTTP/1.1\r\n" H "\r\n"),
	  0, 2 },
	{ "half a body", STR_INIT("POST / HTTP/1.1\r\n" H "Content-Length: 3\r\n\r\nab"),
	  0, 0 },
	{ "the largest body",
	  STR_INIT("POST / HTTP/1.1\r\n" H "Content-Length: 100\r\n\r\n"), 0, 0 },
	{ "one byte more",
	  STR_INIT("POST / HTTP/1.1\r\n" H "Content-Length: 101\r\n\r\n"), 413, 0 },
	{ "chunks",
	  STR_INIT("POST / HTTP/1.1\r\n" H "Transfer-Encoding: "
	           "chunked\r\n\r\n3\r\nabc\r\nA\r\n0123456789\r\n0\r\n\r\n"),
	  0, 1 },
	{ "chunks over the limit",
	  STR_INIT("POST / HTTP/1.1\r\n" H
	           "Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n62\r\n"),
	  413, 0 },
	{ "a chunk of 2^64",
	  STR_INIT("POST / HTTP/1.1\r\n" H
	           "Transfer-Encoding: chunked\r\n\r\n10000000000000000\r\n"),
	  400, 0 },
	{ "a negative chunk",
	  STR_INIT("POST / HTTP/1.1\r\n" H "Transfer-Encoding: chunked\r\n\r\n-1\r\n"),
	  400, 0 },
	{ "a chunk with 0x",
	  STR_INIT("POST / HTTP/1.1\r\n" H "Transfer-Encoding: chunked\r\n\r\n0x3\r\n"),
	  400, 0 },
	{ "a chunk extension",
	  STR_INIT("POST / HTTP/1.1\r\n" H "Transfer-Encoding: chunked\r\n\r\n3;a=b\r\n"),
	  400, 0 },
	{ "a chunk that is longer than it says",
	  STR_INIT("POST / HTTP/1.1\r\n" H
	           "Transfer-Encoding: chunked\r\n\r\n3\r\nabcd\r\n"),
	  400, 0 },
	{ "a chunk line with LF",
	  STR_INIT("POST / HTTP/1.1\r\n" H
	           "Transfer-Encoding: chunked\r\n\r\n3\nabc\r\n"),
	  400, 0 },
	{ "a trailer",
	  STR_INIT("POST / HTTP/1.1\r\n" H
	           "Transfer-Encoding: chunked\r\n\r\n0\r\nContent-Length: 3\r\n\r\n"),
	  400, 0 },
	{ "two Content-Length",
	  STR_INIT("POST / HTTP/1.1\r\n" H
	           "Content-Length: 3\r\nContent-Length: 3\r\n\r\nabc"),
	  400, 0 },
	{ "a list of lengths",
	  STR_INIT("POST / HTTP/1.1\r\n" H "Content-Length: 3, 3\r\n\r\nabc"), 400, 0 },
	{ "length and chunks",
	  STR_INIT("POST / HTTP/1.1\r\n" H
	           "Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"),
	  400, 0 },
	{ "chunks and length",
	  STR_INIT("POST / HTTP/1.1\r\n" H
	           "Transfer-Encoding: chunked\r\nContent-Length: 3\r\n\r\n0\r\n\r\n"),
	  400, 0 },
	{ "a signed length",
	  STR_INIT("POST / HTTP/1.1\r\n" H "Content-Length: +3\r\n\r\nabc"), 400, 0 },
	{ "an empty length", STR_INIT("POST / HTTP/1.1\r\n" H "Content-Length:\r\n\r\n"),
	  400, 0 },
	{ "a length of 10^19",
	  STR_INIT("POST / HTTP/1.1\r\n" H
	           "Content-Length: 10000000000000000000\r\n\r\n"),
	  400, 0 },
	{ "another coding",
	  STR_INIT("POST / HTTP/1.1\r\n" H "Transfer-Encoding: gzip, chunked\r\n\r\n"),
	  501, 0 },
	{ "an obscured coding",
	  STR_INIT("POST / HTTP/1.1\r\n" H "Transfer-Encoding : chunked\r\n\r\n"), 400,
	  0 },
	{ "chunks in HTTP/1.0",
	  STR_INIT("POST / HTTP/1.0\r\n" H "Transfer-Encoding: chunked\r\n\r\n"), 400,
	  0 },
	{ "two Host", STR_INIT("GET / HTTP/1.1\r\n" H "Host: b\r\n\r\n"), 400, 0 },
	{ "no Host", STR_INIT("GET / HTTP/1.1\r\n\r\n"), 400, 0 },
	{ "an empty Host", STR_INIT("GET / HTTP/1.1\r\nHost:\r\n\r\n"), 400, 0 },
	{ "two cookies",
	  STR_INIT("GET / HTTP/1.1\r\n" H "Cookie: a\r\ncookie: b\r\n\r\n"), 400, 0 },
	{ "a folded line", STR_INIT("GET / HTTP/1.1\r\n" H "A: b\r\n c\r\n\r\n"), 400,
	  0 },
	{ "a bare LF", STR_INIT("GET / HTTP/1.1\r\nHost: a\nA: b\r\n\r\n"), 400, 0 },
	{ "LF LF", STR_INIT("GET / HTTP/1.1\nHost: a\n\n"), 400, 0 },
	{ "a bare CR", STR_INIT("GET / HTTP/1.1\r\n" H "A: b\rc\r\n\r\n"), 400, 0 },
	{ "a NUL", STR_INIT("GET / HTTP/1.1\r\n" H "A: b\0c\r\n\r\n"), 400, 0 },
	{ "a NUL in the path", STR_INIT("GET /\0 HTTP/1.1\r\n" H "\r\n"), 400, 0 },
	{ "no name", STR_INIT("GET / HTTP/1.1\r\n" H ": b\r\n\r\n"), 400, 0 },
	{ "no colon", STR_INIT("GET / HTTP/1.1\r\n" H "abc\r\n\r\n"), 400, 0 },
	{ "HTTP/0.9", STR_INIT("GET /\r\n\r\n"), 400, 0 },
	{ "HTTP/2.0", STR_INIT("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"), 400, 0 },
	{ "HTTP/3.0", STR_INIT("GET / HTTP/3.0\r\n" H "\r\n"), 505, 0 },
	{ "an absolute target", STR_INIT("GET http://a/ HTTP/1.1\r\n" H "\r\n"), 400, 0 },
	{ "a target with a fragment", STR_INIT("GET /#a HTTP/1.1\r\n" H "\r\n"), 400, 0 },
	{ "8-bit in the target", STR_INIT("GET /\xc3\xa4 HTTP/1.1\r\n" H "\r\n"), 400,
	  0 },
	{ "two spaces", STR_INIT("GET  / HTTP/1.1\r\n" H "\r\n"), 400, 0 },
	{ "a method that is none", STR_INIT("G(T / HTTP/1.1\r\n" H "\r\n"), 400, 0 },
	{ "a long method", STR_INIT("GETGETGETGETGETGETGET / HTTP/1.1\r\n" H "\r\n"), 400,
	  0 },
	{ "an unknown expectation", STR_INIT("GET / HTTP/1.1\r\n" H "Expect: x\r\n\r\n"),
	  417, 0 },
	{ "a mail client", STR_INIT("EHLO there\r\nMAIL FROM:<>\r\n\r\n"), 400, 0 },
};

static void
test_rows(void)
{
	static const size_t pieces[] = { 4096, 1, 7 };

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		for (size_t k = 0; k < ARRAY_LEN(pieces); k++) {
			struct strbuf passed = strbuf_heap(8192);
			unsigned requests;
			int status = run(rows[i].text, pieces[k], &passed, &requests);

			CHECK_I64_EQ(status, rows[i].status, rows[i].what);
			CHECK_U64_EQ(requests, rows[i].requests, rows[i].what);
			if (!rows[i].status && rows[i].text.p[0] != '\r')
				CHECK_STR_EQ(strbuf_str(&passed), rows[i].text,
				             rows[i].what);
			strbuf_release(&passed);
		}
	}
}

/* A head of exactly the limit passes, one byte more does not. */
static void
test_limits(void)
{
	static const size_t sizes[] = { 512, 513, 100000 };

	for (size_t i = 0; i < ARRAY_LEN(sizes); i++) {
		struct strbuf text = strbuf_heap(200000), passed = strbuf_heap(200000);
		unsigned requests;
		int status;

		strbuf_lit(&text, "GET / HTTP/1.1\r\nHost: a\r\nA: ");
		while (text.n < sizes[i] - 4)
			strbuf_byte(&text, 'x');
		strbuf_lit(&text, "\r\n\r\n");
		status = run(strbuf_str(&text), 4096, &passed, &requests);
		CHECK_I64_EQ(status, sizes[i] == 512 ? 0 : 431, "size of the head");
		strbuf_release(&text);
		strbuf_release(&passed);
	}
}

static void
test_long_target(void)
{
	struct strbuf text = strbuf_heap(200000), passed = strbuf_heap(200000);
	unsigned requests;

	strbuf_lit(&text, "GET /");
	while (text.n < 100000)
		strbuf_byte(&text, 'x');
	CHECK_I64_EQ(run(strbuf_str(&text), 4096, &passed, &requests), 414, "target");
	strbuf_release(&text);
	strbuf_release(&passed);
}

static void
test_finds(void)
{
	struct http_head h;

	CHECK_TRUE(!http_head_parse(STR("GET /a?b HTTP/1.1\r\nhOst:  x \r\nA:\t\r\n\r\n"),
	                            &h),
	           "good");
	CHECK_STR_EQ(http_head_find(&h, STR("Host")), STR("x"), "trimmed");
	CHECK_STR_EQ(http_head_find(&h, STR("a")), STR(""), "empty");
	CHECK_STR_EQ(h.target, STR("/a?b"), "target");
}

SUITE(api_http_gate, { "rows", test_rows }, { "limits", test_limits },
      { "long target", test_long_target }, { "finds", test_finds });
