#include "policy/secure.h"

#include "tests/unit/check.h"

#define SHA256 "0123456789abcdef0123456789abcdef"

static const struct dns_record good[] = {
	{ .type = DNS_TLSA,
	  .usage = 3,
	  .selector = 1,
	  .matching = 1,
	  .text = STR_INIT(SHA256) },
	{ .type = DNS_TLSA,
	  .usage = 2,
	  .selector = 0,
	  .matching = 0,
	  .text = STR_INIT("der") },
	{ .type = DNS_TLSA,
	  .usage = 3,
	  .selector = 0,
	  .matching = 2,
	  .text = STR_INIT(SHA256 SHA256) },
};
static const char long_data[SECURE_TLSA_DATA_MAX + 1];
static const struct dns_record bad[] = {
	{ .type = DNS_TLSA,
	  .usage = 1,
	  .selector = 1,
	  .matching = 1,
	  .text = STR_INIT(SHA256) },
	{ .type = DNS_TLSA,
	  .usage = 0,
	  .selector = 1,
	  .matching = 1,
	  .text = STR_INIT(SHA256) },
	{ .type = DNS_TLSA,
	  .usage = 3,
	  .selector = 2,
	  .matching = 1,
	  .text = STR_INIT(SHA256) },
	{ .type = DNS_TLSA,
	  .usage = 3,
	  .selector = 1,
	  .matching = 3,
	  .text = STR_INIT(SHA256) },
	{ .type = DNS_TLSA,
	  .usage = 3,
	  .selector = 1,
	  .matching = 2,
	  .text = STR_INIT(SHA256) },
	{ .type = DNS_TLSA,
	  .usage = 3,
	  .selector = 1,
	  .matching = 1,
	  .text = STR_INIT("short") },
	{ .type = DNS_TLSA,
	  .usage = 3,
	  .selector = 1,
	  .matching = 0,
	  .text = STR_INIT("") },
	{ .type = DNS_TLSA,
	  .usage = 3,
	  .selector = 0,
	  .matching = 0,
	  .text = { long_data, sizeof(long_data) } },
};
static const struct dns_answer signed_good = { DNS_OK, true, .records = good,
	                                       .count = 3 };
static const struct dns_answer plain_good = { DNS_OK, false, .records = good,
	                                      .count = 3 };
static const struct dns_answer signed_bad = { DNS_OK, true, .records = bad, .count = 8 };
static const struct dns_answer none = { .status = DNS_NXDOMAIN, .authentic = true };
static const struct dns_answer temp = { .status = DNS_TEMP };

static const struct mta_sts_policy enforce = {
	MTA_STS_MODE_ENFORCE, 1, { STR_INIT("mx.example") }, 1
};
static const struct mta_sts_policy testing = {
	MTA_STS_MODE_TESTING, 1, { STR_INIT("mx.example") }, 1
};
static const struct mta_sts_policy off = { MTA_STS_MODE_NONE, 1, { { 0 } }, 0 };

