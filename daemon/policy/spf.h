/* spf.h - may this address send mail for that domain? (RFC 7208, whole)
 *
 * check_host() as a pure function: it asks for names through struct lookups and is
 * called again until it is done. Ten terms with look-ups, two void ones, ten MX and PTR
 * names each (RFC 7208 4.6.4); the records are a stranger's, so everything made from
 * them is bounded.
 */
#ifndef POLICY_SPF_H
#define POLICY_SPF_H

#include "policy/lookups.h"

/* RFC 7208 2.6, in the words of RFC 8601 2.7.2. */
enum spf_result {
	SPF_NONE,
	SPF_NEUTRAL,
	SPF_PASS,
	SPF_FAIL,
	SPF_SOFTFAIL,
	SPF_TEMPERROR,
	SPF_PERMERROR,
};

struct spf_request {
	struct addr ip;      /* of the client */
	struct str helo;     /* what it called itself */
	struct str sender;   /* local@domain; empty: the identity is HELO,
	                           postmaster@helo (RFC 7208 2.4) */
	struct str receiver; /* our name, for %{r} */
	int64_t now_ms;      /* for %{t} */
};

struct spf_verdict {
	enum spf_result result;
	struct str domain;      /* whose record it was about */
	struct str mechanism;   /* the term that matched, as written; or empty */
	struct str explanation; /* of a fail, by exp=; US-ASCII on one line, or empty */
	struct str reason;      /* why, in plain words, on one line */
	unsigned terms, voids;  /* that needed a look-up; that found nothing */
};

/* The verdict's strings live in the arena of l or are literals. */
MUSTUSE enum policy_step spf_check(const struct spf_request *request, struct lookups *l,
                                   struct arena *a, struct spf_verdict *verdict_out);

/* "pass", "softfail" … */
const char *spf_result_word(enum spf_result r);

#endif
