/* records_priv.h - what the files of the records engine share. */
#ifndef POLICY_RECORDS_PRIV_H
#define POLICY_RECORDS_PRIV_H

#include "policy/records.h"

/* What one server's answer is worth for one row. */
struct record_finding {
	struct arena *arena;
	enum record_state state;
	enum record_cause cause;
	struct str detail;
	struct str *found;
	size_t found_count;
	uint32_t ttl_s;
	struct str expected; /* better than the row's own: a merged one; or empty */
};

typedef void record_judge_fn(const struct records_conf *c, const struct record_row *row,
                             const struct dns_answer *a, struct record_finding *f);

/* Adds a value to what was found; cut, and no more than can be shown. */
void records_keep(struct record_finding *f, struct str value);
void records_say(struct record_finding *f, enum record_state state,
                 enum record_cause cause);

/* --- records_text.c: what stands in TXT records ------------------------------------- */

record_judge_fn records_judge_spf, records_judge_dkim, records_judge_dmarc,
	records_judge_sts, records_judge_tls_reports;
/* An SPF record that is there and whole: does it allow our addresses? */
MUSTUSE enum policy_step records_evaluate_spf(struct records *r, struct record_row *row,
                                              struct lookups *l, struct arena *a,
                                              int64_t now_ms);

#endif
