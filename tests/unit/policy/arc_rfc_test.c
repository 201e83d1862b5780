/* The message of RFC 8617 B, whose keys (of 512 bits, which RFC 8301 3.2 forbids) are
   printed nowhere: how its fields are read, that they fit the text, and what validation
   says without the keys. */
#include "policy/arc_set.h"

#include "policy/auth_results.h"
#include "policy/dkim_hash.h"
#include "policy/dkim_signature.h"
#include "tests/unit/check.h"
#include "tests/unit/policy/dkim_rig.h"

/* clang-format off */
#define SEAL_3 \
	"ARC-Seal: i=3; a=rsa-sha256; cv=pass; d=clochette.example.org; s=\n" \
	"        clochette; t=12345; b=CU87XzXlNlk5X/yW4l73UvPUcP9ivwYWxyBWcVrRs7\n" \
	"        +HPx3K05nJhny2fvymbReAmOA9GTH/y+k9kEc59hAKVg==\n"
#define MESSAGE_3 \
	"ARC-Message-Signature: i=3; a=rsa-sha256; c=relaxed/relaxed; d=\n" \
	"        clochette.example.org; h=message-id:date:from:to:subject; s=\n" \
	"        clochette; t=12345; bh=KWSe46TZKCcDbH4klJPo+tjk5LWJnVRlP5pvjXFZY\n" \
	"        LQ=; b=o71vwyLsK+Wm4cOSlirXoRwzEvi0vqIjd/2/GkYFYlSd/GGfKzkAgPqxf\n" \
	"        K7ccBMP7Zjb/mpeggswHjEMS8x5NQ==\n"
#define RESULTS_3 \
	"ARC-Authentication-Results: i=3; clochette.example.org; spf=fail\n" \
	"    smtp.from=jqd@d1.example; dkim=fail (512-bit key)\n" \
	"    header.i=@d1.example; dmarc=fail; arc=pass (as.2.gmail.example=pass,\n" \
	"    ams.2.gmail.example=pass, as.1.lists.example.org=pass,\n" \
	"    ams.1.lists.example.org=fail (message has been altered))\n"
#define SEAL_2 \
	"ARC-Seal: i=2; a=rsa-sha256; cv=pass; d=gmail.example; s=20120806; t=\n" \
	"        12345; b=Zpukh/kJL4Q7Kv391FKwTepgS56dgHIcdhhJZjsalhqkFIQQAJ4T9BE\n" \
	"        8jjLXWpRNuh81yqnT1/jHn086RwezGw==\n"
#define MESSAGE_2 \
	"ARC-Message-Signature: i=2; a=rsa-sha256; c=relaxed/relaxed; d=\n" \
	"        gmail.example; h=message-id:date:from:to:subject; s=20120806; t=\n" \
	"        12345; bh=KWSe46TZKCcDbH4klJPo+tjk5LWJnVRlP5pvjXFZYLQ=; b=CVoG44\n" \
	"        cVZvoSs2mMig2wwqPaJ4OZS5XGMCegWqQs1wvRZJS894tJM0xO1RJLgCPsBOxdA5\n" \
	"        9WSqI9s9DfyKDfWg==\n"
#define RESULTS_2 \
	"ARC-Authentication-Results: i=2; gmail.example; spf=fail\n" \
	"    smtp.from=jqd@d1.example; dkim=fail (512-bit key)\n" \
	"    header.i=@example.org; dmarc=fail; arc=pass\n" \
	"    (as.1.lists.example.org=pass, ams.1.lists.example.org=pass)\n"
#define SEAL_1 \
	"ARC-Seal: i=1; a=rsa-sha256; cv=none; d=lists.example.org; s=dk-lists;\n" \
	"         t=12345; b=TlCCKzgk3TrAa+G77gYYO8Fxk4q/Ml0biqduZJeOYh6+0zhwQ8u/\n" \
	"        lHxLi21pxu347isLSuNtvIagIvAQna9a5A==\n"
#define MESSAGE_1 \
	"ARC-Message-Signature: i=1; a=rsa-sha256; c=relaxed/relaxed; d=\n" \
	"        lists.example.org; h=message-id:date:from:to:subject; s=\n" \
	"        dk-lists; t=12345; bh=KWSe46TZKCcDbH4klJPo+tjk5LWJnVRlP5pvjXFZYL\n" \
	"        Q=; b=DsoD3n3hiwlrN1ma8IZQFgZx8EDO7Wah3hUjIEsYKuShRKYB4LwGUiKD5Y\n" \
	"        yHgcIwGHhSc/4+ewYqHMWDnuFxiQ==\n"
#define RESULTS_1 \
	"ARC-Authentication-Results: i=1; lists.example.org; spf=pass\n" \
	"    smtp.mfrom=jqd@d1.example; dkim=pass (512-bit key)\n" \
	"    header.i=@d1.example; dmarc=pass\n"
