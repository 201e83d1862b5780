/* outside.h - who came last from the Internet, to which service.
 *
 * Housekeeping carries each event into the delivery log and shows it here; what is new
 * goes into the index with the trim of the journal, once a minute for a service at most.
 * So it is known, without asking anybody, that a port can be reached (policy/host.h).
 *
 * A plain value, used by one thread.
 */
#ifndef STORE_OUTSIDE_H
#define STORE_OUTSIDE_H

#include "base/addr.h"
#include "base/duration.h"
#include "store/ops.h"

enum {
	OUTSIDE_SERVICES = 5,
	OUTSIDE_EVERY_MS = MINUTE_MS,
};

struct outside {
	struct {
		int64_t at_ms, told_ms; /* of the last one; and of the one in the index */
		char ip[ADDR_TEXT_MAX]; /* NUL-terminated */
	} services[OUTSIDE_SERVICES];
	struct outside_seen list[OUTSIDE_SERVICES];
};

/* Connections to port 25 and submission, logins elsewhere; others are passed over. */
void outside_add(struct outside *o, const struct trace_event *event);
/* What is to be written; borrowed until the next call. */
struct outside_seen *outside_list(struct outside *o, size_t *count_out);
/* That was done. */
void outside_told(struct outside *o);

#endif
