/* relay_dsn.h - notifications: what the sender of a message is told about its recipients
 * (RFC 3464).
 */
#ifndef RELAY_RELAY_DSN_H
#define RELAY_RELAY_DSN_H

#include "base/err.h"
#include "base/str.h"
#include "store/ops.h"

#include <stddef.h>

struct arena;
struct relay;
struct relay_job;

/* Builds the notification that the job's decisions ask for; relay_job_write follows,
   later or at once. */
void relay_dsn_make(struct relay_job *job);
/* The operation, or NULL where there is none (nobody to tell, or it failed). */
const struct op_accept *relay_dsn_op(const struct relay_job *job);
void relay_dsn_free(struct relay_job *job);
/* There will be none: the log alone is told, and why. */
void relay_dsn_drop(struct relay_job *job, enum err why);
/* Where mail of ours to this address goes: mailboxes of our accounts, or the queue. */
MUSTUSE enum err relay_rcpts_find(struct relay *r, struct str to, struct arena *a,
                                  struct accept_rcpt **rcpts_out, size_t *count_out);

#endif
