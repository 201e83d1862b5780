#include "policy/srs.h"

#include "base/arena.h"
#include "base/duration.h"
#include "ext/crypto.h"
#include "mail/address.h"

enum {
	DAYS = 1024,      /* two letters of five bits: the days go round */
	HASH_LETTERS = 8, /* 40 bits */
	PARSE_BUDGET = 4096,
	LOCAL_MAX = 512,
};

/* RFC 4648 6, in upper case. */
static const char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";

static void
add_hash(const struct srs_conf *conf, char kind, struct str rest, struct strbuf *out)
{
	char bytes[LOCAL_MAX + 1];
	struct strbuf b = strbuf_on(bytes);
	struct sha256 mac;

	/* The kind is signed as well: a piece of one is none of the other. */
	strbuf_byte(&b, kind);
	for (size_t i = 0; i < rest.n; i++)
		strbuf_byte(&b, byte_lower(rest.p[i]));
	mac = hmac_sha256(conf->secret, strbuf_str(&b));
	for (size_t i = 0; i < HASH_LETTERS; i++)
		strbuf_byte(out, letters[mac.bytes[i] & 31]);
}

static unsigned
today(const struct srs_conf *conf)
{
	return (unsigned)(conf->now_ms / DAY_MS % DAYS);
}

static int
letter_value(char c)
{
	size_t at = str_find(str_from(letters), byte_upper(c));

	return at == SIZE_MAX ? -1 : (int)at;
}

static bool
is_separator(char c)
{
	return c == '=' || c == '+' || c == '-';
}

/* Takes "SRS0=" or "SRS1=" off *local; '0', '1', or '\0'. */
static char
take_kind(struct str *local)
{
	struct str s = *local;
	char kind;

	if (!str_skip_icase(&s, STR("SRS")) || s.n < 2 ||
	    (s.p[0] != '0' && s.p[0] != '1') || !is_separator(s.p[1]))
		return '\0';
	kind = s.p[0];
	*local = str_from_offset(s, 2);
	return kind;
}

bool
srs_is_rewritten(struct str local)
{
	return take_kind(&local) != '\0';
}

/* --- there -------------------------------------------------------------------------- */

/* What is signed, behind the hash: DAY=domain=local. */
static void
write_first(const struct srs_conf *conf, const struct address *from, struct strbuf *out)
{
	strbuf_byte(out, letters[today(conf) >> 5]);
	strbuf_byte(out, letters[today(conf) & 31]);
	strbuf_byte(out, '=');
	strbuf_add(out, from->domain);
	strbuf_byte(out, '=');
	strbuf_add(out, from->local);
}

/* Of one that somebody rewrote before: who did, and what is theirs; a later forwarder's
   place is taken by us, so it never grows. */
static bool
write_again(const struct address *from, struct strbuf *out)
{
	struct str rest = from->local, hash, host;
	char kind = take_kind(&rest), separator = from->local.p[4];

	/* Nothing behind it: it only looks like one. */
	if (!rest.n)
		return false;
	if (kind == '0') {
		strbuf_add(out, from->domain);
		strbuf_byte(out, '=');
		strbuf_byte(out, separator);
		strbuf_add(out, rest);
		return true;
	}
	if (!str_next(&rest, '=', &hash) || !str_next(&rest, '=', &host) || !host.n ||
	    rest.n < 2 || !is_separator(rest.p[0]))
		return false;
	strbuf_add(out, host);
	strbuf_byte(out, '=');
	strbuf_add(out, rest);
	return true;
}

