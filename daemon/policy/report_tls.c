#include "policy/report.h"

#include "base/rfc3339.h"
#include "base/strbuf.h"
#include "base/utf8.h"
#include "ext/json.h"
#include "mail/address.h"

/* RFC 8460 4.4. */

enum {
	COUNT_MAX = 1000000000, /* sessions of one row */
	DETAIL_MAX = 600,
};

struct reading {
	struct report *report;
	struct arena *arena;
	struct report_row *rows;
	size_t count, max;
};

static struct str
text_of(struct reading *r, const struct json_value *object, const char *key)
{
	struct str s = STR("");

	(void)json_get_str(json_find(object, key), &s);
	return arena_str(r->arena, utf8_first(s, REPORT_TEXT_MAX));
}

static bool
count_of(const struct json_value *object, const char *key, uint64_t *count_out)
{
	const struct json_value *v = json_find(object, key);
	int64_t n;

	*count_out = 0;
	if (!v)
		return true;
	if (!json_get_i64(v, &n) || n < 0 || n > COUNT_MAX)
		return false;
	*count_out = (uint64_t)n;
	return true;
}

static enum err
add_row(struct reading *r, const struct report_row *row)
{
	if (r->count == r->max || arena_left(r->arena) < (size_t)16 * REPORT_TEXT_MAX)
		return ERR_LIMIT;
	r->rows[r->count++] = *row;
	return OK;
}

static void
add_words(struct strbuf *b, const char *label, struct str words)
{
	if (words.n)
		strbuf_printf(b, "%s%s %.*s", b->n ? "; " : "", label, STR_ARG(words));
}

static enum err
read_failure(struct reading *r, const struct json_value *v)
{
	char bytes[DETAIL_MAX * 2];
	struct strbuf b = strbuf_on(bytes);
	struct report_row row = { .source = text_of(r, v, "sending-mta-ip"),
		                  .name = text_of(r, v, "receiving-mx-hostname"),
		                  .done = text_of(r, v, "result-type") };

	if (!row.done.n || !count_of(v, "failed-session-count", &row.count))
		return ERR_MALFORMED;
	add_words(&b, "at", text_of(r, v, "receiving-ip"));
	add_words(&b, "reason", text_of(r, v, "failure-reason-code"));
	add_words(&b, "more at", text_of(r, v, "additional-information"));
	row.detail = arena_str(r->arena, strbuf_str(&b));
	return add_row(r, &row);
}

static enum err
read_policy(struct reading *r, const struct json_value *v)
{
	const struct json_value *policy = json_find(v, "policy");
	const struct json_value *summary = json_find(v, "summary");
	const struct json_value *failures = json_find(v, "failure-details");
	struct report_row row = { .is_good = true,
		                  .name = text_of(r, policy, "policy-domain"),
		                  .detail = text_of(r, policy, "policy-type") };
	uint64_t bad;
	enum err e = OK;

	if (!row.name.n ||
	    !count_of(summary, "total-successful-session-count", &row.count) ||
	    !count_of(summary, "total-failure-session-count", &bad))
		return ERR_MALFORMED;
	if (!r->report->domain.n)
		r->report->domain = row.name;
	r->report->good += row.count;
	r->report->bad += bad;
	if (row.count)
		e = add_row(r, &row);
	for (size_t i = 0; i < json_count(failures) && e == OK; i++)
		e = read_failure(r, json_at(failures, i));
	return e;
}

/* How many rows there can be. */
static size_t
rows_of(const struct json_value *policies)
{
	size_t n = 0;

	for (size_t i = 0; i < json_count(policies); i++)
		n += 1 + json_count(json_find(json_at(policies, i), "failure-details"));
	return n < REPORT_ROWS_MAX ? n : REPORT_ROWS_MAX;
}

static bool
read_time(const struct json_value *range, const char *key, int64_t *ms_out)
{
	struct str s;

	return json_get_str(json_find(range, key), &s) && rfc3339_parse(s, ms_out);
}

static enum err
check_domain(struct reading *r)
{
	char bytes[ADDRESS_KEY_MAX];
	struct strbuf b = strbuf_on(bytes);

	if (domain_normalize(r->report->domain, &b) != OK)
		return ERR_MALFORMED;
	r->report->domain = arena_str(r->arena, strbuf_str(&b));
	return OK;
}

static enum err
read_all(struct reading *r, const struct json_value *root)
{
	const struct json_value *range = json_find(root, "date-range");
	const struct json_value *policies = json_find(root, "policies");
	struct report *report = r->report;
	enum err e = OK;

	report->reporter = text_of(r, root, "organization-name");
	report->name = text_of(r, root, "report-id");
	if (!report->reporter.n || !report->name.n ||
	    !read_time(range, "start-datetime", &report->begin_ms) ||
	    !read_time(range, "end-datetime", &report->end_ms) ||
	    report->end_ms < report->begin_ms || json_kind(policies) != JSON_KIND_ARRAY)
		return ERR_MALFORMED;
	r->max = rows_of(policies);
	r->rows = arena_try(r->arena, r->max * sizeof(*r->rows));
	if (!r->rows)
		return ERR_LIMIT;
	for (size_t i = 0; i < json_count(policies) && e == OK; i++)
		e = read_policy(r, json_at(policies, i));
	report->rows = r->rows;
	report->row_count = r->count;
	return e == OK ? check_domain(r) : e;
}

enum err
report_parse_tls(struct str json, struct arena *a, struct report *report_out)
{
	struct reading r = { .report = report_out, .arena = a };
	struct json *doc;
	enum err e;

	*report_out = (struct report){ .kind = REPORT_TLS };
	e = json_parse(json, &doc, NULL);
	if (e != OK)
		return e;
	e = read_all(&r, json_root(doc));
	json_free(&doc);
	return e;
}
