/* queue_reason.h - the reason classes: from codes and words of a reply, or from a
 * finding of our own, to one of two dozen stable names.
 *
 * Text is any bytes a peer sent; only its first kilobyte is looked at, and in time that
 * its length bounds.
 */
#ifndef QUEUE_QUEUE_REASON_H
#define QUEUE_QUEUE_REASON_H

#include "base/err.h"
#include "base/str.h"
#include "base/strbuf.h"

#include <stdbool.h>

enum queue_reason {
#define REASON(id, word, owner, bucket, title) REASON_##id,
#include "queue/reasons.def"
#undef REASON
	REASON_COUNT
};

struct queue_reason_info {
	const char *word;   /* "rate_limited" */
	const char *owner;  /* "sender", "recipient", "you", "them", "wait" */
	const char *bucket; /* "wait", "address", "authentication", ... */
	const char *title;  /* plain words */
};

/* What a reply was about: 550 means a recipient in one place and a message in another. */
enum queue_stage {
	STAGE_SESSION, /* greeting, EHLO, STARTTLS */
	STAGE_SENDER,  /* MAIL FROM */
	STAGE_RCPT,    /* RCPT TO */
	STAGE_MESSAGE, /* DATA and its end */
};

const struct queue_reason_info *queue_reason_info(enum queue_reason r);
/* By its word; REASON_COUNT for none. */
enum queue_reason queue_reason_find(struct str word);

/* enhanced: "4.7.28" or empty; text: what stood behind the codes. */
enum queue_reason queue_reason_from_reply(enum queue_stage stage, int code,
                                          struct str enhanced, struct str text);
/* is_connecting: it happened before the server said anything. */
enum queue_reason queue_reason_from_err(enum err cause, bool is_connecting);
/* Appends the enhanced code of a failure without a reply: "5.4.4". */
void queue_reason_status(enum queue_reason r, bool is_permanent, struct strbuf *out);

#endif
