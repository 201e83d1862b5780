#include "base/rfc3339.h"

#include <time.h>

void
rfc3339_format(struct strbuf *b, int64_t unix_ms)
{
	int64_t ms = unix_ms % 1000;
	time_t seconds = (time_t)(unix_ms / 1000);
	struct tm tm;

	if (ms < 0) {
		ms += 1000;
		seconds--;
	}
	if (!gmtime_r(&seconds, &tm))
		return;
	strbuf_printf(b, "%04d-%02d-%02dT%02d:%02d:%02d.%03dZ", tm.tm_year + 1900,
	              tm.tm_mon + 1, tm.tm_mday, tm.tm_hour, tm.tm_min, tm.tm_sec,
	              (int)ms);
}

/* Takes exactly `digits` digits; false where there are fewer or the value is over max. */
static bool
take_number(struct str *s, size_t digits, int max, int *value_out)
{
	uint32_t value;

	if (s->n < digits || !str_parse_u32(str_first(*s, digits), &value) ||
	    value > (uint32_t)max)
		return false;
	*s = str_from_offset(*s, digits);
	*value_out = (int)value;
	return true;
}

/* ".123", or nothing; what is finer than a millisecond is cut off. */
static bool
take_fraction(struct str *s, int *ms_out)
{
	int weight = 100;

	*ms_out = 0;
	if (!str_skip_byte(s, '.'))
		return true;
	if (!s->n || !byte_is_digit(s->p[0]))
		return false;
	for (; s->n && byte_is_digit(s->p[0]); *s = str_from_offset(*s, 1)) {
		*ms_out += (s->p[0] - '0') * weight;
		weight /= 10;
	}
	return true;
}

static bool
take_offset(struct str *s, int *minutes_out)
{
	int hours, minutes, sign;

	*minutes_out = 0;
	if (str_skip_icase(s, STR("z")))
		return true;
	sign = str_skip_byte(s, '-') ? -1 : 1;
	if (sign > 0 && !str_skip_byte(s, '+'))
		return false;
	if (!take_number(s, 2, 23, &hours) || !str_skip_byte(s, ':') ||
	    !take_number(s, 2, 59, &minutes))
		return false;
	*minutes_out = sign * (hours * 60 + minutes);
	return true;
}

bool
rfc3339_parse(struct str s, int64_t *unix_ms_out)
{
	struct tm tm = { 0 }, check;
	int ms = 0, offset_min = 0;
	time_t seconds;

	if (!take_number(&s, 4, 9999, &tm.tm_year) || !str_skip_byte(&s, '-') ||
	    !take_number(&s, 2, 12, &tm.tm_mon) || !str_skip_byte(&s, '-') ||
	    !take_number(&s, 2, 31, &tm.tm_mday) || !tm.tm_mon || !tm.tm_mday)
		return false;
	if (s.n) {
		if (!str_skip_icase(&s, STR("t")) && !str_skip_byte(&s, ' '))
			return false;
		if (!take_number(&s, 2, 23, &tm.tm_hour) || !str_skip_byte(&s, ':') ||
		    !take_number(&s, 2, 59, &tm.tm_min) || !str_skip_byte(&s, ':') ||
		    !take_number(&s, 2, 60, &tm.tm_sec))
			return false;
		if (!take_fraction(&s, &ms) || !take_offset(&s, &offset_min) || s.n)
			return false;
	}
	tm.tm_year -= 1900;
	tm.tm_mon -= 1;
	check = tm;
	seconds = timegm(&check);
	if (check.tm_mday != tm.tm_mday || check.tm_mon != tm.tm_mon)
		return false; /* no 31st of June */
	*unix_ms_out = ((int64_t)seconds - (int64_t)offset_min * 60) * 1000 + ms;
	return true;
}
