/* Held against the text of RFC 9989 as its last public draft has it
   (draft-ietf-dmarc-dmarcbis-41): 4.7, 4.10.1, 4.10.2, A.6, and B.1.1 to B.4.3. The tree
   walk of 4.10 is in dmarc_walk_test.c, the consent of B.2.3 and B.2.4 in
   report_ask_test.c. B.5 prints no example. */
#include "policy/dmarc.h"
#include "policy/dmarc_priv.h"

#include "tests/unit/check.h"

/* --- records ------------------------------------------------------------------------ */

static const struct record {
	const char *text;
	enum err e;
	const char *says; /* p sp np adkim aspf t psd, "-" where a policy is absent */
} records[] = {
	{ "v=DMARC1; p=none", OK, "none - - r r n u" },
	{ "v=DMARC1;p=reject;sp=quarantine;np=none;adkim=s;aspf=s;t=y;psd=n;", OK,
	  "reject quarantine none s s y n" },
	{ "v = DMARC1 ;\tp = Reject ; ADKIM = S ; psd=Y", OK, "reject - - s r n y" },
	{ "v=DMARC1; p=reject; pct=50; x-new=1; ;; =; foo", OK, "reject - - r r n u" },
	{ "v=DMARC1; p=reject; adkim=x; aspf=; t=maybe; psd=maybe", OK,
	  "reject - - r r n u" },
	/* RFC 9989 A.6: pct=0 was for what t=y is for now. */
	{ "v=DMARC1; p=reject; pct=0", OK, "reject - - r r y u" },
	{ "v=DMARC1; p=reject; pct=0; t=n", OK, "reject - - r r n u" },
	/* RFC 9989 4.10.1: no good policy. */
	{ "v=DMARC1; rua=mailto:a@example.org", OK, "none - - r r n u" },
	{ "v=DMARC1; p=bad; sp=reject; rua=mailto:a@example.org", OK,
	  "none - - r r n u" },
	{ "v=DMARC1; p=reject; sp=bad; rua=mailto:a@example.org", OK,
	  "none - - r r n u" },
	{ "v=DMARC1; p=reject; np=bad", ERR_SYNTAX, "none - - r r n u" },
	{ "v=DMARC1", ERR_SYNTAX, "none - - r r n u" },
	{ "v=DMARC1; p=reject; sp=bad; rua=nonsense", ERR_SYNTAX, "none - - r r n u" },
	{ "v=DMARC1; psd=y", ERR_SYNTAX, "none - - r r n y" },
	/* RFC 9989 4.7 takes the form from RFC 6376 3.2: no name comes twice, and what is
	   wrong counts as absent. */
	{ "v=DMARC1; p=none; p=reject", ERR_SYNTAX, "none - - r r n u" },
	{ "v=DMARC1; p=reject; p=reject; P=reject; rua=mailto:a@example.org", OK,
	  "none - - r r n u" },
	{ "v=DMARC1; p=reject; rua=mailto:a@example.org; sp=none; sp=reject", OK,
	  "none - - r r n u" },
	{ "v=DMARC1; p=reject; adkim=s; adkim=r; aspf=r; aspf=s; t=n; t=y; psd=n; psd=y",
	  OK, "reject - - r r n u" },
	{ "v=DMARC1; p=none; rua=mailto:a@example.org; rua=mailto:b@example.org; sp=bad",
	  ERR_SYNTAX, "none - - r r n u" },
	{ "v=DMARC1; p=reject; x-new=1; x-new=2", OK, "reject - - r r n u" },
	/* RFC 9989 4.7, v: first, and to the letter. */
	{ "", ERR_NOT_FOUND, NULL },
	{ "v=DMARC2; p=none", ERR_NOT_FOUND, NULL },
	{ "v=dmarc1; p=none", ERR_NOT_FOUND, NULL },
	{ "v=DMARC1 p=none", ERR_NOT_FOUND, NULL },
	{ "p=none; v=DMARC1", ERR_NOT_FOUND, NULL },
	{ " v=DMARC1; p=none", ERR_NOT_FOUND, NULL },
	{ "v=spf1 -all", ERR_NOT_FOUND, NULL },
	/* The examples of RFC 9989 B.2.1 to B.2.5. */
	{ "v=DMARC1; p=none; rua=mailto:dmarc-feedback@example.com", OK,
	  "none - - r r n u" },
	{ "v=DMARC1; p=none; rua=mailto:dmarc-feedback@example.com; "
	  "ruf=mailto:auth-reports@example.com",
	  OK, "none - - r r n u" },
	{ "v=DMARC1; p=none; rua=mailto:dmarc-feedback@example.com; "
	  "ruf=mailto:auth-reports@thirdparty.example.net",
	  OK, "none - - r r n u" },
	{ "v=DMARC1;", ERR_SYNTAX, "none - - r r n u" },
	{ "v=DMARC1; p=quarantine; rua=mailto:dmarc-feedback@example.com,"
	  "mailto:tld-test@thirdparty.example.net; t=y",
	  OK, "quarantine - - r r y u" },
	{ "v=DMARC1; p=reject; rua=mailto:dmarc-feedback@example.com,"
	  "mailto:tld-test@thirdparty.example.net",
	  OK, "reject - - r r n u" },
	{ "v=DMARC1; rua=mailto:aggregate-reports@thirdparty.example.net; "
	  "ruf=mailto:failure-reports@thirdparty.example.net",
	  OK, "none - - r r n u" },
	{ "v=DMARC1; p=reject; aspf=r;\t rua=mailto:dmarc-feedback@example.com", OK,
	  "reject - - r r n u" },
};

