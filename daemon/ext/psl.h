/* psl.h - where registrars sell names: the public suffix list. One wrapper around libpsl.
 *
 * The list that the library carries inside: no file is read, so it serves in a sandbox.
 */
#ifndef EXT_PSL_H
#define EXT_PSL_H

#include "base/str.h"

/* The part of the name that somebody registered, "example.co.uk" of "a.example.co.uk":
   a piece of name, which is in lower case with A-labels and without a final dot. Empty:
   it is a public suffix itself, or no name. Names below a top-level domain that the list
   does not know are registered right below that. */
struct str psl_registered_domain(struct str name);

#endif
