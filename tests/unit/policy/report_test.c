#include "policy/report.h"

#include "base/strbuf.h"
#include "tests/unit/check.h"

#define META                                                                             \
	"<report_metadata><org_name>Peer &amp; "                                         \
	"Co</org_name><email>a@peer.example</email>"                                     \
	"<report_id>3v98abbp8ya9n3va8yr8oa3ya</report_id><date_range><begin>161212415"   \
	"</begin><end>161221511</end></date_range></report_metadata>"
#define PUBLISHED                                                                        \
	"<policy_published><domain>Example.com.</domain><p>none</p></policy_published>"
#define ROW(ip, count)                                                                   \
	"<row><source_ip>" ip "</source_ip><count>" count "</count><policy_evaluated>"   \
	"<disposition>quarantine</disposition><dkim>fail</dkim><spf>pass</spf>"          \
	"<reason><type>local_policy</type><comment>x</comment></reason>"                 \
	"</policy_evaluated></row>"
#define REST                                                                             \
	"<identifiers><header_from>example.com</header_from></identifiers>"              \
	"<auth_results><dkim><domain>example.com</domain><selector>s1</selector>"        \
	"<result>fail</result></dkim><spf><domain>mail.example.com</domain>"             \
	"<result>pass</result></spf></auth_results>"
#define RECORD "<record>" ROW("192.0.2.123", "123") REST "</record>"

static void
test_dmarc(void)
{
	struct arena *a = arena_new(REPORT_ARENA_BYTES);
	struct report r;

	/* As RFC 9990 appendix B has it, with its name space and a prefix. */
	CHECK_ERR_EQ(
		report_parse_dmarc(
			STR("<?xml version=\"1.0\" encoding=\"UTF-8\" ?>\n"
	                    "<d:feedback xmlns:d=\"urn:ietf:params:xml:ns:dmarc-2.0\">"
	                    "<version>1.0</version>" META PUBLISHED RECORD
	                    "<x:new xmlns:x=\"y\"><z/></x:new>"
	                    "<record>" ROW("2001:DB8::1", "2") REST
	                    "</record></d:feedback>"),
			a, &r),
		OK, "reads");
	CHECK_STR_EQ(r.domain, STR("example.com"), "domain");
	CHECK_STR_EQ(r.reporter, STR("Peer & Co"), "reporter");
	CHECK_STR_EQ(r.name, STR("3v98abbp8ya9n3va8yr8oa3ya"), "id");
	CHECK_I64_EQ(r.begin_ms, 161212415000, "begin");
	CHECK_I64_EQ(r.end_ms, 161221511000, "end");
	CHECK_U64_EQ(r.row_count, 2, "rows");
	CHECK_U64_EQ(r.good, 125, "aligned");
	CHECK_U64_EQ(r.bad, 0, "not aligned");
	CHECK_STR_EQ(r.rows[0].source, STR("192.0.2.123"), "source");
	CHECK_STR_EQ(r.rows[1].source, STR("2001:db8::1"), "in its one form");
	CHECK_U64_EQ(r.rows[0].count, 123, "count");
	CHECK_STR_EQ(r.rows[0].done, STR("quarantine"), "done");
	CHECK_STR_EQ(r.rows[0].detail,
	             STR("overridden: local_policy; DKIM example.com/s1 fail;"
	                 " SPF mail.example.com pass"),
	             "detail");
	CHECK_STR_EQ(r.rows[0].domains, STR("mail.example.com"), "what was proven");
	arena_free(&a);
}

