/* The examples of RFC 6376 A.2 (with errata 3192 and 4926) and RFC 8463 A.3; then every
   rule by a signature that keeps to all others. */
#include "policy/dkim_verify.h"

#include "policy/dkim_hash.h"
#include "policy/dkim_signature.h"
#include "tests/unit/check.h"
#include "tests/unit/policy/dkim_rig.h"

/* clang-format off */
static const char rfc6376[] =
	"DKIM-Signature: v=1; a=rsa-sha256; s=brisbane; d=example.com;\n"
	"      c=simple/simple; q=dns/txt; i=joe@football.example.com;\n"
	"      h=Received : From : To : Subject : Date : Message-ID;\n"
	"      bh=2jUSOH9NhtVGCQWNr9BrIAPreKQjO6Sn7XIkfJVOzv8=;\n"
	"      b=AuUoFEfDxTDkHlLXSZEpZj79LICEps6eda7W3deTVFOk4yAUoqOB\n"
	"      4nujc7YopdG5dWLSdNg6xNAZpOPr+kHxt1IrE+NahM6L/LbvaHut\n"
	"      KVdkLLkpVaVVQPzeRDI009SO2Il5Lu7rDNH6mZckBdrIx0orEtZV\n"
	"      4bmp/YzhwvcubU4=;\n"
	"Received: from client1.football.example.com  [192.0.2.1]\n"
	"      by submitserver.example.com with SUBMISSION;\n"
	"      Fri, 11 Jul 2003 21:01:54 -0700 (PDT)\n"
	"From: Joe SixPack <joe@football.example.com>\n"
	"To: Suzie Q <suzie@shopping.example.net>\n"
	"Subject: Is dinner ready?\n"
	"Date: Fri, 11 Jul 2003 21:00:37 -0700 (PDT)\n"
	"Message-ID: <20030712040037.46341.5F8J@football.example.com>\n"
	"\n"
	"Hi.\n\nWe lost the game. Are you hungry yet?\n\nJoe.\n";
static const char rfc6376_key[] =
	"v=DKIM1; p=MIGfMA0GCSqGSIb3DQEBAQUAA4GNADCBiQKBgQDwIRP/UC3SBsEmGqZ9ZJW3/DkMoGeLn"
	"Qg1fWn7/zYtIxN2SnFCjxOCKG9v3b4jYfcTNh5ijSsq631uBItLa7od+v/RtdC2UzJ1lWT947qR+Rcac"
	"2gbto/NMqJ0fzfVjH4OuKhitdY9tf6mcwGjaNBcWToIMmPSPDdQPNUYckcQ2QIDAQAB";

static const char rfc8463[] =
	"DKIM-Signature: v=1; a=ed25519-sha256; c=relaxed/relaxed;\n"
	" d=football.example.com; i=@football.example.com;\n"
	" q=dns/txt; s=brisbane; t=1528637909; h=from : to :\n"
	" subject : date : message-id : from : subject : date;\n"
	" bh=2jUSOH9NhtVGCQWNr9BrIAPreKQjO6Sn7XIkfJVOzv8=;\n"
	" b=/gCrinpcQOoIfuHNQIbq4pgh9kyIK3AQUdt9OdqQehSwhEIug4D11Bus\n"
	" Fa3bT3FY5OsU7ZbnKELq+eXdp1Q1Dw==\n"
	"DKIM-Signature: v=1; a=rsa-sha256; c=relaxed/relaxed;\n"
	" d=football.example.com; i=@football.example.com;\n"
	" q=dns/txt; s=test; t=1528637909; h=from : to : subject :\n"
	" date : message-id : from : subject : date;\n"
	" bh=2jUSOH9NhtVGCQWNr9BrIAPreKQjO6Sn7XIkfJVOzv8=;\n"
	" b=F45dVWDfMbQDGHJFlXUNB2HKfbCeLRyhDXgFpEL8GwpsRe0IeIixNTe3\n"
	" DhCVlUrSjV4BwcVcOF6+FF3Zo9Rpo1tFOeS9mPYQTnGdaSGsgeefOsk2Jz\n"
	" dA+L10TeYt9BgDfQNZtKdN1WO//KgIqXP7OdEFE4LjFYNcUxZQ4FADY+8=\n"
	"From: Joe SixPack <joe@football.example.com>\n"
	"To: Suzie Q <suzie@shopping.example.net>\n"
	"Subject: Is dinner ready?\n"
	"Date: Fri, 11 Jul 2003 21:00:37 -0700 (PDT)\n"
	"Message-ID: <20030712040037.46341.5F8J@football.example.com>\n"
	"\n"
	"Hi.\n\nWe lost the game.  Are you hungry yet?\n\nJoe.\n\n";
