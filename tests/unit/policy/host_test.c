/* The host as others see it: a zone in, a state, a cause and words out. */
#include "policy/host.h"

#include "tests/unit/check.h"
#include "tests/unit/policy/zone.h"

enum {
	BUDGET = 4 << 20,
	LINES = 40,
};

#define HOST       "mail.example.org"
#define GOOD_A     "mail.example.org A 203.0.114.7"
#define GOOD_PTR   "7.114.0.203.in-addr.arpa PTR mail.example.org"
#define LIST(zone) "2.0.0.127." zone " A 127.0.0.2"
#define V6         "mail.example.org AAAA 2a00:1::7"
#define V6_NAME    "7.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.1.0.0.0.0.0.a.2."

typedef enum policy_step check_fn(const struct host_conf *c, struct lookups *l,
                                  struct arena *a, struct host_verdict *out);

static const struct test_case {
	const char *what;
	check_fn *check;
	const char *zone[LINES];
	enum host_state state;
	const char *cause, *text;
} cases[] = {
	/* clang-format off */
	/* the name */
	{ "an address", host_address, { GOOD_A }, HOST_OK, "", "mail.example.org: 203.0.114.7" },
	{ "none", host_address, { "mail.example.org TXT x" }, HOST_FAIL, "host_missing", "mail.example.org: no record" },
	{ "no such name", host_address, { "example.org TXT x" }, HOST_FAIL, "host_missing", "mail.example.org: no record" },
	{ "silence", host_address, { "mail.example.org A !temp" }, HOST_UNKNOWN, "no_answer", "mail.example.org: no answer" },
	{ "private", host_address, { "mail.example.org A 10.0.0.7" }, HOST_WARN, "host_private", "mail.example.org: 10.0.0.7" },
	{ "loopback", host_address, { "mail.example.org A 127.0.1.1" }, HOST_WARN, "host_loopback", "mail.example.org: 127.0.1.1" },
	{ "IPv6 that is not served", host_address, { GOOD_A, V6 }, HOST_WARN, "host_v6_not_served", "mail.example.org: 203.0.114.7, 2a00:1::7" },
	/* the name of its address */
	{ "leads back", host_ptr, { GOOD_A, GOOD_PTR }, HOST_OK, "", "203.0.114.7: mail.example.org" },
	{ "whatever the case", host_ptr, { GOOD_A, "7.114.0.203.in-addr.arpa PTR MAIL.Example.org" }, HOST_OK, "", "203.0.114.7: MAIL.Example.org" },
	{ "no name", host_ptr, { GOOD_A }, HOST_FAIL, "ptr_missing", "203.0.114.7: no record" },
	{ "the provider's", host_ptr, { GOOD_A, "7.114.0.203.in-addr.arpa PTR 203-0-114-7.pool.isp.example" }, HOST_WARN, "ptr_generic", "203.0.114.7: 203-0-114-7.pool.isp.example" },
	{ "another", host_ptr, { GOOD_A, "7.114.0.203.in-addr.arpa PTR www.example.org", "www.example.org A 203.0.114.7" }, HOST_WARN, "ptr_other", "203.0.114.7: www.example.org" },
	{ "silence is no missing name", host_ptr, { GOOD_A, "7.114.0.203.in-addr.arpa PTR !temp" }, HOST_UNKNOWN, "no_answer", "203.0.114.7: no answer" },
	{ "the worse of two counts", host_ptr, { GOOD_A, V6, GOOD_PTR }, HOST_FAIL, "ptr_missing", "2a00:1::7: no record" },
	{ "nothing to look up", host_ptr, { "mail.example.org A 10.0.0.7" }, HOST_UNKNOWN, "no_address", "there is no address to look up" },
	{ "nobody says which", host_ptr, { "mail.example.org A !temp" }, HOST_UNKNOWN, "no_answer", "there is no address to look up" },
	/* lists; bl and second are major, small is minor */
	{ "on none", host_blocklists, { GOOD_A, LIST("bl.example"), LIST("second.example"), LIST("small.example") }, HOST_OK, "", "on none of 3 lists that answer" },
	{ "on one", host_blocklists, { GOOD_A, LIST("bl.example"), LIST("second.example"), LIST("small.example"), "7.114.0.203.second.example A 127.0.0.4" }, HOST_FAIL, "listed", "listed by 1 of 3: second.example" },
	{ "on a minor one", host_blocklists, { GOOD_A, LIST("bl.example"), LIST("second.example"), LIST("small.example"), "7.114.0.203.small.example A 127.0.0.2" }, HOST_WARN, "listed_minor", "listed by 1 of 3: small.example" },
	{ "refused is not listed", host_blocklists, { GOOD_A, LIST("bl.example"), "7.114.0.203.bl.example A 127.255.255.254" }, HOST_UNKNOWN, "lists_unknown", "no list gives an answer" },
	{ "refused at once", host_blocklists, { GOOD_A, "2.0.0.127.bl.example A 127.255.255.254", LIST("second.example"), "7.114.0.203.bl.example A 127.255.255.254" }, HOST_OK, "", "on none of 1 lists that answer" },
	{ "silence is not listed", host_blocklists, { GOOD_A, LIST("bl.example"), "7.114.0.203.bl.example A !temp" }, HOST_UNKNOWN, "lists_unknown", "no list gives an answer" },
	{ "a dead list", host_blocklists, { GOOD_A, "7.114.0.203.bl.example A 127.0.0.2" }, HOST_UNKNOWN, "lists_unknown", "no list gives an answer" },
	{ "one that lists the world", host_blocklists, { GOOD_A, LIST("bl.example"), "1.0.0.127.bl.example A 127.0.0.2", "7.114.0.203.bl.example A 127.0.0.2" }, HOST_UNKNOWN, "lists_unknown", "no list gives an answer" },
	{ "a zone that was sold", host_blocklists, { GOOD_A, "2.0.0.127.bl.example A 203.0.114.80", "7.114.0.203.bl.example A 203.0.114.80" }, HOST_UNKNOWN, "lists_unknown", "no list gives an answer" },
	{ "an answer that is none", host_blocklists, { GOOD_A, LIST("bl.example"), "7.114.0.203.bl.example A 203.0.114.80" }, HOST_UNKNOWN, "lists_unknown", "no list gives an answer" },
	{ "IPv6 on one", host_blocklists, { V6, "2.0.0.0.0.0.f.7.f.f.f.f.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.bl.example A 127.0.0.2", V6_NAME "bl.example A 127.0.0.2" }, HOST_FAIL, "listed", "listed by 1 of 1: bl.example" },
	{ "IPv6 on a list without", host_blocklists, { V6, LIST("bl.example"), V6_NAME "bl.example A 127.0.0.2" }, HOST_UNKNOWN, "lists_unknown", "no list gives an answer" },
	/* clang-format on */
};

