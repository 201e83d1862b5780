/* /stats: the figures of the overview. The delivery log counts by the hour. */
#include "api/fields.h"
#include "api/routes.h"
#include "base/clock.h"
#include "base/duration.h"

enum {
	HOURS_MAX = 24 * 31,
	METRICS = 6,
};

static const char *const metric_names[METRICS] = { "in",       "out",     "delivered",
	                                           "deferred", "refused", "bounced" };

struct figures {
	int64_t from_ms;
	size_t hours;
	int64_t points[METRICS][HOURS_MAX];
};

static bool
take_hour(void *arg, const struct trace_hour *h)
{
	struct figures *f = arg;
	int64_t at = (h->at_ms - f->from_ms) / HOUR_MS;
	const uint64_t values[METRICS] = { h->in,       h->out,     h->delivered,
		                           h->deferred, h->refused, h->bounced };

	if (at < 0 || (size_t)at >= f->hours)
		return true;
	for (size_t m = 0; m < METRICS; m++)
		f->points[m][at] = (int64_t)values[m];
	return true;
}

static void
write_totals(struct json_out *j, const struct figures *f)
{
	json_open_object(j, "totals");
	for (size_t m = 0; m < METRICS; m++) {
		int64_t total = 0;

		for (size_t i = 0; i < f->hours; i++)
			total += f->points[m][i];
		json_i64(j, metric_names[m], total);
	}
	json_close_object(j);
}

static void
write_queue(struct json_out *j, const struct queue_totals *t)
{
	uint64_t total = 0;

	json_open_object(j, "queue");
	for (unsigned s = 0; s < QUEUE_STATE_COUNT; s++) {
		json_i64(j, queue_state_name((enum queue_state)s),
		         (int64_t)t->by_state[s]);
		total += t->by_state[s];
	}
	json_i64(j, "total", (int64_t)total);
	if (t->oldest_ms)
		json_i64(j, "oldest_age_s", (clock_unix_ms() - t->oldest_ms) / 1000);
	else
		json_out_null(j, "oldest_age_s");
	json_close_object(j);
}

static void
write_series(struct json_out *j, const struct figures *f)
{
	json_open_array(j, "series");
	for (size_t m = 0; m < METRICS; m++) {
		json_open_object(j, NULL);
		json_cstr(j, "metric", metric_names[m]);
		json_open_array(j, "points");
		for (size_t i = 0; i < f->hours; i++)
			json_i64(j, NULL, f->points[m][i]);
		json_close_array(j);
		json_close_object(j);
	}
	json_close_array(j);
}

/* from and to as full hours; false: answered. */
static bool
read_range(struct api_request *r, int64_t *from_out, int64_t *to_out)
{
	enum { FROM, TO, COUNT };
	static const struct field_spec specs[COUNT] = {
		[FROM] = { .name = "from", .kind = FIELD_TIME },
		[TO] = { .name = "to", .kind = FIELD_TIME },
	};
	struct field f[COUNT];
	int64_t to;

	if (!fields_query(r, specs, COUNT, f))
		return false;
	to = f[TO].is_set ? f[TO].i : clock_unix_ms();
	*from_out = f[FROM].is_set ? f[FROM].i : to - 24 * HOUR_MS;
	*from_out -= *from_out % HOUR_MS;
	*to_out = to + (HOUR_MS - to % HOUR_MS) % HOUR_MS;
	if (*from_out >= 0 && *from_out < *to_out &&
	    *to_out - *from_out <= HOURS_MAX * HOUR_MS)
		return true;
	api_fault(r, STR("?from"), "out_of_range", "from before to, at most 31 days");
	api_problem(r, PROBLEM_INVALID, NULL);
	return false;
}

void
stats_get(struct api_request *r)
{
	struct figures *f = ARENA_NEW(r->arena, struct figures);
	struct strbuf b = api_buffer(r);
	struct json_out j = json_out_on(&b);
	struct queue_totals queue;
	int64_t to;
	enum err e;

	if (!read_range(r, &f->from_ms, &to))
		return;
	f->hours = (size_t)((to - f->from_ms) / HOUR_MS);
	e = trace_hours(r->api->traces, f->from_ms, to, take_hour, f);
	if (e == OK)
		e = reader_queue_totals(r->api->reader, &queue);
	if (e != OK) {
		api_problem_err(r, e);
		return;
	}
	json_open_object(&j, NULL);
	json_time(&j, "from", f->from_ms);
	json_time(&j, "to", to);
	json_i64(&j, "step_s", HOUR_MS / 1000);
	write_totals(&j, f);
	write_queue(&j, &queue);
	write_series(&j, f);
	json_close_object(&j);
	api_reply_json(r, 200, strbuf_str(&b));
}
