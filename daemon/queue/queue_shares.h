/* queue_shares.h - how many of all connections one sharer may hold.
 *
 * Connections to hosts that say nothing last for minutes, so an account with mail for
 * very many of them could hold all that there are. Who holds some gets one more only
 * while there are more than half as many free: alone one has two thirds, two have two
 * fifths each, and there is always one left for somebody new. No number is set for it.
 */
#ifndef QUEUE_QUEUE_SHARES_H
#define QUEUE_QUEUE_SHARES_H

#include "base/str.h"

#include <stdbool.h>
#include <stddef.h>

struct queue_shares;

struct queue_shares *queue_shares_new(void);
/* All must have been given back. */
void queue_shares_free(struct queue_shares **s);
/* May this sharer have one more, of max in all? */
bool queue_shares_has_room(const struct queue_shares *s, struct str sharer, size_t max);
void queue_shares_take(struct queue_shares *s, struct str sharer);
/* Gives back one that was taken for the sharer; panics if there is none. */
void queue_shares_give(struct queue_shares *s, struct str sharer);

#endif
