/* Keys over OpenSSL 3. What costs is not the arithmetic alone: a context that is made
   anew, an algorithm that is fetched anew and, for RSA, the numbers prepared for a new
   modulus take as long as a verification. So a key keeps its contexts, and those of
   others rest in a pool (crypto_pool.c). */
#include "ext/crypto_priv.h"

#include "base/base64.h"
#include "base/mem.h"
#include "base/panic.h"

#include <openssl/bio.h>
#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/params.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>
#include <openssl/x509.h>

enum {
	MODULUS_MAX = CRYPTO_RSA_BITS_MAX / 8,
	EXPONENT_MAX =
		8, /* bytes: more would let a stranger choose how long we compute */
	ED25519_SIGNATURE = 64,
};

/* Made when first needed. */
struct contexts {
	EVP_PKEY_CTX *sign, *verify; /* RSA */
	EVP_MD_CTX *once;            /* Ed25519 */
};

struct crypto_key {
	enum crypto_key_kind kind;
	bool has_private;
	EVP_PKEY *pkey;
	struct contexts *kept; /* memory for the use of a key that is const to its user */
};

static struct crypto_key *
key_new(enum crypto_key_kind kind, EVP_PKEY *pkey, bool has_private)
{
	struct crypto_key *key = mem_alloc(sizeof(*key));

	key->kind = kind;
	key->pkey = pkey;
	key->has_private = has_private;
	key->kept = mem_alloc(sizeof(*key->kept));
	return key;
}

/* The library's list of errors is one for all its users; nothing of ours stays there. */
static enum err
failed(enum err e)
{
	ERR_clear_error();
	return e;
}

/* --- making and reading ------------------------------------------------------------- */

struct crypto_key *
crypto_key_generate(enum crypto_key_kind kind)
{
	EVP_PKEY *pkey = kind == CRYPTO_RSA ? EVP_RSA_gen(CRYPTO_RSA_BITS)
	                                    : EVP_PKEY_Q_keygen(NULL, NULL, "ED25519");

	CHECK(pkey);
	return key_new(kind, pkey, true);
}

/* The library would ask for a pass phrase on the terminal. */
static int
no_pass_phrase(char *buffer, int size, int is_write, void *arg)
{
	(void)is_write, (void)arg;
	if (size > 0)
		buffer[0] = '\0';
	return -1;
}

enum err
crypto_key_parse_private(struct str pem, struct crypto_key **key_out)
{
	enum crypto_key_kind kind = CRYPTO_RSA;
	EVP_PKEY *pkey;
	BIO *bio;

	if (!pem.n || pem.n > CRYPTO_PEM_MAX)
		return ERR_MALFORMED;
	bio = BIO_new_mem_buf(pem.p, (int)pem.n);
	CHECK(bio);
	pkey = PEM_read_bio_PrivateKey(bio, NULL, no_pass_phrase, NULL);
	BIO_free(bio);
	if (!pkey)
		return failed(ERR_MALFORMED);
	if (EVP_PKEY_is_a(pkey, "ED25519")) {
		kind = CRYPTO_ED25519;
	} else if (!EVP_PKEY_is_a(pkey, "RSA") ||
	           EVP_PKEY_get_bits(pkey) > CRYPTO_RSA_BITS_MAX) {
		EVP_PKEY_free(pkey);
		return failed(ERR_UNSUPPORTED);
	}
	*key_out = key_new(kind, pkey, true);
	return OK;
}

enum err
crypto_key_format_private(const struct crypto_key *key, struct strbuf *out)
{
	BIO *bio = BIO_new(BIO_s_secmem()); /* overwritten when it is freed */
	char *p = NULL;
	long n;

	CHECK(bio && key->has_private);
	CHECK(PEM_write_bio_PKCS8PrivateKey(bio, key->pkey, NULL, NULL, 0, NULL, NULL) ==
	      1);
	n = BIO_get_mem_data(bio, &p);
	strbuf_bytes(out, p, (size_t)n);
	BIO_free(bio);
	return out->overflow ? ERR_LIMIT : OK;
}

