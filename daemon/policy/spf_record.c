#include "policy/spf_record.h"

#include "policy/spf_macro.h"

#define VERSION STR("v=spf1")

/* What may stand behind the name of a mechanism or modifier. */
enum argument {
	ARG_NONE,
	ARG_DOMAIN,       /* must be there */
	ARG_MAYBE_DOMAIN, /* ptr */
	ARG_HOSTS,        /* domain and prefixes, both may be missing */
	ARG_IP4,
	ARG_IP6,
};

static const struct word {
	struct str name;
	enum spf_kind kind;
	enum argument argument;
} mechanisms[] = {
	/* clang-format off */
	/* What records have most of stands first. */
	{ STR_INIT("ip4"),     SPF_TERM_IP4,     ARG_IP4 },          /* RFC 7208 5.6 */
	{ STR_INIT("ip6"),     SPF_TERM_IP6,     ARG_IP6 },          /* RFC 7208 5.6 */
	{ STR_INIT("all"),     SPF_TERM_ALL,     ARG_NONE },         /* RFC 7208 5.1 */
	{ STR_INIT("include"), SPF_TERM_INCLUDE, ARG_DOMAIN },       /* RFC 7208 5.2 */
	{ STR_INIT("a"),       SPF_TERM_A,       ARG_HOSTS },        /* RFC 7208 5.3 */
	{ STR_INIT("mx"),      SPF_TERM_MX,      ARG_HOSTS },        /* RFC 7208 5.4 */
	{ STR_INIT("ptr"),     SPF_TERM_PTR,     ARG_MAYBE_DOMAIN }, /* RFC 7208 5.5 */
	{ STR_INIT("exists"),  SPF_TERM_EXISTS,  ARG_DOMAIN },       /* RFC 7208 5.7 */
	/* clang-format on */
}, modifiers[] = {
	{ STR_INIT("redirect"), SPF_TERM_REDIRECT, ARG_DOMAIN }, /* RFC 7208 6.1 */
	{ STR_INIT("exp"), SPF_TERM_EXP, ARG_DOMAIN },           /* RFC 7208 6.2 */
};

static const char not_domain[] = "is not followed by a possible domain";
static const char not_prefix[] = "has a prefix length that is none";

static const struct word *
word_find(const struct word *words, size_t count, struct str name)
{
	for (size_t i = 0; i < count; i++)
		if (str_eq_icase(words[i].name, name))
			return &words[i];
	return NULL;
}

/* A number behind the last slash of *s, without leading zeros; false: there is none. */
static bool
take_prefix(struct str *s, struct str slash, struct str *digits_out)
{
	size_t n = s->n;

	while (n && byte_is_digit(s->p[n - 1]))
		n--;
	if (n == s->n || !str_ends(str_first(*s, n), slash))
		return false;
	*digits_out = str_from_offset(*s, n);
	s->n = n - slash.n;
	return true;
}

static bool
parse_bits(struct str digits, unsigned max, unsigned *bits_out)
{
	uint32_t value;

	if (!str_parse_u32(digits, &value) || value > max ||
	    (digits.n > 1 && digits.p[0] == '0'))
		return false;
	*bits_out = value;
	return true;
}

/* [ "/" ip4-cidr ] [ "//" ip6-cidr ] at the end of *s.                   RFC 7208 5.6 */
static bool
take_prefixes(struct str *s, struct spf_term *t)
{
	struct str digits;

	t->bits4 = 32;
	t->bits6 = 128;
	if (take_prefix(s, STR("//"), &digits) && !parse_bits(digits, 128, &t->bits6))
		return false;
	return !take_prefix(s, STR("/"), &digits) || parse_bits(digits, 32, &t->bits4);
}

static const char *
parse_hosts(struct str s, struct spf_term *t)
{
	if (!take_prefixes(&s, t))
		return not_prefix;
	if (!s.n)
		return NULL;
	if (!str_skip_byte(&s, ':') || !spf_domain_spec_check(s))
		return not_domain;
	t->domain = s;
	return NULL;
}

static const char *
parse_network(struct str s, struct spf_term *t, bool is_v6)
{
	struct str digits;
	unsigned max = is_v6 ? 128 : 32;

	t->bits4 = t->bits6 = max;
	if (!str_skip_byte(&s, ':'))
		return "is not followed by an address";
	if (take_prefix(&s, STR("/"), &digits) && !parse_bits(digits, max, &t->bits4))
		return not_prefix;
	t->bits6 = t->bits4;
	/* An IPv4 address in IPv6 form is one for ip6: that it is turned into IPv4 here
	   only means that no IPv6 client can have it. */
	if (!addr_parse_ip(s, &t->addr) || (str_find(s, ':') != SIZE_MAX) != is_v6)
		return "is not followed by an address of its kind";
	return NULL;
}

static const char *
parse_domain(struct str s, char separator, struct spf_term *t)
{
	if (!str_skip_byte(&s, separator) || !spf_domain_spec_check(s))
		return not_domain;
	t->domain = s;
	return NULL;
}

