#include "mail/envelope.h"
#include "mail/prepare.h"
#include "tests/unit/check.h"
#include "tests/unit/mail/message.h"

/* To: as written, and the address list of ENVELOPE that it must give. */
static const struct {
	const char *to, *want;
} lists[] = {
	{ "ann@example.org", "((NIL NIL \"ann\" \"example.org\"))" },
	{ "Ann <ann@example.org>", "((\"Ann\" NIL \"ann\" \"example.org\"))" },
	{ "\"Ann B.\" <ann@example.org>", "((\"Ann B.\" NIL \"ann\" \"example.org\"))" },
	{ "Ann B. Smith <ann@example.org>",
	  "((\"Ann B. Smith\" NIL \"ann\" \"example.org\"))" },
	{ "ann@example.org (Ann)", "((\"Ann\" NIL \"ann\" \"example.org\"))" },
	{ "(no) ann@example.org (Ann (B))",
	  "((\"Ann (B)\" NIL \"ann\" \"example.org\"))" },
	{ "a@b, c@d", "((NIL NIL \"a\" \"b\")(NIL NIL \"c\" \"d\"))" },
	{ "a@b,,, ,c@d,", "((NIL NIL \"a\" \"b\")(NIL NIL \"c\" \"d\"))" },
	{ "g: a@b, c@d;", "((NIL NIL \"g\" NIL)(NIL NIL \"a\" \"b\")(NIL NIL \"c\" "
	                  "\"d\")(NIL NIL NIL NIL))" },
	{ "undisclosed-recipients:;",
	  "((NIL NIL \"undisclosed-recipients\" NIL)(NIL NIL NIL NIL))" },
	{ "g: a@b", "((NIL NIL \"g\" NIL)(NIL NIL \"a\" \"b\")(NIL NIL NIL NIL))" },
	{ "x@y, My Friends: a@b; , z@w",
	  "((NIL NIL \"x\" \"y\")(NIL NIL \"My Friends\" NIL)(NIL NIL \"a\" \"b\")"
	  "(NIL NIL NIL NIL)(NIL NIL \"z\" \"w\"))" },
	{ "<@route:user@domain>", "((NIL \"@route\" \"user\" \"domain\"))" },
	{ "<@a,@b:user@domain>", "((NIL \"@a,@b\" \"user\" \"domain\"))" },
	{ "\"a b\"@example.org", "((NIL NIL \"a b\" \"example.org\"))" },
	{ "\"a\\\"b\" <c@d>", "((\"a\\\"b\" NIL \"c\" \"d\"))" },
	{ "\"a\\\\b\" <c@d>", "((\"a\\\\b\" NIL \"c\" \"d\"))" },
	{ "Ann\n <ann@example.org>", "((\"Ann\" NIL \"ann\" \"example.org\"))" },
	{ "Ann\n B <ann@example.org>", "((\"Ann B\" NIL \"ann\" \"example.org\"))" },
	{ "ann . smith @ example . org", "((NIL NIL \"ann.smith\" \"example.org\"))" },
	{ "=?utf-8?q?=C3=BC?= <a@b>", "((\"=?utf-8?q?=C3=BC?=\" NIL \"a\" \"b\"))" },
	{ "\303\274 <a@b>", "(({2}\r\n\303\274 NIL \"a\" \"b\"))" },
	{ "a@[192.0.2.1]", "((NIL NIL \"a\" \"[192.0.2.1]\"))" },
	{ "\"\" <a@b>", "((NIL NIL \"a\" \"b\"))" },
	{ "a@b <c@d>", "((\"a@b\" NIL \"c\" \"d\"))" },
	{ "Ann <ann@example.org", "((\"Ann\" NIL \"ann\" \"example.org\"))" },
	{ "Ann <ann@example.org, Bob <b@c>",
	  "((\"Ann\" NIL \"ann\" \"example.org\")(\"Bob\" NIL \"b\" \"c\"))" },
	{ "ann", "((NIL NIL \"ann\" \"\"))" },
	{ "", "NIL" },
	{ "(nobody)", "NIL" },
	{ ",", "NIL" },
	{ "\"unclosed <a@b>", "((NIL NIL \"unclosed <a@b>\" \"\"))" },
	{ "(unclosed a@b", "NIL" },
};

