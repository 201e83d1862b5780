#include "imap/imap_args.h"

#include "base/utf8.h"
#include "imap/imap_utf7.h"
#include "mail/date.h"

struct imap_args
imap_args_make(struct str rest, struct arena *arena)
{
	return (struct imap_args){ .rest = rest, .arena = arena };
}

bool
imap_args_fail(struct imap_args *a, const char *words)
{
	if (!a->error)
		a->error = words;
	return false;
}

bool
imap_args_at(const struct imap_args *a, char c)
{
	return a->rest.n > 0 && a->rest.p[0] == c;
}

bool
imap_args_at_end(const struct imap_args *a)
{
	return a->rest.n == 0;
}

bool
imap_args_space(struct imap_args *a)
{
	return str_skip_byte(&a->rest, ' ') ||
	       imap_args_fail(a, "Missing argument or space");
}

bool
imap_args_end(struct imap_args *a)
{
	return a->rest.n == 0 || imap_args_fail(a, "Unexpected argument");
}

bool
imap_args_open(struct imap_args *a)
{
	if (!str_skip_byte(&a->rest, '('))
		return imap_args_fail(a, "Expected an opening parenthesis");
	if (++a->depth > IMAP_DEPTH_MAX)
		return imap_args_fail(a, "Parentheses nested too deeply");
	return true;
}

bool
imap_args_close(struct imap_args *a)
{
	if (!str_skip_byte(&a->rest, ')'))
		return imap_args_fail(a, "Expected a closing parenthesis");
	a->depth--;
	return true;
}

/* ATOM-CHAR; astrings may have ']' as well. */
static bool
is_atom_char(char c, bool is_astring)
{
	if ((unsigned char)c <= 0x20 || (unsigned char)c >= 0x7f)
		return false;
	if (c == ']')
		return is_astring;
	return !strchr("(){%*\"\\", c);
}

static bool
take_atom(struct imap_args *a, bool is_astring, struct str *atom_out)
{
	size_t n = 0;

	while (n < a->rest.n && is_atom_char(a->rest.p[n], is_astring))
		n++;
	if (n == 0)
		return imap_args_fail(a, "Expected a word");
	*atom_out = str_first(a->rest, n);
	a->rest = str_from_offset(a->rest, n);
	return true;
}

bool
imap_args_atom(struct imap_args *a, struct str *atom_out)
{
	return take_atom(a, false, atom_out);
}

static bool
unescape(struct imap_args *a, struct str s, struct str *s_out)
{
	char *p = arena_try(a->arena, s.n);
	size_t n = 0;

	if (!p)
		return imap_args_fail(a, "Command too large");
	for (size_t i = 0; i < s.n; i++) {
		if (s.p[i] == '\\')
			i++;
		p[n++] = s.p[i];
	}
	*s_out = str_make(p, n);
	return true;
}

static bool
take_quoted(struct imap_args *a, struct str *s_out)
{
	struct str s = str_from_offset(a->rest, 1);
	bool is_escaped = false;

	for (size_t i = 0; i < s.n; i++) {
		char c = s.p[i];

		if (c == '"') {
			a->rest = str_from_offset(s, i + 1);
			*s_out = str_first(s, i);
			return is_escaped ? unescape(a, *s_out, s_out) : true;
		}
		if (c == '\r')
			break;
		if (c != '\\')
			continue;
		is_escaped = true;
		i++;
		if (i >= s.n || (s.p[i] != '\\' && s.p[i] != '"'))
			return imap_args_fail(a, "Only \\ and \" may follow a \\");
	}
	return imap_args_fail(a, "Quoted string does not end");
}

