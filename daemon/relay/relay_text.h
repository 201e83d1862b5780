/* relay_text.h - a stored text as it will be sent, with CRLF for every line end, for what
 * signs it.
 */
#ifndef RELAY_RELAY_TEXT_H
#define RELAY_RELAY_TEXT_H

#include "base/str.h"

#include <stdbool.h>

struct arena;

/* Embedded; no need to free. */
struct relay_text {
	void (*sink)(void *arg, struct str bytes);
	void *arg;
	bool has_cr; /* the last byte taken in was a CR that is not handed on yet */
};

/* Hands a piece of the text on, and the last of it. */
void relay_text_feed(struct relay_text *t, struct str piece);
void relay_text_end(struct relay_text *t);
/* A header likewise, without the empty line behind it. */
struct str relay_text_header(struct str header, struct arena *a);

#endif
