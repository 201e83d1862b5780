/* pick.h - only the members that were asked for (?fields=a,b) of a list's items. */
#ifndef API_PICK_H
#define API_PICK_H

#include "api/api.h"

enum {
	PICK_MAX = 500, /* bytes of the parameter */
};

/* Writes json (an object with "items") anew, its items with those members alone. names:
   one comma between. False: answered, since the items have no member of such a name. */
MUSTUSE bool pick_fields(struct api_request *r, struct str json, struct str names,
                         struct strbuf *out);

#endif
