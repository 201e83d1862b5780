/* Keys made by the openssl program, and the Ed25519 key of RFC 8463 A.2; signatures over
   the digest of "abc" made by the openssl program. */
#include "ext/crypto.h"

#include "base/base64.h"
#include "tests/unit/check.h"

/* clang-format off */
static const char rsa_pkcs1[] =
	"-----BEGIN RSA PRIVATE KEY-----\n"
	"MIICWwIBAAKBgQC2p70MqVtgIqtKI9uq/yMiGzmFSODvbpxRq56puKlZi7NeGhMJ\n"
	"/xWcoonhOpyZfPlMycFJcH45DDsWDusOxmAU/TcE70AxJRrYDumlzl0Kyami3R2A\n"
	"KEqtBwPvJqR4BFfHqxbr6ezvTGP1+7ntNImdwo9svwiMnD4/yVvI+FX7jwIDAQAB\n"
	"AoGAGISJhtKQ1mWw8mG/0cMvlxtqbC6tKtaBGyFbSdLkwIVVDVOYrKXV49GZimcQ\n"
	"sDWrTRhj3pTADK5MnBhiivgr20s8zgIYDvzGCJgT79zxc09JcmlEO9kowAsV2/1f\n"
	"SxSzL+J/CWtj3GSGC2CXUF9B4Z6Bps3gjxoumF+F7gZXakECQQDl3kU/mDseBFMz\n"
	"Iw3xSCVhQ7wm+cDSit3rMKPRJ9IESG71yG9tdpPCv4EcVrTClbMqda11gDC+UQ39\n"
	"tChTWh7vAkEAy2t0FcxOPLhd+f7+CkQekclY+DzqkT43leCIcF4qq84kxcA2+yFN\n"
	"WrgaO+/skAkibWba+dCd53r8mIQM5EPtYQJAV2YZgkKJR7JxR+IuLO03eTHd2hvf\n"
	"2q1+DyxhPOcdDQ/VUJIy+7W4HLXfizzUYZ+1jZFMsH5bCiGbZjkXlAmR9QJAKYbn\n"
	"LOgHdMfij32p2OitIO/s1MiCzmHYMSWkVOQ0a9xqj2A9GSlkREffOyswrPrgZ1sf\n"
	"Cu62vaHS3UPf6d2gIQJAfDFUZJCjv3ZvS6aIhjCrXLtMMqg2J1RA30U9qWEShys0\n"
	"GU+g9i41kx0S4vAsSHBNm8h8Fg20G1DiRAG56I7UdA==\n"
	"-----END RSA PRIVATE KEY-----\n";
static const char rsa_pkcs8[] =
	"-----BEGIN PRIVATE KEY-----\n"
	"MIICdQIBADANBgkqhkiG9w0BAQEFAASCAl8wggJbAgEAAoGBALanvQypW2Aiq0oj\n"
	"26r/IyIbOYVI4O9unFGrnqm4qVmLs14aEwn/FZyiieE6nJl8+UzJwUlwfjkMOxYO\n"
	"6w7GYBT9NwTvQDElGtgO6aXOXQrJqaLdHYAoSq0HA+8mpHgEV8erFuvp7O9MY/X7\n"
	"ue00iZ3Cj2y/CIycPj/JW8j4VfuPAgMBAAECgYAYhImG0pDWZbDyYb/Rwy+XG2ps\n"
	"Lq0q1oEbIVtJ0uTAhVUNU5ispdXj0ZmKZxCwNatNGGPelMAMrkycGGKK+CvbSzzO\n"
	"AhgO/MYImBPv3PFzT0lyaUQ72SjACxXb/V9LFLMv4n8Ja2PcZIYLYJdQX0HhnoGm\n"
	"zeCPGi6YX4XuBldqQQJBAOXeRT+YOx4EUzMjDfFIJWFDvCb5wNKK3eswo9En0gRI\n"
	"bvXIb212k8K/gRxWtMKVsyp1rXWAML5RDf20KFNaHu8CQQDLa3QVzE48uF35/v4K\n"
	"RB6RyVj4POqRPjeV4IhwXiqrziTFwDb7IU1auBo77+yQCSJtZtr50J3nevyYhAzk\n"
	"Q+1hAkBXZhmCQolHsnFH4i4s7Td5Md3aG9/arX4PLGE85x0ND9VQkjL7tbgctd+L\n"
	"PNRhn7WNkUywflsKIZtmOReUCZH1AkAphucs6Ad0x+KPfanY6K0g7+zUyILOYdgx\n"
	"JaRU5DRr3GqPYD0ZKWRER987KzCs+uBnWx8K7ra9odLdQ9/p3aAhAkB8MVRkkKO/\n"
	"dm9LpoiGMKtcu0wyqDYnVEDfRT2pYRKHKzQZT6D2LjWTHRLi8CxIcE2byHwWDbQb\n"
	"UOJEAbnojtR0\n"
	"-----END PRIVATE KEY-----\n";