static void
test_lists(void)
{
	for (size_t i = 0; i < ARRAY_LEN(lists); i++) {
		struct arena *a = arena_new(PREPARE_ARENA_BYTES);
		struct envelope_fields fields;
		struct strbuf out = strbuf_arena(a, 4096), want = strbuf_arena(a, 4096);
		struct strbuf header = strbuf_arena(a, 4096);

		strbuf_printf(&header, "To: %s\n\n", lists[i].to);
		envelope_read(message_from(a, strbuf_cstr(&header)), &fields);
		envelope_format(&fields, a, &out, NULL);
		strbuf_printf(&want, "(NIL NIL NIL NIL NIL %s NIL NIL NIL NIL)",
		              lists[i].want);
		CHECK_STR_EQ(strbuf_str(&out), strbuf_str(&want), lists[i].to);
		arena_free(&a);
	}
}

static void
check_envelope(const char *header, const char *want)
{
	struct arena *a = arena_new(PREPARE_ARENA_BYTES);
	struct prepared p;

	mail_prepare(message_from(a, header), a, &p);
	CHECK_STR_EQ(p.envelope, str_from(want), header);
	arena_free(&a);
}

static void
test_whole(void)
{
	check_envelope("", "(NIL NIL NIL NIL NIL NIL NIL NIL NIL NIL)");
	check_envelope("\nbody\n", "(NIL NIL NIL NIL NIL NIL NIL NIL NIL NIL)");
	check_envelope(
		"Message-ID: <m@id>\nIn-Reply-To: <r@id>\nDate: Thu, 15 Feb 2007 "
		"01:02:03 +0200\nSubject: s\nFrom: F <f@a>\nTo: T <t@a>\nCc: c@a\n"
		"Bcc: b@a\nSender: s@a\nReply-To: r@a\n\nbody\n",
		"(\"Thu, 15 Feb 2007 01:02:03 +0200\" \"s\" ((\"F\" NIL \"f\" \"a\")) "
		"((NIL NIL \"s\" \"a\")) ((NIL NIL \"r\" \"a\")) ((\"T\" NIL \"t\" "
		"\"a\")) ((NIL NIL \"c\" \"a\")) ((NIL NIL \"b\" \"a\")) \"<r@id>\" "
		"\"<m@id>\")");
	/* From stands in for Sender and Reply-To that are missing or empty. */
	check_envelope(
		"From: f@a\nSender: \nReply-To:\n\n",
		"(NIL NIL ((NIL NIL \"f\" \"a\")) ((NIL NIL \"f\" \"a\")) ((NIL NIL "
		"\"f\" \"a\")) NIL NIL NIL NIL NIL)");
	check_envelope("Subject:\n\n", "(NIL \"\" NIL NIL NIL NIL NIL NIL NIL NIL)");
	check_envelope("Subject: a\n b\n\tc\n\n",
	               "(NIL \"a b\tc\" NIL NIL NIL NIL NIL NIL NIL NIL)");
	check_envelope("Subject: a \"b\" \\c\n\n",
	               "(NIL \"a \\\"b\\\" \\\\c\" NIL NIL NIL NIL NIL NIL NIL NIL)");
	check_envelope("Subject: \303\274\n\n",
	               "(NIL {2}\r\n\303\274 NIL NIL NIL NIL NIL NIL NIL NIL)");
	check_envelope("subject : x\n\n", "(NIL \"x\" NIL NIL NIL NIL NIL NIL NIL NIL)");
	check_envelope("Subject: one\nSubject: two\n\n",
	               "(NIL \"two\" NIL NIL NIL NIL NIL NIL NIL NIL)");
	check_envelope("no colon\nSubject: x\n\n",
	               "(NIL \"x\" NIL NIL NIL NIL NIL NIL NIL NIL)");
}

static void
test_bounds(void)
{
	struct arena *a = arena_new(PREPARE_ARENA_BYTES);
	struct strbuf m = strbuf_heap(16 * 1024 * 1024);
	struct prepared p;

	strbuf_lit(&m, "To: g:");
	for (int i = 0; i < 100000; i++)
		strbuf_printf(&m, "Person Number %d <person%d@example.org>,\r\n ", i, i);
	strbuf_lit(&m, ";\r\n\r\n");
	mail_prepare(strbuf_str(&m), a, &p);
	CHECK_TRUE(p.envelope.n > ENVELOPE_SOFT_MAX / 2, "most of them are there");
	CHECK_TRUE(p.envelope.n <= ENVELOPE_SOFT_MAX + 4096, "not all");
	CHECK_TRUE(str_ends(p.envelope, STR("(NIL NIL NIL NIL)) NIL NIL NIL NIL)")),
	           "well-formed, the group closed");
	strbuf_release(&m);
	arena_free(&a);
}

SUITE(mail_envelope, { "lists", test_lists }, { "whole", test_whole },
      { "bounds", test_bounds });