static void
test_records(void)
{
	for (size_t i = 0; i < ARRAY_LEN(records); i++) {
		char bytes[80];
		struct strbuf b = strbuf_on(bytes);
		struct dmarc_record r;
		enum err e = dmarc_record_parse(str_from(records[i].text), &r);

		CHECK_ERR_EQ(e, records[i].e, records[i].text);
		if (!records[i].says)
			continue;
		strbuf_printf(&b, "%s %s %s %c %c %c %c", dmarc_policy_word(r.p),
		              r.has_sp ? dmarc_policy_word(r.sp) : "-",
		              r.has_np ? dmarc_policy_word(r.np) : "-",
		              r.is_strict_dkim ? 's' : 'r', r.is_strict_spf ? 's' : 'r',
		              r.is_testing ? 'y' : 'n', r.psd);
		CHECK_STR_EQ(strbuf_str(&b), str_from(records[i].says), records[i].text);
	}
}

static void
test_uris(void)
{
	char bytes[400];
	struct strbuf room = strbuf_on(bytes);
	struct str rest =
		STR(" mailto:a@example.org!10m , nonsense,,"
	            "mailto:b%21%2Cc@example.org?subject=x,"
	            "https://example.org/r!5, mailto:, mailto:%0d%0a@x, mailto:%4,"
	            "mailto:z@example.org!99999999999t");
	struct dmarc_uri u;

	CHECK_TRUE(dmarc_uri_next(&rest, &room, &u), "first");
	CHECK_STR_EQ(u.scheme, STR("mailto"), "scheme");
	CHECK_STR_EQ(u.address, STR("a@example.org"), "address");
	CHECK_U64_EQ(u.size_max_bytes, 10 << 20, "size");
	CHECK_TRUE(dmarc_uri_next(&rest, &room, &u), "second");
	CHECK_STR_EQ(u.address, STR("b!,c@example.org"), "undone");
	CHECK_TRUE(dmarc_uri_next(&rest, &room, &u), "third");
	CHECK_STR_EQ(u.scheme, STR("https"), "of another kind");
	CHECK_U64_EQ(u.size_max_bytes, 5, "bytes");
	CHECK_TRUE(dmarc_uri_next(&rest, &room, &u), "fourth");
	CHECK_STR_EQ(u.address, STR("z@example.org"), "the broken ones are passed over");
	CHECK_U64_EQ(u.size_max_bytes, 0, "too large for a number");
	CHECK_TRUE(!dmarc_uri_next(&rest, &room, &u), "end");
}

/* --- a small name service ----------------------------------------------------------- */

struct zone_row {
	const char *name, *text; /* text NULL: SERVFAIL */
};

static const struct zone_row *
zone_find(const struct zone_row *zone, size_t count, struct str name, size_t from)
{
	for (size_t i = from; i < count && zone[i].name; i++)
		if (str_eq_icase(str_from(zone[i].name), name))
			return &zone[i];
	return NULL;
}

