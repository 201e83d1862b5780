#include "base/line.h"

#include "base/strbuf.h"
#include "tests/unit/check.h"

enum {
	MAX = 5,
};

/* One row is one input, and what the reader makes of it: lines in <>, errors by name. */
static const struct {
	struct str input;
	const char *want;
} rows[] = {
	{ STR_INIT(""), "" },
	{ STR_INIT("a"), "" },
	{ STR_INIT("a\r"), "" },
	{ STR_INIT("a\r\n"), "<a>" },
	{ STR_INIT("\r\n"), "<>" },
	{ STR_INIT("a\r\nb\r\n\r\nc"), "<a><b><>" },
	{ STR_INIT("12345\r\n"), "<12345>" },
	{ STR_INIT("12345\r"), "" },
	{ STR_INIT("123456\r\n"), "LONG<6>" },
	{ STR_INIT("123456"), "LONG" },
	{ STR_INIT("1234567890\r\nab\r\n"), "LONG<67890><ab>" },
	{ STR_INIT("a\nb\r\n"), "BARE_LF<b>" },
	{ STR_INIT("\n"), "BARE_LF" },
	{ STR_INIT("a\rb\r\n"), "BARE_CR<b>" },
	{ STR_INIT("a\r\r\n"), "BARE_CR<>" },
	{ STR_INIT("\n\r\n"), "BARE_LF<>" },
	{ STR_INIT("a\0b\r\n"), "NUL<b>" },
	{ STR_INIT("\0"), "NUL" },
	{ STR_INIT("12345\n"), "BARE_LF" },
	{ STR_INIT("12345\rx"), "BARE_CR" },
	{ STR_INIT("\xff\xfe\r\n"), "<\xff\xfe>" },
};

static const char *const names[] = {
	[LINE_LONG] = "LONG",
	[LINE_BARE_LF] = "BARE_LF",
	[LINE_BARE_CR] = "BARE_CR",
	[LINE_NUL] = "NUL",
};

/* Feeds the input in pieces of `step` bytes, and writes what came of it. */
static void
read_all(struct str input, size_t step, struct strbuf *heard)
{
	struct line_reader r = { 0 };
	size_t start = 0, end = 0;

	while (end < input.n) {
		end = end + step < input.n ? end + step : input.n;
		for (;;) {
			struct str unread = str_make(input.p + start, end - start), line;
			size_t used = 0;
			enum line_result result =
				line_next(&r, unread, MAX, &line, &used);

			if (result == LINE_MORE)
				break;
			CHECK_TRUE(used > 0 && used <= unread.n,
			           "takes what it has seen");
			start += used;
			if (result == LINE_OK)
				strbuf_printf(heard, "<%.*s>", STR_ARG(line));
			else
				strbuf_add(heard, str_from(names[result]));
		}
	}
}

static void
test_all_ways(void)
{
	static const size_t steps[] = { 1000, 1, 2, 3 };

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		for (size_t k = 0; k < ARRAY_LEN(steps); k++) {
			char bytes[100];
			struct strbuf heard = strbuf_on(bytes);

			read_all(rows[i].input, steps[k], &heard);
			CHECK_STR_EQ(strbuf_str(&heard), str_from(rows[i].want),
			             rows[i].want);
		}
	}
}

/* Feeding byte by byte looks at each byte about once, however long the line. */
static void
test_remembers(void)
{
	struct line_reader r = { 0 };
	char bytes[1000];
	struct str line;
	size_t used = 0;

	memset(bytes, 'x', sizeof(bytes));
	for (size_t n = 1; n < sizeof(bytes); n++) {
		CHECK_TRUE(line_next(&r, str_make(bytes, n), 2000, &line, &used) ==
		                   LINE_MORE,
		           "no end yet");
		CHECK_U64_EQ(r.seen, n, "what has been looked at is not looked at again");
	}
}

static void
test_http(void)
{
	static const struct {
		const char *line;
		bool is_http;
	} lines[] = {
		{ "GET / HTTP/1.1", true },
		{ "POST /a b HTTP/1.0", true },
		{ "OPTIONS * HTTP/1.1", true },
		{ "GET /", false }, /* a tag, for IMAP */
		{ "GET NOOP", false },
		{ "a LOGIN HTTP/ x", false },
		{ "DELETE INBOX", false },
		{ "GETS / HTTP/1.1", false },
		{ "", false },
	};

	for (size_t i = 0; i < ARRAY_LEN(lines); i++)
		CHECK_TRUE(line_is_http(str_from(lines[i].line)) == lines[i].is_http,
		           lines[i].line);
}

SUITE(base_line, { "whole and in pieces", test_all_ways },
      { "remembers", test_remembers }, { "http", test_http });
