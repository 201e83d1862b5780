/* POST /queue/actions: one action on many rows, by ids, by filter, or by a plan made with
   dry_run, which is run on exactly the rows that it showed. */
#include "api/again.h"
#include "api/fields.h"
#include "api/names.h"
#include "api/plans.h"
#include "api/queue.h"
#include "api/routes.h"
#include "base/clock.h"

enum {
	F_ACTION,
	F_FILTER,
	F_IDS,
	F_EXPECT,
	F_PLAN,
	F_COUNT,
	SAMPLES = 5,
};

/* In the order of enum queue_verb, from 1. */
#define ACTIONS "retry hold release bounce delete"
static const char *const action_words[] = { "retry", "hold", "release", "bounce",
	                                    "delete" };

static const struct field_spec specs[F_COUNT] = {
	[F_ACTION] = { .name = "action", .kind = FIELD_WORD, .words = ACTIONS },
	[F_FILTER] = { .name = "filter",
	               .kind = FIELD_STR,
	               .min = 1,
	               .max = FILTER_BYTES_MAX },
	[F_IDS] = { .name = "ids", .kind = FIELD_LIST, .min = 1, .max = PLAN_IDS_MAX },
	[F_EXPECT] = { .name = "expect_count", .kind = FIELD_I64, .max = INT64_MAX },
	[F_PLAN] = { .name = "plan_id", .kind = FIELD_STR, .min = 1, .max = 64 },
};

/* One row that is meant. */
struct meant {
	uint64_t id;
	struct str rcpt;
	const char *problem; /* why it cannot be done; NULL: it can */
	const char *detail;
};

struct selection {
	struct api_request *r;
	struct queue_filter filter;
	struct meant rows[PLAN_IDS_MAX];
	size_t count;
	bool is_over;
	uint32_t verb;
	uint64_t ids[PLAN_IDS_MAX]; /* those that can be done */
	size_t ids_count;
};

/* --- choosing --------------------------------------------------------------------- */

static void
add_row(struct selection *s, uint64_t id)
{
	struct meant *m = &s->rows[s->count++];
	struct queue_item item;
	enum err e = reader_queue_item(s->r->api->reader, id, s->r->arena, &item);

	m->id = id;
	if (e != OK || !queue_filter_has(&s->filter, &item)) {
		m->problem = "not_found";
		m->detail = "it is not in the queue";
		return;
	}
	m->rcpt = item.rcpt;
}

static bool
add_match(void *arg, const struct queue_item *item)
{
	struct selection *s = arg;

	if (!queue_filter_has(&s->filter, item))
		return true;
	s->is_over = s->count == PLAN_IDS_MAX;
	if (s->is_over)
		return false;
	s->rows[s->count++].id = item->id;
	return true;
}

static bool
select_by_filter(struct selection *s, struct str text)
{
	struct api_request *r = s->r;
	size_t n;
	enum err e;

	if (!queue_filter_read(r, text, STR(""), "/filter", &s->filter))
		return false;
	if (filter_is_empty(s->filter.filter)) {
		api_fault(r, STR("/filter"), "empty",
		          "an empty filter would mean everything");
		api_problem(r, PROBLEM_INVALID, NULL);
		return false;
	}
	e = reader_queue(r->api->reader, &s->filter.query, NAMES_SCAN_MAX, add_match, s);
	if (e != OK) {
		api_problem_err(r, e);
		return false;
	}
	if (s->is_over) {
		api_fault(r, STR("/filter"), "too_many",
		          "it finds more than %d: narrow it", PLAN_IDS_MAX);
		api_problem(r, PROBLEM_INVALID, NULL);
		return false;
	}
	n = s->count;
	for (s->count = 0; s->count < n;)
		add_row(s, s->rows[s->count].id);
	return true;
}

static bool
select_by_ids(struct selection *s, const struct field *ids)
{
	struct api_request *r = s->r;

	for (size_t i = 0; i < ids->n; i++) {
		uint64_t id = names_parse_id(ids->list[i], "q");

		if (!id) {
			api_fault(r, arena_printf(r->arena, "/ids/%zu", i), "bad_value",
			          "must be an id like q_55");
			api_problem(r, PROBLEM_INVALID, NULL);
			return false;
		}
		add_row(s, id);
	}
	return true;
}

static bool
select_by_plan(struct selection *s, struct str plan_id)
{
	struct api_request *r = s->r;
	const struct plan *plan = plans_take(r->api->plans, plan_id, clock_unix_ms());

	if (!plan) {
		api_fault(r, STR("/plan_id"), "not_found",
		          "there is no such plan (any more)");
		api_problem(r, PROBLEM_INVALID, NULL);
		return false;
	}
	s->verb = plan->verb;
	for (size_t i = 0; i < plan->count; i++)
		add_row(s, plan->ids[i]);
	return true;
}

