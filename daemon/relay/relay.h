/* relay.h - the way out of one process: claims what is due, sends it, writes what came of
 * it, and does the other work that needs the network (policies, DNS checks, reports).
 *
 * Everything happens on one loop. README.md is the map of the files behind it; what they
 * decide by is in queue/.
 *
 * Owns: destinations, jobs and connections. Borrows: all of struct relay_parts.
 */
#ifndef RELAY_RELAY_H
#define RELAY_RELAY_H

#include "conf/conf.h"
#include "io/dns.h"
#include "io/loop.h"
#include "io/tls.h"
#include "store/body.h"
#include "store/client.h"
#include "store/reader.h"

struct relay;

struct relay_parts {
	struct loop *loop;
	struct tls_server *tls; /* whose certificate our own records speak of */
	struct store_client *store;
	struct reader *reader;
	struct bodies *bodies;
	struct dns *dns;
	const struct conf *conf; /* until relay_set_conf gives the next one */
};

/* Looks at the addresses of this machine, which a sandbox may forbid later; asks nobody
   for anything yet. */
struct relay *relay_new(const struct relay_parts *parts);
/* Follows the queue. What an earlier process had claimed is given back first. */
void relay_start(struct relay *r);
/* The configuration that holds from now on; the one before may go afterwards. */
void relay_set_conf(struct relay *r, const struct conf *conf);
/* Messages under way come to their end, all others go back to the store; then, or when
   that takes longer than limits.stop_timeout allows, done is called, once, later. */
void relay_stop(struct relay *r, loop_fn *done, void *arg);
/* Ends what is left at once; rows that were claimed keep their lease. */
void relay_free(struct relay **r);

#endif