/* RFC 9990 4: what others added to the format is passed over, whatever its names are. */
static void
test_extensions(void)
{
	static const char *const roots[] = {
		"<feedback xmlns=\"urn:ietf:params:xml:ns:dmarc-2.0\" xmlns:x=\"urn:x\">",
		"<feedback xmlns:x=\"urn:x\">",
	};
	static const char *const more[] = {
		"<x:row><source_ip>192.0.2.9</source_ip><count>7</count></x:row>",
		"<x:identifiers><header_from>evil.example</header_from></x:identifiers>",
		("<row "
		 "xmlns=\"urn:x\"><source_ip>192.0.2.9</source_ip><count>7</count></"
		 "row>"),
		"<x:arc-results><x:result>pass</x:result></x:arc-results>",
	};

	for (size_t i = 0; i < ARRAY_LEN(more) * ARRAY_LEN(roots); i++) {
		struct arena *a = arena_new(REPORT_ARENA_BYTES);
		const char *one = more[i / ARRAY_LEN(roots)];
		struct report r;
		struct str xml = arena_printf(
			a,
			"%s" META PUBLISHED "<extension><x:arc-override>never"
			"</x:arc-override></extension><record>" ROW("192.0.2.1", "5") REST
			"%s</record></feedback>",
			roots[i % ARRAY_LEN(roots)], one);

		CHECK_ERR_EQ(report_parse_dmarc(xml, a, &r), OK, one);
		CHECK_U64_EQ(r.row_count, 1, one);
		CHECK_U64_EQ(r.good, 5, one);
		CHECK_STR_EQ(r.rows[0].source, STR("192.0.2.1"), one);
		CHECK_STR_EQ(r.rows[0].name, STR("example.com"), one);
		arena_free(&a);
	}
}

static void
test_services(void)
{
	static const struct {
		const char *domains, *word;
	} rows[] = {
		{ "mail198.atl.mcsv.net", "mailchimp" },
		{ "example.com sendgrid.net", "sendgrid" },
		{ "google.com", "google" },
		{ "example-com.20230601.gappssmtp.com", "google" },
		{ "notgoogle.com", NULL },
		{ "google.com.example", NULL },
		{ "", NULL },
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		const struct report_service *s =
			report_service_of(str_from(rows[i].domains));

		CHECK_STR_EQ(str_from(s ? s->word : "none"),
		             str_from(rows[i].word ? rows[i].word : "none"),
		             rows[i].domains);
		if (s)
			CHECK_TRUE(report_service_find(str_from(s->word)) == s,
			           rows[i].word);
	}
	CHECK_TRUE(!report_service_find(STR("")), "no word, no service");
	CHECK_STR_EQ(str_from(report_failure_text(STR("certificate-expired"))),
	             STR("The certificate has expired. Renew it."), "a failure in words");
	CHECK_STR_EQ(str_from(report_failure_text(STR("x"))), STR(""),
	             "one nobody knows");
}

