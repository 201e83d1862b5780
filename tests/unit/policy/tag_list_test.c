#include "policy/tag_list.h"

#include "tests/unit/check.h"

#include "base/strbuf.h"

static const struct {
	const char *what, *text, *want; /* "name=value|name=value" */
	enum err err;
} rows[] = {
	{ "one", "a=b", "a=b|", OK },
	{ "several", "a=b; c=d;e=f", "a=b|c=d|e=f|", OK },
	{ "a last semicolon", "a=b;", "a=b|", OK },
	{ "and white space behind it", "a=b; \r\n ", "a=b|", OK },
	{ "white space", " a\t= b\r\n c ;\r\n d = ", "a=b\r\n c|d=|", OK },
	{ "= inside", "a=b=c", "a=b=c|", OK },
	{ "an empty value", "a=", "a=|", OK },
	{ "UTF-8", "a=\xc3\xa4", "a=\xc3\xa4|", OK },
	{ "case counts", "a=1;A=2", "a=1|A=2|", OK },
	{ "digits and _ in names", "x_1=2", "x_1=2|", OK },
	{ "nothing", "", "", ERR_SYNTAX },
	{ "white space alone", " ", "", ERR_SYNTAX },
	{ "a semicolon alone", ";", "", ERR_SYNTAX },
	{ "two semicolons", "a=b;;c=d", "a=b|", ERR_SYNTAX },
	{ "two at the end", "a=b;;", "a=b|", ERR_SYNTAX },
	{ "and with a space", "a=b; ;", "a=b|", ERR_SYNTAX },
	{ "no name", "=b", "", ERR_SYNTAX },
	{ "no equals sign", "a=b;c", "a=b|", ERR_SYNTAX },
	{ "a name with a hyphen", "a-b=c", "", ERR_SYNTAX },
	{ "a name that begins with a digit", "1a=c", "", ERR_SYNTAX },
	{ "a name of two words", "a b=c", "", ERR_SYNTAX },
	{ "a control character", "a=b\x01", "", ERR_SYNTAX },
	{ "DEL", "a=\x7f", "", ERR_SYNTAX },
	{ "twice", "a=b;c=d;a=e", "a=b|c=d|", ERR_EXISTS },
};

static void
test_parse(void)
{
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct tag_list list;
		char room[256];
		struct strbuf got = strbuf_on(room);

		CHECK_ERR_EQ(tag_list_parse(str_from(rows[i].text), &list), rows[i].err,
		             rows[i].what);
		for (size_t k = 0; k < list.count; k++) {
			strbuf_add(&got, list.tags[k].name);
			strbuf_byte(&got, '=');
			strbuf_add(&got, list.tags[k].value);
			strbuf_byte(&got, '|');
		}
		CHECK_STR_EQ(strbuf_str(&got), str_from(rows[i].want), rows[i].what);
	}
}

static void
test_limit(void)
{
	struct arena *a = arena_new(1 << 16);
	struct strbuf b = strbuf_arena(a, 1 << 12);
	struct tag_list list;

	for (size_t i = 0; i < TAG_LIST_MAX; i++)
		strbuf_printf(&b, "t%zu=x;", i);
	CHECK_ERR_EQ(tag_list_parse(strbuf_str(&b), &list), OK, "as many as may be");
	CHECK_TRUE(tag_list_find(&list, STR("t63")) && !tag_list_find(&list, STR("T63")),
	           "found by case");
	strbuf_lit(&b, "more=x");
	CHECK_ERR_EQ(tag_list_parse(strbuf_str(&b), &list), ERR_LIMIT, "one more");
	arena_free(&a);
}

/* Control characters anywhere, but for those that fold. */
static void
test_control(void)
{
	for (size_t at = 2; at < 40; at++) {
		unsigned good = 0;

		for (unsigned c = 0; c < 256; c++) {
			char text[40] = "a=";
			struct tag_list list;

			memset(text + 2, 'x', sizeof(text) - 2);
			text[at] = (char)c;
			good += tag_list_parse(str_make(text, sizeof(text)), &list) == OK;
		}
		/* 32 less three, DEL; and ";", behind which stands no tag, but at the
		   end, where nothing does. */
		CHECK_U64_EQ(good, 256 - 29 - 1 - (at + 1 < 40 ? 1 : 0), "good bytes");
	}
}

SUITE(policy_tag_list, { "parse", test_parse }, { "limit", test_limit },
      { "control characters", test_control });
