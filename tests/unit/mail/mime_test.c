#include "mail/mime.h"
#include "mail/part_table.h"
#include "mail/prepare.h"
#include "tests/unit/check.h"
#include "tests/unit/mail/message.h"

#include <stdio.h>
#include <time.h>

#define NONE "NIL NIL NIL NIL"

/* A message and its BODYSTRUCTURE. */
static const struct {
	const char *what, *message, *want;
} structures[] = {
	{ "empty", "",
	  "(\"text\" \"plain\" (\"charset\" \"us-ascii\") NIL NIL \"7bit\" 0 0 " NONE
	  ")" },
	{ "plain", "Subject: x\n\nhello\nworld\n",
	  "(\"text\" \"plain\" (\"charset\" \"us-ascii\") NIL NIL \"7bit\" 14 2 " NONE
	  ")" },
	{ "no body", "Subject: x\n",
	  "(\"text\" \"plain\" (\"charset\" \"us-ascii\") NIL NIL \"7bit\" 0 0 " NONE
	  ")" },
	{ "no last line end", "\nx",
	  "(\"text\" \"plain\" (\"charset\" \"us-ascii\") NIL NIL \"7bit\" 1 0 " NONE
	  ")" },
	{ "all fields",
	  "Content-Type: image/png; name=\"a b.png\"\nContent-ID: <i@d>\n"
	  "Content-Description: d e\nContent-Transfer-Encoding: BASE64\n"
	  "Content-MD5: Q2hl\nContent-Disposition: attachment; filename=a\n"
	  "Content-Language: de, en\nContent-Location: http://x/\n\nAAAA\n",
	  "(\"image\" \"png\" (\"name\" \"a b.png\") \"<i@d>\" \"d e\" \"BASE64\" 6 "
	  "\"Q2hl\" "
	  "(\"attachment\" (\"filename\" \"a\")) (\"de\" \"en\") \"http://x/\")" },
	{ "bad type", "Content-Type: nonsense\n\nx\n",
	  "(\"text\" \"plain\" (\"charset\" \"us-ascii\") NIL NIL \"7bit\" 3 1 " NONE
	  ")" },
	{ "bad encoding", "Content-Transfer-Encoding: quoted printable\n\nx\n",
	  "(\"text\" \"plain\" (\"charset\" \"us-ascii\") NIL NIL \"7bit\" 3 1 " NONE
	  ")" },
	{ "folded boundary",
	  "Content-Type: multipart/mixed; boundary=\"foo\n bar\"\n\n--foo bar\n"
	  "Content-Type: text/x-myown; charset=us-ascii\n\nhello\n\n--foo bar--\n",
	  "((\"text\" \"x-myown\" (\"charset\" \"us-ascii\") NIL NIL \"7bit\" 7 1 " NONE
	  ") \"mixed\" (\"boundary\" \"foo bar\") NIL NIL NIL)" },
	{ "two parts",
	  "Content-Type: multipart/alternative; boundary=b\n\npre\n--b\n\none\n--b\n"
	  "Content-Type: text/html\n\ntwo\n--b--\npost\n",
	  "((\"text\" \"plain\" (\"charset\" \"us-ascii\") NIL NIL \"7bit\" 3 0 " NONE
	  ")(\"text\" \"html\" (\"charset\" \"us-ascii\") NIL NIL \"7bit\" 3 0 " NONE
	  ") \"alternative\" (\"boundary\" \"b\") NIL NIL NIL)" },
	{ "nested",
	  "Content-Type: multipart/mixed; boundary=a\n\n--a\nContent-Type: "
	  "multipart/mixed; boundary=ab\n\n--ab\n\n1\n--ab--\n--a\n\n2\n--a--\n",
	  "(((\"text\" \"plain\" (\"charset\" \"us-ascii\") NIL NIL \"7bit\" 1 0 " NONE
	  ") \"mixed\" (\"boundary\" \"ab\") NIL NIL NIL)(\"text\" \"plain\" "
	  "(\"charset\" "
	  "\"us-ascii\") NIL NIL \"7bit\" 1 0 " NONE
	  ") \"mixed\" (\"boundary\" \"a\") NIL NIL NIL)" },
	{ "inner one never ends",
	  "Content-Type: multipart/mixed; boundary=a\n\n--a\nContent-Type: "
	  "multipart/mixed; boundary=b\n\n--b\n\n1\n--a\n\n2\n--a--\n",
	  "(((\"text\" \"plain\" (\"charset\" \"us-ascii\") NIL NIL \"7bit\" 1 0 " NONE
	  ") \"mixed\" (\"boundary\" \"b\") NIL NIL NIL)(\"text\" \"plain\" (\"charset\" "
	  "\"us-ascii\") NIL NIL \"7bit\" 1 0 " NONE
	  ") \"mixed\" (\"boundary\" \"a\") NIL NIL NIL)" },
	{ "no boundary", "Content-Type: multipart/mixed\n\nx\n",
	  "((\"text\" \"plain\" (\"charset\" \"us-ascii\") NIL NIL \"7bit\" 0 0 " NONE
	  ") \"mixed\" NIL NIL NIL NIL)" },
	{ "boundary not found", "Content-Type: multipart/mixed; boundary=b\n\nx\n",
	  "((\"text\" \"plain\" (\"charset\" \"us-ascii\") NIL NIL \"7bit\" 0 0 " NONE
	  ") \"mixed\" (\"boundary\" \"b\") NIL NIL NIL)" },
	{ "message", "Content-Type: message/rfc822\n\nSubject: in\n\nhi\n",
	  "(\"message\" \"rfc822\" NIL NIL NIL \"7bit\" 19 (NIL \"in\" NIL NIL NIL NIL "
	  "NIL "
	  "NIL NIL NIL) (\"text\" \"plain\" (\"charset\" \"us-ascii\") NIL NIL \"7bit\" "
	  "4 1 " NONE ") 3 " NONE ")" },
	{ "digest",
	  "Content-Type: multipart/digest; boundary=b\n\n--b\n\nSubject: "
	  "in\n\nhi\n--b--\n",
	  "((\"message\" \"rfc822\" NIL NIL NIL \"7bit\" 17 (NIL \"in\" NIL NIL NIL NIL "
	  "NIL "
	  "NIL NIL NIL) (\"text\" \"plain\" (\"charset\" \"us-ascii\") NIL NIL \"7bit\" "
	  "2 0 " NONE ") 2 " NONE ") \"digest\" (\"boundary\" \"b\") NIL NIL NIL)" },
	{ "header cut by a boundary",
	  "Content-Type: multipart/mixed; boundary=b\n\n--b\nContent-Type: "
	  "text/html\n--b\n\n"
	  "2\n--b--\n",
	  "((\"text\" \"html\" (\"charset\" \"us-ascii\") NIL NIL \"7bit\" 0 0 " NONE
	  ")(\"text\" \"plain\" (\"charset\" \"us-ascii\") NIL NIL \"7bit\" 1 0 " NONE
	  ") \"mixed\" (\"boundary\" \"b\") NIL NIL NIL)" },
	{ "line ends used up twice",
	  "Content-Type: multipart/mixed; boundary=b\n\n--b\n\n--b\n\n\n--b--\n",
	  "((\"text\" \"plain\" (\"charset\" \"us-ascii\") NIL NIL \"7bit\" 0 0 " NONE
	  ")(\"text\" \"plain\" (\"charset\" \"us-ascii\") NIL NIL \"7bit\" 0 0 " NONE
	  ") \"mixed\" (\"boundary\" \"b\") NIL NIL NIL)" },
	{ "encoding of a message is passed over",
	  "Content-Type: message/rfc822\nContent-Transfer-Encoding: base64\n\nAAAA\n",
	  "(\"message\" \"rfc822\" NIL NIL NIL \"base64\" 6 (NIL NIL NIL NIL NIL NIL NIL "
	  "NIL "
	  "NIL NIL) (\"text\" \"plain\" (\"charset\" \"us-ascii\") NIL NIL \"7bit\" 0 "
	  "0 " NONE ") 1 " NONE ")" },
	{ "comments",
	  "Content-Type: text/plain (a;b) ; (c) charset (d) = (e) \"x\" (f)\n\n",
	  "(\"text\" \"plain\" (\"charset\" \"x\") NIL NIL \"7bit\" 0 0 " NONE ")" },
	{ "broken parameters",
	  "Content-Type: text/plain; ; =x; a; b=; c=\"; charset=q\n\n",
	  "(\"text\" \"plain\" (\"b\" \"\" \"c\" \"; charset=q\") NIL NIL \"7bit\" 0 "
	  "0 " NONE ")" },
};

