/* What commits have changed, told to whoever subscribed. */
#include "store/server_priv.h"

#include "base/event.h"
#include "store/auth.h"
#include "store/change.h"
#include "store/commit.h"
#include "store/events.h"
#include "store/housekeeping.h"
#include "store/wire.h"

static bool
is_wanted(const struct conn *c, const struct change *change)
{
	switch ((enum change_kind)change->kind) {
	case CHANGE_RESET:
		return true;
	case CHANGE_MAILBOX:
	case CHANGE_MAILBOXES:
		return c->wants_accounts;
	case CHANGE_QUEUE:
		return c->wants_queue;
	case CHANGE_SETTINGS:
		return c->wants_settings;
	case CHANGE_EVENT:
		return c->wants_events;
	}
	return false;
}

static void
send_changes(struct conn *c, struct str packed)
{
	if (!packed.n || !c->peer)
		return;
	/* Who does not read loses changes, is told so, and looks again. */
	if (ipc_is_full(c->peer)) {
		c->has_missed = true;
		return;
	}
	ipc_send(c->peer, WIRE_CHANGES, 0, packed);
}

void
conn_reset_missed(struct conn *c)
{
	struct strbuf b = strbuf_heap(256);

	if (!c->has_missed)
		return;
	c->has_missed = false;
	change_pack(&b, &(struct change){ .kind = CHANGE_RESET });
	send_changes(c, strbuf_str(&b));
	strbuf_release(&b);
}

static void
publish_to(struct conn *c, const struct commit_news *news)
{
	struct strbuf b = strbuf_heap(IPC_FRAME_MAX);
	struct str rest = news->changes;
	struct change change;
	struct trace_event event;

	while (change_next(&rest, &change)) {
		if (is_wanted(c, &change))
			change_pack(&b, &change);
	}
	rest = news->events;
	while (c->wants_events && events_next(&rest, &event)) {
		change = (struct change){ .kind = CHANGE_EVENT, .event = event };
		change_pack(&b, &change);
	}
	if (b.overflow)
		c->has_missed = true;
	else
		send_changes(c, strbuf_str(&b));
	strbuf_release(&b);
}

/* The store's own events of a batch become log lines now that they are true. */
static void
log_own(struct str packed)
{
	struct trace_event told;

	while (events_next(&packed, &told)) {
		struct event e;

		if (told.id == EVENT_COUNT)
			continue;
		event_init(&e, (enum event_id)told.id, told.trace_id, told.session_id);
		strbuf_add(&e.body, told.body);
		event_log(&e);
	}
}

static bool
has_setting(struct str changes)
{
	struct change change;

	while (change_next(&changes, &change)) {
		if (change.kind == CHANGE_SETTINGS &&
		    str_skip(&change.key, STR("setting:")))
			return true;
	}
	return false;
}

void
server_commit_news(void *arg, const struct commit_news *news)
{
	struct store_server *s = arg;

	if (news->has_login_change)
		auth_flush(s->auth);
	log_own(news->own);
	LIST_EACH(&s->conns, l)
	{
		struct conn *c = CONTAINER_OF(l, struct conn, link);

		if (c->peer && (c->wants_accounts || c->wants_queue ||
		                c->wants_settings || c->wants_events))
			publish_to(c, news);
	}
	if (news->events.n)
		housekeeping_wake(s->housekeeping);
	if (s->settings_fn && has_setting(news->changes))
		s->settings_fn(s->settings_arg);
}
