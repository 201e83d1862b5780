/* smtp_guesses.h - who names recipients that do not exist, and how often.
 *
 * A session slows a client down that guesses; this is what remembers it from one session
 * to the next, and over many at a time. Counted by address (IPv6: by /64) in windows of a
 * minute that begin with the first guess. Who has used its window up is not answered any
 * more whether a recipient exists, so guessing is bounded whatever it costs to connect.
 * Memory is fixed: in a full set the window that ends first goes.
 * The same count is kept of receipts for senders that nothing proves.
 */
#ifndef SMTP_SMTP_GUESSES_H
#define SMTP_SMTP_GUESSES_H

#include "base/addr.h"
#include "base/duration.h"

#include <stdbool.h>
#include <stdint.h>

enum {
	SMTP_GUESSES_WINDOW_MS = MINUTE_MS,
};

struct smtp_guesses;

struct smtp_guesses *smtp_guesses_new(void);
void smtp_guesses_free(struct smtp_guesses **g);
/* One more recipient that does not exist. Nobody (ADDR_NONE) is not counted. */
void smtp_guesses_add(struct smtp_guesses *g, const struct addr *ip, int64_t now_ms);
/* How many the address has named in its window. */
uint32_t smtp_guesses_of(const struct smtp_guesses *g, const struct addr *ip,
                         int64_t now_ms);

#endif
