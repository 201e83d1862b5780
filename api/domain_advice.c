/* /domains/{domain}/policies/{policy}/advice: what the next step of a ladder would have
 * changed in the mail actually seen: by the reports of the last 30 days. */
#include "api/domain_records.h"
#include "api/names.h"
#include "api/reports_received.h"
#include "api/routes.h"
#include "base/clock.h"
#include "base/duration.h"

#include <stdlib.h>

enum {
	DAYS = 30,
	DAYS_ENOUGH =
		14, /* between the first and the last report before a step is advised */
	SHARE_ENOUGH = 98, /* percent of messages that are aligned */
	SOURCES_MAX = 500, /* looked at */
	SOURCES_SHOWN = 10,
	TEXT_MAX = 1000,
};

/* One step of a ladder. */
struct rung {
	const char *word; /* policy or mode */
	bool is_testing;
	const char *does; /* to what fails there: "would have been …"; NULL: nothing */
};

static const struct rung dmarc_rungs[] = {
	{ "none", false, NULL },
	{ "quarantine", true, NULL },
	{ "quarantine", false, "gone to Junk" },
	{ "reject", true, "gone to Junk" },
	{ "reject", false, "been refused" },
};
static const struct rung sts_rungs[] = {
	{ "none", false, NULL },
	{ "testing", false, NULL },
	{ "enforce", false, "failed to arrive" },
};

struct advice {
	struct api_request *r;
	struct domain domain;
	bool is_dmarc;
	const struct rung *here, *next; /* next NULL: there is none */
	struct report_sum all;
	int64_t first_ms, last_ms;  /* of the reports */
	struct report_sum *sources; /* that failed, most first */
	size_t source_count;
	struct reports_own own;
};

/* --- where it stands ---------------------------------------------------------------- */

static const struct rung *
rung_of(const struct rung *rungs, size_t count, const char *word, bool is_testing)
{
	for (size_t i = 0; i < count; i++) {
		if (str_eq(str_from(rungs[i].word), str_from(word)) &&
		    rungs[i].is_testing == is_testing)
			return &rungs[i];
	}
	return &rungs[0]; /* none with t=y is none */
}

static void
stand(struct advice *a, const struct domain_policies *p)
{
	static const char *const modes[] = { "none", "testing", "enforce" };
	const struct rung *rungs = a->is_dmarc ? dmarc_rungs : sts_rungs;
	size_t count = a->is_dmarc ? ARRAY_LEN(dmarc_rungs) : ARRAY_LEN(sts_rungs);

	a->here = a->is_dmarc ? rung_of(rungs, count, p->dmarc_policy, p->dmarc_testing)
	                      : rung_of(rungs, count, modes[p->sts_mode], false);
	a->next = a->here + 1 < rungs + count ? a->here + 1 : NULL;
}

/* --- what was seen ------------------------------------------------------------------ */

static bool
take_all(void *arg, const struct report_sum *sum)
{
	struct advice *a = arg;

	a->all = (struct report_sum){ .reports = sum->reports,
		                      .good = sum->good,
		                      .bad = sum->bad };
	a->first_ms = sum->first_ms;
	a->last_ms = sum->last_ms;
	return true;
}

/* Those that failed. */
static void
take_sources(struct advice *a, const struct reports_added *added)
{
	for (size_t i = 0; i < added->count; i++) {
		const struct report_sum *sum = &added->sums[i];

		if (sum->bad)
			a->sources[a->source_count++] = *sum;
	}
}

static int
compare(const void *x, const void *y)
{
	uint64_t a = ((const struct report_sum *)x)->bad;
	uint64_t b = ((const struct report_sum *)y)->bad;

	return a < b ? 1 : a > b ? -1 : 0;
}

static struct report_sums_query
question(const struct advice *a, enum report_group group)
{
	return (struct report_sums_query){
		.which = { .domain_id = a->domain.id,
		           .kind = a->is_dmarc ? REPORT_DMARC : REPORT_TLS,
		           .from_ms = clock_unix_ms() - (DAYS + 1) * DAY_MS,
		           .to_ms = clock_unix_ms() + DAY_MS },
		.group = group,
		.limit = SOURCES_MAX,
	};
}

