#include "api/fields.h"

#include "api/uri.h"
#include "base/rfc3339.h"
#include "base/utf8.h"

static struct str
pointer(struct api_request *r, char mark, struct str name)
{
	return arena_printf(r->arena, "%c%.*s", mark, STR_ARG(utf8_first(name, 100)));
}

static bool
find_word(const char *words, struct str s, int64_t *which_out)
{
	struct str rest = str_from(words), word;

	for (*which_out = 0; str_next(&rest, ' ', &word); (*which_out)++) {
		if (str_eq(word, s))
			return true;
	}
	return false;
}

static bool
check_str(struct api_request *r, const struct field_spec *spec, struct str at,
          struct field *f)
{
	if (spec->kind == FIELD_WORD) {
		if (find_word(spec->words, f->s, &f->i))
			return true;
		api_fault(r, at, "unknown_value", "one of: %s", spec->words);
		return false;
	}
	if (spec->kind == FIELD_TIME) {
		if (rfc3339_parse(f->s, &f->i))
			return true;
		api_fault(r, at, "not_a_time", "must be like 2026-11-23T12:00:00Z");
		return false;
	}
	if (f->s.n < (size_t)spec->min) {
		api_fault(r, at, "too_short", "at least %lld bytes",
		          (long long)spec->min);
		return false;
	}
	if (f->s.n > (size_t)spec->max) {
		api_fault(r, at, "too_long", "at most %lld bytes", (long long)spec->max);
		return false;
	}
	return true;
}

static bool
check_i64(struct api_request *r, const struct field_spec *spec, struct str at, int64_t i)
{
	if (i >= spec->min && i <= spec->max)
		return true;
	api_fault(r, at, "out_of_range", "from %lld to %lld", (long long)spec->min,
	          (long long)spec->max);
	return false;
}

static bool
read_list(struct api_request *r, const struct field_spec *spec, struct str at,
          const struct json_value *v, struct field *f)
{
	f->n = json_count(v);
	if (f->n < (size_t)spec->min || f->n > (size_t)spec->max) {
		api_fault(r, at, "out_of_range", "from %lld to %lld entries",
		          (long long)spec->min, (long long)spec->max);
		return false;
	}
	f->list = ARENA_ARRAY(r->arena, struct str, f->n ? f->n : 1);
	for (size_t i = 0; i < f->n; i++) {
		if (json_get_str(json_at(v, i), &f->list[i]))
			continue;
		api_fault(r, arena_printf(r->arena, "%.*s/%zu", STR_ARG(at), i),
		          "wrong_type", "must be a string");
		return false;
	}
	return true;
}

static bool
read_value(struct api_request *r, const struct field_spec *spec, struct str at,
           const struct json_value *v, struct field *f)
{
	static const struct {
		enum json_kind kind;
		const char *text;
	} wanted[] = {
		[FIELD_STR] = { JSON_KIND_STRING, "must be a string" },
		[FIELD_I64] = { JSON_KIND_INTEGER, "must be a whole number" },
		[FIELD_BOOL] = { JSON_KIND_BOOL, "must be true or false" },
		[FIELD_WORD] = { JSON_KIND_STRING, "must be a string" },
		[FIELD_LIST] = { JSON_KIND_ARRAY, "must be a list" },
		[FIELD_TIME] = { JSON_KIND_STRING, "must be a string" },
	};

	if (json_kind(v) == JSON_KIND_NULL && (spec->flags & FIELD_NULL)) {
		f->is_null = true;
		return true;
	}
	if (json_kind(v) != wanted[spec->kind].kind) {
		api_fault(r, at, "wrong_type", "%s", wanted[spec->kind].text);
		return false;
	}
	(void)json_get_bool(v, &f->b);
	if (json_get_i64(v, &f->i))
		return check_i64(r, spec, at, f->i);
	if (json_get_str(v, &f->s))
		return check_str(r, spec, at, f);
	return spec->kind != FIELD_LIST || read_list(r, spec, at, v, f);
}

static const struct field_spec *
find_spec(const struct field_spec *specs, size_t count, struct str name)
{
	for (size_t i = 0; i < count; i++) {
		if (str_eq(str_from(specs[i].name), name))
			return &specs[i];
	}
	return NULL;
}

static bool
end(struct api_request *r, const struct field_spec *specs, size_t count,
    const struct field *fields, char mark)
{
	for (size_t i = 0; i < count; i++) {
		if ((specs[i].flags & FIELD_MUST) && !fields[i].is_set &&
		    !r->errors_count)
			api_fault(r, pointer(r, mark, str_from(specs[i].name)), "missing",
			          "is required");
	}
	if (!r->errors_count)
		return true;
	api_problem(r, PROBLEM_INVALID, NULL);
	return false;
}

bool
fields_read(struct api_request *r, const struct field_spec *specs, size_t count,
            struct field *fields)
{
	struct json_member m = { 0 };

	for (size_t i = 0; i < count; i++)
		fields[i] = (struct field){ 0 };
	while (r->errors_count < API_ERRORS_MAX && json_next(json_root(r->doc), &m)) {
		const struct field_spec *spec = find_spec(specs, count, m.name);
		struct str at = pointer(r, '/', m.name);

		if (!spec)
			api_fault(r, at, "unknown_field", "no such field here");
		else
			fields[spec - specs].is_set =
				read_value(r, spec, at, m.value, &fields[spec - specs]);
	}
	return end(r, specs, count, fields, '/');
}

/* A query has text only. */
static bool
read_text(struct api_request *r, const struct field_spec *spec, struct str at,
          struct str value, struct field *f)
{
	uint64_t number;

	f->s = value;
	if (spec->kind == FIELD_BOOL) {
		f->b = str_eq(value, STR("true"));
		if (f->b || str_eq(value, STR("false")))
			return true;
		api_fault(r, at, "wrong_type", "must be true or false");
		return false;
	}
	if (spec->kind != FIELD_I64)
		return check_str(r, spec, at, f);
	if (!str_parse_u64(value, &number) || number > INT64_MAX) {
		api_fault(r, at, "wrong_type", "must be a whole number");
		return false;
	}
	f->i = (int64_t)number;
	return check_i64(r, spec, at, f->i);
}

bool
fields_query(struct api_request *r, const struct field_spec *specs, size_t count,
             struct field *fields)
{
	struct str rest = r->query, name, value;
	bool is_bad;

	for (size_t i = 0; i < count; i++)
		fields[i] = (struct field){ 0 };
	while (uri_next_param(&rest, r->arena, &name, &value, &is_bad)) {
		const struct field_spec *spec = find_spec(specs, count, name);
		struct str at = pointer(r, '?', name);

		if (!spec)
			continue;
		if (fields[spec - specs].is_set)
			api_fault(r, at, "twice", "may be there once");
		fields[spec - specs].is_set =
			read_text(r, spec, at, value, &fields[spec - specs]);
	}
	return end(r, specs, count, fields, '?');
}