/* Exactly one of ids, filter and plan_id; the first two with an action. */
static bool
check_selector(struct api_request *r, const struct field *f)
{
	unsigned selectors =
		(unsigned)f[F_FILTER].is_set + f[F_IDS].is_set + f[F_PLAN].is_set;

	if (selectors != 1)
		api_fault(r, STR("/filter"), "selector",
		          "give one of filter, ids and plan_id");
	else if (!f[F_PLAN].is_set && !f[F_ACTION].is_set)
		api_fault(r, STR("/action"), "missing", "is required");
	else if (f[F_PLAN].is_set && (f[F_ACTION].is_set || r->dry_run))
		api_fault(r, STR("/plan_id"), "selector",
		          "a plan says its action itself");
	if (!r->errors_count)
		return true;
	api_problem(r, PROBLEM_INVALID, NULL);
	return false;
}

/* --- answering -------------------------------------------------------------------- */

static void
reply_plan(struct api_request *r, struct selection *s)
{
	struct strbuf b = api_buffer(r);
	struct json_out j = json_out_on(&b);
	const struct plan *plan;

	for (size_t i = 0; i < s->count; i++)
		s->ids[i] = s->rows[i].id;
	plan = plans_add(r->api->plans, s->verb, s->ids, s->count, clock_unix_ms());
	json_open_object(&j, NULL);
	json_cstr(&j, "plan_id", plan->id.text);
	json_cstr(&j, "action", action_words[s->verb - 1]);
	json_i64(&j, "count", (int64_t)s->count);
	json_time(&j, "expires_at", plan->expires_ms);
	json_open_array(&j, "sample");
	for (size_t i = 0; i < s->count && i < SAMPLES; i++) {
		json_open_object(&j, NULL);
		json_str(&j, "id", names_id(r, "q", s->rows[i].id));
		json_str(&j, "to", s->rows[i].rcpt);
		json_close_object(&j);
	}
	json_close_array(&j);
	json_close_object(&j);
	api_reply_json(r, 200, strbuf_str(&b));
}

static void
write_failed(struct api_request *r, struct json_out *j, const struct meant *m)
{
	json_open_object(j, NULL);
	json_str(j, "id", names_id(r, "q", m->id));
	json_open_object(j, "error");
	json_cstr(j, "code", m->problem);
	json_cstr(j, "detail", m->detail);
	json_close_object(j);
	json_close_object(j);
}

static void
reply_result(struct api_request *r)
{
	struct selection *s = r->state;
	struct strbuf b = api_buffer(r);
	struct json_out j = json_out_on(&b);
	size_t failed = s->count - s->ids_count;

	json_open_object(&j, NULL);
	json_i64(&j, "done", (int64_t)s->ids_count);
	json_i64(&j, "failed", (int64_t)failed);
	json_open_array(&j, "items");
	for (size_t i = 0; i < s->count; i++) {
		if (s->rows[i].problem)
			write_failed(r, &j, &s->rows[i]);
	}
	json_close_array(&j);
	json_close_object(&j);
	api_reply_json(r, failed ? 207 : 200, strbuf_str(&b));
}

/* --- doing ------------------------------------------------------------------------ */

static void
action_done(void *arg, enum err e, const struct answer_count *answer)
{
	(void)answer; /* rows that were in that state already are done as well */
	api_continue(arg, e);
}

static void
run(struct api_request *r, struct selection *s)
{
	struct op_queue_action op = { .actor = api_actor(r),
		                      .verb = s->verb,
		                      .now_ms = clock_unix_ms() };

	for (size_t i = 0; i < s->count; i++) {
		if (!s->rows[i].problem)
			s->ids[s->ids_count++] = s->rows[i].id;
	}
	r->state = s;
	if (!s->ids_count) {
		reply_result(r);
		return;
	}
	op.ids = s->ids;
	op.ids_count = s->ids_count;
	r->next = reply_result;
	r->call = store_queue_action(r->api->store, &op, action_done, r);
}

void
queue_actions(struct api_request *r)
{
	struct selection *s = ARENA_NEW(r->arena, struct selection);
	struct field f[F_COUNT];
	bool is_good;

	if (!fields_read(r, specs, F_COUNT, f) || !check_selector(r, f))
		return;
	/* A plan is gone with its process, and a filter finds other rows now. */
	if (again_has_deeds(r)) {
		api_problem(r, PROBLEM_CONFLICT,
		            "it was done by the first request, whose answer was lost");
		return;
	}
	s->r = s->filter.r = r;
	s->verb = (uint32_t)f[F_ACTION].i + 1;
	if (f[F_PLAN].is_set)
		is_good = select_by_plan(s, f[F_PLAN].s);
	else if (f[F_IDS].is_set)
		is_good = select_by_ids(s, &f[F_IDS]);
	else
		is_good = select_by_filter(s, f[F_FILTER].s);
	if (!is_good)
		return;
	if (f[F_EXPECT].is_set && (uint64_t)f[F_EXPECT].i != s->count) {
		api_problem(r, PROBLEM_COUNT_CHANGED, "it finds %zu", s->count);
		return;
	}
	if (r->dry_run)
		reply_plan(r, s);
	else
		run(r, s);
}
