#include "policy/spf.h"

#include "base/strbuf.h"
#include "tests/unit/check.h"
#include "tests/unit/policy/spf_rig.h"

#define A10  "aaaaaaaaaa"
#define A100 A10 A10 A10 A10 A10 A10 A10 A10 A10 A10

/* The domains of RFC 7208 A, and one for each thing that can be wrong. */
static const char *const zone[] = {
	/* clang-format off */
	SPF_RIG_RFC7208_A,
	"5.2.0.192.in-addr.arpa PTR !temp",

	"all.test TXT v=spf1 +all",
	"a1.test TXT v=spf1 a:example.com -all",
	"a2.test TXT v=spf1 a:example.org -all",
	"mx1.test TXT v=spf1 mx:example.com -all",
	"mx2.test TXT v=spf1 mx:example.org -all",
	"mx3.test TXT v=spf1 mx:example.com mx:example.org -all",
	"mx4.test TXT v=spf1 mx:example.com/30 mx:example.org/30 -all",
	"ptr1.test TXT v=spf1 ptr:example.com -all",
	"ip1.test TXT v=spf1 ip4:192.0.2.128/28 -all",
	"inc.test TXT v=spf1 include:mx1.test include:mx2.test -all",
	"red.test TXT v=spf1 redirect=mx1.test",
	"both.test TXT v=spf1 include:mx1.test redirect=mx2.test",
	"req.test TXT v=spf1 -include:ip4._spf.%{d} -include:ptr._spf.%{d} +all",
	"ip4._spf.req.test TXT v=spf1 -ip4:192.0.2.0/24 +all",
	"ptr._spf.req.test TXT v=spf1 -ptr:example.com +all",
	"mob.test TXT v=spf1 mx:example.com include:mobile-users._spf.%{d} -all",
	"mobile-users._spf.mob.test TXT v=spf1 exists:%{l1r+}.%{d}",
	"mary.mobile-users._spf.mob.test A 127.0.0.2",

	"exp.test TXT v=spf1 -all exp=why.exp.test",
	"why.exp.test TXT %{i} is not one of %{d}'s, says %{r} at %{t}: %{L}",
	"expred.test TXT v=spf1 redirect=exp.test exp=other.test",
	"expinc.test TXT v=spf1 -include:expall.test -all exp=why.expinc.test",
	"expall.test TXT v=spf1 all exp=why.exp.test",
	"why.expinc.test TXT ours, %{d}",
	"exptwo.test TXT v=spf1 -all exp=two.test",
	"two.test TXT one", "two.test TXT two",
	"expnone.test TXT v=spf1 -all exp=none.test",
	"exptemp.test TXT v=spf1 -all exp=temp.test",
	"expbad.test TXT v=spf1 -all exp=bad.expbad.test",
	"bad.expbad.test TXT broken %{",
	"expcrlf.test TXT v=spf1 -all exp=crlf.expcrlf.test",
	"crlf.expcrlf.test TXT a\r\n550 b",
	"expp.test TXT v=spf1 -all exp=p.expp.test",
	"p.expp.test TXT you are %{p}",
	"soft.test TXT v=spf1 ~all exp=why.exp.test",

	"none.test A 192.0.2.1",
	"other.test TXT no policy",
	"several.test TXT v=spf1 a", "several.test TXT v=spf1 b",
	"second.test TXT something else", "second.test TXT v=spf1 all",
	"temp.test TXT !temp", "temp.test A !temp", "temp.test MX !temp",
	"syntax.test TXT v=spf1 ip4:192.0.2.1 oops:a.example all",
	"mapped.test TXT v=spf1 ip6:::ffff:192.0.2.1 -all",
	"neutral.test TXT v=spf1 ip4:198.51.100.1",
	"question.test TXT v=spf1 ?all",
	"tempa.test TXT v=spf1 a:temp.test all",
	"tempmx.test TXT v=spf1 mx:temp.test all",
	"mxtemp.test TXT v=spf1 mx:hosts.mxtemp.test all",
	"hosts.mxtemp.test MX 10 temp.test", "hosts.mxtemp.test MX 20 mail-a.example.com",
	"incnone.test TXT v=spf1 include:none.test all",
	"inctemp.test TXT v=spf1 include:temp.test all",
	"incperm.test TXT v=spf1 include:syntax.test all",
	"rednone.test TXT v=spf1 redirect=none.test",
	"six.test TXT v=spf1 a:six.test//64 ip6:2001:db8:1::/48 mx/8//8 -all",
	"six.test AAAA 2001:db8::1",
	"ptrtemp.test TXT v=spf1 ptr:example.com -all",
	"p.test TXT v=spf1 exists:%{p}.seen.test -all",
	"mail-a.example.com.seen.test A 127.0.0.2", "unknown.seen.test A 127.0.0.2",
	"eai.test TXT v=spf1 exists:%{l}.eai.test ~all",
	"m\xc3\xbcller.eai.test A 127.0.0.2",
	"ptrlocal.test TXT v=spf1 ptr:%{l} -all",
	"xn--mnchen-3ya.test TXT v=spf1 exists:%{o}.seen.test -all",
	"xn--mnchen-3ya.test.seen.test A 127.0.0.2",

	"loop.test TXT v=spf1 include:loop.test",
	"redloop.test TXT v=spf1 redirect=redloop.test",
	"ten.test TXT v=spf1 a:example.com a:example.com a:example.com a:example.com "
		"a:example.com a:example.com a:example.com a:example.com a:example.com "
		"a:example.com ip4:198.51.100.1 -all",
	"eleven.test TXT v=spf1 include:ten.test a:example.com -all",
	"twovoid.test TXT v=spf1 a:x1.test exists:x2.test -all",
	"threevoid.test TXT v=spf1 a:x1.test exists:x2.test mx:x3.test -all",
	"noname.test TXT v=spf1 a:%{l}.a.test exists:%{l}.b.test mx:%{l}.c.test exists:%{l}.d.test ?all",
	"tenmx.test TXT v=spf1 mx:hosts10.test -all",
	"elevenmx.test TXT v=spf1 mx:hosts11.test -all",
	"hosts10.test MX 1 mail-c.example.org", "hosts10.test MX 2 mail-c.example.org",
	"hosts10.test MX 3 mail-c.example.org", "hosts10.test MX 4 mail-c.example.org",
	"hosts10.test MX 5 mail-c.example.org", "hosts10.test MX 6 mail-c.example.org",
	"hosts10.test MX 7 mail-c.example.org", "hosts10.test MX 8 mail-c.example.org",
	"hosts10.test MX 9 mail-c.example.org", "hosts10.test MX 10 mail-a.example.com",
	"hosts11.test MX 1 mail-c.example.org", "hosts11.test MX 2 mail-c.example.org",
	"hosts11.test MX 3 mail-c.example.org", "hosts11.test MX 4 mail-c.example.org",
	"hosts11.test MX 5 mail-c.example.org", "hosts11.test MX 6 mail-c.example.org",
	"hosts11.test MX 7 mail-c.example.org", "hosts11.test MX 8 mail-c.example.org",
	"hosts11.test MX 9 mail-c.example.org", "hosts11.test MX 10 mail-c.example.org",
	"hosts11.test MX 11 mail-a.example.com",
	"nullmx.test TXT v=spf1 mx -all", "nullmx.test MX 0 ",
	/* clang-format on */
	NULL,
};

