#include "ext/regex.h"

#include "base/clock.h"
#include "tests/unit/check.h"

static const struct {
	const char *pattern, *subject;
	unsigned flags;
	enum err want;
	const char *group; /* the first */
} matches[] = {
	{ "a(b+)c", "xabbcx", 0, OK, "bb" },
	{ "a(b+)c", "xABBCx", 0, ERR_NOT_FOUND, "" },
	{ "a(b+)c", "xABBCx", REGEX_ICASE, OK, "BB" },
	{ "a(b+)c", "xabbcx", REGEX_ANCHORED, ERR_NOT_FOUND, "" },
	{ "a(b+)c", "abbc", REGEX_ANCHORED, OK, "bb" },
	{ "^(.)$", "\xc3\xa4", REGEX_UTF8, OK, "\xc3\xa4" },
	{ "^(.)$", "\xc3\xa4", 0, ERR_NOT_FOUND, "" },
	{ "(.)", "\xc3", REGEX_UTF8, ERR_NOT_FOUND, "" },
	{ "a|(b)", "a", 0, OK, "" },
};

static void
test_matches(void)
{
	for (size_t i = 0; i < ARRAY_LEN(matches); i++) {
		struct regex *r = NULL;
		struct str groups[3];
		struct diag d;
		enum err e;

		CHECK_ERR_EQ(
			regex_new(str_from(matches[i].pattern), matches[i].flags, &r, &d),
			OK, matches[i].pattern);
		e = regex_match(r, str_from(matches[i].subject), groups,
		                ARRAY_LEN(groups));
		CHECK_ERR_EQ(e, matches[i].want, matches[i].subject);
		if (e == OK)
			CHECK_STR_EQ(groups[1], str_from(matches[i].group), "group");
		regex_free(&r);
	}
}

static void
test_bad_patterns(void)
{
	static char long_pattern[5000];
	struct regex *r = NULL;
	struct diag d = { 0 };

	CHECK_ERR_EQ(regex_new(STR("ab(c"), 0, &r, &d), ERR_INVALID, "open group");
	CHECK_U64_EQ((unsigned)d.column, 5, "where");
	for (size_t i = 0; i < sizeof(long_pattern); i++)
		long_pattern[i] = 'a';
	CHECK_ERR_EQ(regex_new(str_make(long_pattern, sizeof(long_pattern)), 0, &r, &d),
	             ERR_LIMIT, "too long");
}

/* The classic that takes for ever. */
static void
test_takes_no_time(void)
{
	int64_t start_ms = clock_mono_ms();
	struct regex *r = NULL;
	struct diag d;

	CHECK_ERR_EQ(regex_new(STR("(a+)+$"), 0, &r, &d), OK, "compiles");
	CHECK_ERR_EQ(
		regex_match(r,
	                    STR("aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaab"),
	                    NULL, 0),
		ERR_LIMIT, "given up");
	CHECK_TRUE(clock_mono_ms() - start_ms < 10000, "soon");
	regex_free(&r);
}

SUITE(ext_regex, { "matches", test_matches }, { "bad patterns", test_bad_patterns },
      { "takes no time", test_takes_no_time });
