/* lookups_conn.h - joins a policy to the resolver: asks what it needs until it is done.
 *
 * Everything here happens later, on the loop; a policy is called again once in a turn in
 * which answers came. What a stranger's zones can cost is bounded: questions out at one
 * time, bytes of all answers, and, once somebody waits, time.
 *
 * Owns: the questions that are out. Borrows: loop, resolver, lookups, the policy.
 */
#ifndef POLICY_LOOKUPS_CONN_H
#define POLICY_LOOKUPS_CONN_H

#include "io/dns.h"
#include "io/loop.h"
#include "policy/lookups.h"

struct lookups_conn;

/* The policy; called from its beginning, over and over, until POLICY_DONE. */
typedef enum policy_step lookups_step_fn(void *arg, struct lookups *l);

struct lookups_conn *lookups_conn_new(struct loop *loop, struct dns *dns,
                                      struct lookups *lookups);
/* On whose behalf it asks from now on (dns_query_group). */
void lookups_conn_group(struct lookups_conn *c, uint64_t id);
/* From now on it asks past the cache (dns_query_fresh). */
void lookups_conn_fresh(struct lookups_conn *c);
/* Runs this policy from now on, instead of the one before; done(arg) is called when it
   has its verdict, never inside this call. done may be NULL. */
void lookups_conn_run(struct lookups_conn *c, lookups_step_fn *step, loop_fn *done,
                      void *arg);
/* Time is over after so many milliseconds from now: then all that is not known is
   DNS_TEMP. */
void lookups_conn_limit(struct lookups_conn *c, int64_t ms);
/* Before the lookups go; done is not called any more. */
void lookups_conn_free(struct lookups_conn **c);

#endif
