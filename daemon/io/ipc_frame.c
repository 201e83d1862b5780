#include "base/pack.h"
#include "base/panic.h"
#include "io/ipc.h"

enum {
	LENGTH_BYTES = 4,
	AFTER_LENGTH = IPC_HEADER_BYTES - LENGTH_BYTES,
};

enum ipc_frame
ipc_parse(struct str bytes, struct ipc_message *m_out, size_t *used_out)
{
	struct unpack u = unpack_from(bytes);
	uint32_t n;

	*used_out = 0;
	*m_out = (struct ipc_message){ 0 };
	if (bytes.n < LENGTH_BYTES)
		return IPC_FRAME_MORE;
	n = unpack_u32(&u);
	if (n < AFTER_LENGTH || n > AFTER_LENGTH + IPC_FRAME_MAX)
		return IPC_FRAME_ERROR;
	if (bytes.n - LENGTH_BYTES < n)
		return IPC_FRAME_MORE;
	m_out->kind = unpack_u16(&u);
	m_out->id = unpack_u64(&u);
	m_out->payload = str_first(u.rest, n - AFTER_LENGTH);
	*used_out = LENGTH_BYTES + n;
	return IPC_FRAME_OK;
}

void
ipc_format(struct strbuf *out, uint16_t kind, uint64_t id, struct str payload)
{
	CHECK(payload.n <= IPC_FRAME_MAX);
	if (!strbuf_reserve(out, IPC_HEADER_BYTES + payload.n))
		return;
	pack_u32(out, (uint32_t)(payload.n + AFTER_LENGTH));
	pack_u16(out, kind);
	pack_u64(out, id);
	strbuf_add(out, payload);
}
