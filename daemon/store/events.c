#include "store/events.h"

#include "base/pack.h"

/* The name travels, not the number: rows of the journal outlive the build that wrote
   them, and trace.def is not in any order. */
void
events_pack(struct strbuf *out, const struct event *e)
{
	struct str name = str_from(event_name(e->id));
	struct str body = strbuf_str(&e->body);

	pack_u32(out, (uint32_t)(8 + 4 * 4 + name.n + e->trace_id.n + e->session_id.n +
	                         body.n));
	pack_i64(out, e->at_ms);
	pack_str(out, name);
	pack_str(out, e->trace_id);
	pack_str(out, e->session_id);
	pack_str(out, body);
}

bool
events_next(struct str *rest, struct trace_event *event_out)
{
	struct unpack u = unpack_from(*rest), inner;

	*event_out = (struct trace_event){ 0 };
	if (!rest->n)
		return false;
	inner = unpack_from(unpack_str(&u));
	event_out->at_ms = unpack_i64(&inner);
	event_out->name = unpack_str(&inner);
	event_out->trace_id = unpack_str(&inner);
	event_out->session_id = unpack_str(&inner);
	event_out->body = unpack_str(&inner);
	event_out->id = event_find(event_out->name);
	*rest = u.rest;
	if (u.bad || !unpack_done(&inner)) {
		*rest = str_make(NULL, 0);
		return false;
	}
	return true;
}
