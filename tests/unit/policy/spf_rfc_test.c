/* The records that RFC 7208 prints, each with the results that it tells of: all of
   appendix A in its zone, and those of its sections in the same one. */
#include "policy/spf.h"

#include "base/strbuf.h"
#include "tests/unit/check.h"
#include "tests/unit/policy/zone.h"

/* clang-format off */
static const char *const zone[] = {
	/* RFC 7208 A */
	"example.com MX 10 mail-a.example.com",
	"example.com MX 20 mail-b.example.com",
	"example.com A 192.0.2.10",
	"example.com A 192.0.2.11",
	"amy.example.com A 192.0.2.65",
	"bob.example.com A 192.0.2.66",
	"mail-a.example.com A 192.0.2.129",
	"mail-b.example.com A 192.0.2.130",
	"www.example.com CNAME example.com",
	"example.org MX 10 mail-c.example.org",
	"mail-c.example.org A 192.0.2.140",
	"10.2.0.192.in-addr.arpa PTR example.com",
	"11.2.0.192.in-addr.arpa PTR example.com",
	"65.2.0.192.in-addr.arpa PTR amy.example.com",
	"66.2.0.192.in-addr.arpa PTR bob.example.com",
	"129.2.0.192.in-addr.arpa PTR mail-a.example.com",
	"130.2.0.192.in-addr.arpa PTR mail-b.example.com",
	"140.2.0.192.in-addr.arpa PTR mail-c.example.org",
	"4.0.0.10.in-addr.arpa PTR bob.example.com",
	/* RFC 7208 A.2; what example.net says is left open there. */
	"example.net TXT v=spf1 ip4:198.51.100.0/24 -all",
	"example.org TXT v=spf1 include:example.com include:example.net -all",
	"la.example.org TXT v=spf1 redirect=example.org",
	"ny.example.org TXT v=spf1 redirect=example.org",
	/* RFC 7208 A.3 */
	"mobile-users._spf.example.com TXT v=spf1 exists:%{l1r+}.%{d}",
	"remote-users._spf.example.com TXT v=spf1 exists:%{ir}.%{l1r+}.%{d}",
	"mary.mobile-users._spf.example.com A 127.0.0.2",
	"fred.mobile-users._spf.example.com A 127.0.0.2",
	"15.15.168.192.joel.remote-users._spf.example.com A 127.0.0.2",
	"16.15.168.192.joel.remote-users._spf.example.com A 127.0.0.2",
	/* RFC 7208 A.4, with erratum 6216 and as it is printed. */
	"ip4._spf.example.com TXT v=spf1 -ip4:192.0.2.0/24 +all",
	"ptr._spf.example.com TXT v=spf1 -ptr:example.com +all",
	"own._spf.example.com TXT v=spf1 -ptr +all",
	/* What the other records lead to. */
	"_spf.example.com TXT v=spf1 mx:example.com -all",
	"colo.example.com A 203.0.113.16",
	"a.example.com A 192.0.2.3",
	"authorized-spf.example.com A 203.0.113.5",
	"4.3.2.1.someuser._spf.example.com A 127.0.0.2",
	"_h.helo.example._l.ann._o.example.com._i.192.0.2.77._spf.example.com A 127.0.0.2",
	"9.100.51.198.whitelist.example.org A 127.0.0.2",
	"ann._spf_verify.example.com A 127.0.0.2",
	"9.100.51.198._spf_rate.example.com A 127.0.0.2",
	"ann._at_.example.com._spf.example.com TXT v=spf1 ip4:198.51.100.9 -all",
	"explain._spf.example.com TXT %{i} is not one of %{d}'s designated mail servers.",
	"fixed._spf.example.com TXT Mail from example.com should only be sent by its own servers.",
	"link._spf.example.com TXT See http://%{d}/why.html?s=%{S}&i=%{I}",
};

