/* http_gate_rig.h - what a client says, on its way through the gate. */
#ifndef TESTS_UNIT_API_HTTP_GATE_RIG_H
#define TESTS_UNIT_API_HTTP_GATE_RIG_H

#include "api/http_gate.h"

struct http_gate_rig {
	size_t head_max;
	uint64_t body_max;
};

/* Feeds text in pieces of that many bytes, answers each request when it is whole, and
   notes what went on. Panics where a head that passes is not judged good again. The
   status of a refusal, 0: there was none. */
int http_gate_rig_run(const struct http_gate_rig *rig, struct str text, size_t piece,
                      struct strbuf *passed, unsigned *requests_out);

#endif
