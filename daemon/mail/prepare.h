/* prepare.h - what readers of a message will ask for, made once, when it comes in.
 *
 * mail_prepare looks at a whole message and gives ENVELOPE, BODY and BODYSTRUCTURE in the
 * form that FETCH sends (RFC 3501 7.4.2), the part table that finds any BODY[…] section,
 * and the fields that lists, searches and threads work on. It never fails: broken mail is
 * mail. Its cost is one pass over the bytes.
 */
#ifndef MAIL_PREPARE_H
#define MAIL_PREPARE_H

#include "base/arena.h"
#include "base/str.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
	/* What an arena must hold at least; with less some results come out cut. Costs
	   nothing until it is used. */
	PREPARE_ARENA_BYTES = 24 * 1024 * 1024,
	PREPARE_PREVIEW_MAX = 256,      /* bytes of preview */
	PREPARE_FIELD_MAX = 1024,       /* bytes of from, to, cc, subject */
	PREPARE_ID_MAX = 998,           /* bytes of one message id */
	PREPARE_REFERENCES_MAX = 8192,  /* bytes of all references */
	PREPARE_TEXT_MAX = 1024 * 1024, /* bytes of each of the three FETCH forms */
};

/* All of it lies in the arena or borrows from the message. */
struct prepared {
	/* Ready to send behind "ENVELOPE ", "BODY ", "BODYSTRUCTURE ": parentheses and
	   all, never empty, may hold literals. */
	struct str envelope, body, bodystructure;
	struct str parts; /* packed: mail/part_table.h */

	/* UTF-8, RFC 2047 decoded, on one line, without control characters; may be empty
	 */
	struct str from;   /* "Ann <ann@example.org>, …" */
	struct str to, cc; /* the same */
	struct str subject;
	struct str preview; /* the beginning of the text, spaces folded together */

	/* For SORT and duplicates: mailbox (local@domain) of the first address of From.
	 */
	struct str from_address;
	/* The subject without "Re:", "Fwd:", "[list]" and the like (RFC 5256 2.1), lower
	   case not applied. */
	struct str subject_base;

	/* Ids with their angle brackets; in_reply_to and references one or more,
	   separated by one space, oldest first, no id twice. Empty where there is none.
	 */
	struct str message_id, in_reply_to, references;

	bool has_date;
	int64_t date_ms;   /* of Date:, Unix time */
	int date_zone_min; /* its zone, minutes east of Greenwich */

	size_t size_bytes;   /* of the message */
	size_t header_bytes; /* of its header with the empty line */
	uint32_t part_count;
	uint32_t received_count; /* Received fields */
	bool has_attachment;
	bool has_8bit; /* the message has bytes over 0x7f: needs 8BITMIME to be relayed */
	bool has_8bit_header; /* … in its header: needs SMTPUTF8 */
	bool is_ambiguous;    /* see struct mime_tree */
	bool is_tls_optional; /* TLS-Required: No (RFC 8689 3) */
};

/* message: all its bytes in one piece (a mapped file will do), CRLF line ends. */
void mail_prepare(struct str message, struct arena *a, struct prepared *prepared_out);

#endif
