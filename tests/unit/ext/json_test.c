#include "ext/json.h"

#include "tests/unit/check.h"

static void
test_refuses(void)
{
	static const struct {
		const char *what;
		struct str text;
	} rows[] = {
		{ "nothing", STR_INIT("") },
		{ "a bare string", STR_INIT("\"a\"") },
		{ "a bare number", STR_INIT("1") },
		{ "two values", STR_INIT("{} {}") },
		{ "a key twice", STR_INIT("{\"a\":1,\"a\":2}") },
		{ "a key twice through an escape", STR_INIT("{\"a\":1,\"\\u0061\":2}") },
		{ "a NUL escape", STR_INIT("{\"a\":\"\\u0000\"}") },
		{ "a NUL byte", STR_INIT("{\"a\":\"\0\"}") },
		{ "a NUL behind the end", STR_INIT("{}\0") },
		{ "a lone high surrogate", STR_INIT("{\"a\":\"\\ud800\"}") },
		{ "a lone low surrogate", STR_INIT("{\"a\":\"\\udc00\"}") },
		{ "bad UTF-8", STR_INIT("{\"a\":\"\xff\"}") },
		{ "an overlong form", STR_INIT("{\"a\":\"\xc0\xaf\"}") },
		{ "an integer over 64 bits", STR_INIT("{\"a\":18446744073709551616}") },
		{ "a real out of range", STR_INIT("{\"a\":1e999}") },
		{ "NaN", STR_INIT("{\"a\":NaN}") },
		{ "a comment", STR_INIT("{/**/}") },
		{ "a trailing comma", STR_INIT("{\"a\":1,}") },
		{ "single quotes", STR_INIT("{'a':1}") },
		{ "a byte order mark", STR_INIT("\xef\xbb\xbf{}") },
		{ "a leading zero", STR_INIT("{\"a\":01}") },
		{ "a raw newline", STR_INIT("{\"a\":\"\n\"}") },
		{ "an open string", STR_INIT("{\"a\":\"") },
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct json *doc = NULL;

		CHECK_ERR_EQ(json_parse(rows[i].text, &doc, NULL), ERR_MALFORMED,
		             rows[i].what);
		CHECK_TRUE(doc == NULL, rows[i].what);
		json_free(&doc);
	}
}

static void
check_depth(size_t depth, enum err want, const char *what)
{
	struct strbuf text = strbuf_heap(1 << 20);
	struct json *doc = NULL;

	for (size_t i = 0; i < depth; i++)
		strbuf_byte(&text, '[');
	for (size_t i = 0; i < depth; i++)
		strbuf_byte(&text, ']');
	CHECK_ERR_EQ(json_parse(strbuf_str(&text), &doc, NULL), want, what);
	json_free(&doc);
	strbuf_release(&text);
}

static void
test_depth(void)
{
	check_depth(JSON_DEPTH_MAX, OK, "at the limit");
	check_depth(JSON_DEPTH_MAX + 1, ERR_LIMIT, "one over");
	check_depth(100000, ERR_LIMIT, "far over");
}

static void
test_reads(void)
{
	struct json *doc = NULL;
	const struct json_value *root;
	struct json_member m = { 0 };
	struct str text = { NULL, 0 };
	int64_t number = 0;
	bool flag = false;

	CHECK_ERR_EQ(json_parse(STR("{\"s\":\"a[{\\\"\",\"n\":-3,\"t\":true,"
	                            "\"l\":[1,null]}"),
	                        &doc, NULL),
	             OK, "parses");
	root = json_root(doc);
	CHECK_TRUE(json_get_str(json_find(root, "s"), &text), "string");
	CHECK_STR_EQ(text, STR("a[{\""), "string");
	CHECK_TRUE(json_get_i64(json_find(root, "n"), &number), "integer");
	CHECK_I64_EQ(number, -3, "integer");
	CHECK_TRUE(json_get_bool(json_find(root, "t"), &flag) && flag, "true");
	CHECK_U64_EQ(json_count(json_find(root, "l")), 2, "list");
	CHECK_TRUE(json_kind(json_at(json_find(root, "l"), 1)) == JSON_KIND_NULL, "null");
	CHECK_TRUE(json_kind(json_find(json_find(root, "x"), "y")) == JSON_KIND_NONE,
	           "none");
	for (size_t i = 0; i < 4; i++)
		CHECK_TRUE(json_next(root, &m), "member");
	CHECK_STR_EQ(m.name, STR("l"), "members keep their order");
	CHECK_TRUE(!json_next(root, &m), "no fifth member");
	json_free(&doc);
}

static void
test_writes(void)
{
	char bytes[512];
	struct strbuf b = strbuf_on(bytes);
	struct json_out j = json_out_on(&b);

	json_open_object(&j, NULL);
	json_str(&j, "s", STR("a\"\\\n\x1b<\xff\xe2\x80\xa8"));
	json_open_array(&j, "l");
	json_i64(&j, NULL, INT64_MIN);
	json_bool(&j, NULL, false);
	json_close_array(&j);
	json_open_object(&j, "e");
	json_close_object(&j);
	json_time(&j, "t", 1795435444120);
	json_time(&j, "z", 0);
	json_close_object(&j);
	CHECK_STR_EQ(strbuf_str(&b),
	             STR("{\"s\":\"a\\\"\\\\\\u000a\\u001b\\u003c\xef\xbf\xbd\\u2028\","
	                 "\"l\":[-9223372036854775808,false],\"e\":{},"
	                 "\"t\":\"2026-11-23T12:04:04.120Z\",\"z\":null}"),
	             "written");
}

SUITE(ext_json, { "refuses", test_refuses }, { "depth", test_depth },
      { "reads", test_reads }, { "writes", test_writes });