static const char rfc8463_rsa[] =
	"v=DKIM1; k=rsa; p=MIGfMA0GCSqGSIb3DQEBAQUAA4GNADCBiQKBgQDkHlOQoBTzWRiGs5V6NpP3id"
	"Y6Wk08a5qhdR6wy5bdOKb2jLQiY/J16JYi0Qvx/byYzCNb3W91y3FutACDfzwQ/BC/e/8uBsCR+yz1Lx"
	"j+PL6lHvqMKrM3rG4hstT5QjvHO9PzoxZyVYLzBfO2EeC3Ip3G+2kryOTIKT+l/K4w3QIDAQAB";
/* RFC 6376 C and RFC 8463 A.1 */
static const char rfc6376_private[] =
	"-----BEGIN RSA PRIVATE KEY-----\n"
	"MIICXwIBAAKBgQDwIRP/UC3SBsEmGqZ9ZJW3/DkMoGeLnQg1fWn7/zYtIxN2SnFC\n"
	"jxOCKG9v3b4jYfcTNh5ijSsq631uBItLa7od+v/RtdC2UzJ1lWT947qR+Rcac2gb\n"
	"to/NMqJ0fzfVjH4OuKhitdY9tf6mcwGjaNBcWToIMmPSPDdQPNUYckcQ2QIDAQAB\n"
	"AoGBALmn+XwWk7akvkUlqb+dOxyLB9i5VBVfje89Teolwc9YJT36BGN/l4e0l6QX\n"
	"/1//6DWUTB3KI6wFcm7TWJcxbS0tcKZX7FsJvUz1SbQnkS54DJck1EZO/BLa5ckJ\n"
	"gAYIaqlA9C0ZwM6i58lLlPadX/rtHb7pWzeNcZHjKrjM461ZAkEA+itss2nRlmyO\n"
	"n1/5yDyCluST4dQfO8kAB3toSEVc7DeFeDhnC1mZdjASZNvdHS4gbLIA1hUGEF9m\n"
	"3hKsGUMMPwJBAPW5v/U+AWTADFCS22t72NUurgzeAbzb1HWMqO4y4+9Hpjk5wvL/\n"
	"eVYizyuce3/fGke7aRYw/ADKygMJdW8H/OcCQQDz5OQb4j2QDpPZc0Nc4QlbvMsj\n"
	"7p7otWRO5xRa6SzXqqV3+F0VpqvDmshEBkoCydaYwc2o6WQ5EBmExeV8124XAkEA\n"
	"qZzGsIxVP+sEVRWZmW6KNFSdVUpk3qzK0Tz/WjQMe5z0UunY9Ax9/4PVhp/j61bf\n"
	"eAYXunajbBSOLlx4D+TunwJBANkPI5S9iylsbLs6NkaMHV6k5ioHBBmgCak95JGX\n"
	"GMot/L2x0IYyMLAz6oLWh2hm7zwtb0CgOrPo1ke44hFYnfc=\n"
	"-----END RSA PRIVATE KEY-----\n";
static const char rfc8463_private[] =
	"-----BEGIN RSA PRIVATE KEY-----\n"
	"MIICXQIBAAKBgQDkHlOQoBTzWRiGs5V6NpP3idY6Wk08a5qhdR6wy5bdOKb2jLQi\n"
	"Y/J16JYi0Qvx/byYzCNb3W91y3FutACDfzwQ/BC/e/8uBsCR+yz1Lxj+PL6lHvqM\n"
	"KrM3rG4hstT5QjvHO9PzoxZyVYLzBfO2EeC3Ip3G+2kryOTIKT+l/K4w3QIDAQAB\n"
	"AoGAH0cxOhFZDgzXWhDhnAJDw5s4roOXN4OhjiXa8W7Y3rhX3FJqmJSPuC8N9vQm\n"
	"6SVbaLAE4SG5mLMueHlh4KXffEpuLEiNp9Ss3O4YfLiQpbRqE7Tm5SxKjvvQoZZe\n"
	"zHorimOaChRL2it47iuWxzxSiRMv4c+j70GiWdxXnxe4UoECQQDzJB/0U58W7RZy\n"
	"6enGVj2kWF732CoWFZWzi1FicudrBFoy63QwcowpoCazKtvZGMNlPWnC7x/6o8Gc\n"
	"uSe0ga2xAkEA8C7PipPm1/1fTRQvj1o/dDmZp243044ZNyxjg+/OPN0oWCbXIGxy\n"
	"WvmZbXriOWoSALJTjExEgraHEgnXssuk7QJBALl5ICsYMu6hMxO73gnfNayNgPxd\n"
	"WFV6Z7ULnKyV7HSVYF0hgYOHjeYe9gaMtiJYoo0zGN+L3AAtNP9huqkWlzECQE1a\n"
	"licIeVlo1e+qJ6Mgqr0Q7Aa7falZ448ccbSFYEPD6oFxiOl9Y9se9iYHZKKfIcst\n"
	"o7DUw1/hz2Ck4N5JrgUCQQCyKveNvjzkkd8HjYs0SwM0fPjK16//5qDZ2UiDGnOe\n"
	"uEzxBDAr518Z8VFbR41in3W4Y3yCDgQlLlcETrS+zYcL\n"
	"-----END RSA PRIVATE KEY-----\n";