static const struct {
	const char *what, *xml;
	enum err e;
} broken[] = {
	{ "empty", "", ERR_MALFORMED },
	{ "no XML", "hello", ERR_MALFORMED },
	{ "another document", "<html/>", ERR_MALFORMED },
	{ "cut", "<feedback>" META PUBLISHED "<record>", ERR_MALFORMED },
	{ "no metadata", "<feedback>" PUBLISHED RECORD "</feedback>", ERR_MALFORMED },
	{ "no domain", "<feedback>" META RECORD "</feedback>", ERR_MALFORMED },
	{ "no address",
	  "<feedback>" META PUBLISHED "<record>" REST "</record></feedback>",
	  ERR_MALFORMED },
	{ "an address that is none",
	  "<feedback>" META PUBLISHED
	  "<record>" ROW("300.1.1.1", "1") "</record></feedback>",
	  ERR_MALFORMED },
	{ "a count below zero",
	  "<feedback>" META PUBLISHED
	  "<record>" ROW("192.0.2.1", "-1") "</record></feedback>",
	  ERR_MALFORMED },
	{ "a count beyond reason",
	  "<feedback>" META PUBLISHED
	  "<record>" ROW("192.0.2.1", "99999999999") "</record></feedback>",
	  ERR_MALFORMED },
	{ "no begin",
	  "<feedback><report_metadata><org_name>a</org_name><report_id>b</report_id>"
	  "<date_range><end>1</end></date_range></report_metadata>" PUBLISHED RECORD
	  "</feedback>",
	  ERR_MALFORMED },
	{ "no end",
	  "<feedback><report_metadata><org_name>a</org_name><report_id>b</report_id>"
	  "<date_range><begin>0</begin></date_range></report_metadata>" PUBLISHED RECORD
	  "</feedback>",
	  ERR_MALFORMED },
	{ "an end before the begin",
	  "<feedback><report_metadata><org_name>a</org_name><report_id>b</report_id>"
	  "<date_range><begin>2</begin><end>1</end></date_range></"
	  "report_metadata>" PUBLISHED RECORD "</feedback>",
	  ERR_MALFORMED },
	{ "a time that no calendar has",
	  "<feedback><report_metadata><org_name>a</org_name><report_id>b</report_id>"
	  "<date_range><begin>253402300800</begin><end>253402300800</end></date_range>"
	  "</report_metadata>" PUBLISHED RECORD "</feedback>",
	  ERR_MALFORMED },
	{ "a document type", "<!DOCTYPE feedback><feedback>" META PUBLISHED "</feedback>",
	  ERR_UNSUPPORTED },
	{ "entities of its own",
	  "<!DOCTYPE f [<!ENTITY a \"aaaa\"><!ENTITY b \"&a;&a;&a;\">]><feedback>&b;"
	  "</feedback>",
	  ERR_UNSUPPORTED },
	{ "a file from outside", "<!DOCTYPE f SYSTEM \"file:///etc/passwd\"><feedback/>",
	  ERR_UNSUPPORTED },
	{ "an entity nobody made", "<feedback>&a;</feedback>", ERR_MALFORMED },
	{ "too deep",
	  "<a><a><a><a><a><a><a><a><a><a><a><a><a><a><a><a><a/></a></a></a></a></a></a>"
	  "</a></a></a></a></a></a></a></a></a></a>",
	  ERR_LIMIT },
	{ "bytes that are no UTF-8", "<feedback>\xff\xfe</feedback>", ERR_MALFORMED },
};

static void
test_broken(void)
{
	for (size_t i = 0; i < ARRAY_LEN(broken); i++) {
		struct arena *a = arena_new(REPORT_ARENA_BYTES);
		struct report r;

		CHECK_ERR_EQ(report_parse_dmarc(str_from(broken[i].xml), a, &r),
		             broken[i].e, broken[i].what);
		arena_free(&a);
	}
}

/* One row more than may be. */
static void
test_rows_bound(void)
{
	struct arena *a = arena_new(REPORT_ARENA_BYTES);
	struct strbuf b = strbuf_heap(REPORT_BYTES_MAX);
	struct report r;
	static const char record[] = "<record><row><source_ip>192.0.2.1</"
				     "source_ip><count>1</count></row></record>";

	strbuf_lit(&b, "<feedback>" META PUBLISHED);
	for (size_t i = 0; i < REPORT_ROWS_MAX; i++)
		strbuf_add(&b, str_from(record));
	strbuf_lit(&b, "</feedback>");
	CHECK_ERR_EQ(report_parse_dmarc(strbuf_str(&b), a, &r), OK, "as many as may be");
	CHECK_U64_EQ(r.bad, REPORT_ROWS_MAX, "all of them");
	strbuf_truncate(&b, b.n - strlen("</feedback>"));
	strbuf_add(&b, str_from(record));
	strbuf_lit(&b, "</feedback>");
	arena_reset(a);
	CHECK_ERR_EQ(report_parse_dmarc(strbuf_str(&b), a, &r), ERR_LIMIT, "one more");
	strbuf_release(&b);
	arena_free(&a);
}

