#include "base/ids.h"

#include "base/clock.h"
#include "tests/unit/check.h"

static void
test_make(void)
{
	static const struct {
		int64_t ms;
		uint64_t random;
		const char *want;
	} rows[] = {
		{ 0, 0, "mtr_0000000000000000" },
		{ 1, 1, "mtr_0000000001000001" },
		{ 31, 31, "mtr_000000000z00000z" },
		{ 32, 32, "mtr_0000000010000010" },
		{ (INT64_C(1) << 48) - 1, (1u << 30) - 1, "mtr_7zzzzzzzzzzzzzzz" },
		{ 1, UINT64_MAX, "mtr_0000000001zzzzzz" },
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct id id = id_make("mtr_", rows[i].ms, rows[i].random);

		CHECK_STR_EQ(id_str(&id), str_from(rows[i].want), rows[i].want);
		CHECK_I64_EQ(id_time_ms(&id), rows[i].ms, "its time");
	}
}

static void
test_parse(void)
{
	static const char *const bad[] = {
		"",
		"mtr_",
		"mtr_000000000000000",
		"mtr_00000000000000000",
		"ses_0000000000000000",
		"mtr_000000000000000i",
		"mtr_000000000000000L",
		"mtr_00000000000000 0",
		"MTR_0000000000000000",
	};
	struct id id;

	CHECK_TRUE(id_parse(STR("mtr_0123456789abcdef"), "mtr_", &id), "good");
	CHECK_CSTR_EQ(id.text, "mtr_0123456789abcdef", "good");
	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		CHECK_TRUE(!id_parse(str_from(bad[i]), "mtr_", &id), bad[i]);
	CHECK_TRUE(!id_parse(STR("mtr_000000000000000\0"), "mtr_", &id), "a NUL inside");
}

static void
test_new(void)
{
	int64_t before = clock_unix_ms();
	struct id a = id_new("ses_"), b = id_new("ses_");
	int64_t after = clock_unix_ms();

	CHECK_TRUE(!str_eq(id_str(&a), id_str(&b)), "two ids differ");
	CHECK_TRUE(id_time_ms(&a) >= before && id_time_ms(&b) <= after, "and say when");
	a = id_make("mtr_", 1000, (1u << 30) - 1);
	b = id_make("mtr_", 1001, 0);
	CHECK_TRUE(str_cmp(id_str(&a), id_str(&b)) < 0, "ids sort by birth");
}

static void
test_random(void)
{
	unsigned char a[1000], b[1000];
	unsigned seen[256] = { 0 }, different = 0;

	random_bytes(a, sizeof(a));
	random_bytes(b, sizeof(b));
	CHECK_TRUE(memcmp(a, b, sizeof(a)) != 0, "large pieces differ");
	for (unsigned i = 0; i < 2000; i++) {
		unsigned char c;

		random_bytes(&c, 1);
		different += seen[c]++ == 0;
	}
	CHECK_TRUE(different > 200, "single bytes take all values");
	CHECK_TRUE(random_u64() != random_u64(), "numbers differ");
}

SUITE(base_ids, { "make", test_make }, { "parse", test_parse }, { "new", test_new },
      { "random", test_random });