struct ask {
	const char *ip, *sender, *result, *mechanism;
};

/* RFC 7208 A.1 to A.4, and the rest of check_host(). */
static const struct ask asks[] = {
	/* clang-format off */
	{ "198.51.100.9", "x@all.test",  "pass", "+all" },
	{ "192.0.2.10",   "x@a1.test",   "pass", "a:example.com" },
	{ "192.0.2.11",   "x@a1.test",   "pass", "a:example.com" },
	{ "192.0.2.12",   "x@a1.test",   "fail", "-all" },
	{ "192.0.2.10",   "x@a2.test",   "fail", "-all" },
	{ "192.0.2.129",  "x@mx1.test",  "pass", "mx:example.com" },
	{ "192.0.2.130",  "x@mx1.test",  "pass", "mx:example.com" },
	{ "192.0.2.140",  "x@mx1.test",  "fail", "-all" },
	{ "192.0.2.140",  "x@mx2.test",  "pass", "mx:example.org" },
	{ "192.0.2.129",  "x@mx3.test",  "pass", "mx:example.com" },
	{ "192.0.2.140",  "x@mx3.test",  "pass", "mx:example.org" },
	{ "192.0.2.131",  "x@mx4.test",  "pass", "mx:example.com/30" },
	{ "192.0.2.143",  "x@mx4.test",  "pass", "mx:example.org/30" },
	{ "192.0.2.132",  "x@mx4.test",  "fail", "-all" },
	{ "192.0.2.10",   "x@ptr1.test", "pass", "ptr:example.com" },
	{ "192.0.2.65",   "x@ptr1.test", "pass", "ptr:example.com" },
	{ "192.0.2.140",  "x@ptr1.test", "fail", "-all" },
	{ "10.0.0.4",     "x@ptr1.test", "fail", "-all" },
	{ "192.0.2.65",   "x@ip1.test",  "fail", "-all" },
	{ "192.0.2.129",  "x@ip1.test",  "pass", "ip4:192.0.2.128/28" },
	{ "192.0.2.129",  "x@inc.test",  "pass", "include:mx1.test" },
	{ "192.0.2.140",  "x@inc.test",  "pass", "include:mx2.test" },
	{ "192.0.2.141",  "x@inc.test",  "fail", "-all" },
	{ "192.0.2.129",  "x@red.test",  "pass", "mx:example.com" },
	{ "192.0.2.140",  "x@red.test",  "fail", "-all" },
	{ "192.0.2.140",  "x@both.test", "pass", "mx:example.org" },
	{ "192.0.2.65",   "x@req.test",  "pass", "+all" },
	{ "192.0.2.140",  "x@req.test",  "fail", "-include:ptr._spf.%{d}" },
	{ "198.51.100.1", "x@req.test",  "fail", "-include:ip4._spf.%{d}" },
	{ "10.0.0.1", "mary+s@mob.test", "pass", "include:mobile-users._spf.%{d}" },
	{ "10.0.0.1", "joe+s@mob.test",  "fail", "-all" },

	{ "192.0.2.1", "x@nowhere.test",  "none", "" },
	{ "192.0.2.1", "x@none.test",     "none", "" },
	{ "192.0.2.1", "x@other.test",    "none", "" },
	{ "192.0.2.1", "x@test",          "none", "" },
	{ "192.0.2.1", "x@a..test",       "none", "" },
	{ "192.0.2.1", "x@[192.0.2.1]",   "none", "" },
	{ "192.0.2.1", "x@all.test.",     "pass", "+all" },
	{ "192.0.2.1", "all.test",        "pass", "+all" },
	{ "192.0.2.1", "",                "pass", "+all" },
	{ "192.0.2.1", "x@temp.test",     "temperror", "" },
	{ "192.0.2.1", "x@several.test",  "permerror", "" },
	{ "192.0.2.1", "x@second.test",   "pass", "all" },
	{ "192.0.2.1", "x@syntax.test",   "permerror", "" },
	{ "192.0.2.1", "x@neutral.test",  "neutral", "" },
	{ "192.0.2.1", "x@question.test", "neutral", "?all" },
	{ "192.0.2.1", "x@soft.test",     "softfail", "~all" },
	{ "192.0.2.1", "x@tempa.test",    "temperror", "" },
	{ "192.0.2.1", "x@tempmx.test",   "temperror", "" },
	{ "192.0.2.1", "x@mxtemp.test",   "temperror", "" },
	{ "192.0.2.129", "x@mxtemp.test", "pass", "mx:hosts.mxtemp.test" },
	{ "192.0.2.1", "x@incnone.test",  "permerror", "" },
	{ "192.0.2.1", "x@inctemp.test",  "temperror", "" },
	{ "192.0.2.1", "x@incperm.test",  "permerror", "" },
	{ "192.0.2.1", "x@rednone.test",  "permerror", "" },
	{ "192.0.2.5", "x@ptrtemp.test",  "fail", "-all" },
	{ "192.0.2.129", "x@p.test",      "pass", "exists:%{p}.seen.test" },
	{ "192.0.2.5", "x@p.test",        "pass", "exists:%{p}.seen.test" },
	{ "192.0.2.65", "x@p.test",       "fail", "-all" },
	{ "2001:db8::2", "x@six.test",    "pass", "a:six.test//64" },
	{ "2001:db8:1::2", "x@six.test",  "pass", "ip6:2001:db8:1::/48" },
	{ "2001:db8:2::2", "x@six.test",  "fail", "-all" },
	{ "::ffff:192.0.2.129", "x@ip1.test", "pass", "ip4:192.0.2.128/28" },
	{ "::ffff:192.0.2.129", "x@six.test", "fail", "-all" },
	{ "192.0.2.1", "x@mapped.test",       "fail", "-all" },
	{ "192.0.2.1", "m\xc3\xbcller@eai.test", "softfail", "~all" },
	{ "192.0.2.1", "x@m\xc3\xbcnchen.test", "pass", "exists:%{o}.seen.test" },
	{ "192.0.2.1", "x@m\xff\xbcnchen.test", "none", "" },

	{ "192.0.2.1", "x@loop.test",      "permerror", "" },
	{ "192.0.2.1", "x@redloop.test",   "permerror", "" },
	{ "192.0.2.1", "x@ten.test",       "fail", "-all" },
	{ "192.0.2.1", "x@eleven.test",    "permerror", "" },
	{ "192.0.2.10", "x@eleven.test",   "pass", "include:ten.test" },
	{ "192.0.2.1", "x@twovoid.test",   "fail", "-all" },
	{ "192.0.2.1", "x@threevoid.test", "permerror", "" },
	/* Without a dot in its last 253 bytes nothing is left of a name, and nothing is below
	   it. */
	{ "192.0.2.10", A100 A100 A100 "@ptrlocal.test", "fail", "-all" },
	{ "192.0.2.10", "example.com@ptrlocal.test", "pass", "ptr:%{l}" },
	/* Nobody is asked about what can be no name. */
	{ "192.0.2.1", "a..b@noname.test", "neutral", "?all" },
	{ "192.0.2.1", "0123456789012345678901234567890123456789012345678901234567890123@noname.test",
	  "neutral", "?all" },
	{ "192.0.2.1", "x@noname.test",    "permerror", "" },
	{ "192.0.2.129", "x@tenmx.test",   "pass", "mx:hosts10.test" },
	{ "192.0.2.140", "x@elevenmx.test", "permerror", "" },
	{ "192.0.2.1", "x@nullmx.test",    "fail", "-all" },
	/* clang-format on */
};