/* --- in words ----------------------------------------------------------------------- */

static bool
is_long_enough(const struct advice *a)
{
	return a->last_ms - a->first_ms >= (DAYS_ENOUGH - 1) * DAY_MS;
}

static bool
is_ready(const struct advice *a)
{
	uint64_t all = a->all.good + a->all.bad;

	if (!a->next || !all || !is_long_enough(a))
		return false;
	/* Testing changes nothing for mail; and a session that fails is a message lost. */
	if (!a->next->does)
		return true;
	return a->is_dmarc ? a->all.good * 100 >= all * SHARE_ENOUGH : !a->all.bad;
}

/* "99.2 %", never rounded up. */
static void
add_share(struct strbuf *b, uint64_t part, uint64_t all)
{
	uint64_t share = all ? part * 1000 / all : 0;

	strbuf_printf(b, "%llu.%llu %%", (unsigned long long)share / 10,
	              (unsigned long long)share % 10);
}

static void
add_sources(struct strbuf *b, const struct advice *a)
{
	for (size_t i = 0; i < a->source_count && i < 3; i++) {
		const struct report_sum *s = &a->sources[i];
		struct str name = a->is_dmarc ? reports_origin_name(s->key) : s->key;

		strbuf_printf(b, "%s%.*s (%llu)", i ? ", " : ": ", STR_ARG(name),
		              (unsigned long long)s->bad);
	}
	if (a->source_count > 3)
		strbuf_printf(b, " and %zu more", a->source_count - 3);
}

static void
add_effect(struct strbuf *b, const struct advice *a)
{
	const char *what = a->is_dmarc ? "messages" : "sessions";
	const char *sources = a->source_count == 1 ? "source" : "sources";

	if (!a->next) {
		strbuf_lit(b, " This is the last step.");
	} else if (!a->all.bad) {
		strbuf_lit(b, " The next step would have changed nothing for them.");
	} else if (!a->next->does) {
		strbuf_printf(
			b,
			" The next step only tries it out: nothing happens to mail. "
			"%llu %s from %zu %s would fail later",
			(unsigned long long)a->all.bad, what, a->source_count, sources);
		add_sources(b, a);
		strbuf_byte(b, '.');
	} else {
		strbuf_printf(b, " At the next step, %llu %s from %zu %s would have %s",
		              (unsigned long long)a->all.bad, what, a->source_count,
		              sources, a->next->does);
		add_sources(b, a);
		strbuf_byte(b, '.');
	}
	if (a->next && !is_long_enough(a))
		strbuf_printf(b, " Reports cover less than %d days yet: wait.",
		              DAYS_ENOUGH);
	else if (is_ready(a))
		strbuf_lit(b, " The step can be taken.");
	else if (a->next)
		strbuf_lit(b, " See to those first that are yours.");
}

static struct str
words(const struct advice *a)
{
	struct strbuf b = strbuf_arena(a->r->arena, TEXT_MAX);
	uint64_t all = a->all.good + a->all.bad;

	if (!all) {
		strbuf_printf(
			&b,
			"No report of the last %d days says anything of this domain: "
			"what a step would change is not known. Wait for reports; they "
			"come a day or two after the record is published.",
			DAYS);
		return strbuf_str(&b);
	}
	strbuf_printf(&b, "Of %llu %s in the reports of the last %d days, ",
	              (unsigned long long)all, a->is_dmarc ? "messages" : "sessions",
	              DAYS);
	add_share(&b, a->all.good, all);
	strbuf_printf(&b, " were %s.", a->is_dmarc ? "aligned" : "secured");
	add_effect(&b, a);
	return strbuf_str(&b);
}

/* --- answering ---------------------------------------------------------------------- */

