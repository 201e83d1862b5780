/* date.h - the two ways a date is written in mail. Pure: no clock, no time zone table.
 * Times of APIs and reports are in base/rfc3339.h.
 *
 * Times are Unix milliseconds; a zone is minutes east of Greenwich.
 */
#ifndef MAIL_DATE_H
#define MAIL_DATE_H

#include "base/err.h"
#include "base/str.h"
#include "base/strbuf.h"

#include <stdint.h>

enum {
	DATE_BYTES = 40, /* any formatted date fits into this many */
};

/* RFC 5322 3.3 with the obsolete forms of 4.3 (two-digit years, named zones, comments)
   and without a weekday or zone; ERR_MALFORMED for what is none. Years 1900-9999. */
MUSTUSE enum err date_parse_rfc5322(struct str s, int64_t *unix_ms_out,
                                    int *zone_min_out);
/* "Mon, 23 Nov 2026 16:24:55 +0000" */
void date_format_rfc5322(struct strbuf *out, int64_t unix_ms, int zone_min);

/* RFC 3501 date-time without its quotes: "23-Nov-2026 16:24:55 +0000"; the day has a
   space or a zero (or nothing) before a single digit. */
MUSTUSE enum err date_parse_imap(struct str s, int64_t *unix_ms_out, int *zone_min_out);
void date_format_imap(struct strbuf *out, int64_t unix_ms, int zone_min);
/* RFC 3501 date: "1-Feb-1994" as the day's number since 1970-01-01 (SEARCH SINCE). */
MUSTUSE enum err date_parse_imap_day(struct str s, int64_t *day_out);

#endif
