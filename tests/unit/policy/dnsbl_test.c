/* Names asked of blocklists, and answers of lists, refusals and resolvers that invent. */
#include "policy/dnsbl.h"

#include "tests/unit/check.h"

static const struct {
	const char *ip, *name;
} names[] = {
	{ "192.0.2.99", "99.2.0.192.bl.example" }, /* RFC 5782 2.1 */
	{ "127.0.0.2", "2.0.0.127.bl.example" },
	{ "2001:db8:1:2:3:4:567:89ab", /* RFC 5782 2.4 */
	  "b.a.9.8.7.6.5.0.4.0.0.0.3.0.0.0.2.0.0.0.1.0.0.0.8.b.d.0.1.0.0.2.bl.example" },
};

static void
test_names(void)
{
	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		char bytes[200];
		struct strbuf b = strbuf_on(bytes);
		struct addr ip;

		CHECK_TRUE(addr_parse_ip(str_from(names[i].ip), &ip), names[i].ip);
		dnsbl_name(&b, &ip, STR("bl.example"));
		CHECK_STR_EQ(strbuf_str(&b), str_from(names[i].name), names[i].ip);
	}
}

static const struct {
	const char *what, *ips; /* one space between */
	enum dns_status status;
	enum dnsbl_result result;
} answers[] = {
	/* clang-format off */
	{ "listed",               "127.0.0.2",            DNS_OK,       DNSBL_LISTED },
	{ "in two ways",          "127.0.0.4 127.0.0.10", DNS_OK,       DNSBL_LISTED },
	{ "not there",            "",                     DNS_NXDOMAIN, DNSBL_CLEAR },
	{ "no data",              "",                     DNS_NODATA,   DNSBL_CLEAR },
	{ "no answer",            "",                     DNS_TEMP,     DNSBL_SILENT },
	{ "a name that is none",  "",                     DNS_BAD_NAME, DNSBL_SILENT },
	{ "public resolver",      "127.255.255.254",      DNS_OK,       DNSBL_REFUSED },
	{ "too many questions",   "127.255.255.255",      DNS_OK,       DNSBL_REFUSED },
	{ "a typing error",       "127.255.255.252",      DNS_OK,       DNSBL_REFUSED },
	{ "refused and listed",   "127.0.0.2 127.255.255.254", DNS_OK,  DNSBL_REFUSED },
	{ "the refusal of others", "127.0.0.1",           DNS_OK,       DNSBL_REFUSED },
	{ "a parked zone",        "203.0.114.80",         DNS_OK,       DNSBL_STRANGE },
	{ "… with a listing",     "203.0.114.80 127.0.0.2", DNS_OK,     DNSBL_LISTED },
	{ "its own name for it",  "127.0.1.2",            DNS_OK,       DNSBL_LISTED },
	/* clang-format on */
};

static void
test_answers(void)
{
	for (size_t i = 0; i < ARRAY_LEN(answers); i++) {
		struct dns_record records[4] = { { .type = DNS_A } };
		struct dns_answer a = { .status = answers[i].status, .records = records };
		struct str rest = str_from(answers[i].ips), one;

		while (str_next(&rest, ' ', &one)) {
			if (one.n)
				(void)addr_parse_ip(one, &records[a.count++].addr);
		}
		CHECK_U64_EQ(dnsbl_judge(&a), answers[i].result, answers[i].what);
	}
}

static void
test_test_points(void)
{
	static const struct {
		enum addr_family family;
		const char *listed, *clear;
	} points[] = {
		{ ADDR_V4, "2.0.0.127.x", "1.0.0.127.x" },
		{ ADDR_V6,
		  "2.0.0.0.0.0.f.7.f.f.f.f.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.x",
		  "1.0.0.0.0.0.f.7.f.f.f.f.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.x" },
	};

	for (size_t i = 0; i < ARRAY_LEN(points); i++) {
		struct addr listed = dnsbl_test_listed(points[i].family);
		struct addr clear = dnsbl_test_clear(points[i].family);
		char bytes[200];
		struct strbuf b = strbuf_on(bytes);

		dnsbl_name(&b, &listed, STR("x"));
		CHECK_STR_EQ(strbuf_str(&b), str_from(points[i].listed), "is there");
		strbuf_clear(&b);
		dnsbl_name(&b, &clear, STR("x"));
		CHECK_STR_EQ(strbuf_str(&b), str_from(points[i].clear), "is not");
	}
}

SUITE(policy_dnsbl, { "names", test_names }, { "answers", test_answers },
      { "test points", test_test_points });
