/* Reports of strangers: DMARC XML ('x'), TLS JSON ('j'), a whole message ('m') and what
   is packed ('p') end within their bounds. */
#include "base/panic.h"
#include "ext/unpack.h"
#include "policy/report.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum {
	OUT_MAX = 1 << 20,
};

static void
check(const struct report *r)
{
	uint64_t good = 0, bad = 0;

	CHECK(r->domain.n && r->reporter.n && r->name.n);
	CHECK(r->begin_ms <= r->end_ms && r->row_count <= REPORT_ROWS_MAX);
	for (size_t i = 0; i < r->row_count; i++) {
		const struct report_row *row = &r->rows[i];

		CHECK(row->name.n <= REPORT_TEXT_MAX && row->done.n <= REPORT_TEXT_MAX);
		*(row->is_good ? &good : &bad) += row->count;
	}
	if (r->kind == REPORT_DMARC)
		CHECK(good == r->good && bad == r->bad);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct str s = str_make(data, size), raw, type;
	struct strbuf out = strbuf_heap(OUT_MAX);
	struct arena *a = arena_new(REPORT_ARENA_BYTES);
	struct report r;
	char what = s.n ? s.p[0] : 'x';
	enum err e = ERR_NOT_FOUND;

	s = str_from_offset(s, 1);
	if (what == 'j')
		e = report_parse_tls(s, a, &r);
	else if (what == 'm')
		e = report_parse_mail(s, a, &r, &raw, &type);
	else if (what == 'p' && unpack(s, &out) == OK)
		CHECK(out.n <= OUT_MAX && (out.n <= UNPACK_RATIO_FROM ||
		                           out.n / (UNPACK_RATIO_MAX + 1) <= s.n));
	else if (what != 'p')
		e = report_parse_dmarc(s, a, &r);
	if (e == OK)
		check(&r);
	strbuf_release(&out);
	arena_free(&a);
	return 0;
}
