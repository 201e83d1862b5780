/* crypto.h - digests, message authentication codes and signatures, over OpenSSL.
 *
 * Digests do not fail for reasons a caller could act on: a library that cannot compute
 * SHA-256 ends the process. Keys come from files and strangers, and are judged.
 */
#ifndef EXT_CRYPTO_H
#define EXT_CRYPTO_H

#include "base/err.h"
#include "base/str.h"
#include "base/strbuf.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
	SHA256_BYTES = 32,
};

struct sha256 {
	uint8_t bytes[SHA256_BYTES];
};

/* Streaming: new, add…, finish (which frees). A state may be reused by sha256_restart. */
struct sha256_state;
struct sha256_state *sha256_new(void);
void sha256_restart(struct sha256_state *s);
void sha256_add(struct sha256_state *s, const void *p, size_t n);
/* The digest of what was added; add no more before a restart. */
struct sha256 sha256_result(struct sha256_state *s);
void sha256_free(struct sha256_state **s);

struct sha256 sha256_of(struct str bytes);
struct sha256 hmac_sha256(struct str key, struct str bytes);
static inline struct str
sha256_str(const struct sha256 *d)
{
	return str_make(d->bytes, sizeof(d->bytes));
}

/* --- keys and signatures ------------------------------------------------------------ */

/* A private key, or a public one alone. May be used by one thread at a time. Its secrets
   are overwritten before their memory goes back. */
struct crypto_key;

enum crypto_key_kind {
	CRYPTO_RSA,     /* signs by PKCS #1 v1.5 with SHA-256 (RFC 8017 8.2) */
	CRYPTO_ED25519, /* signs the 32 bytes of the digest (RFC 8032, RFC 8463 3) */
};

enum {
	CRYPTO_RSA_BITS = 2048,        /* of a new key */
	CRYPTO_RSA_BITS_MAX = 4096,    /* of any key */
	CRYPTO_SIGNATURE_MAX = 512,    /* bytes of a signature */
	CRYPTO_PEM_MAX = 16384,        /* bytes of a private key as PEM */
	CRYPTO_ED25519_KEY_BYTES = 32, /* of a public key */
	CRYPTO_POOL_TEXT_MAX = 1024    /* bytes; an RSA key of 4096 bits has 750 */
};

/* A new private key; takes up to a second for RSA. Free with crypto_key_free. */
struct crypto_key *crypto_key_generate(enum crypto_key_kind kind);

/* Reads a private key: PKCS #8 or, for RSA, PKCS #1, not encrypted. ERR_MALFORMED: it is
   none; ERR_UNSUPPORTED: of another kind, or RSA with more than CRYPTO_RSA_BITS_MAX. */
MUSTUSE enum err crypto_key_parse_private(struct str pem, struct crypto_key **key_out);
/* Appends the private key, which the key must have, as PKCS #8 PEM; ERR_LIMIT where out
   is full. `out` should be over a secret arena (arena_new_secret). */
MUSTUSE enum err crypto_key_format_private(const struct crypto_key *key,
                                           struct strbuf *out);

/* Reads a public key as DKIM publishes it, base64 taken off: for RSA DER, either a
   SubjectPublicKeyInfo or a bare RSAPublicKey (RFC 6376 3.6.1 and its erratum 3017); for
   Ed25519 the 32 bytes (RFC 8463 4). ERR_MALFORMED: it is none; ERR_LIMIT: RSA with more
   than CRYPTO_RSA_BITS_MAX, or with an exponent over 64 bits. */
MUSTUSE enum err crypto_key_parse_public(enum crypto_key_kind kind, struct str bytes,
                                         struct crypto_key **key_out);
/* Appends what `p=` of a DKIM key record holds: base64 of SubjectPublicKeyInfo for RSA,
   of the 32 bytes for Ed25519. */
void crypto_key_format_public(const struct crypto_key *key, struct strbuf *out);

enum crypto_key_kind crypto_key_kind(const struct crypto_key *key);
/* Of the modulus; 256 for Ed25519. */
unsigned crypto_key_bits(const struct crypto_key *key);

/* Appends the signature of a digest, up to CRYPTO_SIGNATURE_MAX bytes, with the private
   key, which the key must have. ERR_INTERNAL: the key cannot (an RSA key too short for
   SHA-256, a broken one); ERR_LIMIT where out is full. */
MUSTUSE enum err crypto_key_sign(const struct crypto_key *key,
                                 const struct sha256 *digest, struct strbuf *out);
/* Whether the signature is the key's over that digest. */
bool crypto_key_verify(const struct crypto_key *key, const struct sha256 *digest,
                       struct str signature);
void crypto_key_free(struct crypto_key **key);

/* --- public keys that rest ---------------------------------------------------------- */

/* To read a key and to prepare its numbers takes as long as to verify with it, so keys of
   others are not freed but rest, for all threads, under the text that they were read
   from: who changes one character has another key. A few dozen rest, no more. */

/* The key that rests under that text, which is the caller's from now on, and the note
   given with it; or NULL. */
struct crypto_key *crypto_pool_take(struct str text, unsigned *note_out);
/* Lays the key down, or frees it where the text is longer than CRYPTO_POOL_TEXT_MAX. */
void crypto_pool_give(struct str text, unsigned note, struct crypto_key **key);

#endif
