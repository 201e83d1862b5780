/* events.h - events as bytes, for messages to the store and its journal.
 *
 * A run of packed events is their concatenation; each begins with its own length, so a
 * reader can pass over one that it does not understand.
 */
#ifndef STORE_EVENTS_H
#define STORE_EVENTS_H

#include "base/event.h"
#include "base/strbuf.h"
#include "store/types.h"

/* Appends one event. */
void events_pack(struct strbuf *out, const struct event *e);
/* Takes the next event off *rest (seq and name are not in the bytes: seq 0, name from the
   table). False at the end, and at bytes that are no event (then *rest is empty). */
bool events_next(struct str *rest, struct trace_event *event_out);

#endif
