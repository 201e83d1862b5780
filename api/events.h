/* events.h - live events: one subscription to the store, many readers.
 *
 * The store's feed is subscribed to while somebody reads, and a quarter of an hour
 * longer; what came in that time is kept (up to a limit) for those who come back with
 * Last-Event-ID. A reader that takes too little loses events and is told how many.
 */
#ifndef API_EVENTS_H
#define API_EVENTS_H

#include "io/loop.h"
#include "store/client.h"

struct api_request;
struct event_hub;

struct event_hub *event_hub_new(struct loop *l, struct store_client *store);
/* Readers must be gone. */
void event_hub_free(struct event_hub **h);
/* The request of a reader is over: called for every request, does nothing for others. */
void event_hub_forget(struct event_hub *h, struct api_request *r);

#endif