static struct host_conf
conf_of(void)
{
	return (struct host_conf){ .hostname = STR(HOST),
		                   .lists = STR("bl.example second.example"),
		                   .minor_lists = STR("small.example"),
		                   .targets = STR("one.example two.example") };
}

static void
run(check_fn *check, const struct host_conf *c, const char *const *zone, struct arena *a,
    struct host_verdict *v)
{
	struct lookups *l = lookups_new(a, HOST_LOOKUPS);
	int rounds = 0;

	while (check(c, l, a, v) == POLICY_NEED && rounds++ < 20)
		zone_answer(zone, l);
	CHECK_TRUE(rounds < 20, "it ends");
	CHECK_TRUE(lookups_out(l) == 0, "all is answered");
}

static void
test_names(void)
{
	struct host_conf c = conf_of();

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct arena *a = arena_new(BUDGET);
		struct host_verdict v;

		run(cases[i].check, &c, cases[i].zone, a, &v);
		CHECK_CSTR_EQ(host_state_word(v.state), host_state_word(cases[i].state),
		              cases[i].what);
		CHECK_STR_EQ(str_from(v.cause), str_from(cases[i].cause), cases[i].what);
		CHECK_STR_EQ(v.text, str_from(cases[i].text), cases[i].what);
		arena_free(&a);
	}
}

/* Each has the words that say what to do. */
static void
test_words(void)
{
	static const char *const words[] = { "listed", "outbound_blocked", "ptr_missing",
		                             "host_missing" };
	const char *owner, *text;
	enum host_check check;

	for (size_t i = 0; i < ARRAY_LEN(words); i++) {
		host_cause_words(str_from(words[i]), &owner, &text);
		CHECK_TRUE(owner[0] && text[0], words[i]);
	}
	host_cause_words(STR("what nobody knows"), &owner, &text);
	CHECK_STR_EQ(str_from(text), STR(""), "no words for it");
	CHECK_TRUE(host_check_find(STR("ptr"), &check) && check == HOST_PTR, "ptr");
	CHECK_TRUE(!host_check_find(STR("disk"), &check), "not one of these");
	CHECK_TRUE(host_state_find(STR("fail")) == HOST_FAIL, "fail");
	CHECK_TRUE(host_state_find(STR("")) == HOST_UNKNOWN, "nothing yet");
}

