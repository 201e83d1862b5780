/* imap_set.h - sequence sets: "1:4,7,9:*" (RFC 3501 9, sequence-set).
 *
 * A parsed set keeps what was written, with 0 for "*". imap_set_resolve makes of it what
 * all work is done with: ascending ranges that neither overlap nor touch.
 */
#ifndef IMAP_IMAP_SET_H
#define IMAP_IMAP_SET_H

#include "base/arena.h"
#include "base/macros.h"
#include "base/str.h"
#include "base/strbuf.h"
#include "imap/imap_ops.h"

struct imap_set {
	struct uid_range *ranges;
	size_t n;
};

/* Takes a set off the start of *s; false (and *s undefined) where none stands there, or
   where the arena is too small for it. */
MUSTUSE bool imap_set_parse(struct str *s, struct arena *a, struct imap_set *set_out);
/* In place. "*" becomes max; with max == 0 (an empty mailbox) it stands for nothing. */
void imap_set_resolve(struct imap_set *set, uint32_t max);
/* Of a resolved set. */
bool imap_set_has(const struct imap_set *set, uint32_t number);
uint64_t imap_set_count(const struct imap_set *set);
/* "1:4,7" */
void imap_set_format(struct strbuf *out, const struct uid_range *ranges, size_t n);

/* A resolved set that grows at its end: numbers ascend. Its ranges are a heap buffer. */
struct imap_set_builder {
	struct strbuf bytes; /* struct uid_range[] */
};

void imap_set_builder_init(struct imap_set_builder *b, struct arena *a);
/* False where the arena is full. */
MUSTUSE bool imap_set_builder_add(struct imap_set_builder *b, uint32_t first,
                                  uint32_t last);
struct imap_set imap_set_builder_set(const struct imap_set_builder *b);

#endif
