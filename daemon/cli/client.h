/* client.h - calls to the REST API over its unix socket, through libcurl. */
#ifndef CLI_CLIENT_H
#define CLI_CLIENT_H

#include "base/arena.h"
#include "base/macros.h"
#include "base/str.h"
#include "ext/json.h"

#include <stdbool.h>

struct client;

/* Nothing is sent yet. */
struct client *client_new(const char *socket_path);
void client_free(struct client **c);

struct client_answer {
	int status; /* 0: nobody answered; error says why */
	const char *error;
	struct str body;
	struct json
		*doc; /* the body, where it is JSON; freed with the client's next call */
};

/* body: JSON, or empty for none. The answer is good until the next call. */
const struct client_answer *client_call(struct client *c, const char *method,
                                        struct str path, struct str body);
/* Appends text for a place in a path or a query. */
void client_escape(struct strbuf *out, struct str text);

#endif
