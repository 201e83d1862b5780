/* mime.h - the structure of a message, found in one bounded pass.
 *
 * mime_parse walks the message once, front to back, without recursion, and gives a tree
 * of parts as an array in depth-first order: part 0 is the message itself. Time is linear
 * in the message's size whatever it holds; parts and depth are capped, and what is beyond
 * a cap stays inside the part that holds it. Nothing is an error: a broken message has a
 * structure as well, the one that Dovecot and Cyrus would see where they agree.
 *
 * Follows: RFC 2045, RFC 2046, RFC 6532; RFC 3501 6.4.5 for part numbers.
 */
#ifndef MAIL_MIME_H
#define MAIL_MIME_H

#include "base/arena.h"
#include "base/err.h"
#include "base/str.h"
#include "base/strbuf.h"
#include "mail/header.h"
#include "mail/mime_param.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
	MIME_PARTS_MAX = 1000, /* parts of one message, all levels together */
	MIME_DEPTH_MAX = 32,   /* levels of multiparts and messages in each other */
};
#define MIME_NO_PART UINT32_MAX /* no enumerator: those are ints */

enum mime_kind {
	MIME_LEAF,
	MIME_MULTIPART, /* may have no child: no boundary, or none found */
	MIME_MESSAGE,   /* message/rfc822: has one child, the message */
};

enum mime_encoding {
	MIME_7BIT, /* 7bit, 8bit, binary, none and unknown ones: the bytes as they are */
	MIME_QUOTED_PRINTABLE,
	MIME_BASE64,
};

struct mime_part {
	enum mime_kind kind;
	enum mime_encoding encoding;
	uint32_t parent; /* index; MIME_NO_PART for part 0 */
	uint32_t next;   /* index of the part after this one and all inside it */
	uint32_t child_count;
	uint32_t depth;
	size_t header_at, header_bytes; /* with the empty line */
	size_t body_at, body_bytes;
	size_t header_lines, body_lines; /* LFs in each */
	/* Fields of its header; name.p is NULL where there is none. First ones win. */
	struct header_field content_type, content_encoding, content_disposition,
		content_id, content_description, content_md5, content_language,
		content_location;
	struct str type, subtype; /* as written, or the default; never empty */
	bool is_type_default;     /* no usable Content-Type: text/plain, or message/rfc822
	                             in a digest */
};

struct mime_tree {
	const struct mime_part *parts;
	uint32_t count;    /* >= 1 */
	bool is_cut;       /* a cap was reached: parts inside are not taken apart */
	bool is_ambiguous; /* programs may disagree about this structure: two Content-Type
	                      fields in one part, a multipart without its end, … */
};

/* True for message/rfc822, also where a cap kept it from being taken apart. It is taken
   apart whatever its transfer encoding says (RFC 2046 5.2.1 allows none). message/global
   is not: to readers of RFC 3501 it is data. */
bool mime_is_message(const struct mime_part *part);

/* Parses. The tree lies in the arena and borrows from message. It takes up to about
   400 KiB of arena at MIME_PARTS_MAX parts. */
void mime_parse(struct str message, struct arena *a, struct mime_tree *tree_out);

#endif
