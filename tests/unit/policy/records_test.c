/* Configuration and answers in, rows out. Each case is one record as somebody published
 * it, and the state and cause that it must get. */
#include "policy/records.h"

#include "tests/unit/check.h"

#define OUR_KEY                                                                          \
	"MIIBIjANBgkqhkiG9w0BAQEFAAOCAQ8AMIIBCgKCAQEAq0PHLRLkFw61LvCXpgO8xFIPURHk0wIsIx" \
	"rV"                                                                             \
	"SR7Vo9G7Q6uOJjXhMLYanbhQDUKNrBSuFfpQtFyKFvAf1s6OaaaaaaaaaaaaaaaaaaaaaaaaaaaAAA" \
	"AA"                                                                             \
	"bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbBBBB" \
	"BB"

static const struct records_key keys[] = {
	{ STR_INIT("s1"), "rsa", STR_INIT(OUR_KEY), false, false },
	{ STR_INIT("old"), "rsa", STR_INIT(OUR_KEY), true, false },
};

static struct addr our_ip;

static struct records_conf
conf_of(void)
{
	(void)addr_parse_ip(STR("198.51.101.7"), &our_ip);
	return (struct records_conf){
		.domain = STR("example.org"),
		.hostname = STR("mail.example.org"),
		.ips = &our_ip,
		.ip_count = 1,
		.keys = keys,
		.key_count = 2,
		.dmarc_policy = "quarantine",
		.dmarc_rua = STR("dmarc@example.org"),
		.sts_mode = STS_TESTING,
		.sts_id = STR("42"),
		.tls_rua = STR("tls@example.org"),
		.ports = { [RECORDS_SUBMISSIONS] = 465, [RECORDS_IMAPS] = 993 },
		.ca = STR("letsencrypt.org"),
		.backup_mx = STR("mx1.backup.example mx2.backup.example"),
	};
}

/* What one server has at one name; text "" is NODATA, "TEMP" no answer. Several records
   have "|" between them. */
static struct dns_answer
answer(struct arena *a, enum dns_type type, struct str name, const char *text)
{
	struct dns_answer out = { .status = DNS_NODATA, .name = name };
	struct dns_record *records = ARENA_ARRAY(a, struct dns_record, 10);
	struct str rest = str_from(text), one;

	if (str_eq(rest, STR("TEMP"))) {
		out.status = DNS_TEMP;
		return out;
	}
	while (str_next(&rest, '|', &one)) {
		struct dns_record *r = &records[out.count];

		if (str_skip(&one, STR("CNAME "))) {
			out.name = one;
			continue;
		}
		*r = (struct dns_record){ .type = type, .ttl_s = 300 };
		if (type == DNS_TXT)
			r->text = one;
		else if (type == DNS_A)
			(void)addr_parse_ip(one, &r->addr);
		else if (type == DNS_CAA)
			*r = (struct dns_record){ .type = type,
				                  .name = STR("issue"),
				                  .text = one };
		else
			r->name = one;
		if (type == DNS_MX)
			r->preference = 10 * (uint16_t)(out.count + 1);
		if (type == DNS_SRV)
			r->port = 465;
		out.count++;
		out.status = DNS_OK;
	}
	out.records = records;
	return out;
}

