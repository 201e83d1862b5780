/* What we tell others: whatever a row holds, the report made of it can be read
   ('d': DMARC rows, 't': TLS rows, a line each); lists of addresses ('r', 's') come to
   targets that can be written into a header, and consent ('c': a list, then TXT
   records) to an end. */
#include "base/event.h"
#include "base/panic.h"
#include "policy/report_ask.h"
#include "policy/report_make.h"
#include "tests/fuzz/texts.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum {
	OUT_MAX = 4 << 20,
	TEXTS_MAX = 6,
	ROWS_MAX = 200,
};

static const struct report_head head = {
	.organization = STR_INIT("Us"),
	.contact = STR_INIT("us@example.org"),
	.submitter = STR_INIT("example.org"),
	.domain = STR_INIT("example.net"),
	.id = STR_INIT("1"),
	.end_s = 86399,
	.generator = STR_INIT("Fuzzer"),
};

static void
make_dmarc(struct str rest, struct arena *a)
{
	struct strbuf out = strbuf_heap(OUT_MAX);
	struct report_head h = head;
	struct report r;
	struct str row, policy = STR("");
	size_t count = 0;

	h.kind = REPORT_DMARC;
	(void)str_next(&rest, '\n', &policy);
	report_make_dmarc_begin(&out, &h, policy);
	while (count++ < ROWS_MAX && str_next(&rest, '\n', &row))
		report_make_dmarc_row(&out, row, count);
	report_make_dmarc_end(&out);
	CHECK(!out.overflow);
	CHECK(report_parse_dmarc(strbuf_str(&out), a, &r) == OK);
	strbuf_release(&out);
}

static void
make_tls(struct str rest, struct arena *a)
{
	struct strbuf out = strbuf_heap(OUT_MAX);
	struct report_head h = head;
	struct report_tls_maker *m;
	struct report r;
	struct str row;
	size_t count = 0;

	h.kind = REPORT_TLS;
	m = report_make_tls_begin(&out, a, &h);
	/* One that is always good, for a report without a policy is none. */
	report_make_tls_row(m, STR("policy=no-policy-found host=mx.example.net"), 1);
	while (count++ < ROWS_MAX && str_next(&rest, '\n', &row))
		report_make_tls_row(m, row, count);
	report_make_tls_end(m);
	CHECK(!out.overflow);
	CHECK(report_parse_tls(strbuf_str(&out), a, &r) == OK);
	strbuf_release(&out);
}

static void
check_targets(const struct report_targets *targets)
{
	CHECK(targets->count <= REPORT_TARGETS_MAX);
	for (size_t i = 0; i < targets->count; i++) {
		const struct report_target *t = &targets->list[i];

		if (t->refused)
			continue;
		CHECK(t->host.n && t->address.n);
		for (size_t j = 0; j < t->address.n; j++)
			CHECK((unsigned char)t->address.p[j] >= ' ');
		CHECK(!t->is_https || str_starts(t->path, STR("/")));
		for (size_t j = 0; j < t->path.n; j++)
			CHECK(t->path.p[j] > ' ' && t->path.p[j] <= '~');
	}
}

static void
consent(struct str rest, struct arena *a)
{
	struct lookups *l = lookups_new(a, LOOKUPS_MAX);
	struct str rua = STR(""), texts[TEXTS_MAX];
	struct report_targets targets;
	size_t count = 0, turns = 0;
	bool is_temp;

	(void)str_next(&rest, '\n', &rua);
	while (count < TEXTS_MAX && str_next(&rest, '\n', &texts[count]))
		count++;
	report_targets_read(REPORT_DMARC, rua, a, &targets);
	while (report_targets_consent(&targets, STR("example.net"), l, a, &is_temp) ==
	       POLICY_NEED) {
		texts_answer(l, texts, count);
		CHECK(turns++ < LOOKUPS_MAX);
	}
	check_targets(&targets);
}

static void
record(struct str text, struct arena *a)
{
	struct dns_record row = { .type = DNS_TXT, .text = text };
	struct dns_answer txt = { .status = DNS_OK, .records = &row, .count = 1 };
	struct report_targets targets;
	struct str rua;

	if (report_tls_record_find(&txt, &rua) != OK)
		return;
	CHECK(rua.n > 0);
	report_targets_read(REPORT_TLS, rua, a, &targets);
	check_targets(&targets);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct str s = str_make(data, size);
	struct arena *a = arena_new(REPORT_ARENA_BYTES);
	char what = s.n ? s.p[0] : 'd';
	struct report_targets targets;

	s = str_first(str_from_offset(s, 1), 64 * 1024);
	if (what == 't') {
		make_tls(s, a);
	} else if (what == 'c') {
		consent(s, a);
	} else if (what == 's') {
		record(s, a);
	} else if (what == 'r') {
		report_targets_read(REPORT_DMARC, s, a, &targets);
		check_targets(&targets);
	} else {
		make_dmarc(s, a);
	}
	arena_free(&a);
	return 0;
}
