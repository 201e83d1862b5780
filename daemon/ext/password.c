#include "ext/password.h"

#include "base/panic.h"

#include <sodium.h>
#include <sys/mman.h>

/* OWASP's second choice for argon2id: 19 MiB, two passes, one lane. */
enum {
	PASSES = 2,
	MEMORY_BYTES = 19456 * 1024,
};

_Static_assert((int)PASSWORD_HASH_MAX >= (int)crypto_pwhash_STRBYTES, "room for a hash");

static bool
copy_hash(struct str hash, char (*out)[crypto_pwhash_STRBYTES])
{
	if (!hash.n || hash.n >= sizeof(*out) || memchr(hash.p, '\0', hash.n))
		return false;
	memset(*out, 0, sizeof(*out));
	memcpy(*out, hash.p, hash.n);
	return true;
}

enum err
password_hash(struct str password, struct strbuf *out)
{
	char text[crypto_pwhash_STRBYTES];

	CHECK(sodium_init() >= 0);
	if (password.n > PASSWORD_MAX)
		return ERR_LIMIT;
	if (crypto_pwhash_str_alg(text, password.n ? password.p : "", password.n, PASSES,
	                          MEMORY_BYTES, crypto_pwhash_ALG_ARGON2ID13) != 0)
		return ERR_LIMIT;
	strbuf_add(out, str_from(text));
	return out->overflow ? ERR_LIMIT : OK;
}

/* The library says "wrong" also where it had no memory to find out. */
static bool
has_memory(void)
{
	void *p = mmap(NULL, MEMORY_BYTES, PROT_READ | PROT_WRITE,
	               MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	return p != MAP_FAILED && munmap(p, MEMORY_BYTES) == 0;
}

enum err
password_verify(struct str hash, struct str password)
{
	char text[crypto_pwhash_STRBYTES];

	CHECK(sodium_init() >= 0);
	if (password.n > PASSWORD_MAX || !copy_hash(hash, &text))
		return ERR_AUTH;
	if (crypto_pwhash_str_verify(text, password.n ? password.p : "", password.n) == 0)
		return OK;
	return has_memory() ? ERR_AUTH : ERR_AUTH_TEMP;
}

struct str
password_dummy_hash(void)
{
	/* The parameters of above, a salt and a digest out of nothing. */
	return STR("$argon2id$v=19$m=19456,t=2,p=1$bm8gc3VjaCB1c2VyIGhlcg$"
	           "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA");
}
