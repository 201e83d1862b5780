/* zone.h - a name service in a table: answers what a policy asks, from lines of text.
 *
 *	"example.org TXT v=spf1 mx -all", "example.org MX 10 mail.example.org"
 *
 * A name with at least one line exists; one that has none of the type asked for has no
 * data. "NAME TYPE !temp" is a server that fails. Names are matched whatever their case.
 */
#ifndef TESTS_UNIT_POLICY_ZONE_H
#define TESTS_UNIT_POLICY_ZONE_H

#include "policy/lookups.h"

/* Answers all questions that are open now; lines ends with NULL. */
void zone_answer(const char *const *lines, struct lookups *l);

#endif
