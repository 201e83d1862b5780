#include "policy/report.h"

#include "base/addr.h"
#include "base/strbuf.h"
#include "base/utf8.h"
#include "ext/xml.h"
#include "mail/address.h"

/* The document is read leaf by leaf: a path says what its text is. What is not known is
   passed over, as RFC 9990 3.1.1 wants it of extensions. */

enum {
	ROWS_FIRST = 16,
	DETAIL_MAX = 600,
	COUNT_MAX = 1000000000, /* messages of one row */
};

/* The last second of the year 9999: what is later has no date to be shown by. */
static const uint64_t time_max_s = UINT64_C(253402300799);

struct reading {
	struct report *report;
	struct arena *arena;
	struct report_row *rows, row; /* so far; the one at hand */
	size_t count, cap;
	struct str domain, selector, result; /* of the auth_results element at hand */
	struct str reason;
	char detail_bytes[DETAIL_MAX];
	struct strbuf detail;
	char domain_bytes[REPORT_TEXT_MAX];
	struct strbuf domains; /* that were proven */
	bool has_count, has_begin, has_end;
};

static struct str
keep(struct reading *r, struct str text)
{
	return arena_str(r->arena, utf8_first(text, REPORT_TEXT_MAX));
}

static enum err
read_time(struct str text, int64_t *ms_out, bool *has_out)
{
	uint64_t s;

	/* Some write fractions. */
	if (!str_parse_u64(str_first(text, str_find(text, '.')), &s) || s > time_max_s)
		return ERR_MALFORMED;
	*ms_out = (int64_t)s * 1000;
	*has_out = true;
	return OK;
}

static enum err
read_domain(struct reading *r, struct str text, struct str *out)
{
	char bytes[ADDRESS_KEY_MAX];
	struct strbuf b = strbuf_on(bytes);

	if (text.n && text.p[text.n - 1] == '.')
		text.n--;
	if (domain_normalize(text, &b) != OK)
		return ERR_MALFORMED;
	*out = keep(r, strbuf_str(&b));
	return OK;
}

static enum err
read_count(struct reading *r, struct str text)
{
	if (!str_parse_u64(text, &r->row.count) || r->row.count > COUNT_MAX)
		return ERR_MALFORMED;
	r->has_count = true;
	return OK;
}

static enum err
read_ip(struct reading *r, struct str text)
{
	char bytes[ADDR_TEXT_MAX];
	struct addr ip;

	if (!addr_parse_ip(text, &ip))
		return ERR_MALFORMED;
	r->row.source = arena_str(r->arena, addr_ip_text(&ip, &bytes));
	return OK;
}

static enum err
add_row(struct reading *r)
{
	if (!r->row.source.n || !r->has_count)
		return ERR_MALFORMED;
	if (r->count == REPORT_ROWS_MAX)
		return ERR_LIMIT;
	if (r->count == r->cap) {
		size_t cap = r->cap ? r->cap * 2 : ROWS_FIRST;
		struct report_row *rows = arena_try(r->arena, cap * sizeof(*rows));

		if (!rows)
			return ERR_LIMIT;
		if (r->count)
			memcpy(rows, r->rows, r->count * sizeof(*rows));
		r->rows = rows;
		r->cap = cap;
	}
	r->row.is_good =
		str_eq(r->row.spf, STR("pass")) || str_eq(r->row.dkim, STR("pass"));
	r->row.detail = arena_str(r->arena, strbuf_str(&r->detail));
	r->row.domains = arena_str(r->arena, strbuf_str(&r->domains));
	r->rows[r->count++] = r->row;
	if (r->row.is_good)
		r->report->good += r->row.count;
	else
		r->report->bad += r->row.count;
	r->row = (struct report_row){ 0 };
	strbuf_clear(&r->detail);
	strbuf_clear(&r->domains);
	r->has_count = false;
	return OK;
}

/* One more domain that was proven, each once; those that find no room are left out. */
static void
add_proven(struct reading *r)
{
	char bytes[ADDRESS_KEY_MAX];
	struct strbuf name = strbuf_on(bytes);
	struct str rest = strbuf_str(&r->domains), one;
	size_t before = r->domains.n;

	if (!str_eq(r->result, STR("pass")) || domain_normalize(r->domain, &name) != OK)
		return;
	while (str_next(&rest, ' ', &one)) {
		if (str_eq(one, strbuf_str(&name)))
			return;
	}
	if (before)
		strbuf_byte(&r->domains, ' ');
	strbuf_add(&r->domains, strbuf_str(&name));
	if (r->domains.overflow) {
		r->domains.overflow = false;
		strbuf_truncate(&r->domains, before);
	}
}

/* One more result in plain words; those that find no room are left out. */
static void
add_detail(struct reading *r, const char *what)
{
	size_t before = r->detail.n;

	strbuf_printf(&r->detail, "%s%s %.*s%s%.*s%s%.*s", before ? "; " : "", what,
	              STR_ARG(r->domain), r->selector.n ? "/" : "", STR_ARG(r->selector),
	              r->result.n ? " " : "", STR_ARG(r->result));
	if (r->detail.overflow) {
		r->detail.overflow = false;
		strbuf_truncate(&r->detail, before);
	}
	r->domain = r->selector = r->result = STR("");
}

static void
add_reason(struct reading *r)
{
	r->domain = r->reason;
	if (r->domain.n)
		add_detail(r, "overridden:");
	r->reason = STR("");
}

