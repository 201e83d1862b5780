/* Records that lie one behind the other are read many at a time, however small. */
#include "store/read_ahead.h"

#include "tests/unit/check.h"

#include <stdlib.h>
#include <unistd.h>

enum {
	RECORDS = 400,
	SIZE_MAX_BYTES = 1600,
	GUESS = 1024, /* a reader wants more than the record: its header has any length */
};

static int
file_of(size_t bytes)
{
	static char content[RECORDS * SIZE_MAX_BYTES];
	char path[] = "/tmp/mailstead-unit-XXXXXX";
	int fd = mkstemp(path);

	CHECK_TRUE(fd >= 0, "file");
	(void)unlink(path);
	for (size_t i = 0; i < bytes; i++)
		content[i] = (char)(i * 7 + i / 251);
	CHECK_TRUE(write(fd, content, bytes) == (ssize_t)bytes, "content");
	return fd;
}

/* How often the file is read for records of that size, in the order of `step`. */
static size_t
reads_for(size_t size, size_t step)
{
	struct read_ahead r = read_ahead_make();
	int fd = file_of(size * RECORDS);
	size_t reads = 0;
	bool is_right = true;

	for (size_t i = 0; i < RECORDS; i++) {
		size_t at = i * step % RECORDS * size, left = size * RECORDS - at;
		struct read_range want = { 1, at, size + GUESS };
		struct str bytes;
		bool is_old;

		CHECK_ERR_EQ(read_ahead(&r, fd, want, &bytes, &is_old), OK, "read");
		reads += !is_old;
		is_right = is_right && bytes.n == (want.n < left ? want.n : left);
		for (size_t k = 0; k < bytes.n; k += 97)
			is_right = is_right &&
			           bytes.p[k] == (char)((at + k) * 7 + (at + k) / 251);
	}
	CHECK_TRUE(is_right, "the bytes that were wanted");
	(void)close(fd);
	read_ahead_free(&r);
	return reads;
}

static void
test_in_order(void)
{
	for (size_t size = 200; size <= SIZE_MAX_BYTES; size += 200) {
		size_t pieces = size * RECORDS / (READ_AHEAD_BYTES - size - GUESS) + 1;
		size_t behind = GUESS / size + 1; /* the file ends before the guess */

		CHECK_TRUE(reads_for(size, 1) <= 1 + pieces + behind, "few reads");
	}
}

/* Nobody reads ahead for who jumps. */
static void
test_in_no_order(void)
{
	CHECK_TRUE(reads_for(SIZE_MAX_BYTES, 37) >= RECORDS / 2, "each alone");
}

SUITE(store_read_ahead, { "in order", test_in_order },
      { "in no order", test_in_no_order });