static void
test_structures(void)
{
	for (size_t i = 0; i < ARRAY_LEN(structures); i++) {
		struct arena *a = arena_new(PREPARE_ARENA_BYTES);
		struct prepared p;

		mail_prepare(message_from(a, structures[i].message), a, &p);
		CHECK_STR_EQ(p.bodystructure, str_from(structures[i].want),
		             structures[i].what);
		arena_free(&a);
	}
}

static const char nested[] =
	"From: a@b\nContent-Type: multipart/mixed; boundary=b\n\npre\n"
	"--b\nX-One: 1\n\none\n"
	"--b\nContent-Type: message/rfc822\n\nSubject: in\nContent-Type: "
	"multipart/alternative; boundary=c\n\n--c\nX-C: 1\n\nc1\n--c\n\nc2\n--c--\n"
	"--b\nContent-Type: message/rfc822\nX-Three: 3\n\nSubject: plain\n\ntext\n"
	"--b--\npost\n";

static const struct {
	uint32_t path[4];
	size_t depth;
	enum section_kind kind;
	const char *want; /* NULL: no such section */
} sections[] = {
	{ { 0 }, 0, SECTION_BODY, nested },
	{ { 0 },
	  0,
	  SECTION_HEADER,
	  "From: a@b\nContent-Type: multipart/mixed; boundary=b\n\n" },
	{ { 0 }, 0, SECTION_TEXT, nested + 53 },
	{ { 0 }, 0, SECTION_MIME, NULL },
	{ { 1 }, 1, SECTION_BODY, "one" },
	{ { 1 }, 1, SECTION_MIME, "X-One: 1\n\n" },
	{ { 1 }, 1, SECTION_HEADER, NULL },
	{ { 1 }, 1, SECTION_TEXT, NULL },
	{ { 1, 1 }, 2, SECTION_BODY, NULL },
	{ { 2 }, 1, SECTION_MIME, "Content-Type: message/rfc822\n\n" },
	{ { 2 },
	  1,
	  SECTION_HEADER,
	  "Subject: in\nContent-Type: multipart/alternative; boundary=c\n\n" },
	{ { 2 }, 1, SECTION_TEXT, "--c\nX-C: 1\n\nc1\n--c\n\nc2\n--c--\n" },
	{ { 2, 1 }, 2, SECTION_BODY, "c1" },
	{ { 2, 1 }, 2, SECTION_MIME, "X-C: 1\n\n" },
	{ { 2, 2 }, 2, SECTION_BODY, "c2" },
	{ { 2, 3 }, 2, SECTION_BODY, NULL },
	{ { 2, 0 }, 2, SECTION_BODY, NULL },
	{ { 3 }, 1, SECTION_BODY, "Subject: plain\n\ntext" },
	{ { 3 }, 1, SECTION_MIME, "Content-Type: message/rfc822\nX-Three: 3\n\n" },
	{ { 3 }, 1, SECTION_HEADER, "Subject: plain\n\n" },
	{ { 3 }, 1, SECTION_TEXT, "text" },
	{ { 3, 1 }, 2, SECTION_BODY, "text" },
	{ { 3, 1 }, 2, SECTION_MIME, "Subject: plain\n\n" },
	{ { 3, 2 }, 2, SECTION_BODY, NULL },
	{ { 3, 1, 1 }, 3, SECTION_BODY, NULL },
	{ { 4 }, 1, SECTION_BODY, NULL },
	{ { 0 }, 1, SECTION_BODY, NULL },
	{ { UINT32_MAX }, 1, SECTION_BODY, NULL },
};

