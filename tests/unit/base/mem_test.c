#include "base/mem.h"

#include "base/strbuf.h"
#include "tests/unit/check.h"

#include <malloc.h>

/* Blocks of all sizes there are, and of some between them, many at a time: each has all
   its bytes to itself, whether it is new or was kept. */
static void
test_blocks(void)
{
	enum {
		COUNT = 40,
	};
	unsigned char *blocks[COUNT];

	for (size_t n = 1; n <= 4 * (size_t)MEM_BLOCK_MAX;
	     n = n < 9 ? n + 1 : n * 5 / 4) {
		size_t size = n % 3 ? n : (size_t)MEM_BLOCK_MIN << n % 11;
		bool is_whole = true;

		for (unsigned i = 0; i < COUNT; i++) {
			blocks[i] = mem_block(size);
			memset(blocks[i], (int)i, size);
		}
		for (unsigned i = 0; i < COUNT; i++) {
			is_whole =
				is_whole && blocks[i][0] == i && blocks[i][size - 1] == i;
			mem_block_free(blocks[i], size);
		}
		CHECK_TRUE(is_whole, "nobody else writes into a block");
	}
	mem_block_free(NULL, MEM_BLOCK_MIN);
}

/* Who is idle keeps nothing; blocks come as before. */
static void
test_giving_back(void)
{
	enum {
		COUNT = 8,
	};
	unsigned char *blocks[COUNT];
	size_t before = mallinfo2().uordblks, kept;

	for (int round = 0; round < 2; round++) {
		for (unsigned i = 0; i < COUNT; i++)
			memset(blocks[i] = mem_block(MEM_BLOCK_MAX), 1, MEM_BLOCK_MAX);
		for (unsigned i = 0; i < COUNT; i++)
			mem_block_free(blocks[i], MEM_BLOCK_MAX);
		mem_give_back();
		kept = mallinfo2().uordblks;
		CHECK_TRUE(kept <= before + MEM_BLOCK_MIN, "nothing is kept");
	}
}

/* A buffer moves from block to block, and goes on behind the last size of one. */
static void
test_growth(void)
{
	struct strbuf b = strbuf_heap(4 * (size_t)MEM_BLOCK_MAX);
	bool is_same = true;

	for (unsigned i = 0; i < 4 * (unsigned)MEM_BLOCK_MAX; i++)
		strbuf_byte(&b, (char)(i % 251));
	CHECK_U64_EQ(b.n, b.max, "all of it");
	CHECK_TRUE(!b.overflow, "and no more");
	for (unsigned i = 0; i < b.n; i++)
		is_same = is_same && b.p[i] == (char)(i % 251);
	CHECK_TRUE(is_same, "nothing was lost on the way");
	strbuf_release(&b);
}

SUITE(base_mem, { "blocks", test_blocks }, { "giving back", test_giving_back },
      { "growth", test_growth });
