/* /tls-policies: what other domains demand of the way to them (MTA-STS, RFC 8461), as it
 * was fetched, and what came of the last fetch. The queue process fetches (relay_sts.c). */
#include "api/fields.h"
#include "api/names.h"
#include "api/page.h"
#include "api/routes.h"
#include "base/clock.h"
#include "policy/mta_sts.h"

static const char *
state_of(const struct sts_row *row)
{
	if (!row->body.n)
		return "none";
	return row->expires_ms > clock_unix_ms() ? "holds" : "expired";
}

static void
write_policy(struct json_out *j, const struct sts_row *row)
{
	struct mta_sts_policy p = { 0 };
	const char *fault;
	bool is_known = row->body.n && mta_sts_policy_parse(row->body, &p, &fault) == OK;

	json_str(j, "domain", row->domain);
	json_cstr(j, "state", state_of(row));
	json_str_or_null(j, "mode",
	                 is_known ? str_from(mta_sts_mode_word(p.mode)) : STR(""));
	json_open_array(j, "mx");
	for (size_t i = 0; is_known && i < p.mx_count; i++)
		json_str(j, NULL, p.mx[i]);
	json_close_array(j);
	json_str_or_null(j, "policy_id", row->policy_id);
	json_time(j, "fetched_at", row->fetched_ms);
	json_time(j, "expires_at", row->expires_ms);
	json_time(j, "failed_at", row->failed_ms);
	json_str_or_null(j, "reason", row->fault);
	json_bool(j, "fetching", row->asked_ms > 0);
}

/* --- the list ------------------------------------------------------------------------ */

struct listing {
	struct page page;
	struct str search;
};

static bool
list_one(void *arg, const struct sts_row *row)
{
	struct listing *l = arg;

	if (str_find_icase(row->domain, l->search) == SIZE_MAX)
		return true;
	if (!page_take(&l->page, row->domain))
		return false;
	json_open_object(&l->page.j, NULL);
	write_policy(&l->page.j, row);
	json_close_object(&l->page.j);
	return true;
}

void
tls_policies_list(struct api_request *r)
{
	static const struct field_spec search = { .name = "search",
		                                  .kind = FIELD_STR,
		                                  .max = 254 };
	struct listing l;
	struct field f;

	if (!fields_query(r, &search, 1, &f) ||
	    !page_begin_both(&l.page, r, "tls-policies", f.s, "domain", false))
		return;
	l.search = f.s;
	page_end(&l.page, reader_sts_list(r->api->reader, page_names(&l.page),
	                                  NAMES_SCAN_MAX, list_one, &l));
}

/* --- one ----------------------------------------------------------------------------- */

/* False: answered. */
static bool
find(struct api_request *r, struct sts_row *row)
{
	struct str name;
	enum err e;

	if (!names_any_domain(r, r->params[0], &name))
		return false;
	e = reader_sts(r->api->reader, name, r->arena, row);
	if (e != OK)
		api_problem_err(r, e);
	return e == OK;
}

static void
reply(struct api_request *r, int status)
{
	struct strbuf b = api_buffer(r);
	struct json_out j = json_out_on(&b);
	struct sts_row row;

	if (!find(r, &row))
		return;
	json_open_object(&j, NULL);
	write_policy(&j, &row);
	json_close_object(&j);
	api_reply_json(r, status, strbuf_str(&b));
}

void
tls_policies_get(struct api_request *r)
{
	reply(r, 200);
}

static void
asked(struct api_request *r)
{
	reply(r, 202);
}

void
tls_policies_fetch(struct api_request *r)
{
	struct op_sts_ask op;
	struct sts_row row;

	if (!find(r, &row))
		return;
	if (r->dry_run) {
		api_reply_dry_run(r, "tls_policy.fetch", row.domain);
		return;
	}
	op.domain = row.domain;
	r->next = asked;
	r->call = store_sts_ask(r->api->store, &op, api_done, r);
}
