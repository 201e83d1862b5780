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

#define OUR_DIGEST "kkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkk"

static const struct records_key keys[] = {
	{ STR_INIT("s1"), "rsa", STR_INIT(OUR_KEY), false, false },
	{ STR_INIT("old"), "rsa", STR_INIT(OUR_KEY), true, false },
};

static const struct dns_tlsa tlsa[] = {
	{ 3, 1, 1, STR_INIT(OUR_DIGEST) },
	{ 3, 0, 0, STR_INIT("whole") },
	{ 3, 1, 2, STR_INIT("long") },
	{ 2, 0, 1, STR_INIT("above") },
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
		.spki_sha256 = STR(OUR_DIGEST),
		.tlsa = tlsa,
		.tlsa_count = ARRAY_LEN(tlsa),
	};
}

/* "2 0 1 DATA"; "DATA" alone is "3 1 1". */
static void
read_tlsa(struct str text, struct dns_record *r)
{
	bool has_kind = text.n > 6 && text.p[1] == ' ' && text.p[3] == ' ';
	const char *kind = has_kind ? text.p : "3 1 1 ";

	*r = (struct dns_record){ .type = DNS_TLSA,
		                  .usage = (uint8_t)(kind[0] - '0'),
		                  .selector = (uint8_t)(kind[2] - '0'),
		                  .matching = (uint8_t)(kind[4] - '0'),
		                  .text = has_kind ? str_from_offset(text, 6) : text };
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
		else if (type == DNS_A || type == DNS_AAAA)
			(void)addr_parse_ip(one, &r->addr);
		else if (type == DNS_TLSA)
			read_tlsa(one, r);
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
	{ "spf", "example.org", DNS_TXT, " v=spf1 ip4:198.51.101.7 ~all", NULL, RECORD_DIFFERS, CAUSE_SPF_BROKEN },
	{ "spf", "example.org", DNS_TXT, "v=spf1, ip4:198.51.101.7 ~all", NULL, RECORD_DIFFERS, CAUSE_SPF_BROKEN },
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
	{ "dkim:s1", "s1._domainkey.example.org", DNS_TXT, "p=" OUR_KEY "; v=DKIM1", NULL, RECORD_DIFFERS, CAUSE_DKIM_SYNTAX },
	{ "dkim:s1", "s1._domainkey.example.org", DNS_TXT, "v=dkim1; p=" OUR_KEY, NULL, RECORD_DIFFERS, CAUSE_DKIM_SYNTAX },
	{ "dkim:s1", "s1._domainkey.example.org", DNS_TXT, "v=DKIM1; t=s; t=s; p=" OUR_KEY, NULL, RECORD_DIFFERS, CAUSE_DKIM_SYNTAX },
	{ "dkim:s1", "s1._domainkey.example.org", DNS_TXT, "v=DKIM1 p=" OUR_KEY, NULL, RECORD_DIFFERS, CAUSE_DKIM_SYNTAX },
	{ "dkim:s1", "s1._domainkey.example.org", DNS_TXT, "v=DKIM1; s=tlsrpt; p=" OUR_KEY, NULL, RECORD_DIFFERS, CAUSE_DKIM_USE },
	{ "dkim:s1", "s1._domainkey.example.org", DNS_TXT, "v=DKIM1; h=sha1; p=" OUR_KEY, NULL, RECORD_DIFFERS, CAUSE_DKIM_USE },
	{ "dkim:s1", "s1._domainkey.example.org", DNS_TXT, "v=DKIM1; h=notsha256; p=" OUR_KEY, NULL, RECORD_DIFFERS, CAUSE_DKIM_USE },
	{ "dkim:s1", "s1._domainkey.example.org", DNS_TXT, "v=DKIM1; s=email; h=sha1:sha256; p=" OUR_KEY, NULL, RECORD_OK, CAUSE_NONE },
	{ "dkim:s1", "s1._domainkey.example.org", DNS_TXT, "v=DKIM1; t=s:y; p=" OUR_KEY, NULL, RECORD_OK, CAUSE_DKIM_TESTING },
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
	{ "dmarc", "_dmarc.example.org", DNS_TXT, "v=dmarc1; p=quarantine; rua=mailto:dmarc@example.org", NULL, RECORD_DIFFERS, CAUSE_DMARC_SYNTAX },
	{ "dmarc", "_dmarc.example.org", DNS_TXT, " v=DMARC1; p=quarantine; rua=mailto:dmarc@example.org", NULL, RECORD_DIFFERS, CAUSE_DMARC_SYNTAX },
	{ "dmarc", "_dmarc.example.org", DNS_TXT, "v=DMARC1; p=quarantine; sp=block; rua=mailto:dmarc@example.org", NULL, RECORD_DIFFERS, CAUSE_DMARC_SYNTAX },
	{ "dmarc", "_dmarc.example.org", DNS_TXT, "v=DMARC1; p=quarantine; p=none; rua=mailto:dmarc@example.org", NULL, RECORD_DIFFERS, CAUSE_DMARC_TWICE },
	{ "dmarc", "_dmarc.example.org", DNS_TXT, "v=DMARC1; p=quarantine; rua=mailto:dmarc@example.org; adkim=s; adkim=r", NULL, RECORD_DIFFERS, CAUSE_DMARC_TWICE },
	{ "dmarc", "_dmarc.example.org", DNS_TXT, "v=DMARC1; p=quarantine; rua=dmarc@example.org", NULL, RECORD_DIFFERS, CAUSE_DMARC_NO_REPORTS },
	{ "dmarc", "_dmarc.example.org", DNS_TXT, "v=DMARC1; p=quarantine; rua=mailto:xdmarc@example.org.example", NULL, RECORD_DIFFERS, CAUSE_DMARC_NO_REPORTS },
	{ "dmarc", "_dmarc.example.org", DNS_TXT, "v=DMARC1; p=quarantine; rua=mailto:a@b.example!10m, mailto:DMARC@Example.org!5m", NULL, RECORD_OK, CAUSE_NONE },
	{ "mta_sts", "_mta-sts.example.org", DNS_TXT, "v=STSv1; id=42;", NULL, RECORD_OK, CAUSE_NONE },
	{ "mta_sts", "_mta-sts.example.org", DNS_TXT, "v=STSv1; id=41;", NULL, RECORD_DIFFERS, CAUSE_STS_STALE },
	{ "mta_sts", "_mta-sts.example.org", DNS_TXT, "v=STSv1;", NULL, RECORD_DIFFERS, CAUSE_STS_SYNTAX },
	{ "mta_sts", "_mta-sts.example.org", DNS_TXT, "v=stsv1; id=42;", NULL, RECORD_DIFFERS, CAUSE_STS_SYNTAX },
	{ "mta_sts", "_mta-sts.example.org", DNS_TXT, "v=STSv1; id = 42;", NULL, RECORD_DIFFERS, CAUSE_STS_SYNTAX },
	{ "mta_sts", "_mta-sts.example.org", DNS_TXT, " v=STSv1; id=42;", NULL, RECORD_DIFFERS, CAUSE_STS_SYNTAX },
	{ "mta_sts", "_mta-sts.example.org", DNS_TXT, "v=STSv1; id=42|v=STSv1; id=42", NULL, RECORD_CONFLICT, CAUSE_STS_TWO_RECORDS },
	{ "tls_rpt", "_smtp._tls.example.org", DNS_TXT, "v=TLSRPTv1; rua=mailto:tls@example.org", NULL, RECORD_OK, CAUSE_NONE },
	{ "tls_rpt", "_smtp._tls.example.org", DNS_TXT, "v=TLSRPTV1; rua=mailto:tls@example.org", NULL, RECORD_DIFFERS, CAUSE_STS_SYNTAX },
	{ "tls_rpt", "_smtp._tls.example.org", DNS_TXT, "v=TLSRPTv1; rua=tls@example.org", NULL, RECORD_DIFFERS, CAUSE_OTHER_VALUE },
	{ "autoconfig", "autoconfig.example.org", DNS_A, "CNAME mail.example.org", NULL, RECORD_OK, CAUSE_NONE },
	{ "autoconfig", "autoconfig.example.org", DNS_A, "198.51.101.7", NULL, RECORD_OK, CAUSE_NONE },
	{ "autoconfig", "autoconfig.example.org", DNS_A, "192.0.2.1", NULL, RECORD_DIFFERS, CAUSE_HOST_ELSEWHERE },
	{ "srv_submissions", "_submissions._tcp.example.org", DNS_SRV, "mail.example.org", NULL, RECORD_OK, CAUSE_NONE },
	{ "srv_submissions", "_submissions._tcp.example.org", DNS_SRV, "old.example", NULL, RECORD_DIFFERS, CAUSE_OTHER_VALUE },
	{ "caa", "example.org", DNS_CAA, "", NULL, RECORD_OPTIONAL, CAUSE_NONE },
	{ "caa", "example.org", DNS_CAA, "other.example", NULL, RECORD_DIFFERS, CAUSE_CAA_BLOCKS },
	{ "caa", "example.org", DNS_CAA, "letsencrypt.org", NULL, RECORD_OK, CAUSE_NONE },
	{ "caa", "example.org", DNS_CAA, " LetsEncrypt.org ; validationmethods=dns-01", NULL, RECORD_OK, CAUSE_NONE },
	{ "caa", "example.org", DNS_CAA, "letsencrypt.org.example", NULL, RECORD_DIFFERS, CAUSE_CAA_BLOCKS },
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

/* What the resolver says of the host, and what stands somewhere else than it should. */
enum {
	RESOLVER = 1 << 0, /* it is asked, not the servers */
	SIGNED = 1 << 1,   /* the zone */
	NO_ZONE = 1 << 2,
	LISTENS_V6 = 1 << 3,
};

static const struct {
	const char *what, *key, *name;
	enum dns_type type;
	unsigned flags;
	const char *text;
	const char *other, *other_text; /* one more TXT answer of each server */
	enum record_state state;
	enum record_cause cause;
} places[] = {
	/* clang-format off */
	{ "host", "host_a", "mail.example.org", DNS_A, RESOLVER, "198.51.101.7", NULL, NULL, RECORD_OK, CAUSE_NONE },
	{ "host: private", "host_a", "mail.example.org", DNS_A, RESOLVER, "10.0.0.7", NULL, NULL, RECORD_DIFFERS, CAUSE_HOST_PRIVATE },
	{ "host: loopback", "host_a", "mail.example.org", DNS_A, RESOLVER, "127.0.0.1", NULL, NULL, RECORD_DIFFERS, CAUSE_HOST_LOOPBACK },
	{ "host: alias", "host_a", "mail.example.org", DNS_A, RESOLVER, "CNAME a.example|198.51.101.7", NULL, NULL, RECORD_CONFLICT, CAUSE_HOST_CNAME },
	{ "host: silence", "host_a", "mail.example.org", DNS_A, RESOLVER, "TEMP", NULL, NULL, RECORD_UNKNOWN, CAUSE_NO_ANSWER },
	{ "host: IPv6, nobody listens", "host_aaaa", "mail.example.org", DNS_AAAA, RESOLVER, "2a01:db::1", NULL, NULL, RECORD_DIFFERS, CAUSE_HOST_V6_NOT_SERVED },
	{ "host: IPv6", "host_aaaa", "mail.example.org", DNS_AAAA, RESOLVER | LISTENS_V6, "2a01:db::1", NULL, NULL, RECORD_OK, CAUSE_NONE },
	{ "PTR", "ptr:198.51.101.7", "7.101.51.198.in-addr.arpa", DNS_PTR, RESOLVER, "Mail.example.org", NULL, NULL, RECORD_OK, CAUSE_NONE },
	{ "PTR: none", "ptr:198.51.101.7", "7.101.51.198.in-addr.arpa", DNS_PTR, RESOLVER, "", NULL, NULL, RECORD_MISSING, CAUSE_PTR_MISSING },
	{ "PTR: another", "ptr:198.51.101.7", "7.101.51.198.in-addr.arpa", DNS_PTR, RESOLVER, "www7.example.org", NULL, NULL, RECORD_DIFFERS, CAUSE_PTR_OTHER },
	{ "PTR: generic", "ptr:198.51.101.7", "7.101.51.198.in-addr.arpa", DNS_PTR, RESOLVER, "198-51-101-7.pool.isp.example", NULL, NULL, RECORD_DIFFERS, CAUSE_PTR_GENERIC },
	{ "PTR: several", "ptr:198.51.101.7", "7.101.51.198.in-addr.arpa", DNS_PTR, RESOLVER, "www.example.org|mail.example.org", NULL, NULL, RECORD_OK, CAUSE_PTR_SEVERAL },
	{ "PTR: silence", "ptr:198.51.101.7", "7.101.51.198.in-addr.arpa", DNS_PTR, RESOLVER, "TEMP", NULL, NULL, RECORD_UNKNOWN, CAUSE_NO_ANSWER },
	{ "TLSA", "tlsa", "_25._tcp.mail.example.org", DNS_TLSA, SIGNED, OUR_DIGEST, NULL, NULL, RECORD_OK, CAUSE_NONE },
	{ "TLSA: stale", "tlsa", "_25._tcp.mail.example.org", DNS_TLSA, SIGNED, "oldoldoldoldoldoldoldoldoldoldol", NULL, NULL, RECORD_DIFFERS, CAUSE_TLSA_STALE },
	{ "TLSA: both", "tlsa", "_25._tcp.mail.example.org", DNS_TLSA, SIGNED, "oldoldoldoldoldoldoldoldoldoldol|" OUR_DIGEST, NULL, NULL, RECORD_OK, CAUSE_TLSA_OLD_TOO },
	{ "TLSA: the certificate itself", "tlsa", "_25._tcp.mail.example.org", DNS_TLSA, SIGNED, "3 0 0 whole", NULL, NULL, RECORD_OK, CAUSE_NONE },
	{ "TLSA: SHA-512 of the key", "tlsa", "_25._tcp.mail.example.org", DNS_TLSA, SIGNED, "3 1 2 long", NULL, NULL, RECORD_OK, CAUSE_NONE },
	{ "TLSA: data of another kind", "tlsa", "_25._tcp.mail.example.org", DNS_TLSA, SIGNED, "3 1 1 long", NULL, NULL, RECORD_DIFFERS, CAUSE_TLSA_STALE },
	{ "TLSA: above us, without our name", "tlsa", "_25._tcp.mail.example.org", DNS_TLSA, SIGNED, "2 0 1 above", NULL, NULL, RECORD_DIFFERS, CAUSE_CERTIFICATE_NAME },
	{ "TLSA: not above us", "tlsa", "_25._tcp.mail.example.org", DNS_TLSA, SIGNED, "2 0 1 oooooooooooooooooooooooooooooooo", NULL, NULL, RECORD_DIFFERS, CAUSE_TLSA_STALE },
	{ "TLSA: a usage of the web", "tlsa", "_25._tcp.mail.example.org", DNS_TLSA, SIGNED, "1 1 1 " OUR_DIGEST, NULL, NULL, RECORD_DIFFERS, CAUSE_TLSA_UNUSABLE },
	{ "TLSA: a selector nobody knows", "tlsa", "_25._tcp.mail.example.org", DNS_TLSA, SIGNED, "3 2 1 " OUR_DIGEST, NULL, NULL, RECORD_DIFFERS, CAUSE_TLSA_UNUSABLE },
	{ "TLSA: a matching type nobody knows", "tlsa", "_25._tcp.mail.example.org", DNS_TLSA, SIGNED, "3 1 3 " OUR_DIGEST, NULL, NULL, RECORD_DIFFERS, CAUSE_TLSA_UNUSABLE },
	{ "TLSA: a usage of the web beside ours", "tlsa", "_25._tcp.mail.example.org", DNS_TLSA, SIGNED, "0 1 1 other|" OUR_DIGEST, NULL, NULL, RECORD_OK, CAUSE_TLSA_UNUSABLE },
	{ "TLSA: none", "tlsa", "_25._tcp.mail.example.org", DNS_TLSA, SIGNED, "", NULL, NULL, RECORD_OPTIONAL, CAUSE_NONE },
	{ "TLSA: unsigned", "tlsa", "_25._tcp.mail.example.org", DNS_TLSA, 0, "oldoldoldoldoldoldoldoldoldoldol", NULL, NULL, RECORD_OPTIONAL, CAUSE_ZONE_UNSIGNED },
	{ "TLSA: silence", "tlsa", "_25._tcp.mail.example.org", DNS_TLSA, 0, "TEMP", NULL, NULL, RECORD_UNKNOWN, CAUSE_NO_ANSWER },
	{ "no zone", "mx", "example.org", DNS_MX, NO_ZONE, "TEMP", NULL, NULL, RECORD_MISSING, CAUSE_NO_ZONE },
	{ "no zone, the host", "host_a", "mail.example.org", DNS_A, RESOLVER | NO_ZONE, "TEMP", NULL, NULL, RECORD_UNKNOWN, CAUSE_NO_ANSWER },
	{ "DKIM at the apex", "dkim:s1", "s1._domainkey.example.org", DNS_TXT, 0, "", "example.org", "v=DKIM1; p=" OUR_KEY, RECORD_MISSING, CAUSE_DKIM_AT_APEX },
	{ "DKIM too deep", "dkim:s1", "s1._domainkey.example.org", DNS_TXT, 0, "", "s1._domainkey.example.org.example.org", "v=DKIM1; p=" OUR_KEY, RECORD_MISSING, CAUSE_NAME_DOUBLED },
	{ "DMARC at the apex", "dmarc", "_dmarc.example.org", DNS_TXT, 0, "", "example.org", "v=DMARC1; p=none", RECORD_MISSING, CAUSE_DMARC_AT_APEX },
	{ "DKIM, a short key", "dkim:s1", "s1._domainkey.example.org", DNS_TXT, 0,
	  "v=DKIM1; p=QUJDQUJDQUJDQUJDQUJDQUJDQUJDQUJDQUJDQUJDQUJDQUJDQUJDQUJDQUJDQUJD", NULL, NULL, RECORD_DIFFERS, CAUSE_DKIM_WEAK },
	{ "SPF, silence behind it", "spf", "example.org", DNS_TXT, 0, "v=spf1 include:temp.example -all", NULL, NULL, RECORD_UNKNOWN, CAUSE_NO_ANSWER },
	{ "SPF, nothing behind it", "spf", "example.org", DNS_TXT, 0, "v=spf1 a:x1.example a:x2.example a:x3.example -all", NULL, NULL, RECORD_DIFFERS, CAUSE_SPF_VOIDS },
	{ "SPF, too much behind it", "spf", "example.org", DNS_TXT, 0, "v=spf1 include:example.org -all", NULL, NULL, RECORD_DIFFERS, CAUSE_SPF_TOO_MANY },
	{ "SPF, broken", "spf", "example.org", DNS_TXT, 0, "v=spf1 ip4:198.51.101 -all", NULL, NULL, RECORD_DIFFERS, CAUSE_SPF_BROKEN },
	/* clang-format on */
};

static void
test_places(void)
{
	for (size_t i = 0; i < ARRAY_LEN(places); i++) {
		struct arena *a = arena_new(8 << 20);
		struct records_conf conf = conf_of();
		struct lookups *l = lookups_new(a, 60);
		bool is_resolver = places[i].flags & RESOLVER;
		struct str name = str_from(places[i].name);
		struct records_answer answers[] = {
			{ name, places[i].type, is_resolver, 0,
			  answer(a, places[i].type, name, places[i].text) },
			{ str_from(places[i].other), DNS_TXT, false, 0,
			  answer(a, DNS_TXT, str_from(places[i].other),
			         places[i].other_text) },
		};
		struct records_answers all = { answers, places[i].other ? 2 : 1, 1,
			                       places[i].flags & NO_ZONE,
			                       places[i].flags & SIGNED };
		struct records *r;
		const struct record_row *row;

		conf.listens_v6 = places[i].flags & LISTENS_V6;
		r = records_make(&conf, a);
		while (records_judge(r, &all, l, a, 0) == POLICY_NEED) {
			struct dns_answer none = { .status = DNS_NODATA };
			struct dns_answer temp = { .status = DNS_TEMP };
			struct lookup *q;

			while ((q = lookups_next(l)))
				lookups_answer(
					q, str_eq(q->name, STR("temp.example")) ? &temp
					   : str_eq(q->name, name) ? &answers[0].answer
								   : &none);
		}
		row = row_of(r, places[i].key);
		if (CHECK_TRUE(row, places[i].what)) {
			CHECK_CSTR_EQ(record_state_word(row->state),
			              record_state_word(places[i].state), places[i].what);
			CHECK_CSTR_EQ(record_cause_word(row->cause),
			              record_cause_word(places[i].cause), places[i].what);
		}
		arena_free(&a);
	}
}

/* How long caches may still have the old one: the longest of those who have it. */
static void
test_propagating(void)
{
	struct arena *a = arena_new(8 << 20);
	struct records_conf conf = conf_of();
	struct records *r = records_make(&conf, a);
	struct lookups *l = lookups_new(a, 10);
	struct str name = STR("example.org");
	struct records_answer answers[3];
	struct dns_record found[3];
	struct records_answers all = { answers, 3, 3, false, false };
	static const char *const hosts[] = { "mx.old.example", "mail.example.org",
		                             "mx.old.example" };
	static const uint32_t ttls[] = { 60, 9000, 600 };
	const struct record_row *row;

	for (unsigned i = 0; i < 3; i++) {
		found[i] = (struct dns_record){ .type = DNS_MX,
			                        .preference = 10,
			                        .name = str_from(hosts[i]),
			                        .ttl_s = ttls[i] };
		answers[i] = (struct records_answer){ name,
			                              DNS_MX,
			                              false,
			                              i,
			                              { .status = DNS_OK,
			                                .name = name,
			                                .records = &found[i],
			                                .count = 1 } };
	}
	CHECK_U64_EQ(records_judge(r, &all, l, a, 0), POLICY_DONE, "nothing is asked");
	row = row_of(r, "mx");
	CHECK_CSTR_EQ(record_state_word(row->state), "propagating", "state");
	CHECK_U64_EQ(row->servers_ok, 1, "who has the new one");
	CHECK_U64_EQ(row->cached_s, 600, "for how long");
	arena_free(&a);
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
		/* Two of one modifier would make the record void (RFC 7208 6). */
		{ "v=spf1 a exp=why.a.tld -all", "v=spf1 mx EXP=why.b.tld ~all",
		  "v=spf1 ip4:198.51.101.7 a mx exp=why.a.tld -all" },
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

/* As many addresses as some publish: none is lost, or nothing is changed. */
static void
test_merge_long(void)
{
	static const size_t counts[] = { 150, 399, 2000 };
	struct records_conf conf = conf_of();

	for (size_t i = 0; i < ARRAY_LEN(counts); i++) {
		struct arena *a = arena_new(1 << 20);
		struct strbuf b = strbuf_arena(a, 64 << 10);
		struct str found, merged;
		size_t terms = 1;

		strbuf_lit(&b, "v=spf1");
		for (size_t k = 0; k < counts[i]; k++)
			strbuf_printf(&b, " ip4:10.1.%zu.%zu", k / 256, k % 256);
		strbuf_lit(&b, " -all");
		found = strbuf_str(&b);
		merged = records_spf_merge(&found, 1, conf.ips, 1, conf.hostname, a);
		for (size_t k = 0; k < merged.n; k++)
			terms += merged.p[k] == ' ';
		if (counts[i] == 2000)
			CHECK_TRUE(str_eq(merged, found), "too many to be merged");
		else
			CHECK_U64_EQ(terms, counts[i] + 3, "all of them, ours, all");
		arena_free(&a);
	}
}

/* More addresses than a record can name, and no record yet. */
static void
test_merge_nothing_found(void)
{
	enum {
		IPS = 600,
	};
	struct records_conf conf = conf_of();
	struct arena *a = arena_new(1 << 20);
	struct addr *ips = ARENA_ARRAY(a, struct addr, IPS);

	for (size_t i = 0; i < IPS; i++) {
		ips[i] = conf.ips[0];
		ips[i].ip[2] = (uint8_t)(i / 256);
		ips[i].ip[3] = (uint8_t)(i % 256);
	}
	CHECK_STR_EQ(records_spf_merge(NULL, 0, ips, IPS, conf.hostname, a),
	             STR("v=spf1 a:mail.example.org ~all"), "the host for all of them");
	CHECK_STR_EQ(records_spf_merge(NULL, 0, ips, IPS, STR(""), a), STR("v=spf1 ~all"),
	             "and without a name nothing");
	arena_free(&a);
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
      { "hosts, and other places", test_places }, { "propagating", test_propagating },
      { "SPF is merged", test_merge }, { "long SPF is merged", test_merge_long },
      { "no SPF, many addresses", test_merge_nothing_found }, { "zone file", test_zone },
      { "certificate names", test_names });
