#include "policy/dmarc.h"

/* RFC 9989 4.7, 4.8: a list of tags, whose wrong values count as absent. */

static bool
is_space(char c)
{
	return c == ' ' || c == '\t';
}

static struct str
trim(struct str s)
{
	while (s.n && is_space(s.p[0]))
		s = str_from_offset(s, 1);
	while (s.n && is_space(s.p[s.n - 1]))
		s.n--;
	return s;
}

/* Takes the next tag off *rest; one without "=" has an empty value. */
static bool
next_tag(struct str *rest, struct str *name_out, struct str *value_out)
{
	struct str part;
	size_t at;

	if (!str_next(rest, ';', &part))
		return false;
	at = str_find(part, '=');
	*name_out = trim(str_first(part, at));
	*value_out = at == SIZE_MAX ? STR("") : trim(str_from_offset(part, at + 1));
	return true;
}

static bool
read_policy(struct str value, enum dmarc_policy *out)
{
	for (unsigned p = DMARC_POLICY_NONE; p <= DMARC_POLICY_REJECT; p++) {
		if (str_eq_icase(value,
		                 str_from(dmarc_policy_word((enum dmarc_policy)p)))) {
			*out = (enum dmarc_policy)p;
			return true;
		}
	}
	return false;
}

/* One letter of those in `letters`, in lower case; else '\0'. */
static char
read_letter(struct str value, const char *letters)
{
	char c = value.n == 1 ? byte_lower(value.p[0]) : '\0';

	return c && str_find(str_from(letters), c) != SIZE_MAX ? c : '\0';
}

/* What is needed besides the record to judge it. */
struct notes {
	bool has_p, has_t, is_policy_wrong, is_pct_zero;
	uint32_t seen; /* a bit for each name */
};

/* Of a tag that comes twice nobody can tell which one is meant, and RFC 6376 3.2, whose
   form this is, has no such list: both are wrong, so that the default holds. */
static bool
is_repeated(struct str name, struct notes *n)
{
	static const char *const names[] = { "p",   "sp",  "np", "adkim", "aspf", "t",
		                             "psd", "pct", "fo", "rua",   "ruf" };

	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		uint32_t bit = UINT32_C(1) << i, before = n->seen;

		if (!str_eq_icase(name, str_from(names[i])))
			continue;
		n->seen |= bit;
		return before & bit;
	}
	return false;
}

static void
read_tag(struct str name, struct str value, struct dmarc_record *r, struct notes *n)
{
	if (str_eq_icase(name, STR("p"))) {
		n->has_p = read_policy(value, &r->p);
	} else if (str_eq_icase(name, STR("sp"))) {
		r->has_sp = read_policy(value, &r->sp);
		n->is_policy_wrong = n->is_policy_wrong || !r->has_sp;
	} else if (str_eq_icase(name, STR("np"))) {
		r->has_np = read_policy(value, &r->np);
		n->is_policy_wrong = n->is_policy_wrong || !r->has_np;
	} else if (str_eq_icase(name, STR("adkim"))) {
		r->is_strict_dkim = read_letter(value, "rs") == 's';
	} else if (str_eq_icase(name, STR("aspf"))) {
		r->is_strict_spf = read_letter(value, "rs") == 's';
	} else if (str_eq_icase(name, STR("t"))) {
		n->has_t = read_letter(value, "yn") != '\0';
		r->is_testing = read_letter(value, "yn") == 'y';
	} else if (str_eq_icase(name, STR("psd"))) {
		r->psd = read_letter(value, "ynu") ? read_letter(value, "ynu") : 'u';
	} else if (str_eq_icase(name, STR("pct"))) {
		n->is_pct_zero = str_eq(value, STR("0"));
	} else if (str_eq_icase(name, STR("fo"))) {
		r->fo = value.n ? value : STR("0");
	} else if (str_eq_icase(name, STR("rua"))) {
		r->rua = value;
	} else if (str_eq_icase(name, STR("ruf"))) {
		r->ruf = value;
	}
}

