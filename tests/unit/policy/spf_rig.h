/* spf_rig.h - an SPF check over a name service in a table (zone.h). */
#ifndef TESTS_UNIT_POLICY_SPF_RIG_H
#define TESTS_UNIT_POLICY_SPF_RIG_H

#include "policy/spf.h"

/* The receiver is receiver.example, the time 1700000000. */
struct spf_verdict spf_rig_check(struct arena *a, const char *const *zone, const char *ip,
                                 const char *helo, const char *sender);

#endif
