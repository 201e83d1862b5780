#include "store/change.h"

#include "base/event.h"
#include "base/pack.h"

void
change_pack(struct strbuf *out, const struct change *c)
{
	pack_u32(out, c->kind);
	pack_u64(out, c->account_id);
	pack_u64(out, c->mailbox_id);
	pack_u64(out, c->modseq);
	pack_u32(out, c->uidnext);
	pack_u32(out, c->exists);
	pack_i64(out, c->due_ms);
	pack_str(out, c->key);
	if (c->kind != CHANGE_EVENT)
		return;
	pack_i64(out, c->event.at_ms);
	pack_u64(out, c->event.seq);
	pack_str(out, c->event.name);
	pack_str(out, c->event.trace_id);
	pack_str(out, c->event.session_id);
	pack_str(out, c->event.body);
}

bool
change_next(struct str *rest, struct change *c)
{
	struct unpack u = unpack_from(*rest);

	*c = (struct change){ 0 };
	if (!rest->n)
		return false;
	c->kind = unpack_u32(&u);
	c->account_id = unpack_u64(&u);
	c->mailbox_id = unpack_u64(&u);
	c->modseq = unpack_u64(&u);
	c->uidnext = unpack_u32(&u);
	c->exists = unpack_u32(&u);
	c->due_ms = unpack_i64(&u);
	c->key = unpack_str(&u);
	if (c->kind == CHANGE_EVENT) {
		c->event.at_ms = unpack_i64(&u);
		c->event.seq = unpack_u64(&u);
		c->event.name = unpack_str(&u);
		c->event.trace_id = unpack_str(&u);
		c->event.session_id = unpack_str(&u);
		c->event.body = unpack_str(&u);
		c->event.id = event_find(c->event.name);
	}
	*rest = u.rest;
	return !u.bad;
}
