/* Operations, answers, events and changes from any bytes. The first byte says which; what
   is read is packed again, and that is read to the same bytes. */
#include "base/arena.h"
#include "base/panic.h"
#include "store/change.h"
#include "store/events.h"
#include "store/ops.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
walk(struct str bytes)
{
	struct strbuf again = strbuf_heap(bytes.n + 1);
	struct str rest = bytes;
	struct trace_event event;
	struct change change;

	while (events_next(&rest, &event))
		CHECK(rest.n < bytes.n);
	rest = bytes;
	while (change_next(&rest, &change)) {
		CHECK(rest.n < bytes.n);
		change_pack(&again, &change);
	}
	/* Up to what is cut off, the same bytes. */
	CHECK(str_starts(bytes, strbuf_str(&again)));
	strbuf_release(&again);
}

static void
op_twice(enum op op, struct str bytes, bool is_answer)
{
	struct arena *a = arena_new(1 << 20);
	struct strbuf once = strbuf_heap(4 << 20), twice = strbuf_heap(4 << 20);
	void *p;
	enum err e =
		is_answer ? answer_unpack(op, bytes, a, &p) : op_unpack(op, bytes, a, &p);

	if (e == OK) {
		if (is_answer)
			answer_pack(op, p, &once);
		else
			op_pack(op, p, &once);
		arena_reset(a);
		e = is_answer ? answer_unpack(op, strbuf_str(&once), a, &p)
		              : op_unpack(op, strbuf_str(&once), a, &p);
		CHECK(e == OK);
		if (is_answer)
			answer_pack(op, p, &twice);
		else
			op_pack(op, p, &twice);
		CHECK(str_eq(strbuf_str(&once), strbuf_str(&twice)));
	}
	strbuf_release(&once);
	strbuf_release(&twice);
	arena_free(&a);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct str bytes = str_make(data, size);
	unsigned which = size ? data[0] : 0;

	bytes = str_from_offset(bytes, 1);
	if (which == 255)
		walk(bytes);
	else
		op_twice((enum op)(which / 2 % (OP_COUNT + 1)), bytes, which & 1);
	return 0;
}
