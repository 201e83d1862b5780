#include "base/utf8.h"
#include "mail/encoded.h"
#include "tests/unit/check.h"

static const struct {
	const char *value, *want;
} words[] = {
	{ "plain", "plain" },
	{ "=?utf-8?q?a?=", "a" },
	{ "=?UTF-8?Q?Gr=C3=BC=C3=9Fe_aus?= here", "Gr\303\274\303\237e aus here" },
	{ "=?ISO-8859-1?Q?a?= b", "a b" },
	{ "=?ISO-8859-1?Q?a?= =?ISO-8859-1?Q?b?=", "ab" },
	{ "=?ISO-8859-1?Q?a?=  \r\n\t =?ISO-8859-1?Q?b?=", "ab" },
	{ "=?ISO-8859-1?Q?a_b?=", "a b" },
	{ "=?ISO-8859-1?Q?a?= =?ISO-8859-2?Q?_b?=", "a b" },
	{ "=?iso-8859-1?q?=FC?=", "\303\274" },
	{ "=?windows-1252?q?=80?=", "\342\202\254" },
	{ "=?utf-8?b?w7w=?=", "\303\274" },
	{ "=?utf-8?B?w7w?=", "\303\274" },
	{ "=?utf-8*de?q?x?=", "x" },
	{ "=?utf-8?q?=C3?= =?utf-8?q?=BC?=", "\303\274" },
	{ "=?koi8-r?b?8NLJ18XU?=", "\320\237\321\200\320\270\320\262\320\265\321\202" },
	{ "=?iso-2022-jp?b?GyRCRnxLXBsoQg==?=", "\346\227\245\346\234\254" },
	{ "=?gb2312?b?1tDOxA==?=", "\344\270\255\346\226\207" },
	{ "a=?utf-8?q?b?=c", "abc" },
	{ "=?utf-8?q?"
	  "?=",
	  "" },
	{ "=?utf-8?q?", "=?utf-8?q?" },
	{ "=?utf-8?x?a?=", "=?utf-8?x?a?=" },
	{ "=?utf-8?q?a?", "=?utf-8?q?a?" },
	{ "=??q?a?=", "=??q?a?=" },
	{ "=?=?utf-8?q?a?=", "=?a" },
	{ "=?nowhere?q?=FC?=", "\357\277\275" },
	{ "=?utf-8?q?=FF?=", "\357\277\275" },
	{ "=?utf-8?q?=4?= =?utf-8?q?=zz?=", "=4=zz" },
	{ "\303\274 raw", "\303\274 raw" },
	{ "\374 raw", "\357\277\275 raw" },
	{ "a\r\n b", "a b" },
	{ "=?utf-8?q?a=0D=0AEvil:_x?=", "a  Evil: x" },
	{ "=?utf-8?q?a=00b?=", "a b" },
	{ "", "" },
};

static void
test_words(void)
{
	for (size_t i = 0; i < ARRAY_LEN(words); i++) {
		struct strbuf out = strbuf_heap(4096);

		encoded_decode(str_from(words[i].value), &out);
		CHECK_STR_EQ(strbuf_str(&out), str_from(words[i].want), words[i].value);
		strbuf_release(&out);
	}
}

static const struct {
	const char *value, *want; /* of filename; NULL: none */
} params[] = {
	{ "attachment; filename=a.txt", "a.txt" },
	{ "attachment; filename=\"a b.txt\"", "a b.txt" },
	{ "attachment; FILENAME = a.txt", "a.txt" },
	{ "attachment; filename=\"a\\\"b\"", "a\"b" },
	{ "attachment; filename*=utf-8''%C3%BC.txt", "\303\274.txt" },
	{ "attachment; filename*=iso-8859-1'de'%FC", "\303\274" },
	{ "attachment; filename*0=a; filename*1=b; filename*2=c", "abc" },
	{ "attachment; filename*2=c; filename*0=a; filename*1=b", "abc" },
	{ "attachment; filename*0=a; filename*2=c", "a" },
	{ "attachment; filename*0*=utf-8''%C3; filename*1*=%BC; filename*2=\"%20\"",
	  "\303\274%20" },
	{ "attachment; filename=old.txt; filename*=utf-8''new.txt", "new.txt" },
	{ "attachment; filename*=utf-8''new.txt; filename=old.txt", "new.txt" },
	{ "attachment; filename=\"=?utf-8?q?=C3=BC?=.txt\"", "\303\274.txt" },
	{ "attachment; filename*=%41", "A" },
	{ "attachment; filename*=utf-8''a%0D%0Ab", "a  b" },
	{ "attachment; filename*x=1", NULL },
	{ "attachment; filename*99999999999=1", NULL },
	{ "attachment; filenames=1", NULL },
	{ "attachment", NULL },
	{ "", NULL },
	{ "attachment; x=\"; filename=a\"", NULL },
	{ "attachment; filename=", "" },
};

static void
test_params(void)
{
	for (size_t i = 0; i < ARRAY_LEN(params); i++) {
		struct arena *a = arena_new(1024 * 1024);
		struct str text = STR("");
		bool is_there = encoded_param(str_from(params[i].value), STR("filename"),
		                              a, &text);

		CHECK_TRUE(is_there == (params[i].want != NULL), params[i].value);
		if (is_there && params[i].want)
			CHECK_STR_EQ(text, str_from(params[i].want), params[i].value);
		arena_free(&a);
	}
}

