#include "policy/auth_results.h"

#include "tests/unit/check.h"

static const struct dkim_verdict pass_rsa = {
	.result = DKIM_PASS,
	.domain = STR_INIT("example.org"),
	.selector = STR_INIT("s1"),
	.identity = STR_INIT("@example.org"),
	.algorithm = "rsa-sha256",
	.signature = STR_INIT("abcdefgh1234567890"),
	.reason = STR_INIT("2048-bit key"),
};
static const struct dkim_verdict fail_ed = {
	.result = DKIM_FAIL,
	.domain = STR_INIT("example.org"),
	.selector = STR_INIT("s2"),
	.identity = STR_INIT("ann@example.org"),
	.algorithm = "ed25519-sha256",
	.signature = STR_INIT("abcdefgh9/+=567890"),
	.reason = STR_INIT("body hash does not fit"),
};
static const struct dkim_verdict *const both[] = { &pass_rsa, &fail_ed };

static struct auth_request
request(void)
{
	struct auth_request r = {
		.helo = STR("client.example.net"),
		.sender = STR("ann@example.org"),
		.authserv_id = STR("mail.example.com"),
	};

	CHECK_TRUE(addr_parse_ip(STR("2001:db8::1"), &r.ip), "address");
	return r;
}

static struct auth_verdict
verdict(void)
{
	return (struct auth_verdict){
		.iprev = { .result = IPREV_PASS, .host = STR("client.example.net") },
		.spf_helo = { .result = SPF_NONE, .reason = STR("no record") },
		.spf_from = { .result = SPF_PASS, .reason = STR("ip6:2001:db8::/32 has it") },
		.has_spf_from = true,
		.dkim_count = 2,
		.dkim = both,
		.arc = { .result = ARC_PASS, .count = 1, .reason = STR("one set") },
		.dmarc = {
			.result = DMARC_FAIL,
			.from_domain = STR("example.org"),
			.policy_domain = STR("example.org"),
			.policy = DMARC_POLICY_REJECT,
			.reason = STR("nothing is aligned"),
		},
	};
}

static void
test_written(void)
{
	char bytes[AUTH_RESULTS_MAX];
	struct strbuf b = strbuf_on(bytes);
	struct auth_request r = request();
	struct auth_verdict v = verdict();

	CHECK_ERR_EQ(auth_results_format(&r, &v, DMARC_POLICY_QUARANTINE, &b), OK,
	             "fits");
	CHECK_STR_EQ(
		strbuf_str(&b),
		STR("Authentication-Results: mail.example.com;\r\n"
	            "\tiprev=pass (client.example.net) policy.iprev=\"2001:db8::1\";\r\n"
	            "\tspf=pass (ip6:2001:db8::/32 has it) "
	            "smtp.mailfrom=ann@example.org;\r\n"
	            "\tspf=none (no record) smtp.helo=client.example.net;\r\n"
	            "\tdkim=pass (2048-bit key) header.d=example.org header.s=s1\r\n"
	            "\theader.i=@example.org header.a=rsa-sha256 header.b=abcdefgh1;\r\n"
	            "\tdkim=fail (body hash does not fit) header.d=example.org "
	            "header.s=s2\r\n"
	            "\theader.i=ann@example.org header.a=ed25519-sha256 "
	            "header.b=abcdefgh9;\r\n"
	            "\tarc=pass (one set) header.oldest-pass=0 "
	            "smtp.remote-ip=\"2001:db8::1\";\r\n"
	            "\tdmarc=fail (nothing is aligned) header.from=example.org\r\n"
	            "\tpolicy.dmarc=reject policy.applied=quarantine\r\n"),
		"all of it");
}

/* Nothing tells a copy of a signature from it, so the usual beginning is enough. */
static void
test_copy(void)
{
	static const struct dkim_verdict *const copies[] = { &pass_rsa, &pass_rsa };
	char bytes[AUTH_RESULTS_MAX];
	struct strbuf b = strbuf_on(bytes);
	struct auth_request r = request();
	struct auth_verdict v = verdict();

	v.dkim = copies;
	CHECK_ERR_EQ(auth_results_format(&r, &v, DMARC_POLICY_NONE, &b), OK, "fits");
	CHECK_TRUE(str_find_str(strbuf_str(&b), STR("header.b=abcdefgh;")) != SIZE_MAX,
	           "short");
}