/* RFC 8460 B. */
#define TLS_HEAD                                                                         \
	"{\"organization-name\":\"Company-X\",\"date-range\":{\"start-datetime\":"       \
	"\"2016-04-01T00:00:00Z\",\"end-datetime\":\"2016-04-01T23:59:59Z\"},"           \
	"\"contact-info\":\"sts-reporting@company-x.example\",\"report-id\":"            \
	"\"5065427c-23d3-47ca-b6e0-946ea0e8c4be\",\"policies\":["
#define TLS_POLICY                                                                       \
	"{\"policy\":{\"policy-type\":\"sts\",\"policy-string\":[\"version: STSv1\","    \
	"\"mode: testing\"],\"policy-domain\":\"company-y.example\",\"mx-host\":"        \
	"[\"*.mail.company-y.example\"]},\"summary\":{\"total-successful-session-"       \
	"count\":"                                                                       \
	"5326,\"total-failure-session-count\":303},\"failure-details\":[{\"result-"      \
	"type\":"                                                                        \
	"\"certificate-expired\",\"sending-mta-ip\":\"2001:db8:abcd:0012::1\","          \
	"\"receiving-mx-hostname\":\"mx1.mail.company-y.example\","                      \
	"\"failed-session-count\":100},{\"result-type\":\"starttls-not-supported\","     \
	"\"sending-mta-ip\":\"2001:db8:abcd:0013::1\",\"receiving-mx-hostname\":"        \
	"\"mx2.mail.company-y.example\",\"receiving-ip\":\"203.0.113.56\","              \
	"\"failed-session-count\":200,\"additional-information\":"                       \
	"\"https://reports.company-x.example/report_info?id=5065427c-23d3#"              \
	"StarttlsNotSupported \"},{\"result-type\":\"validation-failure\","              \
	"\"sending-mta-ip\":\"198.51.100.62\",\"receiving-ip\":\"203.0.113.58\","        \
	"\"receiving-mx-hostname\":\"mx-backup.mail.company-y.example\","                \
	"\"failed-session-count\":3,\"failure-reason-code\":\"X509_V_ERR_PROXY_PATH_"    \
	"LENGTH_EXCEEDED\"}]}"

static void
test_tls(void)
{
	struct arena *a = arena_new(REPORT_ARENA_BYTES);
	struct report r;

	CHECK_ERR_EQ(report_parse_tls(STR(TLS_HEAD TLS_POLICY "]}"), a, &r), OK, "reads");
	CHECK_STR_EQ(r.domain, STR("company-y.example"), "domain");
	CHECK_STR_EQ(r.reporter, STR("Company-X"), "reporter");
	CHECK_I64_EQ(r.begin_ms, 1459468800000, "begin");
	CHECK_U64_EQ(r.good, 5326, "secured");
	CHECK_U64_EQ(r.bad, 303, "failed");
	CHECK_U64_EQ(r.row_count, 4, "rows");
	CHECK_STR_EQ(r.rows[2].done, STR("starttls-not-supported"), "kind");
	CHECK_STR_EQ(r.rows[3].name, STR("mx-backup.mail.company-y.example"), "MX");
	CHECK_STR_EQ(r.rows[3].detail,
	             STR("at 203.0.113.58; reason X509_V_ERR_PROXY_PATH_LENGTH_EXCEEDED"),
	             "detail");
	CHECK_ERR_EQ(report_parse_tls(STR("{}"), a, &r), ERR_MALFORMED, "empty");
	CHECK_ERR_EQ(report_parse_tls(STR("[]"), a, &r), ERR_MALFORMED, "a list");
	CHECK_ERR_EQ(report_parse_tls(STR(TLS_HEAD "]}"), a, &r), ERR_MALFORMED,
	             "about nothing");
	CHECK_ERR_EQ(
		report_parse_tls(STR(TLS_HEAD "{\"policy\":{\"policy-domain\":\"a\"},"
	                                      "\"summary\":{\"total-successful-"
	                                      "session-count\":-1}}]}"),
	                         a, &r),
		ERR_MALFORMED, "below zero");
	arena_free(&a);
}