static const struct {
	const char *key, *name;
	enum dns_type type;
	const char *first, *second; /* of two servers; second NULL: the same */
	enum record_state state;
	enum record_cause cause;
} cases[] = {
	/* clang-format off */
	{ "mx", "example.org", DNS_MX, "mail.example.org", NULL, RECORD_OK, CAUSE_NONE },
	{ "mx", "example.org", DNS_MX, "", NULL, RECORD_MISSING, CAUSE_ABSENT },
	{ "mx", "example.org", DNS_MX, "TEMP", NULL, RECORD_UNKNOWN, CAUSE_NO_ANSWER },
	{ "mx", "example.org", DNS_MX, "TEMP", "mail.example.org", RECORD_OK, CAUSE_SOME_SILENT },
	{ "mx", "example.org", DNS_MX, "", "mail.example.org", RECORD_PROPAGATING, CAUSE_PROPAGATING },
	{ "mx", "example.org", DNS_MX, "mx.old.example", NULL, RECORD_DIFFERS, CAUSE_MX_ELSEWHERE },
	{ "mx", "example.org", DNS_MX, "mail.example.org|mx.old.example", NULL, RECORD_DIFFERS, CAUSE_MX_OTHER_TOO },
	{ "mx", "example.org", DNS_MX, "mail.example.org|MX2.backup.example", NULL, RECORD_OK, CAUSE_MX_BACKUP },
	{ "mx", "example.org", DNS_MX, "mx1.backup.example|mail.example.org", NULL, RECORD_DIFFERS, CAUSE_MX_BACKUP_FIRST },
	{ "mx", "example.org", DNS_MX, "mail.example.org|mx1.backup.example|mx.old.example", NULL, RECORD_DIFFERS, CAUSE_MX_OTHER_TOO },
	{ "mx", "example.org", DNS_MX, "mx1.backup.example", NULL, RECORD_DIFFERS, CAUSE_MX_ELSEWHERE },
	{ "mx", "example.org", DNS_MX, "192.0.2.7", NULL, RECORD_DIFFERS, CAUSE_MX_TO_IP },
	{ "mx", "example.org", DNS_MX, "CNAME other.example", NULL, RECORD_CONFLICT, CAUSE_CNAME_BESIDE },
	{ "spf", "example.org", DNS_TXT, "v=spf1 ip4:198.51.101.7 ~all", NULL, RECORD_OK, CAUSE_NONE },
	{ "spf", "example.org", DNS_TXT, "hello", NULL, RECORD_MISSING, CAUSE_ABSENT },
	{ "spf", "example.org", DNS_TXT, "v=spf1 -all|v=spf1 mx -all", NULL, RECORD_CONFLICT, CAUSE_SPF_TWO_RECORDS },
	{ "spf", "example.org", DNS_TXT, "v=spf1 mx +all", NULL, RECORD_DIFFERS, CAUSE_SPF_PLUS_ALL },
	{ "spf", "example.org", DNS_TXT, "v=spf1 mx all", NULL, RECORD_DIFFERS, CAUSE_SPF_PLUS_ALL },
	{ "spf", "example.org", DNS_TXT, "v=spf1 mx ptr ~all", NULL, RECORD_DIFFERS, CAUSE_SPF_PTR },
	{ "spf", "example.org", DNS_TXT, "v=spf1 ip4:192.0.2.1 ~all", NULL, RECORD_DIFFERS, CAUSE_SPF_OUR_IP },
	{ "dkim:s1", "s1._domainkey.example.org", DNS_TXT, "v=DKIM1; k=rsa; p=" OUR_KEY, NULL, RECORD_OK, CAUSE_NONE },
	{ "dkim:s1", "s1._domainkey.example.org", DNS_TXT, "p=" OUR_KEY, NULL, RECORD_OK, CAUSE_NONE },
	{ "dkim:s1", "s1._domainkey.example.org", DNS_TXT, "v=DKIM1; p=MIIBIjANBgkq", NULL, RECORD_DIFFERS, CAUSE_DKIM_TRUNCATED },
	{ "dkim:s1", "s1._domainkey.example.org", DNS_TXT, "v=DKIM1; p=", NULL, RECORD_DIFFERS, CAUSE_DKIM_REVOKED },
	{ "dkim:s1", "s1._domainkey.example.org", DNS_TXT, "\"v=DKIM1; p=" OUR_KEY "\"", NULL, RECORD_DIFFERS, CAUSE_DKIM_QUOTES },
	{ "dkim:s1", "s1._domainkey.example.org", DNS_TXT, "v=DKIM1; k=ed25519; p=" OUR_KEY, NULL, RECORD_DIFFERS, CAUSE_DKIM_TYPE },
	{ "dkim:s1", "s1._domainkey.example.org", DNS_TXT, "v=DKIM1; p=QUJD", NULL, RECORD_DIFFERS, CAUSE_DKIM_OTHER_KEY },
	{ "dkim:s1", "s1._domainkey.example.org", DNS_TXT, "v=DKIM1; t=y; p=" OUR_KEY, NULL, RECORD_OK, CAUSE_DKIM_TESTING },
	{ "dkim:s1", "s1._domainkey.example.org", DNS_TXT, "p=" OUR_KEY "|p=QUJD", NULL, RECORD_CONFLICT, CAUSE_DKIM_TWO_RECORDS },
	{ "dkim:s1", "s1._domainkey.example.org", DNS_TXT, "nonsense", NULL, RECORD_DIFFERS, CAUSE_DKIM_SYNTAX },
	{ "dkim:s1", "s1._domainkey.example.org.example.org", DNS_TXT, "p=" OUR_KEY, NULL, RECORD_UNKNOWN, CAUSE_NO_ANSWER },
	{ "dkim:old", "old._domainkey.example.org", DNS_TXT, "", NULL, RECORD_OK, CAUSE_NONE },
	{ "dkim:old", "old._domainkey.example.org", DNS_TXT, "v=DKIM1; p=", NULL, RECORD_OPTIONAL, CAUSE_NOT_WANTED },
	{ "dmarc", "_dmarc.example.org", DNS_TXT, "v=DMARC1; p=quarantine; rua=mailto:dmarc@example.org", NULL, RECORD_OK, CAUSE_NONE },
	{ "dmarc", "_dmarc.example.org", DNS_TXT, "v=DMARC1; p=none; rua=mailto:dmarc@example.org", NULL, RECORD_DIFFERS, CAUSE_DMARC_WEAKER },
	{ "dmarc", "_dmarc.example.org", DNS_TXT, "v=DMARC1; p=reject; rua=mailto:dmarc@example.org", NULL, RECORD_DIFFERS, CAUSE_DMARC_STRICTER },
	{ "dmarc", "_dmarc.example.org", DNS_TXT, "v=DMARC1; p=quarantine; pct=20", NULL, RECORD_DIFFERS, CAUSE_DMARC_PCT },
	{ "dmarc", "_dmarc.example.org", DNS_TXT, "v=DMARC1; policy=none", NULL, RECORD_DIFFERS, CAUSE_DMARC_TYPO },
	{ "dmarc", "_dmarc.example.org", DNS_TXT, "v=DMARC1; p=quarantine", NULL, RECORD_DIFFERS, CAUSE_DMARC_NO_REPORTS },
	{ "dmarc", "_dmarc.example.org", DNS_TXT, "v=DMARC1; p=block", NULL, RECORD_DIFFERS, CAUSE_DMARC_SYNTAX },
	{ "dmarc", "_dmarc.example.org", DNS_TXT, "v=DMARC1; p=none|v=DMARC1; p=reject", NULL, RECORD_CONFLICT, CAUSE_DMARC_TWO_RECORDS },
	{ "mta_sts", "_mta-sts.example.org", DNS_TXT, "v=STSv1; id=42;", NULL, RECORD_OK, CAUSE_NONE },
	{ "mta_sts", "_mta-sts.example.org", DNS_TXT, "v=STSv1; id=41;", NULL, RECORD_DIFFERS, CAUSE_STS_STALE },
	{ "mta_sts", "_mta-sts.example.org", DNS_TXT, "v=STSv1;", NULL, RECORD_DIFFERS, CAUSE_STS_SYNTAX },
	{ "tls_rpt", "_smtp._tls.example.org", DNS_TXT, "v=TLSRPTv1; rua=mailto:tls@example.org", NULL, RECORD_OK, CAUSE_NONE },
	{ "autoconfig", "autoconfig.example.org", DNS_A, "CNAME mail.example.org", NULL, RECORD_OK, CAUSE_NONE },
	{ "autoconfig", "autoconfig.example.org", DNS_A, "198.51.101.7", NULL, RECORD_OK, CAUSE_NONE },
	{ "autoconfig", "autoconfig.example.org", DNS_A, "192.0.2.1", NULL, RECORD_DIFFERS, CAUSE_HOST_ELSEWHERE },
	{ "srv_submissions", "_submissions._tcp.example.org", DNS_SRV, "mail.example.org", NULL, RECORD_OK, CAUSE_NONE },
	{ "srv_submissions", "_submissions._tcp.example.org", DNS_SRV, "old.example", NULL, RECORD_DIFFERS, CAUSE_OTHER_VALUE },
	{ "caa", "example.org", DNS_CAA, "", NULL, RECORD_OPTIONAL, CAUSE_NONE },
	{ "caa", "example.org", DNS_CAA, "other.example", NULL, RECORD_DIFFERS, CAUSE_CAA_BLOCKS },
	/* clang-format on */
};

