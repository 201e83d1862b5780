#include "policy/mta_sts.h"

#include "tests/unit/check.h"

/* id: NULL where the record is broken, "" where there is none. */
static const struct {
	const char *first, *second, *id;
} txts[] = {
	{ "v=STSv1; id=20160831085700Z;", NULL, "20160831085700Z" }, /* RFC 8461 3.1 */
	{ "v=STSv1;id=1", "v=spf1 -all", "1" },
	{ "v=STSv1 ; x=y; id=a1 ;", NULL, "a1" },
	{ "v=STSv1; id=a; id=b", NULL, "a" },
	{ "v=STSv1; id=a", "v=STSv1; id=a", "" },
	{ "v=STSv1", NULL, "" },
	{ "v=STSv10; id=a", NULL, "" },
	{ "V=STSv1; id=a", NULL, "" },
	{ "id=a; v=STSv1;", NULL, "" },
	{ "v=STSv1;", NULL, NULL },
	{ "v=STSv1; id=", NULL, NULL },
	{ "v=STSv1; id=a_b", NULL, NULL },
	{ "v=STSv1; id=123456789012345678901234567890123", NULL, NULL },
	{ "v=STSv1; id=12345678901234567890123456789012", NULL,
	  "12345678901234567890123456789012" },
};

static void
test_record(void)
{
	for (size_t i = 0; i < ARRAY_LEN(txts); i++) {
		struct dns_record records[2] = { { .text = str_from(txts[i].first) },
			                         { .text = str_from(txts[i].second) } };
		struct dns_answer answer = { .status = DNS_OK,
			                     .records = records,
			                     .count = txts[i].second ? 2 : 1 };
		struct str id = { 0 };
		enum err e = mta_sts_record_find(&answer, &id);

		CHECK_ERR_EQ(e,
		             !txts[i].id     ? ERR_SYNTAX
		             : txts[i].id[0] ? OK
		                             : ERR_NOT_FOUND,
		             txts[i].first);
		if (e == OK)
			CHECK_STR_EQ(id, str_from(txts[i].id), txts[i].first);
	}
}

/* fault: NULL where it is a policy, and then "mode max_age mx-count". */
static const struct {
	const char *body, *fault, *is;
} policies[] = {
	/* RFC 8461 3.2 */
	{ "version: STSv1\nmode: enforce\nmx: mail.example.com\nmx: *.example.net\n"
	  "mx: backupmx.example.com\nmax_age: 604800\n",
	  NULL, "enforce 604800 3" },
	{ "version: STSv1\r\nmode: testing\r\nmx: a.example\r\nmax_age: 1\r\n\r\n", NULL,
	  "testing 1 1" },
	{ "max_age:9999999999\nmode:none\nversion:STSv1", NULL, "none 31557600 0" },
	{ "version: STSv1\nmode: enforce\nmode: none\nmx: a.example\nmax_age: "
	  "5\nmax_age: x\n",
	  NULL, "enforce 5 1" },
	{ "version: STSv1\nx-new: thing\nmode: enforce\nmx: a.example\nmax_age: 5", NULL,
	  "enforce 5 1" },
	{ "", "it has no version", NULL },
	{ "version: STSv2\nmode: none\nmax_age: 1", "its version is not STSv1", NULL },
	{ "version: STSv1\nmax_age: 1", "it has no mode", NULL },
	{ "version: STSv1\nmode: none", "it has no max_age", NULL },
	{ "version: STSv1\nmode: enforce\nmax_age: 1", "it names no mx", NULL },
	{ "version: STSv1\nmode: maybe\nmax_age: 1", "its mode is none that there is",
	  NULL },
	{ "version: STSv1\nmode: none\nmax_age: 1d", "its max_age is no number", NULL },
	{ "version: STSv1\nmode: none\nmax_age: 12345678901", "its max_age is no number",
	  NULL },
	{ "version: STSv1\nmode: none\nmax_age: -1", "its max_age is no number", NULL },
	{ "version: STSv1\nmode: enforce\nmx: a..example\nmax_age: 1",
	  "it names an mx that is no host", NULL },
	{ "version: STSv1\nmode: enforce\nmx: *\nmax_age: 1",
	  "it names an mx that is no host", NULL },
	{ "version: STSv1\nmode: enforce\nmx: a.*.example\nmax_age: 1",
	  "it names an mx that is no host", NULL },
	{ "<html>", "a line has no colon", NULL },
};

static void
test_policy(void)
{
	for (size_t i = 0; i < ARRAY_LEN(policies); i++) {
		struct mta_sts_policy p;
		const char *fault;
		enum err e = mta_sts_policy_parse(str_from(policies[i].body), &p, &fault);
		char bytes[64];
		struct strbuf is = strbuf_on(bytes);

		CHECK_ERR_EQ(e, policies[i].fault ? ERR_SYNTAX : OK, policies[i].body);
		CHECK_CSTR_EQ(fault, policies[i].fault, policies[i].body);
		strbuf_printf(&is, "%s %lld %zu", mta_sts_mode_word(p.mode),
		              (long long)p.max_age_s, p.mx_count);
		if (e == OK)
			CHECK_STR_EQ(strbuf_str(&is), str_from(policies[i].is),
			             policies[i].body);
	}
}

static void
test_bounds(void)
{
	struct strbuf body = strbuf_heap(1 << 20);
	struct mta_sts_policy p;
	const char *fault;

	strbuf_lit(&body, "version: STSv1\nmode: enforce\nmax_age: 1\n");
	for (int i = 0; i < MTA_STS_MX_MAX; i++)
		strbuf_lit(&body, "mx: a.example\n");
	CHECK_ERR_EQ(mta_sts_policy_parse(strbuf_str(&body), &p, &fault), OK, "as many");
	strbuf_lit(&body, "mx: a.example\n");
	CHECK_ERR_EQ(mta_sts_policy_parse(strbuf_str(&body), &p, &fault), ERR_SYNTAX,
	             "one more");
	strbuf_clear(&body);
	strbuf_lit(&body, "version: STSv1\nmode: none\nmax_age: 1\nx: ");
	while (body.n < MTA_STS_BODY_MAX)
		strbuf_byte(&body, 'y');
	CHECK_ERR_EQ(mta_sts_policy_parse(strbuf_str(&body), &p, &fault), OK, "as long");
	strbuf_byte(&body, 'y');
	CHECK_ERR_EQ(mta_sts_policy_parse(strbuf_str(&body), &p, &fault), ERR_SYNTAX,
	             "too long");
	strbuf_release(&body);
}

static void
test_hosts(void)
{
	struct mta_sts_policy p = {
		.mx = { STR("mail.example.com"), STR("*.example.net") }, .mx_count = 2
	};

	CHECK_TRUE(mta_sts_has_mx(&p, STR("MAIL.example.com")), "the name");
	CHECK_TRUE(mta_sts_has_mx(&p, STR("mx1.example.NET")), "one label");
	CHECK_TRUE(!mta_sts_has_mx(&p, STR("example.net")), "no label");
	CHECK_TRUE(!mta_sts_has_mx(&p, STR(".example.net")), "an empty one");
	CHECK_TRUE(!mta_sts_has_mx(&p, STR("a.b.example.net")), "two labels");
	CHECK_TRUE(!mta_sts_has_mx(&p, STR("mail2.example.com")), "another name");
	CHECK_TRUE(!mta_sts_has_mx(&p, STR("")), "none");
}

SUITE(policy_mta_sts, { "record", test_record }, { "policy", test_policy },
      { "bounds", test_bounds }, { "hosts", test_hosts });
