#include "mail/date.h"

static const char month_names[12][4] = { "Jan", "Feb", "Mar", "Apr", "May", "Jun",
	                                 "Jul", "Aug", "Sep", "Oct", "Nov", "Dec" };
static const char day_names[7][4] = { "Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat" };

/* A point of time as it is written. */
struct civil {
	unsigned day, month, hour, minute, second;
	int64_t year;
	int zone_min;
};

/* Days since 1970-01-01 of a date of the Gregorian calendar, and back. */
static int64_t
days_from_civil(int64_t year, unsigned month, unsigned day)
{
	/* Years begin in March, so that the leap day is the last one; eras have 400. */
	int64_t y = month <= 2 ? year - 1 : year;
	int64_t era = (y >= 0 ? y : y - 399) / 400;
	int64_t year_of_era = y - era * 400;
	int64_t day_of_year =
		(153 * (int64_t)(month > 2 ? month - 3 : month + 9) + 2) / 5 +
		(int64_t)day - 1;
	int64_t day_of_era =
		year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;

	return era * 146097 + day_of_era - 719468;
}

static void
civil_from_days(int64_t days, int64_t *year_out, unsigned *month_out, unsigned *day_out)
{
	int64_t shifted = days + 719468;
	int64_t era = (shifted >= 0 ? shifted : shifted - 146096) / 146097;
	int64_t day = shifted - era * 146097;
	int64_t year = (day - day / 1460 + day / 36524 - day / 146096) / 365;
	int64_t day_of_year = day - (365 * year + year / 4 - year / 100);
	int64_t m = (5 * day_of_year + 2) / 153;

	*day_out = (unsigned)(day_of_year - (153 * m + 2) / 5 + 1);
	*month_out = (unsigned)(m < 10 ? m + 3 : m - 9);
	*year_out = year + era * 400 + (*month_out <= 2);
}

static unsigned
days_in_month(int64_t year, unsigned month)
{
	static const unsigned char days[] = { 31, 28, 31, 30, 31, 30,
		                              31, 31, 30, 31, 30, 31 };
	bool is_leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;

	return month == 2 && is_leap ? 29 : days[month - 1];
}

static enum err
to_unix(const struct civil *c, int64_t *unix_ms_out)
{
	int64_t seconds;

	if (c->month < 1 || c->month > 12 || c->year < 1900 || c->year > 9999 ||
	    c->day < 1 || c->day > days_in_month(c->year, c->month) || c->hour > 23 ||
	    c->minute > 59 || c->second > 60)
		return ERR_MALFORMED;
	seconds = days_from_civil(c->year, c->month, c->day) * 86400 +
	          (int64_t)c->hour * 3600 + (int64_t)c->minute * 60 + c->second -
	          (int64_t)c->zone_min * 60;
	*unix_ms_out = seconds * 1000;
	return OK;
}

static void
from_unix(int64_t unix_ms, int zone_min, struct civil *c, unsigned *weekday_out)
{
	int64_t seconds =
		(unix_ms >= 0 ? unix_ms : unix_ms - 999) / 1000 + (int64_t)zone_min * 60;
	int64_t days = (seconds >= 0 ? seconds : seconds - 86399) / 86400;
	int64_t rest = seconds - days * 86400;

	civil_from_days(days, &c->year, &c->month, &c->day);
	c->hour = (unsigned)(rest / 3600);
	c->minute = (unsigned)(rest / 60 % 60);
	c->second = (unsigned)(rest % 60);
	c->zone_min = zone_min;
	*weekday_out = (unsigned)(((days + 4) % 7 + 7) % 7);
}

