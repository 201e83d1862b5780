/* Sums over rows of reports, on a thread: years of reports of a large domain are some
 * hundred thousand rows, which take longer than a loop may be held. */
#include "api/reports_received.h"

#include "base/mem.h"
#include "base/panic.h"

enum {
	WORK_MAGIC = 0x72707331,
	ARENA_BYTES = 8 << 20, /* API_PAGE_MAX + 1 sums with their strings */
	RUNNING_MAX = 8,
};

struct work {
	uint32_t magic;
	struct api_request *r; /* NULL: it is over, and nobody waits */
	reports_then_fn *then;
	void *state;
	/* of the thread, until it is done */
	struct arena *arena;
	struct reader *reader;
	struct report_sums_query query;
	struct report_sum *sums;
	size_t count;
	enum err error;
};

/* Threads that add up, for anybody. */
static unsigned running;

static bool
take(void *arg, const struct report_sum *sum)
{
	struct work *w = arg;
	struct report_sum *to = &w->sums[w->count];
	struct str *strs[] = { &to->key, &to->more, &to->name, &to->domains };

	*to = *sum;
	for (size_t i = 0; i < ARRAY_LEN(strs); i++)
		*strs[i] = arena_str(w->arena, *strs[i]);
	return ++w->count < w->query.limit;
}

static void
add_up(void *arg)
{
	struct work *w = CAST(work, WORK_MAGIC, arg);

	w->error = reader_report_sums(w->reader, &w->query, take, w);
}

static void
added_up(void *arg)
{
	struct work *w = CAST(work, WORK_MAGIC, arg);
	struct api_request *r = w->r;

	running--;
	reader_close(&w->reader);
	if (r) {
		r->release = NULL;
		w->then(r, w->state,
		        &(struct reports_added){ w->error, w->sums, w->count });
	}
	arena_free(&w->arena);
	w->magic = 0;
	mem_free(w);
}

static void
forget(struct api_request *r)
{
	CAST(work, WORK_MAGIC, r->state)->r = NULL;
}

void
reports_add_up(struct api_request *r, const struct report_sums_query *query,
               reports_then_fn *then, void *state)
{
	struct work *w;

	CHECK(query->limit <= API_PAGE_MAX + 1);
	if (running == RUNNING_MAX) {
		api_problem(r, PROBLEM_QUOTA, NULL);
		return;
	}
	running++;
	w = mem_alloc(sizeof(*w));
	w->magic = WORK_MAGIC;
	w->r = r;
	w->then = then;
	w->state = state;
	w->arena = arena_new(ARENA_BYTES);
	w->reader = reader_open(r->api->conf);
	w->query = *query;
	w->query.origin = arena_str(w->arena, query->origin);
	w->query.after.key = arena_str(w->arena, query->after.key);
	w->query.after.more = arena_str(w->arena, query->after.more);
	w->sums = ARENA_ARRAY(w->arena, struct report_sum, query->limit + 1);
	r->state = w;
	r->release = forget;
	loop_work(r->api->loop, add_up, added_up, w);
}
