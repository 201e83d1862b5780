/* json.h - JSON in (over jansson, strict and bounded) and JSON out (a writer).
 *
 * Reading: RFC 8259, UTF-8 only, no duplicate names, no NUL in strings, depth and size
 * bounded. Values are borrowed from the document, which json_free frees.
 * Writing: straight into a strbuf, commas by itself; bytes that are no UTF-8 become
 * U+FFFD, so the result is always valid. </script> cannot appear: '<' is escaped.
 */
#ifndef EXT_JSON_H
#define EXT_JSON_H

#include "base/err.h"
#include "base/macros.h"
#include "base/str.h"
#include "base/strbuf.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
	JSON_DEPTH_MAX = 32,
};

/* ── reading ── */
/* jansson has JSON_STRING and so on for itself. */
enum json_kind {
	JSON_KIND_NONE, /* of a value that is not there */
	JSON_KIND_NULL,
	JSON_KIND_BOOL,
	JSON_KIND_INTEGER, /* without fraction and exponent, fits int64_t */
	JSON_KIND_REAL,
	JSON_KIND_STRING,
	JSON_KIND_ARRAY,
	JSON_KIND_OBJECT,
};

struct json;       /* a document */
struct json_value; /* a value in it; NULL in arguments is "there is none" */

/* ERR_MALFORMED with line and column in diag; ERR_LIMIT: deeper than JSON_DEPTH_MAX. */
MUSTUSE enum err json_parse(struct str text, struct json **doc_out, struct diag *diag);
void json_free(struct json **doc);
const struct json_value *json_root(const struct json *doc);

enum json_kind json_kind(const struct json_value *v);
/* A member, or NULL: not an object (or v NULL), or it has none. */
const struct json_value *json_find(const struct json_value *v, const char *key);
/* False (and *out untouched) when v is NULL or of another kind. */
bool json_get_str(const struct json_value *v, struct str *out);
bool json_get_i64(const struct json_value *v, int64_t *out);
bool json_get_bool(const struct json_value *v, bool *out);
/* Elements of an array, members of an object; 0 for others. */
size_t json_count(const struct json_value *v);
/* Element i < json_count of an array. */
const struct json_value *json_at(const struct json_value *v, size_t i);
/* Walks an object: NULL starts; false at the end. */
struct json_member {
	void *place; /* NULL to start */
	struct str name;
	const struct json_value *value;
};
bool json_next(const struct json_value *object, struct json_member *m);

/* ── writing ── one call a value; an overflow of `out` is sticky there and the one thing
   to check at the end. */
struct json_out {
	struct strbuf *out;
	bool needs_comma;
};

struct json_out json_out_on(struct strbuf *b);
/* key NULL: an element of an array, or the root. */
void json_open_object(struct json_out *j, const char *key);
void json_close_object(struct json_out *j);
void json_open_array(struct json_out *j, const char *key);
void json_close_array(struct json_out *j);
void json_str(struct json_out *j, const char *key, struct str value);
void json_cstr(struct json_out *j, const char *key, const char *value); /* NULL: null */
void json_i64(struct json_out *j, const char *key, int64_t value);
void json_bool(struct json_out *j, const char *key, bool value);
void json_out_null(struct json_out *j, const char *key); /* json_null is jansson's */
/* Unix ms as RFC 3339 in UTC with milliseconds, "2026-11-23T16:24:56.000Z"; 0: null. */
void json_time(struct json_out *j, const char *key, int64_t unix_ms);
/* The string, or null where it is empty. */
void json_str_or_null(struct json_out *j, const char *key, struct str value);
/* A member whose name comes from outside. */
void json_named(struct json_out *j, struct str key, struct str value);
/* Valid JSON from elsewhere, as it is. */
void json_raw(struct json_out *j, const char *key, struct str json);

#endif
