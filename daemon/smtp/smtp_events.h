/* smtp_events.h - the events of a session that are not worth telling yet.
 *
 * Most sessions end with a message: then what led to it (connect, helo, mail, rcpt) is
 * told just before the message is accepted, and travels with that operation. Or with a
 * refusal: then it is told before that. A session that comes to neither says nothing.
 *
 * A plain value; memory is one bounded heap buffer that exists while it holds something.
 */
#ifndef SMTP_SMTP_EVENTS_H
#define SMTP_SMTP_EVENTS_H

#include "base/event.h"
#include "base/ids.h"
#include "base/strbuf.h"

struct smtp_events {
	struct strbuf kept;
	struct id session_id;
	unsigned dropped; /* those that did not fit */
	bool has_told;    /* something, so the session is on record */
};

void smtp_events_init(struct smtp_events *e, struct id session_id);
void smtp_events_fini(struct smtp_events *e);
/* Keeps one of level debug. Tells any other: one of a message after all that were kept,
   one of the session after those of the session. */
void smtp_events_add(struct smtp_events *e, struct event *event);
/* Tells all that were kept. */
void smtp_events_tell(struct smtp_events *e);
/* Tells this one where the session is on record already; else nobody misses it. */
void smtp_events_add_last(struct smtp_events *e, struct event *event);
/* Forgets those of a message: it came to nothing. */
void smtp_events_forget_message(struct smtp_events *e);

#endif
