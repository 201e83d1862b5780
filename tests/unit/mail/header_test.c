#include "mail/header.h"
#include "tests/unit/check.h"
#include "tests/unit/mail/message.h"

static void
test_fields(void)
{
	struct str rest =
		STR(" stray\r\nA: 1\r\nB :2\r\n folded\r\nno colon here\r\nC:\r\n"
	            "A: again\nD: x\r\r\n\r\nBody: no\r\n");
	static const struct {
		const char *name, *value;
	} want[] = {
		{ "A", " 1" },     { "B", "2\r\n folded" }, { "C", "" },
		{ "A", " again" }, { "D", " x\r" },
	};
	struct str all = rest;
	struct header_field f;
	size_t n = 0;

	while (header_next(&rest, &f)) {
		if (n < ARRAY_LEN(want)) {
			CHECK_STR_EQ(f.name, str_from(want[n].name), "name");
			CHECK_STR_EQ(f.value, str_from(want[n].value), "value");
		}
		n++;
	}
	CHECK_U64_EQ(n, ARRAY_LEN(want), "fields");
	CHECK_STR_EQ(rest, STR("\r\nBody: no\r\n"), "the empty line stays");
	CHECK_U64_EQ(header_size(all), all.n - 10, "size with the empty line");
	CHECK_U64_EQ(header_count(all, STR("a"), 9), 2, "count");
	CHECK_U64_EQ(header_count(all, STR("a"), 1), 1, "count no further");
	CHECK_TRUE(header_find(all, STR("d"), &f), "find");
	CHECK_TRUE(!header_find(all, STR("body"), &f), "not in the body");
	CHECK_U64_EQ(header_size(STR("\r\nx")), 2, "no field");
	CHECK_U64_EQ(header_size(STR("")), 0, "nothing");
	CHECK_U64_EQ(header_size(STR("A: b")), 4, "no end");
}

static void
test_unfold(void)
{
	struct arena *a = arena_new(65536);

	CHECK_STR_EQ(header_unfold(STR(" a b "), a), STR("a b"), "trimmed");
	CHECK_STR_EQ(header_unfold(STR(" a\r\n b\n\tc\r\n"), a), STR("a b\tc"), "folds");
	CHECK_STR_EQ(header_unfold(STR(""), a), STR(""), "empty");
	CHECK_STR_EQ(header_unfold(STR(" \r\n "), a), STR(""), "only spaces");
	arena_free(&a);
}

static void
test_copy(void)
{
	static const struct str names[] = { STR_INIT("from"), STR_INIT("SUBJECT") };
	struct str header = STR("From: a\r\nTo: b\r\nSubject: x\r\n y\r\nX: z\r\n\r\n");
	struct strbuf out = strbuf_heap(4096);

	header_copy_fields(header, names, 2, true, &out);
	CHECK_STR_EQ(strbuf_str(&out), STR("From: a\r\nSubject: x\r\n y\r\n\r\n"),
	             "some");
	strbuf_clear(&out);
	header_copy_fields(header, names, 2, false, &out);
	CHECK_STR_EQ(strbuf_str(&out), STR("To: b\r\nX: z\r\n\r\n"), "others");
	strbuf_clear(&out);
	header_copy_fields(STR("From: a"), names, 2, true, &out);
	CHECK_STR_EQ(strbuf_str(&out), STR("From: a\r\n\r\n"), "end added");
	strbuf_release(&out);
}

static void
test_lines(void)
{
	char bytes[64];

	/* Against the plain way, at every length and place. */
	for (size_t n = 0; n < sizeof(bytes); n++) {
		for (size_t at = 0; at < n; at++) {
			memset(bytes, (int)(at % 3 ? 0x0b : 0x8a), sizeof(bytes));
			bytes[at] = '\n';
			bytes[n - 1] = '\n';
			CHECK_U64_EQ(header_lines(str_make(bytes, n)),
			             at == n - 1 ? 1 : 2, "");
		}
	}
	memset(bytes, '\n', sizeof(bytes));
	CHECK_U64_EQ(header_lines(str_make(bytes, sizeof(bytes))), sizeof(bytes), "all");
}

SUITE(mail_header, { "fields", test_fields }, { "unfold", test_unfold },
      { "copy", test_copy }, { "lines", test_lines });
