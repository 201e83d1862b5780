/* filter.h - the query language of lists: "state:deferred to_domain:gmail.com age>1h".
 *
 *     q     = or              or   = and {"OR" and}       and = term {term}
 *     term  = ["-"] ( "(" or ")" | field op value | word )
 *     op    = ":" "=" "!=" ">" ">=" "<" "<="
 *     value = one {"," one}   one  = plain | "quoted" | a ".." b
 *
 * ":" on text means "has it in it" (with "*": matches it as a whole), "=" means equal;
 * case is ASCII case. A bare word is looked for in all fields marked FILTER_ANY. Numbers
 * may be durations (2h, 1d), sizes (10M) or times (2026-11-23, today, yesterday), by
 * field. Pure: the clock is an argument; depth and number of terms are bounded.
 */
#ifndef API_FILTER_H
#define API_FILTER_H

#include "base/arena.h"
#include "base/err.h"
#include "base/macros.h"
#include "base/str.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
	FILTER_BYTES_MAX = 1000,
	FILTER_TERMS_MAX = 64,
	FILTER_DEPTH_MAX = 16,
};

enum filter_type {
	FILTER_TEXT,
	FILTER_EXACT, /* text that is compared as a whole: ids, states, domains */
	FILTER_ADDRESS, /* one address or several, one space between: "a@b" is one as a whole,
	                   "@b" all of a domain, anything else a part of one */
	FILTER_NUMBER,
	FILTER_DURATION, /* seconds */
	FILTER_SIZE,     /* bytes */
	FILTER_TIME,     /* Unix ms */
};

struct filter_field {
	const char *name;
	enum filter_type type;
	bool is_any; /* a bare word looks here, too */
};

/* What a row has in a field. */
struct filter_value {
	struct str text; /* TEXT, EXACT, ADDRESS */
	int64_t number;  /* the others */
};

struct filter_error {
	size_t position;  /* in bytes, from 1 */
	const char *code; /* stable: "unknown_field", "bad_value" … */
	struct str text;
};

struct filter;

/* What a filter may speak of. */
struct filter_language {
	const struct filter_field *fields;
	size_t count;
	int64_t now_ms; /* ages count from here */
};

/* ERR_INVALID with *error_out where q is wrong. The empty filter matches everything. */
MUSTUSE enum err filter_parse(struct str q, const struct filter_language *language,
                              struct arena *a, struct filter **filter_out,
                              struct filter_error *error_out);

/* get is asked for the fields the filter names, as often as it likes. */
typedef struct filter_value filter_get_fn(const void *row, size_t field);
bool filter_matches(const struct filter *f, filter_get_fn *get, const void *row);

/* The one value that a row must have in this field for the filter to match ("=" or, for
   EXACT fields and whole addresses, ":"), for handing down to a reader. False: there is
   no such value. */
bool filter_needs(const struct filter *f, size_t field, struct str *value_out);
/* Text that must stand in this field (address or TEXT) of every row that matches, without
   regard to case; less than the filter says, for readers to leave out most rows. */
bool filter_needs_part(const struct filter *f, size_t field, struct str *part_out);
/* The one bare word that a row must have. */
bool filter_needs_word(const struct filter *f, struct str *word_out);
/* The same for numbers: the range that a row must be in; both ends included. */
bool filter_needs_range(const struct filter *f, size_t field, int64_t *first_out,
                        int64_t *last_out);
bool filter_is_empty(const struct filter *f);

#endif
