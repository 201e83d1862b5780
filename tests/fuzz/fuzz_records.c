/* TXT records as strangers write them, one a line, under every name that is looked at:
 * each row gets a state and a cause that says why, and the zone file stays one. */
#include "base/panic.h"
#include "policy/records.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum {
	QUESTIONS = 200,
	RECORDS_LOOKED_AT = 20,
};

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const struct records_key keys[] = { { STR_INIT("s"), "rsa",
		                                     STR_INIT("AAAA"), false, false } };
	struct arena *a = arena_new(64 << 20);
	struct records_conf conf = { .domain = STR("a.example"),
		                     .hostname = STR("mail.a.example"),
		                     .keys = keys,
		                     .key_count = 1,
		                     .dmarc_rua = STR("d@a.example"),
		                     .sts_mode = STS_TESTING,
		                     .sts_id = STR("1") };
	struct records *r = records_make(&conf, a);
	struct records_question *q = ARENA_ARRAY(a, struct records_question, QUESTIONS);
	size_t n = records_questions(r, a, q, QUESTIONS), count = 0;
	struct records_answer *answers = ARENA_ARRAY(a, struct records_answer, n + 1);
	struct dns_record txt[RECORDS_LOOKED_AT] = { { 0 } };
	struct records_answers all = { answers, 0, 1, false, false };
	struct str rest = str_make(data, size), line;
	struct strbuf zone = strbuf_arena(a, 1 << 20);

	while (count < RECORDS_LOOKED_AT && str_next(&rest, '\n', &line))
		txt[count++] = (struct dns_record){ .type = DNS_TXT, .text = line };
	for (size_t i = 0; i < n; i++) {
		if (q[i].type != DNS_TXT)
			continue;
		answers[all.count++] =
			(struct records_answer){ q[i].name,
			                         DNS_TXT,
			                         false,
			                         0,
			                         { .status = count ? DNS_OK : DNS_NODATA,
			                           .name = q[i].name,
			                           .count = count,
			                           .records = txt } };
	}
	CHECK(records_judge(r, &all, lookups_new(a, 10), a, 0) == POLICY_DONE);
	for (size_t i = 0; i < r->count; i++)
		CHECK(r->rows[i].state == RECORD_OK || r->rows[i].cause != CAUSE_NONE ||
		      r->rows[i].state == RECORD_OPTIONAL);
	records_zone_format(r, true, RECORDS_FULL, &zone);
	CHECK(!zone.overflow);
	arena_free(&a);
	return 0;
}