static bool
has_below(const struct zone_row *zone, size_t count, struct str name)
{
	for (size_t i = 0; i < count && zone[i].name; i++)
		if (str_ends_icase(str_from(zone[i].name), name))
			return true;
	return false;
}

static void
answer_all(struct lookups *l, const struct zone_row *zone, size_t count)
{
	struct lookup *q;

	while ((q = lookups_next(l)) != NULL) {
		struct dns_record found[4] = { 0 };
		struct dns_answer answer = { .status = DNS_NXDOMAIN, .records = found };
		const struct zone_row *row = zone_find(zone, count, q->name, 0);

		if (row || has_below(zone, count, q->name))
			answer.status = DNS_NODATA;
		for (; row;
		     row = zone_find(zone, count, q->name, (size_t)(row - zone) + 1)) {
			if (!row->text)
				answer.status = DNS_TEMP;
			if (!row->text || q->type != DNS_TXT)
				continue;
			answer.status = DNS_OK;
			found[answer.count].type = DNS_TXT;
			found[answer.count++].text = str_from(row->text);
		}
		lookups_answer(q, &answer);
	}
}

/* --- organisational domains --------------------------------------------------------- */

static const struct org {
	const char *what, *domain, *org;
	size_t questions;
	struct zone_row zone[8];
} orgs[] = {
	/* The examples of RFC 9989 4.10.2 and B.4. */
	{ "two records, the shorter",
	  "a.mail.example.com",
	  "example.com",
	  4,
	  { { "_dmarc.mail.example.com", "v=DMARC1; p=none" },
	    { "_dmarc.example.com", "v=DMARC1; p=none" } } },
	{ "psd=n",
	  "a.mail.example.com",
	  "mail.example.com",
	  4,
	  { { "_dmarc.mail.example.com", "v=DMARC1; p=none; psd=n" },
	    { "_dmarc.example.com", "v=DMARC1; p=none" } } },
	{ "psd=y one above",
	  "mail.example.com",
	  "mail.example.com",
	  3,
	  { { "_dmarc.example.com", "v=DMARC1; p=none; psd=y" } } },
	{ "psd=y at the top",
	  "a.mail.example.com",
	  "example.com",
	  4,
	  { { "_dmarc.com", "v=DMARC1; p=none; psd=y" } } },
	{ "simple: author",
	  "example.com",
	  "example.com",
	  2,
	  { { "_dmarc.example.com", "v=DMARC1; p=none" },
	    { "_dmarc.signing.example.com", "v=DMARC1; p=none" } } },
	{ "simple: signer",
	  "signing.example.com",
	  "example.com",
	  3,
	  { { "_dmarc.example.com", "v=DMARC1; p=none" },
	    { "_dmarc.signing.example.com", "v=DMARC1; p=none" } } },
	{ "deep",
	  "a.b.c.d.e.f.g.h.i.j.k.example.com",
	  "example.com",
	  8,
	  { { "_dmarc.example.com", "v=DMARC1; p=none" },
	    { "_dmarc.signing.example.com", "v=DMARC1; p=none" } } },
	{ "deep: what is left out is not asked",
	  "a.b.c.d.e.f.g.h.i.j.mail.example.com",
	  "example.com",
	  8,
	  { { "_dmarc.f.g.h.i.j.mail.example.com", "v=DMARC1; p=none; psd=n" },
	    { "_dmarc.example.com", "v=DMARC1; p=none" } } },
	{ "deep, below a suffix",
	  "a.b.c.d.e.f.g.h.i.j.k.bank.example",
	  "k.bank.example",
	  8,
	  { { "_dmarc.bank.example", "v=DMARC1; p=none; psd=y" } } },
	{ "a suffix eight labels up is one below",
	  "x.y.g.f.e.d.c.b.a",
	  "y.g.f.e.d.c.b.a",
	  8,
	  { { "_dmarc.g.f.e.d.c.b.a", "v=DMARC1; p=none; psd=y" } } },
	{ "bank: author",
	  "giant.bank.example",
	  "giant.bank.example",
	  3,
	  { { "_dmarc.bank.example", "v=DMARC1; p=none; psd=y" },
	    { "_dmarc.giant.bank.example", "v=DMARC1; p=none" } } },
	{ "bank: sender",
	  "mail.giant.bank.example",
	  "giant.bank.example",
	  4,
	  { { "_dmarc.bank.example", "v=DMARC1; p=none; psd=y" },
	    { "_dmarc.giant.bank.example", "v=DMARC1; p=none" } } },
	{ "bank: signer",
	  "mail.mega.bank.example",
	  "mega.bank.example",
	  4,
	  { { "_dmarc.bank.example", "v=DMARC1; p=none; psd=y" },
	    { "_dmarc.giant.bank.example", "v=DMARC1; p=none" } } },
	{ "the suffix itself",
	  "bank.example",
	  "bank.example",
	  2,
	  { { "_dmarc.bank.example", "v=DMARC1; p=none; psd=y" } } },
	/* 4.10, steps 2 and 6: several records are none. */
	{ "several records",
	  "a.example.com",
	  "example.com",
	  3,
	  { { "_dmarc.a.example.com", "v=DMARC1; p=none; psd=n" },
	    { "_dmarc.a.example.com", "v=DMARC1; p=none" },
	    { "_dmarc.example.com", "v=DMARC1; p=none" },
	    { "_dmarc.example.com", "some other text" } } },
	/* No record says anything: the list. */
	{ "the list", "a.b.example.co.uk", "example.co.uk", 5, { { NULL } } },
	{ "the list: a suffix", "co.uk", "", 2, { { NULL } } },
	{ "the list: a name nobody knows", "a.b.example", "b.example", 3, { { NULL } } },
	{ "another script",
	  "www.\xe9\xa3\x9f\xe7\x8b\xae.com.cn",
	  "xn--85x722f.com.cn",
	  4,
	  { { NULL } } },
	{ "upper case, final dot", "WWW.Example.COM.", "example.com", 3, { { NULL } } },
	{ "no name", "a..b", "", 0, { { NULL } } },
	{ "empty", "", "", 0, { { NULL } } },
};

