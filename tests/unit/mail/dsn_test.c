#include "base/utf8.h"
#include "mail/dsn.h"
#include "mail/encoded.h"
#include "mail/header.h"
#include "mail/part_table.h"
#include "mail/prepare.h"
#include "tests/unit/check.h"

static const struct dsn_rcpt rcpts[] = {
	{
		.address = STR_INIT("bob@example.net"),
		.original = STR_INIT("rfc822;bob@example.net"),
		.action = DSN_FAILED,
		.status = STR_INIT("5.1.1"),
		.remote_host = STR_INIT("mx.example.net"),
		.diagnostic = STR_INIT("550 5.1.1 No such user\r\nEvil: yes\x01"),
		.last_attempt_ms = 1795451000000,
		.final_log_id = STR_INIT("mtr_0123456789abcdef"),
	},
	{
		.address = STR_INIT("carl@example.com"),
		.action = DSN_DELAYED,
		.status = STR_INIT("4.4.1"),
		.diagnostic = STR_INIT("Connection refused"),
		.will_retry_until_ms = 1795883095000,
	},
};

static const struct dsn plain = {
	.host = STR_INIT("mx.example.org"),
	.to = STR_INIT("ann@example.org"),
	.envelope_id = STR_INIT("QQ314159"),
	.message_id = STR_INIT("<mtr_1@mx.example.org>"),
	.trace_id = STR_INIT("mtr_0123456789abcdef"),
	.now_ms = 1795451095000,
	.arrival_ms = 1795450000000,
	.boundary = STR_INIT("report0123456789abcdef"),
	.rcpts = rcpts,
	.rcpt_count = 2,
	.original = STR_INIT("Subject: lunch\r\nFrom: ann@example.org\r\n\r\nsecret\r\n"),
};

static struct str
part(struct str message, const struct prepared *p, uint32_t number)
{
	struct span span = { 0, 0 };
	enum mime_encoding encoding;

	CHECK_ERR_EQ(
		part_table_find(p->parts, &number, 1, SECTION_BODY, &span, &encoding), OK,
		"part");
	return str_make(message.p + span.at, span.n);
}

static void
test_report(void)
{
	struct arena *a = arena_new(PREPARE_ARENA_BYTES);
	struct strbuf out = strbuf_heap(65536);
	struct header_field f;
	struct prepared p;
	struct str m, line, rest;

	dsn_format(&out, &plain);
	m = strbuf_str(&out);
	mail_prepare(m, a, &p);
	CHECK_TRUE(!out.overflow, "it fits");
	CHECK_U64_EQ(p.part_count, 4, "three parts in one");
	CHECK_TRUE(str_find_str(p.body, STR("\"delivery-status\"")) != SIZE_MAX,
	           "status part");
	CHECK_TRUE(str_ends(p.body, STR("\"report\")")), "report");
	CHECK_TRUE(header_find(m, STR("Auto-Submitted"), &f), "auto");
	CHECK_STR_EQ(str_trim(f.value), STR("auto-replied"), "auto");
	CHECK_STR_EQ(p.from_address, STR("MAILER-DAEMON@mx.example.org"), "from");
	CHECK_STR_EQ(p.to, STR("ann@example.org"), "to");
	CHECK_STR_EQ(part(m, &p, 2),
	             STR("Original-Envelope-Id: QQ314159\r\n"
	                 "Reporting-MTA: dns; mx.example.org\r\n"
	                 "Arrival-Date: Mon, 23 Nov 2026 16:06:40 +0000\r\n"
	                 "\r\n"
	                 "Original-Recipient: rfc822;bob@example.net\r\n"
	                 "Final-Recipient: rfc822; bob@example.net\r\n"
	                 "Action: failed\r\n"
	                 "Status: 5.1.1\r\n"
	                 "Remote-MTA: dns; mx.example.net\r\n"
	                 "Diagnostic-Code: smtp; 550 5.1.1 No such user Evil: yes\r\n"
	                 "Last-Attempt-Date: Mon, 23 Nov 2026 16:23:20 +0000\r\n"
	                 "Final-Log-Id: mtr_0123456789abcdef\r\n"
	                 "\r\n"
	                 "Final-Recipient: rfc822; carl@example.com\r\n"
	                 "Action: delayed\r\n"
	                 "Status: 4.4.1\r\n"
	                 "Diagnostic-Code: x-mailstead; Connection refused\r\n"
	                 "Will-Retry-Until: Sat, 28 Nov 2026 16:24:55 +0000\r\n"),
	             "status");
	CHECK_STR_EQ(part(m, &p, 3),
	             STR("Subject: lunch\r\nFrom: ann@example.org\r\n\r\n"),
	             "only the header");
	CHECK_TRUE(str_find_str(m, STR("secret")) == SIZE_MAX, "no body");
	CHECK_TRUE(ascii_check(m), "nothing but ASCII in, nothing else out");
	for (rest = m; str_next(&rest, '\n', &line);)
		CHECK_TRUE(str_ends(line, STR("\r")) && line.n <= 999,
		           "CRLF, short lines");
	arena_free(&a);
	strbuf_release(&out);
}

