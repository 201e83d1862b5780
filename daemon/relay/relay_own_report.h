/* relay_own_report.h - one report on a domain and day: who wants it, what it says, sent.
 *
 *	who      DMARC: the addresses of its record, as it was seen; do they agree?
 *	         TLS: the record at _smtp._tls.DOMAIN, as it is now
 *	what     rows of the index, formatted and packed on a thread
 *	HTTPS    posted, where a TLS report wants that
 *	mail     its body, and one operation of the store: record, mail, and away with the
 *	         rows. What dies before that begins again; what dies after it was sent.
 */
#ifndef RELAY_RELAY_OWN_REPORT_H
#define RELAY_RELAY_OWN_REPORT_H

#include "base/str.h"
#include "store/types.h"

#include <stdbool.h>

struct relay;
struct relay_own_report;

enum relay_own_report_end {
	RELAY_OWN_REPORT_MADE,  /* on record, sent or not */
	RELAY_OWN_REPORT_LATER, /* another try, in an hour */
};
/* Not inside relay_own_report_begin. */
typedef void relay_own_report_fn(void *arg, enum relay_own_report_end end);

struct relay_own_report_ask {
	const struct seen_domain *seen; /* these are copied */
	struct str from;                /* an address of ours */
	struct str submitter; /* its domain; empty: nobody is told, its rows go */
	bool is_last;         /* what cannot be found out now never can */
};
struct relay_own_report *relay_own_report_begin(struct relay *r,
                                                const struct relay_own_report_ask *ask,
                                                relay_own_report_fn *done, void *arg);
/* done is not called any more. */
void relay_own_report_cancel(struct relay_own_report **report);

#endif
