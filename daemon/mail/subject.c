#include "mail/subject.h"

/* "[list]" at the start of *s, with the spaces behind it. */
static bool
skip_blob(struct str *s)
{
	size_t end = str_find(*s, ']');

	if (!s->n || s->p[0] != '[' || end == SIZE_MAX ||
	    str_find(str_make(s->p + 1, end - 1), '[') != SIZE_MAX)
		return false;
	*s = str_trim(str_from_offset(*s, end + 1));
	return true;
}

/* "Re:", "Fwd [2]:" and the like, perhaps behind blobs. */
static bool
skip_leader(struct str *s)
{
	struct str rest = *s;

	while (skip_blob(&rest))
		continue;
	if (!str_skip_icase(&rest, STR("re")) && !str_skip_icase(&rest, STR("fwd")) &&
	    !str_skip_icase(&rest, STR("fw")))
		return false;
	rest = str_trim(rest);
	(void)skip_blob(&rest);
	if (!str_skip_byte(&rest, ':'))
		return false;
	*s = str_trim(rest);
	return true;
}

static bool
skip_trailer(struct str *s)
{
	if (!str_ends_icase(*s, STR("(fwd)")))
		return false;
	*s = str_trim(str_first(*s, s->n - 5));
	return true;
}

/* A blob is taken off only where something is left behind it. */
static bool
skip_first_blob(struct str *s)
{
	struct str rest = *s;

	if (!skip_blob(&rest) || !rest.n)
		return false;
	*s = rest;
	return true;
}

/* "[fwd: …]" around all of it. */
static bool
unwrap(struct str *s)
{
	struct str rest = *s;

	if (!str_skip_icase(&rest, STR("[fwd:")) || !str_ends(rest, STR("]")))
		return false;
	*s = str_trim(str_first(rest, rest.n - 1));
	return true;
}

struct str
subject_base(struct str subject)
{
	struct str s = str_trim(subject);

	do {
		while (skip_trailer(&s))
			continue;
		while (skip_leader(&s) || skip_first_blob(&s))
			continue;
	} while (unwrap(&s));
	return s;
}
