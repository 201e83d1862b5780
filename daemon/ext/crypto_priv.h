/* crypto_priv.h - what the files over OpenSSL share. */
#ifndef EXT_CRYPTO_PRIV_H
#define EXT_CRYPTO_PRIV_H

#include "ext/crypto.h"

#include <openssl/types.h>

/* SHA-256, looked up once. */
const EVP_MD *crypto_sha256_md(void);

/* An RSA public key: two big-endian numbers without leading zeros, inside the DER. */
struct crypto_rsa_public {
	struct str modulus, exponent;
};

/* SubjectPublicKeyInfo of rsaEncryption or a bare RSAPublicKey; the whole of der. */
MUSTUSE enum err crypto_der_rsa_public(struct str der, struct crypto_rsa_public *rsa_out);

#endif