static const struct {
	const char *what, *host;
	bool mx, addresses;
	const struct dns_answer *tlsa;
	const struct mta_sts_policy *sts;
	bool is_required, is_plain_fine;
	const char *level, *policy;
} cases[] = {
	/* clang-format off */
	{ "nothing", "mx.example", false, false, NULL, NULL, false, false, "may", "none" },
	{ "DANE", "mx.example", true, true, &signed_good, NULL, false, false, "dane", "dane" },
	{ "DANE before MTA-STS", "other.example", true, true, &signed_good, &enforce, false, false,
	  "dane", "dane" },
	{ "unsigned hosts", "mx.example", false, true, &signed_good, NULL, false, false, "may", "none" },
	{ "unsigned addresses", "mx.example", true, false, &signed_good, NULL, false, false, "may", "none" },
	{ "unsigned TLSA", "mx.example", true, true, &plain_good, NULL, false, false, "may", "none" },
	{ "no TLSA", "mx.example", true, true, &none, NULL, false, false, "may", "none" },
	{ "no TLSA, but a policy", "mx.example", true, true, &none, &enforce, false, false,
	  "verify", "mta-sts" },
	{ "TLSA that fails", "mx.example", true, true, &temp, &enforce, false, false, "never", "dane" },
	{ "none that can be used", "mx.example", true, true, &signed_bad, NULL, false, false,
	  "encrypt", "dane" },
	{ "none that can be used, testing", "mx.example", true, true, &signed_bad, &testing, false, false,
	  "encrypt", "dane" },
	{ "none that can be used, mode none", "mx.example", true, true, &signed_bad, &off, false, false,
	  "encrypt", "dane" },
	{ "none that can be used, enforce", "mx.example", true, true, &signed_bad, &enforce, false, false,
	  "verify", "mta-sts" },
	{ "none that can be used, enforce, another host", "x.example", true, true, &signed_bad, &enforce,
	  false, false, "never", "mta-sts" },
	{ "enforce", "mx.example", false, false, NULL, &enforce, false, false, "verify", "mta-sts" },
	{ "enforce, another host", "x.example", false, false, NULL, &enforce, false, false,
	  "never", "mta-sts" },
	{ "testing", "mx.example", false, false, NULL, &testing, false, false, "testing", "mta-sts" },
	{ "testing, another host", "x.example", false, false, NULL, &testing, false, false,
	  "testing", "mta-sts" },
	{ "mode none", "x.example", false, false, NULL, &off, false, false, "may", "none" },
	{ "REQUIRETLS, nobody vouches", "mx.example", false, false, NULL, NULL, true, false,
	  "never", "requiretls" },
	{ "REQUIRETLS, mode none", "mx.example", false, false, NULL, &off, true, false, "never", "requiretls" },
	{ "REQUIRETLS, signed hosts", "mx.example", true, false, NULL, NULL, true, false,
	  "verify", "requiretls" },
	{ "REQUIRETLS, the domain itself", "own.example", false, false, NULL, NULL, true, false,
	  "verify", "requiretls" },
	{ "REQUIRETLS, enforce", "mx.example", false, false, NULL, &enforce, true, false,
	  "verify", "mta-sts" },
	{ "REQUIRETLS, testing, another host", "x.example", false, false, NULL, &testing, true, false,
	  "never", "requiretls" },
	{ "REQUIRETLS, no TLSA that can be used", "mx.example", true, true, &signed_bad, NULL, true, false,
	  "verify", "requiretls" },
	{ "REQUIRETLS, TLSA that fails", "mx.example", true, true, &temp, NULL, true, false, "never", "dane" },
	{ "REQUIRETLS before TLS-Required: No", "mx.example", true, true, &none, NULL, true, true,
	  "verify", "requiretls" },
	{ "REQUIRETLS, testing", "mx.example", false, false, NULL, &testing, true, false,
	  "verify", "requiretls" },
	{ "REQUIRETLS, DANE", "mx.example", true, true, &signed_good, NULL, true, false, "dane", "dane" },
	{ "REQUIRETLS, another host", "x.example", false, false, NULL, &enforce, true, false,
	  "never", "mta-sts" },
	{ "TLS-Required: No", "x.example", true, true, &signed_good, &enforce, false, true, "may", "none" },
	/* clang-format on */
};

/* A host whose addresses are not signed, and what its CNAME says (RFC 7672 2.1.3). */
static const struct {
	const char *what;
	bool mx, addresses, is_alias, is_alias_authentic, is_plain_fine;
	const struct dns_answer *tlsa;
	bool wants_alias, wants_tlsa;
	const char *level;
} aliases[] = {
	/* clang-format off */
	{ "not yet asked for", true, false, true, false, false, NULL, true, false, "may" },
	{ "signed", true, false, true, true, false, &signed_good, true, true, "dane" },
	{ "signed, no records", true, false, true, true, false, &none, true, true, "may" },
	{ "signed, unsigned records", true, false, true, true, false, &plain_good, true, true, "may" },
	{ "it, or its records, held back", true, false, true, true, false, &temp, true, true, "never" },
	{ "not signed", true, false, true, false, false, &signed_good, true, false, "may" },
	{ "no alias", true, false, false, false, false, NULL, false, false, "may" },
	{ "signed to the end", true, true, true, false, false, &signed_good, false, true, "dane" },
	{ "unsigned hosts", false, false, true, true, false, &signed_good, false, false, "may" },
	{ "TLS-Required: No", true, false, true, true, true, &signed_good, false, false, "may" },
	/* clang-format on */
};

