/* Chains that we seal, whole and broken in every way. */
#include "policy/arc.h"

#include "policy/auth_results.h"

#include "tests/unit/check.h"
#include "tests/unit/policy/dkim_rig.h"

#define HEADER "From: ann@a.example\nTo: list@l.example\nSubject: one\nDate: now\n"
#define BODY   "Hello,\n\n two  words \n\n\n"

static struct str
join(struct rig *r, struct str a, struct str b)
{
	return arena_printf(r->arena, "%.*s%.*s", STR_ARG(a), STR_ARG(b));
}

/* The message with one set more, made by what validation said of it. */
static enum err
seal_as(struct rig *r, const struct arc_verdict *verdict, struct str *message)
{
	struct strbuf out = strbuf_arena(r->arena, 1 << 16);
	struct arc_seal s = {
		.domain = STR("a.example"),
		.selector = STR("k"),
		.authserv_id = STR("mx.a.example"),
		.key = r->key,
		.results = STR("spf=pass smtp.mailfrom=a.example;\r\n\tdkim=pass"),
		.now_ms = RIG_NOW_MS,
	};
	struct str header, body;
	enum err e;

	rig_split(*message, &header, &body);
	e = arc_seal(r->arena, &s, verdict, header, body, &out);
	if (e == OK)
		*message = join(r, strbuf_str(&out), *message);
	return e;
}

static enum err
seal(struct rig *r, struct str *message)
{
	struct arc_verdict verdict = rig_arc(r, *message);

	return seal_as(r, &verdict, message);
}

static struct str
chain(struct rig *r, size_t count)
{
	struct str message = join(r, rig_crlf(r, HEADER), rig_crlf(r, "\n" BODY));

	for (size_t i = 0; i < count; i++)
		CHECK_ERR_EQ(seal(r, &message), OK, "seals");
	return message;
}

static void
test_whole(void)
{
	struct arc_verdict v;
	struct str message;
	struct rig r;

	rig_init(&r);
	v = rig_arc(&r, chain(&r, 0));
	CHECK_U64_EQ(v.result, ARC_NONE, "no sets");
	CHECK_U64_EQ(v.count, 0, "no sets");
	message = chain(&r, 3);
	v = rig_arc(&r, message);
	CHECK_U64_EQ(v.result, ARC_PASS, "three sets");
	CHECK_U64_EQ(v.count, 3, "three sets");
	CHECK_U64_EQ(v.oldest_pass, 0, "unchanged from the beginning");
	CHECK_STR_EQ(v.sets[0].seal_domain, STR("a.example"), "d=");
	CHECK_STR_EQ(v.sets[2].signature_domain, STR("a.example"), "d=");
	CHECK_STR_EQ(v.sets[1].results,
	             STR("mx.a.example;\r\n\tspf=pass "
	                 "smtp.mailfrom=a.example;\r\n\tdkim=pass"),
	             "what was found");
	rig_fini(&r);
}

/* A forwarder that changes the text and seals again. */
static void
test_oldest_pass(void)
{
	struct str message, header, body;
	struct arc_verdict v;
	struct rig r;

	rig_init(&r);
	message = chain(&r, 2);
	rig_split(message, &header, &body);
	message = arena_printf(r.arena, "%.*s\r\nNew text\r\n", STR_ARG(header));
	v = rig_arc(&r, message);
	CHECK_U64_EQ(v.result, ARC_FAIL, "changed");
	CHECK_STR_EQ(v.reason, STR("the text was changed after the last seal"), "reason");
	/* It had validated what it got before it changed it. */
	v = rig_arc(&r, chain(&r, 2));
	{
		struct strbuf out = strbuf_arena(r.arena, 1 << 16);
		struct arc_seal s = { .domain = STR("a.example"),
			              .selector = STR("k"),
			              .authserv_id = STR("l.example"),
			              .key = r.key,
			              .now_ms = RIG_NOW_MS };

		rig_split(message, &header, &body);
		CHECK_ERR_EQ(arc_seal(r.arena, &s, &v, header, body, &out), OK, "seals");
		message = join(&r, strbuf_str(&out), message);
	}
	v = rig_arc(&r, message);
	CHECK_U64_EQ(v.result, ARC_PASS, "the chain is whole");
	CHECK_U64_EQ(v.oldest_pass, 3, "unchanged since the third");
	CHECK_STR_EQ(v.sets[2].results, STR("l.example;\r\n\tnone"), "nothing was found");
	rig_fini(&r);
}

