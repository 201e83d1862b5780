#include "mail/address.h"

#include "base/utf8.h"
#include "ext/idn.h"

#include <arpa/inet.h>

enum {
	LABEL_MAX = 63,
	NAME_MAX_BYTES = 253,
	LITERAL_BYTES = 48, /* the longest IPv6 address, and a NUL */
};

/* RFC 5321 4.1.2 Atom, RFC 6531 3.3: atext and every byte of a non-ASCII character. */
static bool
is_atext(char c)
{
	return byte_is_alnum(c) || (unsigned char)c >= 0x80 ||
	       (c && memchr("!#$%&'*+-/=?^_`{|}~", c, 19));
}

/* A label of n bytes at p. Where is_utf8, every byte over 0x7f is a letter. */
static bool
label_check(struct str label, bool is_utf8)
{
	if (label.n == 0 || label.p[0] == '-' || label.p[label.n - 1] == '-')
		return false;
	/* The limit is one of the A-label; a U-label is checked where it is converted. */
	if (label.n > LABEL_MAX && ascii_check(label))
		return false;
	for (size_t i = 0; i < label.n; i++) {
		unsigned char c = (unsigned char)label.p[i];

		if (c >= 0x80 ? !is_utf8 : !byte_is_alnum((char)c) && c != '-')
			return false;
	}
	return true;
}

bool
domain_check(struct str domain, bool is_utf8)
{
	size_t dot;

	if (!domain.n ||
	    domain.n > (is_utf8 ? (size_t)ADDRESS_DOMAIN_MAX : NAME_MAX_BYTES) ||
	    (is_utf8 && !utf8_check(domain)))
		return false;
	do {
		dot = str_find(domain, '.');
		if (!label_check(str_first(domain, dot), is_utf8))
			return false;
		domain = str_from_offset(domain, dot == SIZE_MAX ? SIZE_MAX : dot + 1);
	} while (dot != SIZE_MAX);
	return true;
}

bool
domain_literal_check(struct str literal)
{
	char bytes[LITERAL_BYTES];
	struct strbuf b = strbuf_on(bytes);
	unsigned char binary[16];
	int family = AF_INET;

	if (literal.n < 2 || literal.p[0] != '[' || literal.p[literal.n - 1] != ']')
		return false;
	literal = str_make(literal.p + 1, literal.n - 2);
	if (str_skip_icase(&literal, STR("IPv6:")))
		family = AF_INET6;
	strbuf_add(&b, literal);
	if (str_find(literal, '\0') != SIZE_MAX || !*strbuf_cstr(&b) || b.overflow)
		return false;
	return inet_pton(family, bytes, binary) == 1;
}

/* Dot-string. False where there is none at *s. */
static bool
take_dot_string(struct str *s, struct str *local_out)
{
	size_t n = 0;

	while (n < s->n && (is_atext(s->p[n]) || s->p[n] == '.'))
		n++;
	*local_out = str_first(*s, n);
	*s = str_from_offset(*s, n);
	return n > 0 && local_out->p[0] != '.' && local_out->p[n - 1] != '.' &&
	       str_find_str(*local_out, STR("..")) == SIZE_MAX;
}

/* Quoted-string, which begins at *s. Its bytes go to the arena. */
static bool
take_quoted(struct str *s, struct arena *a, struct str *local_out)
{
	struct strbuf b = strbuf_arena(a, ADDRESS_LOCAL_MAX);
	size_t i = 1;

	for (; i < s->n && s->p[i] != '"'; i++) {
		unsigned char c;

		if (s->p[i] == '\\' && ++i == s->n)
			return false;
		c = (unsigned char)s->p[i];
		if (c < ' ' || c == 0x7f)
			return false;
		strbuf_byte(&b, (char)c);
	}
	if (i >= s->n || b.overflow)
		return false;
	*s = str_from_offset(*s, i + 1);
	*local_out = strbuf_str(&b);
	return true;
}

/* Bytes up to the first that can stand in no domain; a literal with its brackets. */
static struct str
take_domain(struct str *s)
{
	struct str domain = *s;
	size_t n = 0;

	if (s->n && s->p[0] == '[') {
		n = str_find(*s, ']');
		n = n == SIZE_MAX ? s->n : n + 1;
	} else {
		while (n < s->n && (byte_is_alnum(s->p[n]) || s->p[n] == '-' ||
		                    s->p[n] == '.' || (unsigned char)s->p[n] >= 0x80))
			n++;
	}
	domain.n = n;
	*s = str_from_offset(*s, n);
	return domain;
}

/* "@a,@b:" is taken and forgotten (RFC 5321 4.1.1.3, F.2). */
static bool
skip_route(struct str *s)
{
	if (!s->n || s->p[0] != '@')
		return true;
	do {
		struct str domain;

		if (!str_skip_byte(s, '@'))
			return false;
		domain = take_domain(s);
		if (!domain_check(domain, false) && !domain_literal_check(domain))
			return false;
	} while (str_skip_byte(s, ','));
	return str_skip_byte(s, ':');
}

static enum err
check_domain(const struct address *address)
{
	char bytes[ADDRESS_KEY_MAX];
	struct strbuf b = strbuf_on(bytes);

	if (address->is_literal)
		return domain_literal_check(address->domain) ? OK : ERR_ADDRESS;
	if (!domain_check(address->domain, true))
		return ERR_ADDRESS;
	if (ascii_check(address->domain))
		return domain_check(address->domain, false) ? OK : ERR_ADDRESS;
	/* A name in another script must have an A-label form, or nobody can look it up.
	 */
	return domain_normalize(address->domain, &b) == OK ? OK : ERR_ADDRESS;
}