static void
test_aliases(void)
{
	for (size_t i = 0; i < ARRAY_LEN(aliases); i++) {
		struct secure_facts f = {
			.host = STR("mx.example"),
			.is_mx_authentic = aliases[i].mx,
			.is_host_authentic = aliases[i].addresses,
			.is_alias = aliases[i].is_alias,
			.is_alias_authentic = aliases[i].is_alias_authentic,
			.is_plain_fine = aliases[i].is_plain_fine,
			.tlsa = aliases[i].tlsa,
		};
		struct secure_verdict v;

		CHECK_TRUE(secure_wants_alias(&f) == aliases[i].wants_alias,
		           aliases[i].what);
		CHECK_TRUE(secure_wants_tlsa(&f) == aliases[i].wants_tlsa,
		           aliases[i].what);
		secure_decide(&f, &v);
		CHECK_CSTR_EQ(secure_level_word(v.level), aliases[i].level,
		              aliases[i].what);
	}
}

static void
test_decide(void)
{
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct secure_facts f = { .host = str_from(cases[i].host),
			                  .is_mx_authentic = cases[i].mx,
			                  .is_own_name = str_starts(
						  str_from(cases[i].host), STR("own.")),
			                  .is_host_authentic = cases[i].addresses,
			                  .tlsa = cases[i].tlsa,
			                  .sts = cases[i].sts,
			                  .is_required = cases[i].is_required,
			                  .is_plain_fine = cases[i].is_plain_fine };
		struct secure_verdict v;

		secure_decide(&f, &v);
		CHECK_CSTR_EQ(secure_level_word(v.level), cases[i].level, cases[i].what);
		CHECK_CSTR_EQ(v.policy, cases[i].policy, cases[i].what);
		CHECK_U64_EQ(v.tlsa_count, v.level == SECURE_DANE ? 3 : 0, cases[i].what);
		CHECK_TRUE(v.reason && v.reason[0], cases[i].what);
		CHECK_TRUE(v.is_passing == (cases[i].tlsa == &temp), cases[i].what);
	}
}

/* What is demanded may be there, only nobody can say now: that is no last word. */
static void
test_policy_that_cannot_be_had(void)
{
	static const struct {
		const char *what;
		bool mx, is_required, is_unknown, is_passing;
		const char *level;
	} rows[] = {
		{ "nothing is demanded", false, false, true, false, "may" },
		{ "REQUIRETLS", false, true, true, true, "never" },
		{ "REQUIRETLS, and there is none", false, true, false, false, "never" },
		{ "REQUIRETLS, DNSSEC vouches", true, true, true, false, "verify" },
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct secure_facts f = { .host = STR("mx.example"),
			                  .is_mx_authentic = rows[i].mx,
			                  .is_required = rows[i].is_required,
			                  .is_sts_unknown = rows[i].is_unknown };
		struct secure_verdict v;

		secure_decide(&f, &v);
		CHECK_CSTR_EQ(secure_level_word(v.level), rows[i].level, rows[i].what);
		CHECK_U64_EQ(v.is_passing, rows[i].is_passing, rows[i].what);
	}
}

/* As many as there is room for; the others are left out. */
static void
test_many_tlsa(void)
{
	struct dns_record many[SECURE_TLSA_MAX + 4];
	struct dns_answer answer = { DNS_OK, true, .records = many,
		                     .count = ARRAY_LEN(many) };
	struct secure_facts f = { .host = STR("mx.example"),
		                  .is_mx_authentic = true,
		                  .is_host_authentic = true,
		                  .tlsa = &answer };
	struct secure_verdict v;

	for (size_t i = 0; i < ARRAY_LEN(many); i++)
		many[i] = good[i % ARRAY_LEN(good)];
	secure_decide(&f, &v);
	CHECK_CSTR_EQ(secure_level_word(v.level), "dane", "level");
	CHECK_U64_EQ(v.tlsa_count, SECURE_TLSA_MAX, "all that find room");
}

static void
test_whose_tlsa(void)
{
	CHECK_TRUE(secure_has_tlsa(&signed_good) && secure_has_tlsa(&signed_bad),
	           "signed");
	CHECK_TRUE(secure_has_tlsa(&temp), "silence");
	CHECK_TRUE(!secure_has_tlsa(&plain_good) && !secure_has_tlsa(&none),
	           "another name is asked");
}

SUITE(policy_secure, { "aliases", test_aliases }, { "levels", test_decide },
      { "a policy that cannot be had", test_policy_that_cannot_be_had },
      { "whose TLSA records", test_whose_tlsa }, { "many TLSA records", test_many_tlsa });
