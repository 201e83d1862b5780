#include "base/str.h"
#include "tests/unit/check.h"

static void
test_numbers(void)
{
	static const struct {
		const char *text;
		bool is_number;
		uint64_t value;
	} rows[] = {
		{ "0", true, 0 },
		{ "18446744073709551615", true, UINT64_MAX },
		{ "18446744073709551616", false, 0 },
		{ "", false, 0 },
		{ "-1", false, 0 },
		{ "+1", false, 0 },
		{ " 1", false, 0 },
		{ "1x", false, 0 },
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		uint64_t value = 0;

		CHECK_TRUE(str_parse_u64(str_from(rows[i].text), &value) ==
		                   rows[i].is_number,
		           rows[i].text);
		CHECK_U64_EQ(value, rows[i].value, rows[i].text);
	}
}

static void
test_next(void)
{
	struct str rest = STR("a,,b"), part;

	CHECK_TRUE(str_next(&rest, ',', &part), "first");
	CHECK_STR_EQ(part, STR("a"), "first");
	CHECK_TRUE(str_next(&rest, ',', &part), "second");
	CHECK_STR_EQ(part, STR(""), "second");
	CHECK_TRUE(str_next(&rest, ',', &part), "third");
	CHECK_STR_EQ(part, STR("b"), "third");
	CHECK_TRUE(!str_next(&rest, ',', &part), "end");
}

static void
test_find(void)
{
	CHECK_U64_EQ(str_find_icase(STR("Hello World"), STR("WORLD")), 6, "icase");
	CHECK_U64_EQ(str_find_str(STR("ab"), STR("abc")), SIZE_MAX, "longer needle");
	CHECK_U64_EQ(str_find_last(STR("a@b@c"), '@'), 3, "last");
	CHECK_TRUE(str_cmp(STR("ab"), STR("abc")) < 0, "shorter first");
	CHECK_U64_EQ(str_plain(STR("")), 0, "none");
	CHECK_U64_EQ(str_plain(STR("abcdefgh~\x80\xff!z")), 13, "all");
	for (size_t at = 0; at < 20; at++) {
		static const char odd[] = { '\0', '\t', '\r', '\n', ' ', 0x1f, 0x7f };

		for (size_t k = 0; k < sizeof(odd); k++) {
			char text[20];

			memset(text, 'x', sizeof(text));
			text[at] = odd[k];
			CHECK_U64_EQ(str_plain(str_make(text, sizeof(text))), at,
			             "up to it");
		}
	}
	CHECK_STR_EQ(str_trim(STR(" \ta \r\n")), STR("a"), "trim");
}

SUITE(base_str, { "numbers", test_numbers }, { "next", test_next },
      { "find", test_find });