static const char ed25519_pkcs8[] =
	"-----BEGIN PRIVATE KEY-----\n"
	"MC4CAQAwBQYDK2VwBCIEIJ1hsZ3v/VpguoRK9JLsLMREScVpezJpGXA7rAMcrn9g\n"
	"-----END PRIVATE KEY-----\n";
static const char ec_pkcs8[] =
	"-----BEGIN PRIVATE KEY-----\n"
	"MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgemwQ4pluNHL07AyE\n"
	"OqSngAqOy7sWbaiFWucEaYzpMEehRANCAAT5LSmCKwlbNM0nPRvVJS21vNTzNmI3\n"
	"9hjMEBNrclGbKa36SIkR/mxngehZ65tKe6FgTFf/8cPOFtfYpXEedugX\n"
	"-----END PRIVATE KEY-----\n";
static const char encrypted[] =
	"-----BEGIN ENCRYPTED PRIVATE KEY-----\n"
	"MIGbMFcGCSqGSIb3DQEFDTBKMCkGCSqGSIb3DQEFDDAcBAgpSyMCOzx5YQICCAAw\n"
	"DAYIKoZIhvcNAgkFADAdBglghkgBZQMEASoEEHfRlZDW4xjnIPG1Zd4cnxEEQGC8\n"
	"eV8HaZqOCXL6r46zBlXy6Ixj+f2V5vcjrGxeNjA4ThME1iyXIeNPwELyt6Bpx3NY\n"
	"W9TaR5EBcwuzFOAaUFk=\n"
	"-----END ENCRYPTED PRIVATE KEY-----\n";
static const char rsa_spki[] =
	"MIGfMA0GCSqGSIb3DQEBAQUAA4GNADCBiQKBgQC2p70MqVtgIqtKI9uq/yMiGzmF"
	"SODvbpxRq56puKlZi7NeGhMJ/xWcoonhOpyZfPlMycFJcH45DDsWDusOxmAU/TcE"
	"70AxJRrYDumlzl0Kyami3R2AKEqtBwPvJqR4BFfHqxbr6ezvTGP1+7ntNImdwo9s"
	"vwiMnD4/yVvI+FX7jwIDAQAB";
static const char rsa_bare[] =
	"MIGJAoGBALanvQypW2Aiq0oj26r/IyIbOYVI4O9unFGrnqm4qVmLs14aEwn/FZyi"
	"ieE6nJl8+UzJwUlwfjkMOxYO6w7GYBT9NwTvQDElGtgO6aXOXQrJqaLdHYAoSq0H"
	"A+8mpHgEV8erFuvp7O9MY/X7ue00iZ3Cj2y/CIycPj/JW8j4VfuPAgMBAAE=";
static const char rsa_signature[] =
	"Pjmf+MSv0clV+rw9zTJ7K+ujg1kqOcEuExbL2XhUhUg5eNtTT0VGJwR+4a3it27k"
	"dQGFHXmcGTYjeu9gu3xh+f1HHV+GfWOcyLkHW11UlVrrJslLSMJztK70p0q+DjPf"
	"rgFKSDETtmVF6JsQ/pj1T/FZLf3/N4oil4lmagiM4O4=";
static const char ed25519_public[] = "11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=";
static const char ed25519_signature[] =
	"CW9VadgH7orHsZE9pwzwqrM1wlj0uUyPIQ3RQel0OSfI0aazeIcqcslEbB915tx7"
	"Le+YvQwhS+ZwbUh5H1doCg==";
/* clang-format on */

enum {
	ROOM = 2048,
};

