/* request.h - what the parts of api/ that carry a request know of each other. */
#ifndef API_REQUEST_H
#define API_REQUEST_H

#include "api/api.h"

/* It has been answered, or its client is gone: frees it. */
void request_end(struct api_request *r);
/* Sends an answer whose type is among its headers already. */
void request_answer(struct api_request *r, int status, struct str body);
/* Headers against content sniffing, framing, leaking; csp is the policy. */
void request_add_security(struct api_request *r, struct str csp);

/* Finds out who asks, into r->caller. False: a problem has been answered. A request
   without any credentials is CALLER_NOBODY and true. */
MUSTUSE bool request_authenticate(struct api_request *r);
/* For calls that a browser makes by itself: the page must be ours. False: answered. */
MUSTUSE bool request_check_origin(struct api_request *r);
/* May a secret travel over this connection? False: answered. */
MUSTUSE bool request_check_secrecy(struct api_request *r);
/* Is the Host a name of ours? False: answered. */
MUSTUSE bool request_check_host(struct api_request *r);

/* Does If-None-Match name this tag, weak or strong, or anything (RFC 9110 13.1.2)? */
MUSTUSE bool request_has_tag(struct api_request *r, struct str tag);

/* Everything that is not the API: files of the dashboard. Answers. */
void assets_reply(struct api_request *r);

#endif