/* clang-format on */

static void
test_rfc6376(void)
{
	struct rig r;

	rig_init(&r);
	rig_record(&r, "brisbane._domainkey.example.com", rfc6376_key, DNS_OK);
	CHECK_STR_EQ(rig_verify(&r, rig_crlf(&r, rfc6376)),
	             STR("pass: signed by example.com and unchanged"), "RFC 6376 A.2");
	CHECK_STR_EQ(r.verdicts[0].identity, STR("joe@football.example.com"), "i=");
	CHECK_STR_EQ(r.verdicts[0].selector, STR("brisbane"), "s=");
	/* Whole: a beginning may not tell it from another one (RFC 6008 4). */
	CHECK_TRUE(str_starts(r.verdicts[0].signature, STR("AuUoFEfDxTDkHlLXSZEpZj79")) &&
	                   r.verdicts[0].signature.n > 100,
	           "header.b");
	CHECK_U64_EQ(r.verdicts[0].key_bits, 1024, "bits");
	CHECK_CSTR_EQ(r.verdicts[0].algorithm, "rsa-sha256", "a=");
	rig_fini(&r);
}

/* The record of a private key that is printed is the one that is printed. */
static void
test_published(void)
{
	static const struct {
		const char *what, *private, *record;
	} keys[] = {
		{ "RFC 6376 C", rfc6376_private, rfc6376_key },
		{ "RFC 8463 A.2", rfc8463_private, rfc8463_rsa },
	};

	for (size_t i = 0; i < ARRAY_LEN(keys); i++) {
		char room[1024];
		struct strbuf text = strbuf_on(room);
		struct crypto_key *key = NULL;

		CHECK_ERR_EQ(crypto_key_parse_private(str_from(keys[i].private), &key),
		             OK, keys[i].what);
		strbuf_lit(&text, "p=");
		crypto_key_format_public(key, &text);
		CHECK_TRUE(str_ends(str_from(keys[i].record), strbuf_str(&text)),
		           keys[i].what);
		crypto_key_free(&key);
	}
}

static void
test_rfc8463(void)
{
	struct rig r;

	rig_init(&r);
	rig_record(&r, "brisbane._domainkey.football.example.com", RIG_KEY, DNS_OK);
	rig_record(&r, "test._domainkey.football.example.com", rfc8463_rsa, DNS_OK);
	CHECK_STR_EQ(rig_verify(&r, rig_crlf(&r, rfc8463)),
	             STR("pass: signed by football.example.com and unchanged"),
	             "RFC 8463 A.3");
	CHECK_U64_EQ(r.count, 2, "two signatures");
	CHECK_U64_EQ(r.verdicts[1].result, DKIM_PASS, "RSA");
	CHECK_CSTR_EQ(r.verdicts[0].algorithm, "ed25519-sha256", "a=");
	CHECK_U64_EQ(r.questions, 2, "both keys at once");
	rig_fini(&r);
}

/* Signing with the private keys that are printed makes the signatures that are printed:
   RSA with SHA-256 and Ed25519 leave nothing to chance. */
static void
test_signed_again(void)
{
	static const struct {
		const char *what, *message, *key; /* key NULL: the rig's, RFC 8463 A.1 */
		size_t field;
	} vectors[] = {
		{ "RFC 6376 A.2", rfc6376, rfc6376_private, 0 },
		{ "RFC 8463 A.3, Ed25519", rfc8463, NULL, 0 },
		{ "RFC 8463 A.3, RSA", rfc8463, rfc8463_private, 1 },
	};

	for (size_t i = 0; i < ARRAY_LEN(vectors); i++) {
		const char *what = vectors[i].what;
		struct crypto_key *key = NULL;
		struct dkim_signature s = { 0 };
		struct dkim_fields *fields;
		struct dkim_problem p;
		struct str header, body;
		struct sha256 digest;
		struct strbuf made;
		struct rig r;

		rig_init(&r);
		rig_split(rig_crlf(&r, vectors[i].message), &header, &body);
		fields = dkim_fields_new(r.arena, header);
		p = dkim_signature_parse(
			DKIM_FORM_SIGNATURE,
			dkim_fields_at(fields, STR("DKIM-Signature"), vectors[i].field),
			r.arena, &s);
		CHECK_U64_EQ(p.result, DKIM_NONE, what);
		if (vectors[i].key)
			CHECK_ERR_EQ(
				crypto_key_parse_private(str_from(vectors[i].key), &key),
				OK, what);
		digest = dkim_signature_hash(&s, fields);
		made = strbuf_arena(r.arena, CRYPTO_SIGNATURE_MAX);
		CHECK_ERR_EQ(crypto_key_sign(key ? key : r.key, &digest, &made), OK,
		             what);
		CHECK_STR_EQ(strbuf_str(&made), s.b, what);
		crypto_key_free(&key);
		rig_fini(&r);
	}
}

