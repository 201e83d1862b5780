/* relay_path.h - the addresses that a connection may try, found by one DNS question after
 * the other. relay_sts.h, relay_secure.h say between two of them what is demanded.
 */
#ifndef RELAY_RELAY_PATH_H
#define RELAY_RELAY_PATH_H

#include "base/addr.h"
#include "base/err.h"
#include "base/str.h"
#include "queue/queue_route.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct dns_query;
struct relay_conn;

enum {
	RELAY_MX_MAX = 64,     /* records looked at */
	RELAY_HOST_ADDRS = 16, /* addresses of one family looked at */
};

/* The addresses that a connection may try. */
struct relay_path {
	struct queue_route route; /* names live in conn->arena */
	size_t host;              /* the next one to resolve */
	struct addr addrs[ROUTE_HOST_ADDRESSES_MAX];
	size_t addr_count, addr_next, tried;
	int64_t since_ms; /* monotonic: when the way was looked for */
	struct addr v4[RELAY_HOST_ADDRS], v6[RELAY_HOST_ADDRS];
	size_t v4_count, v6_count;
	struct dns_query *mx, *a, *aaaa;
	struct dns_query *tlsa; /* or the CNAME before it */
	bool is_mx_authentic, is_v4_authentic, is_v6_authentic; /* signed by DNSSEC */
	bool is_alias_authentic; /* and the CNAME of the host, where it was asked for */
	/* Where the CNAMEs of the host led; empty: it has no such address. */
	struct str v4_name, v6_name;
	enum err dns; /* the best reason why a host had no address */
};

/* Looks for the addresses of the connection's destination; relay_conn_dial or
   relay_conn_exhausted follows, later or at once. */
void relay_path_start(struct relay_conn *c);
/* The next address. */
void relay_path_next(struct relay_conn *c);
/* The policy of its destination is known, or there is none: on to the MX records. */
void relay_path_demanded(struct relay_conn *c);
/* c->secure says how the host that was just resolved must be reached: its addresses, or
   the next host. */
void relay_path_secured(struct relay_conn *c);
/* Nothing is asked any more; nothing follows. */
void relay_path_cancel(struct relay_conn *c);

#endif
