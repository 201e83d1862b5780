#include "smtp/smtp_data.h"

#include "base/strbuf.h"
#include "tests/unit/check.h"

static enum err
take(void *arg, struct str bytes)
{
	strbuf_add(arg, bytes);
	return OK;
}

/* One row is what comes after DATA, what is kept of it, and what is left behind its end
   (NULL: it does not end). */
static const struct {
	const char *what, *in, *body, *rest;
	enum err err;
} rows[] = {
	{ "an empty message", ".\r\nQUIT", "", "QUIT", OK },
	{ "a line", "a\r\n.\r\n", "a\r\n", "", OK },
	{ "dots are undone", "..a\r\n.b\r\n...\r\n.\r\n", ".a\r\nb\r\n..\r\n", "", OK },
	{ "a dot alone inside a line", "a.\r\n .\r\n.\r\n", "a.\r\n .\r\n", "", OK },
	{ "no end yet", "a\r\n.\r", "a\r\n", NULL, OK },
	{ "LF.LF", "a\n.\n", "", NULL, ERR_BARE_NEWLINE },
	{ "LF.CRLF", "a\n.\r\n", "", NULL, ERR_BARE_NEWLINE },
	{ "CRLF.LF", "a\r\n.\n", "", NULL, ERR_BARE_NEWLINE },
	{ "CRLF.CR", "a\r\n.\rb", "", NULL, ERR_BARE_NEWLINE },
	{ "CR.CR", "a\r.\rb", "", NULL, ERR_BARE_NEWLINE },
	{ "CR.CRLF", "a\r.\r\n", "", NULL, ERR_BARE_NEWLINE },
	{ "CRLF.CRCRLF", "a\r\n.\r\r\n", "", NULL, ERR_BARE_NEWLINE },
	{ "CRCRLF.CRLF has an end", "a\r\r\n.\r\n", "", "", ERR_BARE_NEWLINE },
	{ "the true end behind false ones", "a\n.\nb\r\n.\r\nc", "", "c",
	  ERR_BARE_NEWLINE },
	{ "VT.CRLF", "a\v.\r\n", "a\v.\r\n", NULL, OK },
	{ "NEL.CRLF", "a\xc2\x85.\r\n", "a\xc2\x85.\r\n", NULL, OK },
	{ "CRLF.SPCRLF", "a\r\n. \r\n", "a\r\n \r\n", NULL, OK },
	{ "too large", "12345678901\r\n12345678901\r\n.\r\nx", "", "x", ERR_TOO_LARGE },
};

static void
run(size_t i, size_t piece)
{
	struct str in = str_from(rows[i].in);
	struct strbuf body = strbuf_heap(1000);
	struct smtp_data d;
	size_t used = 0;
	bool is_end = false;

	smtp_data_init(&d, true, 20);
	while (used < in.n && !is_end)
		used += smtp_data_input(&d, str_first(str_from_offset(in, used), piece),
		                        take, &body, &is_end);
	CHECK_ERR_EQ(d.err, rows[i].err, rows[i].what);
	CHECK_TRUE(is_end == (rows[i].rest != NULL), rows[i].what);
	if (d.err == OK)
		CHECK_STR_EQ(strbuf_str(&body), str_from(rows[i].body), rows[i].what);
	if (rows[i].rest)
		CHECK_STR_EQ(str_from_offset(in, used), str_from(rows[i].rest),
		             rows[i].what);
	strbuf_release(&body);
}

static void
test_rows(void)
{
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		run(i, SIZE_MAX);
		run(i, 1);
		run(i, 2);
	}
}

static void
test_nul(void)
{
	struct strbuf body = strbuf_heap(1000);
	struct smtp_data d;
	bool is_end;
	size_t used;

	smtp_data_init(&d, true, 20);
	used = smtp_data_input(&d, STR("a\0b\r\n.\r\n"), take, &body, &is_end);
	CHECK_ERR_EQ(d.err, ERR_NUL_BYTE, "NUL");
	CHECK_U64_EQ(used, 8, "the end is found all the same");
	CHECK_TRUE(is_end, "NUL");
	CHECK_U64_EQ(body.n, 0, "nothing is passed on");
	strbuf_release(&body);
}

static void
test_chunks(void)
{
	static const struct {
		const char *what, *in, *body;
		enum err err;
	} chunks[] = {
		{ "dots are octets", ".\r\n..\r\n", ".\r\n..\r\n", OK },
		{ "the last line gets its end", "a", "a\r\n", OK },
		{ "CR at the end", "a\r", "", ERR_BARE_NEWLINE },
		{ "bare LF", "a\nb\r\n", "", ERR_BARE_NEWLINE },
	};

	for (size_t i = 0; i < ARRAY_LEN(chunks); i++) {
		struct str in = str_from(chunks[i].in);
		struct strbuf body = strbuf_heap(1000);
		struct smtp_data d;
		bool is_end;

		smtp_data_init(&d, false, 20);
		CHECK_U64_EQ(smtp_data_input(&d, in, take, &body, &is_end), in.n, "all");
		CHECK_TRUE(!is_end, "BDAT has no end of its own");
		smtp_data_finish(&d, take, &body);
		CHECK_ERR_EQ(d.err, chunks[i].err, chunks[i].what);
		if (d.err == OK)
			CHECK_STR_EQ(strbuf_str(&body), str_from(chunks[i].body),
			             chunks[i].what);
		strbuf_release(&body);
	}
}

static enum err
refuse(void *arg, struct str bytes)
{
	(void)bytes;
	++*(unsigned *)arg;
	return ERR_DISK_FULL;
}

static void
test_sink_error(void)
{
	unsigned calls = 0;
	struct smtp_data d;
	bool is_end;

	smtp_data_init(&d, true, 100);
	(void)smtp_data_input(&d, STR("a\r\n..b\r\n..c\r\n.\r\n"), refuse, &calls,
	                      &is_end);
	CHECK_ERR_EQ(d.err, ERR_DISK_FULL, "the sink's error stays");
	CHECK_TRUE(is_end, "the end is found");
	CHECK_U64_EQ(calls, 1, "the sink is left in peace");
}

SUITE(smtp_data, { "rows", test_rows }, { "NUL", test_nul }, { "chunks", test_chunks },
      { "sink error", test_sink_error });
