/* smtp_data.h - the content of a message as it comes, after DATA or in BDAT chunks.
 *
 * One machine for both, so that neither can be smuggled through the other: it undoes the
 * dots of DATA, ends DATA at CRLF "." CRLF and at nothing else, and refuses bare CR, bare
 * LF and NUL (RFC 5321 2.3.8, 4.1.1.4, 4.5.2; RFC 3030). Once something is wrong nothing
 * is passed on any more, but the end is still found at the true end: what follows a
 * refused message is never taken for commands.
 *
 * A plain value; pure. Bytes are passed on in runs, without a copy.
 */
#ifndef SMTP_SMTP_DATA_H
#define SMTP_SMTP_DATA_H

#include "base/err.h"
#include "base/str.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Takes a run of content; an error ends the passing on and becomes smtp_data.err. */
typedef enum err smtp_data_sink(void *arg, struct str bytes);

struct smtp_data {
	uint64_t size;     /* bytes passed on, or refused */
	uint64_t size_max; /* more is ERR_TOO_LARGE */
	enum err err;      /* what is wrong, or OK */
	bool has_dots;     /* DATA, not BDAT */
	unsigned char at;  /* enum at, in smtp_data.c */
};

void smtp_data_init(struct smtp_data *d, bool has_dots, uint64_t size_max);
/* Takes content off `in` and returns how many bytes; all of them, but for DATA where its
   end is inside: then *is_end_out. */
size_t smtp_data_input(struct smtp_data *d, struct str in, smtp_data_sink *sink,
                       void *arg, bool *is_end_out);
/* The last chunk of BDAT is through: a last line without CRLF gets one. */
void smtp_data_finish(struct smtp_data *d, smtp_data_sink *sink, void *arg);

#endif
