/* PROXY headers: whole and byte by byte end alike, and never take more than there is. */
#include "base/panic.h"
#include "io/proxy.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct proxy_header whole, part;
	size_t used, part_used;
	enum proxy_result result = proxy_parse(str_make(data, size), &whole, &used);
	enum proxy_result found = PROXY_MORE;

	CHECK(used <= size && used <= PROXY_HEADER_MAX);
	for (size_t n = 0; n <= size && found == PROXY_MORE; n++)
		found = proxy_parse(str_make(data, n), &part, &part_used);
	CHECK(found == result);
	if (result == PROXY_OK) {
		CHECK(part_used == used);
		CHECK(whole.is_local == part.is_local);
		CHECK(whole.is_local || addr_eq_ip(&whole.peer, &part.peer));
	}
	return 0;
}