/* Big-endian to the machine's order, which OSSL_PARAM wants. */
static void
put_number(struct str number, uint8_t *to)
{
	for (size_t i = 0; i < number.n; i++) {
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
		to[number.n - 1 - i] = (uint8_t)number.p[i];
#else
		to[i] = (uint8_t)number.p[i];
#endif
	}
}

/* Exponents below 3 and even numbers are no RSA; 0 and 1 would make any text a
   signature. */
static bool
rsa_is_sound(const struct crypto_rsa_public *rsa)
{
	const char *e = rsa->exponent.p;

	return (rsa->modulus.p[rsa->modulus.n - 1] & 1) && (e[rsa->exponent.n - 1] & 1) &&
	       (rsa->exponent.n > 1 || e[0] != 1);
}

static enum err
rsa_public(struct str der, EVP_PKEY **pkey_out)
{
	uint8_t modulus[MODULUS_MAX], exponent[EXPONENT_MAX];
	struct crypto_rsa_public rsa;
	EVP_PKEY_CTX *ctx;
	int done;

	if (crypto_der_rsa_public(der, &rsa) != OK || !rsa_is_sound(&rsa))
		return ERR_MALFORMED;
	if (rsa.modulus.n > MODULUS_MAX || rsa.exponent.n > EXPONENT_MAX)
		return ERR_LIMIT;
	put_number(rsa.modulus, modulus);
	put_number(rsa.exponent, exponent);
	ctx = EVP_PKEY_CTX_new_from_name(NULL, "RSA", NULL);
	CHECK(ctx && EVP_PKEY_fromdata_init(ctx) == 1);
	done = EVP_PKEY_fromdata(
		ctx, pkey_out, EVP_PKEY_PUBLIC_KEY,
		(OSSL_PARAM[]){
			OSSL_PARAM_BN(OSSL_PKEY_PARAM_RSA_N, modulus, rsa.modulus.n),
			OSSL_PARAM_BN(OSSL_PKEY_PARAM_RSA_E, exponent, rsa.exponent.n),
			OSSL_PARAM_END });
	EVP_PKEY_CTX_free(ctx);
	return done == 1 ? OK : failed(ERR_MALFORMED);
}

static enum err
ed25519_public(struct str bytes, EVP_PKEY **pkey_out)
{
	if (bytes.n != CRYPTO_ED25519_KEY_BYTES)
		return ERR_MALFORMED;
	*pkey_out = EVP_PKEY_new_raw_public_key_ex(NULL, "ED25519", NULL,
	                                           (const uint8_t *)bytes.p, bytes.n);
	return *pkey_out ? OK : failed(ERR_MALFORMED);
}

enum err
crypto_key_parse_public(enum crypto_key_kind kind, struct str bytes,
                        struct crypto_key **key_out)
{
	EVP_PKEY *pkey = NULL;
	enum err e;

	e = kind == CRYPTO_RSA ? rsa_public(bytes, &pkey) : ed25519_public(bytes, &pkey);
	if (e != OK)
		return e;
	*key_out = key_new(kind, pkey, false);
	return OK;
}

void
crypto_key_format_public(const struct crypto_key *key, struct strbuf *out)
{
	uint8_t raw[CRYPTO_ED25519_KEY_BYTES], *der = NULL;
	size_t size = sizeof(raw);
	int n;

	if (key->kind == CRYPTO_ED25519) {
		CHECK(EVP_PKEY_get_raw_public_key(key->pkey, raw, &size) == 1);
		base64_format(out, str_make(raw, size));
		return;
	}
	n = i2d_PUBKEY(key->pkey, &der);
	CHECK(n > 0);
	base64_format(out, str_make(der, (size_t)n));
	OPENSSL_free(der);
}

enum crypto_key_kind
crypto_key_kind(const struct crypto_key *key)
{
	return key->kind;
}

unsigned
crypto_key_bits(const struct crypto_key *key)
{
	return key->kind == CRYPTO_ED25519 ? 256 : (unsigned)EVP_PKEY_get_bits(key->pkey);
}

void
crypto_key_free(struct crypto_key **key)
{
	if (!*key)
		return;
	EVP_PKEY_CTX_free((*key)->kept->sign);
	EVP_PKEY_CTX_free((*key)->kept->verify);
	EVP_MD_CTX_free((*key)->kept->once);
	EVP_PKEY_free((*key)->pkey); /* overwrites its secrets */
	mem_free((*key)->kept);
	mem_free(*key);
	*key = NULL;
}