static void
test_null_sender(void)
{
	char bytes[AUTH_RESULTS_MAX];
	struct strbuf b = strbuf_on(bytes);
	struct auth_request r = request();
	struct auth_verdict v = verdict();

	CHECK_TRUE(addr_parse_ip(STR("192.0.2.1"), &r.ip), "address");
	r.sender = STR("");
	v.iprev = (struct iprev_verdict){ .result = IPREV_PERMERROR };
	v.has_spf_from = false;
	v.dkim_count = 0;
	v.arc = (struct arc_verdict){ .result = ARC_NONE };
	v.dmarc = (struct dmarc_verdict){ .result = DMARC_NONE,
		                          .from_domain = STR("example.org") };
	CHECK_ERR_EQ(auth_results_format(&r, &v, auth_results_disposition(&v), &b), OK,
	             "fits");
	CHECK_STR_EQ(strbuf_str(&b),
	             STR("Authentication-Results: mail.example.com;\r\n"
	                 "\tiprev=permerror policy.iprev=192.0.2.1;\r\n"
	                 "\tspf=none (no record) smtp.helo=client.example.net;\r\n"
	                 "\tdkim=none;\r\n"
	                 "\tarc=none smtp.remote-ip=192.0.2.1;\r\n"
	                 "\tdmarc=none header.from=example.org policy.applied=none\r\n"),
	             "by HELO alone");
}

static void
test_disposition(void)
{
	struct auth_verdict v = verdict();

	CHECK_U64_EQ(auth_results_disposition(&v), DMARC_POLICY_REJECT, "as asked for");
	v.is_arc_trusted = true;
	CHECK_U64_EQ(auth_results_disposition(&v), DMARC_POLICY_NONE, "a sealer vouches");
	v.is_arc_trusted = false;
	v.dmarc.result = DMARC_TEMPERROR;
	CHECK_U64_EQ(auth_results_disposition(&v), DMARC_POLICY_NONE, "not known");
}

/* What strangers say cannot leave its place: the reader finds exactly what was put in. */
static const struct str nasty[] = {
	STR_INIT("a\r\nX-Evil: yes"),
	STR_INIT("\"; dmarc=pass header.from=bank.example"),
	STR_INIT("\\\"); dmarc=pass (\\"),
	STR_INIT("x)) ; dmarc=pass (("),
	STR_INIT("\\"),
	STR_INIT("nul\0here"),
	STR_INIT("\xff\xfe broken \x80"),
	STR_INIT("\xc2\x85 next line, \xe2\x80\xae turned"),
	STR_INIT("=?utf-8?q?=0d=0a?="),
	STR_INIT("a b c d e f g h i j k l m n o p q r s t u v w x y z a b c d e f g h i "
	         "j k "),
	STR_INIT(""),
};

static void
test_nothing_gets_out(void)
{
	for (size_t i = 0; i < ARRAY_LEN(nasty); i++) {
		char bytes[AUTH_RESULTS_MAX];
		struct strbuf b = strbuf_on(bytes);
		struct arena *a = arena_new(64 << 10);
		struct auth_request r = request();
		struct auth_verdict v = verdict();
		struct dkim_verdict d = pass_rsa;
		const struct dkim_verdict *const list[] = { &d };
		struct auth_results read;
		struct str field, name;

		r.helo = r.sender = nasty[i];
		v.iprev.host = v.spf_from.reason = v.dmarc.reason = nasty[i];
		v.dmarc.from_domain = d.domain = d.selector = d.identity = nasty[i];
		d.signature = d.reason = nasty[i];
		v.dkim = list;
		v.dkim_count = 1;
		CHECK_ERR_EQ(auth_results_format(&r, &v, DMARC_POLICY_NONE, &b), OK,
		             "fits");
		field = strbuf_str(&b);
		for (size_t k = 0; k + 1 < field.n; k++)
			if (field.p[k] == '\n')
				CHECK_TRUE(k > 0 && field.p[k - 1] == '\r' &&
				                   field.p[k + 1] == '\t',
				           "every line goes on");
		CHECK_TRUE(str_next(&field, ':', &name), "a name");
		CHECK_ERR_EQ(auth_results_parse(field, a, &read), OK, "reads well");
		CHECK_U64_EQ(read.count, 6, "no result more");
		CHECK_STR_EQ(read.results[5].result, STR("fail"), "the verdict");
		arena_free(&a);
	}
}

