/* change.h - struct change of store/feed.h as bytes, from the committer to subscribers.
 */
#ifndef STORE_CHANGE_H
#define STORE_CHANGE_H

#include "base/strbuf.h"
#include "store/feed.h"

void change_pack(struct strbuf *out, const struct change *c);
/* Takes the next one off *rest; false at the end and at bytes that are none. */
bool change_next(struct str *rest, struct change *change_out);

#endif
