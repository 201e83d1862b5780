/* UTF-8: cleaning gives UTF-8 and leaves UTF-8 alone; cutting never makes it worse. */
#include "base/panic.h"
#include "base/utf8.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct str s = str_make(data, size), rest = s;
	struct strbuf clean = strbuf_heap(3 * size), copy = strbuf_heap(4 * size);
	bool is_good = utf8_check(s);
	uint32_t c;

	utf8_clean(&clean, s);
	CHECK(!clean.overflow && utf8_check(strbuf_str(&clean)));
	CHECK(!is_good || str_eq(strbuf_str(&clean), s));
	while (utf8_next(&rest, &c))
		utf8_add(&copy, c);
	CHECK((rest.n == 0) == is_good);
	CHECK(str_eq(strbuf_str(&copy), str_first(s, size - rest.n)));
	for (size_t max = 0; max <= size && max < 64; max++) {
		struct str cut = utf8_first(s, max);

		CHECK(cut.n <= max &&
		      (!is_good || (utf8_check(cut) && cut.n + 3 >= max)));
	}
	strbuf_release(&clean);
	strbuf_release(&copy);
	return 0;
}