static bool
has_uri(struct str list)
{
	char bytes[512];
	struct strbuf room = strbuf_on(bytes);
	struct dmarc_uri uri;

	return dmarc_uri_next(&list, &room, &uri);
}

enum err
dmarc_record_parse(struct str text, struct dmarc_record *record_out)
{
	struct notes n = { 0 };
	struct str rest = text, name, value;

	/* The version comes first, and nothing before it. RFC 9989 4.7 */
	if (text.n == 0 || is_space(text.p[0]) || !next_tag(&rest, &name, &value) ||
	    !str_eq_icase(name, STR("v")) || !str_eq(value, STR("DMARC1")))
		return ERR_NOT_FOUND;
	*record_out = (struct dmarc_record){ .psd = 'u', .fo = STR("0") };
	while (next_tag(&rest, &name, &value))
		read_tag(name, is_repeated(name, &n) ? STR("") : value, record_out, &n);
	/* pct is gone, but many records still say pct=0, and what that was used for is
	   what t=y says now (RFC 9989 A.6): where there is no t, it is taken for that. */
	if (n.is_pct_zero && !n.has_t)
		record_out->is_testing = true;
	if (n.has_p && !n.is_policy_wrong)
		return OK;
	record_out->is_amended = true;
	record_out->p = DMARC_POLICY_NONE;
	record_out->has_sp = record_out->has_np = false;
	return has_uri(record_out->rua) ? OK : ERR_SYNTAX;
}

/* --- rua and ruf -------------------------------------------------------------------- */

/* "!10m": bytes; 0 where it is none. */
static uint64_t
read_size(struct str s)
{
	static const char units[] = "kmgt";
	uint64_t n;
	unsigned shift = 0;
	size_t at;

	if (s.n &&
	    (at = str_find(str_from(units), byte_lower(s.p[s.n - 1]))) != SIZE_MAX) {
		shift = 10 * (unsigned)(at + 1);
		s.n--;
	}
	if (!str_parse_u64(s, &n) || n > (UINT64_MAX >> shift))
		return 0;
	return n << shift;
}

static bool
undo_percent(struct str s, struct strbuf *out)
{
	for (size_t i = 0; i < s.n; i++) {
		char c = s.p[i];

		if (c == '%') {
			int high = s.n - i > 2 ? byte_hex_value(s.p[i + 1]) : -1;
			int low = s.n - i > 2 ? byte_hex_value(s.p[i + 2]) : -1;

			if (high < 0 || low < 0)
				return false;
			c = (char)(high * 16 + low);
			i += 2;
		}
		if ((unsigned char)c <= ' ' || c == 0x7f)
			return false;
		strbuf_byte(out, c);
	}
	return !out->overflow;
}

static bool
read_uri(struct str s, struct strbuf *room, struct dmarc_uri *uri)
{
	size_t colon = str_find(s, ':'), mark = str_find(s, '!');
	size_t before = room->n;

	*uri = (struct dmarc_uri){ .scheme = str_first(s, colon) };
	if (colon == SIZE_MAX || colon == 0)
		return false;
	for (size_t i = 0; i < colon; i++)
		if (!byte_is_alnum(s.p[i]) && str_find(STR("+-."), s.p[i]) == SIZE_MAX)
			return false;
	if (mark != SIZE_MAX) {
		uri->size_max_bytes = read_size(str_from_offset(s, mark + 1));
		s = str_first(s, mark);
	}
	s = str_from_offset(s, colon + 1);
	/* "?subject=…" and the like say nothing to us. */
	if (!undo_percent(str_first(s, str_find(s, '?')), room))
		return false;
	uri->address = str_from_offset(strbuf_str(room), before);
	return uri->address.n > 0;
}

bool
dmarc_uri_next(struct str *rest, struct strbuf *room, struct dmarc_uri *uri_out)
{
	struct str part;

	while (str_next(rest, ',', &part)) {
		size_t before = room->n;

		if (read_uri(trim(part), room, uri_out))
			return true;
		strbuf_truncate(room, before);
		room->overflow = false;
	}
	return false;
}
