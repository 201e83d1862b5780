#include "smtp/smtp_judge.h"

#include "tests/unit/check.h"

static const struct {
	const char *what;
	enum dmarc_result dmarc;
	enum dmarc_policy policy;
	enum spf_result spf;
	unsigned from_fields;
	bool is_arc_trusted, refuses_spf, defers;
	const char *forwarders, *network;
	enum err error;
	enum dmarc_policy wanted;
	const char *override;
} rows[] = {
	{ "proven", DMARC_PASS, DMARC_POLICY_REJECT, SPF_PASS, 1, false, true, true, "",
	  NULL, OK, DMARC_POLICY_NONE, "" },
	{ "reject", DMARC_FAIL, DMARC_POLICY_REJECT, SPF_FAIL, 1, false, false, false, "",
	  NULL, OK, DMARC_POLICY_REJECT, "" },
	{ "quarantine", DMARC_FAIL, DMARC_POLICY_QUARANTINE, SPF_NONE, 1, false, false,
	  false, "", NULL, OK, DMARC_POLICY_QUARANTINE, "" },
	{ "nothing wanted", DMARC_FAIL, DMARC_POLICY_NONE, SPF_FAIL, 1, false, false,
	  false, "", NULL, OK, DMARC_POLICY_NONE, "" },
	{ "two From", DMARC_PASS, DMARC_POLICY_NONE, SPF_PASS, 2, false, false, false, "",
	  NULL, ERR_MESSAGE_SYNTAX, DMARC_POLICY_NONE, "" },
	{ "no From", DMARC_NONE, DMARC_POLICY_NONE, SPF_PASS, 0, false, false, false, "",
	  NULL, OK, DMARC_POLICY_NONE, "" },
	{ "a trusted sealer", DMARC_FAIL, DMARC_POLICY_REJECT, SPF_FAIL, 1, true, true,
	  false, "", NULL, OK, DMARC_POLICY_NONE, "trusted_forwarder" },
	{ "a forwarder by name", DMARC_FAIL, DMARC_POLICY_REJECT, SPF_FAIL, 1, false,
	  true, false, "x.example host.example", NULL, OK, DMARC_POLICY_NONE,
	  "trusted_forwarder" },
	{ "a forwarder by SPF", DMARC_FAIL, DMARC_POLICY_REJECT, SPF_PASS, 1, false,
	  false, false, "sender.example", NULL, OK, DMARC_POLICY_NONE,
	  "trusted_forwarder" },
	{ "whose SPF fails", DMARC_FAIL, DMARC_POLICY_REJECT, SPF_FAIL, 1, false, false,
	  false, "sender.example", NULL, OK, DMARC_POLICY_REJECT, "" },
	{ "a forwarder by address", DMARC_FAIL, DMARC_POLICY_QUARANTINE, SPF_NONE, 1,
	  false, false, false, "", "192.0.2.0/24", OK, DMARC_POLICY_NONE,
	  "trusted_forwarder" },
	{ "SPF alone does not refuse", DMARC_NONE, DMARC_POLICY_NONE, SPF_FAIL, 1, false,
	  false, false, "", NULL, OK, DMARC_POLICY_NONE, "" },
	{ "but where that is wanted", DMARC_NONE, DMARC_POLICY_NONE, SPF_FAIL, 1, false,
	  true, false, "", NULL, ERR_SPF_FAIL, DMARC_POLICY_NONE, "" },
	{ "and not where From is proven", DMARC_PASS, DMARC_POLICY_NONE, SPF_FAIL, 1,
	  false, true, false, "", NULL, OK, DMARC_POLICY_NONE, "" },
	{ "not known", DMARC_TEMPERROR, DMARC_POLICY_NONE, SPF_TEMPERROR, 1, false, true,
	  false, "", NULL, OK, DMARC_POLICY_NONE, "" },
	{ "put off where that is wanted", DMARC_TEMPERROR, DMARC_POLICY_NONE, SPF_NONE, 1,
	  false, false, true, "", NULL, ERR_DNS_TEMP, DMARC_POLICY_NONE, "" },
	{ "it might have passed", DMARC_FAIL, DMARC_POLICY_REJECT, SPF_TEMPERROR, 1,
	  false, false, false, "", NULL, OK, DMARC_POLICY_NONE, "other" },
};

static void
test_rows(void)
{
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct arena *a = arena_new(16 * 1024);
		struct auth_request request = { 0 };
		struct auth_verdict v = {
			.iprev = { .result = IPREV_PASS,
			           .host = STR("out.host.example") },
			.has_spf_from = true,
			.spf_from = { .result = rows[i].spf,
			              .domain = STR("sender.example") },
			.is_arc_trusted = rows[i].is_arc_trusted,
			.dmarc = { .result = rows[i].dmarc,
			           .policy = rows[i].policy,
			           .policy_domain = STR("from.example"),
			           .reason = STR("nothing\r\nproves it") },
		};
		struct net net;
		struct smtp_judge_conf conf = {
			.forwarders = str_from(rows[i].forwarders),
			.networks = &net,
			.refuse_spf_fail = rows[i].refuses_spf,
			.defer_unresolved = rows[i].defers,
		};
		struct smtp_judgement j;

		CHECK_TRUE(addr_parse_ip(STR("192.0.2.1"), &request.ip), "address");
		conf.networks_count = rows[i].network != NULL;
		if (rows[i].network)
			CHECK_TRUE(net_parse(str_from(rows[i].network), &net), "network");
		smtp_judge(&conf, &request, &v, rows[i].from_fields, a, &j);
		CHECK_ERR_EQ(j.error, rows[i].error, rows[i].what);
		CHECK_U64_EQ(j.wanted, rows[i].wanted, rows[i].what);
		CHECK_CSTR_EQ(j.override, rows[i].override, rows[i].what);
		for (size_t k = 0; k < j.words.n; k++)
			CHECK_TRUE(j.words.p[k] >= ' ' && j.words.p[k] <= '~',
			           "a reply is one line");
		arena_free(&a);
	}
}

static void
test_owner(void)
{
	static const enum dmarc_policy want[INCOMING_COUNT][3] = {
		[INCOMING_HONOUR] = { DMARC_POLICY_NONE, DMARC_POLICY_QUARANTINE,
		                      DMARC_POLICY_REJECT },
		[INCOMING_JUNK] = { DMARC_POLICY_NONE, DMARC_POLICY_QUARANTINE,
		                    DMARC_POLICY_QUARANTINE },
		[INCOMING_MARK] = { DMARC_POLICY_NONE, DMARC_POLICY_NONE,
		                    DMARC_POLICY_NONE },
	};

	for (unsigned i = 0; i < INCOMING_COUNT; i++) {
		for (unsigned p = 0; p < 3; p++)
			CHECK_U64_EQ(smtp_judge_for((enum dmarc_policy)p,
			                            (enum domain_incoming)i),
			             want[i][p],
			             domain_incoming_name((enum domain_incoming)i));
	}
}

SUITE(smtp_judge, { "rows", test_rows }, { "the owner's choice", test_owner });
