#include "policy/report_make.h"

#include "base/strbuf.h"
#include "ext/gzip.h"
#include "tests/unit/check.h"

static const struct report_head head = {
	.kind = REPORT_DMARC,
	.organization = STR_INIT("Ours & <Co>"),
	.contact = STR_INIT("reports@example.org"),
	.submitter = STR_INIT("mail.example.org"),
	.domain = STR_INIT("example.net"),
	.id = STR_INIT("20260102rpt7"),
	.begin_s = 1767312000,
	.end_s = 1767398399,
	.generator = STR_INIT("Mailstead"),
};

static const char policy[] = "p=reject sp=quarantine np=reject adkim=s aspf=r t=n fo=1:d";

/* --- DMARC -------------------------------------------------------------------------- */

static struct str
make_dmarc(struct arena *a, const char *const *rows, size_t count)
{
	struct strbuf b = strbuf_arena(a, 1 << 20);

	report_make_dmarc_begin(&b, &head, str_from(policy));
	for (size_t i = 0; i < count; i++)
		report_make_dmarc_row(&b, str_from(rows[i]), i + 1);
	report_make_dmarc_end(&b);
	CHECK_TRUE(!b.overflow, "it fits");
	return strbuf_str(&b);
}

/* What one row becomes; each of `want` must stand in it. */
static const struct row {
	const char *what, *body;
	const char *want[4];
} rows[] = {
	{ "what fails is refused",
	  "ip=192.0.2.1 disposition=reject published=reject policy=reject aligned_dkim=0"
	  " aligned_spf=0 domain=example.net spf=fail spf_domain=evil.example"
	  " spf_scope=mfrom",
	  { "<disposition>reject</disposition>\n        <dkim>fail</dkim>\n"
	    "        <spf>fail</spf>\n      </policy_evaluated>",
	    "<envelope_from>evil.example</envelope_from>",
	    "<domain>evil.example</domain>\n        <scope>mfrom</scope>\n"
	    "        <result>fail</result>" } },
	{ "what passes an enforced policy",
	  "ip=2001:db8::1 disposition=none published=reject policy=reject aligned_dkim=1"
	  " aligned_spf=0 domain=example.net spf=none spf_domain=h.example "
	  "spf_scope=helo",
	  { "<disposition>pass</disposition>\n        <dkim>pass</dkim>",
	    "<envelope_from></envelope_from>", "<source_ip>2001:db8::1</source_ip>" } },
	{ "what passes where nothing is asked for",
	  "ip=192.0.2.1 disposition=none published=none policy=none aligned_dkim=0"
	  " aligned_spf=1 domain=example.net",
	  { "<disposition>none</disposition>", "<spf>pass</spf>" } },
	{ "a domain that is testing",
	  "ip=192.0.2.1 disposition=quarantine published=reject policy=quarantine"
	  " aligned_dkim=0 aligned_spf=0 domain=example.net",
	  { "<type>policy_test_mode</type>" } },
	{ "an override that was noted",
	  "ip=192.0.2.1 disposition=none published=reject policy=reject aligned_dkim=0"
	  " aligned_spf=0 override=trusted_forwarder domain=example.net",
	  { "<type>trusted_forwarder</type>" } },
	{ "one that nobody explains",
	  "ip=192.0.2.1 disposition=none published=reject policy=reject aligned_dkim=0"
	  " aligned_spf=0 override=because domain=example.net",
	  { "<type>other</type>" } },
	{ "signatures, good ones first",
	  "ip=192.0.2.1 domain=example.net"
	  " signatures=\"a.example/s1=fail b.example/s/2=pass junk c.example/x=maybe\"",
	  { "<auth_results>\n      <dkim>\n        <domain>b.example</domain>\n"
	    "        <selector>s/2</selector>\n        <result>pass</result>",
	    "<domain>a.example</domain>\n        <selector>s1</selector>\n"
	    "        <result>fail</result>" } },
	{ "the strictly aligned one first, then its neighbours",
	  "ip=192.0.2.1 domain=m.example.net"
	  " signatures=\"esp.example/a=pass example.net/b=pass m.example.net/c=pass\"",
	  { "<domain>m.example.net</domain>\n        <selector>c</selector>\n"
	    "        <result>pass</result>\n      </dkim>\n      <dkim>\n"
	    "        <domain>example.net</domain>\n        <selector>b</selector>\n"
	    "        <result>pass</result>\n      </dkim>\n      <dkim>\n"
	    "        <domain>esp.example</domain>" } },
	{ "why what did not pass did not",
	  "ip=192.0.2.1 domain=example.net spf=permerror spf_reason=\"two <records>\""
	  " signatures=\"a.example/1=pass b.example/2=fail c.example/3=temperror\""
	  " dkim_reasons=\"|the body was changed\"",
	  { "<selector>2</selector>\n        <result>fail</result>\n"
	    "        <human_result>the body was changed</human_result>\n      </dkim>",
	    "<selector>3</selector>\n        <result>temperror</result>\n      </dkim>",
	    "<selector>1</selector>\n        <result>pass</result>\n      </dkim>",
	    "<result>permerror</result>\n"
	    "        <human_result>two &lt;records&gt;</human_result>\n      </spf>" } },
	{ "whom it was for",
	  "ip=192.0.2.1 domain=example.net envelope_to=ours.example",
	  { "<envelope_to>ours.example</envelope_to>\n    </identifiers>" } },
	{ "strangers' bytes",
	  "ip=192.0.2.1 domain=\"</header_from><evil/>&amp;\\x01\\xff\xc3\xa4\""
	  " signatures=\"<x>/\\\"=pass\"",
	  { "<header_from>&lt;/header_from&gt;&lt;evil/&gt;&amp;amp;??\xc3\xa4"
	    "</header_from>",
	    "<domain>&lt;x&gt;</domain>", "<selector>\"</selector>" } },
};