/* A name that the address has, and that leads back, is one to take. */
static void
test_proposal(void)
{
	static const char *const zone[] = { "7.114.0.203.in-addr.arpa PTR mx.example.net",
		                            "mx.example.net A 203.0.114.7", NULL };
	struct arena *a = arena_new(BUDGET);
	struct host_conf c = conf_of();
	struct host_verdict v;
	struct addr own[2];

	(void)addr_parse_ip(STR("192.168.1.2"), &own[0]);
	(void)addr_parse_ip(STR("203.0.114.7"), &own[1]);
	c.own = own;
	c.own_count = 2;
	/* The server's own name leads nowhere: its address of the Internet is looked up. */
	run(host_ptr, &c, zone, a, &v);
	CHECK_STR_EQ(v.name, STR("mx.example.net"), "the name to take");
	CHECK_STR_EQ(str_from(v.cause), STR("ptr_other"), "cause");
	CHECK_STR_EQ(v.request,
	             STR("Please set the reverse DNS name (PTR record) of 203.0.114.7 to "
	                 "mail.example.org."),
	             "what to ask for");
	arena_free(&a);
}

/* --- the way out -------------------------------------------------------------------- */

static const char *const mail_zone[] = {
	"one.example MX 20 late.one.example",
	"one.example MX 10 mx.one.example",
	"mx.one.example A 203.0.114.20",
	"two.example AAAA 2a00:1::2",
	"null.example MX 0 ",
	"ours.example MX 10 mail.ours.example",
	"mail.ours.example A 203.0.114.7",
	"temp.example MX !temp",
	"bare.example MX 10 nowhere.example",
	NULL,
};

static void
find(const struct host_conf *c, struct arena *a, struct host_targets *t)
{
	struct lookups *l = lookups_new(a, HOST_LOOKUPS);
	int rounds = 0;

	while (host_targets(c, l, t) == POLICY_NEED && rounds++ < 20)
		zone_answer(mail_zone, l);
	CHECK_TRUE(rounds < 20, "it ends");
}

static void
test_targets(void)
{
	static const struct {
		const char *domain, *ip, *text;
	} rows[] = {
		{ "one.example", "203.0.114.20", "" },
		{ "two.example", "2a00:1::2", "" },
		{ "null.example", "-", "it takes no mail" },
		{ "gone.example", "-", "it takes no mail" },
		{ "ours.example", "-", "its mail server is this one" },
		{ "temp.example", "-", "its mail servers could not be looked up" },
		{ "bare.example", "-", "its mail server has no address" },
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct arena *a = arena_new(BUDGET);
		struct host_conf c = conf_of();
		struct host_targets t;
		char text[ADDR_TEXT_MAX];
		struct addr own;

		(void)addr_parse_ip(STR("203.0.114.7"), &own);
		c.own = &own;
		c.own_count = 1;
		c.targets = str_from(rows[i].domain);
		find(&c, a, &t);
		CHECK_U64_EQ(t.count, 1, rows[i].domain);
		CHECK_STR_EQ(addr_ip_text(&t.p[0].addr, &text), str_from(rows[i].ip),
		             rows[i].domain);
		CHECK_STR_EQ(t.p[0].text, str_from(rows[i].text), rows[i].domain);
		arena_free(&a);
	}
}

static void
test_targets_are_few(void)
{
	struct arena *a = arena_new(BUDGET);
	struct host_conf c = conf_of();
	struct host_targets t;

	c.targets = STR("a.example b.example c.example d.example e.example f.example");
	find(&c, a, &t);
	CHECK_U64_EQ(t.count, HOST_TARGETS_MAX, "no more than that");
	arena_free(&a);
}

