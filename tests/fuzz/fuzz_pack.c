/* Unpacking: the first byte of each step says what is taken next; packing what came out
   gives the same bytes back. */
#include "base/pack.h"
#include "base/panic.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
step(struct unpack *u, struct strbuf *again)
{
	uint8_t kind = unpack_u8(u);

	pack_u8(again, kind);
	switch (kind % 6) {
	case 0:
		pack_u8(again, unpack_u8(u));
		break;
	case 1:
		pack_u16(again, unpack_u16(u));
		break;
	case 2:
		pack_u32(again, unpack_u32(u));
		break;
	case 3:
		pack_u64(again, unpack_u64(u));
		break;
	case 4:
		pack_i64(again, unpack_i64(u));
		break;
	default:
		pack_str(again, unpack_str(u));
		break;
	}
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct str bytes = str_make(data, size);
	struct unpack u = unpack_from(bytes);
	struct strbuf again = strbuf_heap(size + 64);

	while (!u.bad && u.rest.n)
		step(&u, &again);
	CHECK(u.bad == !unpack_done(&u));
	if (!u.bad)
		CHECK(str_eq(strbuf_str(&again), bytes));
	else
		CHECK(unpack_u64(&u) == 0 && unpack_str(&u).n == 0);
	strbuf_release(&again);
	return 0;
}