/* Mailbox, with what flags allow, off *s. */
static enum err
take_mailbox(struct str *s, unsigned flags, struct arena *a, struct address *address)
{
	struct str before = *s;
	size_t local_bytes;

	if (arena_left(a) < (size_t)2 * ADDRESS_KEY_MAX)
		return ERR_LIMIT;
	if (s->n && s->p[0] == '"' ? !take_quoted(s, a, &address->local)
	                           : !take_dot_string(s, &address->local))
		return ERR_ADDRESS;
	local_bytes = before.n - s->n;
	if (local_bytes > ADDRESS_LOCAL_MAX || !utf8_check(address->local))
		return ERR_ADDRESS;
	if (str_skip_byte(s, '@')) {
		address->domain = take_domain(s);
		address->is_literal = str_starts(address->domain, STR("["));
		if (check_domain(address) != OK)
			return ERR_ADDRESS;
	} else if (!(flags & ADDRESS_POSTMASTER) ||
	           !str_eq_icase(address->local, STR("postmaster"))) {
		return ERR_ADDRESS;
	}
	if (local_bytes + 1 + address->domain.n > ADDRESS_MAX)
		return ERR_ADDRESS;
	address->is_utf8 = !ascii_check(address->local) || !ascii_check(address->domain);
	address->local = arena_str(a, address->local);
	address->domain = arena_str(a, address->domain);
	return OK;
}

enum err
address_parse_path(struct str *rest, unsigned flags, struct arena *a,
                   struct address *address_out)
{
	struct address address = { 0 };
	struct str s = *rest;
	enum err e;

	if (!str_skip_byte(&s, '<'))
		return ERR_SYNTAX;
	if (str_skip_byte(&s, '>')) {
		if (!(flags & ADDRESS_NULL))
			return ERR_ADDRESS;
	} else {
		if (!skip_route(&s))
			return ERR_ADDRESS;
		e = take_mailbox(&s, flags, a, &address);
		if (e != OK)
			return e;
		if (!str_skip_byte(&s, '>'))
			return ERR_ADDRESS;
	}
	if (address.is_utf8 && !(flags & ADDRESS_UTF8))
		return ERR_NEED_SMTPUTF8;
	*address_out = address;
	*rest = s;
	return OK;
}

enum err
address_parse(struct str s, unsigned flags, struct arena *a, struct address *address_out)
{
	struct address address = { 0 };
	enum err e;

	if (!s.n) {
		*address_out = address;
		return flags & ADDRESS_NULL ? OK : ERR_ADDRESS;
	}
	e = take_mailbox(&s, flags, a, &address);
	if (e != OK)
		return e;
	if (s.n)
		return ERR_ADDRESS;
	if (address.is_utf8 && !(flags & ADDRESS_UTF8))
		return ERR_NEED_SMTPUTF8;
	*address_out = address;
	return OK;
}

bool
address_is_null(const struct address *address)
{
	return !address->local.n && !address->domain.n;
}

void
address_format(struct strbuf *out, const struct address *address)
{
	struct str rest = address->local, plain;

	if (address_is_null(address))
		return;
	if (take_dot_string(&rest, &plain) && !rest.n) {
		strbuf_add(out, address->local);
	} else {
		strbuf_byte(out, '"');
		for (size_t i = 0; i < address->local.n; i++) {
			if (address->local.p[i] == '"' || address->local.p[i] == '\\')
				strbuf_byte(out, '\\');
			strbuf_byte(out, address->local.p[i]);
		}
		strbuf_byte(out, '"');
	}
	if (address->domain.n) {
		strbuf_byte(out, '@');
		strbuf_add(out, address->domain);
	}
}

enum err
domain_normalize(struct str domain, struct strbuf *out)
{
	size_t before = out->n;
	enum err e = idn_to_ascii(domain, out);

	if (e != OK)
		return e;
	domain = str_from_offset(strbuf_str(out), before);
	if (str_starts(domain, STR("[")))
		return OK;
	return domain_check(domain, false) ? OK : ERR_ADDRESS;
}

enum err
address_normalize(const struct address *address, struct strbuf *out)
{
	if (address_is_null(address))
		return OK;
	for (size_t i = 0; i < address->local.n; i++)
		strbuf_byte(out, byte_lower(address->local.p[i]));
	if (!address->domain.n)
		return out->overflow ? ERR_LIMIT : OK;
	strbuf_byte(out, '@');
	return domain_normalize(address->domain, out);
}

struct str
address_without_detail(struct str local, struct str *detail_out)
{
	size_t at = str_find(local, '+');

	if (at == 0 || at == SIZE_MAX)
		at = local.n;
	if (detail_out)
		*detail_out = str_from_offset(local, at < local.n ? at + 1 : at);
	return str_first(local, at);
}

static bool
is_login_byte(char c)
{
	return (c >= 'a' && c <= 'z') || byte_is_digit(c) || c == '.' || c == '_' ||
	       c == '+' || c == '-';
}

bool
address_is_login(struct str s)
{
	size_t at = str_find(s, '@');
	struct str local = str_first(s, at), domain, plain, rest;

	if (at == SIZE_MAX || s.n > ADDRESS_MAX || local.n > ADDRESS_LOCAL_MAX)
		return false;
	for (size_t i = 0; i < local.n; i++) {
		if (!is_login_byte(local.p[i]))
			return false;
	}
	domain = str_from_offset(s, at + 1);
	for (size_t i = 0; i < domain.n; i++) {
		if (byte_lower(domain.p[i]) != domain.p[i])
			return false;
	}
	rest = local;
	return take_dot_string(&rest, &plain) && domain_check(domain, false) &&
	       str_find(domain, '.') != SIZE_MAX;
}
