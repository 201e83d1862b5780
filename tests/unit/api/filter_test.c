#include "api/filter.h"

#include "base/strbuf.h"
#include "tests/unit/check.h"

enum { F_STATE, F_TO, F_SUBJECT, F_AGE, F_SIZE, F_TIME, F_TRIES, F_COUNT };

static const struct filter_field fields[F_COUNT] = {
	[F_STATE] = { "state", FILTER_EXACT, false },
	[F_TO] = { "to", FILTER_ADDRESS, true },
	[F_SUBJECT] = { "subject", FILTER_TEXT, true },
	[F_AGE] = { "age", FILTER_DURATION, false },
	[F_SIZE] = { "size", FILTER_SIZE, false },
	[F_TIME] = { "time", FILTER_TIME, false },
	[F_TRIES] = { "attempts", FILTER_NUMBER, false },
};

static const int64_t now = INT64_C(1795435444120); /* 2026-11-23T12:04:04.120Z */

/* The one row everything is matched against. */
static struct filter_value
get(const void *row, size_t field)
{
	static const struct filter_value values[F_COUNT] = {
		[F_STATE] = { STR_INIT("deferred"), 0 },
		[F_TO] = { STR_INIT("kim@gmail.com lee@b.org"), 0 },
		[F_SUBJECT] = { STR_INIT("Invoice (2231)"), 0 },
		[F_AGE] = { { NULL, 0 }, 7200 },
		[F_SIZE] = { { NULL, 0 }, 20480 },
		[F_TIME] = { { NULL, 0 }, INT64_C(1795428000000) }, /* 10:00 */
		[F_TRIES] = { { NULL, 0 }, 4 },
	};

	(void)row;
	return values[field];
}

static void
test_matches(void)
{
	static const struct {
		const char *q;
		bool held;
	} rows[] = {
		{ "", true },
		{ "  ", true },
		{ "state:deferred", true },
		{ "STATE:Deferred", true },
		{ "state:defer", false },
		{ "state:defer*", true },
		{ "state=deferred", true },
		{ "state!=deferred", false },
		{ "state!=held", true },
		{ "state:held,deferred", true },
		{ "state!=held,deferred", false },
		{ "-state:held", true },
		{ "--state:held", false },
		{ "to:gmail", true },
		{ "to=gmail", false },
		{ "to:*@gmail.com", true },
		{ "to:*@gmail", false },
		{ "to:*g*m*l*", true },
		{ "to:lee@b.org", true },
		{ "to:ee@b.org", false },
		{ "to:@gmail.com", true },
		{ "to:@mail.com", false },
		{ "to=LEE@b.org", true },
		{ "to!=lee@b.org", false },
		{ "lee@b.org", true },
		{ "invoice", true },
		{ "KIM", true },
		{ "nobody", false },
		{ "subject:\"invoice (2231)\"", true },
		{ "\"(2231)\"", true },
		{ "age>1h", true },
		{ "age>2h", false },
		{ "age>=2h", true },
		{ "age<2h", false },
		{ "age<=7200", true },
		{ "age:1h..3h", true },
		{ "age:3h..4h", false },
		{ "size>10k", true },
		{ "size<1M", true },
		{ "size=20K", true },
		{ "time:today", true },
		{ "time:yesterday", false },
		{ "time:2026-11-23", true },
		{ "time:2026-11-22..2026-11-23", true },
		{ "time>2026-11-23", false },
		{ "time>=2026-11-23", true },
		{ "time<2026-11-23T10:00:01Z", true },
		{ "attempts:4", true },
		{ "attempts:1,2,4", true },
		{ "attempts!=4", false },
		{ "state:held OR to:gmail", true },
		{ "state:held to:gmail", false },
		{ "state:held OR to:gmail age>3h", false },
		{ "(state:held OR to:gmail) age>1h", true },
		{ "-(state:held OR to:gmail)", false },
		{ "(((state:deferred)))", true },
		{ "ORder", false },
		{ "OR", true } /* a word like any other */,
		{ "12:30", false },
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct arena *a = arena_new(1 << 20);
		struct filter *f = NULL;
		struct filter_error error;

		CHECK_ERR_EQ(
			filter_parse(str_from(rows[i].q),
		                     &(struct filter_language){ fields, F_COUNT, now }, a,
		                     &f, &error),
			OK, rows[i].q);
		CHECK_TRUE(filter_matches(f, get, NULL) == rows[i].held, rows[i].q);
		arena_free(&a);
	}
}

