/* reason.h - why something waits or failed, as the API tells it. */
#ifndef API_REASON_H
#define API_REASON_H

#include "ext/json.h"
#include "store/types.h"

/* What is known of a failure; all but text may be empty. */
struct reason {
	struct str class; /* word of queue/reasons.def; empty: made out from the rest */
	uint32_t code;
	struct str enhanced, host, ip;
	struct str text; /* verbatim */
	bool is_ours;    /* we said no: the sender's move */
};

/* Writes a Reason object, or null where there is neither class nor text, or where the
   text is the reply of who took it. */
void reason_write(struct json_out *j, const char *key, const struct reason *reason);
/* From "550 5.1.1 No such user …" as the delivery log keeps it. */
struct reason reason_from_text(struct str text);
/* The class by its word, found out where it is empty. */
struct str reason_class(const struct reason *reason);
struct str reason_bucket(const struct reason *reason);

#endif
