/* /domains/{domain}/dns: the records to publish, held against what the name servers say.
 *
 * What the queue process found is in the store; here it is joined with what is to be
 * published as of now. */
#include "api/domain_records.h"
#include "api/fields.h"
#include "api/names.h"
#include "api/page.h"
#include "api/routes.h"

enum {
	ZONE_MAX = 256 * 1024,
};

/* A domain, its rows, and the last look. */
struct view {
	struct api_request *r;
	struct domain domain;
	struct dns_zone zone;
	struct records_conf conf;
	struct records *records;
	int64_t since_ms[RECORDS_MAX];
	struct dns_mute mutes[RECORDS_MAX]; /* at_ms 0: not muted */
};

static bool
take_mute(void *arg, const struct dns_mute *m)
{
	struct view *v = arg;

	for (size_t i = 0; i < v->records->count; i++) {
		if (str_eq(v->records->rows[i].key, m->name))
			v->mutes[i] =
				(struct dns_mute){ .by = arena_str(v->r->arena, m->by),
				                   .at_ms = m->at_ms };
	}
	return true;
}

static bool
take_row(void *arg, const struct dns_row *stored)
{
	struct view *v = arg;

	for (size_t i = 0; i < v->records->count; i++) {
		struct record_row *row = &v->records->rows[i];

		if (!str_eq(row->key, stored->name))
			continue;
		domain_records_take(row, stored, v->r->arena);
		v->since_ms[i] = stored->since_ms;
	}
	return true;
}

/* False: a problem has been answered. */
static bool
read_view(struct api_request *r, struct view *v)
{
	struct addr ips[RECORDS_IPS_MAX];
	struct domain_records_host host = { .conf = r->api->conf,
		                            .tls = r->api->tls,
		                            .ips = ips };
	enum err e;

	*v = (struct view){ .r = r };
	if (!names_find_domain(r, r->params[0], &v->domain))
		return false;
	e = reader_dns_zone(r->api->reader, v->domain.id, r->arena, &v->zone);
	if (e == ERR_NOT_FOUND)
		e = OK;
	if (e == OK) {
		host.ip_count = domain_records_ips(v->zone.facts, ips, RECORDS_IPS_MAX);
		e = domain_records_conf(r->api->reader, &host, v->domain.id,
		                        v->domain.name, r->arena, &v->conf);
	}
	if (e == OK) {
		v->records = records_make(&v->conf, r->arena);
		e = reader_dns_rows(r->api->reader, v->domain.id, take_row, v);
	}
	if (e == OK)
		e = reader_dns_mutes(r->api->reader, v->domain.id, take_mute, v);
	if (e != OK)
		api_problem_err(r, e);
	return e == OK;
}

static void
write_count(struct json_out *j, const struct view *v, const char *key, bool is_required)
{
	int64_t total = 0, good = 0;

	for (size_t i = 0; i < v->records->count; i++) {
		const struct record_row *row = &v->records->rows[i];

		if (v->mutes[i].at_ms || (is_required ? row->need > RECORD_TO_SEND
		                                      : row->need != RECORD_SHOULD))
			continue;
		total++;
		good += row->state == RECORD_OK || row->state == RECORD_OPTIONAL;
	}
	json_open_object(j, key);
	json_i64(j, "ok", good);
	json_i64(j, "total", total);
	json_close_object(j);
}

static void
write_servers(struct json_out *j, struct str servers)
{
	struct str one;

	json_open_array(j, "servers");
	while (str_next(&servers, ',', &one))
		json_str(j, NULL, str_trim(one));
	json_close_array(j);
}

static void
write_item(struct json_out *j, const struct view *v, size_t i)
{
	const struct record_row *row = &v->records->rows[i];

	json_open_object(j, NULL);
	domain_records_row(j, row);
	json_time(j, "since", v->since_ms[i]);
	json_time(j, "cached_until",
	          row->cached_s ? v->zone.checked_ms + row->cached_s * 1000LL : 0);
	json_bool(j, "muted", v->mutes[i].at_ms > 0);
	json_time(j, "muted_at", v->mutes[i].at_ms);
	json_str_or_null(j, "muted_by", v->mutes[i].by);
	json_close_object(j);
}

static int64_t
muted_count(const struct view *v)
{
	int64_t n = 0;

	for (size_t i = 0; i < v->records->count; i++)
		n += v->mutes[i].at_ms > 0;
	return n;
}

void
domains_dns(struct api_request *r)
{
	struct strbuf b = api_buffer(r);
	struct json_out j = json_out_on(&b);
	struct view v;

	if (!read_view(r, &v))
		return;
	json_open_object(&j, NULL);
	json_time(&j, "checked_at", v.zone.checked_ms);
	json_time(&j, "next_at", v.zone.checked_ms ? v.zone.next_ms : 0);
	json_bool(&j, "checking", v.zone.asked_ms > v.zone.checked_ms);
	write_servers(&j, v.zone.servers);
	write_count(&j, &v, "required", true);
	write_count(&j, &v, "recommended", false);
	json_i64(&j, "muted", muted_count(&v));
	json_open_array(&j, "items");
	for (size_t i = 0; i < v.records->count; i++)
		write_item(&j, &v, i);
	json_close_array(&j);
	json_close_object(&j);
	api_reply_json(r, 200, strbuf_str(&b));
}

