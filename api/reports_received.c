/* /reports/received: the reports themselves, and what all of them have in common. */
#include "api/reports_received.h"

#include "api/fields.h"
#include "api/names.h"
#include "api/routes.h"
#include "base/clock.h"
#include "base/duration.h"
#include "ext/unpack.h"

enum {
	DAYS_DEFAULT = 30,
	DAYS_MAX = 3650,
	REPORTERS_MAX = 100,
	RAW_MAX = API_REPLY_MAX,
};

/* --- what received and sent ones have in common --------------------------------------- */

const char *
reports_kind_word(uint32_t kind)
{
	static const char *const words[] = { "", "dmarc", "tls" };

	return words[kind < ARRAY_LEN(words) ? kind : 0];
}

bool
reports_begin_item(struct page *p, struct str id)
{
	if (!page_take(p, id))
		return false;
	json_open_object(&p->j, NULL);
	return true;
}

void
reports_reply_document(struct api_request *r, struct str id, struct str packed,
                       bool is_json)
{
	struct strbuf text = strbuf_arena(r->arena, RAW_MAX);
	enum err e = packed.n ? unpack(packed, &text) : ERR_NOT_FOUND;

	if (e != OK) {
		api_problem_err(r, e);
		return;
	}
	api_header(r, "Content-Disposition",
	           arena_printf(r->arena, "attachment; filename=\"%.*s.%s\"", STR_ARG(id),
	                        is_json ? "json" : "xml"));
	api_reply_text(r, 200, is_json ? "application/json" : "application/xml",
	               strbuf_str(&text));
}

/* --- which of them ------------------------------------------------------------------ */

/* A caller who may see some domains only says which. */
static bool
read_domain(struct api_request *r, struct str name, struct reports_query *q)
{
	struct domain d;
	enum err e;

	if (!name.n && !r->caller.domains.n)
		return true;
	if (!name.n) {
		api_fault(r, STR("?domain"), "required", "you may see some domains only");
		api_problem(r, PROBLEM_INVALID, NULL);
		return false;
	}
	if (!names_domain(r, name, &q->domain))
		return false;
	e = reader_domain(r->api->reader, q->domain, r->arena, &d);
	if (e != OK)
		api_problem_err(r, e);
	q->which.domain_id = d.id;
	return e == OK;
}

static bool
read_times(struct api_request *r, const struct field *from, const struct field *to,
           struct report_query *which)
{
	which->to_ms = to->is_set ? to->i : clock_unix_ms() + DAY_MS;
	which->from_ms =
		from->is_set ? from->i : which->to_ms - (DAYS_DEFAULT + 1) * DAY_MS;
	if (which->from_ms < which->to_ms &&
	    which->to_ms - which->from_ms <= DAYS_MAX * DAY_MS)
		return true;
	api_fault(r, STR("?from"), "out_of_range", "from before to, at most ten years");
	api_problem(r, PROBLEM_INVALID, NULL);
	return false;
}

bool
reports_query_read(struct api_request *r, uint32_t kind, struct reports_query *out)
{
	enum { DOMAIN, FROM, TO, ORIGIN, UNPROVEN, COUNT };
	static const struct field_spec specs[COUNT] = {
		[DOMAIN] = { .name = "domain", .kind = FIELD_STR, .max = 254 },
		[FROM] = { .name = "from", .kind = FIELD_TIME },
		[TO] = { .name = "to", .kind = FIELD_TIME },
		[ORIGIN] = { .name = "origin",
		             .kind = FIELD_STR,
		             .max = REPORT_ORIGIN_MAX },
		[UNPROVEN] = { .name = "unproven", .kind = FIELD_BOOL },
	};
	struct field f[COUNT];

	*out = (struct reports_query){ .which.kind = kind };
	if (!fields_query(r, specs, COUNT, f) || !read_domain(r, f[DOMAIN].s, out) ||
	    !read_times(r, &f[FROM], &f[TO], &out->which))
		return false;
	out->which.with_unproven = f[UNPROVEN].is_set && f[UNPROVEN].b;
	out->origin = f[ORIGIN].s;
	/* The default times move on between two pages, so only those that were given
	   bind a cursor. */
	out->filter = arena_printf(r->arena, "%u %.*s %lld %lld %d %.*s", kind,
	                           STR_ARG(out->domain),
	                           f[FROM].is_set ? (long long)f[FROM].i : 0LL,
	                           f[TO].is_set ? (long long)f[TO].i : 0LL,
	                           out->which.with_unproven, STR_ARG(out->origin));
	return true;
}

