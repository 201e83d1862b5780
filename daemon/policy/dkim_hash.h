/* dkim_hash.h - the hashes of one body, each different one made once.
 *
 * Signatures say how they want the body (canonicalisation, and with l= how much of it);
 * those that want the same share a hash.
 */
#ifndef POLICY_DKIM_HASH_H
#define POLICY_DKIM_HASH_H

#include "base/arena.h"
#include "ext/crypto.h"
#include "policy/dkim_canon.h"

enum {
	DKIM_HASHES_MAX = 16,
};

#define DKIM_WHOLE UINT64_MAX /* no l= */

struct dkim_hashes;

struct dkim_hashes *dkim_hashes_new(struct arena *a);
/* The number of the hash to ask for later; before the first byte. At most
   DKIM_HASHES_MAX different ones. */
size_t dkim_hashes_want(struct dkim_hashes *h, enum dkim_canon canon, uint64_t limit);
void dkim_hashes_add(struct dkim_hashes *h, struct str bytes);
void dkim_hashes_end(struct dkim_hashes *h);
struct sha256 dkim_hashes_result(struct dkim_hashes *h, size_t i);
/* How long the body was in that canonicalisation. */
uint64_t dkim_hashes_length(const struct dkim_hashes *h, size_t i);
void dkim_hashes_free(struct dkim_hashes **h);

/* A sink for dkim_canon.h: arg is a struct sha256_state. */
void dkim_hash_sink(void *arg, struct str bytes);

#endif