/* --- looking now -------------------------------------------------------------------- */

static void
asked(struct api_request *r)
{
	struct strbuf b = api_buffer(r);
	struct json_out j = json_out_on(&b);

	api_header(r, "Location",
	           arena_printf(r->arena, "/api/v1/domains/%.*s/dns",
	                        STR_ARG(*(struct str *)r->state)));
	json_open_object(&j, NULL);
	json_str(&j, "domain", *(struct str *)r->state);
	json_bool(&j, "checking", true);
	json_close_object(&j);
	api_reply_json(r, 202, strbuf_str(&b));
}

void
domains_dns_check(struct api_request *r)
{
	struct str *name = ARENA_NEW(r->arena, struct str);
	struct op_dns_ask op;
	struct domain d;

	if (!names_find_domain(r, r->params[0], &d))
		return;
	op.domain = *name = d.name;
	r->state = name;
	r->next = asked;
	r->call = store_dns_ask(r->api->store, &op, api_done, r);
}

/* --- leaving one as it is ------------------------------------------------------------ */

static void
mute_done(struct api_request *r)
{
	struct strbuf b = api_buffer(r);
	struct json_out j = json_out_on(&b);
	struct view v;

	if (!read_view(r, &v))
		return;
	for (size_t i = 0; i < v.records->count; i++) {
		if (!str_eq(v.records->rows[i].key, r->params[1]))
			continue;
		write_item(&j, &v, i);
		api_reply_json(r, 200, strbuf_str(&b));
		return;
	}
	api_problem(r, PROBLEM_NOT_FOUND, NULL);
}

void
domains_dns_mute(struct api_request *r)
{
	static const struct field_spec spec = { .name = "muted",
		                                .kind = FIELD_BOOL,
		                                .flags = FIELD_MUST };
	struct op_dns_mute op = { .actor = api_actor(r) };
	struct field f;
	struct view v;
	size_t i = 0;

	if (!fields_read(r, &spec, 1, &f) || !read_view(r, &v))
		return;
	while (i < v.records->count && !str_eq(v.records->rows[i].key, r->params[1]))
		i++;
	if (i == v.records->count) {
		api_problem(r, PROBLEM_NOT_FOUND, NULL);
		return;
	}
	if (r->dry_run) {
		api_reply_dry_run(r, f.b ? "dns.mute" : "dns.unmute", r->params[1]);
		return;
	}
	op.domain = v.domain.name;
	op.name = r->params[1];
	op.is_muted = f.b;
	r->next = mute_done;
	r->call = store_dns_mute(r->api->store, &op, api_done, r);
}

/* --- the zone file ------------------------------------------------------------------ */

void
domains_dns_zone(struct api_request *r)
{
	static const struct field_spec specs[] = {
		{ .name = "only", .kind = FIELD_WORD, .words = "all missing" },
		{ .name = "style", .kind = FIELD_WORD, .words = "full relative" },
	};
	struct strbuf b = strbuf_arena(r->arena, ZONE_MAX);
	struct field f[ARRAY_LEN(specs)];
	struct view v;

	if (!fields_query(r, specs, ARRAY_LEN(specs), f) || !read_view(r, &v))
		return;
	records_zone_format(v.records, f[0].is_set && f[0].i == 1,
	                    f[1].is_set && f[1].i == 1 ? RECORDS_RELATIVE : RECORDS_FULL,
	                    &b);
	api_reply_text(r, 200, "text/dns; charset=utf-8", strbuf_str(&b));
}

/* --- history ------------------------------------------------------------------------ */

static bool
list_change(void *arg, const struct dns_change *c)
{
	struct page *p = arg;

	if (!page_take(p, names_id(p->r, "dnc", c->id)))
		return false;
	json_open_object(&p->j, NULL);
	json_str(&p->j, "id", names_id(p->r, "dnc", c->id));
	json_str(&p->j, "key", c->name);
	json_time(&p->j, "at", c->at_ms);
	json_str(&p->j, "was", c->old_state);
	json_str(&p->j, "state", c->state);
	json_str(&p->j, "cause", c->cause);
	json_cstr(&p->j, "reason", record_cause_text(record_cause_find(c->cause)));
	json_close_object(&p->j);
	return true;
}

void
domains_dns_history(struct api_request *r)
{
	struct page p;
	struct domain d;
	struct dns_changes_from from;

	if (!names_find_domain(r, r->params[0], &d))
		return;
	if (!page_begin_both(&p, r, "dns-history", d.name, "time", true))
		return;
	from = (struct dns_changes_from){ names_parse_id(p.after, "dnc"), !p.is_down };
	page_end(&p, reader_dns_changes(r->api->reader, d.id, from, p.limit + 1,
	                                list_change, &p));
}
