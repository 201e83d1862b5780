/* The line reader: bytes in one piece and in pieces give the same lines and errors. */
#include "base/line.h"
#include "base/panic.h"
#include "base/strbuf.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum {
	MAX = 40,
};

/* Reads input in pieces of step bytes and writes what came of it. */
static void
read_all(struct str input, size_t step, struct strbuf *heard)
{
	struct line_reader r = { 0 };
	size_t start = 0, end = 0;

	while (end < input.n) {
		enum line_result result;
		struct str line = { NULL, 0 };
		size_t used = 0;

		end = end + step < input.n ? end + step : input.n;
		while ((result = line_next(&r, str_make(input.p + start, end - start),
		                           MAX, &line, &used)) != LINE_MORE) {
			CHECK(used > 0 && used <= end - start && line.n <= MAX);
			CHECK(result != LINE_OK || used == line.n + 2);
			start += used;
			strbuf_printf(heard, "%d %zu;", (int)result, used);
			strbuf_add(heard, line);
		}
	}
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct str input = str_make(data, size);
	struct strbuf whole = strbuf_heap(1 << 22), pieces = strbuf_heap(1 << 22);

	if (size > 1 << 14)
		return 0;
	read_all(input, size + 1, &whole);
	for (size_t step = 1; step < 4; step++) {
		strbuf_clear(&pieces);
		read_all(input, step, &pieces);
		CHECK(str_eq(strbuf_str(&whole), strbuf_str(&pieces)));
	}
	strbuf_release(&whole);
	strbuf_release(&pieces);
	return 0;
}
