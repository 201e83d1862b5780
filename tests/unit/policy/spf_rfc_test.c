/* The records that RFC 7208 prints, each with the results that it tells of, held against
   its text: 3, 3.5, 4.5, 4.7, 5.1, 5.2 with its table, 5.5, 5.7, 6.1, 6.2, 7.3, 10.1.1,
   10.1.2, A.1 to A.4, C and D.1. Elsewhere: 3.3 in the resolver's tests, 7.4 in
   spf_macro_test.c, 9.2 in auth_results_test.c. Of 8.4, a reply's text, and of 9.1, a
   field that we do not write, nothing is taken. */
#include "policy/spf.h"

#include "base/strbuf.h"
#include "tests/unit/check.h"
#include "tests/unit/policy/spf_rig.h"

/* clang-format off */
static const char *const zone[] = {
	SPF_RIG_RFC7208_A,
	"www.example.com CNAME example.com",
	/* RFC 7208 A.2; what example.net says is left open there. */
	"example.net TXT v=spf1 ip4:198.51.100.0/24 -all",
	"example.org TXT v=spf1 include:example.com include:example.net -all",
	"la.example.org TXT v=spf1 redirect=example.org",
	"ny.example.org TXT v=spf1 redirect=example.org",
	"sf.example.org TXT v=spf1 redirect=example.org",
	/* RFC 7208 A.3 */
	"mobile-users._spf.example.com TXT v=spf1 exists:%{l1r+}.%{d}",
	"remote-users._spf.example.com TXT v=spf1 exists:%{ir}.%{l1r+}.%{d}",
	"mary.mobile-users._spf.example.com A 127.0.0.2",
	"fred.mobile-users._spf.example.com A 127.0.0.2",
	"15.15.168.192.joel.remote-users._spf.example.com A 127.0.0.2",
	"16.15.168.192.joel.remote-users._spf.example.com A 127.0.0.2",
	/* RFC 7208 A.4 as it is printed; and with the domain that is meant, as the target of
	   "ptr" alone is ptr._spf.example.com there. */
	"ip4._spf.example.com TXT v=spf1 -ip4:192.0.2.0/24 +all",
	"ptr._spf.example.com TXT v=spf1 -ptr +all",
	"meant._spf.example.com TXT v=spf1 -ptr:example.com +all",
	/* What the other records lead to. */
	"_spf.example.com TXT v=spf1 mx:example.com -all",
	"colo.example.com A 203.0.113.16",
	"a.example.com A 203.0.113.1",
	"a.example.com MX 10 a.example.com",
	"any.example.com TXT v=spf1 a:A.EXAMPLE.COM -all",
	"1.2.0.192.someuser._spf.example.com A 127.0.0.2",
	"3.2.0.192.sbl.example.org A 127.0.0.2",
	"la.example.com TXT v=spf1 redirect=_spf.example.com",
	"ny.example.com TXT v=spf1 redirect=_spf.example.com",
	"sf.example.com TXT v=spf1 redirect=_spf.example.com",
	"ten.example.com TXT v=spf10 +all",
	"some.example.com TXT v=spf10 +all",
	"some.example.com TXT v=spf1 -all",
	"some.example.com TXT a text of another kind",
	"two.example.com TXT v=spf1 +all",
	"two.example.com TXT v=spf1 -all",
	"bare.example.com TXT v=spf1",
	/* What an include finds (RFC 7208 5.2). */
	"pass.example.net TXT v=spf1 +all",
	"fail.example.net TXT v=spf1 -all",
	"softfail.example.net TXT v=spf1 ~all",
	"neutral.example.net TXT v=spf1 ?all",
	"temperror.example.net TXT !temp",
	"permerror.example.net TXT v=spf1 foo",
	"none.example.net A 192.0.2.1",
	/* RFC 7208 5.5 */
	"20.2.0.192.in-addr.arpa PTR mail.example.com",
	"mail.example.com A 192.0.2.20",
	"21.2.0.192.in-addr.arpa PTR mail.bad-example.com",
	"mail.bad-example.com A 192.0.2.21",
	"_h.relay.example.com._l.ann._o.example.com._i.192.0.2.77._spf.example.com A 127.0.0.2",
	"9.100.51.198.whitelist.example.org A 127.0.0.2",
	"ann._spf_verify.example.com A 127.0.0.2",
	"9.100.51.198._spf_rate.example.com A 127.0.0.2",
	"ann._at_.example.com._spf.example.com TXT v=spf1 ip4:198.51.100.9 -all",
	"explain._spf.example.com TXT %{i} is not one of %{d}'s designated mail servers.",
	"fixed._spf.example.com TXT Mail from example.com should only be sent by its own servers.",
	"link._spf.example.com TXT See http://%{d}/why.html?s=%{S}&i=%{I}",
	"inner.example.com TXT v=spf1 -all exp=fixed._spf.example.com",
};