/* --- signing and verifying ---------------------------------------------------------- */

/* A context for PKCS #1 v1.5 over SHA-256, kept in *kept; NULL where the key cannot. */
static EVP_PKEY_CTX *
rsa_context(const struct crypto_key *key, EVP_PKEY_CTX **kept,
            int (*init)(EVP_PKEY_CTX *ctx))
{
	EVP_PKEY_CTX *made = *kept;

	if (made)
		return made;
	made = EVP_PKEY_CTX_new_from_pkey(NULL, key->pkey, NULL);
	CHECK(made);
	if (init(made) == 1 &&
	    EVP_PKEY_CTX_set_rsa_padding(made, RSA_PKCS1_PADDING) == 1 &&
	    EVP_PKEY_CTX_set_signature_md(made, crypto_sha256_md()) == 1) {
		*kept = made;
		return made;
	}
	EVP_PKEY_CTX_free(made);
	return NULL;
}

static bool
rsa_sign(const struct crypto_key *key, const struct sha256 *digest, uint8_t *signature,
         size_t *size)
{
	EVP_PKEY_CTX *ctx = rsa_context(key, &key->kept->sign, EVP_PKEY_sign_init);

	return ctx &&
	       EVP_PKEY_sign(ctx, signature, size, digest->bytes, SHA256_BYTES) == 1;
}

/* A context of Ed25519 serves one message: it is emptied, and kept for its memory. */
static EVP_MD_CTX *
ed25519_context(const struct crypto_key *key)
{
	if (!key->kept->once)
		key->kept->once = EVP_MD_CTX_new();
	CHECK(key->kept->once);
	EVP_MD_CTX_reset(key->kept->once);
	return key->kept->once;
}

static bool
ed25519_sign(const struct crypto_key *key, const struct sha256 *digest,
             uint8_t *signature, size_t *size)
{
	EVP_MD_CTX *ctx = ed25519_context(key);

	return EVP_DigestSignInit(ctx, NULL, NULL, NULL, key->pkey) == 1 &&
	       EVP_DigestSign(ctx, signature, size, digest->bytes, SHA256_BYTES) == 1;
}

enum err
crypto_key_sign(const struct crypto_key *key, const struct sha256 *digest,
                struct strbuf *out)
{
	uint8_t signature[CRYPTO_SIGNATURE_MAX];
	size_t size = sizeof(signature);
	bool done;

	CHECK(key->has_private);
	done = key->kind == CRYPTO_RSA ? rsa_sign(key, digest, signature, &size)
	                               : ed25519_sign(key, digest, signature, &size);
	if (!done)
		return failed(ERR_INTERNAL);
	strbuf_bytes(out, signature, size);
	return out->overflow ? ERR_LIMIT : OK;
}

static bool
rsa_verify(const struct crypto_key *key, const struct sha256 *digest,
           struct str signature)
{
	EVP_PKEY_CTX *ctx = rsa_context(key, &key->kept->verify, EVP_PKEY_verify_init);

	return ctx && EVP_PKEY_verify(ctx, (const uint8_t *)signature.p, signature.n,
	                              digest->bytes, SHA256_BYTES) == 1;
}

static bool
ed25519_verify(const struct crypto_key *key, const struct sha256 *digest,
               struct str signature)
{
	EVP_MD_CTX *ctx = ed25519_context(key);

	return signature.n == ED25519_SIGNATURE &&
	       EVP_DigestVerifyInit(ctx, NULL, NULL, NULL, key->pkey) == 1 &&
	       EVP_DigestVerify(ctx, (const uint8_t *)signature.p, signature.n,
	                        digest->bytes, SHA256_BYTES) == 1;
}

bool
crypto_key_verify(const struct crypto_key *key, const struct sha256 *digest,
                  struct str signature)
{
	bool is_good = key->kind == CRYPTO_RSA ? rsa_verify(key, digest, signature)
	                                       : ed25519_verify(key, digest, signature);

	if (!is_good)
		ERR_clear_error();
	return is_good;
}
