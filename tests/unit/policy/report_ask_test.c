#include "policy/report_ask.h"

#include "base/strbuf.h"
#include "tests/unit/check.h"
#include "tests/unit/policy/zone.h"

/* "address(host)[!size]; address: why; …" */
static struct str
words(const struct report_targets *t, struct arena *a)
{
	struct strbuf b = strbuf_arena(a, 8192);

	for (size_t i = 0; i < t->count; i++) {
		const struct report_target *one = &t->list[i];

		strbuf_printf(&b, "%s%.*s", i ? "; " : "", STR_ARG(one->address));
		if (one->refused)
			strbuf_printf(&b, ": %s", one->refused);
		else
			strbuf_printf(&b, " at %.*s%.*s", STR_ARG(one->host),
			              STR_ARG(one->path));
		if (one->size_max_bytes)
			strbuf_printf(&b, " !%llu",
			              (unsigned long long)one->size_max_bytes);
	}
	if (t->left_out)
		strbuf_printf(&b, "; and %zu", t->left_out);
	return strbuf_str(&b);
}

static const struct {
	enum report_kind kind;
	const char *rua, *want;
} lists[] = {
	{ REPORT_DMARC, "mailto:d@Example.NET", "d@Example.NET at example.net" },
	{ REPORT_DMARC, " mailto:a@x.example!10m , MAILTO:b%2Cc@y.example?subject=z,",
	  "a@x.example at x.example !10485760; b,c@y.example: it is no address" },
	{ REPORT_DMARC, "https://x.example/d, d@x.example",
	  "https://x.example/d: it is no mailto:; d@x.example: it is no mailto:" },
	{ REPORT_DMARC, "mailto:d@[192.0.2.1],mailto:d,mailto:d@-x.example",
	  "d@[192.0.2.1]: it is no address; d: it is no address;"
	  " d@-x.example: it is no address" },
	{ REPORT_DMARC, "mailto:a%0d%0aBcc:x@x.example",
	  "mailto:a%0d%0aBcc:x@x.example: it is no mailto:" },
	{ REPORT_DMARC, "mailto:a@x.example,mailto:A@x.example",
	  "a@x.example at x.example" },
	{ REPORT_DMARC,
	  "mailto:1@x.example,mailto:2@x.example,mailto:3@x.example,"
	  "mailto:4@x.example,mailto:5@x.example,mailto:6@x.example,mailto:7@x.example",
	  "1@x.example at x.example; 2@x.example at x.example; 3@x.example at x.example;"
	  " 4@x.example at x.example; 5@x.example at x.example; and 2" },
	{ REPORT_DMARC, "", "" },
	{ REPORT_TLS, "https://x.example/v1/tls?a=b!c#d, mailto:t@x.example",
	  "https://x.example/v1/tls?a=b!c#d at x.example/v1/tls?a=b!c;"
	  " t@x.example at x.example" },
	{ REPORT_TLS, "HTTPS://X.example:443?q",
	  "HTTPS://X.example:443?q at x.example/?q" },
	{ REPORT_TLS,
	  "https://x.example:8443/,https://u@x.example/,https:///x,https://x.example/ y",
	  "https://x.example:8443/: it is no URL of HTTPS on its own port;"
	  " https://u@x.example/: it is no URL of HTTPS on its own port;"
	  " https:///x: it is no URL of HTTPS on its own port;"
	  " https://x.example/ y: it is no URL of HTTPS on its own port" },
	{ REPORT_TLS, "http://x.example/",
	  "http://x.example/: it is neither mailto: nor https:" },
};

static void
test_lists(void)
{
	for (size_t i = 0; i < ARRAY_LEN(lists); i++) {
		struct arena *a = arena_new(1 << 20);
		struct report_targets t;

		report_targets_read(lists[i].kind, str_from(lists[i].rua), a, &t);
		CHECK_STR_EQ(words(&t, a), str_from(lists[i].want), lists[i].rua);
		arena_free(&a);
	}
}

static const struct {
	const char *texts[2];
	const char *want; /* NULL: none */
} records[] = {
	{ { "v=TLSRPTv1; rua=mailto:t@x.example" }, "mailto:t@x.example" },
	{ { "v=TLSRPTv1 ; x=y; rua = mailto:a@x.example,https://x.example/ ;" },
	  "mailto:a@x.example,https://x.example/" },
	{ { "v=spf1 -all", "v=TLSRPTv1;rua=mailto:t@x.example" }, "mailto:t@x.example" },
	{ { "v=TLSRPTv1;rua=mailto:t@x.example", "v=TLSRPTv1;rua=mailto:u@x.example" },
	  NULL },
	{ { "v=TLSRPTv10;rua=mailto:t@x.example" }, NULL },
	{ { "v=TLSRPTv1" }, NULL },
	{ { "v=TLSRPTv1; rua=" }, NULL },
	{ { "v=TLSRPTv1; ruax=mailto:t@x.example" }, NULL },
};

