/* plans.h - what a dry run of a bulk action showed, to be run on exactly that.
 *
 * Plans live in memory for ten minutes, the oldest go first when there are many; whoever
 * restarts the web process makes them again. */
#ifndef API_PLANS_H
#define API_PLANS_H

#include "base/ids.h"
#include "base/str.h"

#include <stddef.h>
#include <stdint.h>

enum {
	PLAN_IDS_MAX = 500,
};

struct plan {
	struct id id;  /* "pln_…" */
	uint32_t verb; /* enum queue_verb */
	uint64_t ids[PLAN_IDS_MAX];
	size_t count;
	int64_t expires_ms;
};

struct plans;

struct plans *plans_new(void);
void plans_free(struct plans **p);
/* count <= PLAN_IDS_MAX. The plan is good until the next call. */
const struct plan *plans_add(struct plans *p, uint32_t verb, const uint64_t *ids,
                             size_t count, int64_t now_ms);
/* The plan of that id, which can be taken once; NULL: none, or too old. */
const struct plan *plans_take(struct plans *p, struct str id, int64_t now_ms);

#endif