/* --- what sums have in common -------------------------------------------------------- */

struct counting {
	struct json_out *j;
	const char *good, *bad;
	uint64_t reports;
};

static bool
take_count(void *arg, const struct report_sum *sum)
{
	struct counting *c = arg;

	c->reports = sum->reports;
	return true;
}

enum err
reports_write_which(struct page *p, const struct reports_query *q)
{
	struct report_sums_query query = { .which = q->which,
		                           .group = REPORT_ALL,
		                           .limit = 1 };
	struct counting with = { 0 }, without = { 0 };
	enum err e;

	query.which.with_unproven = true;
	e = reader_report_sums(p->r->api->reader, &query, take_count, &with);
	query.which.with_unproven = false;
	if (e == OK)
		e = reader_report_sums(p->r->api->reader, &query, take_count, &without);
	json_time(&p->j, "from", q->which.from_ms);
	json_time(&p->j, "to", q->which.to_ms);
	json_str_or_null(&p->j, "domain", q->domain);
	json_i64(&p->j, "unproven_reports", (int64_t)(with.reports - without.reports));
	return e;
}

static void
write_counts(const struct counting *c, const struct report_sum *sum)
{
	json_i64(c->j, "reports", (int64_t)sum->reports);
	json_i64(c->j, c->good, (int64_t)sum->good);
	json_i64(c->j, c->bad, (int64_t)sum->bad);
}

static bool
write_total(void *arg, const struct report_sum *sum)
{
	write_counts(arg, sum);
	return true;
}

static bool
write_day(void *arg, const struct report_sum *sum)
{
	struct counting *c = arg;

	json_open_object(c->j, NULL);
	json_time(c->j, "day", sum->first_ms);
	write_counts(c, sum);
	json_close_object(c->j);
	return true;
}

static bool
write_reporter(void *arg, const struct report_sum *sum)
{
	struct counting *c = arg;

	json_open_object(c->j, NULL);
	json_str(c->j, "sender", sum->key);
	json_str(c->j, "name", sum->name);
	write_counts(c, sum);
	json_time(c->j, "last_at", sum->last_ms);
	json_close_object(c->j);
	return true;
}

enum err
reports_write_sums(struct page *p, const struct reports_query *q, const char *good,
                   const char *bad)
{
	struct report_sums_query query = { .which = q->which, .limit = DAYS_MAX };
	struct reader *reader = p->r->api->reader;
	struct counting c = { .j = &p->j, .good = good, .bad = bad };
	enum err e;

	query.group = REPORT_ALL;
	json_open_object(&p->j, "totals");
	e = reader_report_sums(reader, &query, write_total, &c);
	json_close_object(&p->j);
	query.group = REPORT_DAYS;
	json_open_array(&p->j, "days");
	if (e == OK)
		e = reader_report_sums(reader, &query, write_day, &c);
	json_close_array(&p->j);
	query.group = REPORT_REPORTERS;
	query.limit = REPORTERS_MAX;
	json_open_array(&p->j, "reporters");
	if (e == OK)
		e = reader_report_sums(reader, &query, write_reporter, &c);
	json_close_array(&p->j);
	return e;
}

struct str
reports_cursor(struct api_request *r, const struct report_sum *sum)
{
	uint64_t count = sum->good + sum->bad;

	return arena_printf(r->arena, "%llu\n%.*s\n%.*s", (unsigned long long)count,
	                    STR_ARG(sum->key), STR_ARG(sum->more));
}

struct report_after
reports_after(struct str cursor)
{
	struct report_after after = { 0 };
	struct str count = { NULL, 0 };

	if (!cursor.n || !str_next(&cursor, '\n', &count) ||
	    !str_parse_u64(count, &after.count))
		return (struct report_after){ 0 };
	(void)str_next(&cursor, '\n', &after.key);
	after.more = cursor;
	return after;
}

