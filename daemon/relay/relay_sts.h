/* relay_sts.h - the MTA-STS policy of a destination (RFC 8461). */
#ifndef RELAY_RELAY_STS_H
#define RELAY_RELAY_STS_H

#include "base/str.h"

#include <stdbool.h>

struct mta_sts_policy;
struct relay;
struct relay_conn;
struct relay_dest;

/* Waits until the policy of the connection's destination is known: relay_path_demanded
   follows, later. */
void relay_sts_ask(struct relay_conn *c);
/* No longer. */
void relay_sts_leave(struct relay_conn *c);
/* What holds now, or NULL. */
const struct mta_sts_policy *relay_sts_policy(const struct relay_dest *d);
/* The text of what holds; good until the loop goes on. */
struct str relay_sts_text(const struct relay_dest *d);
/* Nothing holds, and this is why, in the words of TLS reports (RFC 8460 4.3.2.2): what
   the domain wants could not be had. NULL: it wants nothing. */
const char *relay_sts_fault(const struct relay_dest *d);
/* It was looked for in vain the last time: nobody knows whether there is one. */
bool relay_sts_is_unknown(const struct relay_dest *d);
/* A policy is being fetched: its answer is worth waiting for. */
bool relay_sts_is_busy(const struct relay_dest *d);
/* Somebody may have asked the store for a policy to be fetched. */
void relay_sts_changed(struct relay *r);
void relay_sts_free(struct relay_dest *d);

#endif
