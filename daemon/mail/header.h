/* header.h - the fields of a header, as they stand.
 *
 * Works on raw bytes and copies nothing: a field's name and value point into the message.
 * A header is a run of lines that ends at the first empty line (or at the end of the
 * bytes). Lines end in LF, with or without CR. Lines before the first field that begin
 * with a space, and lines without a colon, belong to no field (RFC 5322 2.2, 3.6).
 */
#ifndef MAIL_HEADER_H
#define MAIL_HEADER_H

#include "base/arena.h"
#include "base/str.h"
#include "base/strbuf.h"

#include <stdbool.h>
#include <stddef.h>

struct header_field {
	struct str name;  /* without trailing spaces; not empty */
	struct str value; /* behind the colon, folds and all, without the last line end */
	struct str raw;   /* name, colon, value, line end: what HEADER.FIELDS copies */
};

/* How many bytes of s are header: up to and including the empty line, or all of s. */
size_t header_size(struct str s);
/* Takes one logical line, a line and those that continue it, off *rest. */
enum header_line {
	HEADER_END,   /* at the empty line, which stays, or at the end */
	HEADER_FIELD, /* *field_out is set */
	HEADER_JUNK,  /* a line that is no field */
};
enum header_line header_take(struct str *rest, struct header_field *field_out);
/* Takes the next field off *rest; lines that are no field are passed over. False at the
   empty line, which stays in *rest, and at the end. */
bool header_next(struct str *rest, struct header_field *field_out);
/* LFs in s. */
size_t header_lines(struct str s);
/* The first field of that name (without case); false where there is none. `header` may
   go on into the body: the empty line ends the search. */
bool header_find(struct str header, struct str name, struct header_field *field_out);
/* How many fields have that name; counts no further than max. */
size_t header_count(struct str header, struct str name, size_t max);

/* The value on one line: line ends are dropped, spaces at both ends trimmed; the space
   that began the next line stays (RFC 5322 2.2.3). Borrows where nothing is folded. */
struct str header_unfold(struct str value, struct arena *a);
void header_unfold_into(struct str value, struct strbuf *out);

/* Appends the raw fields whose names are (want) or are not (!want) in names, and the
   empty line: the answer to BODY[HEADER.FIELDS (…)] and .NOT (RFC 3501 6.4.5). A last
   line without an end gets a CRLF. Lines that belong to no field are left out. */
void header_copy_fields(struct str header, const struct str *names, size_t name_count,
                        bool want, struct strbuf *out);

#endif
