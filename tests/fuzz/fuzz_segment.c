/* A record header from any bytes: what is read as one is written again to the same bytes. */
#include "base/panic.h"
#include "store/segment.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct str bytes = str_make(data, size);
	struct strbuf again = strbuf_heap(RECORD_HEADER_MAX);
	struct record r;
	enum err e = record_parse(bytes, &r);

	if (e == ERR_LIMIT)
		CHECK(r.header_bytes == 0 || r.header_bytes > size);
	if (e == OK) {
		uint32_t header_bytes = r.header_bytes;

		CHECK(header_bytes <= size);
		/* Longer strings than ours are read, and cut when written. */
		record_format(&r, &again);
		CHECK(again.overflow || r.header_bytes <= header_bytes);
	}
	strbuf_release(&again);
	return 0;
}
