/* imap_utf7.h - mailbox names on the wire: modified UTF-7 (RFC 3501 5.1.3).
 *
 * The store knows UTF-8 names. A name that has two spellings would be two mailboxes to a
 * client, so decoding is strict: only what encoding would have written is a name.
 */
#ifndef IMAP_IMAP_UTF7_H
#define IMAP_IMAP_UTF7_H

#include "base/err.h"
#include "base/macros.h"
#include "base/str.h"
#include "base/strbuf.h"

enum {
	IMAP_NAME_MAX_BYTES = 1000, /* UTF-8 */
	IMAP_NAME_MAX_LEVELS = 32,
};

/* Appends. utf8 must be valid UTF-8 (utf8_check). */
void imap_utf7_format(struct strbuf *out, struct str utf8);
/* Appends. ERR_MALFORMED for what is no modified UTF-7, or not its shortest form;
   ERR_LIMIT where out is full. */
MUSTUSE enum err imap_utf7_parse(struct str utf7, struct strbuf *out);

/* May a mailbox have this name (UTF-8)? ERR_INVALID for control characters, empty, "."
   and ".." levels, wildcards, and too much of it. "INBOX" in any case is fine. */
MUSTUSE enum err imap_name_check(struct str utf8);

#endif