static void
test_rows(void)
{
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct arena *a = arena_new(REPORT_ARENA_BYTES);
		struct str xml = make_dmarc(a, &rows[i].body, 1);
		struct report r;

		for (size_t j = 0; j < 4 && rows[i].want[j]; j++) {
			bool is_there =
				str_find_str(xml, str_from(rows[i].want[j])) != SIZE_MAX;

			CHECK_TRUE(is_there, rows[i].what);
			if (!is_there)
				CHECK_STR_EQ(xml, str_from(rows[i].want[j]), "of this");
		}
		CHECK_ERR_EQ(report_parse_dmarc(xml, a, &r), OK, rows[i].what);
		CHECK_U64_EQ(r.row_count, 1, rows[i].what);
		arena_free(&a);
	}
}

static void
test_dmarc(void)
{
	static const char *const two[] = {
		"ip=192.0.2.1 disposition=reject domain=example.net",
		"ip=192.0.2.2 aligned_dkim=1 domain=example.net",
	};
	struct arena *a = arena_new(REPORT_ARENA_BYTES);
	struct str xml = make_dmarc(a, two, 2);
	struct report r;

	CHECK_ERR_EQ(report_parse_dmarc(xml, a, &r), OK, "our reader reads it");
	CHECK_STR_EQ(r.domain, STR("example.net"), "domain");
	CHECK_STR_EQ(r.reporter, STR("Ours & <Co>"), "who");
	CHECK_STR_EQ(r.name, STR("20260102rpt7"), "id");
	CHECK_I64_EQ(r.begin_ms, 1767312000000, "begin");
	CHECK_I64_EQ(r.end_ms, 1767398399000, "end");
	CHECK_U64_EQ(r.good, 2, "aligned");
	CHECK_U64_EQ(r.bad, 1, "not");
	CHECK_STR_EQ(r.rows[1].source, STR("192.0.2.2"), "source");
	CHECK_TRUE(str_find_str(xml, STR("<p>reject</p>\n    <sp>quarantine</sp>\n"
	                                 "    <np>reject</np>\n    <adkim>s</adkim>\n"
	                                 "    <aspf>r</aspf>\n    <testing>n</testing>\n"
	                                 "    <fo>1:d</fo>")) != SIZE_MAX,
	           "what was published");
	CHECK_TRUE(str_starts(str_from_offset(xml, str_find(xml, '\n') + 1),
	                      STR("<feedback xmlns=\"urn:ietf:params:xml:ns:dmarc-2.0\">"
	                          "\n  <version>1.0</version>\n  <report_metadata>")),
	           "name space and version");
	arena_free(&a);
}

