/* limiter.h - how many connections there are, and who gives way to whom.
 *
 * All of them share `total`, those of one address `per_ip`, those of one account
 * `per_account`. IPv6 clients are counted by /64. A connection is a stranger's until its
 * account or its host is known (it logged in, it brought a message). One part in 32 of
 * the total is kept for strangers, and one place where that is less (of 2 and more), for
 * whoever is about to log in is one:
 *
 *   a stranger comes, and all is taken ....... another one gives way: who is here
 *                                              longest, of the client with the most
 *   one logs in, and the part of the known ... a host is a stranger again, of those with
 *   ones is full                               the most; where there is none, one of the
 *                                              account with the most gives way, if that
 *                                              is more than this one will have
 *   a host becomes known, and so it is ....... as a login, but only for another host
 *                                              that has more than this one will have
 *
 * So strangers are never in the way of people, nor are hosts, of which anybody may have
 * many that bring a message each; and people with one connection never lose it to people
 * with many. Where all of the part are people with one, the next is refused, and may try
 * again: there is always a place to try from.
 *
 * One limiter may be shared by several listeners (993 and 143, say). Limits hold in one
 * process; with N processes on one socket each gets its share of the total (role_share in
 * role.h). Owns its counts; places belong to the connections.
 */
#ifndef IO_LIMITER_H
#define IO_LIMITER_H

#include "base/addr.h"
#include "base/err.h"
#include "base/list.h"
#include "base/macros.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct limiter;

/* 0: no limit. */
struct limiter_max {
	size_t total, per_ip, per_account;
};

/* What a connection is asked, with the arg of its place. */
struct limiter_ops {
	/* May it end now, without harm to anybody's mail? */
	bool (*may_go)(void *arg);
	/* It has lost its place, and ends; it may say goodbye first. */
	void (*go)(void *arg);
};

/* The place of one connection; part of it, and zero before it has one. */
struct limiter_place {
	struct link link;
	struct limiter *limiter;
	struct addr client;
	uint64_t account; /* 0: none */
	bool is_known;
	const struct limiter_ops *ops;
	void *arg;
};

/* Without limits. */
struct limiter *limiter_new(void);
void limiter_free(struct limiter **l);
/* New limits hold for the next ones; nobody is thrown out. */
void limiter_set(struct limiter *l, const struct limiter_max *max);
/* Counts one more, or says ERR_BUSY (in all) or ERR_LIMIT (this address). Another
   connection may go for it, inside this call. */
MUSTUSE enum err limiter_take(struct limiter *l, const struct addr *peer);
/* What limiter_take counted is this connection's. NULL for l: it is not counted. */
void limiter_hold(struct limiter *l, struct limiter_place *p, const struct addr *peer,
                  const struct limiter_ops *ops, void *arg);
/* The connection is this account's from now on, or the host's behind it (0). ERR_LIMIT:
   the account has per_account already; ERR_BUSY: all places are taken by those who come
   before it. Then nothing has changed. Another connection may go, inside this call. */
MUSTUSE enum err limiter_know(struct limiter_place *p, uint64_t account);
/* It is a stranger's again. Harmless for one that is. */
void limiter_forget(struct limiter_place *p);
/* It is a stranger's, and comes from another address, as a proxy says. ERR_LIMIT: that
   one has per_ip already; it counts for the old one then. */
MUSTUSE enum err limiter_move(struct limiter_place *p, const struct addr *peer);
/* The connection is over. Harmless without a place. */
void limiter_leave(struct limiter_place *p);
size_t limiter_count(const struct limiter *l);

#endif