static void
test_orgs(void)
{
	for (size_t i = 0; i < ARRAY_LEN(orgs); i++) {
		struct arena *a = arena_new(64 << 10);
		struct lookups *l = lookups_new(a, LOOKUPS_MAX);
		struct str org;

		while (dmarc_org_domain(str_from(orgs[i].domain), l, a, &org) ==
		       POLICY_NEED)
			answer_all(l, orgs[i].zone, ARRAY_LEN(orgs[i].zone));
		CHECK_STR_EQ(org, str_from(orgs[i].org), orgs[i].what);
		CHECK_U64_EQ(lookups_count(l), orgs[i].questions, orgs[i].what);
		arena_free(&a);
	}
}

/* --- From --------------------------------------------------------------------------- */

static const struct from_row {
	const char *value, *domain, *problem;
} froms[] = {
	{ " Ann <ann@Example.ORG>", "example.org", NULL },
	{ " ann@example.org (Ann <x@y>)", "example.org", NULL },
	{ " \"bank@bank.example\" <ann@example.org>", "example.org", NULL },
	{ "\r\n\tAnn\r\n\t<ann@example.org>", "example.org", NULL },
	{ " <ann@example.org.>", "example.org", NULL },
	{ " ann@mail_1.Example.org", "mail_1.example.org", NULL },
	{ " ann@a..example.org", NULL, "From has an address without a domain name" },
	{ " ann@\xe9\xa3\x9f\xe7\x8b\xae.com.cn", "xn--85x722f.com.cn", NULL },
	{ " a@example.org, b@example.net", "example.org", "From has several addresses" },
	/* RFC 9989 5.3.1: one domain, however many write for it. */
	{ " a@example.org, B <b@EXAMPLE.org.>", "example.org", NULL },
	{ " a@example.org, b@sub.example.org", "example.org",
	  "From has several addresses" },
	{ " a@example.org, b@[192.0.2.1]", "example.org", "From has several addresses" },
	{ " a@example.org, b@example.org, c@example.org, d@example.org", "example.org",
	  NULL },
	{ " a@example.org, b@example.org, c@example.org, d@example.org, e@example.org",
	  "example.org", "From has several addresses" },
	{ " a@example.org, b@example.org, \"x@y\" <c@example.org> d@bank.example",
	  "example.org", "From can be read in several ways" },
	{ " Group: a@example.org;", "example.org", "From has a group" },
	{ " undisclosed:;", NULL, "From has a group" },
	{ " Ann", NULL, "From has an address without a domain name" },
	{ " ", NULL, "From has no address" },
	{ " a@[192.0.2.1]", NULL, "From has an address without a domain name" },
	{ " a@ex_ample..org", NULL, "From has an address without a domain name" },
	{ " <@bank.example:a@example.org>", "example.org",
	  "From can be read in several ways" },
	{ " bank@bank.example <a@example.org>", "example.org",
	  "From can be read in several ways" },
};

