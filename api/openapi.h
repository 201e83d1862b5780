/* openapi.h - api/openapi.yaml, which is built in, as JSON and as a page. */
#ifndef API_OPENAPI_H
#define API_OPENAPI_H

#include "base/str.h"

/* The document as JSON; made when first asked for, kept for the life of the process. */
struct str openapi_json(void);
/* The same as HTML for people: the body of assets_reply_page(). */
struct str openapi_page(void);

#endif
