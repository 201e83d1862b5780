/* spf_rig.h - an SPF check over a name service in a table (zone.h). */
#ifndef TESTS_UNIT_POLICY_SPF_RIG_H
#define TESTS_UNIT_POLICY_SPF_RIG_H

#include "policy/spf.h"

/* The zone of RFC 7208 A, as lines of a table. */
/* clang-format off */
#define SPF_RIG_RFC7208_A \
	"example.com MX 10 mail-a.example.com", \
	"example.com MX 20 mail-b.example.com", \
	"example.com A 192.0.2.10", \
	"example.com A 192.0.2.11", \
	"amy.example.com A 192.0.2.65", \
	"bob.example.com A 192.0.2.66", \
	"mail-a.example.com A 192.0.2.129", \
	"mail-b.example.com A 192.0.2.130", \
	"example.org MX 10 mail-c.example.org", \
	"mail-c.example.org A 192.0.2.140", \
	"10.2.0.192.in-addr.arpa PTR example.com", \
	"11.2.0.192.in-addr.arpa PTR example.com", \
	"65.2.0.192.in-addr.arpa PTR amy.example.com", \
	"66.2.0.192.in-addr.arpa PTR bob.example.com", \
	"129.2.0.192.in-addr.arpa PTR mail-a.example.com", \
	"130.2.0.192.in-addr.arpa PTR mail-b.example.com", \
	"140.2.0.192.in-addr.arpa PTR mail-c.example.org", \
	"4.0.0.10.in-addr.arpa PTR bob.example.com"
/* clang-format on */

/* The receiver is receiver.example, the time 1700000000. */
struct spf_verdict spf_rig_check(struct arena *a, const char *const *zone, const char *ip,
                                 const char *helo, const char *sender);

#endif
