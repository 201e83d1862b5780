/* smtp_client_body.h - message text on its way out through DATA.
 *
 * Whatever is put in, what comes out has CRLF and no other line end, a dot doubled at
 * the start of each line that begins with one, and ends in a whole line: so no text can
 * end the message early or begin another one at the next hop (RFC 5321 4.5.2, 2.3.8).
 * A bare LF or a bare CR becomes CRLF. Pieces may be cut anywhere.
 */
#ifndef SMTP_SMTP_CLIENT_BODY_H
#define SMTP_SMTP_CLIENT_BODY_H

#include "base/str.h"
#include "base/strbuf.h"

#include <stdbool.h>

struct smtp_body_writer {
	bool in_line; /* the last byte written does not end a line */
	bool has_cr;  /* a CR was taken in and not yet written */
};

/* Appends one piece. At most 2 * piece.n + 2 bytes. */
void smtp_body_write(struct smtp_body_writer *w, struct str piece, struct strbuf *out);
/* Appends the end of the last line where it has none, and the lone dot. */
void smtp_body_end(struct smtp_body_writer *w, struct strbuf *out);

#endif
