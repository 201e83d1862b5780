/* Dates: what is read is written and read again as the same point of time. */
#include "base/panic.h"
#include "base/rfc3339.h"
#include "mail/date.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
check_again(int64_t ms, int zone)
{
	char bytes[DATE_BYTES];
	struct strbuf b = strbuf_on(bytes);
	int64_t again = 0;
	int zone_again = 0;

	/* At the ends of the years that are dates a zone leads out of them. */
	if (ms < -2208900000000 || ms > 253402200000000)
		return;
	date_format_rfc5322(&b, ms, zone);
	CHECK(!b.overflow);
	CHECK(date_parse_rfc5322(strbuf_str(&b), &again, &zone_again) == OK);
	CHECK(again == ms - ((ms % 1000) + 1000) % 1000 && zone_again == zone);
	strbuf_clear(&b);
	date_format_imap(&b, ms, zone);
	CHECK(date_parse_imap(strbuf_str(&b), &again, &zone_again) == OK);
	CHECK(again == ms - ((ms % 1000) + 1000) % 1000 && zone_again == zone);
}

static void
check_utc(int64_t ms)
{
	char bytes[DATE_BYTES];
	struct strbuf b = strbuf_on(bytes);
	int64_t again = 0;

	rfc3339_format(&b, ms);
	CHECK(!b.overflow && rfc3339_parse(strbuf_str(&b), &again) && again == ms);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct str s = str_make(data, size);
	int64_t ms = 0;
	int zone = 0;

	if (date_parse_rfc5322(s, &ms, &zone) == OK)
		check_again(ms, zone);
	if (date_parse_imap(s, &ms, &zone) == OK)
		check_again(ms, zone);
	if (rfc3339_parse(s, &ms)) {
		check_again(ms, 0);
		check_utc(ms);
	}
	if (date_parse_imap_day(s, &ms) == OK)
		check_again(ms, 0);
	return 0;
}
