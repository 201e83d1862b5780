#include "base/map.h"

#include "base/strbuf.h"
#include "tests/unit/check.h"

enum {
	MANY = 100000,
};

/* Vectors of the reference implementation: key 00..0f, input 00, 01, 02 … */
static void
test_siphash(void)
{
	static const struct {
		size_t n;
		uint64_t want;
	} rows[] = {
		{ 0, 0x726fdb47dd0e0e31 },  { 1, 0x74f839c593dc67fd },
		{ 2, 0x0d6c8009d9a94f5a },  { 3, 0x85676696d7fb7e2d },
		{ 7, 0xab0200f58b01d137 },  { 8, 0x93f5f5799a932462 },
		{ 15, 0xa129ca6149be45e5 }, { 63, 0x958a324ceb064572 },
	};
	static const uint64_t key[2] = { 0x0706050403020100, 0x0f0e0d0c0b0a0908 };
	char input[64];

	for (size_t i = 0; i < sizeof(input); i++)
		input[i] = (char)i;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		CHECK_U64_EQ(siphash24(key, str_make(input, rows[i].n)), rows[i].want,
		             "siphash");
}

static void
test_basics(void)
{
	struct map *m = map_new();
	int one, two;

	CHECK_TRUE(map_find(m, STR("a")) == NULL, "nothing there");
	CHECK_TRUE(map_remove(m, STR("a")) == NULL, "nothing to remove");
	CHECK_TRUE(map_set(m, STR("a"), &one) == NULL, "set");
	CHECK_TRUE(map_set(m, STR("a"), &two) == &one, "set again gives the one before");
	CHECK_U64_EQ(map_count(m), 1, "and counts once");
	CHECK_TRUE(map_set(m, STR(""), &one) == NULL, "the empty key");
	CHECK_TRUE(map_set(m, STR("\0"), &two) == NULL, "a NUL is a byte like others");
	CHECK_TRUE(map_find(m, STR("")) == &one && map_find(m, STR("\0")) == &two,
	           "find");
	CHECK_TRUE(map_find(m, STR("A")) == NULL, "case counts");
	CHECK_TRUE(map_remove(m, STR("a")) == &two, "remove");
	CHECK_TRUE(map_find(m, STR("a")) == NULL, "removed");
	CHECK_U64_EQ(map_count(m), 2, "count");
	map_free(&m);
	CHECK_TRUE(m == NULL, "free clears the pointer");
	map_free(&m);
}

static struct str
key_of(unsigned i, char (*bytes)[16])
{
	struct strbuf b = strbuf_on(*bytes);

	strbuf_printf(&b, "key %u", i);
	return strbuf_str(&b);
}

static void
test_many(void)
{
	static unsigned values[MANY];
	struct map *m = map_new();
	unsigned wrong = 0;
	char bytes[16];

	for (unsigned i = 0; i < MANY; i++)
		wrong += map_set(m, key_of(i, &bytes), &values[i]) != NULL;
	CHECK_U64_EQ(map_count(m), MANY, "all are there");
	for (unsigned i = 0; i < MANY; i += 3)
		wrong += map_remove(m, key_of(i, &bytes)) != &values[i];
	for (unsigned i = 0; i < MANY; i++) {
		void *want = i % 3 ? &values[i] : NULL;

		wrong += map_find(m, key_of(i, &bytes)) != want;
	}
	CHECK_U64_EQ(wrong, 0, "every one found, or gone, as it should be");
	CHECK_U64_EQ(map_count(m), MANY - (MANY + 2) / 3, "and counted");
	map_free(&m);
}

struct walk {
	struct map *m;
	bool removes;
};

static void
on_entry(void *arg, struct str key, void *value)
{
	struct walk *w = arg;
	unsigned *seen = value;

	++*seen;
	if (w->removes && *seen == 1 && key.p[key.n - 1] % 2)
		CHECK_TRUE(map_remove(w->m, key) == value, "the current one may go");
}

/* Many small maps, so that clusters wrap around the end of the table in some. */
static void
test_each(void)
{
	for (unsigned n = 0; n < 2000; n++) {
		unsigned seen[12] = { 0 }, wrong = 0, size = n % 13;
		struct walk w = { map_new(), true };
		char bytes[16];

		for (unsigned i = 0; i < size; i++)
			(void)map_set(w.m, key_of(i, &bytes), &seen[i]);
		map_each(w.m, on_entry, &w);
		for (unsigned i = 0; i < size; i++)
			wrong += seen[i] != 1;
		CHECK_U64_EQ(wrong, 0, "each entry is visited once");
		CHECK_U64_EQ(map_count(w.m),
		             size <= 10 ? (size + 1) / 2 : size - 5 - (size > 11),
		             "the odd ones are gone");
		map_free(&w.m);
	}
}

SUITE(base_map, { "siphash", test_siphash }, { "basics", test_basics },
      { "many", test_many }, { "each", test_each });
