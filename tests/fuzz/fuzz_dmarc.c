/* DMARC: any record and any From field come to a verdict, in a bounded number of
   questions; what passes is aligned. Input: lines: From, then TXT records by turns. */
#include "base/panic.h"
#include "policy/dmarc_priv.h"
#include "tests/fuzz/texts.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum {
	TEXTS_MAX = 9,
};

static void
check_record(struct str text)
{
	char bytes[4096];
	struct strbuf room = strbuf_on(bytes);
	struct dmarc_record r;
	struct dmarc_uri uri;

	if (dmarc_record_parse(text, &r) == ERR_NOT_FOUND)
		return;
	CHECK(r.psd == 'y' || r.psd == 'n' || r.psd == 'u');
	while (dmarc_uri_next(&r.rua, &room, &uri))
		CHECK(uri.scheme.n && uri.address.n);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct arena *a = arena_new(4 << 20);
	struct lookups *l = lookups_new(a, LOOKUPS_MAX);
	struct str rest = str_make(data, size), from = STR(""), texts[TEXTS_MAX];
	struct spf_verdict spf = { .result = SPF_PASS };
	struct dkim_verdict dkim = { .result = DKIM_PASS };
	const struct dkim_verdict *const list[] = { &dkim };
	struct dmarc_request request = {
		.from_fields = 1, .spf = &spf, .dkim = list, .dkim_count = 1
	};
	struct dmarc_verdict v;
	size_t count = 0;

	(void)str_next(&rest, '\n', &from);
	(void)str_next(&rest, '\n', &spf.domain);
	(void)str_next(&rest, '\n', &dkim.domain);
	while (count < TEXTS_MAX && str_next(&rest, '\n', &texts[count]))
		check_record(texts[count++]);
	request.header_from = str_first(from, 4096);
	spf.domain = str_first(spf.domain, LOOKUPS_NAME_MAX);
	while (dmarc_check(&request, l, a, &v) == POLICY_NEED)
		texts_answer(l, texts, count);
	CHECK(lookups_count(l) <= DMARC_FROM_MAX * (DMARC_WALK_MAX + 1) + 1);
	CHECK((v.result == DMARC_PASS) == (v.is_aligned_spf || v.is_aligned_dkim));
	CHECK(v.result != DMARC_PASS || v.from_domain.n);
	CHECK(v.policy <= v.published && v.reason.n);
	arena_free(&a);
	return 0;
}
