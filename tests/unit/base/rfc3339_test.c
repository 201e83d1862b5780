#include "base/rfc3339.h"

#include "tests/unit/check.h"

static void
test_times(void)
{
	static const struct {
		const char *text;
		bool ok;
		int64_t ms;
	} rows[] = {
		{ "2026-11-23T12:04:04.120Z", true, 1795435444120 },
		{ "2026-11-23T13:04:04.12+01:00", true, 1795435444120 },
		{ "1970-01-01", true, 0 },
		{ "1969-12-31T23:59:59.999Z", true, -1 },
		{ "2026-11-23T12:04:04", false, 0 },
		{ "2026-02-30", false, 0 },
		{ "2026-13-01", false, 0 },
		{ "2026-11-23T25:00:00Z", false, 0 },
		{ "yesterday", false, 0 },
		{ "", false, 0 },
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		int64_t ms = 0;

		CHECK_TRUE(rfc3339_parse(str_from(rows[i].text), &ms) == rows[i].ok,
		           rows[i].text);
		if (rows[i].ok)
			CHECK_I64_EQ(ms, rows[i].ms, rows[i].text);
	}
}

SUITE(base_rfc3339, { "times", test_times });
