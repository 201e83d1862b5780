/* mta_sts.h - a domain demands that mail to it is encrypted (RFC 8461).
 *
 * The record at _mta-sts.DOMAIN says that there is a policy, and when it changed; the
 * policy itself is a small text that an HTTPS server gives. Both are a stranger's: here
 * they are only read. Fetching, keeping and obeying are the queue's (relay/relay_sts.c).
 *
 * Strings point into what was parsed.
 */
#ifndef POLICY_MTA_STS_H
#define POLICY_MTA_STS_H

#include "base/err.h"
#include "base/macros.h"
#include "io/dns_answer.h"

enum {
	MTA_STS_ID_MAX = 32,
	MTA_STS_BODY_MAX = 64 << 10,  /* RFC 8461 3.3 */
	MTA_STS_MX_MAX = 64,          /* patterns; a policy with more is refused */
	MTA_STS_AGE_MAX_S = 31557600, /* RFC 8461 3.2: a year; more counts as that */
};

enum mta_sts_mode {
	MTA_STS_MODE_NONE,
	MTA_STS_MODE_TESTING,
	MTA_STS_MODE_ENFORCE,
};

struct mta_sts_policy {
	enum mta_sts_mode mode;
	int64_t max_age_s;
	struct str mx[MTA_STS_MX_MAX];
	size_t mx_count;
};

/* The id of the one record among the TXT records at _mta-sts.DOMAIN. ERR_NOT_FOUND:
   there is none, or more than one (RFC 8461 3.1); ERR_SYNTAX: it is broken. */
MUSTUSE enum err mta_sts_record_find(const struct dns_answer *txt, struct str *id_out);
/* ERR_SYNTAX: *fault_out says in plain words what is wrong. */
MUSTUSE enum err mta_sts_policy_parse(struct str body, struct mta_sts_policy *policy_out,
                                      const char **fault_out);
/* May mail go to this host? RFC 8461 4.1 */
bool mta_sts_has_mx(const struct mta_sts_policy *policy, struct str host);

/* "none", "testing", "enforce" */
const char *mta_sts_mode_word(enum mta_sts_mode mode);

#endif