static const struct known {
	const char *what;
	enum crypto_key_kind kind;
	unsigned bits;
	const char *pem, *public, *signature;
} knowns[] = {
	{ "PKCS #1", CRYPTO_RSA, 1024, rsa_pkcs1, rsa_spki, rsa_signature },
	{ "PKCS #8", CRYPTO_RSA, 1024, rsa_pkcs8, rsa_spki, rsa_signature },
	{ "bare public key", CRYPTO_RSA, 1024, rsa_pkcs8, rsa_bare, rsa_signature },
	{ "Ed25519", CRYPTO_ED25519, 256, ed25519_pkcs8, ed25519_public,
	  ed25519_signature },
};

static struct str
bytes_of(const char *base64, struct strbuf *b)
{
	CHECK_ERR_EQ(base64_parse(str_from(base64), b), OK, "base64");
	return strbuf_str(b);
}

static enum err
parse_public(enum crypto_key_kind kind, const char *base64, struct crypto_key **key_out)
{
	char room[ROOM];
	struct strbuf b = strbuf_on(room);

	return crypto_key_parse_public(kind, bytes_of(base64, &b), key_out);
}

static void
test_known(void)
{
	struct sha256 abc = sha256_of(STR("abc")), other = sha256_of(STR("abd"));

	for (size_t i = 0; i < ARRAY_LEN(knowns); i++) {
		const struct known *k = &knowns[i];
		struct crypto_key *private = NULL, *public = NULL;
		char room[ROOM], sig_room[ROOM], want_room[ROOM];
		struct strbuf text = strbuf_on(room), sig = strbuf_on(sig_room),
			      want = strbuf_on(want_room);

		CHECK_ERR_EQ(crypto_key_parse_private(str_from(k->pem), &private), OK,
		             k->what);
		CHECK_ERR_EQ(parse_public(k->kind, k->public, &public), OK, k->what);
		CHECK_U64_EQ(crypto_key_kind(private), k->kind, k->what);
		CHECK_U64_EQ(crypto_key_bits(private), k->bits, k->what);
		CHECK_U64_EQ(crypto_key_bits(public), k->bits, k->what);
		crypto_key_format_public(private, &text);
		CHECK_STR_EQ(strbuf_str(&text),
		             str_from(k->kind == CRYPTO_RSA ? rsa_spki : k->public),
		             k->what);
		CHECK_ERR_EQ(crypto_key_sign(private, &abc, &sig), OK, k->what);
		CHECK_STR_EQ(strbuf_str(&sig), bytes_of(k->signature, &want), k->what);
		CHECK_TRUE(crypto_key_verify(public, &abc, strbuf_str(&sig)), k->what);
		CHECK_TRUE(crypto_key_verify(private, &abc, strbuf_str(&sig)), k->what);
		CHECK_TRUE(!crypto_key_verify(public, &other, strbuf_str(&sig)), k->what);
		sig.p[3] ^= 1;
		CHECK_TRUE(!crypto_key_verify(public, &abc, strbuf_str(&sig)), k->what);
		sig.p[3] ^= 1;
		CHECK_TRUE(!crypto_key_verify(public, &abc,
		                              str_first(strbuf_str(&sig), sig.n - 1)),
		           k->what);
		CHECK_TRUE(!crypto_key_verify(public, &abc, STR("")), k->what);
		CHECK_TRUE(crypto_key_verify(public, &abc, strbuf_str(&sig)),
		           "again, with the contexts kept");
		crypto_key_free(&private);
		crypto_key_free(&public);
		CHECK_TRUE(!private && !public, "cleared");
	}
}

static void
test_generated(void)
{
	static const enum crypto_key_kind kinds[] = { CRYPTO_RSA, CRYPTO_ED25519 };
	struct sha256 abc = sha256_of(STR("abc"));

	for (size_t i = 0; i < ARRAY_LEN(kinds); i++) {
		struct crypto_key *made = crypto_key_generate(kinds[i]), *read = NULL;
		struct arena *a = arena_new_secret(1 << 20);
		struct strbuf pem = strbuf_arena(a, CRYPTO_PEM_MAX),
			      none = strbuf_arena(a, 10),
			      sig = strbuf_arena(a, CRYPTO_SIGNATURE_MAX);

		CHECK_U64_EQ(crypto_key_bits(made),
		             kinds[i] == CRYPTO_RSA ? CRYPTO_RSA_BITS : 256, "bits");
		CHECK_ERR_EQ(crypto_key_format_private(made, &pem), OK, "as PEM");
		CHECK_ERR_EQ(crypto_key_format_private(made, &none), ERR_LIMIT,
		             "no room");
		CHECK_ERR_EQ(crypto_key_parse_private(strbuf_str(&pem), &read), OK,
		             "and back");
		CHECK_ERR_EQ(crypto_key_sign(read, &abc, &sig), OK, "signs");
		CHECK_TRUE(crypto_key_verify(made, &abc, strbuf_str(&sig)), "verifies");
		CHECK_ERR_EQ(crypto_key_sign(read, &abc, &none), ERR_LIMIT, "no room");
		arena_free(&a);
		crypto_key_free(&made);
		crypto_key_free(&read);
	}
}