static void
test_check_host(void)
{
	for (size_t i = 0; i < ARRAY_LEN(asks); i++) {
		const struct ask *t = &asks[i];
		struct arena *a = arena_new(1 << 20);
		struct spf_verdict v =
			spf_rig_check(a, zone, t->ip, "all.test", t->sender);

		CHECK_CSTR_EQ(spf_result_word(v.result), t->result, t->sender);
		CHECK_STR_EQ(v.mechanism, str_from(t->mechanism), t->sender);
		CHECK_TRUE(v.reason.n > 0, t->sender);
		arena_free(&a);
	}
}

static const struct {
	const char *sender, *explanation;
} explanations[] = {
	{ "a b@exp.test", "192.0.2.5 is not one of exp.test's, says receiver.example at "
	                  "1700000000: a%20b" },
	{ "@expred.test",
	  "192.0.2.5 is not one of exp.test's, says receiver.example at 1700000000: "
	  "postmaster" },
	{ "x@expinc.test", "ours, expinc.test" },
	{ "x@exptwo.test", "" },
	{ "x@expnone.test", "" },
	{ "x@exptemp.test", "" },
	{ "x@expbad.test", "" },
	{ "x@expcrlf.test", "" },
	{ "x@expp.test", "you are unknown" },
	{ "m\xc3\xbcller@exp.test",
	  "192.0.2.5 is not one of exp.test's, says receiver.example at 1700000000: "
	  "m%C3%BCller" },
};

