#include "mail/received.h"
#include "tests/unit/check.h"

static void
check_line(const struct received *r, const char *want)
{
	char bytes[2048];
	struct strbuf out = strbuf_on(bytes);

	received_format(&out, r);
	CHECK_STR_EQ(strbuf_str(&out), str_from(want), "received");
}

static void
test_format(void)
{
	struct received r = {
		.helo = STR("client.example"),
		.client_host = STR("mail.example"),
		.client_ip = STR("192.0.2.1"),
		.by = STR("mx.example.org"),
		.trace_id = STR("mtr_0123456789abcdef"),
		.rcpt = STR("ann@example.org"),
		.tls = STR("TLSv1.3 TLS_AES_256_GCM_SHA384"),
		.is_esmtp = true,
		.is_tls = true,
		.is_auth = true,
		.at_ms = 1795451095000,
	};

	check_line(&r, "Received: from client.example (mail.example [192.0.2.1])\r\n"
	               "\tby mx.example.org with ESMTPSA id mtr_0123456789abcdef\r\n"
	               "\t(TLSv1.3 TLS_AES_256_GCM_SHA384)\r\n"
	               "\tfor <ann@example.org>;\r\n"
	               "\tMon, 23 Nov 2026 16:24:55 +0000\r\n");
	r = (struct received){ .client_ip = STR("2001:db8::1"),
		               .by = STR("mx.example.org") };
	check_line(&r, "Received: from [IPv6:2001:db8::1] ([IPv6:2001:db8::1])\r\n"
	               "\tby mx.example.org with SMTP;\r\n"
	               "\tThu, 1 Jan 1970 00:00:00 +0000\r\n");
	r = (struct received){ .by = STR("mx.example.org"), .protocol = STR("HTTP") };
	check_line(&r, "Received: by mx.example.org with HTTP;\r\n"
	               "\tThu, 1 Jan 1970 00:00:00 +0000\r\n");
	/* What a client says about itself adds nothing. */
	r = (struct received){
		.helo = STR("a\r\nEvil: x (y) <z>\x01;"),
		.client_ip = STR("192.0.2.1"),
		.by = STR("mx.example.org"),
	};
	check_line(&r, "Received: from a??Evil:?x??y???z??? ([192.0.2.1])\r\n"
	               "\tby mx.example.org with SMTP;\r\n"
	               "\tThu, 1 Jan 1970 00:00:00 +0000\r\n");
}

static void
test_keywords(void)
{
	static const struct {
		struct received received;
		const char *want;
	} rows[] = {
		{ { .is_esmtp = false }, "SMTP" },
		{ { .is_esmtp = true }, "ESMTP" },
		{ { .is_esmtp = true, .is_tls = true }, "ESMTPS" },
		{ { .is_esmtp = true, .is_auth = true }, "ESMTPA" },
		{ { .is_esmtp = true, .is_tls = true, .is_auth = true }, "ESMTPSA" },
		{ { .is_esmtp = true, .is_utf8 = true }, "UTF8SMTP" },
		{ { .is_esmtp = true, .is_utf8 = true, .is_tls = true }, "UTF8SMTPS" },
		{ { .is_esmtp = true, .is_utf8 = true, .is_auth = true }, "UTF8SMTPA" },
		{ { .is_esmtp = true, .is_utf8 = true, .is_tls = true, .is_auth = true },
		  "UTF8SMTPSA" },
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		CHECK_CSTR_EQ(received_keyword(&rows[i].received), rows[i].want,
		              rows[i].want);
}

static void
test_count(void)
{
	struct str header =
		STR("Received: a\r\nreceived: b\r\n c\r\nX: y\r\nReceived-SPF: no\r\n"
	            "\r\nReceived: body\r\n");
	char bytes[128];
	struct strbuf out = strbuf_on(bytes);

	CHECK_U64_EQ(received_count(header, 100), 2, "hops");
	CHECK_U64_EQ(received_count(header, 1), 1, "no further");
	return_path_format(&out, STR("ann@example.org"));
	CHECK_STR_EQ(strbuf_str(&out), STR("Return-Path: <ann@example.org>\r\n"), "path");
	strbuf_clear(&out);
	return_path_format(&out, STR(""));
	CHECK_STR_EQ(strbuf_str(&out), STR("Return-Path: <>\r\n"), "null");
}

SUITE(mail_received, { "format", test_format }, { "keywords", test_keywords },
      { "count", test_count });
