#include "ext/json.h"

#include "base/mem.h"
#include "base/rfc3339.h"
#include "base/utf8.h"

#include <jansson.h>
#include <pthread.h>

/* A struct json_value is never defined: it is jansson's json_t under a name of ours, so
   that no header of ours shows theirs. */
static json_t *
theirs(const struct json_value *v)
{
	return (json_t *)(uintptr_t)v;
}

static const struct json_value *
ours(json_t *v)
{
	return (const struct json_value *)v;
}

struct json {
	json_t *root;
};

/* jansson descends up to 2,048 levels, one C frame each; that is more than a thread's
   stack should be asked for, so the depth is measured before. Brackets inside strings do
   not count. */
static bool
is_shallow(struct str text)
{
	unsigned depth = 0;
	bool in_string = false;

	for (size_t i = 0; i < text.n; i++) {
		char c = text.p[i];

		if (in_string) {
			if (c == '\\')
				i++;
			else if (c == '"')
				in_string = false;
		} else if (c == '"') {
			in_string = true;
		} else if (c == '[' || c == '{') {
			if (++depth > JSON_DEPTH_MAX)
				return false;
		} else if ((c == ']' || c == '}') && depth) {
			depth--;
		}
	}
	return true;
}

/* Out of memory jansson says that the text is wrong, which is what our client would be
   told. With these it does what everybody does then. */
static void
use_our_memory(void)
{
	json_set_alloc_funcs(mem_alloc, mem_free);
}

enum err
json_parse(struct str text, struct json **doc_out, struct diag *diag)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;
	json_error_t error;
	json_t *root;

	(void)pthread_once(&once, use_our_memory);
	*doc_out = NULL;
	if (!is_shallow(text))
		return diag_set(diag, ERR_LIMIT, "nested more than %d deep",
		                JSON_DEPTH_MAX);
	/* jansson checks strings only; outside of them a byte over 0x7f is an error
	 * anyway. */
	if (!utf8_check(text))
		return diag_set(diag, ERR_MALFORMED, "not UTF-8");
	root = json_loadb(text.n ? text.p : "", text.n, JSON_REJECT_DUPLICATES, &error);
	if (!root) {
		(void)diag_set(diag, ERR_MALFORMED, "%s", error.text);
		if (diag) {
			diag->line = error.line;
			diag->column = error.column;
		}
		return ERR_MALFORMED;
	}
	*doc_out = mem_alloc(sizeof(**doc_out));
	(*doc_out)->root = root;
	return OK;
}

void
json_free(struct json **doc)
{
	if (!*doc)
		return;
	json_decref((*doc)->root);
	mem_free(*doc);
	*doc = NULL;
}

const struct json_value *
json_root(const struct json *doc)
{
	return ours(doc->root);
}

enum json_kind
json_kind(const struct json_value *v)
{
	static const enum json_kind kinds[] = {
		[JSON_OBJECT] = JSON_KIND_OBJECT, [JSON_ARRAY] = JSON_KIND_ARRAY,
		[JSON_STRING] = JSON_KIND_STRING, [JSON_INTEGER] = JSON_KIND_INTEGER,
		[JSON_REAL] = JSON_KIND_REAL,     [JSON_TRUE] = JSON_KIND_BOOL,
		[JSON_FALSE] = JSON_KIND_BOOL,    [JSON_NULL] = JSON_KIND_NULL,
	};

	return v ? kinds[json_typeof(theirs(v))] : JSON_KIND_NONE;
}

const struct json_value *
json_find(const struct json_value *v, const char *key)
{
	return v ? ours(json_object_get(theirs(v), key)) : NULL;
}

size_t
json_count(const struct json_value *v)
{
	if (json_kind(v) == JSON_KIND_OBJECT)
		return json_object_size(theirs(v));
	return v ? json_array_size(theirs(v)) : 0;
}

const struct json_value *
json_at(const struct json_value *v, size_t i)
{
	return v ? ours(json_array_get(theirs(v), i)) : NULL;
}

bool
json_get_str(const struct json_value *v, struct str *out)
{
	if (json_kind(v) != JSON_KIND_STRING)
		return false;
	*out = str_make(json_string_value(theirs(v)), json_string_length(theirs(v)));
	return true;
}

