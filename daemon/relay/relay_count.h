/* relay_count.h - what TLS reports on others are made of: one event for each session
 * (RFC 8460 4.3).
 */
#ifndef RELAY_RELAY_COUNT_H
#define RELAY_RELAY_COUNT_H

#include "base/str.h"

struct relay_conn;

/* Tells of a session with the host c->host for the TLS report to the destination. result:
   "ok", or the kind of failure (RFC 8460 4.3); reason: more of it, or empty. */
void relay_count_session(const struct relay_conn *c, const char *result,
                         struct str reason);
/* The connection is encrypted, as far as it was demanded. */
void relay_count_secured(const struct relay_conn *c);
/* c->secure is SECURE_NEVER: there is no session. */
void relay_count_refused(const struct relay_conn *c);
/* The kind of failure by the words that tls.h has for a certificate. */
const char *relay_count_certificate(struct str words);

#endif
