#include "imap/imap_set.h"
#include "imap/imap_view.h"
#include "tests/unit/check.h"

static const struct set_case {
	const char *text;
	uint32_t max;
	const char *want; /* NULL: no set */
} sets[] = {
	/* clang-format off */
	{ "1",            10, "1" },
	{ "1:3",          10, "1:3" },
	{ "3:1",          10, "1:3" },
	{ "*",            10, "10" },
	{ "*:8",          10, "8:10" },
	{ "5,1,3,2",      10, "1:3,5" },
	{ "1:5,3:7,9",    10, "1:7,9" },
	{ "1:*",          0,  "" },
	{ "4294967295",   10, "4294967295" },
	{ "1:4294967295,7", 10, "1:4294967295" },
	{ "4294967296",   10, NULL },
	{ "0",            10, NULL },
	{ "",             10, NULL },
	{ "a",            10, NULL },
	{ "1,",           10, NULL },
	{ "1:",           10, NULL },
	{ ",1",           10, NULL },
	{ "99999999999999999999", 10, NULL },
	/* clang-format on */
};

static void
test_sets(void)
{
	struct arena *a = arena_new(1 << 20);

	for (size_t i = 0; i < ARRAY_LEN(sets); i++) {
		struct str s = str_from(sets[i].text);
		struct imap_set set;
		char bytes[128];
		struct strbuf b = strbuf_on(bytes);

		if (!imap_set_parse(&s, a, &set)) {
			CHECK_TRUE(!sets[i].want, sets[i].text);
			continue;
		}
		CHECK_TRUE(sets[i].want != NULL && s.n == 0, sets[i].text);
		imap_set_resolve(&set, sets[i].max);
		imap_set_format(&b, set.ranges, set.n);
		CHECK_STR_EQ(strbuf_str(&b), str_from(sets[i].want), sets[i].text);
	}
	arena_free(&a);
}

/* Against the plain way: an array of UIDs. */
static void
test_view(void)
{
	enum { N = 300 };
	struct imap_view v = { 0 };
	uint32_t uids[N], n = 0, seed = 1;

	for (uint32_t uid = 1; n < N; uid++) {
		seed = seed * 1664525 + 1013904223;
		if (seed >> 30 == 0)
			continue;
		imap_view_add(&v, uid);
		uids[n++] = uid;
	}
	while (n > 0) {
		uint32_t gone[N], gone_n = 0, kept = 0;

		imap_view_check(&v);
		CHECK_U64_EQ(v.count, n, "count");
		CHECK_U64_EQ(imap_view_last(&v), uids[n - 1], "last");
		for (uint32_t i = 0; i < n; i++) {
			CHECK_U64_EQ(imap_view_uid(&v, i + 1), uids[i], "uid");
			CHECK_U64_EQ(imap_view_seq(&v, uids[i]), i + 1, "seq");
		}
		for (uint32_t i = 0; i < n; i++) {
			seed = seed * 1664525 + 1013904223;
			if (n < 10 || seed >> 31)
				gone[gone_n++] = uids[i];
			else
				uids[kept++] = uids[i];
		}
		imap_view_remove(&v, gone, gone_n);
		for (uint32_t i = 0; i < gone_n; i++)
			CHECK_U64_EQ(imap_view_seq(&v, gone[i]), 0, "gone");
		n = kept;
	}
	imap_view_check(&v);
	imap_view_fini(&v);
}

static void
test_view_insert(void)
{
	static const uint32_t more[] = { 1, 4, 5, 8, 20 };
	struct imap_view v = { 0 };
	struct imap_set set = { 0 }, uids;
	struct uid_range seqs[] = { { 2, 4 }, { 7, 99 } };
	struct arena *a = arena_new(1 << 20);
	char bytes[64];
	struct strbuf b = strbuf_on(bytes);

	imap_view_add_run(&v, 2, 3);
	imap_view_add_run(&v, 5, 7);
	imap_view_insert(&v, more, ARRAY_LEN(more));
	imap_view_check(&v);
	CHECK_U64_EQ(v.n, 2, "1:8 and 20");
	CHECK_U64_EQ(v.count, 9, "count");
	set = (struct imap_set){ seqs, 2 };
	CHECK_TRUE(imap_view_uids_of_seqs(&v, &set, a, &uids), "fits");
	imap_set_format(&b, uids.ranges, uids.n);
	CHECK_STR_EQ(strbuf_str(&b), STR("2:4,7:8,20"), "numbers to UIDs");
	strbuf_clear(&b);
	seqs[0] = (struct uid_range){ 8, 19 };
	seqs[1] = (struct uid_range){ 20, UINT32_MAX };
	CHECK_TRUE(imap_view_uids_of_uids(&v, &set, a, &uids), "fits");
	imap_set_format(&b, uids.ranges, uids.n);
	CHECK_STR_EQ(strbuf_str(&b), STR("8,20"), "those that exist");
	arena_free(&a);
	imap_view_fini(&v);
}

SUITE(imap_set, { "sets", test_sets }, { "view", test_view },
      { "view insert", test_view_insert });
