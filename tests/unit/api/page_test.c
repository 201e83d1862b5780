#include "api/page.h"

#include "tests/unit/check.h"

static void
test_cursors(void)
{
	uint8_t secret[32] = { 1, 2, 3 }, other[32] = { 3, 2, 1 };
	struct arena *a = arena_new(1 << 16);
	struct strbuf text = strbuf_arena(a, 4096);
	uint32_t binding = 0;
	struct str key = { NULL, 0 };

	cursor_format(secret, 7, STR("ann@example.org"), &text);
	CHECK_TRUE(cursor_parse(secret, strbuf_str(&text), a, &binding, &key), "its own");
	CHECK_U64_EQ(binding, 7, "binding");
	CHECK_STR_EQ(key, STR("ann@example.org"), "key");
	CHECK_TRUE(!cursor_parse(other, strbuf_str(&text), a, &binding, &key),
	           "another secret");
	for (size_t i = 0; i < text.n; i++) {
		char was = text.p[i];

		text.p[i] = was == 'A' ? 'B' : 'A';
		CHECK_TRUE(!cursor_parse(secret, strbuf_str(&text), a, &binding, &key),
		           "a changed byte");
		text.p[i] = was;
	}
	CHECK_TRUE(!cursor_parse(secret, STR(""), a, &binding, &key), "empty");
	CHECK_TRUE(!cursor_parse(secret, STR("AAAA"), a, &binding, &key), "short");
	CHECK_TRUE(!cursor_parse(secret, STR("!!"), a, &binding, &key), "no base64");
	arena_free(&a);
}

SUITE(api_page, { "cursors", test_cursors });
