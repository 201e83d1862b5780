#include "mail/date.h"
#include "tests/unit/check.h"

static const struct {
	const char *text;
	int64_t seconds; /* -1: no date */
	int zone_min;
} mail_dates[] = {
	{ "Mon, 23 Nov 2026 16:24:55 +0000", 1795451095, 0 },
	{ "23 Nov 2026 16:24:55 +0000", 1795451095, 0 },
	{ "Mon, 23 Nov 2026 18:24:55 +0200", 1795451095, 120 },
	{ "Mon, 23 Nov 2026 11:24:55 -0500 (EST)", 1795451095, -300 },
	{ "Mon, 23 Nov 2026 11:24:55 EST", 1795451095, -300 },
	{ "Mon, 23 Nov 2026 16:24:55 GMT", 1795451095, 0 },
	{ "Mon, 23 Nov 2026 16:24:55 UT", 1795451095, 0 },
	{ "Mon, 23 Nov 2026 16:24:55 Z", 1795451095, 0 },
	{ "Mon, 23 Nov 2026 16:24:55", 1795451095, 0 },
	{ "Mon, 23 Nov 2026 16:24", 1795451040, 0 },
	{ "Mon, 23 Nov 26 16:24:55 +0000", 1795451095, 0 },
	{ "Mon , 23 Nov 2026 16 : 24 : 55 +0000", 1795451095, 0 },
	{ "(a) Mon (b), (c) 23 (d) Nov (e) 2026 (f) 16:24:55 (g) +0000 (h)", 1795451095,
	  0 },
	{ "Mon,\r\n 23 Nov 2026\r\n 16:24:55 +0000", 1795451095, 0 },
	{ "mon, 23 nov 2026 16:24:55 +0000", 1795451095, 0 },
	{ "23-Nov-2026 16:24:55 +0000", 1795451095, 0 },
	{ "Mon Nov 23 16:24:55 2026", -1, 0 },
	{ "Mon, 1 Jan 70 00:00:00 +0000", 0, 0 },
	{ "1 Jan 1970 00:00:00 +0000", 0, 0 },
	{ "31 Dec 1969 23:59:59 +0000", -1 - 1, 0 },
	{ "29 Feb 2024 12:00:00 +0000", 1709208000, 0 },
	{ "30 Jun 2015 23:59:60 +0000", 1435708800, 0 },
	{ "29 Feb 2023 12:00:00 +0000", -1, 0 },
	{ "31 Apr 2026 12:00:00 +0000", -1, 0 },
	{ "32 Jan 2026 12:00:00 +0000", -1, 0 },
	{ "0 Jan 2026 12:00:00 +0000", -1, 0 },
	{ "1 Foo 2026 12:00:00 +0000", -1, 0 },
	{ "1 Jan 2026 24:00:00 +0000", -1, 0 },
	{ "1 Jan 2026 12:60:00 +0000", -1, 0 },
	{ "1 Jan 2026 12:00:61 +0000", -1, 0 },
	{ "1 Jan 2026 12:00:00 +2400", -1, 0 },
	{ "1 Jan 2026 12:00:00 +0060", -1, 0 },
	{ "1 Jan 99999 12:00:00 +0000", -1, 0 },
	{ "1 Jan 1899 12:00:00 +0000", -1, 0 },
	{ "", -1, 0 },
	{ "x", -1, 0 },
	{ "(", -1, 0 },
	{ "Mon,", -1, 0 },
	{ "Mon, 23", -1, 0 },
	{ "Mon, 23 Nov", -1, 0 },
	{ "2026-11-23 16:24:55", -1, 0 },
};

static void
test_mail(void)
{
	for (size_t i = 0; i < ARRAY_LEN(mail_dates); i++) {
		int64_t ms = 0, seconds = mail_dates[i].seconds;
		int zone_min = 0;
		enum err e =
			date_parse_rfc5322(str_from(mail_dates[i].text), &ms, &zone_min);

		CHECK_ERR_EQ(e, seconds == -1 ? ERR_MALFORMED : OK, mail_dates[i].text);
		if (e != OK)
			continue;
		CHECK_I64_EQ(ms, seconds == -2 ? -1000 : seconds * 1000,
		             mail_dates[i].text);
		CHECK_I64_EQ(zone_min, mail_dates[i].zone_min, mail_dates[i].text);
	}
}

