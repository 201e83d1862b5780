/* limiter.h - how many connections there are, in all and from one address.
 *
 * One limiter may be shared by several listeners (993 and 143, say). IPv6 clients are
 * counted by /64. Limits hold in one process; with N processes on one socket each gets
 * its share of the total (role_share in role.h).
 */
#ifndef IO_LIMITER_H
#define IO_LIMITER_H

#include "base/addr.h"
#include "base/err.h"
#include "base/macros.h"

#include <stddef.h>

struct limiter;

/* 0: no limit. */
struct limiter *limiter_new(size_t total_max, size_t per_ip_max);
void limiter_free(struct limiter **l);
/* New limits hold for the next ones; nobody is thrown out. */
void limiter_set(struct limiter *l, size_t total_max, size_t per_ip_max);
/* Counts one more, or says ERR_BUSY (in all) or ERR_LIMIT (this address). */
MUSTUSE enum err limiter_take(struct limiter *l, const struct addr *peer);
/* Gives back what limiter_take gave for this address. */
void limiter_give(struct limiter *l, const struct addr *peer);
size_t limiter_count(const struct limiter *l);

#endif