static void
test_no_private(void)
{
	char room[CRYPTO_PEM_MAX + 1];
	struct strbuf huge = strbuf_on(room);
	static const struct {
		const char *what, *pem;
		enum err want;
	} rows[] = {
		{ "nothing", "", ERR_MALFORMED },
		{ "no PEM", "hello", ERR_MALFORMED },
		{ "cut off", "-----BEGIN PRIVATE KEY-----\nMC4CAQAw\n", ERR_MALFORMED },
		{ "of another kind", ec_pkcs8, ERR_UNSUPPORTED },
		{ "encrypted", encrypted, ERR_MALFORMED },
	};
	struct crypto_key *key = NULL;

	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		CHECK_ERR_EQ(crypto_key_parse_private(str_from(rows[i].pem), &key),
		             rows[i].want, rows[i].what);
	strbuf_add(&huge, str_from(rsa_pkcs8));
	while (huge.n < sizeof(room))
		strbuf_byte(&huge, '\n');
	CHECK_ERR_EQ(crypto_key_parse_private(strbuf_str(&huge), &key), ERR_MALFORMED,
	             "too long");
	CHECK_TRUE(!key, "nothing is made");
}

static void
der_number(struct strbuf *out, size_t bytes, uint8_t last)
{
	strbuf_printf(out, "\x02\x82%c%c", (int)((bytes + 1) >> 8),
	              (int)((bytes + 1) & 0xff));
	strbuf_byte(out, '\0');
	for (size_t i = 1; i < bytes; i++)
		strbuf_byte(out, '\xff');
	strbuf_byte(out, (char)last);
}

static void
test_sizes(void)
{
	static const struct {
		const char *what;
		size_t modulus, exponent;
		uint8_t modulus_last, exponent_last;
		enum err want;
	} rows[] = {
		{ "1024 bits", 128, 1, 0xff, 3, OK },
		{ "4096 bits", 512, 3, 0xff, 1, OK },
		{ "one byte more", 513, 3, 0xff, 1, ERR_LIMIT },
		{ "16384 bits", 2048, 3, 0xff, 1, ERR_LIMIT },
		{ "exponent of 64 bits", 256, 8, 0xff, 1, OK },
		{ "and of 72", 256, 9, 0xff, 1, ERR_LIMIT },
		{ "exponent 1", 256, 1, 0xff, 1, ERR_MALFORMED },
		{ "even exponent", 256, 1, 0xff, 4, ERR_MALFORMED },
		{ "even modulus", 256, 3, 0xfe, 1, ERR_MALFORMED },
		{ "exponent 0", 256, 1, 0xff, 0, ERR_MALFORMED },
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		char numbers_room[2 * ROOM], room[2 * ROOM];
		struct strbuf numbers = strbuf_on(numbers_room), der = strbuf_on(room);
		struct crypto_key *key = NULL;

		der_number(&numbers, rows[i].modulus, rows[i].modulus_last);
		der_number(&numbers, rows[i].exponent, rows[i].exponent_last);
		strbuf_printf(&der, "\x30\x82%c%c", (int)(numbers.n >> 8),
		              (int)(numbers.n & 0xff));
		strbuf_add(&der, strbuf_str(&numbers));
		CHECK_ERR_EQ(crypto_key_parse_public(CRYPTO_RSA, strbuf_str(&der), &key),
		             rows[i].want, rows[i].what);
		CHECK_TRUE((key != NULL) == (rows[i].want == OK), rows[i].what);
		if (key)
			CHECK_U64_EQ(crypto_key_bits(key), rows[i].modulus * 8,
			             rows[i].what);
		crypto_key_free(&key);
	}
}

