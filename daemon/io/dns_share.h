/* dns_share.h - one resolver for the processes of this machine that may make no sockets.
 *
 * Serves a listening unix socket; the other side is dns_new_remote (io/dns.h). What a
 * peer can have out is bounded: what is over it is DNS_TEMP at once. Peers get their
 * places in turn, so that none keeps the others waiting, and give back those of questions
 * that nobody waits for any more. A peer that asks nonsense is disconnected.
 *
 * Owns: the socket, its peers. Borrows: loop, resolver.
 */
#ifndef IO_DNS_SHARE_H
#define IO_DNS_SHARE_H

#include "io/dns.h"
#include "io/loop.h"

struct dns_share;

/* fd is taken. out_max: questions of one peer that are out at one time. */
struct dns_share *dns_share_new(struct loop *l, int fd, struct dns *dns, size_t out_max);
void dns_share_set_max(struct dns_share *s, size_t out_max);
/* Before the resolver. */
void dns_share_free(struct dns_share **s);

#endif
