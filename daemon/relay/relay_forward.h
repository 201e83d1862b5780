/* relay_forward.h - the envelope sender of what an alias sends on. */
#ifndef RELAY_RELAY_FORWARD_H
#define RELAY_RELAY_FORWARD_H

#include "base/str.h"

struct arena;
struct queue_item;
struct relay;

/* The envelope sender for the next server: rewritten where an alias sends the mail on, as
   in the row else. */
struct str relay_forward_sender(struct relay *r, const struct queue_item *item,
                                struct arena *a);

#endif
