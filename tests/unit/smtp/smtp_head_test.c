#include "smtp/smtp_head.h"

#include "base/strbuf.h"
#include "tests/unit/check.h"

static enum err
take(void *arg, struct str bytes)
{
	strbuf_add(arg, bytes);
	return OK;
}

#define D "Date: D\r\n"
#define M "Message-ID: <M>\r\n"
#define SPACES                                                                           \
	"                                                                              "

static const struct {
	const char *what, *in, *out, *from;
	bool is_submission;
} rows[] = {
	{ "from outside nothing is added", "A: b\r\n\r\nx\r\n", "A: b\r\n\r\nx\r\n", "",
	  false },
	{ "Return-Path goes", "Return-Path: <x>\r\nA: b\r\n\r\n", "A: b\r\n\r\n", "",
	  false },
	{ "with its folds", "A: b\r\nRETURN-PATH: <x>\r\n  y\r\n\tz\r\nB: c\r\n\r\n",
	  "A: b\r\nB: c\r\n\r\n", "", false },
	{ "with spaces before the colon", "Return-Path \t: <x>\r\n\r\n", "\r\n", "",
	  false },
	{ "Bcc from outside stays", "Bcc: x\r\n\r\n", "Bcc: x\r\n\r\n", "", false },
	{ "Bcc of a submission goes", "Bcc: x,\r\n y\r\n\r\nz", D M "\r\nz", "", true },
	{ "what is there is not added", "date: x\r\nMESSAGE-ID: y\r\n\r\n",
	  "date: x\r\nMESSAGE-ID: y\r\n\r\n", "", true },
	{ "body only", "just text\r\nDate: x\r\n", D M "\r\njust text\r\nDate: x\r\n", "",
	  true },
	{ "no body", "A: b\r\n", "A: b\r\n" D M, "", true },
	{ "empty", "", D M, "", true },
	{ "a body that looks like a header", "A: b\r\n\r\nReturn-Path: x\r\nBcc: y\r\n",
	  "A: b\r\n" D M "\r\nReturn-Path: x\r\nBcc: y\r\n", "", true },
	{ "From is kept in mind", "from: Ann\r\n <a@b>\r\nFrom: c\r\n\r\n",
	  "from: Ann\r\n <a@b>\r\nFrom: c\r\n\r\n", "Ann\r\n <a@b>", false },
	{ "a stray line from outside", "From x y\r\nA: b\r\n\r\n",
	  "From x y\r\nA: b\r\n\r\n", "", false },
	{ "a fold before any field would be one of ours", " x\r\nA: b\r\n\r\n",
	  "\r\n x\r\nA: b\r\n\r\n", "", false },
	{ "a tab as well", "\tx\r\nFrom: y\r\n", D M "\r\n\tx\r\nFrom: y\r\n", "", true },
	{ "a colon first", ": x\r\n\r\n", ": x\r\n\r\n", "", false },
	{ "what bears our name goes",
	  "Authentication-Results: mx.example; spf=pass\r\n smtp.helo=x\r\nA: b\r\n\r\n",
	  "A: b\r\n\r\n", "", false },
	{ "in any case, with comments, behind folds",
	  "AUTHENTICATION-results:\r\n\t(x)\r\n MX.Example. 1;none\r\n\r\n", "\r\n", "",
	  false },
	{ "what is another's stays",
	  "Authentication-Results: other.example;\r\n none\r\nA: b\r\n\r\n",
	  "Authentication-Results: other.example;\r\n none\r\nA: b\r\n\r\n", "", false },
	{ "one behind the other",
	  "Authentication-Results: mx.example\r\nAuthentication-Results: a\r\n\r\n",
	  "Authentication-Results: a\r\n\r\n", "", false },
	{ "the last of a header without a body", "Authentication-Results: mx.example\r\n",
	  "", "", false },
	{ "also of a submission", "Authentication-Results: mx.example;x=y\r\n" D M "\r\n",
	  D M "\r\n", "", true },
	{ "with more spaces behind its name than a name is long",
	  "Authentication-Results                                                        "
	  "    : mx.example; spf=pass\r\n dkim=pass\r\nA: b\r\n\r\n",
	  "A: b\r\n\r\n", "", false },
	{ "Bcc with as many", "Bcc" SPACES ": x\r\n" D M "\r\n", D M "\r\n", "", true },
	{ "Return-Path with as many", "Return-Path" SPACES ": x\r\nA: b\r\n\r\n",
	  "A: b\r\n\r\n", "", false },
	{ "of ARC it is another thing",
	  "ARC-Authentication-Results: mx.example;x=y\r\n\r\n",
	  "ARC-Authentication-Results: mx.example;x=y\r\n\r\n", "", false },
	{ "a name without end",
	  "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
	  "aaaaaaa"
	  "aaaaaaaaaaaaa: x\r\nReturn-Path: y\r\n\r\n",
	  "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
	  "aaaaaaa"
	  "aaaaaaaaaaaaa: x\r\n\r\n",
	  "", false },
};

