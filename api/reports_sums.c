/* /reports/dmarc and /reports/tls: all reports of a time, added up.
 *
 * DMARC: by origin, which is a service that sends for many, or the address itself; with
 * origin= by the addresses of that one. Each comes with what to do if it was you. */
#include "api/domain_records.h"
#include "api/names.h"
#include "api/reports_received.h"
#include "api/routes.h"

enum {
	ADVICE_MAX = 1000,
};

struct listing {
	struct page page;
	struct reports_query q;
	struct reports_own own;
};

/* --- what to do --------------------------------------------------------------------- */

void
reports_own_find(struct api_request *r, uint64_t domain_id, struct reports_own *out)
{
	struct dns_zone zone;

	out->count = 0;
	if (domain_id &&
	    reader_dns_zone(r->api->reader, domain_id, r->arena, &zone) == OK)
		out->count = domain_records_ips(zone.facts, out->ips, RECORDS_IPS_MAX);
}

bool
reports_own_has(const struct reports_own *own, struct str source)
{
	struct addr ip;

	if (!addr_parse_ip(source, &ip))
		return false;
	for (size_t i = 0; i < own->count; i++) {
		if (addr_eq_ip(&own->ips[i], &ip))
			return true;
	}
	return false;
}

struct str
reports_origin_name(struct str origin)
{
	const struct report_service *service = report_service_find(origin);

	return service    ? str_from(service->name)
	       : origin.n ? origin
	                  : STR("many small sources");
}

static void
advise_service(struct strbuf *b, const struct report_service *service, struct str domain)
{
	strbuf_printf(
		b,
		"If you send with %s: switch on DKIM for %.*s there and publish the "
		"records that it shows you.",
		service->name, STR_ARG(domain));
	if (*service->spf)
		strbuf_printf(b,
		              " Put %s into the SPF record as well, and have it use a "
		              "return address of %.*s.",
		              service->spf, STR_ARG(domain));
	strbuf_lit(b, " If you do not: somebody else does, in your name.");
}

static const char *
term_of(struct str source)
{
	return str_find(source, ':') == SIZE_MAX ? "ip4:" : "ip6:";
}

struct str
reports_advice(struct api_request *r, struct str domain, const struct report_sum *sum,
               bool is_ours)
{
	struct strbuf b = strbuf_arena(r->arena, ADVICE_MAX);
	const struct report_service *service = report_service_find(sum->key);

	if (!sum->bad)
		return STR("");
	if (!sum->key.n)
		strbuf_lit(&b, "The smallest sources of large reports, added up.");
	else if (is_ours)
		strbuf_lit(&b, "This is your own server. Look at SPF and DKIM on the "
		               "domain's records page: one of them is missing or wrong. "
		               "If both are right, it was mail that somebody sent on.");
	else if (service)
		advise_service(&b, service, domain);
	else
		strbuf_printf(&b,
		              "If this server is yours: let it send through this one, "
		              "with a login, or put %s%.*s into the SPF record and have "
		              "it use a sender of %.*s, or give it a DKIM key. If it is "
		              "not: somebody else sends in your name, or sent your mail "
		              "on.",
		              term_of(sum->key), STR_ARG(sum->key), STR_ARG(domain));
	return strbuf_str(&b);
}

/* The term that would let it send; empty: there is none. */
static struct str
spf_term(const struct listing *l, const struct report_sum *sum,
         const struct report_service *service)
{
	if (service)
		return str_from(service->spf);
	if (!sum->key.n)
		return STR("");
	return arena_printf(
		l->page.r->arena, "%s%.*s",
		str_find(sum->key, ':') == SIZE_MAX ? "ip4:" : "ip6:", STR_ARG(sum->key));
}

/* The page of sums, then those over everything. */
static void
finish(struct listing *l, const struct reports_added *added,
       reader_report_sum_fn *list_one, const char *good)
{
	enum err e = added->error;

	for (size_t i = 0; i < added->count && list_one(l, &added->sums[i]); i++)
		continue;
	page_end_items(&l->page);
	if (e == OK)
		e = reports_write_which(&l->page, &l->q);
	if (e == OK)
		e = reports_write_sums(&l->page, &l->q, good, "failed");
	page_end(&l->page, e);
}

/* --- DMARC -------------------------------------------------------------------------- */

