/* Vectors of FIPS 180-4 (as published by NIST) and RFC 4231. */
#include "ext/crypto.h"

#include "base/strbuf.h"
#include "tests/unit/check.h"

static const struct {
	const char *bytes, *digest;
} digests[] = {
	{ "", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855" },
	{ "abc", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad" },
	{ "abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq",
	  "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1" },
};

static void
check_digest(struct sha256 d, const char *want, const char *what)
{
	char hex[65];
	struct strbuf b = strbuf_on(hex);

	strbuf_hex(&b, sha256_str(&d));
	CHECK_STR_EQ(strbuf_str(&b), str_from(want), what);
}

static void
test_sha256(void)
{
	struct sha256_state *s = sha256_new();

	for (size_t i = 0; i < ARRAY_LEN(digests); i++) {
		struct str bytes = str_from(digests[i].bytes);

		check_digest(sha256_of(bytes), digests[i].digest, "at once");
		sha256_restart(s);
		for (size_t k = 0; k < bytes.n; k++)
			sha256_add(s, bytes.p + k, 1);
		check_digest(sha256_result(s), digests[i].digest, "byte by byte");
	}
	sha256_free(&s);
	CHECK_TRUE(!s, "cleared");
}

static void
test_hmac(void)
{
	check_digest(hmac_sha256(STR("Jefe"), STR("what do ya want for nothing?")),
	             "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843",
	             "RFC 4231 4.3");
	check_digest(hmac_sha256(STR("\x0b\x0b\x0b\x0b\x0b\x0b\x0b\x0b\x0b\x0b"
	                             "\x0b\x0b\x0b\x0b\x0b\x0b\x0b\x0b\x0b\x0b"),
	                         STR("Hi There")),
	             "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7",
	             "RFC 4231 4.2");
}

SUITE(ext_crypto, { "sha256", test_sha256 }, { "hmac", test_hmac });
