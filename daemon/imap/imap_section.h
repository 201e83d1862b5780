/* imap_section.h - what of a message BODY[…] means (RFC 3501 6.4.5).
 *
 * "1.2.HEADER.FIELDS (From To)" is a path of part numbers, a kind, and perhaps names of
 * fields. Where a section lies is read off the part table that was prepared when the
 * message came in; only header fields are picked out of the message itself.
 */
#ifndef IMAP_IMAP_SECTION_H
#define IMAP_IMAP_SECTION_H

#include "base/macros.h"
#include "base/strbuf.h"
#include "imap/imap_args.h"
#include "mail/part_table.h"

enum {
	IMAP_PATH_MAX = 64,    /* part numbers of one section */
	IMAP_FIELDS_MAX = 256, /* names of one HEADER.FIELDS */
};

enum imap_fields {
	FIELDS_ALL,
	FIELDS_THESE, /* HEADER.FIELDS */
	FIELDS_OTHER, /* HEADER.FIELDS.NOT */
};

struct imap_section {
	const uint32_t *path;
	size_t depth;
	enum section_kind kind;
	enum imap_fields fields;
	const struct str *names;
	size_t names_n;
	/* <first.length> */
	bool is_partial;
	uint64_t first, length;
};

/* "[…]" and, if there is one, "<first.length>". All of it lies in the arena of args or
   borrows from the command. */
MUSTUSE bool imap_section_parse(struct imap_args *args, struct imap_section *section_out);
/* "[…]<first>", as the answer repeats it. */
void imap_section_format(const struct imap_section *section, struct strbuf *out);
/* The bytes of the section, partial or not: inside message, or, for header fields, in
   scratch (cleared first). False where the message has no such section. *looked_out: how
   many bytes had to be looked at, for each name as often. */
MUSTUSE bool imap_section_find(const struct imap_section *section, struct str message,
                               struct str parts, struct strbuf *scratch,
                               struct str *bytes_out, size_t *looked_out);

#endif
