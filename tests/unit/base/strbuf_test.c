#include "base/strbuf.h"

#include "tests/unit/check.h"

static void
test_fixed(void)
{
	char bytes[8];
	struct strbuf b = strbuf_on(bytes);

	strbuf_add(&b, STR("abc"));
	strbuf_u64(&b, 12345);
	CHECK_STR_EQ(strbuf_str(&b), STR("abc12345"), "full to the last byte");
	CHECK_TRUE(!b.overflow, "full is not over");
	CHECK_CSTR_EQ(strbuf_cstr(&b), "", "no room for a NUL");
	CHECK_TRUE(!b.overflow, "which is no overflow either");
	strbuf_byte(&b, 'x');
	CHECK_TRUE(b.overflow, "one too many");
	CHECK_STR_EQ(strbuf_str(&b), STR("abc12345"), "what does not fit is not added");
	strbuf_truncate(&b, 2);
	strbuf_byte(&b, 'x');
	CHECK_STR_EQ(strbuf_str(&b), STR("ab"), "overflow sticks");
	strbuf_clear(&b);
	CHECK_TRUE(!b.overflow && b.n == 0, "until clear");
	strbuf_add(&b, STR("abcdefghi"));
	CHECK_U64_EQ(b.n, 0, "nothing is added in part");
}

static void
test_kinds(void)
{
	struct arena *a = arena_new(1 << 20);
	char bytes[1000];
	struct strbuf kinds[] = { strbuf_on(bytes), strbuf_arena(a, 1000),
		                  strbuf_heap(1000) };

	for (size_t i = 0; i < ARRAY_LEN(kinds); i++) {
		struct strbuf *b = &kinds[i];

		for (unsigned n = 0; n < 1000; n++)
			strbuf_byte(b, (char)('a' + n % 26));
		CHECK_TRUE(!b->overflow, "1000 of 1000");
		CHECK_U64_EQ(b->n, 1000, "1000 of 1000");
		CHECK_STR_EQ(str_from_offset(strbuf_str(b), 988), STR("abcdefghijkl"),
		             "bytes survive growing");
		strbuf_byte(b, 'x');
		CHECK_TRUE(b->overflow, "1001 of 1000");
		strbuf_release(b);
		CHECK_U64_EQ(b->n, 0, "empty after release");
		strbuf_lit(b, "again");
		CHECK_STR_EQ(strbuf_str(b), STR("again"), "and usable");
		strbuf_release(b);
	}
	arena_free(&a);
}

static void
test_arena_budget(void)
{
	struct arena *a = arena_new(256);
	struct strbuf b = strbuf_arena(a, 1 << 20);

	for (int i = 0; i < 1000; i++)
		strbuf_byte(&b, 'x');
	CHECK_TRUE(b.overflow, "the arena's budget is a cap as well");
	CHECK_TRUE(b.n > 0 && b.n <= 256, "and what fitted is there");
	arena_free(&a);
}

static void
test_numbers(void)
{
	static const struct {
		int64_t value;
		const char *text;
	} rows[] = {
		{ 0, "0" },
		{ -1, "-1" },
		{ INT64_MAX, "9223372036854775807" },
		{ INT64_MIN, "-9223372036854775808" },
	};
	char bytes[64];
	struct strbuf b = strbuf_on(bytes);

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		strbuf_clear(&b);
		strbuf_i64(&b, rows[i].value);
		CHECK_STR_EQ(strbuf_str(&b), str_from(rows[i].text), rows[i].text);
	}
	strbuf_clear(&b);
	strbuf_digits(&b, 7, 3);
	CHECK_STR_EQ(strbuf_str(&b), STR("007"), "zeros in front");
	strbuf_clear(&b);
	strbuf_digits(&b, 1234, 2);
	CHECK_STR_EQ(strbuf_str(&b), STR("1234"), "more digits than asked for");
	strbuf_clear(&b);
	strbuf_u64(&b, UINT64_MAX);
	CHECK_STR_EQ(strbuf_str(&b), STR("18446744073709551615"), "the largest");
	strbuf_clear(&b);
	strbuf_hex(&b, STR("\x00\x7f\xff"));
	CHECK_STR_EQ(strbuf_str(&b), STR("007fff"), "hex");
}

static void
test_printf(void)
{
	char bytes[6];
	struct strbuf b = strbuf_on(bytes);

	strbuf_printf(&b, "%s", "abcdef");
	CHECK_STR_EQ(strbuf_str(&b), STR("abcdef"), "fills it; the NUL needs no room");
	CHECK_TRUE(!b.overflow, "and does not overflow");
	strbuf_clear(&b);
	strbuf_printf(&b, "%s", "abcdefg");
	CHECK_TRUE(b.overflow && b.n == 0, "one more does not go in");
	strbuf_clear(&b);
	strbuf_printf(&b, "%d", 12);
	strbuf_printf(&b, "%d", 34);
	CHECK_STR_EQ(strbuf_str(&b), STR("1234"), "one behind the other");
}

static void
test_moves(void)
{
	struct strbuf b = strbuf_heap(100);
	char *room;

	strbuf_consume(&b, 0);
	strbuf_lit(&b, "abcdef");
	strbuf_consume(&b, 2);
	CHECK_STR_EQ(strbuf_str(&b), STR("cdef"), "consume moves up");
	strbuf_consume(&b, 4);
	CHECK_U64_EQ(b.n, 0, "consume all");
	room = strbuf_reserve(&b, 3);
	CHECK_TRUE(room != NULL, "reserve");
	if (room)
		memcpy(room, "xyz", 3);
	CHECK_U64_EQ(b.n, 0, "reserved is not used yet");
	b.n += 3;
	CHECK_CSTR_EQ(strbuf_cstr(&b), "xyz", "with a NUL behind");
	CHECK_U64_EQ(b.n, 3, "that is not counted");
	CHECK_TRUE(strbuf_reserve(&b, 98) == NULL && b.overflow, "over the cap");
	strbuf_release(&b);
}

static void
consume_too_much(void)
{
	char bytes[4];
	struct strbuf b = strbuf_on(bytes);

	strbuf_byte(&b, 'x');
	strbuf_consume(&b, 2);
}

static void
truncate_upwards(void)
{
	char bytes[4];
	struct strbuf b = strbuf_on(bytes);

	strbuf_truncate(&b, 1);
}

static void
test_panics(void)
{
	CHECK_PANICS(consume_too_much, "consume more than there is");
	CHECK_PANICS(truncate_upwards, "truncate to more than there is");
}

SUITE(base_strbuf, { "fixed", test_fixed }, { "kinds", test_kinds },
      { "arena budget", test_arena_budget }, { "numbers", test_numbers },
      { "printf", test_printf }, { "moves", test_moves }, { "panics", test_panics });
