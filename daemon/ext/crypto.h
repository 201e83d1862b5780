/* crypto.h - digests and message authentication codes, over OpenSSL.
 *
 * Nothing here fails for reasons a caller could act on: a library that cannot compute
 * SHA-256 ends the process.
 */
#ifndef EXT_CRYPTO_H
#define EXT_CRYPTO_H

#include "base/str.h"

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

#endif