static void
test_full_and_utf8(void)
{
	struct arena *a = arena_new(PREPARE_ARENA_BYTES);
	struct strbuf out = strbuf_heap(65536);
	struct dsn d = plain;
	struct dsn_rcpt r = {
		.address = STR("\303\274@example.net"),
		.action = DSN_FAILED,
		.status = STR("5.1.1"),
	};
	struct prepared p;

	d.want_full = true;
	dsn_format(&out, &d);
	mail_prepare(strbuf_str(&out), a, &p);
	CHECK_STR_EQ(part(strbuf_str(&out), &p, 3), d.original, "the whole message");
	CHECK_U64_EQ(p.part_count, 5, "a message inside");
	strbuf_clear(&out);
	d.original =
		STR("Subject: Gr\303\274\303\237e\r\n\r\nGr\303\274\303\237e = 1\r\n");
	dsn_format(&out, &d);
	mail_prepare(strbuf_str(&out), a, &p);
	CHECK_TRUE(str_find_str(strbuf_str(&out),
	                        STR("message/global\r\n"
	                            "Content-Transfer-Encoding: 8bit\r\n")) != SIZE_MAX,
	           "one in UTF-8");
	CHECK_STR_EQ(part(strbuf_str(&out), &p, 3), d.original, "as it was");
	strbuf_clear(&out);
	d.rcpts = &r;
	d.rcpt_count = 1;
	d.to = STR("j\303\274rgen@example.org");
	dsn_format(&out, &d);
	mail_prepare(strbuf_str(&out), a, &p);
	CHECK_TRUE(str_find_str(p.body, STR("\"global-delivery-status\"")) != SIZE_MAX,
	           "RFC 6533");
	CHECK_TRUE(str_find_str(strbuf_str(&out),
	                        STR("Final-Recipient: utf-8; \303\274@example.net")) !=
	                   SIZE_MAX,
	           "address type");
	arena_free(&a);
	strbuf_release(&out);
}

/* Addresses that are long in UTF-8 are longer in ASCII: there, or not named at all. */
static void
test_long_addresses(void)
{
	static const struct {
		const char *what;
		size_t letters; /* of two bytes each, seven in ASCII */
		bool is_there;
	} rows[] = {
		{ "the longest address", 127, true },
		{ "the longest that was once said", 240, false },
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct strbuf out = strbuf_heap(65536), name = strbuf_heap(1024);
		struct dsn_rcpt r = {
			.address = STR("\303\274@example.net"),
			.action = DSN_FAILED,
			.status = STR("5.1.1"),
		};
		struct dsn d = plain;
		size_t at;
		struct str line;

		strbuf_lit(&name, "utf-8;");
		for (size_t k = 0; k < rows[i].letters; k++)
			strbuf_lit(&name, "\320\277");
		r.original = strbuf_str(&name);
		d.rcpts = &r;
		d.rcpt_count = 1;
		dsn_format(&out, &d);
		at = str_find_str(strbuf_str(&out), STR("\r\nOriginal-Recipient:"));
		CHECK_TRUE((at != SIZE_MAX) == rows[i].is_there, rows[i].what);
		line = str_from_offset(strbuf_str(&out), at == SIZE_MAX ? out.n : at + 2);
		line = str_first(line, str_find(line, '\r'));
		CHECK_U64_EQ(line.n,
		             rows[i].is_there ? strlen("Original-Recipient: utf-8;") +
		                                        7 * rows[i].letters
		                              : 0,
		             rows[i].what);
		strbuf_release(&out);
		strbuf_release(&name);
	}
}

