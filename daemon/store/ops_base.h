/* ops_base.h - what operations of several subjects have in common (store/ops.h). */
#ifndef STORE_OPS_BASE_H
#define STORE_OPS_BASE_H

#include "store/types.h"

/* Who did it: goes into the audit log and the event. Operations that have one write one
   audit row each. */
struct actor {
	struct str name;       /* "admin:ann", "token:3", "cli"; empty: no audit row */
	struct str ip;         /* may be empty */
	struct str request_id; /* may be empty */
};

struct answer_none {
	uint32_t unused;
};
struct answer_count {
	uint64_t count;
};
struct answer_id {
	uint64_t id;
	uint64_t version;
};

#endif