/* What cannot be true, or is too much of it. */
static void
test_tls_broken(void)
{
#define HEAD(begin, end)                                                                 \
	"{\"organization-name\":\"a\",\"report-id\":\"b\",\"date-range\":{"              \
	"\"start-datetime\":\"" begin "\",\"end-datetime\":\"" end "\"},\"policies\":["
#define POLICY(good, failed)                                                             \
	"{\"policy\":{\"policy-domain\":\"b.example\"},\"summary\":{"                    \
	"\"total-successful-session-count\":" good "},\"failure-details\":["             \
	"{\"result-type\":\"x\",\"failed-session-count\":" failed "}]}]}"
	static const struct {
		const char *what, *text;
		enum err e;
	} rows[] = {
		{ "good",
		  HEAD("2026-01-01T00:00:00Z", "2026-01-02T00:00:00Z")
		          POLICY("1000000000", "1000000000"),
		  OK },
		{ "too many",
		  HEAD("2026-01-01T00:00:00Z", "2026-01-02T00:00:00Z")
		          POLICY("1000000001", "1"),
		  ERR_MALFORMED },
		{ "too many failures",
		  HEAD("2026-01-01T00:00:00Z", "2026-01-02T00:00:00Z")
		          POLICY("1", "1000000001"),
		  ERR_MALFORMED },
		{ "no number",
		  HEAD("2026-01-01T00:00:00Z", "2026-01-02T00:00:00Z")
		          POLICY("\"1\"", "1"),
		  ERR_MALFORMED },
		{ "an end before the begin",
		  HEAD("2026-01-02T00:00:01Z", "2026-01-02T00:00:00Z") POLICY("1", "1"),
		  ERR_MALFORMED },
		{ "no time", HEAD("yesterday", "2026-01-02T00:00:00Z") POLICY("1", "1"),
		  ERR_MALFORMED },
	};
#undef HEAD
#undef POLICY

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct arena *a = arena_new(REPORT_ARENA_BYTES);
		struct report r;

		CHECK_ERR_EQ(report_parse_tls(str_from(rows[i].text), a, &r), rows[i].e,
		             rows[i].what);
		arena_free(&a);
	}
}

#define MAIL(type, encoding, body)                                                       \
	"From: a@peer.example\r\nMIME-Version: 1.0\r\nContent-Type: multipart/mixed; "   \
	"boundary=b\r\n\r\n--b\r\nContent-Type: text/plain\r\n\r\nHello\r\n--b\r\n"      \
	"Content-Type: " type "\r\nContent-Transfer-Encoding: " encoding "\r\n\r\n" body \
	"\r\n--b--\r\n"

