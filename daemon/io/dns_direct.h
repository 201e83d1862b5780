/* dns_direct.h - asks one given name server, and nobody else.
 *
 * For looking at what the servers of a zone say themselves: no recursion, no cache, over
 * UDP, and over TCP where the answer is cut. A server that is silent, lame, or refuses is
 * DNS_TEMP: that is no word about what the zone holds.
 *
 * Owns its sockets. Everything happens in the loop's thread; the call-back comes later,
 * never inside the call, and exactly once.
 */
#ifndef IO_DNS_DIRECT_H
#define IO_DNS_DIRECT_H

#include "base/addr.h"
#include "base/str.h"
#include "io/dns_answer.h"
#include "io/loop.h"

struct dns_direct;

/* answer is borrowed for the call. Its name differs from the one that was asked for where
   there is a CNAME. */
typedef void dns_direct_fn(void *arg, const struct dns_answer *answer);

struct dns_direct_question {
	struct str name;
	enum dns_type type;
	int64_t timeout_ms; /* for all tries together */
};
/* server.port 0: 53. The question is copied. The handle is good until the call-back. */
struct dns_direct *dns_direct_ask(struct loop *l, const struct addr *server,
                                  const struct dns_direct_question *question,
                                  dns_direct_fn *fn, void *arg);
/* No call-back any more; *q becomes NULL. Harmless on NULL. */
void dns_direct_cancel(struct dns_direct **q);

#endif
