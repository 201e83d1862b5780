/* queue_route.h - which servers take the mail of a domain, in which order.
 *
 * Pure: what DNS said comes in, the order of addresses goes out. A route is a plain
 * value with bounds: so many hosts, so many addresses of each, whatever a zone holds. How
 * many of them are tried is a matter of delivery_addresses and delivery_addresses_time.
 * Follows: RFC 5321 5.1 (preference, equals in random order, A and AAAA where there is
 * no MX, cut at ourselves), RFC 7505 (null MX), RFC 5321 4.1.3 (address literals).
 */
#ifndef QUEUE_QUEUE_ROUTE_H
#define QUEUE_QUEUE_ROUTE_H

#include "base/addr.h"
#include "base/err.h"
#include "base/macros.h"
#include "base/str.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
	ROUTE_HOSTS_MAX = 64,
	ROUTE_HOST_ADDRESSES_MAX = 6, /* of one host */
};

struct queue_mx {
	uint16_t preference;
	struct str host; /* lower case, no final dot; empty: the root */
};

struct queue_host {
	struct str name; /* borrowed */
	uint16_t preference;
};

struct queue_route {
	struct queue_host hosts[ROUTE_HOSTS_MAX];
	size_t count;
	bool is_cut; /* we stand among them: only better ones are left */
};

/* Orders the hosts of an MX answer; equals by chance, from `random`. our_name: our host
   name. ERR_NULL_MX; ERR_LOOP where no host is better than ourselves; ERR_DNS_NODATA
   where no name can be used. count == 0: the domain itself (RFC 5321 5.1, implicit MX).
 */
MUSTUSE enum err queue_route_from_mx(struct queue_route *route, struct str domain,
                                     const struct queue_mx *mx, size_t count,
                                     struct str our_name, uint64_t random);
/* The route without host i's preference and all worse ones: host i turned out to be
   ourselves by its address. ERR_LOOP where nothing is left. */
MUSTUSE enum err queue_route_cut(struct queue_route *route, size_t i);

/* The addresses of one host in the order to be tried: IPv6 and IPv4 by turns, IPv6
   first, each family in random order, at most ROUTE_HOST_ADDRESSES_MAX of `room`.
   Returns how many. */
struct queue_addresses {
	const struct addr *v6, *v4;
	size_t v6_count, v4_count;
};
size_t queue_route_addresses(const struct queue_addresses *all, uint16_t port,
                             uint64_t random, struct addr *out, size_t room);

/* "[192.0.2.1]", "[IPv6:2001:db8::1]" as an address. */
bool queue_route_literal(struct str domain, uint16_t port, struct addr *addr_out);

#endif