#define HEADER "From: ann@a.example\nTo: bob@b.example\nSubject: one\nSubject: two\n"
#define BODY   "Hello,\n\n two  words \n\n\n"
#define TAGS   "v=1; a=ed25519-sha256; c=relaxed/relaxed; d=a.example; s=k; "
#define GOOD   TAGS "h=from:to:subject; bh=@bh"
#define PASS   "pass: signed by a.example and unchanged"

/* Signatures over HEADER and BODY; what the verdict says. */
static const struct row {
	const char *what, *tags, *want;
} rows[] = {
	{ "all is well", GOOD, PASS },
	{ "simple",
	  "v=1; a=ed25519-sha256; c=simple/simple; d=a.example; s=k; h=from; "
	  "bh=@bh",
	  PASS },
	{ "relaxed header, simple body",
	  "v=1; a=ed25519-sha256; c=relaxed/simple; d=a.example; s=k; h=from; bh=@bh",
	  PASS },
	{ "simple header, relaxed body",
	  "v=1; a=ed25519-sha256; c=simple/relaxed; d=a.example; s=k; h=from; bh=@bh",
	  PASS },
	{ "folds anywhere",
	  "v = 1 ;\r\n a\r\n =\r\n ed25519-sha256; c=relaxed/relaxed;\r\n\td = a.example;"
	  "s= k ;h=from\r\n : to :\r\n subject; bh=\r\n @bh",
	  PASS },
	{ "other tags", GOOD "; foo=bar; z=From:x|To:y", PASS },
	{ "upper case domain",
	  "v=1; a=ed25519-sha256; c=relaxed/relaxed; d=A.Example; s=K; h=from; bh=@bh",
	  PASS },
	{ "names in any case", TAGS "h=FROM:To; bh=@bh", PASS },
	{ "fields that are not there", TAGS "h=from:x-none:from:from; bh=@bh", PASS },
	{ "i= below d=", GOOD "; i=x@news.a.example", PASS },
	{ "i= without a local part", GOOD "; i=@a.example", PASS },
	{ "i= elsewhere", GOOD "; i=x@b.example",
	  "permerror: the identity (i=) is not of the signing domain" },
	{ "i= that only ends so", GOOD "; i=x@ba.example",
	  "permerror: the identity (i=) is not of the signing domain" },
	{ "i= is no address", GOOD "; i=a.example",
	  "neutral: the identity (i=) is no address" },
	{ "version 2", "v=2; a=ed25519-sha256; d=a.example; s=k; h=from; bh=@bh",
	  "neutral: the signature is of another version" },
	{ "version 01", "v=01; a=ed25519-sha256; d=a.example; s=k; h=from; bh=@bh",
	  "neutral: the signature is of another version" },
	{ "no version", "a=ed25519-sha256; d=a.example; s=k; h=from; bh=@bh",
	  "neutral: the signature's version (v=) is missing" },
	{ "no algorithm", "v=1; d=a.example; s=k; h=from; bh=@bh",
	  "neutral: the signature's algorithm (a=) is missing" },
	{ "unknown algorithm", "v=1; a=rsa-md5; d=a.example; s=k; h=from; bh=@bh",
	  "neutral: the signature is made in a way that is not known here" },
	{ "no domain", "v=1; a=ed25519-sha256; s=k; h=from; bh=@bh",
	  "neutral: the signing domain (d=) is missing" },
	{ "no domain name", "v=1; a=ed25519-sha256; d=a b; s=k; h=from; bh=@bh",
	  "neutral: the signing domain is no domain name" },
	{ "a top level alone", "v=1; a=ed25519-sha256; d=example; s=k; h=from; bh=@bh",
	  "neutral: the signing domain is no domain name" },
	{ "no selector", "v=1; a=ed25519-sha256; d=a.example; h=from; bh=@bh",
	  "neutral: the name of the key (s=) is missing" },
	{ "no list of fields", TAGS "bh=@bh",
	  "neutral: the list of signed header fields (h=) is missing" },
	{ "From not signed", TAGS "h=to:subject; bh=@bh",
	  "permerror: the sender's field (From) is not signed" },
	{ "no body hash", TAGS "h=from",
	  "neutral: the hash of the text (bh=) is missing" },
	{ "a short body hash", TAGS "h=from; bh=AAAA",
	  "neutral: the hash of the text has the wrong length" },
	{ "no base64", TAGS "h=from; bh=?",
	  "neutral: the hash of the text cannot be read" },
	{ "the hash of another body",
	  TAGS "h=from; bh=AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=",
	  "fail: the text was changed on the way" },
	{ "unknown canonicalisation",
	  "v=1; a=ed25519-sha256; c=nofws; d=a.example; s=k; h=from; bh=@bh",
	  "neutral: the canonicalisation is not known here" },
	{ "empty body canonicalisation",
	  "v=1; a=ed25519-sha256; c=relaxed/; d=a.example; s=k; h=from; bh=@bh",
	  "neutral: the canonicalisation is not known here" },
	{ "a tag twice", GOOD "; s=k", "neutral: a tag stands twice in the signature" },
	{ "two semicolons", GOOD ";; x=1",
	  "neutral: the signature field cannot be read" },
	{ "no tag", GOOD "; hello", "neutral: the signature field cannot be read" },
	{ "query dns/txt among others", GOOD "; q=foo/bar:dns/txt", PASS },
	{ "another query", GOOD "; q=http",
	  "neutral: the key is to be looked for in a way that is not known here" },
	{ "not expired", GOOD "; t=1795439000; x=1795439163", PASS },
	{ "expired", GOOD "; t=1795400000; x=1795439161",
	  "policy: the signature has expired" },
	{ "ends before it begins", GOOD "; t=1795439000; x=1795438999",
	  "neutral: the signature does not end after it was made" },
	{ "ends as it begins", GOOD "; t=1795439163; x=1795439163",
	  "neutral: the signature does not end after it was made" },
	{ "t= is no number", GOOD "; t=now",
	  "neutral: the time of the signature is no number" },
	{ "x= is no number", GOOD "; x=-1",
	  "neutral: the end of the signature's validity is no number" },
	{ "x= far away", GOOD "; x=99999999999999999999999999999999", PASS },
	{ "made tomorrow", GOOD "; t=1795439262", PASS },
	{ "made next month", GOOD "; t=1798439262",
	  "policy: the signature is dated in the future" },
	{ "l= is no number", GOOD "; l=x",
	  "neutral: the length of the signed text (l=) is no number" },
	{ "l= longer than the body", GOOD "; l=1000",
	  "fail: the text was cut on the way" },
	{ "no key", "v=1; a=ed25519-sha256; d=a.example; s=none; h=from; bh=@bh",
	  "permerror: the key cannot be found" },
	{ "SHA-1", "v=1; a=rsa-sha1; d=a.example; s=rsa; h=from; bh=@bh",
	  "policy: signed with SHA-1, which is too easily forged" },
	{ "DNS is silent", "v=1; a=ed25519-sha256; d=a.example; s=lost; h=from; bh=@bh",
	  "temperror: the key cannot be asked for: DNS did not answer" },
	{ "wrong kind of key", "v=1; a=rsa-sha256; d=a.example; s=k; h=from; bh=@bh",
	  "permerror: key and signature are of different kinds" },
};