static void
write_rung(struct json_out *j, const char *key, const struct advice *a,
           const struct rung *rung)
{
	if (!rung) {
		json_out_null(j, key);
		return;
	}
	json_open_object(j, key);
	json_cstr(j, a->is_dmarc ? "policy" : "mode", rung->word);
	if (a->is_dmarc)
		json_bool(j, "testing", rung->is_testing);
	json_close_object(j);
}

static void
write_source(struct json_out *j, const struct advice *a, const struct report_sum *s)
{
	json_open_object(j, NULL);
	if (a->is_dmarc) {
		json_str(j, "name", reports_origin_name(s->key));
		json_str(j, "origin", s->key);
		json_str(j, "advice",
		         reports_advice(a->r, a->domain.name, s,
		                        reports_own_has(&a->own, s->key)));
	} else {
		json_str(j, "name", s->key);
		json_str(j, "mx", s->more);
		json_str(j, "advice", str_from(report_failure_text(s->key)));
	}
	json_i64(j, "failed", (int64_t)s->bad);
	json_close_object(j);
}

static void
reply(const struct advice *a)
{
	struct strbuf b = api_buffer(a->r);
	struct json_out j = json_out_on(&b);

	json_open_object(&j, NULL);
	json_str(&j, "domain", a->domain.name);
	json_cstr(&j, "name", a->is_dmarc ? "dmarc" : "mta_sts");
	json_i64(&j, "days", DAYS);
	write_rung(&j, "current", a, a->here);
	write_rung(&j, "next", a, a->next);
	json_i64(&j, "reports", (int64_t)a->all.reports);
	json_i64(&j, "good", (int64_t)a->all.good);
	json_i64(&j, "failed", (int64_t)a->all.bad);
	json_i64(&j, "affected", a->next && a->next->does ? (int64_t)a->all.bad : 0);
	json_bool(&j, "ready", is_ready(a));
	json_str(&j, "text", words(a));
	json_open_array(&j, "sources");
	for (size_t i = 0; i < a->source_count && i < SOURCES_SHOWN; i++)
		write_source(&j, a, &a->sources[i]);
	json_close_array(&j);
	json_i64(&j, "more_sources",
	         a->source_count > SOURCES_SHOWN
	                 ? (int64_t)(a->source_count - SOURCES_SHOWN)
	                 : 0);
	json_close_object(&j);
	api_reply_json(a->r, 200, strbuf_str(&b));
}

/* Its sums live until this returns. */
static void
added(struct api_request *r, void *state, const struct reports_added *sums)
{
	struct advice *a = state;

	if (sums->error != OK) {
		api_problem_err(r, sums->error);
		return;
	}
	take_sources(a, sums);
	qsort(a->sources, a->source_count, sizeof(*a->sources), compare);
	reply(a);
}

void
domain_policies_advice(struct api_request *r)
{
	struct advice *a = ARENA_NEW(r->arena, struct advice);
	struct report_sums_query query;
	struct domain_policies p;
	struct str name;
	enum err e;

	a->r = r;
	a->is_dmarc = str_eq(r->params[1], STR("dmarc"));
	if (!names_domain(r, r->params[0], &name))
		return;
	/* TLS reports are no ladder: there is nothing to be careful about. */
	if (!a->is_dmarc && !str_eq(r->params[1], STR("mta_sts"))) {
		api_problem(r, PROBLEM_NOT_FOUND, NULL);
		return;
	}
	e = reader_domain(r->api->reader, name, r->arena, &a->domain);
	if (e == OK)
		e = domain_policies_read(r->api->reader, a->domain.id, a->domain.name,
		                         r->arena, &p);
	if (e == OK) {
		stand(a, &p);
		reports_own_find(r, a->domain.id, &a->own);
		query = question(a, REPORT_ALL);
		e = reader_report_sums(r->api->reader, &query, take_all, a);
	}
	if (e != OK) {
		api_problem_err(r, e);
		return;
	}
	a->sources = ARENA_ARRAY(r->arena, struct report_sum, SOURCES_MAX);
	query = question(a, a->is_dmarc ? REPORT_ORIGINS : REPORT_FAILURES);
	reports_add_up(r, &query, added, a);
}
