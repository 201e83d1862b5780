/* Headers: fields are pieces of the input in their order; what is copied of them by name,
   and what is left, are all of them. */
#include "base/panic.h"
#include "mail/header.h"
#include "mail/received.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const struct str names[] = { STR_INIT("From"), STR_INIT("x") };
	struct str all = str_make(data, size), rest = all;
	struct str header = str_first(all, header_size(all));
	struct arena *a = arena_new(((size_t)1 << 16) + 4 * size);
	struct strbuf some = strbuf_heap(size + 16), others = strbuf_heap(size + 16);
	size_t count = 0, raw_bytes = 0, lines = 0;
	struct header_field f;

	while (header_next(&rest, &f)) {
		struct str text;

		CHECK(f.name.n && f.name.p == f.raw.p);
		CHECK(f.value.p + f.value.n <= f.raw.p + f.raw.n);
		CHECK(f.raw.p >= all.p && f.raw.p + f.raw.n <= header.p + header.n);
		text = header_unfold(f.value, a);
		CHECK(text.n <= f.value.n && str_find(text, '\n') == SIZE_MAX);
		raw_bytes += f.raw.n;
		count++;
	}
	for (size_t i = 0; i < all.n; i++)
		lines += all.p[i] == '\n';
	CHECK(header_lines(all) == lines);
	header_copy_fields(header, names, 2, true, &some);
	header_copy_fields(header, names, 2, false, &others);
	CHECK(!some.overflow && !others.overflow);
	CHECK(some.n + others.n >= raw_bytes + 4 && some.n + others.n <= raw_bytes + 6);
	CHECK(received_count(header, SIZE_MAX) <= count);
	strbuf_release(&some);
	strbuf_release(&others);
	arena_free(&a);
	return 0;
}
