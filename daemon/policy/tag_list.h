/* tag_list.h - "a=b; c=d", the form of DKIM's signatures and keys (RFC 6376 3.2).
 *
 * Names and values point into the text; values keep their folds. A name may stand once.
 * Bytes over 0x7f are good in values (RFC 8616).
 */
#ifndef POLICY_TAG_LIST_H
#define POLICY_TAG_LIST_H

#include "base/arena.h"
#include "base/err.h"
#include "base/str.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
	TAG_LIST_MAX = 64, /* tags; RFC 6376 has 17 in all */
};

struct tag {
	struct str name;
	struct str value; /* without white space at its ends */
	struct str raw;   /* all that stands between "=" and ";" or the end */
};

struct tag_list {
	size_t count;
	uint8_t by_letter[26]; /* "a" to "z": which tag, counted from 1; 0: none */
	struct tag tags[TAG_LIST_MAX];
};

/* ERR_SYNTAX: it is no tag list; ERR_EXISTS: a name stands twice; ERR_LIMIT: too many.
   A list without any tag is ERR_SYNTAX. */
MUSTUSE enum err tag_list_parse(struct str text, struct tag_list *list_out);
/* The tag of that name (with case), or NULL. */
const struct tag *tag_list_find(const struct tag_list *list, struct str name);

/* The value without any white space (FWS, whose order the header's reader has seen to):
   itself where there is none. */
struct str tag_squeeze(struct str value, struct arena *a);
/* Takes the next part of a value like "a : b" off *rest, without white space at its ends;
   false at the end. Parts may be empty. */
bool tag_next(struct str *rest, char separator, struct str *part_out);

#endif
