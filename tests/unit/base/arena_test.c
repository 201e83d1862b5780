#include "base/arena.h"

#include "base/mem.h"
#include "tests/unit/check.h"

#include <stdalign.h>

static void
test_budget(void)
{
	struct arena *a = arena_new(1000);
	void *p;

	CHECK_U64_EQ(arena_used(a), 0, "a new arena is empty");
	CHECK_U64_EQ(arena_left(a), 1000, "all of the budget is left");
	p = arena_try(a, 500);
	CHECK_TRUE(p != NULL, "500 of 1000");
	CHECK_U64_EQ(arena_used(a) + arena_left(a), 1000,
	             "used and left make the budget");
	CHECK_TRUE(arena_try(a, 501) == NULL, "over the budget");
	CHECK_TRUE(arena_try(a, SIZE_MAX) == NULL, "far over it");
	CHECK_TRUE(arena_try(a, SIZE_MAX - 8) == NULL,
	           "where rounding would wrap around");
	CHECK_U64_EQ(arena_used(a) + arena_left(a), 1000, "a refusal takes nothing");
	arena_reset(a);
	CHECK_U64_EQ(arena_used(a), 0, "reset gives all back");
	CHECK_TRUE(arena_try(a, 900) != NULL, "and it can be taken again");
	arena_free(&a);
	CHECK_TRUE(a == NULL, "free clears the pointer");
	arena_free(&a);
}

static void
test_pieces(void)
{
	static const size_t sizes[] = { 1, 7, 16, 511, 512, 513, 4096, 100000, 3 };
	unsigned char *pieces[ARRAY_LEN(sizes)];
	struct arena *a = arena_new(1 << 20);

	for (size_t i = 0; i < ARRAY_LEN(sizes); i++) {
		bool is_zero = true;

		pieces[i] = arena_alloc(a, sizes[i]);
		CHECK_U64_EQ((uintptr_t)pieces[i] % alignof(max_align_t), 0, "aligned");
		for (size_t k = 0; k < sizes[i]; k++)
			is_zero = is_zero && pieces[i][k] == 0;
		CHECK_TRUE(is_zero, "zeroed");
		memset(pieces[i], (int)i + 1, sizes[i]);
	}
	for (size_t i = 0; i < ARRAY_LEN(sizes); i++) {
		bool is_whole = true;

		for (size_t k = 0; k < sizes[i]; k++)
			is_whole = is_whole && pieces[i][k] == i + 1;
		CHECK_TRUE(is_whole, "no piece overlaps another");
	}
	arena_reset(a);
	CHECK_U64_EQ(*(unsigned char *)arena_alloc(a, 1), 0, "zeroed after a reset too");
	arena_free(&a);
}

/* Filled with more and more, so that some rounds have a chunk to keep and some not. */
static void
test_rewind(void)
{
	struct arena *a = arena_new(1 << 22);

	for (size_t round = 0; round < 14; round++) {
		size_t n = (size_t)64 << round;
		unsigned char *p = arena_alloc(a, n);
		unsigned char *q = arena_alloc(a, 200);
		bool is_zero = true;

		for (size_t k = 0; k < n; k++)
			is_zero = is_zero && p[k] == 0;
		for (size_t k = 0; k < 200; k++)
			is_zero = is_zero && q[k] == 0;
		CHECK_TRUE(is_zero, "zeroed in each round");
		memset(p, 0xaa, n);
		memset(q, 0x55, 200);
		for (size_t k = 0; k < 300; k++)
			memset(arena_alloc(a, 100), 0xff, 100);
		arena_rewind(a);
		CHECK_U64_EQ(arena_used(a), 0, "a rewind gives all back");
	}
	arena_free(&a);
}

static void
test_copies(void)
{
	struct arena *a = arena_new_secret(4096);
	char bytes[] = "abc";
	struct str copy = arena_str(a, str_from(bytes));

	bytes[0] = 'X';
	CHECK_STR_EQ(copy, STR("abc"), "a copy is a copy");
	CHECK_U64_EQ((unsigned char)copy.p[copy.n], 0, "with a NUL behind it");
	CHECK_CSTR_EQ(arena_cstr(a, STR("")), "", "the empty string");
	CHECK_STR_EQ(arena_str(a, (struct str){ NULL, 0 }), STR(""), "no string");
	CHECK_STR_EQ(arena_printf(a, "%d-%s", 7, "x"), STR("7-x"), "printf");
	arena_free(&a);
}

static void
over_budget(void)
{
	struct arena *a = arena_new(100);

	(void)arena_alloc(a, 101);
}

static void
sum_wraps(void)
{
	(void)size_add(SIZE_MAX, 1);
}

static void
product_wraps(void)
{
	(void)size_mul(SIZE_MAX / 2, 3);
}

static void
test_panics(void)
{
	CHECK_PANICS(over_budget, "arena_alloc over the budget");
	CHECK_PANICS(sum_wraps, "size_add");
	CHECK_PANICS(product_wraps, "size_mul");
	CHECK_U64_EQ(size_add(SIZE_MAX - 1, 1), SIZE_MAX, "the largest sum");
	CHECK_U64_EQ(size_mul(SIZE_MAX, 1), SIZE_MAX, "the largest product");
	CHECK_U64_EQ(size_mul(SIZE_MAX, 0), 0, "nothing of much");
}

SUITE(base_arena, { "budget", test_budget }, { "pieces", test_pieces },
      { "rewind", test_rewind }, { "copies", test_copies }, { "panics", test_panics });
