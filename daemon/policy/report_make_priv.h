/* report_make_priv.h - what makers of reports share. */
#ifndef POLICY_REPORT_MAKE_PRIV_H
#define POLICY_REPORT_MAKE_PRIV_H

#include "base/str.h"
#include "base/strbuf.h"

#include <stdbool.h>

enum {
	REPORT_FIELDS_MAX = 16,
	REPORT_FIELD_BYTES = 1024,
};

/* The fields of a row, read off once. */
struct report_fields {
	struct str keys[REPORT_FIELDS_MAX], values[REPORT_FIELDS_MAX];
	size_t count;
	char bytes[2 * REPORT_FIELD_BYTES];
};

void report_fields_read(struct report_fields *f, struct str body);
/* Empty where there is none. */
struct str report_field(const struct report_fields *f, const char *key);

/* Is it one of these words? They have one space between. */
bool report_is_word(struct str s, const char *words);

#endif