static void
add_records(struct rig *r)
{
	rig_record(r, "lost._domainkey.a.example", NULL, DNS_TEMP);
	rig_record(r, "rsa._domainkey.a.example", rfc8463_rsa, DNS_OK);
}

static struct str
signed_message(struct rig *r, const char *tags, uint64_t limit)
{
	struct str header = rig_crlf(r, HEADER), body = rig_crlf(r, BODY);
	struct str field = rig_sign(r, tags, header, body, limit);

	return arena_printf(r->arena, "%.*s%.*s\r\n%.*s", STR_ARG(field), STR_ARG(header),
	                    STR_ARG(body));
}

static void
test_rules(void)
{
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct rig r;

		rig_init(&r);
		add_records(&r);
		CHECK_STR_EQ(rig_verify(&r, signed_message(&r, rows[i].tags, DKIM_WHOLE)),
		             str_from(rows[i].want), rows[i].what);
		rig_fini(&r);
	}
}

/* What happens to a good message on its way: text, replaced by another. */
static const struct change {
	const char *what, *canon, *from, *to, *want;
} changes[] = {
	{ "a letter of the text", "relaxed/relaxed", "Hello", "Hallo",
	  "fail: the text was changed on the way" },
	{ "a letter of a field", "relaxed/relaxed", "To: bob", "To: rob",
	  "fail: the signature does not fit: the header was changed on the way" },
	{ "a field that is not signed", "relaxed/relaxed",
	  "From: ", "Received: from x\r\nFrom: ", PASS },
	{ "refolded", "relaxed/relaxed", "Subject: one", "SUBJECT :\r\n   one ", PASS },
	{ "refolded, simple", "simple/relaxed", "Subject: two", "Subject:\r\n two",
	  "fail: the signature does not fit: the header was changed on the way" },
	{ "one more space in the text", "relaxed/relaxed", " two  words \r\n",
	  "\ttwo words\t\t\r\n", PASS },
	{ "one more space in the text, simple", "relaxed/simple", "two  words",
	  "two words", "fail: the text was changed on the way" },
	{ "no empty lines at the end", "simple/simple", "words \r\n\r\n\r\n",
	  "words \r\n", PASS },
	{ "no line end at the end", "simple/simple", "words \r\n\r\n\r\n", "words ",
	  PASS },
	{ "a second Subject above is not the one", "relaxed/relaxed",
	  "From: ", "Subject: zero\r\nFrom: ", PASS },
	{ "a second Subject below is", "relaxed/relaxed", "two\r\n",
	  "two\r\nSubject: three\r\n",
	  "fail: the signature does not fit: the header was changed on the way" },
	{ "a second From, which was oversigned", "relaxed/relaxed", "To: bob",
	  "From: eve@e.example\r\nTo: bob",
	  "fail: the signature does not fit: the header was changed on the way" },
	{ "and on top", "relaxed/relaxed",
	  "DKIM-Signature:", "From: eve@e.example\r\nDKIM-Signature:",
	  "fail: the signature does not fit: the header was changed on the way" },
};

