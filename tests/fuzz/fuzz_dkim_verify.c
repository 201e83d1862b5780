/* A message judged from end to end, by DKIM and ARC, with a name server that is no
 * friend: the first line is what it answers to everything, and its first byte how. Whole
 * and byte by byte the verdicts are the same, and each has a reason. */
#include "base/panic.h"
#include "mail/header.h"
#include "policy/arc.h"
#include "policy/dkim_verify.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum {
	ARENA_BYTES = 32 << 20,
};

static const int64_t now_ms = INT64_C(2000000000000);

struct world {
	struct str text; /* of every record */
	enum dns_status status;
	size_t count;
};

static void
answer(const struct world *w, struct lookups *l)
{
	struct dns_record records[3] = {
		{ .type = DNS_TXT, .text = w->text },
		{ .type = DNS_TXT, .text = str_from_offset(w->text, w->text.n / 2) },
		{ .type = DNS_TXT, .text = w->text },
	};
	struct dns_answer a = { .status = w->status,
		                .count = w->status == DNS_OK ? w->count : 0,
		                .records = records };
	struct lookup *q;

	while ((q = lookups_next(l))) {
		CHECK(q->name.n <= LOOKUPS_NAME_MAX);
		lookups_answer(q, &a);
	}
}

struct message {
	struct str header, body;
};

static void
dkim(const struct world *w, struct arena *a, struct message m, bool is_trickled,
     struct strbuf *out)
{
	struct lookups *l = lookups_new(a, LOOKUPS_MAX);
	struct dkim_verifier *v = dkim_verifier_new(a);

	dkim_verifier_header(v, m.header);
	for (size_t i = 0; i < m.body.n; i += is_trickled ? 1 : m.body.n)
		dkim_verifier_body(v, is_trickled ? str_make(m.body.p + i, 1) : m.body);
	dkim_verifier_end(v);
	while (dkim_verifier_check(v, now_ms, l) == POLICY_NEED)
		answer(w, l);
	CHECK(lookups_count(l) <= DKIM_SIGNATURES_MAX);
	for (size_t i = 0; i < dkim_verifier_count(v); i++) {
		const struct dkim_verdict *d = dkim_verifier_verdict(v, i);

		CHECK(d->result != DKIM_NONE && d->reason.n);
		strbuf_printf(out, "%s ", dkim_result_word(d->result));
		strbuf_add(out, d->reason);
	}
	dkim_verifier_free(&v);
}

static void
arc(const struct world *w, struct arena *a, struct message m)
{
	struct lookups *l = lookups_new(a, LOOKUPS_MAX);
	struct arc_validator *v = arc_validator_new(a);
	struct arc_verdict verdict;

	arc_validator_header(v, m.header);
	arc_validator_body(v, m.body);
	arc_validator_end(v);
	while (arc_validator_check(v, now_ms, l, &verdict) == POLICY_NEED)
		answer(w, l);
	CHECK(verdict.reason.n && verdict.count <= ARC_SETS_MAX);
	CHECK(verdict.result != ARC_PASS ||
	      (verdict.count && verdict.oldest_pass <= verdict.count));
	CHECK(lookups_count(l) <= ARC_SETS_MAX + 1);
	arc_validator_free(&v);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct arena *a = arena_new(ARENA_BYTES);
	struct strbuf whole = strbuf_arena(a, 1 << 16),
		      trickled = strbuf_arena(a, 1 << 16);
	struct str rest = str_from_offset(str_make(data, size), 1);
	struct world w = { .status = size ? data[0] % (DNS_BAD_NAME + 1) : DNS_OK,
		           .count = size ? data[0] % 4U : 0 };
	struct message m;

	if (w.count == 0 && w.status == DNS_OK)
		w.count = 1;
	if (str_next(&rest, '\n', &w.text)) {
		m.header = str_first(rest, header_size(rest));
		m.body = str_from_offset(rest, m.header.n);
		dkim(&w, a, m, false, &whole);
		dkim(&w, a, m, true, &trickled);
		CHECK(str_eq(strbuf_str(&whole), strbuf_str(&trickled)));
		arc(&w, a, m);
	}
	arena_free(&a);
	return 0;
}
