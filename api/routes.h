/* routes.h - the table of all operations, and finding one.
 *
 * routes.def is the one list; api/openapi.yaml is held against it by a test. */
#ifndef API_ROUTES_H
#define API_ROUTES_H

#include "api/api.h"

typedef void api_handler(struct api_request *r);

enum route_flag {
	ROUTE_BODY = 1,     /* takes a JSON object */
	ROUTE_DRY = 2,      /* knows dry_run */
	ROUTE_PUBLIC = 4,   /* cookies and tokens are not even looked at */
	ROUTE_GLOBAL = 8,   /* not for callers limited to domains */
	ROUTE_SIGN_IN = 16, /* checks a password: small bodies, no token */
	ROUTE_XML = 64,     /* takes a small body of XML, which nobody parses */
	ROUTE_RATED = 256,  /* counted by address: nobody signs in */
	ROUTE_SECRET = 128, /* its answer shows a secret, once */
	ROUTE_MESSAGE = 32, /* takes message/rfc822 as well */
};

struct route {
	const char *name; /* operationId */
	const char *method;
	const char *path; /* "/api/v1/domains/{domain}" */
	api_handler *handler;
	enum scope scope;
	unsigned flags;    /* enum route_flag */
	const char *query; /* names of query parameters, one space between */
};

enum {
	ROUTES_ALLOW_MAX = 64,
};

size_t route_count(void);
const struct route *route_at(size_t i);

enum route_found {
	ROUTE_FOUND,
	ROUTE_NO_PATH,
	ROUTE_NO_METHOD, /* the path is there, not with this method */
	ROUTE_BAD_PATH,  /* an escape that is none, a NUL, a slash in a part */
};

/* Finds the row; HEAD is looked up as GET. params_out: the parts that stand for {names},
   decoded into a. On ROUTE_NO_METHOD allow_out is the value of the Allow header. */
enum route_found route_find(struct str method, struct str path, struct arena *a,
                            const struct route **route_out,
                            struct str params_out[API_PARAMS_MAX], struct str *allow_out);

#define ROUTE(name, method, path, scope, flags, query) api_handler name;
#include "api/routes.def"
#undef ROUTE

#endif