/* The session has read exactly what it was told, so the bytes are there. */
static bool
take_literal(struct imap_args *a, struct str *s_out)
{
	size_t end = str_find(a->rest, '}');
	struct str digits =
		str_from_offset(str_first(a->rest, end == SIZE_MAX ? 0 : end), 1);
	uint64_t n;

	if (digits.n > 0 && digits.p[digits.n - 1] == '+')
		digits.n--;
	if (!str_parse_u64(digits, &n))
		return imap_args_fail(a, "Malformed literal");
	a->rest = str_from_offset(a->rest, end + 1);
	if (!str_skip(&a->rest, STR("\r\n")) || n > a->rest.n)
		return imap_args_fail(a, "Malformed literal");
	*s_out = str_first(a->rest, (size_t)n);
	a->rest = str_from_offset(a->rest, (size_t)n);
	if (s_out->n > 0 && memchr(s_out->p, '\0', s_out->n))
		return imap_args_fail(a, "NUL bytes are not allowed");
	return true;
}

bool
imap_args_string(struct imap_args *a, struct str *s_out)
{
	if (imap_args_at(a, '"'))
		return take_quoted(a, s_out);
	if (imap_args_at(a, '{'))
		return take_literal(a, s_out);
	return imap_args_fail(a, "Expected a string");
}

bool
imap_args_astring(struct imap_args *a, struct str *s_out)
{
	if (imap_args_at(a, '"') || imap_args_at(a, '{'))
		return imap_args_string(a, s_out);
	return take_atom(a, true, s_out);
}

bool
imap_args_nstring(struct imap_args *a, struct str *s_out)
{
	if (imap_args_at(a, '"') || imap_args_at(a, '{'))
		return imap_args_string(a, s_out);
	if (!str_skip_icase(&a->rest, STR("NIL")))
		return imap_args_fail(a, "Expected a string or NIL");
	*s_out = (struct str){ NULL, 0 };
	return true;
}

bool
imap_args_u64(struct imap_args *a, uint64_t *n_out)
{
	size_t n = 0;

	while (n < a->rest.n && byte_is_digit(a->rest.p[n]))
		n++;
	if (!str_parse_u64(str_first(a->rest, n), n_out))
		return imap_args_fail(a, "Expected a number");
	a->rest = str_from_offset(a->rest, n);
	return true;
}

bool
imap_args_u32(struct imap_args *a, uint32_t *n_out)
{
	uint64_t n;

	if (!imap_args_u64(a, &n))
		return false;
	if (n > UINT32_MAX)
		return imap_args_fail(a, "Number too large");
	*n_out = (uint32_t)n;
	return true;
}

bool
imap_args_set(struct imap_args *a, struct imap_set *set_out)
{
	return imap_set_parse(&a->rest, a->arena, set_out) ||
	       imap_args_fail(a, "Malformed message set");
}

/* INBOX is one name in any case, also above other levels (RFC 3501 5.1). */
static struct str
canonical(struct arena *arena, struct str name)
{
	if (str_eq_icase(name, STR("INBOX")))
		return STR("INBOX");
	if (str_starts_icase(name, STR("INBOX/")) && !str_starts(name, STR("INBOX")))
		return arena_printf(arena, "INBOX%.*s",
		                    STR_ARG(str_from_offset(name, 5)));
	return name;
}

bool
imap_args_mailbox(struct imap_args *a, struct str *name_out, enum err *name_error_out)
{
	struct str wire;
	struct strbuf name;

	*name_out = (struct str){ NULL, 0 };
	*name_error_out = ERR_INVALID;
	if (!imap_args_astring(a, &wire))
		return false;
	if (wire.n > IMAP_NAME_MAX_BYTES * 3)
		return true;
	name = strbuf_arena(a->arena, IMAP_NAME_MAX_BYTES + 1);
	if (imap_utf7_parse(wire, &name) != OK)
		return true;
	/* "CREATE foo/" says that there will be children (RFC 3501 6.3.3). */
	if (name.n > 1 && name.p[name.n - 1] == '/')
		strbuf_truncate(&name, name.n - 1);
	*name_error_out = imap_name_check(strbuf_str(&name));
	if (*name_error_out == OK)
		*name_out = canonical(a->arena, strbuf_str(&name));
	return true;
}