static void
test_changes(void)
{
	for (size_t i = 0; i < ARRAY_LEN(changes); i++) {
		const struct change *c = &changes[i];
		struct str message, tags;
		struct rig r;

		rig_init(&r);
		tags = arena_printf(r.arena,
		                    "v=1; a=ed25519-sha256; c=%s; d=a.example; s=k; "
		                    "h=from:from:to:subject:subject; bh=@bh%c",
		                    c->canon, '\0');
		message = signed_message(&r, tags.p, DKIM_WHOLE);
		CHECK_STR_EQ(rig_verify(&r, message), str_from(PASS), "before");
		message = rig_replace(&r, message, c->from, c->to);
		CHECK_STR_EQ(rig_verify(&r, message), str_from(c->want), c->what);
		rig_fini(&r);
	}
}

/* "Hello,\r\n\r\n two words\r\n" is what counts: 22 bytes. */
static void
test_length(void)
{
	static const struct {
		const char *what, *tags, *more, *want;
		uint64_t limit;
	} lengths[] = {
		{ "all of it", GOOD "; l=22", "", PASS, 22 },
		{ "all but one byte", GOOD "; l=21", "",
		  "policy: the signature covers a part of the text only (l=)", 21 },
		{ "nothing", GOOD "; l=0", "",
		  "policy: the signature covers a part of the text only (l=)", 0 },
		{ "more behind it", GOOD "; l=22", "Buy now!\r\n",
		  "policy: the signature covers a part of the text only (l=)", 22 },
		{ "a changed start", GOOD "; l=20", "",
		  "fail: the text was changed on the way", 19 },
	};

	for (size_t i = 0; i < ARRAY_LEN(lengths); i++) {
		struct str message;
		struct rig r;

		rig_init(&r);
		message = signed_message(&r, lengths[i].tags, lengths[i].limit);
		message = arena_printf(r.arena, "%.*s%s", STR_ARG(message),
		                       lengths[i].more);
		CHECK_STR_EQ(rig_verify(&r, message), str_from(lengths[i].want),
		             lengths[i].what);
		rig_fini(&r);
	}
}

#define P "p=11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo="

