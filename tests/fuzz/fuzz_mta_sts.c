/* A policy of MTA-STS, and the same bytes as a TXT record: what is accepted keeps the
   bounds, points into the bytes, and knows its own hosts. */
#include "base/panic.h"
#include "policy/mta_sts.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	struct str text = str_make(data, n), id;
	struct dns_record record = { .text = text };
	struct dns_answer answer = { .status = DNS_OK, .count = 1, .records = &record };
	struct mta_sts_policy p;
	const char *fault;

	if (mta_sts_record_find(&answer, &id) == OK)
		CHECK(id.n && id.n <= MTA_STS_ID_MAX && id.p > text.p);
	if (mta_sts_policy_parse(text, &p, &fault) != OK) {
		CHECK(fault && fault[0]);
		return 0;
	}
	CHECK(!fault && n <= MTA_STS_BODY_MAX && p.max_age_s <= MTA_STS_AGE_MAX_S);
	CHECK(p.mode == MTA_STS_MODE_NONE || p.mx_count);
	for (size_t i = 0; i < p.mx_count; i++) {
		CHECK(p.mx[i].p >= text.p && p.mx[i].p + p.mx[i].n <= text.p + text.n);
		CHECK(str_starts(p.mx[i], STR("*.")) || mta_sts_has_mx(&p, p.mx[i]));
	}
	return 0;
}
