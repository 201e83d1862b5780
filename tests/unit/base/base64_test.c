#include "base/base64.h"

#include "base/ids.h"
#include "tests/unit/check.h"

static const struct {
	const char *bytes, *text, *url;
} vectors[] = {
	/* RFC 4648 10 */
	{ "", "", "" },
	{ "f", "Zg==", "Zg" },
	{ "fo", "Zm8=", "Zm8" },
	{ "foo", "Zm9v", "Zm9v" },
	{ "foob", "Zm9vYg==", "Zm9vYg" },
	{ "fooba", "Zm9vYmE=", "Zm9vYmE" },
	{ "foobar", "Zm9vYmFy", "Zm9vYmFy" },
	/* the characters in which the two alphabets differ */
	{ "\xfb\xff\xbf", "+/+/", "-_-_" },
};

static void
test_vectors(void)
{
	for (size_t i = 0; i < ARRAY_LEN(vectors); i++) {
		char bytes[32];
		struct strbuf b = strbuf_on(bytes);

		base64_format(&b, str_from(vectors[i].bytes));
		CHECK_STR_EQ(strbuf_str(&b), str_from(vectors[i].text), vectors[i].text);
		strbuf_clear(&b);
		base64url_format(&b, str_from(vectors[i].bytes));
		CHECK_STR_EQ(strbuf_str(&b), str_from(vectors[i].url), vectors[i].url);
		strbuf_clear(&b);
		CHECK_ERR_EQ(base64_parse(str_from(vectors[i].text), &b), OK,
		             vectors[i].text);
		CHECK_STR_EQ(strbuf_str(&b), str_from(vectors[i].bytes), vectors[i].text);
		strbuf_clear(&b);
		CHECK_ERR_EQ(base64url_parse(str_from(vectors[i].url), &b), OK,
		             vectors[i].url);
		CHECK_STR_EQ(strbuf_str(&b), str_from(vectors[i].bytes), vectors[i].url);
		strbuf_clear(&b);
		base64_parse_lax(str_from(vectors[i].text), &b);
		CHECK_STR_EQ(strbuf_str(&b), str_from(vectors[i].bytes), "lax");
	}
}

static void
test_strict(void)
{
	static const struct str bad[] = {
		STR_INIT("Zg"),
		STR_INIT("Zg="),
		STR_INIT("Zg==="),
		STR_INIT("="),
		STR_INIT("=="),
		STR_INIT("===="),
		STR_INIT("Z"),
		STR_INIT("Z==="),
		STR_INIT("Zm9v\r\n"),
		STR_INIT(" Zm9v"),
		STR_INIT("Zm 9"),
		STR_INIT("Zh=="),
		STR_INIT("Zm9="),
		STR_INIT("Zg==Zg=="),
		STR_INIT("Z=g="),
		STR_INIT("Zm9-"),
		STR_INIT("Zm9_"),
		STR_INIT("Zm9\0"),
		STR_INIT("\xff\xff\xff\xff"),
	};
	static const struct str bad_url[] = {
		STR_INIT("Z"),  STR_INIT("Zg=="),  STR_INIT("+/+/"),
		STR_INIT("Zh"), STR_INIT("Zm9vY"),
	};
	char bytes[32];

	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		struct strbuf b = strbuf_on(bytes);

		CHECK_ERR_EQ(base64_parse(bad[i], &b), ERR_MALFORMED, bad[i].p);
	}
	for (size_t i = 0; i < ARRAY_LEN(bad_url); i++) {
		struct strbuf b = strbuf_on(bytes);

		CHECK_ERR_EQ(base64url_parse(bad_url[i], &b), ERR_MALFORMED,
		             bad_url[i].p);
	}
}

/* Every byte in every place of a long text: 64 are digits. */
static void
test_digits(void)
{
	for (size_t at = 0; at < 40; at++) {
		unsigned digits = 0, url_digits = 0;

		for (unsigned c = 0; c < 256; c++) {
			char text[40], bytes[30];
			struct strbuf b = strbuf_on(bytes);

			memset(text, 'Q', sizeof(text));
			text[at] = (char)c;
			if (c == '=' && at == sizeof(text) - 1)
				continue;
			digits += base64_parse(str_make(text, sizeof(text)), &b) == OK;
			strbuf_clear(&b);
			url_digits +=
				base64url_parse(str_make(text, sizeof(text)), &b) == OK;
		}
		CHECK_U64_EQ(digits, 64, "digits");
		CHECK_U64_EQ(url_digits, 64, "of the other alphabet");
	}
}

static void
test_lax(void)
{
	static const struct {
		struct str text, want;
	} lax[] = {
		{ STR_INIT("Zm9v\r\nYmFy\r\n"), STR_INIT("foobar") },
		{ STR_INIT(" Z m 9 v"), STR_INIT("foo") },
		{ STR_INIT("Zm9v=YmFy"), STR_INIT("foo") },
		{ STR_INIT("Zm8"), STR_INIT("fo") },
		{ STR_INIT("Z"), STR_INIT("") },
		{ STR_INIT("!!!\0\xff"), STR_INIT("") },
	};
	char bytes[32];

	for (size_t i = 0; i < ARRAY_LEN(lax); i++) {
		struct strbuf b = strbuf_on(bytes);

		base64_parse_lax(lax[i].text, &b);
		CHECK_STR_EQ(strbuf_str(&b), lax[i].want, lax[i].text.p);
	}
}

/* Nothing needs no room. */
static void
test_nothing(void)
{
	struct strbuf b = strbuf_heap(0);

	base64_format(&b, STR(""));
	base64url_format(&b, str_from(NULL));
	CHECK_TRUE(!b.n && !b.overflow && !b.p, "nothing of nothing");
	CHECK_ERR_EQ(base64_parse(STR(""), &b), OK, "and back");
}

static void
test_limit(void)
{
	char bytes[5];
	struct strbuf b = strbuf_on(bytes);

	CHECK_ERR_EQ(base64_parse(STR("Zm9vYmE="), &b), OK, "just fits");
	strbuf_clear(&b);
	CHECK_ERR_EQ(base64_parse(STR("Zm9vYmFy"), &b), ERR_LIMIT, "does not");
	strbuf_clear(&b);
	base64_parse_lax(STR("Zm9vYmFy"), &b);
	CHECK_TRUE(b.overflow, "lax says so by the overflow");
}

static void
test_round_trip(void)
{
	for (size_t n = 0; n < 200; n++) {
		char raw[200], text[300], back[200];
		struct strbuf formatted = strbuf_on(text), parsed = strbuf_on(back);

		random_bytes(raw, sizeof(raw));
		base64_format(&formatted, str_make(raw, n));
		CHECK_U64_EQ(formatted.n, (n + 2) / 3 * 4, "length");
		CHECK_ERR_EQ(base64_parse(strbuf_str(&formatted), &parsed), OK, "parse");
		CHECK_STR_EQ(strbuf_str(&parsed), str_make(raw, n), "round trip");
		strbuf_clear(&parsed);
		strbuf_clear(&formatted);
		base64url_format(&formatted, str_make(raw, n));
		CHECK_ERR_EQ(base64url_parse(strbuf_str(&formatted), &parsed), OK, "url");
		CHECK_STR_EQ(strbuf_str(&parsed), str_make(raw, n), "round trip, url");
	}
}

SUITE(base_base64, { "vectors", test_vectors }, { "strict", test_strict },
      { "digits", test_digits }, { "nothing", test_nothing }, { "lax", test_lax },
      { "limit", test_limit }, { "round trip", test_round_trip });
