/* spf_record.h - the grammar of SPF records (RFC 7208 4.5, 4.6, 5, 6, 12).
 *
 * A record is checked whole before any of it is used. It is kept as text: its terms are
 * read again one by one, so no record needs memory, however many terms it has.
 */
#ifndef POLICY_SPF_RECORD_H
#define POLICY_SPF_RECORD_H

#include "base/addr.h"
#include "base/err.h"
#include "base/macros.h"
#include "base/str.h"

#include <stdbool.h>

enum spf_kind {
	SPF_TERM_ALL,
	SPF_TERM_INCLUDE,
	SPF_TERM_A,
	SPF_TERM_MX,
	SPF_TERM_PTR,
	SPF_TERM_IP4,
	SPF_TERM_IP6,
	SPF_TERM_EXISTS,
	SPF_TERM_REDIRECT,
	SPF_TERM_EXP,
	SPF_TERM_UNKNOWN, /* a modifier that nobody knows: passed over (RFC 7208 6) */
};

struct spf_term {
	enum spf_kind kind;
	char qualifier;        /* '+', '-', '~', '?' */
	struct str text;       /* as written */
	struct str domain;     /* domain-spec; empty: that of the record */
	unsigned bits4, bits6; /* a, mx: prefixes; ip4, ip6: of addr */
	struct addr addr;      /* ip4, ip6 */
};

struct spf_record {
	struct str
		terms; /* from the first that may match the client or needs a look-up */
	struct spf_term redirect, exp;
	bool has_redirect, has_exp;
};

/* Does a TXT record claim to be one of SPF? */
bool spf_record_is(struct str text);
/* Takes the next term off *rest. ERR_NOT_FOUND: there is none; ERR_SYNTAX: it is none,
   *term_out has its text and *fault_out says in plain words what is wrong. */
MUSTUSE enum err spf_term_next(struct str *rest, struct spf_term *term_out,
                               const char **fault_out);
/* Is ip in the network of net that the term's prefix for its family makes? */
bool spf_term_covers(const struct spf_term *t, const struct addr *net,
                     const struct addr *ip);
/* Does this ip4 or ip6 match? */
bool spf_term_has(const struct spf_term *t, const struct addr *ip);
/* text: one that spf_record_is. ip: the client, so that addresses which are not its own
   need no second look. ERR_SYNTAX: as above. */
MUSTUSE enum err spf_record_parse(struct str text, const struct addr *ip,
                                  struct spf_record *record_out, struct str *bad_out,
                                  const char **fault_out);

#endif