static void
test_full(void)
{
	char bytes[200];
	struct strbuf b = strbuf_on(bytes);
	struct auth_request r = request();
	struct auth_verdict v = verdict();

	CHECK_ERR_EQ(auth_results_format(&r, &v, DMARC_POLICY_NONE, &b), ERR_LIMIT,
	             "no room");
}

#define OURS  AUTH_RESULTS_OURS
#define OTHER AUTH_RESULTS_OTHER
static const struct owned {
	struct str value;
	enum auth_results_owner owner;
} owned[] = {
	{ STR_INIT(" mail.example.com; spf=pass"), OURS },
	{ STR_INIT("mail.example.com;spf=pass"), OURS },
	{ STR_INIT(" MAIL.Example.COM; spf=pass"), OURS },
	{ STR_INIT(" mail.example.com.; spf=pass"), OURS },
	{ STR_INIT(" mail.example.com"), OURS },
	{ STR_INIT(" mail.example.com 1; spf=pass"), OURS },
	{ STR_INIT(" mail.example.com\t99 (x); spf=pass"), OURS },
	{ STR_INIT(" mail.example.com/1; spf=pass"), OURS },
	{ STR_INIT("\r\n\tmail.example.com;\r\n\tspf=pass"), OURS },
	{ STR_INIT("\r\n \r\n\t mail.example.com\r\n ; spf=pass"), OURS },
	{ STR_INIT(" (a (nested \\) ;) one) mail.example.com; spf=pass"), OURS },
	{ STR_INIT("(x)(y)\r\n (z)mail.example.com(w); spf=pass"), OURS },
	{ STR_INIT(" \"mail.example.com\"; spf=pass"), OURS },
	{ STR_INIT(" \"ma\\il.exam\\ple.com\" 1; spf=pass"), OURS },
	{ STR_INIT(" \" mail.example.com \"; spf=pass"), OURS },
	{ STR_INIT(" \"mail\".example.com; spf=pass"), OURS },
	{ STR_INIT(" \"mail.example.com 1\"; spf=pass"), OURS },
	{ STR_INIT(" <mail.example.com>; spf=pass"), OURS },
	{ STR_INIT(" ; mail.example.com; spf=pass"), OURS },
	{ STR_INIT(" mail.example.com=x; spf=pass"), OURS },
	{ STR_INIT(" (open mail.example.com; spf=pass"), OURS },
	{ STR_INIT(" \"mail.example.com; spf=pass"), OURS },
	{ STR_INIT(" m\xef\xbd\x81il.example.com; spf=pass"), OURS }, /* a wide "a" */
	{ STR_INIT(" mail.example.com\xc2\xa0; spf=pass"), OURS },
	{ STR_INIT(""), OTHER },
	{ STR_INIT(" "), OTHER },
	{ STR_INIT(" (only a comment)"), OTHER },
	{ STR_INIT(" mx.example.net; spf=pass"), OTHER },
	{ STR_INIT(" mx.example.net (mail.example.com); spf=pass"), OTHER },
	{ STR_INIT(" (mail.example.com) mx.example.net; spf=pass"), OTHER },
	{ STR_INIT(" evilmail.example.com; spf=pass"), OTHER },
	{ STR_INIT(" mail.example.com.evil.example; spf=pass"), OTHER },
	{ STR_INIT(" mail.example.co; spf=pass"), OTHER },
	{ STR_INIT(" spf=pass smtp.mailfrom=example.net; dkim=none"), OTHER },
	{ STR_INIT(" spf=pass smtp.helo=mail.example.com; dkim=none"), OURS },
	{ STR_INIT(" (open and never closed; spf=pass"), OTHER },
	{ STR_INIT(" \"never closed; spf=pass"), OTHER },
};