/* RFC 7208 10.1.1 and 10.1.2 */
static const char *const small_zone[] = {
	"example.com MX 10 mx.example.com",
	"example.com MX 20 mx2.example.com",
	"mx.example.com A 192.0.2.1",
	"mx2.example.com A 192.0.2.129",
	"authorized-spf.example.com A 192.0.2.1",
	"authorized-spf.example.com A 192.0.2.129",
	"www.example.com TXT v=spf1 -all",
	"relay.example.com TXT v=spf1 a -all",
	"relay.example.com A 192.0.2.7",
};

/* record: that of example.com. */
static const struct example {
	const char *section, *record, *ip, *sender, *result;
} examples[] = {
	{ "3", "+mx a:colo.example.com/28 -all", "192.0.2.129", "a@example.com", "pass" },
	{ "3", "+mx a:colo.example.com/28 -all", "203.0.113.31", "a@example.com", "pass" },
	{ "3", "+mx a:colo.example.com/28 -all", "203.0.113.32", "a@example.com", "fail" },
	{ "3.5", "a:A.EXAMPLE.COM -all", "203.0.113.1", "a@example.com", "pass" },
	{ "3.5", "a:A.EXAMPLE.COM -all", "203.0.113.1", "a@any.example.com", "pass" },
	{ "3.5", "a:A.EXAMPLE.COM -all", "203.0.113.2", "a@any.example.com", "fail" },
	{ "3.5, no TXT of its own", "a:A.EXAMPLE.COM -all", "203.0.113.1",
	  "a@a.example.com", "none" },
	{ "4.5, another version", "-all", "192.0.2.1", "a@ten.example.com", "none" },
	{ "4.5, one of several", "-all", "192.0.2.1", "a@some.example.com", "fail" },
	{ "4.5, two records", "-all", "192.0.2.1", "a@two.example.com", "permerror" },
	{ "4.5, the version alone", "-all", "192.0.2.1", "a@bare.example.com", "neutral" },
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
	{ "5.2, pass", "include:pass.example.net -all", "192.0.2.1", "a@example.com",
	  "pass" },
	{ "5.2, with a sign", "-include:pass.example.net +all", "192.0.2.1",
	  "a@example.com", "fail" },
	{ "5.2, fail", "include:fail.example.net ~all", "192.0.2.1", "a@example.com",
	  "softfail" },
	{ "5.2, softfail", "include:softfail.example.net -all", "192.0.2.1",
	  "a@example.com", "fail" },
	{ "5.2, neutral", "include:neutral.example.net -all", "192.0.2.1",
	  "a@example.com", "fail" },
	{ "5.2, temperror", "include:temperror.example.net -all", "192.0.2.1",
	  "a@example.com", "temperror" },
	{ "5.2, permerror", "include:permerror.example.net -all", "192.0.2.1",
	  "a@example.com", "permerror" },
	{ "5.2, none", "include:none.example.net -all", "192.0.2.1", "a@example.com",
	  "permerror" },
	{ "5.5, within", "ptr -all", "192.0.2.20", "a@example.com", "pass" },
	{ "5.5, not within", "ptr -all", "192.0.2.21", "a@example.com", "fail" },
	{ "5.7", "exists:%{ir}.%{l1r+-}._spf.%{d} -all", "192.0.2.1", "someuser@example.com",
	  "pass" },
	{ "5.7", "exists:%{ir}.%{l1r+-}._spf.%{d} -all", "192.0.2.1",
	  "someuser+any@example.com", "pass" },
	{ "5.7", "exists:%{ir}.%{l1r+-}._spf.%{d} -all", "192.0.2.1",
	  "someuser-any@example.com", "pass" },
	{ "5.7", "exists:%{ir}.%{l1r+-}._spf.%{d} -all", "192.0.2.2", "someuser@example.com",
	  "fail" },
	{ "6.1", "redirect=_spf.example.com", "192.0.2.129", "a@example.com", "pass" },
	{ "6.1", "redirect=_spf.example.com", "192.0.2.65", "a@example.com", "fail" },
	{ "6.1, one of three", "mx -all", "192.0.2.130", "a@la.example.com", "pass" },
	{ "6.1, one of three", "mx -all", "192.0.2.130", "a@ny.example.com", "pass" },
	{ "6.1, one of three", "mx -all", "192.0.2.65", "a@sf.example.com", "fail" },
	{ "6.1, all before it", "?all redirect=_spf.example.com", "192.0.2.129",
	  "a@example.com", "neutral" },
	{ "6.1, all behind it", "redirect=_spf.example.com ?all", "192.0.2.129",
	  "a@example.com", "neutral" },
	{ "6.1, no record", "redirect=colo.example.com", "192.0.2.129", "a@example.com",
	  "permerror" },
	{ "7.3, no macro", "-exists:%(ir).sbl.example.org +all", "192.0.2.4",
	  "a@example.com", "permerror" },
	{ "7.3", "-exists:%{ir}.sbl.example.org +all", "192.0.2.3", "a@example.com",
	  "fail" },
	{ "7.3", "-exists:%{ir}.sbl.example.org +all", "192.0.2.4", "a@example.com",
	  "pass" },

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
	{ "A.2, below", "mx -all", "192.0.2.129", "a@sf.example.org", "pass" },
	{ "A.2, below", "mx -all", "192.0.2.140", "a@sf.example.org", "fail" },

#define USERS "mx include:mobile-users._spf.%{d} include:remote-users._spf.%{d} -all"
	{ "A.3, mx", USERS, "192.0.2.129", "ann@example.com", "pass" },
	{ "A.3, mobile", USERS, "203.0.113.99", "mary@example.com", "pass" },
	{ "A.3, mobile", USERS, "203.0.113.99", "fred@example.com", "pass" },
	{ "A.3, mobile", USERS, "203.0.113.99", "fred+lists@example.com", "pass" },
	{ "A.3, remote", USERS, "192.168.15.15", "joel@example.com", "pass" },
	{ "A.3, remote", USERS, "192.168.15.16", "joel@example.com", "pass" },
	{ "A.3, elsewhere", USERS, "192.168.15.17", "joel@example.com", "fail" },
	{ "A.3, another", USERS, "192.168.15.15", "ann@example.com", "fail" },

#define BOTH "-include:ip4._spf.%{d} -include:meant._spf.%{d} +all"
	{ "A.4, both", BOTH, "192.0.2.10", "a@example.com", "pass" },
	{ "A.4, both", BOTH, "192.0.2.129", "a@example.com", "pass" },
	{ "A.4, the network alone", BOTH, "192.0.2.140", "a@example.com", "fail" },
	{ "A.4, no name", BOTH, "192.0.2.200", "a@example.com", "fail" },
	{ "A.4, not confirmed", BOTH, "10.0.0.4", "a@example.com", "fail" },
	{ "A.4, as printed", "-include:ip4._spf.%{d} -include:ptr._spf.%{d} +all",
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

/* In the small zone. */
static const struct example small_examples[] = {
	{ "10.1.1, best", "ip4:192.0.2.1 ip4:192.0.2.129 -all", "192.0.2.1",
	  "a@example.com", "pass" },
	{ "10.1.1, best", "ip4:192.0.2.1 ip4:192.0.2.129 -all", "192.0.2.129",
	  "a@example.com", "pass" },
	{ "10.1.1, best", "ip4:192.0.2.1 ip4:192.0.2.129 -all", "192.0.2.2",
	  "a@example.com", "fail" },
	{ "10.1.1, good", "a:authorized-spf.example.com -all", "192.0.2.1",
	  "a@example.com", "pass" },
	{ "10.1.1, good", "a:authorized-spf.example.com -all", "192.0.2.129",
	  "a@example.com", "pass" },
	{ "10.1.1, good", "a:authorized-spf.example.com -all", "192.0.2.2",
	  "a@example.com", "fail" },
	{ "10.1.1, expensive", "mx:example.com -all", "192.0.2.1", "a@example.com",
	  "pass" },
	{ "10.1.1, expensive", "mx:example.com -all", "192.0.2.129", "a@example.com",
	  "pass" },
	{ "10.1.1, expensive", "mx:example.com -all", "192.0.2.2", "a@example.com",
	  "fail" },
	{ "10.1.1, wasteful", "ip4:192.0.2.0/24 mx -all", "192.0.2.1", "a@example.com",
	  "pass" },
	{ "10.1.1, bad", "ip4:192.0.2.0/24 mx -all", "192.0.2.2", "a@example.com",
	  "pass" },
	{ "10.1.1, wasteful", "ip4:192.0.2.0/24 mx -all", "192.0.3.0", "a@example.com",
	  "fail" },
	{ "10.1.2, no mail", "mx -all", "192.0.2.1", "a@www.example.com", "fail" },
	{ "10.1.2, a host", "mx -all", "192.0.2.7", "a@relay.example.com", "pass" },
	{ "10.1.2, a host", "mx -all", "192.0.2.1", "a@relay.example.com", "fail" },
	{ "10.1.2, a host says HELO", "mx -all", "192.0.2.7", "", "pass" },
	{ "10.1.2, a host says HELO", "mx -all", "192.0.2.1", "", "fail" },
};
/* clang-format on */

/* Over that zone and the record of example.com. The HELO name is relay.example.com. */
static struct spf_verdict
check(struct arena *a, const char *const *zone_of, size_t count, const struct example *x)
{
	const char **lines = ARENA_ARRAY(a, const char *, count + 2);

	for (size_t i = 0; i < count; i++)
		lines[i] = zone_of[i];
	lines[count] = arena_printf(a, "example.com TXT v=spf1 %s", x->record).p;
	return spf_rig_check(a, lines, x->ip, "relay.example.com", x->sender);
}

static void
run(const char *const *zone_of, size_t count, const struct example *x)
{
	struct arena *a = arena_new(1 << 20);
	struct str what = arena_printf(a, "RFC 7208 %s: %s, %s, %s", x->section,
	                               x->record, x->ip, x->sender);

	CHECK_CSTR_EQ(spf_result_word(check(a, zone_of, count, x).result), x->result,
	              what.p);
	arena_free(&a);
}

static void
test_examples(void)
{
	for (size_t i = 0; i < ARRAY_LEN(examples); i++)
		run(zone, ARRAY_LEN(zone), &examples[i]);
	for (size_t i = 0; i < ARRAY_LEN(small_examples); i++)
		run(small_zone, ARRAY_LEN(small_zone), &small_examples[i]);
}

/* RFC 7208 6.2, and whose explanation it is behind "include" and "redirect". */
static const struct {
	const char *record, *explanation;
} explanations[] = {
	{ "mx -all exp=fixed._spf.%{d}",
	  "Mail from example.com should only be sent by its own servers." },
	{ "mx -all exp=explain._spf.%{d}",
	  "192.0.2.65 is not one of example.com's designated mail servers." },
	{ "mx -all exp=link._spf.%{d}",
	  "See http://example.com/why.html?s=strong-bad%40example.com&i=192.0.2.65" },
	{ "include:inner.example.com -all exp=explain._spf.%{d}",
	  "192.0.2.65 is not one of example.com's designated mail servers." },
	{ "include:inner.example.com -all", "" },
	{ "redirect=inner.example.com exp=explain._spf.%{d}",
	  "Mail from example.com should only be sent by its own servers." },
};

static void
test_explanations(void)
{
	for (size_t i = 0; i < ARRAY_LEN(explanations); i++) {
		struct arena *a = arena_new(1 << 20);
		struct example x = { "6.2", explanations[i].record, "192.0.2.65",
			             "strong-bad@example.com", "fail" };
		struct spf_verdict v = check(a, zone, ARRAY_LEN(zone), &x);

		CHECK_CSTR_EQ(spf_result_word(v.result), x.result, x.record);
		CHECK_STR_EQ(v.explanation, str_from(explanations[i].explanation),
		             x.record);
		arena_free(&a);
	}
}

SUITE(policy_spf_rfc, { "examples", test_examples },
      { "explanations", test_explanations });
