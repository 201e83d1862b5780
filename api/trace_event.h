/* trace_event.h - one event of the delivery log as JSON. */
#ifndef API_TRACE_EVENT_H
#define API_TRACE_EVENT_H

#include "ext/json.h"
#include "store/types.h"

/* Writes its members into an object that is open. */
void trace_event_write(struct json_out *j, const struct trace_event *event);

#endif