static void
test_sections(void)
{
	struct arena *a = arena_new(PREPARE_ARENA_BYTES);
	struct str message = message_from(a, nested);
	struct prepared p;

	mail_prepare(message, a, &p);
	for (size_t i = 0; i < ARRAY_LEN(sections); i++) {
		struct span span = { 0, 0 };
		enum mime_encoding encoding;
		char what[32];
		enum err e = part_table_find(p.parts, sections[i].path, sections[i].depth,
		                             sections[i].kind, &span, &encoding);

		(void)snprintf(what, sizeof(what), "row %zu", i);
		CHECK_ERR_EQ(e, sections[i].want ? OK : ERR_NOT_FOUND, what);
		if (e == OK && sections[i].want)
			CHECK_STR_EQ(str_make(message.p + span.at, span.n),
			             message_from(a, sections[i].want), what);
	}
	arena_free(&a);
}

/* Every cut and every changed byte of a table is an answer, never a crash. */
static void
test_damaged_table(void)
{
	struct arena *a = arena_new(PREPARE_ARENA_BYTES);
	static const uint32_t path[] = { 2, 1 };
	enum mime_encoding encoding;
	struct prepared p;
	struct span span;
	char *bytes;
	size_t corrupt = 0;

	mail_prepare(message_from(a, nested), a, &p);
	for (size_t n = 0; n < p.parts.n; n++) {
		enum err e = part_table_find(str_first(p.parts, n), path, 2, SECTION_BODY,
		                             &span, &encoding);

		corrupt += e == ERR_CORRUPT;
	}
	CHECK_TRUE(corrupt > 0, "a table cut short is damaged");
	bytes = arena_cstr(a, p.parts);
	for (size_t i = 0; i < p.parts.n; i++) {
		for (int c = 0; c < 256; c++) {
			bytes[i] = (char)c;
			if (part_table_find(str_make(bytes, p.parts.n), path, 2,
			                    SECTION_BODY, &span, &encoding) == OK)
				corrupt++;
		}
		bytes[i] = p.parts.p[i];
	}
	CHECK_ERR_EQ(part_table_find(STR(""), path, 0, SECTION_BODY, &span, &encoding),
	             ERR_CORRUPT, "empty");
	arena_free(&a);
}