/* In a chain of two: text, replaced by another. */
static const struct {
	const char *what, *from, *to;
} breaks[] = {
	{ "the text", "Hello", "Hallo" },
	{ "a signed field", "Subject: one", "Subject: two" },
	{ "what was found first", "i=1; mx.a.example;", "i=1; mx.b.example;" },
	{ "what was found last", "i=2; mx.a.example;", "i=2; mx.b.example;" },
	{ "cv= of the second", "cv=pass", "cv=none" },
	{ "cv= of the first", "cv=none", "cv=pass" },
	{ "a number that is missing", "i=2; mx", "j=2; mx" },
	{ "a number that is none", "i=2; mx", "i=x; mx" },
	{ "a number with a zero", "i=2; mx", "i=02; mx" },
	{ "number 0", "i=2; mx", "i=0; mx" },
	{ "number 51", "i=2; mx", "i=51; mx" },
	{ "a gap", "i=2; mx", "i=3; mx" },
	{ "one twice", "i=2; mx", "i=1; mx" },
	{ "a field is missing", "ARC-Authentication-Results: i=1", "X-Was: i=1" },
	{ "a seal is missing", "ARC-Seal", "X-Seal" },
	{ "a signature is missing", "ARC-Message-Signature", "X-Signature" },
	{ "the algorithm of a seal", "a=ed25519-sha256", "a=rsa-sha256" },
	{ "SHA-1", "a=ed25519-sha256", "a=rsa-sha1" },
	{ "h= in a seal", "ARC-Seal: ", "ARC-Seal: h=from; " },
	{ "the domain of a seal", "d=a.example", "d=b.example" },
	{ "no domain", "d=a.example; ", "" },
	{ "no selector", "s=k; ", "" },
	{ "a time that is none", "t=1795439162", "t=" },
	{ "rubbish", "ARC-Seal: ", "ARC-Seal: ;; " },
};

static void
test_broken(void)
{
	for (size_t i = 0; i < ARRAY_LEN(breaks); i++) {
		struct arc_verdict v;
		struct str message;
		struct rig r;

		rig_init(&r);
		message = rig_replace(&r, chain(&r, 2), breaks[i].from, breaks[i].to);
		v = rig_arc(&r, message);
		CHECK_U64_EQ(v.result, ARC_FAIL, breaks[i].what);
		CHECK_TRUE(v.reason.n && !v.is_temporary, breaks[i].what);
		rig_fini(&r);
	}
}

/* A broken chain is sealed once more, with cv=fail; then nobody adds to it. */
static void
test_ended(void)
{
	struct arc_verdict v;
	struct str message;
	struct rig r;

	rig_init(&r);
	message = rig_replace(&r, chain(&r, 2), "Hello", "Hallo");
	CHECK_ERR_EQ(seal(&r, &message), OK, "sealed as broken");
	CHECK_TRUE(str_find_str(message, STR("cv=fail")) != SIZE_MAX, "cv=fail");
	v = rig_arc(&r, message);
	CHECK_U64_EQ(v.result, ARC_NONE, "it has ended");
	CHECK_U64_EQ(v.count, 3, "and has sets");
	CHECK_ERR_EQ(seal(&r, &message), ERR_CONFLICT, "nothing is added");
	rig_fini(&r);
}

static void
test_limits(void)
{
	struct strbuf many;
	struct arc_verdict v;
	struct str message;
	struct rig r;

	rig_init(&r);
	message = chain(&r, ARC_SETS_MAX);
	v = rig_arc(&r, message);
	CHECK_U64_EQ(v.result, ARC_PASS, "50 sets");
	CHECK_ERR_EQ(seal(&r, &message), ERR_LIMIT, "51");
	many = strbuf_arena(r.arena, 8 << 20);
	for (size_t i = 0; i < 100000; i++)
		strbuf_printf(&many, "ARC-Seal: i=%zu; cv=none\r\n", i % 60);
	v = rig_arc(&r, join(&r, strbuf_str(&many), message));
	CHECK_U64_EQ(v.result, ARC_FAIL, "100,000 seals");
	CHECK_STR_EQ(v.reason, STR("the chain is too long"), "100,000 seals");
	rig_fini(&r);
}

static void
test_dns(void)
{
	struct arc_verdict v;
	struct str message;
	struct rig r;

	rig_init(&r);
	message = chain(&r, 2);
	r.records[0].status = DNS_TEMP;
	r.records[0].text = NULL;
	v = rig_arc(&r, message);
	CHECK_U64_EQ(v.result, ARC_FAIL, "DNS is silent");
	CHECK_TRUE(v.is_temporary, "for now");
	CHECK_ERR_EQ(seal(&r, &message), ERR_DNS_TEMP, "so nothing is sealed as broken");
	rig_fini(&r);
}

static void
test_results(void)
{
	static const struct {
		const char *what, *header, *want;
	} rows[] = {
		{ "none", "From: a\r\n", "" },
		{ "ours", "Authentication-Results: mx.a;\r\n spf=pass\r\n", "spf=pass" },
		{ "another's", "Authentication-Results: mx.b; spf=pass\r\n", "" },
		{ "with a version", "Authentication-Results: MX.A 1; spf=pass\r\n",
		  "spf=pass" },
		{ "two of ours",
		  "Authentication-Results: mx.a; spf=pass\r\nauthentication-results: "
		  "mx.a;"
		  " dkim=pass\r\n\theader.d=a\r\n",
		  "spf=pass;\r\n\tdkim=pass\r\n\theader.d=a" },
		{ "empty", "Authentication-Results: mx.a;\r\n", "" },
		{ "without a semicolon", "Authentication-Results: mx.a\r\n", "" },
	};
	struct arena *a = arena_new(1 << 20);

	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		CHECK_STR_EQ(arc_results_of(str_from(rows[i].header), STR("mx.a"), a),
		             str_from(rows[i].want), rows[i].what);
	arena_free(&a);
}