static const struct record_row *
row_of(const struct records *r, const char *key)
{
	for (size_t i = 0; i < r->count; i++) {
		if (str_eq(r->rows[i].key, str_from(key)))
			return &r->rows[i];
	}
	return NULL;
}

static void
test_cases(void)
{
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct arena *a = arena_new(8 << 20);
		struct records_conf conf = conf_of();
		struct records *r = records_make(&conf, a);
		struct lookups *l = lookups_new(a, 10);
		struct str name = str_from(cases[i].name);
		const char *second = cases[i].second ? cases[i].second : cases[i].first;
		struct records_answer answers[] = {
			{ name, cases[i].type, false, 0,
			  answer(a, cases[i].type, name, cases[i].first) },
			{ name, cases[i].type, false, 1,
			  answer(a, cases[i].type, name, second) },
		};
		struct records_answers all = { answers, 2, 2, false, false };
		const struct record_row *row;

		while (records_judge(r, &all, l, a, 0) == POLICY_NEED) {
			struct dns_answer none = { .status = DNS_NODATA };
			struct lookup *q;

			while ((q = lookups_next(l)))
				lookups_answer(q, q->type == DNS_TXT ? &answers[0].answer
				                                     : &none);
		}
		row = row_of(r, cases[i].key);
		if (CHECK_TRUE(row, cases[i].key)) {
			CHECK_CSTR_EQ(record_state_word(row->state),
			              record_state_word(cases[i].state), cases[i].first);
			CHECK_CSTR_EQ(record_cause_word(row->cause),
			              record_cause_word(cases[i].cause), cases[i].first);
		}
		arena_free(&a);
	}
}

