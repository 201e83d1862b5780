#include "base/utf8.h"

#include "tests/unit/check.h"

static const struct {
	const char *what;
	struct str bytes;
	bool is_good;
	const char *clean; /* every byte that belongs to no character as U+FFFD */
} rows[] = {
	{ "nothing", STR_INIT(""), true, "" },
	{ "ASCII", STR_INIT("az"), true, "az" },
	{ "two bytes", STR_INIT("\xc3\xbc"), true, "\xc3\xbc" },
	{ "the first of two bytes", STR_INIT("\xc2\x80"), true, "\xc2\x80" },
	{ "the last of two bytes", STR_INIT("\xdf\xbf"), true, "\xdf\xbf" },
	{ "the first of three bytes", STR_INIT("\xe0\xa0\x80"), true, "\xe0\xa0\x80" },
	{ "before the surrogates", STR_INIT("\xed\x9f\xbf"), true, "\xed\x9f\xbf" },
	{ "after the surrogates", STR_INIT("\xee\x80\x80"), true, "\xee\x80\x80" },
	{ "the first of four bytes", STR_INIT("\xf0\x90\x80\x80"), true,
	  "\xf0\x90\x80\x80" },
	{ "the last of all", STR_INIT("\xf4\x8f\xbf\xbf"), true, "\xf4\x8f\xbf\xbf" },
	{ "a continuation alone", STR_INIT("a\x80z"), false, "a\xef\xbf\xbdz" },
	{ "overlong /", STR_INIT("\xc0\xaf"), false, "\xef\xbf\xbd\xef\xbf\xbd" },
	{ "overlong in three", STR_INIT("\xe0\x9f\xbf"), false,
	  "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd" },
	{ "overlong in four", STR_INIT("\xf0\x8f\xbf\xbf"), false,
	  "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd" },
	{ "a surrogate", STR_INIT("\xed\xa0\x80"), false,
	  "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd" },
	{ "over the last", STR_INIT("\xf4\x90\x80\x80"), false,
	  "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd" },
	{ "five bytes", STR_INIT("\xf8\x88\x80\x80\x80"), false,
	  "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd" },
	{ "FF", STR_INIT("\xff"), false, "\xef\xbf\xbd" },
	{ "cut off", STR_INIT("a\xe2\x82"), false, "a\xef\xbf\xbd\xef\xbf\xbd" },
	{ "broken off", STR_INIT("\xe2\x82z"), false, "\xef\xbf\xbd\xef\xbf\xbdz" },
};

static void
test_rows(void)
{
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		char bytes[64];
		struct strbuf b = strbuf_on(bytes);

		CHECK_TRUE(utf8_check(rows[i].bytes) == rows[i].is_good, rows[i].what);
		utf8_clean(&b, rows[i].bytes);
		CHECK_STR_EQ(strbuf_str(&b), str_from(rows[i].clean), rows[i].what);
		CHECK_TRUE(utf8_check(strbuf_str(&b)), "clean is clean");
	}
	CHECK_TRUE(ascii_check(STR("a\x7f")) && !ascii_check(STR("a\x80")), "ASCII");
}

/* Every character there is survives being written and read. */
static void
test_all_characters(void)
{
	unsigned wrong = 0;

	for (uint32_t c = 0; c <= 0x110000; c++) {
		bool is_one = c <= 0x10ffff && (c < 0xd800 || c > 0xdfff);
		char bytes[4];
		struct strbuf b = strbuf_on(bytes);
		struct str s;
		uint32_t got = 0;

		utf8_add(&b, c);
		s = strbuf_str(&b);
		wrong += !utf8_next(&s, &got) || s.n != 0 || got != (is_one ? c : 0xfffd);
	}
	CHECK_U64_EQ(wrong, 0, "characters that do not survive");
}

static void
test_first(void)
{
	static const struct {
		struct str bytes;
		size_t max;
		const char *want;
	} cuts[] = {
		{ STR_INIT("abc"), 3, "abc" },
		{ STR_INIT("abc"), 2, "ab" },
		{ STR_INIT("abc"), 0, "" },
		{ STR_INIT("a\xc3\xbc"), 3, "a\xc3\xbc" },
		{ STR_INIT("a\xc3\xbc"), 2, "a" },
		{ STR_INIT("\xf0\x90\x80\x80z"), 3, "" },
		{ STR_INIT("\xf0\x90\x80\x80z"), 4, "\xf0\x90\x80\x80" },
		{ STR_INIT("\x80\x80\x80\x80\x80\x80\x80"), 6,
		  "\x80\x80\x80\x80\x80\x80" },
		{ STR_INIT("\x80\x80"), 1, "\x80" },
	};

	for (size_t i = 0; i < ARRAY_LEN(cuts); i++)
		CHECK_STR_EQ(utf8_first(cuts[i].bytes, cuts[i].max),
		             str_from(cuts[i].want), cuts[i].want);
}

SUITE(base_utf8, { "rows", test_rows }, { "all characters", test_all_characters },
      { "first", test_first });
