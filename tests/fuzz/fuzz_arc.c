/* The sets of a chain, and the results that a seal would carry; then a set more, which
 * must be one that is read again. */
#include "base/panic.h"
#include "ext/crypto.h"
#include "policy/arc_set.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum {
	ARENA_BYTES = 8 << 20,
};

static void
count(void *arg, struct str bytes)
{
	*(size_t *)arg += bytes.n;
}

static void
check_chain(const struct arc_chain *c)
{
	size_t bytes = 0;

	CHECK(c->count <= ARC_SETS_MAX);
	for (size_t i = 0; i < c->count; i++) {
		const struct arc_fields *set = &c->sets[i];

		if (!c->problem)
			CHECK(set->results.n && set->message.n && set->seal.n);
		arc_chain_canon(set, false, STR(""), count, &bytes);
	}
}

static void
seal(struct arena *a, struct crypto_key *key, struct str header)
{
	struct strbuf out = strbuf_arena(a, 1 << 20);
	struct arc_verdict verdict = { .result = ARC_FAIL };
	struct arc_seal s = {
		.domain = STR("a.example"),
		.selector = STR("k"),
		.authserv_id = STR("mx.example"),
		.key = key,
		.results = arc_results_of(header, STR("mx.example"), a),
	};
	struct arc_chain chain;
	enum err e = arc_seal(a, &s, &verdict, header, STR("x\r\n"), &out);

	if (e != OK)
		return;
	arc_chain_gather(strbuf_str(&out), &chain);
	CHECK(chain.count == 1 && !chain.problem);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct crypto_key *key;
	struct arena *a = arena_new(ARENA_BYTES);
	struct str header = str_make(data, size);
	struct arc_chain chain;

	if (!key)
		key = crypto_key_generate(CRYPTO_ED25519);
	arc_chain_gather(header, &chain);
	check_chain(&chain);
	seal(a, key, header);
	arena_free(&a);
	return 0;
}
