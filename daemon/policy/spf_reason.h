/* spf_reason.h - verdicts of SPF in plain words, on one line.
 *
 * Names and terms are a stranger's: what is not printable ASCII is shown as "?", and
 * what is long is cut.
 */
#ifndef POLICY_SPF_REASON_H
#define POLICY_SPF_REASON_H

#include "base/arena.h"
#include "policy/spf.h"

struct spf_match {
	struct addr ip;
	struct str domain; /* the sender's */
	struct str term;   /* of the first record; empty: none has matched */
	struct str leaf,
		leaf_domain; /* the mechanism behind an include, and whose it is */
};

/* A copy that can be shown. */
struct str spf_reason_clean(struct arena *a, struct str s);
/* Only printable ASCII and spaces? */
bool spf_is_plain(struct str s);

struct str spf_reason_match(struct arena *a, enum spf_result r,
                            const struct spf_match *m);
struct str spf_reason_none(struct arena *a, struct str domain);
struct str spf_reason_no_domain(struct arena *a, struct str domain, bool is_helo);
struct str spf_reason_temp(struct arena *a, struct str name);
struct str spf_reason_missing(struct arena *a, struct str domain);
struct str spf_reason_several(struct arena *a, struct str domain);
struct str spf_reason_syntax(struct arena *a, struct str domain, struct str term,
                             const char *fault);
struct str spf_reason_terms(struct arena *a, struct str term);
struct str spf_reason_voids(struct arena *a, struct str term);
struct str spf_reason_mx(struct arena *a, struct str domain);

#endif
