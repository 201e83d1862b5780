/* /reports/sent: what we told others of what we saw of them. */
#include "api/fields.h"
#include "api/names.h"
#include "api/reports_received.h"
#include "api/routes.h"
#include "base/duration.h"
#include "base/rfc3339.h"

static void
write_report(struct api_request *r, struct json_out *j, const struct sent_report *s)
{
	char bytes[40];
	struct strbuf day = strbuf_on(bytes);

	rfc3339_format(&day, s->day * DAY_MS);
	json_str(j, "id", names_id(r, "rps", s->id));
	json_cstr(j, "kind", reports_kind_word(s->kind));
	json_str(j, "domain", s->domain);
	json_str(j, "day", str_first(strbuf_str(&day), str_find(strbuf_str(&day), 'T')));
	json_str(j, "report_id", s->name);
	json_time(j, "made_at", s->made_ms);
	json_cstr(j, "state", report_state_name(s->state));
	names_write_words(j, "recipients", s->rcpts, false);
	json_str_or_null(j, "reason", s->reason);
	json_i64(j, "count", (int64_t)s->count);
	json_i64(j, "rows", (int64_t)s->row_count);
	json_i64(j, "left_out", (int64_t)s->left_out);
	json_i64(j, "size", (int64_t)s->size_bytes);
	json_str_or_null(j, "trace_id", s->trace_id);
}

static bool
list_one(void *arg, const struct sent_report *s)
{
	struct page *p = arg;

	if (!reports_begin_item(p, names_id(p->r, "rps", s->id)))
		return false;
	write_report(p->r, &p->j, s);
	json_close_object(&p->j);
	return true;
}

void
reports_sent(struct api_request *r)
{
	enum { KIND, STATE, DOMAIN, COUNT };
	static const struct field_spec specs[COUNT] = {
		[KIND] = { .name = "kind", .kind = FIELD_WORD, .words = "dmarc tls" },
		[STATE] = { .name = "state",
		            .kind = FIELD_WORD,
		            .words = "queued sent failed refused" },
		[DOMAIN] = { .name = "domain", .kind = FIELD_STR, .max = 254 },
	};
	struct sent_query query = { 0 };
	struct field f[COUNT];
	struct str filter;
	struct page p;

	if (!fields_query(r, specs, COUNT, f))
		return;
	query.kind = f[KIND].is_set ? (uint32_t)f[KIND].i + 1 : 0;
	query.state = f[STATE].is_set ? (uint32_t)f[STATE].i + 1 : REPORT_ANY;
	query.domain = f[DOMAIN].s;
	filter = arena_printf(r->arena, "%u %u %.*s", query.kind, query.state,
	                      STR_ARG(query.domain));
	if (!page_begin(&p, r, "reports_sent", filter))
		return;
	query.before = names_parse_id(p.after, "rps");
	page_end(&p,
	         reader_sent_reports(r->api->reader, &query, p.limit + 1, list_one, &p));
}

/* False: answered. */
static bool
find(struct api_request *r, struct sent_report *s)
{
	uint64_t id = names_parse_id(r->params[0], "rps");
	enum err e =
		id ? reader_sent_report(r->api->reader, id, r->arena, s) : ERR_NOT_FOUND;

	if (e != OK)
		api_problem_err(r, e);
	return e == OK;
}

void
reports_sent_get(struct api_request *r)
{
	struct strbuf b = api_buffer(r);
	struct json_out j = json_out_on(&b);
	struct sent_report s;

	if (!find(r, &s))
		return;
	json_open_object(&j, NULL);
	write_report(r, &j, &s);
	json_close_object(&j);
	api_reply_json(r, 200, strbuf_str(&b));
}

void
reports_sent_raw(struct api_request *r)
{
	struct sent_report s;

	if (find(r, &s))
		reports_reply_document(r, names_id(r, "rps", s.id), s.packed,
		                       s.kind == SEEN_TLS);
}
