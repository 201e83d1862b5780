/* regex.h - Perl-compatible patterns (PCRE2) from people we do not trust with our time:
 * no JIT, limits on steps, depth and memory; bytes or UTF-8. One pattern may be used on
 * one thread at a time.
 */
#ifndef EXT_REGEX_H
#define EXT_REGEX_H

#include "base/err.h"
#include "base/macros.h"
#include "base/str.h"

#include <stddef.h>

enum {
	REGEX_ICASE = 1,
	REGEX_UTF8 =
		2, /* pattern and subject are UTF-8; a broken subject never matches */
	REGEX_ANCHORED = 4, /* matches the whole subject only */
};

struct regex;

/* ERR_INVALID: not a pattern; diag->column is where. ERR_LIMIT: longer than 4 KiB. */
MUSTUSE enum err regex_new(struct str pattern, unsigned flags, struct regex **r_out,
                           struct diag *diag);
void regex_free(struct regex **r);
/* OK: matches; groups_out[0] is the whole, [i] group i, empty where it took no part; at
   most n of them. ERR_NOT_FOUND: does not match. ERR_LIMIT: would take too long. */
MUSTUSE enum err regex_match(struct regex *r, struct str subject, struct str *groups_out,
                             size_t n);

#endif
