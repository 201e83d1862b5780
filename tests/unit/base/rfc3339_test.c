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
		{ "1970-01-01t00:00:00.5z", true, 500 },
		{ "1970-01-01 00:00:00.1234Z", true, 123 },
		{ "2026-11-23T12:04:04", false, 0 },
		{ "1970-01-01T00:00:00.Z", false, 0 },
		{ "1970-01-01T00:00:00+0100", false, 0 },
		{ "1970-01-01T00:00:00Zx", false, 0 },
		{ "70-01-01T00:00:00Z", false, 0 },
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

static void
test_round_trips(void)
{
	/* From 1901 to 2460 in odd steps: what is written is read as the same moment. */
	for (int64_t s = -2177452800; s < 15463000000; s += 9876543) {
		char bytes[40];
		struct strbuf b = strbuf_on(bytes);
		int64_t ms = 0;

		rfc3339_format(&b, s * 1000 + 7);
		CHECK_TRUE(rfc3339_parse(strbuf_str(&b), &ms), "read again");
		CHECK_I64_EQ(ms, s * 1000 + 7, "the same");
	}
}

SUITE(base_rfc3339, { "times", test_times }, { "round_trips", test_round_trips });