/* Key records for a good signature. */
static const struct {
	const char *what, *record, *second, *tags, *want;
} keys[] = {
	{ "as it should be", "v=DKIM1; k=ed25519; " P, NULL, "", PASS },
	{ "without a version", "k=ed25519; " P, NULL, "", PASS },
	{ "with white space",
	  " v = DKIM1 ;\tk=ed25519 ; p = 11qYAYKxCrfVS/7TyWQHOg7hcvPap "
	  "iMlrwIaaPcHURo= ; ",
	  NULL, "", PASS },
	{ "notes and g= are passed over", "v=DKIM1; n=hi there; g=nobody; k=ed25519; " P,
	  NULL, "", PASS },
	{ "for mail", "v=DKIM1; s=other:email; k=ed25519; " P, NULL, "", PASS },
	{ "for all", "v=DKIM1; s=*; k=ed25519; " P, NULL, "", PASS },
	{ "for something else", "v=DKIM1; s=chat; k=ed25519; " P, NULL, "",
	  "permerror: the key is not for mail" },
	{ "sha256 among others", "v=DKIM1; h=sha1:sha256; k=ed25519; " P, NULL, "",
	  PASS },
	{ "another hash", "v=DKIM1; h=sha1; k=ed25519; " P, NULL, "",
	  "permerror: the key does not allow this way of signing" },
	{ "in testing", "v=DKIM1; t=y; k=ed25519; " P, NULL, "", PASS },
	{ "strict, and so is i=", "v=DKIM1; t=s; k=ed25519; " P, NULL, "; i=x@a.example",
	  PASS },
	{ "strict, and i= is below", "v=DKIM1; t=y:s; k=ed25519; " P, NULL,
	  "; i=x@b.a.example",
	  "permerror: the key does not sign for names below its domain" },
	{ "revoked", "v=DKIM1; k=ed25519; p=", NULL, "",
	  "permerror: the key has been revoked" },
	{ "without a key", "v=DKIM1; k=ed25519", NULL, "",
	  "permerror: the published key cannot be read" },
	{ "of another version", "v=DKIM2; k=ed25519; " P, NULL, "",
	  "permerror: there is a record, and it is no DKIM key" },
	{ "with the version behind", "k=ed25519; v=DKIM1; " P, NULL, "",
	  "permerror: there is a record, and it is no DKIM key" },
	{ "with quotes in it", "\"v=DKIM1; k=ed25519; " P "\"", NULL, "",
	  "permerror: the published key cannot be read" },
	{ "with a quote in the key",
	  "v=DKIM1; k=ed25519; p=11qYAYKxCrfVS/7T\" \"yWQHOg7hc", NULL, "",
	  "permerror: the published key cannot be read" },
	{ "of an unknown kind", "v=DKIM1; k=ed448; " P, NULL, "",
	  "permerror: the key is of a kind that is not known here" },
	{ "too short", "v=DKIM1; k=ed25519; p=11qY", NULL, "",
	  "permerror: the published key cannot be read" },
	{ "another key",
	  "v=DKIM1; k=ed25519; p=pP+YUyRjAvKha4Oc49KAY703oLUS1NLMEuGD3IHMKww=", NULL, "",
	  "fail: the signature does not fit: the header was changed on the way" },
	{ "empty", "", NULL, "", "permerror: the published key cannot be read" },
	{ "the second of two", "v=spf1 -all", "v=DKIM1; k=ed25519; " P, "", PASS },
	{ "the first of two", "v=DKIM1; k=ed25519; " P, "v=DKIM1; p=", "", PASS },
	{ "two, and none fits",
	  "v=DKIM1; k=ed25519; p=pP+YUyRjAvKha4Oc49KAY703oLUS1NLMEuGD3IHMKww=",
	  "v=DKIM1; p=", "",
	  "fail: the signature does not fit: the header was changed on the way" },
};

static void
test_keys(void)
{
	for (size_t i = 0; i < ARRAY_LEN(keys); i++) {
		struct str tags;
		struct rig r;

		rig_init(&r);
		r.record_count = 0;
		rig_record(&r, "k._domainkey.a.example", keys[i].record, DNS_OK);
		if (keys[i].second)
			rig_record(&r, "k._domainkey.a.example", keys[i].second, DNS_OK);
		tags = arena_printf(r.arena, "%s%s%c", GOOD, keys[i].tags, '\0');
		CHECK_STR_EQ(rig_verify(&r, signed_message(&r, tags.p, DKIM_WHOLE)),
		             str_from(keys[i].want), keys[i].what);
		CHECK_TRUE(r.verdicts[0].is_testing ==
		                   (strstr(keys[i].record, "t=y") != NULL),
		           keys[i].what);
		rig_fini(&r);
	}
}

static void
test_none(void)
{
	struct rig r;

	rig_init(&r);
	CHECK_STR_EQ(rig_verify(&r, STR("From: a@a.example\r\n\r\nx\r\n")), STR("none"),
	             "not signed");
	CHECK_STR_EQ(rig_verify(&r, STR("")), STR("none"), "nothing at all");
	CHECK_STR_EQ(rig_verify(&r, STR("X: DKIM-Signature: v=1\r\n\r\nx\r\n")),
	             STR("none"), "elsewhere");
	CHECK_STR_EQ(rig_verify(&r, STR("From: a@a.example\r\nDKIM-Signature:\r\n\r\n")),
	             STR("neutral: the signature field cannot be read"), "empty");
	rig_fini(&r);
}

/* --- what a stranger may try -------------------------------------------------------- */

static void
test_many_signatures(void)
{
	struct strbuf m;
	struct str header, body, field;
	struct rig r;

	rig_init(&r);
	header = rig_crlf(&r, HEADER);
	body = rig_crlf(&r, BODY);
	field = rig_sign(&r, GOOD, header, body, DKIM_WHOLE);
	m = strbuf_arena(r.arena, 4 << 20);
	for (size_t i = 0; i < 3000; i++)
		strbuf_add(&m, field);
	strbuf_add(&m, header);
	strbuf_lit(&m, "\r\n");
	strbuf_add(&m, body);
	CHECK_STR_EQ(rig_verify(&r, strbuf_str(&m)), STR(PASS), "the first ones pass");
	CHECK_U64_EQ(r.count, 20, "so many are told");
	CHECK_U64_EQ(r.verdicts[DKIM_SIGNATURES_MAX - 1].result, DKIM_PASS, "the tenth");
	CHECK_U64_EQ(r.verdicts[DKIM_SIGNATURES_MAX].result, DKIM_POLICY, "the eleventh");
	CHECK_U64_EQ(r.questions, 1, "one question for all");
	rig_fini(&r);
}

