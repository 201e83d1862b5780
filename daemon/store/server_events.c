/* What the store itself has to tell: events, on their way into its own journal. */
#include "store/server_priv.h"

#include "base/clock.h"
#include "base/event.h"
#include "store/commit.h"
#include "store/events.h"

enum {
	OWN_EVENTS_MS = 100,
	TROUBLE_MS = 1000,
};

void
server_send_events(void *arg)
{
	struct store_server *s = arg;
	struct op_events op = { strbuf_str(&s->own_events), s->own_count };

	timer_stop(&s->own_timer);
	if (!s->own_count)
		return;
	store_server_give_own(s, OP_events, &op);
	strbuf_clear(&s->own_events);
	s->own_count = 0;
}

void
server_take_event(void *arg, const struct event *e)
{
	struct store_server *s = arg;

	events_pack(&s->own_events, e);
	s->own_count++;
	if (!timer_is_set(&s->own_timer))
		timer_set(&s->own_timer, OWN_EVENTS_MS);
	if (s->own_events.n > OWN_EVENTS_MAX / 2)
		server_send_events(s);
}

void
server_tell_trouble(struct store_server *s, const struct job *job)
{
	int64_t now_ms = clock_mono_ms();
	struct event e;

	if (job->error == OK && job->op == OP_accept)
		s->is_full_told = false;
	if (job->error == ERR_DISK_FULL && !s->is_full_told) {
		s->is_full_told = true;
		event_init(&e, EV_DISK_FULL, str_from(NULL), str_from(NULL));
		event_tell(&e);
	}
	if ((job->error != ERR_IO && job->error != ERR_CORRUPT &&
	     job->error != ERR_INTERNAL) ||
	    (s->trouble_ms && now_ms - s->trouble_ms < TROUBLE_MS))
		return;
	s->trouble_ms = now_ms;
	event_init(&e, EV_STORE_ERROR, str_from(NULL), str_from(NULL));
	event_str(&e, "reason", str_from(err_get(job->error)->word));
	event_str(&e, "operation", str_from(op_name(job->op)));
	event_tell(&e);
}

void
server_tell_recovered(struct recovered r)
{
	char bytes[128];
	struct strbuf b = strbuf_on(bytes);
	struct event e;

	if (!r.strays && !r.missing)
		return;
	strbuf_printf(&b, "%llu unused segment files removed, %llu segment files missing",
	              (unsigned long long)r.strays, (unsigned long long)r.missing);
	event_init(&e, EV_STORE_RECOVERED, str_from(NULL), str_from(NULL));
	event_str(&e, "detail", strbuf_str(&b));
	event_tell(&e);
}

void
server_tell_index_damaged(void *arg, struct str reason)
{
	struct event e;

	(void)arg;
	event_init(&e, EV_INDEX_DAMAGED, str_from(NULL), str_from(NULL));
	event_str(&e, "reason", reason);
	event_tell(&e);
}