bool
imap_args_list_mailbox(struct imap_args *a, struct str *pattern_out)
{
	size_t n = 0;

	if (imap_args_at(a, '"') || imap_args_at(a, '{'))
		return imap_args_string(a, pattern_out);
	while (n < a->rest.n && (is_atom_char(a->rest.p[n], true) ||
	                         a->rest.p[n] == '%' || a->rest.p[n] == '*'))
		n++;
	if (n == 0)
		return imap_args_fail(a, "Expected a mailbox pattern");
	*pattern_out = str_first(a->rest, n);
	a->rest = str_from_offset(a->rest, n);
	return true;
}

static const struct system_flag {
	struct str word;
	uint32_t bit;
} system_flags[] = {
	/* clang-format off */
	{ STR_INIT("\\Seen"),     FLAG_SEEN },
	{ STR_INIT("\\Answered"), FLAG_ANSWERED },
	{ STR_INIT("\\Flagged"),  FLAG_FLAGGED },
	{ STR_INIT("\\Deleted"),  FLAG_DELETED },
	{ STR_INIT("\\Draft"),    FLAG_DRAFT },
	{ STR_INIT("\\Recent"),   0 },
	/* clang-format on */
};

static bool
take_system_flag(struct imap_args *a, struct imap_flags *flags)
{
	for (size_t i = 0; i < ARRAY_LEN(system_flags); i++) {
		struct str rest = a->rest;

		if (!str_skip_icase(&rest, system_flags[i].word))
			continue;
		if (rest.n > 0 && is_atom_char(rest.p[0], false))
			continue;
		a->rest = rest;
		flags->bits |= system_flags[i].bit;
		return true;
	}
	return imap_args_fail(a, "Unknown system flag");
}

static bool
has_keyword(const struct imap_flags *flags, struct str word)
{
	for (size_t i = 0; i < flags->keywords_n; i++) {
		if (str_eq_icase(flags->keywords[i], word))
			return true;
	}
	return false;
}

static bool
take_keyword(struct imap_args *a, struct imap_flags *flags)
{
	struct str word;

	if (!imap_args_atom(a, &word))
		return false;
	if (word.n > KEYWORD_BYTES_MAX)
		return imap_args_fail(a, "Keyword too long");
	if (has_keyword(flags, word))
		return true;
	if (flags->keywords_n == KEYWORDS_MAX)
		return imap_args_fail(a, "Too many keywords");
	if (!flags->keywords)
		flags->keywords = arena_try(a->arena, KEYWORDS_MAX * sizeof(word));
	if (!flags->keywords)
		return imap_args_fail(a, "Command too large");
	flags->keywords[flags->keywords_n++] = word;
	return true;
}

bool
imap_args_flags(struct imap_args *a, bool is_bare, struct imap_flags *flags_out)
{
	bool is_list = imap_args_at(a, '(');

	*flags_out = (struct imap_flags){ 0 };
	if (!is_list && !is_bare)
		return imap_args_fail(a, "Expected a list of flags");
	if (is_list && !imap_args_open(a))
		return false;
	if (is_list && imap_args_at(a, ')'))
		return imap_args_close(a);
	do {
		if (imap_args_at(a, '\\') ? !take_system_flag(a, flags_out)
		                          : !take_keyword(a, flags_out))
			return false;
	} while (str_skip_byte(&a->rest, ' '));
	return is_list ? imap_args_close(a) : true;
}

bool
imap_args_date(struct imap_args *a, int64_t *day_out)
{
	struct str s;

	if (!imap_args_astring(a, &s))
		return false;
	return date_parse_imap_day(s, day_out) == OK ||
	       imap_args_fail(a, "Malformed date");
}

bool
imap_args_date_time(struct imap_args *a, int64_t *ms_out)
{
	struct str s;
	int zone_min;

	if (!imap_args_at(a, '"') || !imap_args_string(a, &s))
		return imap_args_fail(a, "Expected a quoted date and time");
	return date_parse_imap(s, ms_out, &zone_min) == OK ||
	       imap_args_fail(a, "Malformed date and time");
}
