/* Tag lists, and key records, which are such lists. */
#include "base/panic.h"
#include "policy/dkim_key.h"
#include "policy/tag_list.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum {
	ARENA_BYTES = 1 << 20,
};

static void
check_list(const struct tag_list *list, struct str text)
{
	CHECK(list->count <= TAG_LIST_MAX);
	for (size_t i = 0; i < list->count; i++) {
		const struct tag *t = &list->tags[i];

		CHECK(t->name.n && tag_list_find(list, t->name) == t);
		CHECK(t->raw.p >= text.p && t->raw.p + t->raw.n <= text.p + text.n);
		CHECK(t->value.n <= t->raw.n && !memchr(t->value.p, ';', t->value.n));
	}
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct str text = str_make(data, size);
	struct arena *a = arena_new(ARENA_BYTES);
	struct dkim_key_record record;
	struct crypto_key *key = NULL;
	struct tag_list list;
	bool is_list = tag_list_parse(text, &list) == OK;

	check_list(&list, text);
	if (dkim_key_record_parse(text, a, &record) == OK) {
		CHECK(is_list && tag_list_find(&list, STR("p")));
		if (crypto_key_parse_public(record.kind, record.key, &key) == OK)
			CHECK(crypto_key_bits(key) <= CRYPTO_RSA_BITS_MAX);
		crypto_key_free(&key);
	}
	arena_free(&a);
	return 0;
}