static void
write_service(struct json_out *j, const struct report_service *service)
{
	if (!service) {
		json_out_null(j, "service");
		return;
	}
	json_open_object(j, "service");
	json_cstr(j, "id", service->word);
	json_cstr(j, "name", service->name);
	json_close_object(j);
}

static bool
list_origin(void *arg, const struct report_sum *sum)
{
	struct listing *l = arg;
	struct json_out *j = &l->page.j;
	bool is_source = l->q.origin.n > 0;
	const struct report_service *service =
		report_service_find(is_source ? l->q.origin : sum->key);

	if (!page_take(&l->page, reports_cursor(l->page.r, sum)))
		return false;
	json_open_object(j, NULL);
	json_str(j, is_source ? "source" : "origin", sum->key);
	write_service(j, service);
	json_bool(j, "ours", reports_own_has(&l->own, sum->key));
	json_i64(j, "messages", (int64_t)(sum->good + sum->bad));
	json_i64(j, "aligned", (int64_t)sum->good);
	json_i64(j, "failed", (int64_t)sum->bad);
	json_i64(j, "aligned_spf", (int64_t)sum->spf);
	json_i64(j, "aligned_dkim", (int64_t)sum->dkim);
	json_i64(j, "quarantined", (int64_t)sum->quarantined);
	json_i64(j, "rejected", (int64_t)sum->rejected);
	json_i64(j, "reports", (int64_t)sum->reports);
	json_str(j, "header_from", sum->name);
	names_write_words(j, "domains", sum->domains, false);
	json_time(j, "last_at", sum->last_ms);
	json_str_or_null(j, "advice",
	                 reports_advice(l->page.r,
	                                l->q.domain.n ? l->q.domain : sum->name, sum,
	                                reports_own_has(&l->own, sum->key)));
	json_str_or_null(j, "spf_term", sum->bad ? spf_term(l, sum, service) : STR(""));
	json_close_object(j);
	return true;
}

static void
dmarc_added(struct api_request *r, void *state, const struct reports_added *added)
{
	(void)r;
	finish(state, added, list_origin, "aligned");
}

void
reports_dmarc(struct api_request *r)
{
	struct listing *l = ARENA_NEW(r->arena, struct listing);
	struct report_sums_query query = { .group = REPORT_ORIGINS };

	if (!reports_query_read(r, REPORT_DMARC, &l->q) ||
	    !page_begin(&l->page, r, "reports-dmarc", l->q.filter))
		return;
	reports_own_find(r, l->q.which.domain_id, &l->own);
	query.which = l->q.which;
	query.origin = l->q.origin;
	query.group = l->q.origin.n ? REPORT_SOURCES : REPORT_ORIGINS;
	query.after = reports_after(l->page.after);
	query.limit = l->page.limit + 1;
	reports_add_up(r, &query, dmarc_added, l);
}

/* --- TLS ---------------------------------------------------------------------------- */

static bool
list_failure(void *arg, const struct report_sum *sum)
{
	struct listing *l = arg;
	struct json_out *j = &l->page.j;

	if (!page_take(&l->page, reports_cursor(l->page.r, sum)))
		return false;
	json_open_object(j, NULL);
	json_str(j, "kind", sum->key);
	json_str(j, "mx", sum->more);
	json_i64(j, "sessions", (int64_t)sum->bad);
	json_i64(j, "reports", (int64_t)sum->reports);
	json_time(j, "last_at", sum->last_ms);
	json_str(j, "detail", sum->name);
	json_str_or_null(j, "meaning", str_from(report_failure_text(sum->key)));
	json_close_object(j);
	return true;
}

static void
tls_added(struct api_request *r, void *state, const struct reports_added *added)
{
	(void)r;
	finish(state, added, list_failure, "secured");
}

void
reports_tls(struct api_request *r)
{
	struct listing *l = ARENA_NEW(r->arena, struct listing);
	struct report_sums_query query = { .group = REPORT_FAILURES };

	if (!reports_query_read(r, REPORT_TLS, &l->q) ||
	    !page_begin(&l->page, r, "reports-tls", l->q.filter))
		return;
	query.which = l->q.which;
	query.after = reports_after(l->page.after);
	query.limit = l->page.limit + 1;
	reports_add_up(r, &query, tls_added, l);
}
