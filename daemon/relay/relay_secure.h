/* relay_secure.h - how the next host must be reached: DANE (RFC 7672), or the policy
 * of its domain.
 */
#ifndef RELAY_RELAY_SECURE_H
#define RELAY_RELAY_SECURE_H

#include "base/str.h"
#include "io/tls.h"

#include <stdbool.h>

struct relay_conn;

/* Decides how `host` must be reached; relay_path_secured follows, later or at once. */
void relay_secure_host(struct relay_conn *c, struct str host);
/* There is no name to prove: an address was given. Nothing is demanded then, or it cannot
   be met. */
void relay_secure_none(struct relay_conn *c);
/* c->secure is SECURE_NEVER for this host: told, and remembered. */
void relay_secure_refuse(struct relay_conn *c, struct str host);
/* Must the connection be encrypted? */
bool relay_secure_is_demanded(const struct relay_conn *c);
/* What io/tls.h is asked to check. */
struct tls_client relay_secure_client(const struct relay_conn *c);

#endif
