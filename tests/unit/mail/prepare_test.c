#include "mail/prepare.h"
#include "mail/subject.h"
#include "tests/unit/check.h"
#include "tests/unit/mail/message.h"

static void
test_index(void)
{
	struct arena *a = arena_new(PREPARE_ARENA_BYTES);
	struct prepared p;

	mail_prepare(message_from(a,
	                          "Return-Path: <b@x>\nReceived: 1\nReceived: 2\n"
	                          "From: =?utf-8?q?J=C3=BCrgen?= <J@Example.org>, c@d\n"
	                          "To: Ann <ann@example.org>,\n\tbob@example.org\n"
	                          "Subject: [list] Re: =?utf-8?b?w7w=?=  (fwd)\n"
	                          "Date: Mon, 23 Nov 2026 18:24:55 +0200\n"
	                          "Message-ID:\n <a@b>\n"
	                          "In-Reply-To: mail of Monday <c@d> (x)\n"
	                          "References: <e@f> <c@d>\n\t<e@f> junk <g h> <i@j>\n\n"
	                          "  Hello,\n\n\tworld \302\240 \342\200\213!\n"),
	             a, &p);
	CHECK_STR_EQ(p.from, STR("J\303\274rgen <J@Example.org>, c@d"), "from");
	CHECK_STR_EQ(p.to, STR("Ann <ann@example.org>, bob@example.org"), "to");
	CHECK_STR_EQ(p.subject, STR("[list] Re: \303\274 (fwd)"), "subject");
	CHECK_STR_EQ(p.subject_base, STR("\303\274"), "base");
	CHECK_STR_EQ(p.from_address, STR("J@Example.org"), "address");
	CHECK_STR_EQ(p.message_id, STR("<a@b>"), "id");
	CHECK_STR_EQ(p.in_reply_to, STR("<c@d>"), "in reply to");
	CHECK_STR_EQ(p.references, STR("<e@f> <c@d> <i@j>"), "references");
	CHECK_STR_EQ(p.preview, STR("Hello, world !"), "preview");
	CHECK_TRUE(p.has_date, "date");
	CHECK_I64_EQ(p.date_ms, 1795451095000, "date");
	CHECK_I64_EQ(p.date_zone_min, 120, "zone");
	CHECK_U64_EQ(p.received_count, 2, "hops");
	CHECK_TRUE(p.has_8bit && !p.has_8bit_header && !p.has_attachment, "flags");
	arena_free(&a);
}

static const struct {
	const char *what, *message, *preview;
	bool has_attachment;
} rows[] = {
	{ "nothing", "", "", false },
	{ "html",
	  "Content-Type: text/html\n\n<html><head><title>T</title><style>p{x}</style>"
	  "</head><body><!-- no --><p>Caf&eacute; &amp; <b>bar</b></p>&nbsp;end",
	  "Caf&eacute; & bar end", false },
	{ "plain wins",
	  "Content-Type: multipart/alternative; boundary=b\n\n--b\nContent-Type: "
	  "text/html\n\n<p>html\n--b\n\nplain\n--b--\n",
	  "plain", false },
	{ "attachment",
	  "Content-Type: multipart/mixed; boundary=b\n\n--b\n\nsee there\n--b\n"
	  "Content-Type: application/pdf\n\nx\n--b--\n",
	  "see there", true },
	{ "text attached",
	  "Content-Type: multipart/mixed; boundary=b\n\n--b\nContent-Disposition: "
	  "attachment\n\nfile\n--b\n\nbody\n--b--\n",
	  "body", true },
	{ "picture in the text",
	  "Content-Type: multipart/related; boundary=b\n\n--b\nContent-Type: "
	  "text/html\n\nhi\n--b\nContent-Type: image/png\nContent-ID: <x>\n\n"
	  "x\n--b--\n",
	  "hi", false },
	{ "signature",
	  "Content-Type: multipart/signed; boundary=b\n\n--b\n\nhi\n--b\nContent-Type: "
	  "application/pgp-signature\n\nx\n--b--\n",
	  "hi", false },
	{ "message",
	  "Content-Type: multipart/mixed; boundary=b\n\n--b\n\nhi\n--b\nContent-Type: "
	  "message/rfc822\n\n\ninner\n--b--\n",
	  "hi", true },
	{ "base64",
	  "Content-Transfer-Encoding: base64\nContent-Type: text/plain; "
	  "charset=utf-16le\n\naABpAA==\n",
	  "hi", false },
	{ "latin", "Content-Type: text/plain; charset=latin1\n\n\374\n", "\303\274",
	  false },
	{ "unknown", "Content-Type: text/plain; charset=none\n\na\374b\n",
	  "a\357\277\275b", false },
};

