/* Any reply gets a class, and always the same one: whatever its codes and words. */
#include "base/panic.h"
#include "queue/queue_reason.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	struct str text = str_make(data, n), enhanced = { 0 };
	enum queue_reason r;
	int code;

	if (n < 3)
		return 0;
	code = 400 + data[0] % 200;
	text = str_from_offset(text, 2);
	(void)str_next(&text, ' ', &enhanced);
	r = queue_reason_from_reply((enum queue_stage)(data[1] % 4), code, enhanced,
	                            text);
	CHECK(r > REASON_NONE && r < REASON_COUNT);
	CHECK(r == queue_reason_from_reply((enum queue_stage)(data[1] % 4), code,
	                                   enhanced, text));
	CHECK(queue_reason_find(str_from(queue_reason_info(r)->word)) == r);
	return 0;
}