/* What each leaf is. */
enum leaf {
	LEAF_TEXT, /* kept as it is, at `at` of the struct */
	LEAF_DOMAIN,
	LEAF_BEGIN,
	LEAF_END,
	LEAF_COUNT,
	LEAF_IP,
	LEAF_DKIM,
	LEAF_SPF,
	LEAF_REASON,
	LEAF_RECORD,
};

#define REPORT(m) offsetof(struct report, m), true
#define ROW(m)    offsetof(struct reading, m), false
/* clang-format off */
static const struct {
	struct str path;
	enum leaf leaf;
	size_t at;
	bool is_report; /* of it, not of struct reading */
} leaves[] = {
	{ STR_INIT("feedback/report_metadata/org_name"), LEAF_TEXT, REPORT(reporter) },
	{ STR_INIT("feedback/report_metadata/report_id"), LEAF_TEXT, REPORT(name) },
	{ STR_INIT("feedback/report_metadata/date_range/begin"), LEAF_BEGIN, REPORT(begin_ms) },
	{ STR_INIT("feedback/report_metadata/date_range/end"), LEAF_END, REPORT(end_ms) },
	{ STR_INIT("feedback/policy_published/domain"), LEAF_DOMAIN, REPORT(domain) },
	{ STR_INIT("feedback/record/row/source_ip"), LEAF_IP, ROW(row) },
	{ STR_INIT("feedback/record/row/count"), LEAF_COUNT, ROW(row) },
	{ STR_INIT("feedback/record/row/policy_evaluated/disposition"), LEAF_TEXT, ROW(row.done) },
	{ STR_INIT("feedback/record/row/policy_evaluated/dkim"), LEAF_TEXT, ROW(row.dkim) },
	{ STR_INIT("feedback/record/row/policy_evaluated/spf"), LEAF_TEXT, ROW(row.spf) },
	{ STR_INIT("feedback/record/row/policy_evaluated/reason/type"), LEAF_TEXT, ROW(reason) },
	{ STR_INIT("feedback/record/row/policy_evaluated/reason"), LEAF_REASON, ROW(reason) },
	{ STR_INIT("feedback/record/identifiers/header_from"), LEAF_TEXT, ROW(row.name) },
	{ STR_INIT("feedback/record/auth_results/dkim/domain"), LEAF_TEXT, ROW(domain) },
	{ STR_INIT("feedback/record/auth_results/dkim/selector"), LEAF_TEXT, ROW(selector) },
	{ STR_INIT("feedback/record/auth_results/dkim/result"), LEAF_TEXT, ROW(result) },
	{ STR_INIT("feedback/record/auth_results/dkim"), LEAF_DKIM, ROW(domain) },
	{ STR_INIT("feedback/record/auth_results/spf/domain"), LEAF_TEXT, ROW(domain) },
	{ STR_INIT("feedback/record/auth_results/spf/result"), LEAF_TEXT, ROW(result) },
	{ STR_INIT("feedback/record/auth_results/spf"), LEAF_SPF, ROW(domain) },
	{ STR_INIT("feedback/record"), LEAF_RECORD, ROW(row) },
};
/* clang-format on */

static enum err
on_leaf(struct reading *r, enum leaf leaf, struct str *at, struct str text)
{
	switch (leaf) {
	case LEAF_TEXT:
		*at = keep(r, text);
		return OK;
	case LEAF_DOMAIN:
		return read_domain(r, text, at);
	case LEAF_BEGIN:
		return read_time(text, &r->report->begin_ms, &r->has_begin);
	case LEAF_END:
		return read_time(text, &r->report->end_ms, &r->has_end);
	case LEAF_COUNT:
		return read_count(r, text);
	case LEAF_IP:
		return read_ip(r, text);
	case LEAF_DKIM:
		add_proven(r);
		add_detail(r, "DKIM");
		return OK;
	case LEAF_SPF:
		add_proven(r);
		add_detail(r, "SPF");
		return OK;
	case LEAF_REASON:
		add_reason(r);
		return OK;
	default:
		return add_row(r);
	}
}

static enum err
on_element(void *arg, struct str path, struct str text)
{
	struct reading *r = arg;

	if (arena_left(r->arena) < (size_t)4 * XML_TEXT_MAX)
		return ERR_LIMIT;
	for (size_t i = 0; i < ARRAY_LEN(leaves); i++) {
		char *base = leaves[i].is_report ? (char *)r->report : (char *)r;

		if (str_eq(leaves[i].path, path))
			return on_leaf(r, leaves[i].leaf,
			               (struct str *)(void *)(base + leaves[i].at), text);
	}
	return OK;
}

enum err
report_parse_dmarc(struct str xml, struct arena *a, struct report *report_out)
{
	struct reading r = { .report = report_out, .arena = a };
	enum err e;

	*report_out = (struct report){ .kind = REPORT_DMARC };
	r.detail = strbuf_on(r.detail_bytes);
	r.domains = strbuf_on(r.domain_bytes);
	e = xml_parse(xml, on_element, &r);
	if (e != OK)
		return e;
	report_out->rows = r.rows;
	report_out->row_count = r.count;
	if (!report_out->domain.n || !report_out->reporter.n || !report_out->name.n ||
	    !r.has_begin || !r.has_end || report_out->end_ms < report_out->begin_ms)
		return ERR_MALFORMED;
	return OK;
}