static void
test_merge(void)
{
	static const struct {
		const char *first, *second, *merged;
	} rows[] = {
		{ NULL, NULL, "v=spf1 ip4:198.51.101.7 ~all" },
		{ "v=spf1 include:_spf.old.tld ~all", NULL,
		  "v=spf1 ip4:198.51.101.7 include:_spf.old.tld ~all" },
		{ "v=spf1 mx +all", NULL, "v=spf1 ip4:198.51.101.7 mx ~all" },
		{ "v=spf1 ptr a -all", NULL, "v=spf1 ip4:198.51.101.7 a -all" },
		{ "v=spf1 a ?all", "v=spf1 a mx -all",
		  "v=spf1 ip4:198.51.101.7 a mx ?all" },
		{ "v=spf1 redirect=other.tld", NULL,
		  "v=spf1 ip4:198.51.101.7 redirect=other.tld" },
		{ "v=spf1 ip4:198.51.101.7 -all", NULL, "v=spf1 ip4:198.51.101.7 -all" },
	};
	struct records_conf conf = conf_of();

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct arena *a = arena_new(1 << 20);
		struct str found[2] = { str_from(rows[i].first),
			                str_from(rows[i].second) };
		size_t n = rows[i].second ? 2 : rows[i].first ? 1 : 0;

		CHECK_STR_EQ(records_spf_merge(found, n, conf.ips, conf.ip_count,
		                               conf.hostname, a),
		             str_from(rows[i].merged), rows[i].merged);
		arena_free(&a);
	}
}

/* Every line of the zone file holds no more than a master file allows. */
static void
test_zone(void)
{
	struct arena *a = arena_new(8 << 20);
	struct records_conf conf = conf_of();
	struct records *r = records_make(&conf, a);
	struct strbuf b = strbuf_arena(a, 1 << 20);
	char long_text[600];
	struct strbuf text = strbuf_on(long_text), value = strbuf_arena(a, 4096);

	records_zone_format(r, false, RECORDS_RELATIVE, &b);
	CHECK_TRUE(str_find_str(strbuf_str(&b),
	                        STR("\n@\t3600\tIN\tMX\t10 mail.example.org.\n")) !=
	                   SIZE_MAX,
	           "MX with its priority");
	CHECK_TRUE(str_find_str(strbuf_str(&b), STR("old._domainkey")) == SIZE_MAX,
	           "revoked keys are left out");
	for (int i = 0; i < 500; i++)
		strbuf_byte(&text, i == 3 ? '"' : 'a');
	records_value_format(DNS_TXT, -1, strbuf_str(&text), &value);
	CHECK_U64_EQ(value.n, 500 + 1 + 2 * 2 + 1, "two strings, one backslash");
	CHECK_TRUE(str_starts(strbuf_str(&value), STR("\"aaa\\\"aaa")), "escaped");
	arena_free(&a);
}

static void
test_names(void)
{
	static const struct str names[] = { STR_INIT("mail.example.org"),
		                            STR_INIT("*.example.net") };

	CHECK_TRUE(records_covers(names, 2, STR("MAIL.example.org")), "without case");
	CHECK_TRUE(records_covers(names, 2, STR("mta-sts.example.net")), "one label");
	CHECK_TRUE(!records_covers(names, 2, STR("a.b.example.net")), "two labels");
	CHECK_TRUE(!records_covers(names, 2, STR("example.net")), "no label");
}

SUITE(policy_records, { "records as people publish them", test_cases },
      { "SPF is merged", test_merge }, { "zone file", test_zone },
      { "certificate names", test_names });