static bool
is_white(char c)
{
	return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

/* Passes over folding white space and comments. */
static void
skip_space(struct str *s)
{
	size_t depth = 0, i = 0;

	for (; i < s->n; i++) {
		if (s->p[i] == '(')
			depth++;
		else if (s->p[i] == ')' && depth)
			depth--;
		else if (s->p[i] == '\\' && depth)
			i++;
		else if (!depth && !is_white(s->p[i]))
			break;
	}
	*s = str_from_offset(*s, i);
}

static struct str
take_letters(struct str *s)
{
	struct str word = *s;

	word.n = 0;
	while (word.n < s->n && byte_is_alpha(s->p[word.n]))
		word.n++;
	*s = str_from_offset(*s, word.n);
	return word;
}

/* min to max digits, all there are. */
static bool
take_digits(struct str *s, size_t min, size_t max, unsigned *value_out, size_t *count_out)
{
	size_t n = 0;
	uint32_t value;

	while (n < s->n && n <= max && byte_is_digit(s->p[n]))
		n++;
	if (n < min || n > max || !str_parse_u32(str_first(*s, n), &value))
		return false;
	*s = str_from_offset(*s, n);
	*value_out = value;
	if (count_out)
		*count_out = n;
	return true;
}

/* 1-12, or 0; as in many old programs' mail, more letters may follow the three. */
static unsigned
month_of(struct str word)
{
	for (unsigned i = 0; word.n >= 3 && i < 12; i++) {
		if (str_eq_icase(str_first(word, 3), str_make(month_names[i], 3)))
			return i + 1;
	}
	return 0;
}

/* "+hhmm"; the sign is there. */
static bool
take_offset(struct str *s, int *zone_min_out)
{
	bool is_west = s->n && s->p[0] == '-';
	unsigned v;

	if (!s->n || (s->p[0] != '+' && s->p[0] != '-'))
		return false;
	*s = str_from_offset(*s, 1);
	if (!take_digits(s, 4, 4, &v, NULL) || v % 100 > 59 || v / 100 > 23)
		return false;
	*zone_min_out = (int)(v / 100 * 60 + v % 100) * (is_west ? -1 : 1);
	return true;
}

/* RFC 5322 4.3: the named zones of North America; all others mean an unknown one. */
static int
zone_of(struct str word)
{
	static const struct {
		struct str name;
		int zone_min;
	} zones[] = {
		{ STR_INIT("EDT"), -240 }, { STR_INIT("EST"), -300 },
		{ STR_INIT("CDT"), -300 }, { STR_INIT("CST"), -360 },
		{ STR_INIT("MDT"), -360 }, { STR_INIT("MST"), -420 },
		{ STR_INIT("PDT"), -420 }, { STR_INIT("PST"), -480 },
	};

	for (size_t i = 0; i < ARRAY_LEN(zones); i++) {
		if (str_eq_icase(word, zones[i].name))
			return zones[i].zone_min;
	}
	return 0;
}

/* hh:mm[:ss], spaces around the colons allowed, and dots for colons. */
static bool
take_time(struct str *s, struct civil *c)
{
	if (!take_digits(s, 1, 2, &c->hour, NULL))
		return false;
	skip_space(s);
	if (!str_skip_byte(s, ':') && !str_skip_byte(s, '.'))
		return false;
	skip_space(s);
	if (!take_digits(s, 1, 2, &c->minute, NULL))
		return false;
	skip_space(s);
	c->second = 0;
	if (!str_skip_byte(s, ':') && !str_skip_byte(s, '.'))
		return true;
	skip_space(s);
	return take_digits(s, 1, 2, &c->second, NULL);
}

/* "23 Nov 2026" with any of space, "-" and "/" between, or "Nov 23 2026". */
static bool
take_date(struct str *s, struct civil *c)
{
	unsigned year;
	size_t digits;

	if (s->n && byte_is_alpha(s->p[0])) {
		c->month = month_of(take_letters(s));
		skip_space(s);
		if (!take_digits(s, 1, 2, &c->day, NULL))
			return false;
		(void)str_skip_byte(s, ',');
	} else {
		if (!take_digits(s, 1, 2, &c->day, NULL))
			return false;
		skip_space(s);
		(void)str_skip_byte(s, '-');
		c->month = month_of(take_letters(s));
	}
	skip_space(s);
	(void)str_skip_byte(s, '-');
	if (!c->month || !take_digits(s, 2, 4, &year, &digits))
		return false;
	/* RFC 5322 4.3: two digits are 1950-2049, three count from 1900. */
	if (digits == 2)
		year += year < 50 ? 2000 : 1900;
	else if (digits == 3)
		year += 1900;
	c->year = year;
	return true;
}

enum err
date_parse_rfc5322(struct str s, int64_t *unix_ms_out, int *zone_min_out)
{
	struct civil c = { 0 };
	struct str before, word;

	skip_space(&s);
	before = s;
	word = take_letters(&s);
	skip_space(&s);
	if (word.n && (str_skip_byte(&s, ',') || !month_of(word)))
		skip_space(&s);
	else
		s = before;
	if (!take_date(&s, &c))
		return ERR_MALFORMED;
	skip_space(&s);
	(void)str_skip_byte(&s, ',');
	skip_space(&s);
	if (s.n && !take_time(&s, &c))
		return ERR_MALFORMED;
	skip_space(&s);
	if (s.n && (s.p[0] == '+' || s.p[0] == '-')) {
		if (!take_offset(&s, &c.zone_min))
			return ERR_MALFORMED;
	} else {
		c.zone_min = zone_of(take_letters(&s));
	}
	*zone_min_out = c.zone_min;
	return to_unix(&c, unix_ms_out);
}

static void
add_zone(struct strbuf *out, int zone_min)
{
	unsigned m = (unsigned)(zone_min < 0 ? -zone_min : zone_min);

	strbuf_byte(out, zone_min < 0 ? '-' : '+');
	strbuf_digits(out, m / 60, 2);
	strbuf_digits(out, m % 60, 2);
}

static void
add_year(struct strbuf *out, int64_t year)
{
	strbuf_digits(out, year > 0 ? (uint64_t)year : 0, 4);
}

/* "12:34:56" */
static void
add_time(struct strbuf *out, const struct civil *c)
{
	strbuf_digits(out, c->hour, 2);
	strbuf_byte(out, ':');
	strbuf_digits(out, c->minute, 2);
	strbuf_byte(out, ':');
	strbuf_digits(out, c->second, 2);
}

void
date_format_rfc5322(struct strbuf *out, int64_t unix_ms, int zone_min)
{
	struct civil c;
	unsigned weekday;

	from_unix(unix_ms, zone_min, &c, &weekday);
	strbuf_bytes(out, day_names[weekday], 3);
	strbuf_lit(out, ", ");
	strbuf_u64(out, c.day);
	strbuf_byte(out, ' ');
	strbuf_bytes(out, month_names[c.month - 1], 3);
	strbuf_byte(out, ' ');
	add_year(out, c.year);
	strbuf_byte(out, ' ');
	add_time(out, &c);
	strbuf_byte(out, ' ');
	add_zone(out, zone_min);
}

/* "23-Nov-2026" */
static bool
take_imap_date(struct str *s, struct civil *c)
{
	struct str word;
	unsigned year;

	(void)str_skip_byte(s, ' ');
	if (!take_digits(s, 1, 2, &c->day, NULL) || !str_skip_byte(s, '-'))
		return false;
	word = take_letters(s);
	c->month = word.n == 3 ? month_of(word) : 0;
	if (!c->month || !str_skip_byte(s, '-') || !take_digits(s, 4, 4, &year, NULL))
		return false;
	c->year = year;
	return true;
}

/* "16:24:55" */
static bool
take_strict_time(struct str *s, struct civil *c)
{
	return take_digits(s, 2, 2, &c->hour, NULL) && str_skip_byte(s, ':') &&
	       take_digits(s, 2, 2, &c->minute, NULL) && str_skip_byte(s, ':') &&
	       take_digits(s, 2, 2, &c->second, NULL);
}

enum err
date_parse_imap(struct str s, int64_t *unix_ms_out, int *zone_min_out)
{
	struct civil c = { 0 };

	if (!take_imap_date(&s, &c) || !str_skip_byte(&s, ' ') ||
	    !take_strict_time(&s, &c) || !str_skip_byte(&s, ' ') ||
	    !take_offset(&s, &c.zone_min) || s.n)
		return ERR_MALFORMED;
	*zone_min_out = c.zone_min;
	return to_unix(&c, unix_ms_out);
}

void
date_format_imap(struct strbuf *out, int64_t unix_ms, int zone_min)
{
	struct civil c;
	unsigned weekday;

	from_unix(unix_ms, zone_min, &c, &weekday);
	if (c.day < 10)
		strbuf_byte(out, ' ');
	strbuf_u64(out, c.day);
	strbuf_byte(out, '-');
	strbuf_bytes(out, month_names[c.month - 1], 3);
	strbuf_byte(out, '-');
	add_year(out, c.year);
	strbuf_byte(out, ' ');
	add_time(out, &c);
	strbuf_byte(out, ' ');
	add_zone(out, zone_min);
}

enum err
date_parse_imap_day(struct str s, int64_t *day_out)
{
	struct civil c = { 0 };
	int64_t unix_ms;

	if (!take_imap_date(&s, &c) || s.n || to_unix(&c, &unix_ms) != OK)
		return ERR_MALFORMED;
	*day_out = days_from_civil(c.year, c.month, c.day);
	return OK;
}