static void
test_previews(void)
{
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct arena *a = arena_new(PREPARE_ARENA_BYTES);
		struct prepared p;

		mail_prepare(message_from(a, rows[i].message), a, &p);
		CHECK_STR_EQ(p.preview, str_from(rows[i].preview), rows[i].what);
		CHECK_TRUE(p.has_attachment == rows[i].has_attachment, rows[i].what);
		arena_free(&a);
	}
}

static void
test_subjects(void)
{
	static const struct {
		const char *subject, *base;
	} subjects[] = {
		{ "x", "x" },
		{ "Re: x", "x" },
		{ "RE: re : Fw: fwd[2]: x", "x" },
		{ "[a] [b] x", "x" },
		{ "[a]", "[a]" },
		{ "Re: [a] Re: x (fwd) (FWD)", "x" },
		{ "[Fwd: x]", "x" },
		{ "[fwd: Re: x (fwd)]", "x" },
		{ "Regarding x", "Regarding x" },
		{ "re", "re" },
		{ "Re:", "" },
		{ "", "" },
		{ "[a[b] x", "[a[b] x" },
	};

	for (size_t i = 0; i < ARRAY_LEN(subjects); i++)
		CHECK_STR_EQ(subject_base(str_from(subjects[i].subject)),
		             str_from(subjects[i].base), subjects[i].subject);
}

/* With little memory the results are poorer, and nothing breaks. */
static void
test_small_arena(void)
{
	struct strbuf m = strbuf_heap(1024 * 1024);

	strbuf_lit(&m, "To: a@b, c@d (x), \"e\" <f@g>\r\nSubject: a\r\n b\r\n"
	               "Content-Type: multipart/mixed; boundary=\"a\\b\"\r\n\r\n");
	for (int i = 0; i < 50; i++)
		strbuf_lit(
			&m,
			"--ab\r\nContent-Type: text/plain; name=\"x\\\"y\"\r\n\r\nz\r\n");
	for (size_t bytes = 4096; bytes < 200000; bytes += 1500) {
		struct arena *a = arena_new(bytes);
		struct prepared p;

		mail_prepare(strbuf_str(&m), a, &p);
		CHECK_TRUE(p.envelope.n && p.body.n && p.bodystructure.n, "never empty");
		arena_free(&a);
	}
	strbuf_release(&m);
}

/* RFC 8689 3 */
static void
test_tls_required(void)
{
	static const struct {
		const char *header;
		bool is_optional;
	} fields[] = {
		{ "TLS-Required: No\r\n", true },
		{ "tls-required:no\r\n", true },
		{ "TLS-Required: \r\n NO \r\n", true },
		{ "TLS-Required: Yes\r\n", false },
		{ "TLS-Required:\r\n", false },
		{ "TLS-Required: No way\r\n", false },
		{ "TLS-Required: No\r\nTLS-Required: No\r\n", false },
		{ "X-TLS-Required: No\r\n", false },
		{ "Subject: x\r\n\r\nTLS-Required: No\r\n", false },
	};

	for (size_t i = 0; i < ARRAY_LEN(fields); i++) {
		struct arena *a = arena_new(PREPARE_ARENA_BYTES);
		struct strbuf message = strbuf_heap(1000);
		struct prepared p;

		strbuf_add(&message, str_from(fields[i].header));
		strbuf_lit(&message, "\r\nHello\r\n");
		mail_prepare(strbuf_str(&message), a, &p);
		CHECK_TRUE(p.is_tls_optional == fields[i].is_optional, fields[i].header);
		strbuf_release(&message);
		arena_free(&a);
	}
}

SUITE(mail_prepare, { "index", test_index }, { "previews", test_previews },
      { "subjects", test_subjects }, { "small_arena", test_small_arena },
      { "TLS-Required", test_tls_required });
