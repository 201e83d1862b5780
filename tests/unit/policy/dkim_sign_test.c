/* What we sign, our verifier passes; what it covers, and what it must not leave open. */
#include "policy/dkim_sign.h"

#include "tests/unit/check.h"
#include "tests/unit/policy/dkim_rig.h"

#define HEADER "From: ann@a.example\nTo: bob@b.example\nSubject: one\nDate: now\n"
#define BODY   "Hello,\n\n two  words \n\n\n"

static enum err
sign(struct rig *r, const struct dkim_signing_key *keys, size_t count, struct str header,
     struct str body, struct strbuf *out)
{
	struct dkim_signer *s = dkim_signer_new(r->arena);
	enum err e;

	dkim_signer_header(s, header);
	for (size_t i = 0; i < body.n; i++)
		dkim_signer_body(s, str_make(body.p + i, 1));
	e = dkim_signer_end(s, keys, count, RIG_NOW_MS, 7 * 86400, out);
	dkim_signer_free(&s);
	return e;
}

static struct str
join(struct rig *r, struct str a, struct str b, struct str c)
{
	return arena_printf(r->arena, "%.*s%.*s\r\n%.*s", STR_ARG(a), STR_ARG(b),
	                    STR_ARG(c));
}

static void
test_two_keys(void)
{
	struct crypto_key *rsa = crypto_key_generate(CRYPTO_RSA);
	struct str header, body, rest, line;
	struct dkim_signing_key keys[2];
	struct strbuf out, record;
	struct rig r;

	rig_init(&r);
	header = rig_crlf(&r, HEADER);
	body = rig_crlf(&r, BODY);
	out = strbuf_arena(r.arena, 1 << 16);
	record = strbuf_arena(r.arena, 1 << 12);
	strbuf_lit(&record, "v=DKIM1; p=");
	crypto_key_format_public(rsa, &record);
	rig_record(&r, "rsa._domainkey.a.example", strbuf_cstr(&record), DNS_OK);
	keys[0] = (struct dkim_signing_key){ STR("a.example"), STR("rsa"), rsa };
	keys[1] = (struct dkim_signing_key){ STR("a.example"), STR("k"), r.key };
	CHECK_ERR_EQ(sign(&r, keys, 2, header, body, &out), OK, "signs");
	CHECK_STR_EQ(rig_verify(&r, join(&r, strbuf_str(&out), header, body)),
	             STR("pass: signed by a.example and unchanged"), "RSA");
	CHECK_U64_EQ(r.count, 2, "two signatures");
	CHECK_U64_EQ(r.verdicts[1].result, DKIM_PASS, "Ed25519");
	CHECK_U64_EQ(r.verdicts[0].key_bits, 2048, "bits");
	rest = strbuf_str(&out);
	while (str_next(&rest, '\n', &line)) {
		CHECK_TRUE(line.n <= 78 + 1, "no line over 78 columns");
		CHECK_TRUE(str_ends(line, STR("\r")), "CRLF");
	}
	CHECK_TRUE(str_find_str(strbuf_str(&out), STR("t=1795439162; x=1796043962")) !=
	                   SIZE_MAX,
	           "times");
	CHECK_TRUE(str_find_str(strbuf_str(&out), STR("l=")) == SIZE_MAX, "never l=");
	rig_fini(&r);
	crypto_key_free(&rsa);
}

/* Fields that somebody adds on the way. */
static void
test_added(void)
{
	static const struct {
		const char *field, *want;
	} rows[] = {
		{ "Received: from x\r\n", "pass: signed by a.example and unchanged" },
		{ "List-Id: <x>\r\n", "pass: signed by a.example and unchanged" },
		{ "From: eve@e.example\r\n", NULL },
		{ "Reply-To: eve@e.example\r\n", NULL },
		{ "To: all@e.example\r\n", NULL },
		{ "Cc: all@e.example\r\n", NULL },
		{ "Subject: Buy\r\n", NULL },
		{ "Date: never\r\n", NULL },
		{ "Content-Type: text/html\r\n", NULL },
	};
	struct rig r;

	rig_init(&r);
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct str header = rig_crlf(&r, HEADER), body = rig_crlf(&r, BODY), m;
		struct dkim_signing_key key = { STR("a.example"), STR("k"), r.key };
		struct strbuf out = strbuf_arena(r.arena, 1 << 16);

		CHECK_ERR_EQ(sign(&r, &key, 1, header, body, &out), OK, "signs");
		strbuf_add(&out, str_from(rows[i].field));
		m = join(&r, strbuf_str(&out), header, body);
		CHECK_STR_EQ(rig_verify(&r, m),
		             rows[i].want ? str_from(rows[i].want)
		                          : STR("fail: the signature does not fit: the "
		                                "header was changed on the way"),
		             rows[i].field);
	}
	rig_fini(&r);
}

static void
test_refused(void)
{
	struct strbuf many, out;
	struct dkim_signing_key key;
	struct str header;
	struct rig r;

	rig_init(&r);
	key = (struct dkim_signing_key){ STR("a.example"), STR("k"), r.key };
	out = strbuf_arena(r.arena, 1 << 16);
	CHECK_ERR_EQ(sign(&r, &key, 1, STR("To: x\r\n"), STR(""), &out),
	             ERR_MESSAGE_SYNTAX, "no From");
	CHECK_ERR_EQ(sign(&r, &key, 1, STR("From: x\r\nfrom: y\r\n"), STR(""), &out),
	             ERR_MESSAGE_SYNTAX, "two");
	many = strbuf_arena(r.arena, 1 << 20);
	strbuf_lit(&many, "From: ann@a.example\r\n");
	for (size_t i = 0; i < 2000; i++)
		strbuf_lit(&many, "To: bob@b.example\r\n");
	header = strbuf_str(&many);
	CHECK_ERR_EQ(sign(&r, &key, 1, header, STR("x\r\n"), &out), OK,
	             "2,000 To fields");
	CHECK_STR_EQ(rig_verify(&r, join(&r, strbuf_str(&out), header, STR("x\r\n"))),
	             STR("pass: signed by a.example and unchanged"), "and it passes");
	CHECK_TRUE(out.n < 2000, "in a field of reasonable size");
	for (size_t i = 0; i < 4000; i++)
		strbuf_lit(&many, "To: bob@b.example\r\n");
	CHECK_ERR_EQ(sign(&r, &key, 1, strbuf_str(&many), STR("x\r\n"), &out),
	             ERR_MESSAGE_SYNTAX, "6,000 are too many");
	rig_fini(&r);
}

SUITE(policy_dkim_sign, { "two keys", test_two_keys }, { "added fields", test_added },
      { "refused", test_refused });
