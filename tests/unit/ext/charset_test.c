#include "ext/charset.h"
#include "ext/idn.h"
#include "ext/unicode.h"
#include "tests/unit/check.h"

static const struct {
	const char *charset, *bytes, *want;
} rows[] = {
	{ "", "abc", "abc" },
	{ "us-ascii", "a\303\274", "a\303\274" },
	{ "UTF-8", "\303\274\377", "\303\274\357\277\275" },
	{ "iso-8859-1", "\374\200", "\303\274\342\202\254" },
	{ "windows-1252", "\201", "\357\277\275" },
	{ "iso-8859-15", "\244", "\342\202\254" },
	{ "koi8-r", "\320", "\320\277" },
	{ "windows-1251", "\357", "\320\277" },
	{ "shift_jis", "\202\240", "\343\201\202" },
	{ "euc-jp", "\244\242", "\343\201\202" },
	{ "iso-2022-jp", "\033$B$\"\033(B", "\343\201\202" },
	{ "big5", "\244\244", "\344\270\255" },
	{ "gb2312", "\326\320", "\344\270\255" },
	{ "euc-kr", "\260\241", "\352\260\200" },
	{ "shift_jis", "a\202", "a\357\277\275" },
	{ "gb18030", "\201", "\357\277\275" },
};

static void
test_convert(void)
{
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		const struct charset *c = charset_find(str_from(rows[i].charset));
		struct str s = str_from(rows[i].bytes);
		struct strbuf whole = strbuf_heap(4096), trickled = strbuf_heap(4096);
		struct charset_stream *cs;

		CHECK_TRUE(c != NULL, rows[i].charset);
		charset_convert(c, s, &whole);
		CHECK_STR_EQ(strbuf_str(&whole), str_from(rows[i].want), rows[i].charset);
		cs = charset_open(c);
		for (size_t k = 0; k < s.n; k++)
			charset_feed(cs, str_make(s.p + k, 1), &trickled);
		charset_finish(cs, &trickled);
		charset_close(&cs);
		CHECK_STR_EQ(strbuf_str(&trickled), str_from(rows[i].want),
		             rows[i].charset);
		strbuf_release(&whole);
		strbuf_release(&trickled);
	}
	CHECK_TRUE(!charset_find(STR("utf-7")), "not on the list");
	CHECK_TRUE(!charset_find(STR("UTF-8//TRANSLIT")), "no iconv options");
	CHECK_TRUE(!charset_find(STR("../x")), "no paths");
}

/* UTF-8 cut at every place gives what it gives in one piece. */
static void
test_utf8_pieces(void)
{
	struct str s = STR("a\303\274\342\202\254\360\237\230\200b\377\342\202x\303\303"
	                   "\274\360\237");
	struct strbuf whole = strbuf_heap(4096);

	charset_convert(NULL, s, &whole);
	for (size_t i = 0; i <= s.n; i++) {
		for (size_t k = i; k <= s.n; k++) {
			struct charset_stream *cs = charset_open(NULL);
			struct strbuf out = strbuf_heap(4096);

			charset_feed(cs, str_first(s, i), &out);
			charset_feed(cs, str_make(s.p + i, k - i), &out);
			charset_feed(cs, str_from_offset(s, k), &out);
			charset_finish(cs, &out);
			CHECK_STR_EQ(strbuf_str(&out), strbuf_str(&whole), "pieces");
			charset_close(&cs);
			strbuf_release(&out);
		}
	}
	strbuf_release(&whole);
}

static void
test_fold(void)
{
	static const struct {
		const char *a, *b;
	} same[] = {
		{ "ABC", "abc" },
		{ "STRASSE", "stra\303\237e" },
		{ "\303\234", "u\314\210" },
		{ "\316\243", "\317\202" },
		{ "\357\274\241", "a" },
		{ "\357\254\201", "FI" },
	};

	for (size_t i = 0; i < ARRAY_LEN(same); i++) {
		struct strbuf a = strbuf_heap(4096), b = strbuf_heap(4096);

		unicode_fold(str_from(same[i].a), &a);
		unicode_fold(str_from(same[i].b), &b);
		CHECK_STR_EQ(strbuf_str(&a), strbuf_str(&b), same[i].a);
		strbuf_release(&a);
		strbuf_release(&b);
	}
}

static void
test_idn(void)
{
	char bytes[512];
	struct strbuf out = strbuf_on(bytes);

	CHECK_ERR_EQ(idn_to_ascii(STR("B\303\274cher.Example"), &out), OK, "idn");
	CHECK_STR_EQ(strbuf_str(&out), STR("xn--bcher-kva.example"), "idn");
	strbuf_clear(&out);
	idn_to_unicode(STR("xn--bcher-kva.example"), &out);
	CHECK_STR_EQ(strbuf_str(&out), STR("b\303\274cher.example"), "back");
	strbuf_clear(&out);
	CHECK_ERR_EQ(idn_to_ascii(STR("a\342\200\256b.example"), &out), ERR_ADDRESS,
	             "bidi mark");
	CHECK_ERR_EQ(idn_to_ascii(STR("\377"), &out), ERR_ADDRESS, "no UTF-8");
	strbuf_clear(&out);
	idn_to_unicode(STR("xn--\377"), &out);
	CHECK_STR_EQ(strbuf_str(&out), STR("xn--\377"), "as it is");
}

SUITE(ext_charset, { "convert", test_convert }, { "utf8_pieces", test_utf8_pieces },
      { "fold", test_fold }, { "idn", test_idn });