/* What a message that came in says of its chain, and the set that is put on top of it. */
static void
test_verdict_of(void)
{
	static const struct {
		const char *what, *results;
		size_t sets;
		enum err e;
		enum arc_result result;
	} rows[] = {
		{ "no chain", "spf=pass;\r\n\tarc=none smtp.remote-ip=192.0.2.1", 0, OK,
		  ARC_NONE },
		{ "a whole one", "arc=pass (it is) header.oldest-pass=0;\r\n\tdmarc=pass",
		  2, OK, ARC_PASS },
		{ "in capitals", "ARC=Pass", 1, OK, ARC_PASS },
		{ "an ended one", "arc=none", 2, OK, ARC_NONE },
		{ "a broken one", "arc=fail (changed) policy.arc-fault=permanent", 2, OK,
		  ARC_FAIL },
		{ "one that DNS hid", "arc=fail policy.arc-fault=temporary", 2, OK,
		  ARC_FAIL },
		{ "broken, nobody knows why", "arc=fail (changed)", 2, ERR_CONFLICT,
		  ARC_FAIL },
		{ "an unknown word", "arc=perhaps", 2, ERR_MESSAGE_SYNTAX, ARC_NONE },
		{ "none was found", "", 1, ERR_NOT_FOUND, ARC_NONE },
		{ "no word of it", "spf=pass (arc=pass)", 1, ERR_NOT_FOUND, ARC_NONE },
		{ "whole without sets", "arc=pass", 0, ERR_MESSAGE_SYNTAX, ARC_NONE },
		{ "rubbish", "arc=", 1, ERR_MESSAGE_SYNTAX, ARC_NONE },
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct arc_verdict v;
		struct str header, body;
		struct rig r;

		rig_init(&r);
		rig_split(chain(&r, rows[i].sets), &header, &body);
		CHECK_ERR_EQ(
			arc_verdict_of(header, str_from(rows[i].results), r.arena, &v),
			rows[i].e, rows[i].what);
		CHECK_U64_EQ(v.result, rows[i].result, rows[i].what);
		if (rows[i].e == OK)
			CHECK_U64_EQ(v.count, rows[i].sets, rows[i].what);
		rig_fini(&r);
	}
}

/* From the field that was written when a message came in to the seal under which it goes
   on: what failed for good is sealed so, what DNS hid is not. */
static void
test_failed_again(void)
{
	static const struct {
		const char *what;
		bool is_temporary;
		enum err e;
	} rows[] = {
		{ "broken", false, OK },
		{ "DNS was silent", true, ERR_DNS_TEMP },
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct auth_request request = { .authserv_id = STR("mx.a"),
			                        .helo = STR("a.example") };
		struct auth_verdict found = { 0 };
		struct arc_verdict v;
		struct str message, header, body, results;
		struct strbuf field;
		struct rig r;

		rig_init(&r);
		message = rig_replace(&r, chain(&r, 2), "Hello", "Hallo");
		if (rows[i].is_temporary) {
			message = chain(&r, 2);
			r.records[0].status = DNS_TEMP;
			r.records[0].text = NULL;
		}
		found.arc = rig_arc(&r, message);
		CHECK_TRUE(addr_parse_ip(STR("192.0.2.1"), &request.ip), "address");
		field = strbuf_arena(r.arena, AUTH_RESULTS_MAX);
		CHECK_ERR_EQ(
			auth_results_format(&request, &found, DMARC_POLICY_NONE, &field),
			OK, rows[i].what);
		rig_split(message, &header, &body);
		results = arc_results_of(strbuf_str(&field), STR("mx.a"), r.arena);
		CHECK_ERR_EQ(arc_verdict_of(header, results, r.arena, &v), OK,
		             rows[i].what);
		CHECK_U64_EQ(v.result, ARC_FAIL, rows[i].what);
		CHECK_U64_EQ(v.is_temporary, rows[i].is_temporary, rows[i].what);
		CHECK_ERR_EQ(seal_as(&r, &v, &message), rows[i].e, rows[i].what);
		CHECK_TRUE((str_find_str(message, STR("cv=fail")) != SIZE_MAX) ==
		                   (rows[i].e == OK),
		           rows[i].what);
		rig_fini(&r);
	}
}

SUITE(policy_arc, { "whole", test_whole }, { "oldest pass", test_oldest_pass },
      { "broken", test_broken }, { "ended", test_ended }, { "limits", test_limits },
      { "DNS", test_dns }, { "results", test_results },
      { "verdict of results", test_verdict_of },
      { "failed when it came in", test_failed_again });
