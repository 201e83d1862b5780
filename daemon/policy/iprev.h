/* iprev.h - does the name of this address lead back to it? (RFC 8601 3, RFC 7208 5.5)
 *
 * The PTR records of an address are written by whoever holds the address, so a name
 * counts only where its own A or AAAA records have the address. At most IPREV_NAMES_MAX
 * names are looked at, in the server's order; those beyond are as if they did not exist.
 */
#ifndef POLICY_IPREV_H
#define POLICY_IPREV_H

#include "policy/lookups.h"

enum {
	IPREV_NAMES_MAX = 10, /* RFC 7208 4.6.4 */
};

enum iprev_result {
	IPREV_PASS, /* a name leads back */
	IPREV_FAIL, /* there are names, and none does */
	IPREV_TEMPERROR,
	IPREV_PERMERROR, /* there is no name */
};

struct iprev_verdict {
	enum iprev_result result;
	struct str host;   /* the first name that leads back, or empty */
	struct str reason; /* why, in plain words, on one line */
};

/* The verdict's strings live in the arena of l, in a, or are literals. */
MUSTUSE enum policy_step iprev_check(const struct addr *ip, struct lookups *l,
                                     struct arena *a, struct iprev_verdict *verdict_out);

/* What is known about the names of an address; they live in the arena of the lookups. */
struct iprev_names {
	struct str names[IPREV_NAMES_MAX]; /* those that lead back */
	size_t count;
	size_t seen;          /* names of the PTR records, up to the maximum */
	struct str first;     /* of the names seen, or empty */
	bool is_ptr_temp;     /* the PTR records could not be asked for */
	bool is_address_temp; /* the addresses of a name could not be */
};

/* Finds the names that lead back. below: only names that are this one or end in it with
   a dot before; empty: all. */
MUSTUSE enum policy_step iprev_names_find(const struct addr *ip, struct str below,
                                          struct lookups *l,
                                          struct iprev_names *names_out);
/* Is name the domain or below it? Whatever the case. */
bool iprev_is_below(struct str name, struct str domain);

/* "pass", "permerror" … (RFC 8601 2.7.3) */
const char *iprev_result_word(enum iprev_result r);

#endif