static void
test_round_trips(void)
{
	static const int zones[] = { 0, 60, -480, 345, -210 };

	/* From 1901 to 2460 in odd steps: each format gives back what it was given. */
	for (int64_t s = -2177452800; s < 15463000000; s += 9876543) {
		char bytes[DATE_BYTES];
		struct strbuf b = strbuf_on(bytes);
		int64_t ms = 0;
		int zone = zones[(s < 0 ? -s : s) % 5], got_zone = 0;

		date_format_rfc5322(&b, s * 1000, zone);
		CHECK_ERR_EQ(date_parse_rfc5322(strbuf_str(&b), &ms, &got_zone), OK,
		             "5322");
		CHECK_I64_EQ(ms, s * 1000, "5322");
		CHECK_I64_EQ(got_zone, zone, "5322");
		strbuf_clear(&b);
		date_format_imap(&b, s * 1000, zone);
		CHECK_U64_EQ(b.n, 26, "imap dates have one length");
		CHECK_ERR_EQ(date_parse_imap(strbuf_str(&b), &ms, &got_zone), OK, "imap");
		CHECK_I64_EQ(ms, s * 1000, "imap");
	}
}

static void
test_formats(void)
{
	char bytes[DATE_BYTES];
	struct strbuf b = strbuf_on(bytes);

	date_format_rfc5322(&b, 1795451095000, 90);
	CHECK_STR_EQ(strbuf_str(&b), STR("Mon, 23 Nov 2026 17:54:55 +0130"), "5322");
	strbuf_clear(&b);
	date_format_imap(&b, 1780300800000, -60);
	CHECK_STR_EQ(strbuf_str(&b), STR(" 1-Jun-2026 07:00:00 -0100"), "imap");
	strbuf_clear(&b);
	date_format_rfc5322(&b, 1780309805000, -90);
	CHECK_STR_EQ(strbuf_str(&b), STR("Mon, 1 Jun 2026 09:00:05 -0130"), "one digit");
}

static void
test_imap(void)
{
	static const char *const bad[] = {
		"",
		"23-Nov-2026",
		"23-Nov-2026 16:24:55",
		"23-Nov-26 16:24:55 +0000",
		"23-Nov-2026 16:24:55 +000",
		"23-Nov-2026 16:24:55 0000",
		"23-Nov-2026 6:24:55 +0000",
		"32-Nov-2026 16:24:55 +0000",
		"23-November-2026 16:24:55 +0000",
		"23-Nov-2026 16:24:55 +0000 ",
		"23-Nov-2026  16:24:55 +0000",
		"-1-Nov-2026 16:24:55 +0000",
	};
	int64_t value = 0;
	int zone = 0;

	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		CHECK_ERR_EQ(date_parse_imap(str_from(bad[i]), &value, &zone),
		             ERR_MALFORMED, bad[i]);
	CHECK_ERR_EQ(date_parse_imap(STR(" 1-Jan-1970 00:00:00 +0000"), &value, &zone),
	             OK, "");
	CHECK_I64_EQ(value, 0, "space before the day");
	CHECK_ERR_EQ(date_parse_imap_day(STR("1-Feb-1994"), &value), OK, "day");
	CHECK_I64_EQ(value, 8797, "day");
	CHECK_ERR_EQ(date_parse_imap_day(STR("01-feb-1994"), &value), OK, "two digits");
	CHECK_ERR_EQ(date_parse_imap_day(STR("30-Feb-1994"), &value), ERR_MALFORMED,
	             "no day");
	CHECK_ERR_EQ(date_parse_imap_day(STR("1-Feb-1994 "), &value), ERR_MALFORMED,
	             "rest");
}

SUITE(mail_date, { "mail", test_mail }, { "round_trips", test_round_trips },
      { "formats", test_formats }, { "imap", test_imap });
