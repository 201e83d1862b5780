/* well_known.h - what anybody may fetch by names of our domains: MTA-STS policies and the
 * settings of mail programs (api/well_known.c). */
#ifndef API_WELL_KNOWN_H
#define API_WELL_KNOWN_H

#include "api/api.h"

/* Is this path for hosts like autoconfig.DOMAIN, and is that a domain of ours? */
bool well_known_has_host(struct api_request *r, struct str host);

#endif
