/* texts.h - a name service for fuzzers: each name has one of a few texts, none, or fails. */
#ifndef TESTS_FUZZ_TEXTS_H
#define TESTS_FUZZ_TEXTS_H

#include "policy/lookups.h"

/* Answers all questions that are open now. */
static inline void
texts_answer(struct lookups *l, const struct str *texts, size_t count)
{
	struct lookup *q;

	while ((q = lookups_next(l)) != NULL) {
		size_t i = q->name.n % (count + 2);
		struct dns_record record = { .type = DNS_TXT };
		struct dns_answer a = { .status = i == count ? DNS_TEMP : DNS_NXDOMAIN,
			                .records = &record };

		if (i < count) {
			record.text = texts[i];
			a.status = DNS_OK;
			a.count = 1;
		}
		lookups_answer(q, &a);
	}
}

#endif