/* --- the reports themselves ---------------------------------------------------------- */

static void
write_report(struct api_request *r, struct json_out *j, const struct received_report *rep)
{
	json_str(j, "id", names_id(r, "rep", rep->id));
	json_cstr(j, "kind", reports_kind_word(rep->kind));
	json_str(j, "domain", rep->domain);
	json_str(j, "about", rep->about);
	json_str(j, "reporter", rep->reporter);
	json_str(j, "sender", rep->sender);
	json_bool(j, "proven", rep->is_proven);
	json_str(j, "report_id", rep->name);
	json_time(j, "begin", rep->begin_ms);
	json_time(j, "end", rep->end_ms);
	json_time(j, "received_at", rep->received_ms);
	json_i64(j, "good", (int64_t)rep->good);
	json_i64(j, "bad", (int64_t)rep->bad);
	json_i64(j, "rows", (int64_t)rep->row_count);
	json_i64(j, "raw_bytes", (int64_t)rep->raw_bytes);
	json_str(j, "trace_id", rep->trace_id);
}

static bool
list_one(void *arg, const struct received_report *rep)
{
	struct page *p = arg;

	if (!reports_begin_item(p, names_id(p->r, "rep", rep->id)))
		return false;
	write_report(p->r, &p->j, rep);
	json_close_object(&p->j);
	return true;
}

void
reports_received(struct api_request *r)
{
	static const struct field_spec spec = { .name = "kind",
		                                .kind = FIELD_WORD,
		                                .words = "dmarc tls" };
	struct reports_query q;
	struct field kind;
	struct page p;

	if (!fields_query(r, &spec, 1, &kind) ||
	    !reports_query_read(r, kind.is_set ? (uint32_t)kind.i + 1 : 0, &q) ||
	    !page_begin(&p, r, "reports", q.filter))
		return;
	page_end(&p,
	         reader_reports(r->api->reader, &q.which, names_parse_id(p.after, "rep"),
	                        p.limit + 1, list_one, &p));
}

/* False: answered. */
static bool
find(struct api_request *r, struct received_report *rep)
{
	uint64_t id = names_parse_id(r->params[0], "rep");
	enum err e =
		id ? reader_report(r->api->reader, id, r->arena, rep) : ERR_NOT_FOUND;

	if (e == OK && !api_may_domain(r, rep->domain))
		e = ERR_NOT_FOUND;
	if (e != OK)
		api_problem_err(r, e);
	return e == OK;
}

static bool
write_row(void *arg, const struct received_row *row)
{
	struct json_out *j = arg;

	json_open_object(j, NULL);
	json_str(j, "source", row->source);
	json_str(j, "name", row->name);
	json_str(j, "origin", row->origin);
	names_write_words(j, "domains", row->domains, false);
	json_i64(j, "count", (int64_t)row->count);
	json_bool(j, "good", row->is_good);
	json_str(j, "spf", row->spf);
	json_str(j, "dkim", row->dkim);
	json_str(j, "done", row->done);
	json_str(j, "detail", row->detail);
	json_close_object(j);
	return true;
}

void
reports_get(struct api_request *r)
{
	struct strbuf b = api_buffer(r);
	struct json_out j = json_out_on(&b);
	struct received_report rep;
	enum err e;

	if (!find(r, &rep))
		return;
	json_open_object(&j, NULL);
	write_report(r, &j, &rep);
	json_open_array(&j, "items");
	e = reader_report_rows(r->api->reader, rep.id, write_row, &j);
	json_close_array(&j);
	json_close_object(&j);
	if (e == OK)
		api_reply_json(r, 200, strbuf_str(&b));
	else
		api_problem_err(r, e);
}

void
reports_raw(struct api_request *r)
{
	struct received_report rep;
	struct str raw;
	enum err e;

	if (!find(r, &rep))
		return;
	e = reader_report_raw(r->api->reader, rep.id, r->arena, &raw);
	if (e == OK)
		reports_reply_document(r, names_id(r, "rep", rep.id), raw,
		                       str_eq(rep.raw_type, STR("application/json")));
	else
		api_problem_err(r, e);
}
