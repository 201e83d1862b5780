/* report_ask.h - who is told what we saw of a domain.
 *
 * The rua of a DMARC record (RFC 9989 4.7) or of a TLS-RPT record (RFC 8460 3) is a list
 * that anybody may publish, so it is bounded, and a DMARC report leaves for another
 * organisation only where that one says in the name service that it wants it (RFC 9990
 * 4): else everybody could have mail sent to anybody. Pure, over struct lookups.
 */
#ifndef POLICY_REPORT_ASK_H
#define POLICY_REPORT_ASK_H

#include "base/arena.h"
#include "base/err.h"
#include "io/dns_answer.h"
#include "policy/lookups.h"
#include "policy/report.h"

enum {
	REPORT_TARGETS_MAX = 5, /* of one domain; what is beyond them gets none */
	REPORT_URL_MAX = 500,
};

struct report_target {
	struct str address; /* local@domain, or the whole "https://…" */
	bool is_https;
	struct str host;         /* A-labels, lower case */
	struct str path;         /* of the URL, from "/" on */
	uint64_t size_max_bytes; /* 0: none was said */
	const char *refused;     /* why nothing is sent there; NULL: it is */
};

struct report_targets {
	struct report_target list[REPORT_TARGETS_MAX];
	size_t count;
	size_t left_out; /* that found no room */
};

/* The rua of the one record among the TXT records at _smtp._tls.DOMAIN. ERR_NOT_FOUND:
   there is none, or more than one, or it has no rua. */
MUSTUSE enum err report_tls_record_find(const struct dns_answer *txt,
                                        struct str *rua_out);
/* Reads a list, as written. What cannot be used is there as well, with why. */
void report_targets_read(enum report_kind kind, struct str rua, struct arena *a,
                         struct report_targets *targets_out);
/* Do those whose addresses stand in the record of policy_domain want its reports? The
   others are refused. *is_temp_out: for one of them the name service has no answer, which
   may be different another time. */
MUSTUSE enum policy_step report_targets_consent(struct report_targets *targets,
                                                struct str policy_domain,
                                                struct lookups *l, struct arena *a,
                                                bool *is_temp_out);
/* How many are not refused. */
size_t report_targets_good(const struct report_targets *targets);

#endif