static const char *
parse_mechanism(struct str name, struct str rest, struct spf_term *t)
{
	const struct word *w = word_find(mechanisms, ARRAY_LEN(mechanisms), name);

	if (!w)
		return "is no term that SPF has";
	t->kind = w->kind;
	switch (w->argument) {
	case ARG_NONE:
		return rest.n ? "has more than its name" : NULL;
	case ARG_DOMAIN:
		return parse_domain(rest, ':', t);
	case ARG_MAYBE_DOMAIN:
		return rest.n ? parse_domain(rest, ':', t) : NULL;
	case ARG_HOSTS:
		return parse_hosts(rest, t);
	case ARG_IP4:
		return parse_network(rest, t, false);
	case ARG_IP6:
		return parse_network(rest, t, true);
	}
	return NULL;
}

static const char *
parse_modifier(struct str name, struct str rest, struct spf_term *t)
{
	const struct word *w = word_find(modifiers, ARRAY_LEN(modifiers), name);

	t->kind = w ? w->kind : SPF_TERM_UNKNOWN;
	if (w)
		return parse_domain(rest, '=', t);
	if (!spf_macro_check(str_from_offset(rest, 1)))
		return "is a modifier with a broken macro";
	return NULL;
}

static bool
is_qualifier(char c)
{
	return c == '-' || c == '~' || c == '?' || c == '+';
}

static bool
is_name_byte(char c)
{
	return byte_is_alnum(c) || c == '-' || c == '_' || c == '.';
}

static const char *
parse_term(struct str s, struct spf_term *t)
{
	bool has_qualifier = is_qualifier(s.p[0]);
	struct str name;
	size_t n = 0;

	*t = (struct spf_term){ .qualifier = '+', .text = s };
	if (has_qualifier) {
		t->qualifier = s.p[0];
		s = str_from_offset(s, 1);
	}
	if (!s.n || !byte_is_alpha(s.p[0]))
		return "is no term that SPF has";
	while (n < s.n && is_name_byte(s.p[n]))
		n++;
	name = str_first(s, n);
	s = str_from_offset(s, n);
	if (!has_qualifier && s.n && s.p[0] == '=')
		return parse_modifier(name, s, t);
	return parse_mechanism(name, s, t);
}

bool
spf_record_is(struct str text)
{
	return str_skip_icase(&text, VERSION) && (!text.n || text.p[0] == ' ');
}

enum err
spf_term_next(struct str *rest, struct spf_term *term_out, const char **fault_out)
{
	struct str text;

	do {
		if (!str_next(rest, ' ', &text))
			return ERR_NOT_FOUND;
	} while (!text.n);
	*fault_out = parse_term(text, term_out);
	return *fault_out ? ERR_SYNTAX : OK;
}

static const char *
keep_modifier(struct spf_record *r, const struct spf_term *t)
{
	if (t->kind == SPF_TERM_REDIRECT) {
		if (r->has_redirect)
			return "stands there twice"; /* RFC 7208 6 */
		r->has_redirect = true;
		r->redirect = *t;
	} else if (t->kind == SPF_TERM_EXP) {
		if (r->has_exp)
			return "stands there twice";
		r->has_exp = true;
		r->exp = *t;
	}
	return NULL;
}

bool
spf_term_covers(const struct spf_term *t, const struct addr *net, const struct addr *ip)
{
	unsigned bits = ip->family == ADDR_V4 ? t->bits4 : t->bits6;
	size_t bytes = bits / 8;
	unsigned shift = 8 - bits % 8;

	if (ip->family != net->family || memcmp(ip->ip, net->ip, bytes) != 0)
		return false;
	return shift == 8 || (ip->ip[bytes] ^ net->ip[bytes]) >> shift == 0;
}

bool
spf_term_has(const struct spf_term *t, const struct addr *ip)
{
	/* An IPv4 client has no IPv6 address, not even a mapped one. */
	if (t->kind == SPF_TERM_IP6 && ip->family != ADDR_V6)
		return false;
	return spf_term_covers(t, &t->addr, ip);
}

/* Nothing that could match this client or asks for a name. */
static bool
is_passed_over(const struct spf_term *t, const struct addr *ip)
{
	switch (t->kind) {
	case SPF_TERM_IP4:
	case SPF_TERM_IP6:
		return !spf_term_has(t, ip);
	case SPF_TERM_REDIRECT:
	case SPF_TERM_EXP:
	case SPF_TERM_UNKNOWN:
		return true;
	default:
		return false;
	}
}

enum err
spf_record_parse(struct str text, const struct addr *ip, struct spf_record *record_out,
                 struct str *bad_out, const char **fault_out)
{
	struct spf_term term;
	bool is_open = true;
	struct str rest;
	enum err e;

	*record_out = (struct spf_record){ .terms = str_from_offset(text, VERSION.n) };
	rest = record_out->terms;
	while ((e = spf_term_next(&rest, &term, fault_out)) == OK) {
		*fault_out = keep_modifier(record_out, &term);
		if (*fault_out)
			break;
		is_open = is_open && is_passed_over(&term, ip);
		if (is_open)
			record_out->terms = rest;
	}
	if (e == ERR_NOT_FOUND)
		return OK;
	*bad_out = term.text;
	return ERR_SYNTAX;
}