bool
json_get_i64(const struct json_value *v, int64_t *out)
{
	if (json_kind(v) != JSON_KIND_INTEGER)
		return false;
	*out = json_integer_value(theirs(v));
	return true;
}

bool
json_get_bool(const struct json_value *v, bool *out)
{
	if (json_kind(v) != JSON_KIND_BOOL)
		return false;
	*out = json_is_true(theirs(v));
	return true;
}

bool
json_next(const struct json_value *object, struct json_member *m)
{
	if (json_kind(object) != JSON_KIND_OBJECT)
		return false;
	m->place = m->place ? json_object_iter_next(theirs(object), m->place)
	                    : json_object_iter(theirs(object));
	if (!m->place)
		return false;
	m->name = str_from(json_object_iter_key(m->place));
	m->value = ours(json_object_iter_value(m->place));
	return true;
}

static void
add_quoted(struct strbuf *b, struct str s)
{
	strbuf_byte(b, '"');
	while (s.n) {
		struct str before = s;
		uint32_t c;

		if (!utf8_next(&s, &c)) {
			strbuf_lit(b, "\xef\xbf\xbd");
			s = str_from_offset(s, 1);
			continue;
		}
		before.n -= s.n;
		if (c == '"' || c == '\\') {
			strbuf_byte(b, '\\');
			strbuf_byte(b, (char)c);
		} else if (c < ' ' || c == 0x7f || c == '<' || c == 0x2028 ||
		           c == 0x2029) {
			strbuf_printf(b, "\\u%04x", (unsigned)c);
		} else {
			strbuf_add(b, before);
		}
	}
	strbuf_byte(b, '"');
}

static void
begin(struct json_out *j, const char *key)
{
	if (j->needs_comma)
		strbuf_byte(j->out, ',');
	j->needs_comma = true;
	if (!key)
		return;
	add_quoted(j->out, str_from(key));
	strbuf_byte(j->out, ':');
}

static void
open_with(struct json_out *j, const char *key, char bracket)
{
	begin(j, key);
	strbuf_byte(j->out, bracket);
	j->needs_comma = false;
}

static void
close_with(struct json_out *j, char bracket)
{
	strbuf_byte(j->out, bracket);
	j->needs_comma = true;
}

struct json_out
json_out_on(struct strbuf *b)
{
	return (struct json_out){ .out = b };
}

void
json_open_object(struct json_out *j, const char *key)
{
	open_with(j, key, '{');
}

void
json_close_object(struct json_out *j)
{
	close_with(j, '}');
}

void
json_open_array(struct json_out *j, const char *key)
{
	open_with(j, key, '[');
}

void
json_close_array(struct json_out *j)
{
	close_with(j, ']');
}

void
json_str(struct json_out *j, const char *key, struct str value)
{
	begin(j, key);
	add_quoted(j->out, value);
}

void
json_cstr(struct json_out *j, const char *key, const char *value)
{
	if (value)
		json_str(j, key, str_from(value));
	else
		json_out_null(j, key);
}

void
json_str_or_null(struct json_out *j, const char *key, struct str value)
{
	if (value.n)
		json_str(j, key, value);
	else
		json_out_null(j, key);
}

void
json_i64(struct json_out *j, const char *key, int64_t value)
{
	begin(j, key);
	strbuf_i64(j->out, value);
}

void
json_bool(struct json_out *j, const char *key, bool value)
{
	begin(j, key);
	strbuf_add(j->out, value ? STR("true") : STR("false"));
}

void
json_out_null(struct json_out *j, const char *key)
{
	begin(j, key);
	strbuf_lit(j->out, "null");
}

void
json_time(struct json_out *j, const char *key, int64_t unix_ms)
{
	if (!unix_ms) {
		json_out_null(j, key);
		return;
	}
	begin(j, key);
	strbuf_byte(j->out, '"');
	rfc3339_format(j->out, unix_ms);
	strbuf_byte(j->out, '"');
}

void
json_raw(struct json_out *j, const char *key, struct str json)
{
	begin(j, key);
	strbuf_add(j->out, json);
}

void
json_named(struct json_out *j, struct str key, struct str value)
{
	begin(j, NULL);
	add_quoted(j->out, key);
	strbuf_byte(j->out, ':');
	add_quoted(j->out, value);
}