/* Cut off anywhere, and with anything behind, a key is none; any other change gives a
   key or an error. */
static void
test_damaged(void)
{
	static const char *const forms[] = { rsa_spki, rsa_bare };

	for (size_t i = 0; i < ARRAY_LEN(forms); i++) {
		char room[ROOM];
		struct strbuf b = strbuf_on(room);
		struct str der = bytes_of(forms[i], &b);
		struct crypto_key *key = NULL;

		for (size_t n = 0; n < der.n; n++)
			CHECK_ERR_EQ(crypto_key_parse_public(CRYPTO_RSA,
			                                     str_first(der, n), &key),
			             ERR_MALFORMED, "cut off");
		for (size_t n = 0; n < der.n; n++) {
			for (unsigned bit = 1; bit < 256; bit <<= 1) {
				b.p[n] ^= (char)bit;
				if (crypto_key_parse_public(CRYPTO_RSA, der, &key) == OK)
					crypto_key_free(&key);
				b.p[n] ^= (char)bit;
			}
		}
		strbuf_byte(&b, '\0');
		CHECK_ERR_EQ(crypto_key_parse_public(CRYPTO_RSA, strbuf_str(&b), &key),
		             ERR_MALFORMED, "a byte behind");
	}
}

static void
test_damaged_ed25519(void)
{
	struct crypto_key *key = NULL;

	CHECK_ERR_EQ(parse_public(CRYPTO_ED25519, rsa_spki, &key), ERR_MALFORMED,
	             "an RSA key");
	CHECK_ERR_EQ(parse_public(CRYPTO_ED25519, "", &key), ERR_MALFORMED, "none");
	CHECK_ERR_EQ(parse_public(CRYPTO_RSA, ed25519_public, &key), ERR_MALFORMED,
	             "not RSA");
}

/* What rests is found by its whole text, once, and with its note. */
static void
test_pool(void)
{
	static char long_text[CRYPTO_POOL_TEXT_MAX + 1];
	struct crypto_key *key = NULL, *given;
	unsigned note = 0;

	memset(long_text, 'x', sizeof(long_text));
	CHECK_TRUE(!crypto_pool_take(STR("p=1"), &note), "nothing yet");
	CHECK_ERR_EQ(parse_public(CRYPTO_ED25519, ed25519_public, &key), OK, "a key");
	given = key;
	crypto_pool_give(STR("p=1"), 7, &key);
	CHECK_TRUE(!key, "cleared");
	CHECK_TRUE(!crypto_pool_take(STR("p=2"), &note), "of another text");
	CHECK_TRUE(!crypto_pool_take(STR("p=1 "), &note), "of a longer one");
	CHECK_TRUE(!crypto_pool_take(STR(""), &note), "of none");
	key = crypto_pool_take(STR("p=1"), &note);
	CHECK_TRUE(key == given && note == 7, "the same one");
	CHECK_TRUE(!crypto_pool_take(STR("p=1"), &note), "somebody has it");
	crypto_pool_give(str_make(long_text, sizeof(long_text)), 0, &key);
	CHECK_TRUE(
		!key && !crypto_pool_take(str_make(long_text, sizeof(long_text)), &note),
		"too long a text to keep");
	crypto_pool_give(STR("p=1"), 0, &key);
	CHECK_TRUE(!crypto_pool_take(STR("p=1"), &note), "no key");
	for (size_t i = 0; i < 1000; i++) {
		char room[16];
		struct strbuf text = strbuf_on(room);

		strbuf_printf(&text, "key %zu", i);
		CHECK_ERR_EQ(parse_public(CRYPTO_ED25519, ed25519_public, &key), OK,
		             "one of many");
		crypto_pool_give(strbuf_str(&text), (unsigned)i, &key);
	}
	key = crypto_pool_take(STR("key 999"), &note);
	CHECK_TRUE(key && note == 999, "the last one rests");
	crypto_key_free(&key);
}

SUITE(ext_crypto_key, { "pool", test_pool }, { "known", test_known },
      { "generated", test_generated }, { "no private", test_no_private },
      { "sizes", test_sizes }, { "damaged", test_damaged },
      { "damaged Ed25519", test_damaged_ed25519 });