static void
test_outbound(void)
{
	static const struct {
		const char *what;
		enum host_reached reached[2];
		unsigned code;
		size_t count;
		enum host_state state;
		const char *cause, *text;
	} rows[] = {
		/* clang-format off */
		{ "both greet", { HOST_GREETED, HOST_GREETED }, 220, 2, HOST_OK, "", "2 of 2 mail servers reached" },
		{ "one is down", { HOST_GREETED, HOST_UNREACHABLE }, 220, 2, HOST_WARN, "outbound_partly", "1 of 2 mail servers reached" },
		{ "one has no address", { HOST_GREETED, HOST_NOT_TRIED }, 220, 2, HOST_OK, "", "1 of 1 mail servers reached" },
		{ "neither", { HOST_UNREACHABLE, HOST_UNREACHABLE }, 0, 2, HOST_FAIL, "outbound_blocked", "0 of 2 mail servers reached" },
		{ "one that says nothing", { HOST_SILENT, HOST_UNREACHABLE }, 0, 2, HOST_FAIL, "outbound_blocked", "0 of 2 mail servers reached" },
		{ "something in between", { HOST_STRANGE, HOST_STRANGE }, 0, 2, HOST_FAIL, "outbound_blocked", "0 of 2 mail servers reached" },
		{ "refusals", { HOST_GREETED, HOST_GREETED }, 554, 2, HOST_WARN, "outbound_refused", "2 of 2 mail servers reached" },
		{ "no names", { HOST_NOT_TRIED, HOST_NOT_TRIED }, 0, 2, HOST_UNKNOWN, "outbound_unknown", "no mail server could be looked up" },
		{ "nobody to try", { HOST_NOT_TRIED, HOST_NOT_TRIED }, 0, 0, HOST_OFF, "outbound_off", "no domain is named" },
		/* clang-format on */
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct arena *a = arena_new(BUDGET);
		struct host_conf c = conf_of();
		struct host_targets t = { .count = rows[i].count };
		struct addr from = { .family = ADDR_NONE };
		struct host_verdict v;

		for (size_t k = 0; k < rows[i].count; k++)
			t.p[k] = (struct host_target){ .domain = STR("x.example"),
				                       .host = STR("mx.x.example"),
				                       .reached = rows[i].reached[k],
				                       .code = rows[i].code };
		(void)addr_parse_ip(STR("203.0.114.7"), &from);
		host_outbound(&c, &t, &from, a, &v);
		CHECK_CSTR_EQ(host_state_word(v.state), host_state_word(rows[i].state),
		              rows[i].what);
		CHECK_STR_EQ(str_from(v.cause), str_from(rows[i].cause), rows[i].what);
		CHECK_STR_EQ(v.text, str_from(rows[i].text), rows[i].what);
		CHECK_TRUE((v.request.n > 0) == (v.state == HOST_FAIL), rows[i].what);
		CHECK_U64_EQ(v.count, rows[i].count, rows[i].what);
		arena_free(&a);
	}
}

/* --- the way in --------------------------------------------------------------------- */

#define HOUR_MS INT64_C(3600000)
#define NOW_MS  (100 * 24 * HOUR_MS)

static void
test_inbound(void)
{
	static const struct {
		const char *what;
		size_t count;
		int64_t smtp_ms, imap_ms;
		enum host_state state;
		const char *cause, *text;
	} rows[] = {
		/* clang-format off */
		{ "nothing listens",    0, 0, 0, HOST_OFF, "inbound_off", "nothing listens for others" },
		{ "nobody ever",        2, 0, 0, HOST_UNKNOWN, "inbound_never", "0 of 2 services had visitors within a day" },
		{ "our own people only", 2, 0, NOW_MS - 1, HOST_UNKNOWN, "inbound_never", "1 of 2 services had visitors within a day" },
		{ "both",               2, NOW_MS - HOUR_MS, NOW_MS, HOST_OK, "", "2 of 2 services had visitors within a day" },
		{ "nobody reads",       2, NOW_MS - HOUR_MS, 0, HOST_OK, "", "1 of 2 services had visitors within a day" },
		{ "a day ago",          2, NOW_MS - 24 * HOUR_MS, 0, HOST_OK, "", "1 of 2 services had visitors within a day" },
		{ "and a moment",       2, NOW_MS - 24 * HOUR_MS - 1, 0, HOST_WARN, "inbound_quiet", "0 of 2 services had visitors within a day" },
		/* clang-format on */
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct arena *a = arena_new(BUDGET);
		struct host_seen seen[] = {
			{ STR("smtp"), STR("203.0.114.1"), rows[i].smtp_ms },
			{ STR("imap"), STR("203.0.114.2"), rows[i].imap_ms },
		};
		struct host_verdict v;

		host_inbound(seen, rows[i].count, NOW_MS, a, &v);
		CHECK_CSTR_EQ(host_state_word(v.state), host_state_word(rows[i].state),
		              rows[i].what);
		CHECK_STR_EQ(str_from(v.cause), str_from(rows[i].cause), rows[i].what);
		CHECK_STR_EQ(v.text, str_from(rows[i].text), rows[i].what);
		CHECK_U64_EQ(v.count, rows[i].count, rows[i].what);
		arena_free(&a);
	}
}

/* --- the name service --------------------------------------------------------------- */