static void
test_from(void)
{
	for (size_t i = 0; i < ARRAY_LEN(froms); i++) {
		struct dmarc_from from;

		dmarc_from_read(str_from(froms[i].value), &from);
		CHECK_CSTR_EQ(from.problem, froms[i].problem, froms[i].value);
		CHECK_STR_EQ(from.count ? from.domains[0] : STR(""),
		             str_from(froms[i].domain), froms[i].value);
	}
}

/* --- messages ----------------------------------------------------------------------- */

/* SPF and DKIM as "pass example.org", or NULL. `says`: result, policy that applies,
   domain of the record, aligned. */
static const struct message {
	const char *what, *from, *spf, *dkim, *says;
	struct zone_row zone[5];
} messages[] = {
	/* Nobody says anything above the author: the public suffix list does. */
	{ "the registered domain, without a record",
	  "foo@my.example.com",
	  "pass example.com",
	  NULL,
	  "pass reject my.example.com spf",
	  { { "_dmarc.my.example.com", "v=DMARC1; p=reject" } } },
	{ "the same, below a border",
	  "foo@my.example.com",
	  "pass example.com",
	  NULL,
	  "fail reject my.example.com",
	  { { "_dmarc.my.example.com", "v=DMARC1; p=reject; psd=n" } } },
	{ "the same, strict",
	  "foo@my.example.com",
	  "pass example.com",
	  NULL,
	  "fail reject my.example.com",
	  { { "_dmarc.my.example.com", "v=DMARC1; p=reject; aspf=s" } } },
	{ "registered by another below the same suffix",
	  "foo@my.example.com",
	  "pass example.net",
	  NULL,
	  "fail reject my.example.com",
	  { { "_dmarc.my.example.com", "v=DMARC1; p=reject" } } },
/* RFC 9989 B.1.1 and B.1.2 */
#define SAMPLE                                                                           \
	{                                                                                \
		"_dmarc.example.com", "v=DMARC1; p=reject"                               \
	}
	{ "B.1.1, 1: strict",
	  "foo@example.com",
	  "pass example.com",
	  NULL,
	  "pass reject example.com spf",
	  { SAMPLE } },
	{ "B.1.1, 1: under strict",
	  "foo@example.com",
	  "pass example.com",
	  NULL,
	  "pass reject example.com spf",
	  { { "_dmarc.example.com", "v=DMARC1; p=reject; aspf=s" } } },
	{ "B.1.1, 2: relaxed",
	  "foo@example.com",
	  "pass child.example.com",
	  NULL,
	  "pass reject example.com spf",
	  { SAMPLE } },
	{ "B.1.1, 2: under strict",
	  "foo@example.com",
	  "pass child.example.com",
	  NULL,
	  "fail reject example.com",
	  { { "_dmarc.example.com", "v=DMARC1; p=reject; aspf=s" } } },
	{ "B.1.1, 3: another one",
	  "foo@child.example.com",
	  "pass example.net",
	  NULL,
	  "fail reject example.com",
	  { SAMPLE } },
	{ "B.1.2, 1: strict",
	  "foo@example.com",
	  NULL,
	  "pass example.com",
	  "pass reject example.com dkim",
	  { SAMPLE } },
	{ "B.1.2, 1: under strict",
	  "foo@example.com",
	  NULL,
	  "pass example.com",
	  "pass reject example.com dkim",
	  { { "_dmarc.example.com", "v=DMARC1; p=reject; adkim=s" } } },
	{ "B.1.2, 2: relaxed",
	  "foo@child.example.com",
	  NULL,
	  "pass example.com",
	  "pass reject example.com dkim",
	  { SAMPLE } },
	{ "B.1.2, 2: under strict",
	  "foo@child.example.com",
	  NULL,
	  "pass example.com",
	  "fail reject example.com",
	  { { "_dmarc.example.com", "v=DMARC1; p=reject; adkim=s" } } },
	{ "B.1.2, 3: another one, from below",
	  "foo@child.example.com",
	  NULL,
	  "pass example.net",
	  "fail reject example.com",
	  { SAMPLE } },
	{ "B.1.2, 3: another one",
	  "foo@example.com",
	  NULL,
	  "pass sample.net",
	  "fail reject example.com",
	  { SAMPLE } },
	/* B.3.1 */
	{ "B.3.1",
	  "a@example.com",
	  "pass mail.example.com",
	  "pass example.com",
	  "pass reject example.com spf dkim",
	  { { "_dmarc.example.com", "v=DMARC1; p=reject; aspf=r; "
	                            "rua=mailto:dmarc-feedback@example.com" } } },
	/* B.4.1 to B.4.3 */
	{ "B.4.1",
	  "a@example.com",
	  "pass example.com",
	  "pass signing.example.com",
	  "pass none example.com spf dkim",
	  { { "_dmarc.example.com", "v=DMARC1; p=none" },
	    { "_dmarc.signing.example.com", "v=DMARC1; p=none" } } },
	{ "B.4.2",
	  "a@a.b.c.d.e.f.g.h.i.j.k.example.com",
	  "pass example.com",
	  "pass signing.example.com",
	  "pass none example.com spf dkim",
	  { { "_dmarc.example.com", "v=DMARC1; p=none" },
	    { "_dmarc.signing.example.com", "v=DMARC1; p=none" } } },
	{ "B.4.3",
	  "a@giant.bank.example",
	  "pass mail.giant.bank.example",
	  "pass mail.mega.bank.example",
	  "pass quarantine giant.bank.example spf",
	  { { "_dmarc.bank.example", "v=DMARC1; p=reject; psd=y" },
	    { "_dmarc.giant.bank.example", "v=DMARC1; p=quarantine" } } },
	{ "B.4.3, DKIM alone",
	  "a@giant.bank.example",
	  NULL,
	  "pass mail.mega.bank.example",
	  "fail quarantine giant.bank.example",
	  { { "_dmarc.bank.example", "v=DMARC1; p=reject; psd=y" },
	    { "_dmarc.giant.bank.example", "v=DMARC1; p=quarantine" } } },
	/* Discovery: author, organisation, suffix. */
	{ "suffix",
	  "a@mega.bank.example",
	  NULL,
	  NULL,
	  "fail quarantine bank.example",
	  { { "_dmarc.bank.example", "v=DMARC1; p=reject; sp=quarantine; psd=y" },
	    { "mega.bank.example", "here" } } },
	{ "suffix itself",
	  "a@bank.example",
	  NULL,
	  NULL,
	  "fail reject bank.example",
	  { { "_dmarc.bank.example", "v=DMARC1; p=reject; sp=none; psd=y" } } },
	{ "in between does not count",
	  "a@x.mid.example.com",
	  NULL,
	  NULL,
	  "fail none example.com",
	  { { "_dmarc.mid.example.com", "v=DMARC1; p=reject" },
	    { "_dmarc.example.com", "v=DMARC1; p=none" } } },
	{ "sp",
	  "a@x.example.com",
	  NULL,
	  NULL,
	  "fail quarantine example.com",
	  { { "_dmarc.example.com", "v=DMARC1; p=reject; sp=quarantine; np=none" },
	    { "x.example.com", "here" } } },
	{ "np",
	  "a@x.example.com",
	  NULL,
	  NULL,
	  "fail none example.com",
	  { { "_dmarc.example.com", "v=DMARC1; p=reject; sp=quarantine; np=none" } } },
	{ "np: below it something is",
	  "a@x.example.com",
	  NULL,
	  NULL,
	  "fail quarantine example.com",
	  { { "_dmarc.example.com", "v=DMARC1; p=reject; sp=quarantine; np=none" },
	    { "y.x.example.com", "here" } } },
	{ "np without sp",
	  "a@x.example.com",
	  NULL,
	  NULL,
	  "fail reject example.com",
	  { { "_dmarc.example.com", "v=DMARC1; p=none; np=reject" } } },
	{ "np: not known",
	  "a@x.example.com",
	  NULL,
	  NULL,
	  "temperror none example.com",
	  { { "_dmarc.example.com", "v=DMARC1; p=none; np=reject" },
	    { "x.example.com", NULL } } },
	{ "np: passed all the same",
	  "a@x.example.com",
	  "pass x.example.com",
	  NULL,
	  "pass none example.com spf",
	  { { "_dmarc.example.com", "v=DMARC1; p=none; np=reject" },
	    { "x.example.com", NULL } } },
	{ "np is not for the domain itself",
	  "a@example.com",
	  NULL,
	  NULL,
	  "fail none example.com",
	  { { "_dmarc.example.com", "v=DMARC1; p=none; np=reject" } } },
	{ "t=y: one step",
	  "a@example.com",
	  NULL,
	  NULL,
	  "fail quarantine example.com",
	  { { "_dmarc.example.com", "v=DMARC1; p=reject; t=y" } } },
	{ "t=y: two steps are not",
	  "a@example.com",
	  NULL,
	  NULL,
	  "fail none example.com",
	  { { "_dmarc.example.com", "v=DMARC1; p=quarantine; t=y" } } },
	{ "no record",
	  "a@example.com",
	  "pass example.com",
	  NULL,
	  "none none ",
	  { { "example.com", "here" } } },
	{ "broken record",
	  "a@example.com",
	  "pass example.com",
	  NULL,
	  "permerror none example.com",
	  { { "_dmarc.example.com", "v=DMARC1; p=x" } } },
	{ "the question fails",
	  "a@example.com",
	  "pass example.com",
	  NULL,
	  "temperror none ",
	  { { "_dmarc.example.com", NULL } } },
	{ "the top fails",
	  "a@x.example.com",
	  "pass y.example.com",
	  NULL,
	  "pass reject example.com spf",
	  { SAMPLE, { "_dmarc.com", NULL } } },
	{ "the top fails, nothing below",
	  "a@x.example.com",
	  NULL,
	  NULL,
	  "temperror none ",
	  { { "_dmarc.com", NULL } } },
	{ "SPF not known",
	  "a@example.com",
	  "temperror x.example.com",
	  NULL,
	  "temperror reject example.com",
	  { SAMPLE } },
	{ "SPF not known, of somebody else",
	  "a@example.com",
	  "temperror example.net",
	  NULL,
	  "fail reject example.com",
	  { SAMPLE } },
	{ "SPF not known, DKIM passes",
	  "a@example.com",
	  "temperror example.com",
	  "pass example.com",
	  "pass reject example.com dkim",
	  { SAMPLE } },
	{ "DKIM not known",
	  "a@example.com",
	  NULL,
	  "temperror example.com",
	  "temperror reject example.com",
	  { SAMPLE } },
	{ "DKIM policy is no pass",
	  "a@example.com",
	  NULL,
	  "policy example.com",
	  "fail reject example.com",
	  { SAMPLE } },
	{ "SPF softfail is no pass",
	  "a@example.com",
	  "softfail example.com",
	  NULL,
	  "fail reject example.com",
	  { SAMPLE } },
	{ "not below, only like it",
	  "a@example.com",
	  "pass badexample.com",
	  "pass example.com.evil.example",
	  "fail reject example.com",
	  { SAMPLE } },
	{ "the signer has an organisation of its own",
	  "a@example.com",
	  NULL,
	  "pass shop.example.com",
	  "fail reject example.com",
	  { SAMPLE, { "_dmarc.shop.example.com", "v=DMARC1; p=none; psd=n" } } },
	{ "case",
	  "a@EXAMPLE.com",
	  "pass Example.COM",
	  NULL,
	  "pass reject example.com spf",
	  { SAMPLE } },
	/* From that is not one address. */
	{ "several authors: the strictest",
	  "a@example.net, b@example.com",
	  "pass example.net",
	  "pass example.com",
	  "fail reject ",
	  { SAMPLE } },
	{ "several authors: the strictest is testing",
	  "a@example.net, b@example.com",
	  NULL,
	  NULL,
	  "fail quarantine ",
	  { { "_dmarc.example.com", "v=DMARC1; p=reject; t=y" },
	    { "_dmarc.example.net", "v=DMARC1; p=none" } } },
	{ "several authors of one domain",
	  "a@example.com, b@example.com",
	  NULL,
	  "pass example.com",
	  "pass reject example.com dkim",
	  { SAMPLE } },
	{ "several authors of one domain, forged",
	  "a@example.com, b@example.com",
	  NULL,
	  "pass example.net",
	  "fail reject example.com",
	  { SAMPLE } },
	{ "several authors: nobody asks for anything",
	  "a@example.net, b@example.org",
	  NULL,
	  NULL,
	  "fail none ",
	  { SAMPLE } },
	{ "two @",
	  "a@example.com@example.net",
	  NULL,
	  NULL,
	  "fail quarantine ",
	  { SAMPLE } },
};