static void
test_mail(void)
{
	static const struct {
		const char *what, *mail, *type;
		enum err e;
	} mails[] = {
		{ "XML",
		  MAIL("text/xml", "8bit",
		       "<feedback>" META PUBLISHED RECORD "</feedback>"),
		  "application/xml", OK },
		{ "JSON",
		  MAIL("application/tlsrpt+json", "7bit", TLS_HEAD TLS_POLICY "]}"),
		  "application/json", OK },
		{ "alone",
		  "Content-Type: application/xml\r\n\r\n<feedback>" META PUBLISHED RECORD
		  "</feedback>",
		  "application/xml", OK },
		{ "text only", "From: a@b\r\n\r\nHello\r\n", NULL, ERR_NOT_FOUND },
		{ "something else", MAIL("application/pdf", "7bit", "%PDF"), NULL,
		  ERR_NOT_FOUND },
		{ "broken gzip", MAIL("application/gzip", "base64", "H4sIAAAA"), NULL,
		  ERR_MALFORMED },
		{ "broken XML", MAIL("application/octet-stream", "7bit", "<feedback>"),
		  NULL, ERR_MALFORMED },
		{ "packed",
		  MAIL("application/gzip", "base64",
		       "H4sIAAAAAAACA2VQQQrDMAz7Ub32NjB+w34Q3MTrwpo4ZCnbfr+E0nbQ\r\n"
		       "k2UhycJ4F3Ej2ydhlqS5mCCFHRcm1DyZyEHohrDjTeYdeYRjweoRkzlO\r\n"
		       "VTPK5CP1CCtAiY4GhDYQ/oVwOpp09vZr0jLO/vWQFqyBawh38uGQZqkJ\r\n"
		       "K4NwFmexmtvUN+FLl2zF+ET9degu3dDVSgeJVpdYWs0V1DbNBVsG7L/5\r\n"
		       "AT6vNv4mAQAA\r\n"),
		  "application/gzip", OK },
	};

	for (size_t i = 0; i < ARRAY_LEN(mails); i++) {
		struct arena *a = arena_new(REPORT_ARENA_BYTES);
		struct report r;
		struct str raw = STR(""), type = STR("");

		CHECK_ERR_EQ(
			report_parse_mail(str_from(mails[i].mail), a, &r, &raw, &type),
			mails[i].e, mails[i].what);
		if (mails[i].e == OK) {
			CHECK_STR_EQ(type, str_from(mails[i].type), mails[i].what);
			CHECK_TRUE(raw.n > 0 && r.row_count > 0, mails[i].what);
		}
		arena_free(&a);
	}
}

/* A tag or a comment that goes on and on would be looked at anew with each piece of it. */
static void
test_long_token(void)
{
	static const struct {
		const char *before, *after;
	} tokens[] = {
		{ "<feedback a='", "'/>" },
		{ "<feedback><!--", "--></feedback>" },
		{ "<feedback><?a ", "?></feedback>" },
		{ "<feedback></feedback", ">" },
		{ "<!--", "--><feedback/>" },
	};

	for (size_t i = 0; i < ARRAY_LEN(tokens); i++) {
		struct arena *a = arena_new(REPORT_ARENA_BYTES);
		struct strbuf b = strbuf_heap(1 << 20);
		struct report r;

		strbuf_add(&b, str_from(tokens[i].before));
		while (b.n < 256 << 10)
			strbuf_lit(&b, "                                ");
		strbuf_add(&b, str_from(tokens[i].after));
		CHECK_ERR_EQ(report_parse_dmarc(strbuf_str(&b), a, &r), ERR_LIMIT,
		             tokens[i].before);
		strbuf_release(&b);
		arena_free(&a);
	}
}

/* A document takes many times its bytes in memory. */
static void
test_long_json(void)
{
	static const size_t sizes[] = { 1 << 20, 3 << 20 };

	for (size_t i = 0; i < ARRAY_LEN(sizes); i++) {
		struct arena *a = arena_new(REPORT_ARENA_BYTES);
		struct strbuf b = strbuf_heap(4 << 20);
		struct str raw, type;
		struct report r;

		strbuf_lit(&b, "Content-Type: application/json\r\n\r\n");
		strbuf_lit(&b, TLS_HEAD TLS_POLICY);
		while (b.n < sizes[i])
			strbuf_lit(&b, "                              \r\n");
		strbuf_lit(&b, "]}");
		CHECK_ERR_EQ(report_parse_mail(strbuf_str(&b), a, &r, &raw, &type),
		             i ? ERR_LIMIT : OK, i ? "too long" : "long");
		strbuf_release(&b);
		arena_free(&a);
	}
}