/* What the record said, and what stands for what it did not say. */
static void
test_published(void)
{
	static const struct {
		const char *policy, *want;
	} published[] = {
		{ "p=quarantine sp=none np=reject adkim=r aspf=s t=y fo=0",
		  "<p>quarantine</p>\n    <sp>none</sp>\n    <np>reject</np>\n"
		  "    <adkim>r</adkim>\n    <aspf>s</aspf>\n"
		  "    <testing>y</testing>\n    <fo>0</fo>\n  </policy_published>" },
		{ "p=reject",
		  "<p>reject</p>\n    <sp>none</sp>\n    <np>none</np>\n"
		  "    <adkim>r</adkim>\n    <aspf>r</aspf>\n"
		  "    <testing>n</testing>\n    <fo>0</fo>\n  </policy_published>" },
		{ "p=burn adkim=x t=maybe fo=<1>",
		  "<p>none</p>\n    <sp>none</sp>\n    <np>none</np>\n"
		  "    <adkim>r</adkim>\n    <aspf>r</aspf>\n"
		  "    <testing>n</testing>\n    <fo>&lt;1&gt;</fo>\n"
		  "  </policy_published>" },
	};

	for (size_t i = 0; i < ARRAY_LEN(published); i++) {
		char bytes[2048];
		struct strbuf b = strbuf_on(bytes);

		report_make_dmarc_begin(&b, &head, str_from(published[i].policy));
		CHECK_TRUE(str_find_str(strbuf_str(&b), str_from(published[i].want)) !=
		                   SIZE_MAX,
		           published[i].policy);
	}
}

/* --- TLS ---------------------------------------------------------------------------- */

static struct str
make_tls(struct arena *a)
{
	static const struct {
		const char *body;
		uint64_t count;
	} seen[] = {
		{ "policy=no-policy-found host=mx9.example.net ip=192.0.2.9", 7 },
		{ "policy=sts rules=\"version: STSv1\\nmode: enforce\\nmx: "
		  "*.example.net\\n"
		  "max_age: 86400\\n\" mx=\"*.example.net mx.example.com\""
		  " host=mx.example.net ip=192.0.2.1",
		  5326 },
		{ "policy=sts rules=\"version: STSv1\\nmode: enforce\\nmx: "
		  "*.example.net\\n"
		  "max_age: 86400\\n\" mx=\"*.example.net mx.example.com\""
		  " host=mx.example.net ip=192.0.2.1 result=certificate-expired"
		  " reason=\"certificate\\x00has\\nexpired\"",
		  100 },
		{ "policy=tlsa rules=\"3 1 1 0123\" host=mx.example.net ip=192.0.2.1"
		  " own_ip=198.51.100.1 helo=mx.example.net "
		  "result=certificate-not-trusted",
		  3 },
		{ "policy=none host=mx.example.net", 1 },
	};
	struct strbuf b = strbuf_arena(a, 1 << 20);
	struct report_head h = head;
	struct report_tls_maker *m;

	h.kind = REPORT_TLS;
	m = report_make_tls_begin(&b, a, &h);
	for (size_t i = 0; i < ARRAY_LEN(seen); i++)
		report_make_tls_row(m, str_from(seen[i].body), seen[i].count);
	report_make_tls_end(m);
	CHECK_TRUE(!b.overflow, "it fits");
	return strbuf_str(&b);
}

static void
test_tls(void)
{
	static const char want[] =
		"{\"organization-name\":\"Ours & \\u003cCo>\",\"date-range\":{"
		"\"start-datetime\":\"2026-01-02T00:00:00Z\","
		"\"end-datetime\":\"2026-01-02T23:59:59Z\"},"
		"\"contact-info\":\"reports@example.org\",\"report-id\":\"20260102rpt7\","
		"\"policies\":[{\"policy\":{\"policy-type\":\"no-policy-found\","
		"\"policy-domain\":\"example.net\"},"
		"\"summary\":{\"total-successful-session-count\":7,"
		"\"total-failure-session-count\":0}},"
		"{\"policy\":{\"policy-type\":\"sts\",\"policy-string\":["
		"\"version: STSv1\",\"mode: enforce\",\"mx: *.example.net\","
		"\"max_age: 86400\"],\"policy-domain\":\"example.net\","
		"\"mx-host\":[\"*.example.net\",\"mx.example.com\"]},"
		"\"summary\":{\"total-successful-session-count\":5326,"
		"\"total-failure-session-count\":100},\"failure-details\":[{"
		"\"result-type\":\"certificate-expired\","
		"\"receiving-mx-hostname\":\"mx.example.net\","
		"\"receiving-ip\":\"192.0.2.1\",\"failed-session-count\":100,"
		"\"failure-reason-code\":\"certificate?has?expired\"}]},"
		"{\"policy\":{\"policy-type\":\"tlsa\",\"policy-string\":[\"3 1 1 "
		"0123\"],"
		"\"policy-domain\":\"example.net\"},"
		"\"summary\":{\"total-successful-session-count\":0,"
		"\"total-failure-session-count\":3},\"failure-details\":[{"
		"\"result-type\":\"certificate-not-trusted\","
		"\"sending-mta-ip\":\"198.51.100.1\","
		"\"receiving-mx-hostname\":\"mx.example.net\","
		"\"receiving-mx-helo\":\"mx.example.net\","
		"\"receiving-ip\":\"192.0.2.1\",\"failed-session-count\":3}]}]}";
	struct arena *a = arena_new(REPORT_ARENA_BYTES);
	struct str json = make_tls(a);
	struct report r;

	CHECK_STR_EQ(json, str_from(want), "as RFC 8460 4.4 has it");
	CHECK_ERR_EQ(report_parse_tls(json, a, &r), OK, "our reader reads it");
	CHECK_STR_EQ(r.domain, STR("example.net"), "domain");
	CHECK_U64_EQ(r.good, 5333, "good");
	CHECK_U64_EQ(r.bad, 103, "bad");
	arena_free(&a);
}

