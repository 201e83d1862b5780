#include "base/err.h"

#include "base/panic.h"
#include "base/utf8.h"
#include "tests/unit/check.h"

static void
test_rows(void)
{
	CHECK_U64_EQ((uint64_t)err_get(OK)->smtp, 250, "OK");
	CHECK_TRUE(!err_is_temporary(OK), "OK");
	for (unsigned e = 1; e < ERR_COUNT; e++) {
		const struct err_info *info = err_get((enum err)e);
		bool is_temp =
			info->class == ERR_CLASS_TEMP || info->class == ERR_CLASS_BUG;
		char first = (char)('0' + info->smtp / 100);

		CHECK_TRUE(info->smtp >= 400 && info->smtp < 600, info->name);
		CHECK_TRUE(info->enhanced[0] == first && info->enhanced[1] == '.',
		           info->name);
		CHECK_TRUE(!is_temp || first == '4', info->name);
		CHECK_TRUE(info->class != ERR_CLASS_PERM || first == '5', info->name);
		CHECK_TRUE(info->http >= 400 && info->http < 600, info->name);
		CHECK_TRUE(ascii_check(str_from(info->text)), info->name);
		CHECK_TRUE(str_find(str_from(info->word), ' ') == SIZE_MAX, info->name);
		CHECK_TRUE(err_is_temporary((enum err)e) ==
		                   (info->class == ERR_CLASS_TEMP),
		           info->name);
	}
}

static void
test_ours(void)
{
	CHECK_TRUE(!err_is_ours(OK), "OK");
	CHECK_TRUE(err_is_ours(ERR_STORE_TEMP), "for now");
	CHECK_TRUE(err_is_ours(ERR_CORRUPT), "a damaged page");
	CHECK_TRUE(err_is_ours(ERR_INTERNAL), "a mistake of ours");
	CHECK_TRUE(!err_is_ours(ERR_NO_SUCH_USER), "of the address");
	CHECK_TRUE(!err_is_ours(ERR_LOOP), "of the message");
}

static void
test_diag(void)
{
	struct diag d = { 0 };

	CHECK_ERR_EQ(diag_set(&d, ERR_CONFIG, "key %s", "x"), ERR_CONFIG,
	             "gives it back");
	CHECK_CSTR_EQ(d.text, "key x", "words");
	CHECK_ERR_EQ(diag_set(NULL, ERR_IO, "%d", 1), ERR_IO, "nobody asked");
	(void)diag_set(&d, ERR_IO, "%500d", 1);
	CHECK_U64_EQ(str_from(d.text).n, sizeof(d.text) - 1, "long words are cut");
}

struct thing {
	uint32_t magic;
};

static void
cast_to_another(void)
{
	struct thing t = { .magic = 1 };

	(void)CAST(thing, 2, &t);
}

static void
cast_of_null(void)
{
	(void)CAST(thing, 2, NULL);
}

static void
failed_check(void)
{
	CHECK(1 > 2);
}

static void
test_panics(void)
{
	struct thing t = { .magic = 2 };

	CHECK_TRUE(CAST(thing, 2, &t) == &t, "the right type");
	CHECK_PANICS(cast_to_another, "another type");
	CHECK_PANICS(cast_of_null, "NULL");
	CHECK_PANICS(failed_check, "CHECK");
}

SUITE(base_err, { "rows", test_rows }, { "ours", test_ours }, { "diag", test_diag },
      { "panics", test_panics });
