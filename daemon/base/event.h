/* event.h - one thing that happened, typed (trace.def), told once.
 *
 * An event is built on the stack, filled with fields, and told with event_tell. From
 * there it goes to the log (a logfmt line on stderr, from the configured level on) and
 * to the sink of the process, which takes it to the delivery log. The body, "key=value"
 * pairs in logfmt, is the same in all views. Values are made safe while they are added:
 * control bytes, quotes and bytes that are no UTF-8 are escaped, so no peer can forge a
 * line. Fields that do not fit are dropped whole and body ends with truncated=1.
 */
#ifndef BASE_EVENT_H
#define BASE_EVENT_H

#include "base/err.h"
#include "base/macros.h"
#include "base/str.h"
#include "base/strbuf.h"

#include <stdint.h>

enum event_level {
	LEVEL_DEBUG,
	LEVEL_INFO,
	LEVEL_WARN,
	LEVEL_ERROR,
};

enum event_id {
#define EVENT(id, name, level, text) EV_##id,
#include "base/trace.def"
#undef EVENT
	EVENT_COUNT
};

enum {
	EVENT_BODY_MAX = 2048, /* bytes of all fields of one event */
	EVENT_FIELD_MAX = 512, /* bytes of one value, escaped; the rest is cut */
};

struct event {
	enum event_id id;
	int64_t at_ms;         /* Unix time */
	struct str trace_id;   /* message, or empty; borrowed */
	struct str session_id; /* session, or empty; borrowed */
	struct strbuf body;    /* over bytes[] */
	char bytes[EVENT_BODY_MAX];
};

const char *event_name(enum event_id id);
enum event_level event_level(enum event_id id);
/* The event of that name, or EVENT_COUNT. */
enum event_id event_find(struct str name);

/* Starts an event; both ids may be empty and must live until event_tell. */
void event_init(struct event *e, enum event_id id, struct str trace_id,
                struct str session_id);
/* The same with the time and the fields of one that was kept. */
void event_again(struct event *e, enum event_id id, int64_t at_ms, struct str trace_id,
                 struct str session_id, struct str body);
void event_str(struct event *e, const char *key, struct str value);
void event_i64(struct event *e, const char *key, int64_t value);
/* Tells it: log line and sink. */
void event_tell(struct event *e);
/* The log line alone, for an event that has been recorded already. */
void event_log(const struct event *e);

/* Where this process's events go besides the log; NULL: nowhere. */
typedef void event_sink_fn(void *arg, const struct event *e);
void event_set_sink(event_sink_fn *sink, void *arg);
/* From which level on events become log lines, and the role's name in each of them. */
void event_set_log(enum event_level from, const char *role);
/* "debug", "info", "warn" or "error"; false for anything else. */
bool event_level_parse(struct str s, enum event_level *level_out);

/* A log line that belongs to no message: `log_line(LEVEL_INFO, "dns.timeout",
   "server=%s", …)`. name is stable; the formatted rest must be logfmt already: use
   logfmt_value for what comes from outside. */
void log_line(enum event_level level, const char *name, const char *format, ...)
	PRINTF_LIKE(3, 4);

/* Appends a value as logfmt: bare where it is plain, else quoted with \" \\ \n \r \t and
   \xHH escapes. */
void logfmt_value(struct strbuf *b, struct str value);
/* Takes the next key=value off *rest; the value is unescaped into scratch (cleared
   first). False at the end or at anything that is no pair. */
bool logfmt_next(struct str *rest, struct str *key_out, struct strbuf *scratch);

/* The text of an event in plain words, {field} replaced from body: fields that it lacks
   by nothing, an empty "from" (the null sender) by <>. */
void event_explain(enum event_id id, struct str body, struct strbuf *b);

#endif
