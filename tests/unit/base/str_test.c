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
	for (size_t at = 0; at < 50; at++) {
		static const char odd[] = { '\0', '\t', '\r', '\n', ' ', 0x1f, 0x7f };

		for (size_t k = 0; k < sizeof(odd); k++) {
			char text[50];

			memset(text, 'x', sizeof(text));
			text[at] = odd[k];
			CHECK_U64_EQ(str_plain(str_make(text, sizeof(text))), at,
			             "up to it");
		}
	}
	CHECK_STR_EQ(str_trim(STR(" \ta \r\n")), STR("a"), "trim");
}

/* Each byte against each, in a place of its own. */
static void
test_case(void)
{
	for (unsigned a = 0; a < 256; a++) {
		for (unsigned b = 0; b < 256; b++) {
			char x[11] = "aAzZ@[`{0_-", y[11] = "AazZ@[`{0_-";
			bool want = byte_lower((char)a) == byte_lower((char)b);
			size_t at = (a * 7 + b) % sizeof(x);

			x[at] = (char)a;
			y[at] = (char)b;
			if (str_eq_icase(str_make(x, sizeof(x)),
			                 str_make(y, sizeof(y))) != want)
				CHECK_U64_EQ(a, b, "case");
		}
	}
	CHECK_TRUE(str_eq_icase(STR(""), (struct str){ NULL, 0 }), "nothing");
	CHECK_TRUE(!str_eq_icase(STR("abcdefgh"), STR("abcdefghi")), "longer");
	CHECK_U64_EQ(bytes_lower(0x5a5b4140607a8041U), 0x7a5b6140607a8061U, "eight");
}

SUITE(base_str, { "case", test_case }, { "numbers", test_numbers }, { "next", test_next },
      { "find", test_find });