enum err
srs_forward(const struct srs_conf *conf, struct str sender, struct strbuf *out)
{
	char signed_bytes[LOCAL_MAX], local_bytes[LOCAL_MAX + 32];
	struct strbuf rest = strbuf_on(signed_bytes), local = strbuf_on(local_bytes);
	struct arena *a = arena_new(PARSE_BUDGET);
	struct address from, to = { .domain = conf->domain };
	enum err e = address_parse(sender, ADDRESS_UTF8, a, &from);
	size_t before = out->n;
	char kind = '0';

	if (e == OK && (from.is_literal || !from.domain.n))
		e = ERR_ADDRESS;
	if (e == OK) {
		if (srs_is_rewritten(from.local) && write_again(&from, &rest))
			kind = '1';
		else
			write_first(conf, &from, &rest);
		strbuf_printf(&local, "SRS%c=", kind);
		add_hash(conf, kind, strbuf_str(&rest), &local);
		strbuf_byte(&local, '=');
		strbuf_add(&local, strbuf_str(&rest));
		to.local = strbuf_str(&local);
		address_format(out, &to);
		/* Quotes count as well. */
		if (rest.overflow || local.overflow || out->overflow ||
		    out->n - before > ADDRESS_MAX ||
		    out->n - before - to.domain.n - 1 > ADDRESS_LOCAL_MAX)
			e = ERR_LIMIT;
	} else {
		e = ERR_ADDRESS;
	}
	arena_free(&a);
	return e;
}

/* --- and back ----------------------------------------------------------------------- */

static enum err
check_day(const struct srs_conf *conf, struct str letters_of_day)
{
	int high, low;
	unsigned age;

	if (letters_of_day.n != 2)
		return ERR_AUTH;
	high = letter_value(letters_of_day.p[0]);
	low = letter_value(letters_of_day.p[1]);
	if (high < 0 || low < 0)
		return ERR_AUTH;
	age = (today(conf) + DAYS - (unsigned)(high * 32 + low)) % DAYS;
	/* Another machine of ours may be in the next day already. */
	return age <= SRS_DAYS_MAX || age == DAYS - 1 ? OK : ERR_EXPIRED;
}

static enum err
read_first(const struct srs_conf *conf, struct str rest, struct strbuf *out)
{
	struct str day, host;
	struct address to = { 0 };
	enum err e;

	/* The local part may be empty: ""@example.net is an address. */
	if (!str_next(&rest, '=', &day) || !str_next(&rest, '=', &host) || !host.n)
		return ERR_AUTH;
	e = check_day(conf, day);
	if (e != OK)
		return e;
	to.domain = host;
	to.local = rest;
	address_format(out, &to);
	return OK;
}

/* Back to who rewrote it first, who knows the way on. */
static enum err
read_again(struct str rest, struct strbuf *out)
{
	char bytes[LOCAL_MAX];
	struct strbuf local = strbuf_on(bytes);
	struct address to = { 0 };

	if (!str_next(&rest, '=', &to.domain) || !to.domain.n || rest.n < 2 ||
	    !is_separator(rest.p[0]))
		return ERR_AUTH;
	strbuf_lit(&local, "SRS0");
	strbuf_add(&local, rest);
	to.local = strbuf_str(&local);
	address_format(out, &to);
	return OK;
}

enum err
srs_reverse(const struct srs_conf *conf, struct str local, struct strbuf *out)
{
	char bytes[HASH_LETTERS], given_bytes[HASH_LETTERS];
	struct strbuf want = strbuf_on(bytes), given = strbuf_on(given_bytes);
	struct str hash;
	char kind = take_kind(&local);
	enum err e;

	if (!kind)
		return ERR_NOT_FOUND;
	if (local.n > LOCAL_MAX || !str_next(&local, '=', &hash) ||
	    hash.n != HASH_LETTERS)
		return ERR_AUTH;
	for (size_t i = 0; i < hash.n; i++)
		strbuf_byte(&given, byte_upper(hash.p[i]));
	add_hash(conf, kind, local, &want);
	if (!str_eq_secret(strbuf_str(&given), strbuf_str(&want)))
		return ERR_AUTH;
	e = kind == '0' ? read_first(conf, local, out) : read_again(local, out);
	return e == OK && out->overflow ? ERR_LIMIT : e;
}
