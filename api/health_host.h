/* health_host.h - what was found of the host as others see it, as JSON.
 *
 * The queue process looks (relay/relay_host.c) and writes it into the store, the API
 * shows it with its age: nobody waits for a look.
 */
#ifndef API_HEALTH_HOST_H
#define API_HEALTH_HOST_H

#include "ext/json.h"
#include "policy/host.h"
#include "store/reader.h"

/* The last run of each check, in the order of enum host_check; one without a name was
   never run nor asked for. */
struct health_host {
	struct host_row rows[HOST_CHECKS];
	struct dns_mute mutes[HOST_CHECKS]; /* at_ms 0: not muted */
};

/* Members of an object: request, name, lines. */
void health_host_body(struct json_out *j, const struct host_verdict *v);

MUSTUSE enum err health_host_read(struct reader *r, struct arena *a,
                                  struct health_host *out);
/* The whole object of one check. */
void health_host_check(struct json_out *j, enum host_check check,
                       const struct health_host *host);

#endif
