#include "smtp/smtp_events.h"

#include "base/pack.h"

enum {
	KEPT_MAX = 24 * 1024, /* with ten signatures and what was found about each */
};

struct kept {
	enum event_id id;
	int64_t at_ms;
	struct str trace_id, body;
};

void
smtp_events_init(struct smtp_events *e, struct id session_id)
{
	*e = (struct smtp_events){ .kept = strbuf_heap(KEPT_MAX),
		                   .session_id = session_id };
}

void
smtp_events_fini(struct smtp_events *e)
{
	strbuf_release(&e->kept);
}

static bool
next(struct unpack *u, struct kept *k)
{
	if (u->rest.n == 0)
		return false;
	k->id = (enum event_id)unpack_u16(u);
	k->at_ms = unpack_i64(u);
	k->trace_id = unpack_str(u);
	k->body = unpack_str(u);
	return !u->bad;
}

static void
keep(struct smtp_events *e, const struct kept *k)
{
	size_t before = e->kept.n;

	pack_u16(&e->kept, (uint16_t)k->id);
	pack_i64(&e->kept, k->at_ms);
	pack_str(&e->kept, k->trace_id);
	pack_str(&e->kept, k->body);
	if (!e->kept.overflow)
		return;
	/* Half an event is none. */
	e->kept.overflow = false;
	strbuf_truncate(&e->kept, before);
	e->dropped++;
}

static void
tell(struct smtp_events *e, struct event *event)
{
	e->has_told = true;
	event_tell(event);
}

/* Tells those of the session, and with is_all those of the message as well. */
static void
tell_kept(struct smtp_events *e, bool is_all)
{
	struct strbuf all = e->kept;
	struct unpack u = unpack_from(strbuf_str(&all));
	struct kept k;
	struct event event;

	e->kept = strbuf_heap(KEPT_MAX);
	while (next(&u, &k)) {
		if (k.trace_id.n && !is_all) {
			keep(e, &k);
			continue;
		}
		event_again(&event, k.id, k.at_ms, k.trace_id, id_str(&e->session_id),
		            k.body);
		tell(e, &event);
	}
	strbuf_release(&all);
}

void
smtp_events_tell(struct smtp_events *e)
{
	struct event event;

	tell_kept(e, true);
	if (e->dropped) {
		event_init(&event, EV_NOTE, (struct str){ NULL, 0 },
		           id_str(&e->session_id));
		event_str(&event, "detail", STR("events of this session were left out"));
		event_i64(&event, "count", e->dropped);
		tell(e, &event);
	}
	e->dropped = 0;
}

void
smtp_events_add(struct smtp_events *e, struct event *event)
{
	if (event_level(event->id) != LEVEL_DEBUG) {
		if (e->kept.n)
			tell_kept(e, event->trace_id.n > 0);
		tell(e, event);
		return;
	}
	keep(e, &(struct kept){ .id = event->id,
	                        .at_ms = event->at_ms,
	                        .trace_id = event->trace_id,
	                        .body = strbuf_str(&event->body) });
}

void
smtp_events_add_last(struct smtp_events *e, struct event *event)
{
	if (e->has_told)
		tell(e, event);
}

void
smtp_events_forget_message(struct smtp_events *e)
{
	struct strbuf all = e->kept;
	struct unpack u = unpack_from(strbuf_str(&all));
	struct kept k;

	if (all.n == 0)
		return;
	e->kept = strbuf_heap(KEPT_MAX);
	while (next(&u, &k)) {
		if (k.trace_id.n == 0)
			keep(e, &k);
	}
	strbuf_release(&all);
}
