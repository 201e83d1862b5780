/* relay_seal.h - ARC seals in front of what an alias sends on (RFC 8617). */
#ifndef RELAY_RELAY_SEAL_H
#define RELAY_RELAY_SEAL_H

#include "base/err.h"
#include "base/str.h"

#include <stdbool.h>

struct arena;
struct queue_item;
struct relay;
struct relay_seal;
struct strbuf;

/* Begins to seal a message that an alias sends on: header with clean line ends, borrowed
   as is the arena until the end. NULL: it is not sealed, and why was told. */
struct relay_seal *relay_seal_begin(struct relay *r, const struct queue_item *item,
                                    struct str header, struct arena *a);
void relay_seal_body(struct relay_seal *s, struct str bytes);
/* The body is complete: appends the set and tells, or tells why not and says false. */
MUSTUSE bool relay_seal_end(struct relay_seal *s, struct relay *r,
                            const struct queue_item *item, struct strbuf *out);
void relay_seal_free(struct relay_seal **s);
void relay_tell_unsealed(const struct queue_item *item, const char *why);

#endif
