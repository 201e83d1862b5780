#include "api/pick.h"

static void copy_value(struct json_out *j, const char *key, const struct json_value *v);

/* Names of members are ours, and short. */
static const char *
cstr(struct str name, char bytes[64])
{
	struct strbuf b = strbuf_fixed(bytes, 64);

	strbuf_add(&b, name);
	return strbuf_cstr(&b);
}

static void
copy_members(struct json_out *j, const struct json_value *object)
{
	struct json_member m = { .place = NULL };
	char bytes[64];

	while (json_next(object, &m))
		copy_value(j, cstr(m.name, bytes), m.value);
}

static void
copy_value(struct json_out *j, const char *key, const struct json_value *v)
{
	struct str s;
	int64_t i;
	bool b;

	if (json_kind(v) == JSON_KIND_OBJECT) {
		json_open_object(j, key);
		copy_members(j, v);
		json_close_object(j);
	} else if (json_kind(v) == JSON_KIND_ARRAY) {
		json_open_array(j, key);
		for (size_t k = 0; k < json_count(v); k++)
			copy_value(j, NULL, json_at(v, k));
		json_close_array(j);
	} else if (json_get_str(v, &s)) {
		json_str(j, key, s);
	} else if (json_get_i64(v, &i)) {
		json_i64(j, key, i);
	} else if (json_get_bool(v, &b)) {
		json_bool(j, key, b);
	} else {
		json_out_null(j, key); /* nobody writes fractions */
	}
}

static void
copy_item(struct json_out *j, const struct json_value *item, struct str names)
{
	char bytes[64];
	struct str name;

	json_open_object(j, NULL);
	while (str_next(&names, ',', &name)) {
		const char *key = cstr(name, bytes);
		const struct json_value *v = json_find(item, key);

		if (v)
			copy_value(j, key, v);
	}
	json_close_object(j);
}

/* All items have the same members, so the first one knows them. */
static bool
check_names(struct api_request *r, const struct json_value *item, struct str names)
{
	struct str name;
	char bytes[64];

	while (item && str_next(&names, ',', &name)) {
		if (!json_find(item, cstr(name, bytes)))
			api_fault(r, STR("?fields"), "unknown_field",
			          "no field \"%.*s\" here", STR_ARG(str_first(name, 40)));
	}
	if (!r->errors_count)
		return true;
	api_problem(r, PROBLEM_INVALID, NULL);
	return false;
}

bool
pick_fields(struct api_request *r, struct str json, struct str names, struct strbuf *out)
{
	const struct json_value *root, *items;
	struct json_member m = { .place = NULL };
	struct json_out j = json_out_on(out);
	char bytes[64];

	if (json_parse(json, &r->doc, NULL) != OK) {
		api_problem(r, PROBLEM_INTERNAL, NULL);
		return false;
	}
	root = json_root(r->doc);
	items = json_find(root, "items");
	if (!check_names(r, json_count(items) ? json_at(items, 0) : NULL, names))
		return false;
	json_open_object(&j, NULL);
	while (json_next(root, &m)) {
		if (m.value != items) {
			copy_value(&j, cstr(m.name, bytes), m.value);
			continue;
		}
		json_open_array(&j, "items");
		for (size_t i = 0; i < json_count(items); i++)
			copy_item(&j, json_at(items, i), names);
		json_close_array(&j);
	}
	json_close_object(&j);
	return true;
}