static void
test_refuses(void)
{
	static const struct {
		const char *q, *code;
		size_t position;
	} rows[] = {
		{ "sizze>3", "unknown_field", 1 },
		{ "to:x sttate:held", "unknown_field", 6 },
		{ "age>x", "bad_value", 5 },
		{ "age:1h..y", "bad_value", 5 },
		{ "age>99999999999999999999", "bad_value", 5 },
		{ "age>99999999999999999w", "bad_value", 5 },
		{ "size:10X", "bad_value", 6 },
		{ "time:soon", "bad_value", 6 },
		{ "state>held", "bad_operator", 6 },
		{ "state:", "bad_value", 7 },
		{ "state:held,", "bad_value", 12 },
		{ "(state:held", "open_bracket", 1 },
		{ "state:held)", "bad_value", 11 },
		{ "()", "bad_value", 2 },
		{ "to:a OR", "bad_value", 8 },
		{ "\"open", "open_quote", 1 },
		{ "-", "bad_value", 2 },
		{ "((((((((((((((((((a))))))))))))))))))", "too_deep", 17 },
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct arena *a = arena_new(1 << 20);
		struct filter *f = NULL;
		struct filter_error error = { 0 };

		CHECK_ERR_EQ(
			filter_parse(str_from(rows[i].q),
		                     &(struct filter_language){ fields, F_COUNT, now }, a,
		                     &f, &error),
			ERR_INVALID, rows[i].q);
		CHECK_CSTR_EQ(error.code, rows[i].code, rows[i].q);
		CHECK_U64_EQ(error.position, rows[i].position, rows[i].q);
		arena_free(&a);
	}
}

static void
test_limits(void)
{
	struct arena *a = arena_new(1 << 20);
	struct strbuf q = strbuf_arena(a, 4096);
	struct filter *f;
	struct filter_error error;

	for (unsigned i = 0; i < FILTER_TERMS_MAX; i++)
		strbuf_lit(&q, "a ");
	CHECK_ERR_EQ(filter_parse(strbuf_str(&q),
	                          &(struct filter_language){ fields, F_COUNT, now }, a,
	                          &f, &error),
	             OK, "as many terms as may be");
	strbuf_lit(&q, "a ");
	CHECK_ERR_EQ(filter_parse(strbuf_str(&q),
	                          &(struct filter_language){ fields, F_COUNT, now }, a,
	                          &f, &error),
	             ERR_INVALID, "one more");
	strbuf_clear(&q);
	for (unsigned i = 0; i < FILTER_BYTES_MAX; i++)
		strbuf_byte(&q, i < 2 ? 'a' : '-');
	CHECK_ERR_EQ(filter_parse(strbuf_str(&q),
	                          &(struct filter_language){ fields, F_COUNT, now }, a,
	                          &f, &error),
	             OK, "as many bytes as may be");
	strbuf_byte(&q, 'a');
	CHECK_ERR_EQ(filter_parse(strbuf_str(&q),
	                          &(struct filter_language){ fields, F_COUNT, now }, a,
	                          &f, &error),
	             ERR_INVALID, "one byte more");
	CHECK_CSTR_EQ(error.code, "too_long", "one byte more");
	arena_free(&a);
}

static void
test_needs(void)
{
	struct arena *a = arena_new(1 << 20);
	struct filter *f;
	struct filter_error error;
	struct str value = { NULL, 0 };
	int64_t first, last;

	CHECK_ERR_EQ(filter_parse(STR("state:held to:x age>1h age<=3h"),
	                          &(struct filter_language){ fields, F_COUNT, now }, a,
	                          &f, &error),
	             OK, "parses");
	CHECK_TRUE(filter_needs(f, F_STATE, &value), "state");
	CHECK_STR_EQ(value, STR("held"), "state");
	CHECK_TRUE(!filter_needs(f, F_TO, &value), "part of an address");
	CHECK_TRUE(filter_needs_range(f, F_AGE, &first, &last), "age");
	CHECK_I64_EQ(first, 3601, "age from");
	CHECK_I64_EQ(last, 10800, "age to");
	CHECK_ERR_EQ(filter_parse(STR("state:held OR to=x"),
	                          &(struct filter_language){ fields, F_COUNT, now }, a,
	                          &f, &error),
	             OK, "parses");
	CHECK_TRUE(!filter_needs(f, F_STATE, &value), "one of two");
	CHECK_ERR_EQ(filter_parse(STR("-state:held"),
	                          &(struct filter_language){ fields, F_COUNT, now }, a,
	                          &f, &error),
	             OK, "parses");
	CHECK_TRUE(!filter_needs(f, F_STATE, &value), "negated");
	arena_free(&a);
}

SUITE(api_filter, { "matches", test_matches }, { "refuses", test_refuses },
      { "limits", test_limits }, { "needs", test_needs });
