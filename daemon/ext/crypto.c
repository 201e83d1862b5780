#include "ext/crypto_priv.h"

#include "base/mem.h"
#include "base/panic.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>

enum {
	STATES_KEPT = 8,
	HELD_BYTES = 512,
};

/* Small pieces are held until they are worth a call of the library. */
struct sha256_state {
	EVP_MD_CTX *ctx;
	size_t held;
	uint8_t bytes[HELD_BYTES];
};

/* States that rest: making one takes longer than hashing a kilobyte. */
static struct sha256_state *kept[STATES_KEPT];

/* Looked up once: OpenSSL 3 searches its providers at every use of EVP_sha256(). */
const EVP_MD *
crypto_sha256_md(void)
{
	static EVP_MD *md;
	EVP_MD *mine = __atomic_load_n(&md, __ATOMIC_ACQUIRE), *none = NULL;

	if (mine)
		return mine;
	mine = EVP_MD_fetch(NULL, "SHA256", NULL);
	CHECK(mine);
	if (__atomic_compare_exchange_n(&md, &none, mine, false, __ATOMIC_ACQ_REL,
	                                __ATOMIC_ACQUIRE))
		return mine;
	EVP_MD_free(mine); /* another thread was first */
	return none;
}

struct sha256_state *
sha256_new(void)
{
	struct sha256_state *s = NULL;

	for (size_t i = 0; !s && i < STATES_KEPT; i++)
		s = __atomic_exchange_n(&kept[i], NULL, __ATOMIC_ACQ_REL);
	if (s) {
		sha256_restart(s);
		return s;
	}
	s = mem_alloc(sizeof(*s));
	s->ctx = EVP_MD_CTX_new();
	CHECK(s->ctx);
	sha256_restart(s);
	return s;
}

static void
forget_held(struct sha256_state *s)
{
	OPENSSL_cleanse(s->bytes, s->held);
	s->held = 0;
}

void
sha256_restart(struct sha256_state *s)
{
	forget_held(s);
	CHECK(EVP_DigestInit_ex(s->ctx, crypto_sha256_md(), NULL) == 1);
}

void
sha256_add(struct sha256_state *s, const void *p, size_t n)
{
	if (n > HELD_BYTES - s->held) {
		CHECK(EVP_DigestUpdate(s->ctx, s->bytes, s->held) == 1);
		forget_held(s);
	}
	if (n > HELD_BYTES) {
		CHECK(EVP_DigestUpdate(s->ctx, p, n) == 1);
		return;
	}
	if (n)
		memcpy(s->bytes + s->held, p, n);
	s->held += n;
}

struct sha256
sha256_result(struct sha256_state *s)
{
	struct sha256 d;
	unsigned n = sizeof(d.bytes);

	CHECK(EVP_DigestUpdate(s->ctx, s->bytes, s->held) == 1);
	forget_held(s);
	CHECK(EVP_DigestFinal_ex(s->ctx, d.bytes, &n) == 1 && n == sizeof(d.bytes));
	return d;
}

void
sha256_free(struct sha256_state **s)
{
	struct sha256_state *none = NULL;

	if (!*s)
		return;
	forget_held(*s);
	for (size_t i = 0; i < STATES_KEPT; i++, none = NULL) {
		if (__atomic_compare_exchange_n(&kept[i], &none, *s, false,
		                                __ATOMIC_ACQ_REL, __ATOMIC_RELAXED)) {
			*s = NULL;
			return;
		}
	}
	EVP_MD_CTX_free((*s)->ctx);
	mem_free(*s);
	*s = NULL;
}

struct sha256
sha256_of(struct str bytes)
{
	struct sha256 d;
	unsigned n = sizeof(d.bytes);

	CHECK(EVP_Digest(bytes.n ? bytes.p : "", bytes.n, d.bytes, &n, crypto_sha256_md(),
	                 NULL) == 1);
	return d;
}

struct sha256
hmac_sha256(struct str key, struct str bytes)
{
	struct sha256 d;
	unsigned n = sizeof(d.bytes);

	CHECK(HMAC(crypto_sha256_md(), key.n ? key.p : "", (int)key.n,
	           (const unsigned char *)(bytes.n ? bytes.p : ""), bytes.n, d.bytes,
	           &n));
	return d;
}
