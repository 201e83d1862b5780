#include "imap/imap_utf7.h"
#include "tests/unit/check.h"

static const struct pair {
	const char *utf8, *wire;
} pairs[] = {
	{ "INBOX", "INBOX" },
	{ "a&b", "a&-b" },
	{ "&", "&-" },
	{ "Entw\xc3\xbcrfe", "Entw&APw-rfe" },
	{ "\xe5\x8f\xb0\xe5\x8c\x97", "&U,BTFw-" },
	{ "~peter/mail/\xe5\x8f\xb0\xe5\x8c\x97/\xe6\x97\xa5\xe6\x9c\xac\xe8\xaa\x9e",
	  "~peter/mail/&U,BTFw-/&ZeVnLIqe-" }, /* RFC 3501 5.1.3 */
	{ "\xf0\x9f\x93\xa7", "&2D3c5w-" },
	{ "\xc3\xa4/\xc3\xa4", "&AOQ-/&AOQ-" },
};

static void
test_both_ways(void)
{
	for (size_t i = 0; i < ARRAY_LEN(pairs); i++) {
		char bytes[256];
		struct strbuf b = strbuf_on(bytes);

		imap_utf7_format(&b, str_from(pairs[i].utf8));
		CHECK_STR_EQ(strbuf_str(&b), str_from(pairs[i].wire), pairs[i].utf8);
		strbuf_clear(&b);
		CHECK_ERR_EQ(imap_utf7_parse(str_from(pairs[i].wire), &b), OK,
		             pairs[i].wire);
		CHECK_STR_EQ(strbuf_str(&b), str_from(pairs[i].utf8), pairs[i].wire);
	}
}

/* Each has another spelling, or none. */
static const char *const wrong[] = {
	"&",          /* does not end */
	"a&AOQ",      /* does not end */
	"&AGE-",      /* 'a' stands for itself */
	"&AOQ-&APY-", /* should be one piece */
	"&AOR-",      /* bits left over */
	"&AOQA-",     /* half a unit */
	"&2D0-",      /* half a pair */
	"&3Oc-",      /* the other half */
	"&AO\xc3-",   /* no digit */
	"\xc3\xa4",   /* not encoded */
	"a\x01",      /* control */
};

static void
test_strict(void)
{
	for (size_t i = 0; i < ARRAY_LEN(wrong); i++) {
		char bytes[256];
		struct strbuf b = strbuf_on(bytes);

		CHECK_ERR_EQ(imap_utf7_parse(str_from(wrong[i]), &b), ERR_MALFORMED,
		             wrong[i]);
	}
}

static const struct name {
	const char *name;
	enum err want;
} names[] = {
	{ "INBOX", OK },
	{ "a/b/c", OK },
	{ "", ERR_INVALID },
	{ "/", ERR_INVALID },
	{ "/a", ERR_INVALID },
	{ "a/", ERR_INVALID },
	{ "a//b", ERR_INVALID },
	{ ".", ERR_INVALID },
	{ "..", ERR_INVALID },
	{ "a/../b", ERR_INVALID },
	{ "...", OK },
	{ "a\nb", ERR_INVALID },
	{ "a\rb", ERR_INVALID },
	{ "a*", ERR_INVALID },
	{ "%", ERR_INVALID },
	{ "a\x7f", ERR_INVALID },
	{ "\xc2\x85", ERR_INVALID },
	{ "\xff", ERR_INVALID },
	{ "\xe2\x80\xa8", ERR_INVALID },
	{ "~/x", OK },
	{ "\\x", OK },
};

static void
test_names(void)
{
	char deep[200];
	struct strbuf b = strbuf_on(deep);

	for (size_t i = 0; i < ARRAY_LEN(names); i++)
		CHECK_ERR_EQ(imap_name_check(str_from(names[i].name)), names[i].want,
		             names[i].name);
	CHECK_ERR_EQ(imap_name_check(str_make("a\0b", 3)), ERR_INVALID, "NUL");
	for (int i = 0; i < IMAP_NAME_MAX_LEVELS; i++)
		strbuf_add(&b, i ? STR("/a") : STR("a"));
	CHECK_ERR_EQ(imap_name_check(strbuf_str(&b)), OK, "as deep as it goes");
	strbuf_add(&b, STR("/a"));
	CHECK_ERR_EQ(imap_name_check(strbuf_str(&b)), ERR_INVALID, "one deeper");
}

SUITE(imap_utf7, { "both ways", test_both_ways }, { "strict", test_strict },
      { "names", test_names });
