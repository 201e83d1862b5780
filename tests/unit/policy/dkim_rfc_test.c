/* What RFC 6376 shows, held against its text: 3.1, 3.4.3, 3.4.4, 3.5, 3.6.2.1, 3.10, 5.4
   and 5.4.2. 3.4.5 is in dkim_canon_test.c; the signed messages of A.2 and of RFC 8463
   A.3 are in dkim_verify_test.c with their keys. The hashes of SHA-1 in 3.4.3 and 3.4.4
   are left out: it is not computed (RFC 8301 3.1). B and D print no example. */
#include "policy/dkim_key.h"

#include "base/base64.h"
#include "tests/unit/check.h"
#include "tests/unit/policy/dkim_rig.h"

/* The hashes of bodies that are printed. */
static const struct {
	const char *what, *body, *hash;
	enum dkim_canon canon;
} hashes[] = {
	{ "RFC 6376 3.4.3, empty", "",
	  "frcCV1k9oG9oKj3dpUqdJg1PxRT2RSN/XKdLCPjaYaY=", DKIM_SIMPLE },
	{ "RFC 6376 3.4.3, a line end", "\r\n",
	  "frcCV1k9oG9oKj3dpUqdJg1PxRT2RSN/XKdLCPjaYaY=", DKIM_SIMPLE },
	{ "RFC 6376 3.4.4, empty", "",
	  "47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=", DKIM_RELAXED },
	{ "RFC 6376 A.2",
	  "Hi.\r\n\r\nWe lost the game. Are you hungry yet?\r\n\r\nJoe.\r\n",
	  "2jUSOH9NhtVGCQWNr9BrIAPreKQjO6Sn7XIkfJVOzv8=", DKIM_SIMPLE },
	{ "RFC 8463 A.3",
	  "Hi.\r\n\r\nWe lost the game.  Are you hungry yet?\r\n\r\nJoe.\r\n\r\n",
	  "2jUSOH9NhtVGCQWNr9BrIAPreKQjO6Sn7XIkfJVOzv8=", DKIM_RELAXED },
};

static void
test_hashes(void)
{
	for (size_t i = 0; i < ARRAY_LEN(hashes); i++) {
		struct arena *a = arena_new(1 << 20);
		struct dkim_hashes *h = dkim_hashes_new(a);
		struct strbuf text = strbuf_arena(a, 100);
		struct sha256 digest;

		(void)dkim_hashes_want(h, hashes[i].canon, DKIM_WHOLE);
		dkim_hashes_add(h, str_from(hashes[i].body));
		dkim_hashes_end(h);
		digest = dkim_hashes_result(h, 0);
		base64_format(&text, sha256_str(&digest));
		CHECK_STR_EQ(strbuf_str(&text), str_from(hashes[i].hash), hashes[i].what);
		dkim_hashes_free(&h);
		arena_free(&a);
	}
}

static void
test_field(void)
{
	static const char field[] =
		"DKIM-Signature: v=1; a=rsa-sha256; d=example.net; s=brisbane;\n"
		"   c=simple; q=dns/txt; i=@eng.example.net;\n"
		"   t=1117574938; x=1118006938;\n"
		"   h=from:to:subject:date;\n"
		"   z=From:foo@eng.example.net|To:joe@example.com|\n"
		"    Subject:demo=20run|Date:July=205,=202005=203:44:08=20PM=20-0700;\n"
		"   bh=MTIzNDU2Nzg5MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTI=;\n"
		"   b=dzdVyOfAKCdLXdJOc9G2q8LoXSlEniSbav+yuU4zGeeruD00lszZ"
		"VoG4ZHRNiYzR\n";
	struct dkim_signature s = { 0 };
	struct dkim_problem p;
	struct rig r;

	rig_init(&r);
	p = dkim_signature_parse(DKIM_FORM_SIGNATURE, rig_crlf(&r, field), r.arena, &s);
	CHECK_U64_EQ(p.result, DKIM_NONE, "RFC 6376 3.5");
	CHECK_U64_EQ(s.algorithm, DKIM_RSA_SHA256, "a=");
	CHECK_STR_EQ(s.domain, STR("example.net"), "d=");
	CHECK_STR_EQ(s.selector, STR("brisbane"), "s=");
	CHECK_STR_EQ(s.identity, STR("@eng.example.net"), "i=");
	CHECK_U64_EQ(s.header, DKIM_SIMPLE, "c=, header");
	CHECK_U64_EQ(s.body, DKIM_SIMPLE, "c=, body");
	CHECK_U64_EQ(s.made_s, 1117574938, "t=");
	CHECK_U64_EQ(s.expires_s, 1118006938, "x=");
	CHECK_U64_EQ(s.limit, DKIM_WHOLE, "no l=");
	CHECK_STR_EQ(s.names, STR("from:to:subject:date"), "h=");
	CHECK_STR_EQ(sha256_str(&s.body_hash), STR("12345678901234567890123456789012"),
	             "bh=");
	CHECK_STR_EQ(s.b_text,
	             STR("dzdVyOfAKCdLXdJOc9G2q8LoXSlEniSbav+yuU4zGeeruD00lszZ"
	                 "VoG4ZHRNiYzR"),
	             "b=");
	CHECK_U64_EQ(s.b.n, 48, "its bytes");
	rig_fini(&r);
}

#define BODY "Hi.\r\n"
#define PASS "pass: signed by example.com and unchanged"
#define LOST "fail: the signature does not fit: the header was changed on the way"

