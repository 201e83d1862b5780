/* Frames between processes: what is read is what would be written. */
#include "base/panic.h"
#include "io/ipc.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct str rest = str_make(data, size);
	struct strbuf again = strbuf_heap(1 << 22);
	struct ipc_message m;
	size_t used;

	while (ipc_parse(rest, &m, &used) == IPC_FRAME_OK) {
		CHECK(used >= IPC_HEADER_BYTES && used <= rest.n);
		strbuf_clear(&again);
		ipc_format(&again, m.kind, m.id, m.payload);
		CHECK(str_eq(strbuf_str(&again), str_first(rest, used)));
		rest = str_from_offset(rest, used);
	}
	strbuf_release(&again);
	return 0;
}