#define SETS SEAL_3 MESSAGE_3 RESULTS_3 SEAL_2 MESSAGE_2 RESULTS_2 SEAL_1 MESSAGE_1 RESULTS_1
#define AUTHOR \
	"DKIM-Signature: v=1; a=rsa-sha1; c=relaxed/relaxed; d=d1.example; h=\n" \
	"        message-id:date:from:to:subject; s=origin2015; bh=bIxxaeIQvmOBdT\n" \
	"        AitYfSNFgzPP4=; b=qKjd5fYibKXWWIcMKCgRYuo1vJ2fD+IAQPjX+uamXIGY2Q\n" \
	"        0HjQ+Lq3/yHzG3JHJp6780/nKQPOWt2UDJQrJkEA==\n"
#define HEADER \
	AUTHOR \
	"Message-ID: <54B84785.1060301@d1.example>\n" \
	"Date: Thu, 14 Jan 2015 15:00:01 -0800\n" \
	"From: John Q Doe <jqd@d1.example>\n" \
	"To: arc@dmarc.example\n" \
	"Subject: [List 2] Example 1\n"
#define BODY "\nHey gang,\nThis is a test message.\n--J.\n"
/* clang-format on */

static const struct set {
	const char *what, *seal, *message, *results, *domain, *selector, *chain;
	unsigned instance;
} sets[] = {
	{ "RFC 8617 B, i=1", SEAL_1, MESSAGE_1, RESULTS_1, "lists.example.org",
	  "dk-lists", "none", 1 },
	{ "RFC 8617 B, i=2", SEAL_2, MESSAGE_2, RESULTS_2, "gmail.example", "20120806",
	  "pass", 2 },
	{ "RFC 8617 B, i=3", SEAL_3, MESSAGE_3, RESULTS_3, "clochette.example.org",
	  "clochette", "pass", 3 },
};

static struct sha256
body_hash(struct rig *r)
{
	struct dkim_hashes *h = dkim_hashes_new(r->arena);
	struct sha256 digest;

	(void)dkim_hashes_want(h, DKIM_RELAXED, DKIM_WHOLE);
	dkim_hashes_add(h, rig_crlf(r, &BODY[1]));
	dkim_hashes_end(h);
	digest = dkim_hashes_result(h, 0);
	dkim_hashes_free(&h);
	return digest;
}

static void
check_form(struct rig *r, enum dkim_form form, const struct set *t)
{
	struct dkim_signature s = { 0 };
	const char *text = form == DKIM_FORM_SEAL ? t->seal : t->message;
	struct dkim_problem p =
		dkim_signature_parse(form, rig_crlf(r, text), r->arena, &s);
	struct sha256 body = body_hash(r);

	CHECK_U64_EQ(p.result, DKIM_NONE, t->what);
	CHECK_U64_EQ(s.instance, t->instance, t->what);
	CHECK_U64_EQ(s.algorithm, DKIM_RSA_SHA256, t->what);
	CHECK_STR_EQ(s.domain, str_from(t->domain), t->what);
	CHECK_STR_EQ(s.selector, str_from(t->selector), t->what);
	CHECK_U64_EQ(s.made_s, 12345, t->what);
	CHECK_U64_EQ(s.b.n, 512 / 8, t->what);
	if (form == DKIM_FORM_SEAL) {
		CHECK_STR_EQ(s.chain, str_from(t->chain), t->what);
		return;
	}
	CHECK_STR_EQ(s.names, STR("message-id:date:from:to:subject"), t->what);
	CHECK_STR_EQ(sha256_str(&s.body_hash), sha256_str(&body), t->what);
}

static void
test_fields(void)
{
	for (size_t i = 0; i < ARRAY_LEN(sets); i++) {
		struct rig r;

		rig_init(&r);
		check_form(&r, DKIM_FORM_SEAL, &sets[i]);
		check_form(&r, DKIM_FORM_MESSAGE, &sets[i]);
		rig_fini(&r);
	}
}

/* The author's own signature, of a kind that is refused now; what the last handler found
   is read from its set. */
static void
test_author(void)
{
	struct dkim_signature s = { 0 };
	const struct auth_result *arc;
	struct auth_results all;
	struct dkim_problem p;
	struct str value;
	struct rig r;

	rig_init(&r);
	p = dkim_signature_parse(DKIM_FORM_SIGNATURE, rig_crlf(&r, AUTHOR), r.arena, &s);
	CHECK_U64_EQ(p.result, DKIM_NONE, "RFC 8617 B");
	CHECK_U64_EQ(s.algorithm, DKIM_RSA_SHA1, "RFC 8617 B");
	CHECK_STR_EQ(s.selector, STR("origin2015"), "RFC 8617 B");
	value = dkim_field_value(rig_crlf(&r, RESULTS_3));
	CHECK_U64_EQ(arc_take_instance(&value), 3, "RFC 8617 B");
	CHECK_ERR_EQ(auth_results_parse(value, r.arena, &all), OK, "RFC 8617 B");
	CHECK_STR_EQ(all.authserv_id, STR("clochette.example.org"), "RFC 8617 B");
	CHECK_STR_EQ(auth_results_find(&all, STR("spf"), 0)->result, STR("fail"),
	             "RFC 8617 B");
	CHECK_STR_EQ(auth_result_property(auth_results_find(&all, STR("dkim"), 0),
	                                  STR("header"), STR("i")),
	             STR("@d1.example"), "RFC 8617 B");
	arc = auth_results_find(&all, STR("arc"), 0);
	CHECK_STR_EQ(arc->result, STR("pass"), "RFC 8617 B");
	rig_fini(&r);
}