/* Signed with these tags over one header, looked at with another. */
static const struct {
	const char *what, *tags, *header, *arrived, *want;
} rows[] = {
	{ "RFC 6376 3.6.2.1, the name of a key",
	  "v=1; a=ed25519-sha256; c=relaxed/relaxed; d=example.com; s=foo.bar; h=from; "
	  "bh=@bh",
	  "From: a@example.com\n", "From: a@example.com\n", PASS },
	{ "RFC 6376 3.1, parts of a selector",
	  "v=1; a=ed25519-sha256; c=relaxed/relaxed; d=example.com; "
	  "s=march2005.reykjavik; h=from; bh=@bh",
	  "From: a@example.com\n", "From: a@example.com\n", PASS },
	{ "RFC 6376 5.4.2, the two lowest of three",
	  "v=1; a=ed25519-sha256; c=relaxed/relaxed; d=example.com; s=foo.bar; "
	  "h=received : from : received; bh=@bh",
	  "Received: A\nReceived: B\nReceived: C\nFrom: a@example.com\n",
	  "Received: X\nReceived: B\nReceived: C\nFrom: a@example.com\n", PASS },
	{ "RFC 6376 5.4.2, the second is signed",
	  "v=1; a=ed25519-sha256; c=relaxed/relaxed; d=example.com; s=foo.bar; "
	  "h=received : from : received; bh=@bh",
	  "Received: A\nReceived: B\nReceived: C\nFrom: a@example.com\n",
	  "Received: A\nReceived: X\nReceived: C\nFrom: a@example.com\n", LOST },
	{ "RFC 6376 5.4.2, the lowest is signed",
	  "v=1; a=ed25519-sha256; c=relaxed/relaxed; d=example.com; s=foo.bar; "
	  "h=received : from : received; bh=@bh",
	  "Received: A\nReceived: B\nReceived: C\nFrom: a@example.com\n",
	  "Received: A\nReceived: B\nReceived: X\nFrom: a@example.com\n", LOST },
	{ "RFC 6376 5.4.2, their order counts",
	  "v=1; a=ed25519-sha256; c=relaxed/relaxed; d=example.com; s=foo.bar; "
	  "h=received : from : received; bh=@bh",
	  "Received: A\nReceived: B\nReceived: C\nFrom: a@example.com\n",
	  "Received: A\nReceived: C\nReceived: B\nFrom: a@example.com\n", LOST },
	{ "RFC 6376 5.4, a field named once more",
	  "v=1; a=ed25519-sha256; c=relaxed/relaxed; d=example.com; s=foo.bar; "
	  "h=from:comments:comments; bh=@bh",
	  "Comments: one\nFrom: a@example.com\n", "Comments: one\nFrom: a@example.com\n",
	  PASS },
	{ "RFC 6376 5.4, another is added above",
	  "v=1; a=ed25519-sha256; c=relaxed/relaxed; d=example.com; s=foo.bar; "
	  "h=from:comments:comments; bh=@bh",
	  "Comments: one\nFrom: a@example.com\n",
	  "Comments: two\nComments: one\nFrom: a@example.com\n", LOST },
	{ "RFC 6376 5.4, another is added below",
	  "v=1; a=ed25519-sha256; c=relaxed/relaxed; d=example.com; s=foo.bar; "
	  "h=from:comments:comments; bh=@bh",
	  "Comments: one\nFrom: a@example.com\n",
	  "Comments: one\nComments: two\nFrom: a@example.com\n", LOST },
	{ "RFC 6376 5.4, named once another above does not count",
	  "v=1; a=ed25519-sha256; c=relaxed/relaxed; d=example.com; s=foo.bar; "
	  "h=from:comments; bh=@bh",
	  "Comments: one\nFrom: a@example.com\n",
	  "Comments: two\nComments: one\nFrom: a@example.com\n", PASS },
	{ "RFC 6376 3.10, a parent signs",
	  "v=1; a=ed25519-sha256; c=relaxed/relaxed; d=example.com; s=foo.bar; "
	  "i=@sub.example.com; h=from; bh=@bh",
	  "From: a@sub.example.com\n", "From: a@sub.example.com\n", PASS },
	{ "RFC 6376 3.10, where its key is for itself alone",
	  "v=1; a=ed25519-sha256; c=relaxed/relaxed; d=example.com; s=strict; "
	  "i=@sub.example.com; h=from; bh=@bh",
	  "From: a@sub.example.com\n", "From: a@sub.example.com\n",
	  "permerror: the key does not sign for names below its domain" },
};

static void
test_messages(void)
{
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct str field, message;
		struct rig r;

		rig_init(&r);
		rig_record(&r, "foo.bar._domainkey.example.com", RIG_KEY, DNS_OK);
		rig_record(&r, "march2005.reykjavik._domainkey.example.com", RIG_KEY,
		           DNS_OK);
		rig_record(&r, "strict._domainkey.example.com", RIG_KEY "; t=s", DNS_OK);
		field = rig_sign(&r, rows[i].tags, rig_crlf(&r, rows[i].header),
		                 STR(BODY), DKIM_WHOLE);
		message = arena_printf(r.arena, "%.*s%.*s\r\n" BODY, STR_ARG(field),
		                       STR_ARG(rig_crlf(&r, rows[i].arrived)));
		CHECK_STR_EQ(rig_verify(&r, message), str_from(rows[i].want),
		             rows[i].what);
		rig_fini(&r);
	}
}

SUITE(policy_dkim_rfc, { "hashes", test_hashes }, { "field", test_field },
      { "messages", test_messages });