/* --- the mail ----------------------------------------------------------------------- */

static struct str
make_mail(struct arena *a, const struct report_head *h, struct str text)
{
	static const struct str to[] = { STR_INIT("d@example.net"),
		                         STR_INIT("d@collector.example") };
	struct strbuf packed = strbuf_heap(1 << 20), out = strbuf_arena(a, 1 << 20);
	struct report_mail m = {
		.head = h,
		.from = STR("reports@example.org"),
		.to = to,
		.to_count = 2,
		.message_id = STR("<mtr_1@mail.example.org>"),
		.boundary = STR("BOUNDARY0123456789"),
		.now_ms = 1767403800000,
	};

	CHECK_TRUE(gzip_pack_always(text, &packed), "packs");
	m.packed = strbuf_str(&packed);
	report_mail_format(&out, &m);
	strbuf_release(&packed);
	CHECK_TRUE(!out.overflow, "it fits");
	return strbuf_str(&out);
}

static void
test_mail(void)
{
	static const char *const one[] = { "ip=192.0.2.1 domain=example.net" };
	struct arena *a = arena_new(REPORT_ARENA_BYTES);
	struct str mail = make_mail(a, &head, make_dmarc(a, one, 1)), raw, type;
	struct report r;

	CHECK_ERR_EQ(report_parse_mail(mail, a, &r, &raw, &type), OK, "is found again");
	CHECK_STR_EQ(type, STR("application/gzip"), "type");
	CHECK_U64_EQ(r.bad, 1, "with its row");
	CHECK_TRUE(str_find_str(mail,
	                        STR("filename=\"mail.example.org!example.net!1767312000!"
	                            "1767398399!20260102rpt7.xml.gz\"\r\n")) != SIZE_MAX,
	           "file name");
	CHECK_TRUE(str_find_str(mail, STR("\r\nSubject: Report Domain: example.net\r\n"
	                                  "\tSubmitter: mail.example.org\r\n\tReport-ID:"
	                                  " <20260102rpt7>\r\n")) != SIZE_MAX,
	           "subject");
	CHECK_TRUE(str_find_str(mail, STR("\r\nTLS-")) == SIZE_MAX,
	           "says nothing of TLS");
	arena_free(&a);
}

static void
test_tls_mail(void)
{
	struct arena *a = arena_new(REPORT_ARENA_BYTES);
	struct report_head h = head;
	struct str mail, raw, type;
	struct report r;

	h.kind = REPORT_TLS;
	mail = make_mail(a, &h, make_tls(a));
	CHECK_ERR_EQ(report_parse_mail(mail, a, &r, &raw, &type), OK, "is found again");
	CHECK_U64_EQ(r.bad, 103, "with its rows");
	CHECK_TRUE(
		str_find_str(mail, STR("\r\nTLS-Report-Domain: example.net\r\n"
	                               "TLS-Report-Submitter: mail.example.org\r\n")) !=
			SIZE_MAX,
		"RFC 8460 5.3");
	CHECK_TRUE(str_find_str(mail, STR("Content-Type: multipart/report;"
	                                  " report-type=\"tlsrpt\";")) != SIZE_MAX,
	           "type");
	CHECK_TRUE(str_find_str(mail, STR("Content-Type: application/tlsrpt+gzip\r\n")) !=
	                   SIZE_MAX,
	           "type of the report");
	arena_free(&a);
}

SUITE(report_make, { "rows", test_rows }, { "DMARC", test_dmarc },
      { "published", test_published }, { "TLS", test_tls }, { "mail", test_mail },
      { "mail with a TLS report", test_tls_mail });
