/* part_table.h - the tree of a message's parts, packed, as the store keeps it.
 *
 * Any BODY[…] section is found in it without looking at the message. The bytes come from
 * disk: they are checked while they are read.
 */
#ifndef MAIL_PART_TABLE_H
#define MAIL_PART_TABLE_H

#include "base/err.h"
#include "base/str.h"
#include "base/strbuf.h"
#include "mail/mime.h"

#include <stddef.h>
#include <stdint.h>

/* Where bytes lie inside a message. */
struct span {
	size_t at, n;
};

/* What of a part is wanted: BODY[1], BODY[1.MIME], BODY[1.HEADER], BODY[1.TEXT]. */
enum section_kind {
	SECTION_BODY,
	SECTION_MIME,
	SECTION_HEADER,
	SECTION_TEXT,
};

/* Appends the packed form of a tree. */
void part_table_format(const struct mime_tree *tree, struct strbuf *out);
/* Finds a section by RFC 3501 6.4.5: path holds the numbers, {1, 2} for "1.2"; an empty
   path is the message itself (SECTION_BODY: all of it). ERR_NOT_FOUND where there is no
   such section, ERR_CORRUPT where table is not one of ours. */
MUSTUSE enum err part_table_find(struct str table, const uint32_t *path, size_t depth,
                                 enum section_kind kind, struct span *span_out,
                                 enum mime_encoding *encoding_out);

#endif