static void
test_owner(void)
{
	struct str own = STR("mail.example.com");

	for (size_t i = 0; i < ARRAY_LEN(owned); i++) {
		struct str v = owned[i].value;

		CHECK_U64_EQ(auth_results_owner(v, true, own), owned[i].owner, v.p);
		/* As it streams: what is said early is what is said in the end. */
		for (size_t n = 0; n < v.n; n++) {
			enum auth_results_owner early =
				auth_results_owner(str_first(v, n), false, own);

			if (early != AUTH_RESULTS_MORE)
				CHECK_U64_EQ(early, owned[i].owner, v.p);
		}
	}
	CHECK_TRUE(auth_results_is_name(STR("AUTHENTICATION-RESULTS \t")), "the name");
	CHECK_TRUE(!auth_results_is_name(STR("ARC-Authentication-Results")), "not ARC's");
}

static void
test_owner_hidden(void)
{
	char bytes[AUTH_RESULTS_ID_MAX + 64];
	struct strbuf b = strbuf_on(bytes);

	strbuf_lit(&b, " (");
	while (b.n < AUTH_RESULTS_ID_MAX - 1)
		strbuf_byte(&b, 'x');
	CHECK_U64_EQ(auth_results_owner(strbuf_str(&b), false, STR("mail.example.com")),
	             AUTH_RESULTS_MORE, "not yet");
	strbuf_byte(&b, 'x');
	CHECK_U64_EQ(auth_results_owner(strbuf_str(&b), false, STR("mail.example.com")),
	             OURS, "enough is enough");
	strbuf_lit(&b, ") mail.example.com;");
	CHECK_U64_EQ(auth_results_owner(strbuf_str(&b), false, STR("mail.example.com")),
	             OURS, "and stays so");
}

static void
test_read(void)
{
	struct arena *a = arena_new(64 << 10);
	struct auth_results r;
	const struct auth_result *one;

	/* RFC 8601 B.5, with comments where they may stand, and what others write. */
	CHECK_ERR_EQ(auth_results_parse(
			     STR(" example.com (x) 1;\r\n"
	                         "\tsender-id=fail header.from=example.com;\r\n"
	                         "\tdkim (method) / 1 (v) = (r) pass (good signature)\r\n"
	                         "\treason (w) = \"a; (b) \\\"c\\\"\" header (x) . (y) d "
	                         "= z.example"
	                         " header.i=\"a b\"@z.example smtp.helo=;\r\n"
	                         "\tcompauth=pass reason=100 action=none;"),
			     a, &r),
	             OK, "reads");
	CHECK_STR_EQ(r.authserv_id, STR("example.com"), "server");
	CHECK_U64_EQ(r.version, 1, "version");
	CHECK_U64_EQ(r.count, 3, "results");
	one = auth_results_find(&r, STR("DKIM"), 0);
	CHECK_TRUE(one != NULL, "dkim is there");
	CHECK_STR_EQ(one->result, STR("pass"), "passed");
	CHECK_STR_EQ(one->reason, STR("a; (b) \"c\""), "reason");
	CHECK_STR_EQ(auth_result_property(one, STR("header"), STR("D")), STR("z.example"),
	             "domain");
	CHECK_STR_EQ(auth_result_property(one, STR("header"), STR("i")),
	             STR("a b@z.example"), "identity");
	CHECK_STR_EQ(auth_result_property(one, STR("smtp"), STR("helo")), STR(""),
	             "empty");
	CHECK_TRUE(!auth_results_find(&r, STR("dkim"), 2), "only one");
	CHECK_STR_EQ(auth_result_property(&r.results[2], STR(""), STR("action")),
	             STR("none"), "without ptype");
	/* RFC 8601 B.2 */
	CHECK_ERR_EQ(auth_results_parse(STR("example.org 1; none"), a, &r), OK, "none");
	CHECK_U64_EQ(r.count, 0, "no results");
	CHECK_ERR_EQ(auth_results_parse(STR("example.org; none=pass"), a, &r), OK,
	             "a method of that name");
	CHECK_U64_EQ(r.count, 1, "is one");
	arena_free(&a);
}

