/* head.h - the columns of a message row that hold several strings, and keeping strings
 * longer than the row they were read from. */
#ifndef STORE_HEAD_H
#define STORE_HEAD_H

#include "base/arena.h"
#include "base/err.h"
#include "base/macros.h"
#include "base/strbuf.h"
#include "store/types.h"

/* The column message.fields. Unpacking judges nothing: what is damaged stays empty. */
void head_fields_pack(const struct message_head *h, struct strbuf *out);
void head_fields_unpack(struct str bytes, struct message_head *h);

/* Copies every string into the arena, or ERR_LIMIT. */
MUSTUSE enum err head_keep(struct str *const *strings, size_t count, struct arena *a);

#endif
