/* proxy.h - reads the PROXY protocol header, versions 1 and 2 (HAProxy's proxy-protocol
 * specification, 2.1 and 2.2). Pure.
 */
#ifndef IO_PROXY_H
#define IO_PROXY_H

#include "base/addr.h"
#include "base/macros.h"
#include "base/str.h"

#include <stdbool.h>
#include <stddef.h>

enum proxy_result {
	PROXY_MORE,  /* could be a header, but is not whole yet */
	PROXY_NONE,  /* these bytes begin no PROXY header */
	PROXY_OK,    /* a header of *used_out bytes */
	PROXY_ERROR, /* begins as one and is wrong: close */
};

struct proxy_header {
	bool is_local;    /* a health check of the proxy itself: use the real addresses */
	struct addr peer; /* the client */
	struct addr local; /* what it connected to */
};

enum {
	PROXY_HEADER_MAX = 16 + 2048, /* v2 with its TLVs; v1 is at most 107 */
};

/* bytes: all that has been received. */
MUSTUSE enum proxy_result proxy_parse(struct str bytes, struct proxy_header *header_out,
                                      size_t *used_out);

#endif
