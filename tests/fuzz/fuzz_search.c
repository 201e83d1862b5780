/* Searches end, and find a text of plain bytes that stands in a plain body. */
#include "base/panic.h"
#include "base/strbuf.h"
#include "mail/search.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct arena *a = arena_new((size_t)1 << 20);
	struct str message = str_make(data, size), needle, charset = STR("");
	const struct search_key *key;

	/* The first two lines are the charset and the text. */
	(void)str_next(&message, '\n', &charset);
	needle = STR("");
	(void)str_next(&message, '\n', &needle);
	if (search_key_new(needle, charset, a, &key) == OK) {
		bool in_body = search_message(message, key, SEARCH_BODY);
		bool in_text = search_message(message, key, SEARCH_TEXT);
		struct strbuf plain = strbuf_heap(size + 64);

		CHECK(in_text || !in_body);
		(void)search_header(message, STR("subject"), key);
		(void)search_text(message, key);
		strbuf_lit(&plain, "\r\n");
		strbuf_add(&plain, needle);
		if (!charset.n)
			CHECK(search_message(strbuf_str(&plain), key, SEARCH_BODY));
		strbuf_release(&plain);
	}
	arena_free(&a);
	return 0;
}