/* Whatever it is about, a server without 8BITMIME takes it; and it says the same. */
static void
test_seven_bits(void)
{
	static const struct {
		const char *what, *header, *type, *want;
	} rows[] = {
		{ "UTF-8", "Subject: Gr\303\274\303\237e\r\n\r\n",
		  "message/global-headers", "Subject: Gr=C3=BC=C3=9Fe\r\n\r\n" },
		{ "another charset", "Subject: Gr\374\337e \r\n\r\n",
		  "text/rfc822-headers", "Subject: Gr=FC=DFe=20\r\n\r\n" },
		{ "neither", "Subject: G=r\r\n\r\n", "text/rfc822-headers",
		  "Subject: G=r\r\n\r\n" },
	};
	static const struct dsn_rcpt gone = {
		.address = STR_INIT("j\303\274rgen@example.net"),
		.original = STR_INIT("utf-8;j\303\274rgen@example.net"),
		.action = DSN_FAILED,
		.status = STR_INIT("5.1.1"),
		.remote_host = STR_INIT("mx.example.net"),
		.diagnostic = STR_INIT("550 5.1.1 nicht da: J\303\274rgen \374"),
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct arena *a = arena_new(PREPARE_ARENA_BYTES);
		struct strbuf out = strbuf_heap(65536), people = strbuf_heap(65536);
		struct dsn d = plain;
		struct prepared p;
		struct str m;

		d.rcpts = &gone;
		d.rcpt_count = 1;
		d.original = str_from(rows[i].header);
		dsn_format(&out, &d);
		m = strbuf_str(&out);
		mail_prepare(m, a, &p);
		CHECK_TRUE(ascii_check(m), rows[i].what);
		CHECK_TRUE(str_find_str(m, str_from(rows[i].type)) != SIZE_MAX,
		           rows[i].type);
		CHECK_STR_EQ(part(m, &p, 3), str_from(rows[i].want), rows[i].what);
		CHECK_TRUE(str_find_str(part(m, &p, 2),
		                        STR("Original-Recipient: "
		                            "utf-8;j\\x{FC}rgen@example.net\r\n"
		                            "Final-Recipient: "
		                            "utf-8; j\\x{FC}rgen@example.net\r\n")) !=
		                   SIZE_MAX,
		           "addresses in ASCII (RFC 6533 3)");
		quoted_printable_decode(part(m, &p, 1), &people);
		CHECK_TRUE(str_find_str(strbuf_str(&people),
		                        STR("<j\303\274rgen@example.net>")) != SIZE_MAX,
		           "for people as it is");
		strbuf_release(&out);
		strbuf_release(&people);
		arena_free(&a);
	}
}

/* Receipts: nothing but the header goes back, and of that no more than its first fields. */
static void
test_receipt(void)
{
	static const struct dsn_rcpt got[] = {
		{ .address = STR_INIT("bob@example.net"),
		  .original = STR_INIT("utf-8;j\\x{FC}rgen@example.net"),
		  .action = DSN_DELIVERED,
		  .status = STR_INIT("2.0.0"),
		  .last_attempt_ms = 1795451000000 },
		{ .address = STR_INIT("team@example.net"),
		  .action = DSN_EXPANDED,
		  .status = STR_INIT("2.0.0") },
	};
	struct arena *a = arena_new(PREPARE_ARENA_BYTES);
	struct strbuf out = strbuf_heap(1 << 20), original = strbuf_heap(1 << 20);
	struct dsn d = plain;
	struct prepared p;
	struct str m;

	for (int i = 0; i < 3000; i++)
		strbuf_printf(&original, "X-%d: some words\r\n and a fold of them\r\n",
		              i);
	strbuf_lit(&original, "\r\nsecret\r\n");
	d.rcpts = got;
	d.rcpt_count = 2;
	d.original = strbuf_str(&original);
	dsn_format(&out, &d);
	m = strbuf_str(&out);
	mail_prepare(m, a, &p);
	CHECK_STR_EQ(p.subject, STR("Delivered mail: receipt for your message"),
	             "subject");
	CHECK_STR_EQ(part(m, &p, 2),
	             STR("Original-Envelope-Id: QQ314159\r\n"
	                 "Reporting-MTA: dns; mx.example.org\r\n"
	                 "Arrival-Date: Mon, 23 Nov 2026 16:06:40 +0000\r\n"
	                 "\r\n"
	                 "Original-Recipient: utf-8;j\\x{FC}rgen@example.net\r\n"
	                 "Final-Recipient: rfc822; bob@example.net\r\n"
	                 "Action: delivered\r\n"
	                 "Status: 2.0.0\r\n"
	                 "Last-Attempt-Date: Mon, 23 Nov 2026 16:23:20 +0000\r\n"
	                 "\r\n"
	                 "Final-Recipient: rfc822; team@example.net\r\n"
	                 "Action: expanded\r\n"
	                 "Status: 2.0.0\r\n"),
	             "status");
	CHECK_TRUE(out.n < (64 << 10) + 4096, "the first fields of its header");
	CHECK_TRUE(str_ends(part(m, &p, 3), STR(" and a fold of them\r\n")),
	           "whole ones");
	CHECK_TRUE(str_find_str(m, STR("secret")) == SIZE_MAX, "no body");
	arena_free(&a);
	strbuf_release(&out);
	strbuf_release(&original);
}

SUITE(mail_dsn, { "long addresses", test_long_addresses },
      { "seven_bits", test_seven_bits }, { "receipt", test_receipt },
      { "report", test_report }, { "full_and_utf8", test_full_and_utf8 });
