/* search.h - does a message hold this text? (SEARCH BODY, TEXT, HEADER and the like)
 *
 * The text that is searched is what a person reads: transfer encodings undone, charsets
 * converted to UTF-8, case folded (RFC 3501 6.4.4, RFC 5051 in spirit). Bodies of text
 * parts and the headers of messages inside are searched; attachments that are no text are
 * not. A search runs in slices, so that no loop is held up by a large message.
 */
#ifndef MAIL_SEARCH_H
#define MAIL_SEARCH_H

#include "base/arena.h"
#include "base/err.h"
#include "base/str.h"

#include <stdbool.h>
#include <stddef.h>

struct search_key; /* a needle, folded once */
struct search;     /* one message being searched for one needle or more */

enum search_scope {
	SEARCH_BODY, /* bodies, not the message's own header */
	SEARCH_TEXT, /* header and bodies */
};

enum {
	SEARCH_KEY_MAX = 1024,            /* bytes of a needle */
	SEARCH_SLICE_BYTES = 1024 * 1024, /* of message that one step looks at, about */
};

/* text in charset (empty: US-ASCII or UTF-8). ERR_CHARSET for one we do not know
   ([BADCHARSET]), ERR_LIMIT for a text that is too long. An empty text matches always.
   Lies in the arena. */
MUSTUSE enum err search_key_new(struct str text, struct str charset, struct arena *a,
                                const struct search_key **key_out);

/* Header fields: is there a field `name` whose decoded value holds the key? An empty key
   asks only whether there is such a field. `header` may go on into the body. */
bool search_header(struct str header, struct str name, const struct search_key *key);
/* Any UTF-8 text, such as the subject of the index. */
bool search_text(struct str utf8, const struct search_key *key);

/* Starts a search of a whole message; free with search_free. Borrows message and key. */
struct search *search_new(struct str message, const struct search_key *key,
                          enum search_scope scope);
void search_free(struct search **s);
/* Looks at the next slice: true when it is done, then *found_out says the result. */
MUSTUSE bool search_step(struct search *s, bool *found_out);
/* All of it at once: for small messages and tests. */
bool search_message(struct str message, const struct search_key *key,
                    enum search_scope scope);

#endif
