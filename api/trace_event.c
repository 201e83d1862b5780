#include "api/trace_event.h"

#include "base/event.h"

void
trace_event_write(struct json_out *j, const struct trace_event *event)
{
	static const char *const levels[] = { "debug", "info", "warn", "error" };
	char text_bytes[2 * EVENT_BODY_MAX], value_bytes[EVENT_BODY_MAX];
	struct strbuf text = strbuf_on(text_bytes), value = strbuf_on(value_bytes);
	bool is_known = event->id < EVENT_COUNT;
	struct str rest = event->body, key;

	if (is_known)
		event_explain((enum event_id)event->id, event->body, &text);
	else
		strbuf_add(&text, event->name);
	json_time(j, "time", event->at_ms);
	json_str(j, "event", event->name);
	json_cstr(j, "level",
	          is_known ? levels[event_level((enum event_id)event->id)] : "info");
	json_str(j, "text", strbuf_str(&text));
	json_str_or_null(j, "trace_id", event->trace_id);
	json_str_or_null(j, "session_id", event->session_id);
	json_open_object(j, "fields");
	while (logfmt_next(&rest, &key, &value))
		json_named(j, key, strbuf_str(&value));
	json_close_object(j);
}
