/* guesses.h - how often logins have failed, and from where; pure.
 *
 * Two counters in a window of ten minutes: by address (IPv6: /64), and by account and
 * network (IPv4 /24, IPv6 /48). So one that guesses is stopped wherever it tries, and
 * nobody can lock a person out from somewhere else. An address from which a login of the
 * account has succeeded before is not held back by what others behind it do.
 */
#ifndef STORE_GUESSES_H
#define STORE_GUESSES_H

#include "base/addr.h"
#include "base/duration.h"
#include "base/str.h"

#include <stdbool.h>
#include <stdint.h>

struct guesses;

enum {
	GUESSES_WINDOW_MS = 10 * MINUTE_MS,
};

struct guesses *guesses_new(void);
void guesses_free(struct guesses **g);
/* May this try be looked at? It counts as a failure at once, so that many tries at the
   same time are many; guesses_good takes its own one back (was_counted: it went through
   guesses_try). */
bool guesses_try(struct guesses *g, const struct addr *from, struct str account,
                 uint32_t ip_max, uint32_t account_max, int64_t now_ms);
void guesses_good(struct guesses *g, const struct addr *from, struct str account,
                  bool was_counted, int64_t now_ms);

#endif
