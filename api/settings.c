/* /settings: every key of the configuration, what it is set to and what it means. */
#include "api/routes.h"

enum {
	SCHEMA_MAX = 1 << 20,
};

/* conf_schema_json() knows type, unit, range, default and help; what the API says besides
   is where a value comes from. */
static void
write_setting(struct json_out *j, const struct json_value *row)
{
	static const char *const texts[] = { "type",    "unit",  "value",
		                             "default", "apply", "help" };
	static const char *const numbers[] = { "min", "max" };
	struct str key = { NULL, 0 }, value = { NULL, 0 }, def = { NULL, 0 }, text;
	int64_t number;

	(void)json_get_str(json_find(row, "key"), &key);
	(void)json_get_str(json_find(row, "value"), &value);
	(void)json_get_str(json_find(row, "default"), &def);
	json_open_object(j, NULL);
	json_str(j, "key", key);
	for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
		if (json_get_str(json_find(row, texts[i]), &text))
			json_str(j, texts[i], text);
		else
			json_out_null(j, texts[i]);
	}
	for (size_t i = 0; i < ARRAY_LEN(numbers); i++) {
		if (json_get_i64(json_find(row, numbers[i]), &number))
			json_i64(j, numbers[i], number);
		else
			json_out_null(j, numbers[i]);
	}
	json_cstr(j, "source", str_eq(value, def) ? "default" : "file");
	json_close_object(j);
}

/* The schema, parsed; false: answered. */
static bool
read_schema(struct api_request *r)
{
	struct strbuf b = strbuf_arena(r->arena, SCHEMA_MAX);

	conf_schema_json(r->api->conf, &b);
	if (json_parse(strbuf_str(&b), &r->doc, NULL) == OK)
		return true;
	api_problem(r, PROBLEM_INTERNAL, NULL);
	return false;
}

void
settings_list(struct api_request *r)
{
	struct strbuf b = api_buffer(r);
	struct json_out j = json_out_on(&b);
	const struct json_value *rows;

	if (!read_schema(r))
		return;
	rows = json_root(r->doc);
	json_open_object(&j, NULL);
	json_open_array(&j, "items");
	for (size_t i = 0; i < json_count(rows); i++)
		write_setting(&j, json_at(rows, i));
	json_close_array(&j);
	json_close_object(&j);
	api_reply_json(r, 200, strbuf_str(&b));
}

void
settings_get(struct api_request *r)
{
	struct strbuf b = api_buffer(r);
	struct json_out j = json_out_on(&b);
	const struct json_value *rows;
	struct str key;

	if (!read_schema(r))
		return;
	rows = json_root(r->doc);
	for (size_t i = 0; i < json_count(rows); i++) {
		if (!json_get_str(json_find(json_at(rows, i), "key"), &key) ||
		    !str_eq(key, r->params[0]))
			continue;
		write_setting(&j, json_at(rows, i));
		api_reply_json(r, 200, strbuf_str(&b));
		return;
	}
	api_problem(r, PROBLEM_NOT_FOUND, NULL);
}
