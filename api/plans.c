#include "api/plans.h"

#include "base/duration.h"
#include "base/mem.h"
#include "base/panic.h"

enum {
	PLANS_MAX = 32,
	LIFE_MS = 10 * MINUTE_MS,
};

struct plans {
	struct plan *rows[PLANS_MAX];
	size_t next;       /* which is overwritten next */
	struct plan taken; /* what plans_take gave out */
};

struct plans *
plans_new(void)
{
	return mem_alloc(sizeof(struct plans));
}

void
plans_free(struct plans **p)
{
	if (!*p)
		return;
	for (size_t i = 0; i < PLANS_MAX; i++)
		mem_free((*p)->rows[i]);
	mem_free(*p);
	*p = NULL;
}

const struct plan *
plans_add(struct plans *p, uint32_t verb, const uint64_t *ids, size_t count,
          int64_t now_ms)
{
	struct plan *plan = mem_alloc(sizeof(*plan));

	CHECK(count <= PLAN_IDS_MAX);
	plan->id = id_new("pln_");
	plan->verb = verb;
	plan->count = count;
	plan->expires_ms = now_ms + LIFE_MS;
	memcpy(plan->ids, ids, count * sizeof(*ids));
	mem_free(p->rows[p->next]);
	p->rows[p->next] = plan;
	p->next = (p->next + 1) % PLANS_MAX;
	return plan;
}

const struct plan *
plans_take(struct plans *p, struct str id, int64_t now_ms)
{
	for (size_t i = 0; i < PLANS_MAX; i++) {
		struct plan *plan = p->rows[i];

		if (!plan || !str_eq(id_str(&plan->id), id))
			continue;
		p->taken = *plan;
		mem_free(plan);
		p->rows[i] = NULL;
		return p->taken.expires_ms > now_ms ? &p->taken : NULL;
	}
	return NULL;
}
