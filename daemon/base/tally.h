/* tally.h - how many of something each has at the moment: an account its sessions, an
 * address its connections.
 *
 * Keys are bytes that a peer may choose (base/map.h). Who has none takes no memory. One
 * tally may be shared by those who count together. Limits hold in one process.
 */
#ifndef BASE_TALLY_H
#define BASE_TALLY_H

#include "base/macros.h"
#include "base/str.h"

#include <stdbool.h>
#include <stddef.h>

struct tally;

struct tally *tally_new(void);
void tally_free(struct tally **t);
/* How many it has. */
size_t tally_of(const struct tally *t, struct str key);
/* One more for key; false: it has max already, and nothing was counted. 0: no limit. */
MUSTUSE bool tally_enter(struct tally *t, struct str key, size_t max);
/* One that was counted is gone; panics if there is none. */
void tally_leave(struct tally *t, struct str key);

#endif
