/* feed_priv.h - the subscriptions of one store client. */
#ifndef STORE_FEED_PRIV_H
#define STORE_FEED_PRIV_H

#include "store/feed.h"

struct feeds;
struct loop;

struct feeds *feeds_new(struct store_client *c);
/* Subscriptions that are still open are dead; feed_close on them stays harmless. */
void feeds_free(struct feeds **f);
/* There is a new connection: subscribe again, and say that something may be missed. */
void feeds_connected(struct feeds *f);
/* Packed changes have come. */
void feeds_changed(struct feeds *f, struct str packed);

struct feeds *store_client_feeds(struct store_client *c);
struct loop *store_client_loop(struct store_client *c);

#endif