/* Each must be prepared in far less than a second of our own time. */
static void
bomb(const char *what, const char *head, const char *unit, size_t count, const char *tail)
{
	struct arena *a = arena_new(PREPARE_ARENA_BYTES);
	struct strbuf m = strbuf_heap((size_t)64 * 1024 * 1024);
	struct prepared p;
	clock_t began;

	strbuf_add(&m, str_from(head));
	for (size_t i = 0; i < count; i++)
		strbuf_add(&m, str_from(unit));
	strbuf_add(&m, str_from(tail));
	CHECK_TRUE(!m.overflow, what);
	began = clock();
	mail_prepare(strbuf_str(&m), a, &p);
	CHECK_TRUE(clock() - began < CLOCKS_PER_SEC, what);
	CHECK_TRUE(p.part_count <= MIME_PARTS_MAX, what);
	CHECK_TRUE(p.bodystructure.n <= PREPARE_TEXT_MAX && p.bodystructure.n > 0, what);
	strbuf_release(&m);
	arena_free(&a);
}

static void
test_bombs(void)
{
	bomb("parts", "Content-Type: multipart/mixed; boundary=b\r\n\r\n",
	     "--b\r\n\r\nx\r\n", 100000, "--b--\r\n");
	bomb("depth", "", "Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n",
	     20000, "");
	bomb("messages in messages", "", "Content-Type: message/rfc822\r\n\r\n", 20000,
	     "");
	bomb("boundary-like lines", "Content-Type: multipart/mixed; boundary=b\r\n\r\n",
	     "--a\r\n", 1000000, "");
	bomb("short lines", "Content-Type: multipart/mixed; boundary=b\r\n\r\n", "\r\n",
	     4000000, "");
	bomb("fields", "", "X: y\r\n", 1000000, "\r\n");
	bomb("one field", "X: ", "y\r\n ", 1000000, "\r\n\r\n");
	bomb("junk lines", "", "nothing\r\n", 1000000, "\r\n");
	bomb("parameters", "Content-Type: text/plain", ";\r\n a=b", 100000, "\r\n\r\n");
	bomb("continuations", "Content-Type: text/plain", ";\r\n charset*1*=b", 100000,
	     "\r\n\r\nx");
	bomb("open comments", "To: ", "(", 1000000, "\r\n\r\n");
	bomb("comments", "To: ", "()", 1000000, "\r\n\r\n");
	bomb("routes", "To: ", "<@", 1000000, "\r\n\r\n");
	bomb("quotes", "To: ", "\"", 1000001, "\r\n\r\n");
	bomb("commas", "To: ", ",", 4000000, "\r\n\r\n");
	bomb("groups", "To: ", "a:;", 1000000, "\r\n\r\n");
	bomb("words", "To: ", "a ", 1000000, "\r\n\r\n");
	bomb("at signs", "To: ", "a@", 1000000, "\r\n\r\n");
	bomb("encoded words", "Subject: ", "=?utf-8?q?a?= ", 200000, "\r\n\r\n");
	bomb("words begun", "Subject: ", "=?", 1000000, "\r\n\r\n");
	bomb("half words", "Subject: ", "=?a?q?", 500000, "\r\n\r\n");
	bomb("ids", "References: ", "<a@b> ", 500000, "\r\n\r\n");
	bomb("ids begun", "References: ", "<a", 1000000, "\r\n\r\n");
	bomb("tags", "Content-Type: text/html\r\n\r\n", "<", 1000000, "");
	bomb("entities", "Content-Type: text/html\r\n\r\n", "&", 1000000, "");
	bomb("blobs", "Subject: ", "[a] ", 500000, "\r\n\r\n");
	bomb("replies", "Subject: ", "re:", 500000, "\r\n\r\n");
	bomb("long line", "\r\n", "xxxxxxxx", 4000000, "\r\n");
	bomb("languages", "Content-Language: ", "a,", 500000, "\r\n\r\n");
	bomb("types", "", "Content-Type: text/plain\r\n", 100000, "\r\n");
	bomb("dates", "Date: ", "(", 1000000, "\r\n\r\n");
}

SUITE(mail_mime, { "structures", test_structures }, { "sections", test_sections },
      { "damaged_table", test_damaged_table }, { "bombs", test_bombs });
