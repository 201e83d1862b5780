#include "tests/unit/api/http_gate_rig.h"

#include "base/panic.h"

int
http_gate_rig_run(const struct http_gate_rig *rig, struct str text, size_t piece,
                  struct strbuf *passed, unsigned *requests_out)
{
	struct http_gate g;
	struct http_head again;
	size_t done = 0, given = 0;
	int status = 0;

	*requests_out = 0;
	http_gate_init(&g, rig->head_max, rig->body_max);
	for (;;) {
		struct str in = str_make(text.p + done, given - done);
		size_t used;
		enum http_gate_next next = http_gate_input(&g, in, &used, passed);

		CHECK(used <= in.n);
		done += used;
		if (next == HTTP_GATE_STARTED) {
			CHECK(!http_head_parse(strbuf_str(&g.head_bytes), &again));
			strbuf_add(passed, strbuf_str(&g.head_bytes));
		} else if (next == HTTP_GATE_WAIT) {
			(*requests_out)++;
			http_gate_answered(&g);
		} else if (next == HTTP_GATE_BAD) {
			status = g.refusal->status;
			break;
		} else if (given == text.n) {
			break;
		} else {
			given += text.n - given < piece ? text.n - given : piece;
		}
	}
	http_gate_fini(&g);
	return status;
}