/* "pass example.org" */
static bool
split(const char *text, struct str *word_out, struct str *domain_out)
{
	struct str s = str_from(text);

	*domain_out = STR("");
	if (!str_next(&s, ' ', word_out))
		return false;
	*domain_out = s;
	return true;
}

static struct spf_verdict
make_spf(const char *text)
{
	struct spf_verdict v = { .result = SPF_NONE };
	struct str word;

	if (split(text, &word, &v.domain))
		for (int r = SPF_NONE; r <= SPF_PERMERROR; r++)
			if (str_eq(word, str_from(spf_result_word((enum spf_result)r))))
				v.result = (enum spf_result)r;
	return v;
}

static struct dkim_verdict
make_dkim(const char *text)
{
	struct dkim_verdict v = { .result = DKIM_NONE };
	struct str word;

	if (split(text, &word, &v.domain))
		for (int r = DKIM_NONE; r <= DKIM_PERMERROR; r++)
			if (str_eq(word, str_from(dkim_result_word((enum dkim_result)r))))
				v.result = (enum dkim_result)r;
	return v;
}

static void
run_message(const struct message *m, unsigned from_fields, const char *says)
{
	char bytes[200];
	struct strbuf b = strbuf_on(bytes);
	struct arena *a = arena_new(64 << 10);
	struct lookups *l = lookups_new(a, LOOKUPS_MAX);
	struct spf_verdict spf = make_spf(m->spf);
	struct dkim_verdict dkim = make_dkim(m->dkim);
	const struct dkim_verdict *const list[] = { &dkim };
	struct dmarc_request request = { .header_from = str_from(m->from),
		                         .from_fields = from_fields,
		                         .spf = &spf,
		                         .dkim = list,
		                         .dkim_count = m->dkim ? 1 : 0 };
	struct dmarc_verdict v;

	while (dmarc_check(&request, l, a, &v) == POLICY_NEED)
		answer_all(l, m->zone, ARRAY_LEN(m->zone));
	strbuf_printf(&b, "%s %s %.*s%s%s", dmarc_result_word(v.result),
	              dmarc_policy_word(v.policy), STR_ARG(v.policy_domain),
	              v.is_aligned_spf ? " spf" : "", v.is_aligned_dkim ? " dkim" : "");
	CHECK_STR_EQ(strbuf_str(&b), str_from(says), m->what);
	CHECK_TRUE(v.reason.n > 0 && str_find(v.reason, '\n') == SIZE_MAX, m->what);
	arena_free(&a);
}

static void
test_messages(void)
{
	static const struct message good = {
		"several fields", "a@example.com", "pass example.com", NULL, NULL,
		{ SAMPLE }
	};

	static const struct message silent = { "several fields, no record",
		                               "a@example.com",
		                               "pass example.com",
		                               NULL,
		                               NULL,
		                               { { "example.com", "here" } } };

	for (size_t i = 0; i < ARRAY_LEN(messages); i++)
		run_message(&messages[i], 1, messages[i].says);
	run_message(&good, 1, "pass reject example.com spf");
	run_message(&good, 2, "fail reject ");
	run_message(&good, 0, "none none ");
	/* Whatever the domains ask for. */
	run_message(&silent, 2, "fail reject ");
}

SUITE(policy_dmarc, { "records", test_records }, { "uris", test_uris },
      { "organisational domains", test_orgs }, { "From", test_from },
      { "messages", test_messages });
