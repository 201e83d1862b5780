#include "smtp/smtp_events.h"

#include "tests/unit/check.h"

static struct strbuf heard;

static void
hear(void *arg, const struct event *e)
{
	(void)arg;
	strbuf_printf(&heard, "%s%s%s@%d", heard.n ? " " : "", event_name(e->id),
	              e->trace_id.n ? "!" : "", (int)e->at_ms);
}

static void
add(struct smtp_events *events, enum event_id id, bool is_of_message)
{
	static int at;
	struct event e;

	event_init(&e, id, is_of_message ? STR("mtr_1") : STR(""),
	           id_str(&events->session_id));
	e.at_ms = ++at % 10;
	event_str(&e, "reason", STR("x"));
	smtp_events_add(events, &e);
}

static void
begin(struct smtp_events *events)
{
	static char bytes[65536];

	heard = strbuf_on(bytes);
	event_set_sink(hear, NULL);
	event_set_log(LEVEL_ERROR, "test");
	smtp_events_init(events, id_make("ses_", 1, 1));
}

static void
end(struct smtp_events *events, const char *want, const char *what)
{
	CHECK_STR_EQ(strbuf_str(&heard), str_from(want), what);
	smtp_events_fini(events);
	event_set_sink(NULL, NULL);
	event_set_log(LEVEL_INFO, "-");
}

static void
test_order(void)
{
	struct smtp_events events;

	begin(&events);
	add(&events, EV_CONNECT, false);          /* at 1 */
	add(&events, EV_MAIL, true);              /* at 2 */
	add(&events, EV_COMMAND_REJECTED, false); /* at 3: the message is not concerned */
	add(&events, EV_RCPT_REJECTED, true);     /* at 4 */
	end(&events,
	    "smtp.connect@1 smtp.command.reject@3 smtp.mail!@2 smtp.rcpt.reject!@4",
	    "what was kept is told before, with its own time");
}

static void
test_forget(void)
{
	struct smtp_events events;
	struct event last;

	begin(&events);
	event_init(&last, EV_DISCONNECT, STR(""), STR(""));
	smtp_events_add_last(&events, &last);
	CHECK_U64_EQ(heard.n, 0, "nobody misses a session that did nothing");
	add(&events, EV_HELO, false);
	add(&events, EV_MAIL, true);
	smtp_events_forget_message(&events);
	smtp_events_tell(&events);
	last.at_ms = 0;
	smtp_events_add_last(&events, &last);
	end(&events, "smtp.helo@5 smtp.disconnect@0", "the message came to nothing");
}

static void
test_bound(void)
{
	struct smtp_events events;

	begin(&events);
	for (int i = 0; i < 1000; i++)
		add(&events, EV_RCPT, true);
	CHECK_TRUE(events.kept.n < 30000 && events.dropped > 0, "bounded");
	strbuf_clear(&heard);
	smtp_events_tell(&events);
	CHECK_TRUE(str_find_str(strbuf_str(&heard), STR(" note@")) != SIZE_MAX,
	           "it is said that some are missing");
	CHECK_U64_EQ(events.dropped, 0, "once");
	smtp_events_fini(&events);
	event_set_sink(NULL, NULL);
	event_set_log(LEVEL_INFO, "-");
}

SUITE(smtp_events, { "order", test_order }, { "forget", test_forget },
      { "bound", test_bound });
