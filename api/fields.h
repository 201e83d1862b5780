/* fields.h - reading a request's JSON object or query against a declared list.
 *
 * A handler declares what it takes; everything else, and everything of the wrong kind or
 * out of range, becomes a row of the problem (api_fault), all of them at once.
 */
#ifndef API_FIELDS_H
#define API_FIELDS_H

#include "api/api.h"

enum field_kind {
	FIELD_STR, /* min, max: bytes */
	FIELD_I64, /* min, max: value */
	FIELD_BOOL,
	FIELD_WORD, /* one of words, one space between */
	FIELD_LIST, /* of strings; min, max: how many */
	FIELD_TIME, /* RFC 3339 */
};

enum field_flag {
	FIELD_MUST = 1, /* required */
	FIELD_NULL = 2, /* null is allowed */
};

struct field_spec {
	const char *name;
	enum field_kind kind;
	unsigned flags;
	int64_t min, max;
	const char *words;
};

struct field {
	bool is_set;  /* it was there, and good */
	bool is_null; /* … and null */
	struct str s;
	int64_t i; /* number, time in ms; FIELD_WORD: which word, from 0 */
	bool b;
	struct str *list; /* in the arena of the request */
	size_t n;
};

/* Reads the body into fields[count], in the order of specs. False: the problem has been
   answered. */
MUSTUSE bool fields_read(struct api_request *r, const struct field_spec *specs,
                         size_t count, struct field *fields);
/* The same from the query. The route has refused unknown names already. */
MUSTUSE bool fields_query(struct api_request *r, const struct field_spec *specs,
                          size_t count, struct field *fields);

#endif