static void
test_records(void)
{
	for (size_t i = 0; i < ARRAY_LEN(records); i++) {
		struct dns_record rows[2] = { 0 };
		struct dns_answer answer = { .status = DNS_OK, .records = rows };
		struct str rua = STR("");
		enum err e;

		while (answer.count < 2 && records[i].texts[answer.count]) {
			rows[answer.count].text =
				str_from(records[i].texts[answer.count]);
			answer.count++;
		}
		e = report_tls_record_find(&answer, &rua);
		CHECK_ERR_EQ(e, records[i].want ? OK : ERR_NOT_FOUND,
		             records[i].texts[0]);
		if (records[i].want)
			CHECK_STR_EQ(rua, str_from(records[i].want), records[i].texts[0]);
	}
}

static const struct {
	const char *what, *rua, *zone[4], *want;
	bool is_temp;
	const char *domain;
} consents[] = {
	{ "its own organisation needs none",
	  "mailto:d@example.net,mailto:d@mail.example.net",
	  { "_dmarc.example.net TXT v=DMARC1; p=none" },
	  "d@example.net at example.net; d@mail.example.net at mail.example.net",
	  false,
	  "example.net" },
	{ "another one that agrees",
	  "mailto:d@collector.example",
	  { "_dmarc.example.net TXT v=DMARC1; p=none",
	    "example.net._report._dmarc.collector.example TXT v=DMARC1;" },
	  "d@collector.example at collector.example",
	  false,
	  "example.net" },
	{ "one that does not",
	  "mailto:d@victim.example,mailto:d@example.net",
	  { "_dmarc.example.net TXT v=DMARC1; p=none",
	    "example.net._report._dmarc.victim.example TXT v=spf1 -all" },
	  "d@victim.example: they do not say that they want reports on this domain;"
	  " d@example.net at example.net",
	  false,
	  "example.net" },
	{ "one that names another address of its own",
	  "mailto:d@collector.example",
	  { "example.net._report._dmarc.collector.example TXT v=DMARC1;"
	    " rua=mailto:new@collector.example!5k" },
	  "new@collector.example at collector.example !5120",
	  false,
	  "example.net" },
	{ "one that passes them on to a third",
	  "mailto:d@collector.example",
	  { "example.net._report._dmarc.collector.example TXT v=DMARC1;"
	    " rua=mailto:d@victim.example" },
	  "d@collector.example: its record sends them on to somebody else",
	  false,
	  "example.net" },
	{ "RFC 9989 B.2.3, a third party",
	  "mailto:dmarc-feedback@thirdparty.example.net",
	  { "_dmarc.example.com TXT v=DMARC1; p=none",
	    "example.com._report._dmarc.thirdparty.example.net TXT v=DMARC1;" },
	  "dmarc-feedback@thirdparty.example.net at thirdparty.example.net",
	  false,
	  "example.com" },
	{ "RFC 9989 B.2.4, the third party names other addresses",
	  "mailto:dmarc-feedback@example.com,mailto:old@thirdparty.example.net",
	  { "_dmarc.example.com TXT v=DMARC1; p=none",
	    "example.com._report._dmarc.thirdparty.example.net TXT v=DMARC1; "
	    "rua=mailto:aggregate-reports@thirdparty.example.net; "
	    "ruf=mailto:failure-reports@thirdparty.example.net" },
	  "dmarc-feedback@example.com at example.com; "
	  "aggregate-reports@thirdparty.example.net at thirdparty.example.net",
	  false,
	  "example.com" },
	{ "a name server that fails",
	  "mailto:d@collector.example",
	  { "example.net._report._dmarc.collector.example TXT !temp" },
	  "d@collector.example: the name service did not say whether they want it",
	  true,
	  "example.net" },
};

static void
test_consent(void)
{
	for (size_t i = 0; i < ARRAY_LEN(consents); i++) {
		struct arena *a = arena_new(4 << 20);
		struct lookups *l = lookups_new(a, LOOKUPS_MAX);
		const char *zone[5] = { 0 };
		struct report_targets t;
		bool is_temp;
		unsigned turns = 0;

		for (size_t j = 0; j < 4; j++)
			zone[j] = consents[i].zone[j];
		report_targets_read(REPORT_DMARC, str_from(consents[i].rua), a, &t);
		while (report_targets_consent(&t, str_from(consents[i].domain), l, a,
		                              &is_temp) == POLICY_NEED &&
		       turns++ < 10)
			zone_answer(zone, l);
		CHECK_TRUE(turns < 10, consents[i].what);
		CHECK_STR_EQ(words(&t, a), str_from(consents[i].want), consents[i].what);
		CHECK_TRUE(is_temp == consents[i].is_temp, consents[i].what);
		arena_free(&a);
	}
}

SUITE(report_ask, { "lists", test_lists }, { "records of TLS reports", test_records },
      { "consent", test_consent });