static void
test_quoted_printable(void)
{
	static const struct {
		const char *coded, *want;
	} rows[] = {
		{ "a=3Db", "a=b" },
		{ "a=\r\nb", "ab" },
		{ "a=\nb", "ab" },
		{ "a= \t\r\nb", "ab" },
		{ "a=c3=bcb", "a\303\274b" },
		{ "a=", "a" },
		{ "a=4", "a=4" },
		{ "a=zz", "a=zz" },
		{ "a\r\nb\r\n", "a\r\nb\r\n" },
		{ "==3D", "==" },
		{ "", "" },
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct strbuf out = strbuf_heap(4096);

		quoted_printable_decode(str_from(rows[i].coded), &out);
		CHECK_STR_EQ(strbuf_str(&out), str_from(rows[i].want), rows[i].coded);
		strbuf_release(&out);
	}
}

/* Short lines of ASCII, which say the same; CRLF stays what it is. */
static void
test_quoting(void)
{
	static const struct {
		const char *plain, *want;
	} rows[] = {
		{ "", "" },
		{ "a b\r\n", "a b\r\n" },
		{ "a \r\n b", "a=20\r\n b" },
		{ "a ", "a=20" },
		{ "1=1\t", "1=3D1=09" },
		{ "bare\rbare\n", "bare=0Dbare=0A" },
		{ "\303\274\r\n", "=C3=BC\r\n" },
		{ "123456789 123456789 123456789 123456789 123456789 123456789 "
		  "123456789 12345",
		  "123456789 123456789 123456789 123456789 123456789 123456789 "
		  "123456789 12345" },
		{ "123456789 123456789 123456789 123456789 123456789 123456789 "
		  "123456789 123456",
		  "123456789 123456789 123456789 123456789 123456789 123456789 "
		  "123456789 12345=\r\n6" },
		{ "123456789 123456789 123456789 123456789 123456789 123456789 "
		  "123456789 123\374",
		  "123456789 123456789 123456789 123456789 123456789 123456789 "
		  "123456789 123=\r\n=FC" },
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct strbuf out = strbuf_heap(4096), back = strbuf_heap(4096);

		quoted_printable_format(str_from(rows[i].plain), &out);
		CHECK_STR_EQ(strbuf_str(&out), str_from(rows[i].want), rows[i].plain);
		quoted_printable_decode(strbuf_str(&out), &back);
		CHECK_STR_EQ(strbuf_str(&back), str_from(rows[i].plain), "and back");
		strbuf_release(&out);
		strbuf_release(&back);
	}
}

static void
test_address(void)
{
	static const struct {
		const char *plain, *coded, *utf8;
		const char *back; /* NULL: as it was */
	} rows[] = {
		{ "", "", "", NULL },
		{ "ann@example.org", "ann@example.org", "ann@example.org", NULL },
		{ "j\303\274rgen@example.org", "j\\x{FC}rgen@example.org",
		  "j\303\274rgen@example.org", NULL },
		{ "\360\237\230\200+a=b", "\\x{1F600}\\x{2B}a\\x{3D}b",
		  "\360\237\230\200\\x{2B}a\\x{3D}b", NULL },
		{ "\"\303\274 \\\"\"@example.org",
		  "\"\\x{FC}\\x{20}\\x{5C}\"\"@example.org",
		  "\"\303\274\\x{20}\\x{5C}\"\"@example.org", NULL },
		{ "\\x{FC}\303\274", "\\x{FC}\\x{FC}", "\\x{FC}\303\274",
		  "\303\274\303\274" },
		{ "\374", "?", "?", "?" },
	};
	static const char *const odd[] = { "\\x{}",        "\\x{FC", "\\x{G}",
		                           "\\x{0000FC}0", "\\x",    "a\\",
		                           "\\x{1234567}" };

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct strbuf out = strbuf_heap(4096), back = strbuf_heap(4096);

		encoded_format_address(str_from(rows[i].plain), &out);
		CHECK_STR_EQ(strbuf_str(&out), str_from(rows[i].coded), rows[i].plain);
		encoded_parse_address(strbuf_str(&out), &back);
		CHECK_STR_EQ(strbuf_str(&back),
		             str_from(rows[i].back ? rows[i].back : rows[i].plain),
		             "and back");
		strbuf_clear(&out);
		strbuf_clear(&back);
		encoded_format_address_utf8(str_from(rows[i].plain), &out);
		CHECK_STR_EQ(strbuf_str(&out), str_from(rows[i].utf8), "in UTF-8");
		encoded_parse_address(strbuf_str(&out), &back);
		CHECK_STR_EQ(strbuf_str(&back),
		             str_from(rows[i].back ? rows[i].back : rows[i].plain),
		             "and back from it");
		strbuf_release(&out);
		strbuf_release(&back);
	}
	for (size_t i = 0; i < ARRAY_LEN(odd); i++) {
		struct strbuf back = strbuf_heap(4096);

		encoded_parse_address(str_from(odd[i]), &back);
		CHECK_STR_EQ(strbuf_str(&back),
		             str_eq(str_from(odd[i]), STR("\\x{0000FC}0"))
		                     ? STR("\303\2740")
		                     : str_from(odd[i]),
		             odd[i]);
		strbuf_release(&back);
	}
}

SUITE(mail_encoded, { "address", test_address }, { "quoting", test_quoting },
      { "words", test_words }, { "params", test_params },
      { "quoted_printable", test_quoted_printable });