/* record: that of example.com. */
static const struct example {
	const char *section, *record, *ip, *sender, *result;
} examples[] = {
	{ "3", "+mx a:colo.example.com/28 -all", "192.0.2.129", "a@example.com", "pass" },
	{ "3", "+mx a:colo.example.com/28 -all", "203.0.113.31", "a@example.com", "pass" },
	{ "3", "+mx a:colo.example.com/28 -all", "203.0.113.32", "a@example.com", "fail" },
	{ "3.5", "a:A.EXAMPLE.COM -all", "192.0.2.3", "a@example.com", "pass" },
	{ "3.5", "a:A.EXAMPLE.COM -all", "192.0.2.4", "a@example.com", "fail" },
	{ "4.7", "+mx", "192.0.2.129", "a@example.com", "pass" },
	{ "4.7", "+mx", "192.0.2.65", "a@example.com", "neutral" },
	{ "4.7", "+mx -all", "192.0.2.65", "a@example.com", "fail" },
	{ "4.7", "+mx redirect=_spf.example.com", "192.0.2.65", "a@example.com", "fail" },
	{ "4.7", "+mx redirect=_spf.example.com", "192.0.2.130", "a@example.com", "pass" },
	{ "5.1", "a mx -all", "192.0.2.11", "a@example.com", "pass" },
	{ "5.1", "a mx -all", "192.0.2.130", "a@example.com", "pass" },
	{ "5.1", "a mx -all", "192.0.2.65", "a@example.com", "fail" },
	{ "5.1, all", "-all a mx", "192.0.2.11", "a@example.com", "fail" },
	{ "5.2", "include:_spf.example.com include:example.net -all",
	  "192.0.2.129", "a@example.com", "pass" },
	{ "5.2", "include:_spf.example.com include:example.net -all",
	  "198.51.100.9", "a@example.com", "pass" },
	{ "5.2", "include:_spf.example.com include:example.net -all",
	  "192.0.2.10", "a@example.com", "fail" },
	{ "5.2, no record", "include:colo.example.com -all", "192.0.2.1", "a@example.com",
	  "permerror" },
	{ "5.7", "exists:%{ir}.%{l1r+-}._spf.%{d} -all", "1.2.3.4", "someuser@example.com",
	  "pass" },
	{ "5.7", "exists:%{ir}.%{l1r+-}._spf.%{d} -all", "1.2.3.4",
	  "someuser+any@example.com", "pass" },
	{ "5.7", "exists:%{ir}.%{l1r+-}._spf.%{d} -all", "1.2.3.4",
	  "someuser-any@example.com", "pass" },
	{ "5.7", "exists:%{ir}.%{l1r+-}._spf.%{d} -all", "1.2.3.5", "someuser@example.com",
	  "fail" },
	{ "6.1", "redirect=_spf.example.com", "192.0.2.129", "a@example.com", "pass" },
	{ "6.1", "redirect=_spf.example.com", "192.0.2.65", "a@example.com", "fail" },
	{ "6.1, all before it", "?all redirect=_spf.example.com", "192.0.2.129",
	  "a@example.com", "neutral" },
	{ "6.1, all behind it", "redirect=_spf.example.com ?all", "192.0.2.129",
	  "a@example.com", "neutral" },
	{ "6.1, no record", "redirect=colo.example.com", "192.0.2.129", "a@example.com",
	  "permerror" },
	{ "10.1.1", "ip4:192.0.2.1 ip4:192.0.2.129 -all", "192.0.2.1", "a@example.com",
	  "pass" },
	{ "10.1.1", "ip4:192.0.2.1 ip4:192.0.2.129 -all", "192.0.2.129", "a@example.com",
	  "pass" },
	{ "10.1.1", "ip4:192.0.2.1 ip4:192.0.2.129 -all", "192.0.2.2", "a@example.com",
	  "fail" },
	{ "10.1.1", "a:authorized-spf.example.com -all", "203.0.113.5", "a@example.com",
	  "pass" },
	{ "10.1.1", "a:authorized-spf.example.com -all", "192.0.2.10", "a@example.com",
	  "fail" },
	{ "10.1.1", "mx:example.com -all", "192.0.2.130", "a@example.com", "pass" },
	{ "10.1.1", "ip4:192.0.2.0/24 mx -all", "192.0.2.255", "a@example.com", "pass" },
	{ "10.1.1", "ip4:192.0.2.0/24 mx -all", "192.0.3.0", "a@example.com", "fail" },
	{ "10.1.2", "-all", "192.0.2.10", "a@example.com", "fail" },

	{ "A.1", "+all", "203.0.113.99", "a@example.com", "pass" },
	{ "A.1", "a -all", "192.0.2.10", "a@example.com", "pass" },
	{ "A.1", "a -all", "192.0.2.11", "a@example.com", "pass" },
	{ "A.1", "a -all", "192.0.2.129", "a@example.com", "fail" },
	{ "A.1, no address", "a:example.org -all", "192.0.2.10", "a@example.com", "fail" },
	{ "A.1, no address", "a:example.org -all", "192.0.2.140", "a@example.com", "fail" },
	{ "A.1", "mx -all", "192.0.2.129", "a@example.com", "pass" },
	{ "A.1", "mx -all", "192.0.2.130", "a@example.com", "pass" },
	{ "A.1", "mx -all", "192.0.2.10", "a@example.com", "fail" },
	{ "A.1", "mx:example.org -all", "192.0.2.140", "a@example.com", "pass" },
	{ "A.1", "mx:example.org -all", "192.0.2.129", "a@example.com", "fail" },
	{ "A.1", "mx mx:example.org -all", "192.0.2.129", "a@example.com", "pass" },
	{ "A.1", "mx mx:example.org -all", "192.0.2.130", "a@example.com", "pass" },
	{ "A.1", "mx mx:example.org -all", "192.0.2.140", "a@example.com", "pass" },
	{ "A.1", "mx mx:example.org -all", "192.0.2.131", "a@example.com", "fail" },
	{ "A.1", "mx/30 mx:example.org/30 -all", "192.0.2.127", "a@example.com", "fail" },
	{ "A.1", "mx/30 mx:example.org/30 -all", "192.0.2.128", "a@example.com", "pass" },
	{ "A.1", "mx/30 mx:example.org/30 -all", "192.0.2.131", "a@example.com", "pass" },
	{ "A.1", "mx/30 mx:example.org/30 -all", "192.0.2.132", "a@example.com", "fail" },
	{ "A.1", "mx/30 mx:example.org/30 -all", "192.0.2.139", "a@example.com", "fail" },
	{ "A.1", "mx/30 mx:example.org/30 -all", "192.0.2.140", "a@example.com", "pass" },
	{ "A.1", "mx/30 mx:example.org/30 -all", "192.0.2.143", "a@example.com", "pass" },
	{ "A.1", "mx/30 mx:example.org/30 -all", "192.0.2.144", "a@example.com", "fail" },
	{ "A.1", "ptr -all", "192.0.2.10", "a@example.com", "pass" },
	{ "A.1", "ptr -all", "192.0.2.65", "a@example.com", "pass" },
	{ "A.1, another domain", "ptr -all", "192.0.2.140", "a@example.com", "fail" },
	{ "A.1, not confirmed", "ptr -all", "10.0.0.4", "a@example.com", "fail" },
	{ "A.1", "ip4:192.0.2.128/28 -all", "192.0.2.65", "a@example.com", "fail" },
	{ "A.1", "ip4:192.0.2.128/28 -all", "192.0.2.129", "a@example.com", "pass" },
	{ "A.1", "ip4:192.0.2.128/28 -all", "192.0.2.143", "a@example.com", "pass" },
	{ "A.1", "ip4:192.0.2.128/28 -all", "192.0.2.144", "a@example.com", "fail" },

	{ "A.2, one", "mx -all", "192.0.2.129", "a@example.org", "pass" },
	{ "A.2, the other", "mx -all", "198.51.100.9", "a@example.org", "pass" },
	{ "A.2, none", "mx -all", "192.0.2.140", "a@example.org", "fail" },
	{ "A.2, below", "mx -all", "192.0.2.130", "a@la.example.org", "pass" },
	{ "A.2, below", "mx -all", "198.51.100.9", "a@ny.example.org", "pass" },
	{ "A.2, below", "mx -all", "192.0.2.140", "a@ny.example.org", "fail" },
	{ "A.2, nowhere", "mx -all", "192.0.2.129", "a@sf.example.org", "none" },

#define USERS "mx include:mobile-users._spf.%{d} include:remote-users._spf.%{d} -all"
	{ "A.3, mx", USERS, "192.0.2.129", "ann@example.com", "pass" },
	{ "A.3, mobile", USERS, "203.0.113.99", "mary@example.com", "pass" },
	{ "A.3, mobile", USERS, "203.0.113.99", "fred@example.com", "pass" },
	{ "A.3, mobile", USERS, "203.0.113.99", "fred+lists@example.com", "pass" },
	{ "A.3, remote", USERS, "192.168.15.15", "joel@example.com", "pass" },
	{ "A.3, remote", USERS, "192.168.15.16", "joel@example.com", "pass" },
	{ "A.3, elsewhere", USERS, "192.168.15.17", "joel@example.com", "fail" },
	{ "A.3, another", USERS, "192.168.15.15", "ann@example.com", "fail" },

#define BOTH "-include:ip4._spf.%{d} -include:ptr._spf.%{d} +all"
	{ "A.4, both", BOTH, "192.0.2.10", "a@example.com", "pass" },
	{ "A.4, both", BOTH, "192.0.2.129", "a@example.com", "pass" },
	{ "A.4, the network alone", BOTH, "192.0.2.140", "a@example.com", "fail" },
	{ "A.4, no name", BOTH, "192.0.2.200", "a@example.com", "fail" },
	{ "A.4, not confirmed", BOTH, "10.0.0.4", "a@example.com", "fail" },
	{ "A.4, as printed", "-include:ip4._spf.%{d} -include:own._spf.%{d} +all",
	  "192.0.2.10", "a@example.com", "fail" },

#define LOG "exists:_h.%{h}._l.%{l}._o.%{o}._i.%{i}._spf.%{d} ?all"
	{ "C", LOG, "192.0.2.77", "ann@example.com", "pass" },
	{ "C", LOG, "192.0.2.78", "ann@example.com", "neutral" },
	{ "D.1", "mx ?exists:%{ir}.whitelist.example.org -all", "198.51.100.9",
	  "ann@example.com", "neutral" },
	{ "D.1", "mx ?exists:%{ir}.whitelist.example.org -all", "198.51.100.8",
	  "ann@example.com", "fail" },
	{ "D.1", "mx exists:%{l}._spf_verify.%{d} -all", "198.51.100.9",
	  "ann@example.com", "pass" },
	{ "D.1", "mx exists:%{l}._spf_verify.%{d} -all", "198.51.100.9",
	  "bob@example.com", "fail" },
	{ "D.1", "mx redirect=%{l1r+}._at_.%{o}._spf.%{d}", "198.51.100.9",
	  "ann+x@example.com", "pass" },
	{ "D.1", "mx redirect=%{l1r+}._at_.%{o}._spf.%{d}", "198.51.100.8",
	  "ann+x@example.com", "fail" },
	{ "D.1", "mx exists:%{ir}._spf_rate.%{d} -all", "198.51.100.9",
	  "ann@example.com", "pass" },
	{ "D.1", "mx exists:%{ir}._spf_rate.%{d} -all", "198.51.100.8",
	  "ann@example.com", "fail" },
};
/* clang-format on */