static void
test_gathered(void)
{
	struct arc_chain chain;
	struct rig r;

	rig_init(&r);
	arc_chain_gather(rig_crlf(&r, SETS HEADER), &chain);
	CHECK_CSTR_EQ(chain.problem, NULL, "RFC 8617 B");
	CHECK_U64_EQ(chain.count, ARRAY_LEN(sets), "RFC 8617 B");
	for (size_t i = 0; i < ARRAY_LEN(sets) && i < chain.count; i++) {
		CHECK_STR_EQ(chain.sets[i].seal, rig_crlf(&r, sets[i].seal),
		             sets[i].what);
		CHECK_STR_EQ(chain.sets[i].message, rig_crlf(&r, sets[i].message),
		             sets[i].what);
		CHECK_STR_EQ(chain.sets[i].results, rig_crlf(&r, sets[i].results),
		             sets[i].what);
	}
	rig_fini(&r);
}

/* The chain as it stands, and with sets in which something is missing or out of place. */
static const struct {
	const char *what, *message, *reason;
	size_t count;
} chains[] = {
	{ "whole", SETS HEADER BODY, "the key cannot be found", 3 },
	{ "the first two",
	  SEAL_2 MESSAGE_2 RESULTS_2 SEAL_1 MESSAGE_1 RESULTS_1 HEADER BODY,
	  "the key cannot be found", 2 },
	{ "the first", SEAL_1 MESSAGE_1 RESULTS_1 HEADER BODY, "the key cannot be found",
	  1 },
	{ "in another order",
	  RESULTS_1 MESSAGE_3 SEAL_2 RESULTS_3 SEAL_1 MESSAGE_2 SEAL_3 RESULTS_2 MESSAGE_1
	          HEADER BODY,
	  "the key cannot be found", 3 },
	{ "another text", SETS HEADER BODY "more\n",
	  "the text was changed after the last seal", 3 },
	{ "without the second",
	  SEAL_3 MESSAGE_3 RESULTS_3 SEAL_1 MESSAGE_1 RESULTS_1 HEADER BODY, NULL, 3 },
	{ "without the first",
	  SEAL_3 MESSAGE_3 RESULTS_3 SEAL_2 MESSAGE_2 RESULTS_2 HEADER BODY, NULL, 3 },
	{ "the last one twice", SEAL_3 SETS HEADER BODY, NULL, 3 },
	{ "the last one without results",
	  SEAL_3 MESSAGE_3 SEAL_2 MESSAGE_2 RESULTS_2 SEAL_1 MESSAGE_1 RESULTS_1 HEADER
	          BODY,
	  NULL, 3 },
};

static void
test_chains(void)
{
	for (size_t i = 0; i < ARRAY_LEN(chains); i++) {
		struct arc_verdict v;
		struct rig r;

		rig_init(&r);
		v = rig_arc(&r, rig_crlf(&r, chains[i].message));
		CHECK_U64_EQ(v.result, ARC_FAIL, chains[i].what);
		CHECK_U64_EQ(v.count, chains[i].count, chains[i].what);
		CHECK_TRUE(!v.is_temporary, chains[i].what);
		if (chains[i].reason)
			CHECK_STR_EQ(v.reason, str_from(chains[i].reason),
			             chains[i].what);
		else
			CHECK_TRUE(!str_eq(v.reason, STR("the key cannot be found")),
			           chains[i].what);
		rig_fini(&r);
	}
}

/* Keys that DNS hides are another matter than keys that are not there. */
static void
test_hidden(void)
{
	struct arc_verdict v;
	struct rig r;

	rig_init(&r);
	rig_record(&r, "clochette._domainkey.clochette.example.org", NULL, DNS_TEMP);
	rig_record(&r, "20120806._domainkey.gmail.example", NULL, DNS_TEMP);
	rig_record(&r, "dk-lists._domainkey.lists.example.org", NULL, DNS_TEMP);
	v = rig_arc(&r, rig_crlf(&r, SETS HEADER BODY));
	CHECK_U64_EQ(v.result, ARC_FAIL, "RFC 8617 B");
	CHECK_TRUE(v.is_temporary, "RFC 8617 B");
	CHECK_U64_EQ(r.questions, 3, "RFC 8617 B: one question a set");
	rig_fini(&r);
}

SUITE(policy_arc_rfc, { "fields", test_fields }, { "author", test_author },
      { "gathered", test_gathered }, { "chains", test_chains },
      { "hidden keys", test_hidden });