static void
test_explanation(void)
{
	struct arena *a = arena_new(1 << 20);

	for (size_t i = 0; i < ARRAY_LEN(explanations); i++) {
		struct spf_verdict v = spf_rig_check(a, zone, "192.0.2.5", "helo.test",
		                                     explanations[i].sender);

		CHECK_CSTR_EQ(spf_result_word(v.result), "fail", explanations[i].sender);
		CHECK_STR_EQ(v.explanation, str_from(explanations[i].explanation),
		             explanations[i].sender);
	}
	CHECK_STR_EQ(spf_rig_check(a, zone, "192.0.2.5", "", "x@soft.test").explanation,
	             STR(""), "only of a fail");
	arena_free(&a);
}

static const struct {
	const char *ip, *helo, *sender, *reason;
} reasons[] = {
	{ "192.0.2.129", "", "x@ip1.test",
	  "192.0.2.129 may send mail for ip1.test: \"ip4:192.0.2.128/28\" matches" },
	{ "192.0.2.129", "", "x@inc.test",
	  "192.0.2.129 may send mail for inc.test: \"include:mx1.test\" matches by "
	  "\"mx:example.com\" of mx1.test" },
	{ "192.0.2.1", "", "x@ip1.test",
	  "192.0.2.1 may not send mail for ip1.test: \"-all\" matches" },
	{ "192.0.2.1", "", "x@soft.test",
	  "192.0.2.1 should not send mail for soft.test: \"~all\" matches" },
	{ "192.0.2.1", "", "x@neutral.test",
	  "192.0.2.1 may or may not send mail for neutral.test: no term of its SPF "
	  "record "
	  "matches" },
	{ "192.0.2.1", "", "x@none.test", "none.test has no SPF record" },
	{ "192.0.2.1", "", "x@test",
	  "the sender's domain \"test\" is no domain that could have an SPF record" },
	{ "192.0.2.1", "[192.0.2.1]", "",
	  "the HELO name \"[192.0.2.1]\" is no domain that could have an SPF record" },
	{ "192.0.2.1", "\x1b[1m\x80", "",
	  "the HELO name \"?[1m?\" is no domain that could have an SPF record" },
	{ "192.0.2.1", "", "x@temp.test",
	  "the name service gave no answer about temp.test" },
	{ "192.0.2.1", "", "x@tempa.test",
	  "the name service gave no answer about temp.test" },
	{ "192.0.2.1", "", "x@several.test",
	  "several.test has more than one SPF record" },
	{ "192.0.2.1", "", "x@incperm.test",
	  "the SPF record of syntax.test has an error: \"oops:a.example\" is no term "
	  "that "
	  "SPF has" },
	{ "192.0.2.1", "", "x@incnone.test",
	  "a record refers to none.test, which has no SPF record" },
	{ "192.0.2.1", "", "x@loop.test",
	  "more than 10 terms need a look-up, the first beyond them is "
	  "\"include:loop.test\"" },
	{ "192.0.2.1", "", "x@threevoid.test",
	  "more than 2 terms lead to nothing, the third is \"mx:x3.test\"" },
	{ "192.0.2.1", "", "x@elevenmx.test",
	  "hosts11.test has more than 10 MX records" },
};

static void
test_reasons(void)
{
	struct arena *a = arena_new(1 << 20);

	for (size_t i = 0; i < ARRAY_LEN(reasons); i++)
		CHECK_STR_EQ(spf_rig_check(a, zone, reasons[i].ip, reasons[i].helo,
		                           reasons[i].sender)
		                     .reason,
		             str_from(reasons[i].reason), reasons[i].reason);
	arena_free(&a);
}

/* Time is over before anything is known. */
static void
test_give_up(void)
{
	struct arena *a = arena_new(1 << 20);
	struct lookups *l = lookups_new(a, LOOKUPS_MAX);
	struct spf_request r = { .helo = STR("all.test"), .sender = STR("x@all.test") };
	struct spf_verdict v;

	CHECK_TRUE(spf_check(&r, l, a, &v) == POLICY_NEED, "a question");
	lookups_give_up(l);
	CHECK_TRUE(spf_check(&r, l, a, &v) == POLICY_DONE, "no more of them");
	CHECK_CSTR_EQ(spf_result_word(v.result), "temperror", "not known");
	arena_free(&a);
}

SUITE(policy_spf, { "check_host", test_check_host }, { "explanations", test_explanation },
      { "reasons", test_reasons }, { "time is over", test_give_up });
