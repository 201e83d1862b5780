/* filter_priv.h - a query that was read, for the files that read it and go by it. */
#ifndef API_FILTER_PRIV_H
#define API_FILTER_PRIV_H

#include "api/filter.h"

enum filter_op {
	OP_HAS, /* : */
	OP_IS,  /* = */
	OP_NOT, /* != */
	OP_MORE,
	OP_MORE_IS,
	OP_LESS,
	OP_LESS_IS,
};

enum filter_kind {
	KIND_AND,
	KIND_OR,
	KIND_NOT,
	KIND_TERM,
	KIND_WORD, /* in any of the fields marked so */
};

struct one_value {
	struct str text;
	int64_t first, last; /* numbers: a value is a range, of a day for instance */
	struct one_value *next;
};

struct filter {
	enum filter_kind kind;
	struct filter *left, *right; /* AND, OR; NOT has left */
	size_t field;
	enum filter_type type;
	enum filter_op op;
	struct one_value *values;
	const struct filter_field *fields;
	size_t fields_count;
};

/* Are its values compared as text? */
static inline bool
filter_is_text(enum filter_type type)
{
	return type == FILTER_TEXT || type == FILTER_EXACT || type == FILTER_ADDRESS;
}

#endif
