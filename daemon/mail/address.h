/* address.h - one mail address: the paths of SMTP, and the key it is looked up by.
 *
 * The grammar is that of RFC 5321 4.1.2 with RFC 6531: dot-atoms, quoted local parts,
 * domains and address literals, source routes (accepted and dropped), UTF-8 only where
 * the caller allows it. Lengths: local part 64, domain 255, path 254 bytes without its
 * brackets (RFC 5321 4.5.3.1, RFC 3696 erratum 1690).
 *
 * A struct address is a plain value; its bytes lie in the arena it was parsed into.
 */
#ifndef MAIL_ADDRESS_H
#define MAIL_ADDRESS_H

#include "base/arena.h"
#include "base/err.h"
#include "base/str.h"
#include "base/strbuf.h"

#include <stdbool.h>

enum {
	ADDRESS_LOCAL_MAX = 64,
	ADDRESS_DOMAIN_MAX = 255,
	ADDRESS_MAX = 254,     /* local part as written, "@", domain */
	ADDRESS_KEY_MAX = 512, /* a normalised address fits here */
};

enum address_flag {
	ADDRESS_NULL = 1,       /* "<>" is good: the reverse path of notifications */
	ADDRESS_POSTMASTER = 2, /* "<Postmaster>" without a domain is good */
	ADDRESS_UTF8 = 4,       /* UTF-8 is good: SMTPUTF8 was given */
};

struct address {
	struct str local; /* without quotes and backslashes; case as given */
	struct str domain; /* case as given; "[192.0.2.1]", "[IPv6:…]" where is_literal */
	bool is_literal;
	bool is_utf8; /* has bytes over 0x7f: sending it on needs SMTPUTF8 */
};

/* Takes a path with its brackets, "<ann@example.org>", off *rest. With ADDRESS_NULL "<>"
   gives an address that address_is_null. With ADDRESS_POSTMASTER an address may have an
   empty domain. Errors: ERR_SYNTAX where no path stands at *rest, ERR_ADDRESS for a bad
   one, ERR_NEED_SMTPUTF8 where only the flag is missing. *rest moves on success only. */
MUSTUSE enum err address_parse_path(struct str *rest, unsigned flags, struct arena *a,
                                    struct address *address_out);
/* The whole of s as an address without brackets; errors as above. */
MUSTUSE enum err address_parse(struct str s, unsigned flags, struct arena *a,
                               struct address *address_out);

bool address_is_null(const struct address *address);

/* Appends local@domain, the local part quoted where it must be; nothing for the null
   address; no brackets. What is written is parsed to the same address again. */
void address_format(struct strbuf *out, const struct address *address);

/* Appends the key by which the address is looked up: the local part in lower case
   (ASCII), "@", the domain in lower case and as A-labels. ERR_ADDRESS where the domain
   is no IDNA name, ERR_LIMIT where out is full. The null address gives nothing. */
MUSTUSE enum err address_normalize(const struct address *address, struct strbuf *out);
/* The domain alone, the same way. */
MUSTUSE enum err domain_normalize(struct str domain, struct strbuf *out);
/* "ann+shop" gives "ann" and (detail_out may be NULL) "shop"; "+shop" and "ann" stay. */
struct str address_without_detail(struct str local, struct str *detail_out);

/* A domain name by RFC 5321 and RFC 1035: labels of 1-63 letters, digits and inner
   hyphens, 253 bytes in all, no final dot; with is_utf8 also UTF-8 labels. */
bool domain_check(struct str domain, bool is_utf8);
/* "[192.0.2.1]" or "[IPv6:2001:db8::1]"; other tags are unknown (RFC 5321 4.1.3). */
bool domain_literal_check(struct str literal);
/* What may be the name of a login: local@domain, [a-z0-9._+-] before the "@" (no dot at
   an end or doubled), lower-case LDH domain with a dot. */
bool address_is_login(struct str s);

#endif