static struct spf_verdict
check(struct arena *a, const struct example *x)
{
	struct lookups *l = lookups_new(a, LOOKUPS_MAX);
	struct spf_request r = { .helo = STR("helo.example"),
		                 .sender = str_from(x->sender),
		                 .receiver = STR("receiver.example") };
	const char *lines[ARRAY_LEN(zone) + 2] = { NULL };
	struct spf_verdict v;

	for (size_t i = 0; i < ARRAY_LEN(zone); i++)
		lines[i] = zone[i];
	lines[ARRAY_LEN(zone)] =
		arena_printf(a, "example.com TXT v=spf1 %s%c", x->record, '\0').p;
	CHECK_TRUE(addr_parse_ip(str_from(x->ip), &r.ip), x->ip);
	while (spf_check(&r, l, a, &v) == POLICY_NEED)
		zone_answer(lines, l);
	return v;
}

static void
test_examples(void)
{
	for (size_t i = 0; i < ARRAY_LEN(examples); i++) {
		const struct example *x = &examples[i];
		struct arena *a = arena_new(1 << 20);
		struct str what = arena_printf(a, "RFC 7208 %s: %s, %s, %s%c", x->section,
		                               x->record, x->ip, x->sender, '\0');

		CHECK_CSTR_EQ(spf_result_word(check(a, x).result), x->result, what.p);
		arena_free(&a);
	}
}

/* RFC 7208 6.2 */
static const struct {
	const char *record, *explanation;
} explanations[] = {
	{ "mx -all exp=fixed._spf.%{d}",
	  "Mail from example.com should only be sent by its own servers." },
	{ "mx -all exp=explain._spf.%{d}",
	  "192.0.2.65 is not one of example.com's designated mail servers." },
	{ "mx -all exp=link._spf.%{d}",
	  "See http://example.com/why.html?s=strong-bad%40example.com&i=192.0.2.65" },
};

static void
test_explanations(void)
{
	for (size_t i = 0; i < ARRAY_LEN(explanations); i++) {
		struct arena *a = arena_new(1 << 20);
		struct example x = { "6.2", explanations[i].record, "192.0.2.65",
			             "strong-bad@example.com", "fail" };
		struct spf_verdict v = check(a, &x);

		CHECK_CSTR_EQ(spf_result_word(v.result), x.result, x.record);
		CHECK_STR_EQ(v.explanation, str_from(explanations[i].explanation),
		             x.record);
		arena_free(&a);
	}
}

SUITE(policy_spf_rfc, { "examples", test_examples },
      { "explanations", test_explanations });
