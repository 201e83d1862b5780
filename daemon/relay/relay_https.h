/* relay_https.h - one request over HTTPS: a GET for what other domains publish, a POST of
 * what they want to be told.
 *
 * Names are resolved by our own resolver; addresses that are not of the Internet are
 * refused after that, unless delivery.private_targets allows them. The certificate must
 * be right for the host. No redirect is followed. Everything together takes
 * RELAY_HTTPS_MS at most.
 */
#ifndef RELAY_RELAY_HTTPS_H
#define RELAY_RELAY_HTTPS_H

#include "base/duration.h"
#include "base/err.h"
#include "base/str.h"

#include <stddef.h>
#include <stdint.h>

struct relay;
struct relay_https;

/* A fault that begins like this: the certificate is not right. */
#define RELAY_HTTPS_BAD_CERTIFICATE "its certificate is not right: "

enum {
	RELAY_HTTPS_MS = MINUTE_MS, /* RFC 8461 3.3 */
};

/* body: of a 200 reply with the type asked for (to a POST: any good reply will do, and
   body is empty); else fault says in plain words why there is none. Both are good inside
   the call only, which ends the request. ERR_FORBIDDEN, ERR_NOT_FOUND, ERR_SYNTAX:
   another time will not help. */
typedef void relay_https_fn(void *arg, enum err e, struct str body, const char *fault);

struct relay_https_request {
	struct str host;  /* is copied */
	const char *path; /* the strings from here on live until the end */
	const char *type; /* "text/plain": what the answer has to be, or what is posted */
	size_t body_max;
	struct str posted; /* empty: it is a GET */
};
struct relay_https *relay_https_get(struct relay *r,
                                    const struct relay_https_request *request,
                                    relay_https_fn *fn, void *arg);
/* No call any more; *h becomes NULL. Harmless on NULL. */
void relay_https_cancel(struct relay_https **h);

#endif
