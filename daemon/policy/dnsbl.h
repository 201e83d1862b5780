/* dnsbl.h - one question to a blocklist in the DNS, and what its answer is worth.
 *
 * An answer lists only with an address in 127.0.0.0/8 that is none of those by which
 * lists refuse the asker: 127.255.255.0/24 (a public resolver, too many questions) and
 * 127.0.0.1. Anything else is no blocklist's: a resolver that invents answers, or a zone
 * that was sold. Follows: RFC 5782 2.1, 2.4, 5.
 */
#ifndef POLICY_DNSBL_H
#define POLICY_DNSBL_H

#include "base/addr.h"
#include "base/strbuf.h"
#include "io/dns_answer.h"

enum dnsbl_result {
	DNSBL_CLEAR,
	DNSBL_LISTED,
	DNSBL_REFUSED, /* the list does not answer us */
	DNSBL_STRANGE, /* no answer of a blocklist */
	DNSBL_SILENT,
};

/* Appends the name to ask for A: "1.2.0.192.zone", 32 nibbles and the zone. */
void dnsbl_name(struct strbuf *out, const struct addr *ip, struct str zone);
enum dnsbl_result dnsbl_judge(const struct dns_answer *answer);

/* The addresses that every list of this family has, and has not: by them it is told from
   one that is dead, or lists the world. */
struct addr dnsbl_test_listed(enum addr_family family);
struct addr dnsbl_test_clear(enum addr_family family);

#endif
