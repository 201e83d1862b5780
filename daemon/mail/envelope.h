/* envelope.h - the ENVELOPE of a message (RFC 3501 7.4.2), from its header. */
#ifndef MAIL_ENVELOPE_H
#define MAIL_ENVELOPE_H

#include "base/arena.h"
#include "base/str.h"
#include "base/strbuf.h"
#include "mail/address_list.h"

enum {
	ENVELOPE_LIST_MAX = 10000, /* addresses of one field */
	/* Past this many bytes no further address is written, so that what is written
	   stays well-formed. */
	ENVELOPE_SOFT_MAX = 512 * 1024,
};

/* Fields that ENVELOPE is made of; where a name stands there more than once, the last one
   counts, as with other servers. p is NULL where there is none. Values are raw. */
struct envelope_fields {
	struct str date, subject, from, sender, reply_to, to, cc, bcc, in_reply_to,
		message_id;
	/* Not part of ENVELOPE. */
	struct str references;
	size_t received_count;
};

/* Reads a header; it may go on into the body. */
void envelope_read(struct str header, struct envelope_fields *fields_out);
/* Appends "(…)". from_out may be NULL, else it gets the parsed From. */
void envelope_format(const struct envelope_fields *fields, struct arena *a,
                     struct strbuf *out, struct address_list *from_out);

#endif
