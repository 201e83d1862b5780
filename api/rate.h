/* rate.h - how many requests a token, or an address, may make in a minute.
 *
 * Counted in windows of a minute that begin with a token's first request, so that what is
 * left and when there will be more can be said in two numbers (RateLimit, the form of the
 * IETF draft). Memory is bounded: the longest unused windows go first, and one that is
 * over counts nothing any more.
 */
#ifndef API_RATE_H
#define API_RATE_H

#include "base/addr.h"
#include "base/macros.h"

#include <stdbool.h>
#include <stdint.h>

enum {
	RATE_WINDOW_S = 60,
	RATE_KEPT = 256, /* tokens in use at one time */
};

struct rates;

struct rate {
	uint32_t left;    /* requests, this one taken */
	uint32_t reset_s; /* until there are all of them again */
};

/* Of an address, the hash of which serves as the id of its window (IPv6: of its /64). */
uint64_t rate_id_of(const struct addr *ip, const uint8_t secret[32]);

struct rates *rates_new(void);
void rates_free(struct rates **r);
/* Takes one of `quota` from the token's window; false: there was none left. */
MUSTUSE bool rates_take(struct rates *r, uint64_t token_id, uint32_t quota,
                        int64_t now_ms, struct rate *rate_out);

#endif