/* The fields that RFC 7208 9.2 prints. */
static const struct {
	const char *what, *value, *server, *method, *result, *reason, *ptype, *property,
		*holds;
} printed[] = {
	{ "RFC 7208 9.2", " myhost.example.org; spf=pass\r\n  smtp.mailfrom=example.net",
	  "myhost.example.org", "spf", "pass", "", "smtp", "mailfrom", "example.net" },
	{ "RFC 7208 9.2, with a reason",
	  " myhost.example.org; spf=pass\r\n"
	  "  reason=\"client-ip=192.0.2.1; smtp.helo=foo.example.com\"\r\n"
	  "  smtp.mailfrom=user@example.net",
	  "myhost.example.org", "spf", "pass",
	  "client-ip=192.0.2.1; smtp.helo=foo.example.com", "smtp", "mailfrom",
	  "user@example.net" },
};

static void
test_printed(void)
{
	for (size_t i = 0; i < ARRAY_LEN(printed); i++) {
		struct arena *a = arena_new(64 << 10);
		const struct auth_result *one;
		struct auth_results r;

		CHECK_ERR_EQ(auth_results_parse(str_from(printed[i].value), a, &r), OK,
		             printed[i].what);
		CHECK_STR_EQ(r.authserv_id, str_from(printed[i].server), printed[i].what);
		one = auth_results_find(&r, str_from(printed[i].method), 0);
		CHECK_TRUE(one != NULL, printed[i].what);
		CHECK_STR_EQ(one->result, str_from(printed[i].result), printed[i].what);
		CHECK_STR_EQ(one->reason, str_from(printed[i].reason), printed[i].what);
		CHECK_STR_EQ(auth_result_property(one, str_from(printed[i].ptype),
		                                  str_from(printed[i].property)),
		             str_from(printed[i].holds), printed[i].what);
		arena_free(&a);
	}
}

static const struct str broken[] = {
	STR_INIT(""),
	STR_INIT("; spf=pass"),
	STR_INIT("spf=pass smtp.helo=a"),
	STR_INIT("a; spf"),
	STR_INIT("a; spf="),
	STR_INIT("a; =pass"),
	STR_INIT("a; spf=pass smtp"),
	STR_INIT("a; spf=pass smtp."),
	STR_INIT("a; spf=pass smtp.=x"),
	STR_INIT("a; spf=pass smtp.helo"),
	STR_INIT("a; spf/x=pass"),
	STR_INIT("a; spf=pass (open"),
	STR_INIT("a; spf=pass smtp.helo=\"open"),
	STR_INIT("a b; spf=pass"),
	STR_INIT("a; none x"),
	STR_INIT("a; none; spf=pass"),
};

static void
test_broken(void)
{
	struct arena *a = arena_new(256 << 10);
	char bytes[16 << 10];
	struct strbuf b = strbuf_on(bytes);
	struct auth_results r;

	for (size_t i = 0; i < ARRAY_LEN(broken); i++)
		CHECK_ERR_EQ(auth_results_parse(broken[i], a, &r), ERR_SYNTAX,
		             broken[i].p);
	strbuf_lit(&b, "a");
	for (size_t i = 0; i < AUTH_RESULTS_COUNT_MAX; i++)
		strbuf_lit(&b, "; x=y");
	CHECK_ERR_EQ(auth_results_parse(strbuf_str(&b), a, &r), OK, "as many as may be");
	strbuf_lit(&b, "; x=y");
	CHECK_ERR_EQ(auth_results_parse(strbuf_str(&b), a, &r), ERR_LIMIT, "one more");
	strbuf_clear(&b);
	strbuf_lit(&b, "a; x=y");
	for (size_t i = 0; i < AUTH_RESULTS_PROPERTY_MAX; i++)
		strbuf_lit(&b, " p.q=z");
	CHECK_ERR_EQ(auth_results_parse(strbuf_str(&b), a, &r), OK, "all properties");
	strbuf_lit(&b, " p.q=z");
	CHECK_ERR_EQ(auth_results_parse(strbuf_str(&b), a, &r), ERR_LIMIT, "one more");
	arena_free(&a);
}

SUITE(policy_auth_results, { "written", test_written }, { "a copy", test_copy },
      { "null sender", test_null_sender }, { "disposition", test_disposition },
      { "nothing gets out", test_nothing_gets_out }, { "full", test_full },
      { "owner", test_owner }, { "owner hidden", test_owner_hidden },
      { "read", test_read }, { "printed", test_printed }, { "broken", test_broken });
