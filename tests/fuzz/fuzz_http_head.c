/* The gate in front of libmicrohttpd: whatever passes must be read the same way whether
   it comes whole or in pieces, and must begin with a head that is judged good again. */
#include "api/http_gate.h"

#include "base/panic.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Returns the status of a refusal, or 0. */
static int
feed(struct str text, size_t piece, struct strbuf *passed)
{
	struct http_gate g;
	size_t done = 0, given = 0;
	int status = 0;

	http_gate_init(&g, 4096, 65536);
	for (;;) {
		size_t used;
		enum http_gate_next next = http_gate_input(
			&g, str_make(text.p + done, given - done), &used, passed);

		CHECK(used <= given - done);
		done += used;
		if (next == HTTP_GATE_STARTED) {
			struct http_head again;

			CHECK(!http_head_parse(strbuf_str(&g.head_bytes), &again));
			strbuf_add(passed, strbuf_str(&g.head_bytes));
		} else if (next == HTTP_GATE_WAIT) {
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

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct str text = str_make(data, size);
	struct strbuf whole = strbuf_heap(1 << 22), pieces = strbuf_heap(1 << 22);
	int status;

	if (size > 65536)
		return 0;
	status = feed(text, size ? size : 1, &whole);
	CHECK(feed(text, 1, &pieces) == status);
	CHECK(status || str_eq(strbuf_str(&whole), strbuf_str(&pieces)));
	strbuf_release(&whole);
	strbuf_release(&pieces);
	return 0;
}