static void
run(size_t i, size_t piece)
{
	struct arena *a = arena_new(64 * 1024);
	struct smtp_head_conf conf = { .is_submission = rows[i].is_submission,
		                       .received_max = 2,
		                       .date = STR(D),
		                       .message_id = STR(M),
		                       .authserv_id = STR("mx.example") };
	struct strbuf out = strbuf_heap(10000);
	struct smtp_head *h = smtp_head_new(a, &conf, take, &out);
	struct str in = str_from(rows[i].in);

	for (size_t at = 0; at < in.n; at += piece)
		CHECK_ERR_EQ(
			smtp_head_write(h, str_first(str_from_offset(in, at), piece)), OK,
			rows[i].what);
	CHECK_ERR_EQ(smtp_head_finish(h), OK, rows[i].what);
	CHECK_STR_EQ(strbuf_str(&out), str_from(rows[i].out), rows[i].what);
	CHECK_STR_EQ(smtp_head_from(h), str_from(rows[i].from), rows[i].what);
	strbuf_release(&out);
	arena_free(&a);
}

static void
test_rows(void)
{
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		run(i, 100000);
		run(i, 1);
		run(i, 3);
	}
}

static void
test_loop(void)
{
	struct arena *a = arena_new(64 * 1024);
	struct smtp_head_conf conf = { .received_max = 2 };
	struct strbuf out = strbuf_heap(10000);
	struct smtp_head *h = smtp_head_new(a, &conf, take, &out);

	CHECK_ERR_EQ(smtp_head_write(h, STR("Received: a\r\nRECEIVED : b\r\n")), OK,
	             "two hops");
	CHECK_ERR_EQ(smtp_head_write(h, STR("Received: c\r\n")), ERR_LOOP, "three hops");
	strbuf_release(&out);
	arena_free(&a);
}

/* Nobody may hide whom From names: not behind spaces, not behind a long comment. */
static void
test_hidden_from(void)
{
	static const struct {
		const char *what, *begin, *fill, *end;
		size_t count;
		enum err error;
	} hidden[] = {
		{ "a few spaces", "From", " ", ": <a@b>\r\n\r\n", 70, OK },
		{ "many spaces", "From", " ", ": <a@b>\r\n\r\n", 90, ERR_MESSAGE_SYNTAX },
		{ "a comment", "From: (", "long ", ") <a@b>\r\n\r\n", 800, OK },
		{ "a long comment", "From: (", "long ", ") <a@b>\r\n\r\n", 830,
		  ERR_MESSAGE_SYNTAX },
		{ "folds", "From: (", "x\r\n ", ") <a@b>\r\n\r\n", 1100,
		  ERR_MESSAGE_SYNTAX },
		{ "another field", "Fromage: (", "long ", ") <a@b>\r\n\r\n", 900, OK },
	};

	for (size_t i = 0; i < ARRAY_LEN(hidden) * 2; i++) {
		struct smtp_head_conf conf = { .is_submission = i % 2,
			                       .received_max = 10 };
		struct arena *a = arena_new(256 * 1024);
		struct strbuf in = strbuf_arena(a, 32 * 1024),
			      out = strbuf_arena(a, 32 * 1024);
		struct smtp_head *h = smtp_head_new(a, &conf, take, &out);
		enum err e;

		strbuf_add(&in, str_from(hidden[i / 2].begin));
		for (size_t k = 0; k < hidden[i / 2].count; k++)
			strbuf_add(&in, str_from(hidden[i / 2].fill));
		strbuf_add(&in, str_from(hidden[i / 2].end));
		e = smtp_head_write(h, strbuf_str(&in));
		if (e == OK)
			e = smtp_head_finish(h);
		CHECK_ERR_EQ(e, hidden[i / 2].error, hidden[i / 2].what);
		arena_free(&a);
	}
}

/* Marks of aliases: of all fields of that name, and of no other. */
static void
test_marks(void)
{
	struct arena *a = arena_new(64 * 1024);
	struct smtp_head_conf conf = { .received_max = 10 };
	struct strbuf out = strbuf_arena(a, 4096);
	struct smtp_head *h = smtp_head_new(a, &conf, take, &out);
	struct str in = STR("X-Loop: aa\r\nA: zz\r\nx-loop: b\r\n b\r\nX-Loops: yy\r\n"
	                    "\r\nX-Loop: cc\r\n");

	CHECK_ERR_EQ(smtp_head_write(h, in), OK, "write");
	CHECK_ERR_EQ(smtp_head_finish(h), OK, "finish");
	CHECK_STR_EQ(strbuf_str(&out), in, "they stay");
	CHECK_STR_EQ(smtp_head_loops(h), STR(" aa\r\n b\r\n b\r\n"), "their values");
	arena_free(&a);
}

SUITE(smtp_head, { "hidden From", test_hidden_from }, { "rows", test_rows },
      { "loop", test_loop }, { "marks", test_marks });