static void
test_resolver(void)
{
	static const struct {
		const char *what;
		enum dns_status own, top;
		bool authentic;
		int64_t took_ms;
		enum host_state state;
		const char *cause;
	} rows[] = {
		/* clang-format off */
		{ "fast, checked",    DNS_OK,       DNS_OK,   true,  3,   HOST_OK,      "" },
		{ "the name is none", DNS_NXDOMAIN, DNS_OK,   true,  3,   HOST_OK,      "" },
		{ "not checked",      DNS_OK,       DNS_OK,   false, 3,   HOST_WARN,    "not_validating" },
		{ "slow",             DNS_OK,       DNS_OK,   true,  201, HOST_WARN,    "resolver_slow" },
		{ "just fast enough", DNS_OK,       DNS_OK,   true,  200, HOST_OK,      "" },
		{ "a closed network", DNS_OK,       DNS_TEMP, false, 3,   HOST_OK,      "" },
		{ "silent",           DNS_TEMP,     DNS_TEMP, false, -1,  HOST_FAIL,    "resolver_silent" },
		{ "about us only",    DNS_TEMP,     DNS_OK,   true,  -1,  HOST_UNKNOWN, "no_answer" },
		/* clang-format on */
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct arena *a = arena_new(BUDGET);
		struct lookups *l = lookups_new(a, HOST_LOOKUPS);
		struct host_conf c = conf_of();
		struct dns_record record = { .type = DNS_A };
		struct host_verdict v;
		struct lookup *q;

		CHECK_TRUE(host_resolver(&c, l, a, -1, &v) == POLICY_NEED, rows[i].what);
		while ((q = lookups_next(l))) {
			struct dns_answer answer = { .records = &record };

			answer.status = q->type == DNS_A ? rows[i].own : rows[i].top;
			answer.count = answer.status == DNS_OK;
			answer.authentic = rows[i].authentic;
			lookups_answer(q, &answer);
		}
		CHECK_TRUE(host_resolver(&c, l, a, rows[i].took_ms, &v) == POLICY_DONE,
		           rows[i].what);
		CHECK_CSTR_EQ(host_state_word(v.state), host_state_word(rows[i].state),
		              rows[i].what);
		CHECK_STR_EQ(str_from(v.cause), str_from(rows[i].cause), rows[i].what);
		arena_free(&a);
	}
}

/* --- what is shown ------------------------------------------------------------------ */

/* runs, a letter each, and what is shown after each of them. */
static void
test_damping(void)
{
	static const struct {
		const char *runs, *shown;
	} rows[] = {
		{ "f", "f" },         /* the first is believed: somebody waits for it */
		{ "of", "oo" },       /* one failure alarms nobody, */
		{ "off", "oof" },     /* two do, */
		{ "ofof", "ooof" },   /* of three, */
		{ "ofoof", "ooooo" }, /* not of four */
		{ "offo", "oofo" },   /* what is well again is so at once */
		{ "owfw", "oofw" },   /* worse is worse */
		{ "wff", "wwf" },     { "ouo", "ooo" }, /* silence neither alarms … */
		{ "ouu", "oou" },                       /* … nor hides for long */
		{ "fuf", "fff" },     { "uf", "uf" },
		{ "-f", "-f" }, /* it was switched on */
		{ "f-", "f-" },
	};
	static const enum host_state states[] = { HOST_UNKNOWN, HOST_OK, HOST_WARN,
		                                  HOST_FAIL, HOST_OFF };

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct str runs = str_from(rows[i].runs);
		enum host_state shown = HOST_UNKNOWN;
		char got[16];

		for (size_t k = 0; k < runs.n; k++) {
			size_t from = k > HOST_RUNS_MAX ? k - HOST_RUNS_MAX : 0;
			enum host_state run = HOST_UNKNOWN;

			for (size_t s = 0; s < ARRAY_LEN(states); s++) {
				if (host_state_letter(states[s]) == runs.p[k])
					run = states[s];
			}
			shown = host_damp(shown, str_make(runs.p + from, k - from), run);
			got[k] = host_state_letter(shown);
		}
		CHECK_STR_EQ(str_make(got, runs.n), str_from(rows[i].shown),
		             rows[i].runs);
	}
}

SUITE(policy_host, { "names and lists", test_names }, { "words", test_words },
      { "a name to take", test_proposal }, { "whom to try", test_targets },
      { "few of them", test_targets_are_few }, { "the way out", test_outbound },
      { "the way in", test_inbound }, { "the name service", test_resolver },
      { "damping", test_damping });