/* What is read of all parts together is bounded as well. */
static void
test_many_parts(void)
{
	static const char *const types[] = { "application/json", "application/xml" };
	static const char *const begins[] = { "{\"a\": 1, ", "<a>" };
	static const size_t sizes[] = { 1 << 20, 6 << 20 };

	for (size_t i = 0; i < ARRAY_LEN(types); i++) {
		struct arena *a = arena_new(REPORT_ARENA_BYTES);
		struct strbuf b = strbuf_heap(24 << 20);
		struct str raw, type;
		struct report r;

		strbuf_lit(&b, "Content-Type: multipart/mixed; boundary=x\r\n\r\n");
		for (size_t part = 1; part <= 3; part++) {
			strbuf_printf(&b, "--x\r\nContent-Type: %s\r\n\r\n%s", types[i],
			              begins[i]);
			while (b.n < part * sizes[i])
				strbuf_lit(&b, "                              \r\n");
		}
		CHECK_ERR_EQ(report_parse_mail(strbuf_str(&b), a, &r, &raw, &type),
		             ERR_LIMIT, types[i]);
		strbuf_release(&b);
		arena_free(&a);
	}
}

static void
test_sender(void)
{
#define AR(words)                                                                        \
	"Return-Path: <a@b.example>\r\nAuthentication-Results: us.example;\r\n\t" words  \
	"\r\n"
	static const struct {
		const char *what, *header, *domain;
		bool is_proven;
	} rows[] = {
		{ "DMARC passes",
		  AR("spf=pass smtp.mailfrom=a@b.example; dmarc=pass "
		     "header.from=b.example"),
		  "b.example", true },
		{ "DMARC fails",
		  AR("spf=pass smtp.mailfrom=a@c.example; dmarc=fail "
		     "header.from=b.example"),
		  "b.example", false },
		{ "no record, SPF of the same",
		  AR("spf=pass smtp.mailfrom=a@m.b.example; dmarc=none "
		     "header.from=b.example"),
		  "b.example", true },
		{ "no record, SPF of the domain above",
		  AR("spf=pass smtp.mailfrom=a@b.example; dmarc=none "
		     "header.from=m.b.example"),
		  "m.b.example", true },
		{ "no record, DKIM of the same",
		  AR("dkim=fail header.d=b.example; dkim=pass header.d=b.example; "
		     "dmarc=none header.from=b.example"),
		  "b.example", true },
		{ "no record, SPF of another",
		  AR("spf=pass smtp.mailfrom=a@xb.example; dmarc=none "
		     "header.from=b.example"),
		  "b.example", false },
		{ "no record, a broken signature",
		  AR("dkim=fail header.d=b.example; dmarc=none header.from=b.example"),
		  "b.example", false },
		{ "DNS was silent",
		  AR("spf=pass smtp.mailfrom=a@b.example; dmarc=temperror "
		     "header.from=b.example"),
		  "b.example", true },
		{ "From makes no sense",
		  AR("spf=pass smtp.mailfrom=a@b.example; dmarc=permerror "
		     "header.from=b.example"),
		  "b.example", false },
		{ "another server's",
		  "Authentication-Results: them.example; dmarc=pass "
		  "header.from=b.example\r\n",
		  "", false },
		{ "further down",
		  "Received: x\r\nAuthentication-Results: us.example; dmarc=pass "
		  "header.from=b.example\r\n",
		  "", false },
		{ "none", "Return-Path: <>\r\nFrom: a@b.example\r\n", "", false },
		{ "nothing", "", "", false },
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct arena *a = arena_new(256 << 10);
		struct str domain;

		CHECK_TRUE(report_sender(str_from(rows[i].header), STR("us.example"), a,
		                         &domain) == rows[i].is_proven,
		           rows[i].what);
		CHECK_STR_EQ(domain, str_from(rows[i].domain), rows[i].what);
		arena_free(&a);
	}
#undef AR
}

SUITE(policy_report, { "DMARC", test_dmarc }, { "services", test_services },
      { "extensions", test_extensions }, { "sender", test_sender },
      { "broken", test_broken }, { "bound of rows", test_rows_bound },
      { "TLS", test_tls }, { "broken TLS", test_tls_broken },
      { "long JSON", test_long_json }, { "long tokens", test_long_token },
      { "many parts", test_many_parts }, { "mail", test_mail });
