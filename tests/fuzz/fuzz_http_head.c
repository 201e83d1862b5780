/* The gate in front of libmicrohttpd: whatever passes must be read the same way whether
   it comes whole or in pieces, and must begin with a head that is judged good again. */
#include "base/panic.h"
#include "tests/unit/api/http_gate_rig.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct str text = str_make(data, size);
	struct strbuf whole = strbuf_heap(1 << 22), pieces = strbuf_heap(1 << 22);
	const struct http_gate_rig rig = { .head_max = 4096, .body_max = 65536 };
	unsigned requests, again;
	int status;

	if (size > 65536)
		return 0;
	status = http_gate_rig_run(&rig, text, size ? size : 1, &whole, &requests);
	CHECK(http_gate_rig_run(&rig, text, 1, &pieces, &again) == status);
	CHECK(again == requests);
	CHECK(status || str_eq(strbuf_str(&whole), strbuf_str(&pieces)));
	strbuf_release(&whole);
	strbuf_release(&pieces);
	return 0;
}