static void
test_many_fields(void)
{
	struct str header, field;
	struct strbuf m;
	struct rig r;

	rig_init(&r);
	header = rig_crlf(&r, HEADER);
	field = rig_sign(&r, GOOD, header, STR("x\r\n"), DKIM_WHOLE);
	m = strbuf_arena(r.arena, 4 << 20);
	strbuf_add(&m, field);
	for (size_t i = 0; i < 100000; i++)
		strbuf_printf(&m, "X%zu: y\r\n", i % 1000);
	strbuf_add(&m, header);
	strbuf_lit(&m, "\r\nx\r\n");
	CHECK_STR_EQ(rig_verify(&r, strbuf_str(&m)),
	             STR("permerror: the message has too many header fields"),
	             "100,000 fields");
	rig_fini(&r);
}

static void
test_long_list(void)
{
	struct strbuf m;
	struct rig r;

	rig_init(&r);
	m = strbuf_arena(r.arena, 4 << 20);
	strbuf_lit(&m, "DKIM-Signature: v=1; a=ed25519-sha256; d=a.example; s=k; b=AAAA; "
	               "bh=AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=; h=from");
	for (size_t i = 0; i < 1001; i++)
		strbuf_lit(&m, ":x");
	strbuf_lit(&m, "\r\nFrom: a@a.example\r\n\r\n");
	CHECK_STR_EQ(rig_verify(&r, strbuf_str(&m)),
	             STR("permerror: the signature names too many header fields"),
	             "1,002 names");
	strbuf_truncate(&m, m.n - strlen("\r\nFrom: a@a.example\r\n\r\n"));
	for (size_t i = 0; i < (1 << 20) / 2; i++)
		strbuf_lit(&m, ":x");
	strbuf_lit(&m, "\r\nFrom: a@a.example\r\n\r\n");
	CHECK_STR_EQ(rig_verify(&r, strbuf_str(&m)),
	             STR("neutral: the signature field is too long"), "1 MiB");
	rig_fini(&r);
}

/* A field of the message's own signature that is named in its h= is not itself. */
static void
test_own_name(void)
{
	struct rig r;

	rig_init(&r);
	CHECK_STR_EQ(
		rig_verify(&r, signed_message(&r, TAGS "h=from:dkim-signature; bh=@bh",
	                                      DKIM_WHOLE)),
		STR(PASS), "h= names DKIM-Signature");
	rig_fini(&r);
}

/* Names that begin alike, or differ by bytes that no name should have. */
static void
test_field_names(void)
{
	struct str header = STR("content-type: 1\r\nFROM\0: 2\r\ncontent-id: 3\r\n"
	                        "From: 4\r\ncontent-transfer-encoding: 5\r\n"
	                        "content-type: 6\r\nfrom: 7\r\n");
	static const struct {
		const char *name;
		size_t count;
		const char *from_below;
	} named[] = {
		{ "from", 2, "from: 7\r\n|From: 4\r\n|" },
		{ "content-type", 2, "content-type: 6\r\n|content-type: 1\r\n|" },
		{ "Content-ID", 1, "content-id: 3\r\n|" },
		{ "content-transfer-encoding", 1, "content-transfer-encoding: 5\r\n|" },
		{ "content-", 0, "" },
		{ "content-typo", 0, "" },
		{ "to", 0, "" },
		{ "x", 0, "" },
		{ "", 0, "" },
	};
	struct arena *a = arena_new(1 << 20);
	struct dkim_fields *f = dkim_fields_new(a, header);

	for (size_t i = 0; i < ARRAY_LEN(named); i++) {
		struct str name = str_from(named[i].name), raw;
		struct strbuf got = strbuf_arena(a, 256);

		CHECK_U64_EQ(dkim_fields_named(f, name), named[i].count, named[i].name);
		while ((raw = dkim_fields_take(f, name, NULL)).n) {
			strbuf_add(&got, raw);
			strbuf_byte(&got, '|');
		}
		CHECK_STR_EQ(strbuf_str(&got), str_from(named[i].from_below),
		             named[i].name);
		CHECK_U64_EQ(dkim_fields_at(f, name, named[i].count).n, 0, "no more");
	}
	CHECK_STR_EQ(dkim_fields_at(f, STR("from"), 0), STR("From: 4\r\n"),
	             "from the top");
	arena_free(&a);
}

SUITE(policy_dkim_verify, { "published keys", test_published },
      { "field names", test_field_names }, { "RFC 6376", test_rfc6376 },
      { "RFC 8463", test_rfc8463 }, { "signed again", test_signed_again },
      { "rules", test_rules }, { "changes", test_changes }, { "length", test_length },
      { "keys", test_keys }, { "none", test_none },
      { "many signatures", test_many_signatures }, { "many fields", test_many_fields },
      { "long list", test_long_list }, { "own name", test_own_name });
