/* dkim_fields.h - the fields of a header, taken by name from the bottom (RFC 6376 5.4.2).
 *
 * Made once for a message; then each signature takes what its h= names, the lowest field
 * of a name first, and none where they are used up. Any number of fields with any names
 * costs n log n.
 */
#ifndef POLICY_DKIM_FIELDS_H
#define POLICY_DKIM_FIELDS_H

#include "base/arena.h"
#include "base/str.h"

enum {
	DKIM_FIELDS_MAX = 5000, /* no honest message has a tenth of it */
};

struct dkim_fields;

/* Borrows the header. NULL: more fields than DKIM_FIELDS_MAX, or than the arena holds. */
struct dkim_fields *dkim_fields_new(struct arena *a, struct str header);
/* Of a field (name, colon, value and line end): what stands behind the colon. */
struct str dkim_field_value(struct str raw);
/* How many have that name (without case). */
size_t dkim_fields_named(const struct dkim_fields *f, struct str name);
/* The i-th of them from the top; the empty str where there is none. */
struct str dkim_fields_at(const struct dkim_fields *f, struct str name, size_t i);

/* A new signature begins to take: all fields are there again. */
void dkim_fields_rewind(struct dkim_fields *f);
/* The lowest field of that name that was not taken yet, passing over the one that begins
   at `except` (the signature itself, or NULL); the empty str where there is none. */
struct str dkim_fields_take(struct dkim_fields *f, struct str name, const char *except);

#endif
