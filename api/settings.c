/* /settings: every key of the configuration: what it is set to, by whom, what it means;
 * and those that are set here. The file has the last word (role/settings.h). */
#include "api/fields.h"
#include "api/routes.h"
#include "base/utf8.h"
#include "conf/schema.h"

enum {
	VALUE_MAX = 256 << 10,
	ROWS_MAX = 1000,
};

/* What the store holds, read at once for one answer. */
struct stored {
	struct arena *arena;
	struct setting *rows;
	size_t n;
	uint64_t version; /* of all together */
};

static bool
collect(void *arg, const struct setting *s)
{
	struct stored *all = arg;

	all->rows[all->n++] = (struct setting){
		.key = arena_str(all->arena, s->key),
		.value = arena_str(all->arena, s->value),
		.changed_ms = s->changed_ms,
		.changed_by = arena_str(all->arena, s->changed_by),
		.version = s->version,
	};
	if (s->version > all->version)
		all->version = s->version;
	return all->n < ROWS_MAX;
}

/* False: answered. */
static bool
read_stored(struct api_request *r, struct stored *all)
{
	enum err e;

	*all = (struct stored){ .arena = r->arena };
	all->rows = ARENA_ARRAY(r->arena, struct setting, ROWS_MAX);
	e = reader_settings(r->api->reader, collect, all);
	if (e != OK)
		api_problem_err(r, e);
	return e == OK;
}

static const struct setting *
stored_find(const struct stored *all, struct str key)
{
	for (size_t i = 0; i < all->n; i++) {
		if (str_eq(all->rows[i].key, key))
			return &all->rows[i];
	}
	return NULL;
}

/* --- showing ------------------------------------------------------------------------ */

/* Why a setting cannot be changed here; empty: it can. */
static struct str
why_fixed(struct api_request *r, const struct conf_row *row)
{
	const struct conf *conf = r->api->conf;
	int line;

	if (!row->is_setting && row->needs_restart)
		return STR("Only the configuration file sets it; a change holds after a "
		           "restart.");
	if (!row->is_setting)
		return STR("Only the configuration file sets it; a change holds after a "
		           "reload.");
	if (conf_source(conf, row, &line) == CONF_SOURCE_FILE)
		return arena_printf(r->arena,
		                    "Line %d of %s sets it; the file has the last "
		                    "word. Take it out there to set it here.",
		                    line, conf->path.p);
	return STR("");
}

/* What was just committed is shown although our own configuration hears of it only a
   moment later. */
static void
write_value(struct api_request *r, struct json_out *j, const struct conf_row *row,
            const struct setting *s)
{
	static const char *const sources[] = { "default", "file", "store" };
	struct strbuf value = strbuf_arena(r->arena, VALUE_MAX);
	struct diag diag = { 0 };
	int line;
	enum conf_source from = conf_source(r->api->conf, row, &line);

	if (row->is_setting && from != CONF_SOURCE_FILE) {
		from = CONF_SOURCE_DEFAULT;
		if (s && s->value.n &&
		    conf_value_judge(row, s->value, &value, &diag) == OK)
			from = CONF_SOURCE_SETTING;
		else
			conf_default_format(row, &value);
	} else {
		conf_value_format(row, r->api->conf, &value);
	}
	json_str(j, "value", strbuf_str(&value));
	json_cstr(j, "source", sources[from]);
}

static void
write_range(struct json_out *j, const struct conf_row *row)
{
	if (row->unit == CONF_UNIT_none) {
		json_out_null(j, "unit");
		json_out_null(j, "min");
		json_out_null(j, "max");
		return;
	}
	json_cstr(j, "unit", conf_unit_word(row->unit));
	json_i64(j, "min", row->min);
	json_i64(j, "max", row->max);
}

static struct str
write_setting(struct api_request *r, struct json_out *j, const struct conf_row *row,
              const struct stored *all)
{
	const struct setting *s = stored_find(all, row->path);
	struct str why = why_fixed(r, row);
	struct strbuf def = strbuf_arena(r->arena, VALUE_MAX);
	size_t from = j->out->n;

	conf_default_format(row, &def);
	json_open_object(j, NULL);
	json_str(j, "key", row->path);
	json_cstr(j, "type", conf_type_word(row->type));
	write_value(r, j, row, s);
	json_str(j, "default", strbuf_str(&def));
	write_range(j, row);
	json_cstr(j, "apply", row->needs_restart ? "restart" : "reload");
	json_bool(j, "editable", !why.n);
	json_str_or_null(j, "fixed_because", why);
	json_time(j, "changed_at", s ? s->changed_ms : 0);
	json_str_or_null(j, "changed_by", s ? s->changed_by : STR(""));
	json_cstr(j, "help", row->help);
	return api_close_with_etag(r, j, from, 1 + (s ? s->version : 0));
}

static void
reply_all(struct api_request *r)
{
	struct strbuf b = api_buffer(r);
	struct json_out j = json_out_on(&b);
	struct stored all;

	if (!read_stored(r, &all))
		return;
	json_open_object(&j, NULL);
	json_open_array(&j, "items");
	for (size_t i = 0; i < conf_row_count(); i++)
		(void)write_setting(r, &j, conf_row_at(i), &all);
	json_close_array(&j);
	api_header(r, "ETag", api_close_with_etag(r, &j, 0, 1 + all.version));
	api_reply_json(r, 200, strbuf_str(&b));
}

static void
reply_one(struct api_request *r)
{
	const struct conf_row *row = conf_row_find(r->params[0]);
	struct strbuf b = api_buffer(r);
	struct json_out j = json_out_on(&b);
	struct stored all;

	if (!row) {
		api_problem(r, PROBLEM_NOT_FOUND, NULL);
		return;
	}
	if (!read_stored(r, &all))
		return;
	api_header(r, "ETag", write_setting(r, &j, row, &all));
	api_reply_json(r, 200, strbuf_str(&b));
}

void
settings_list(struct api_request *r)
{
	reply_all(r);
}

void
settings_get(struct api_request *r)
{
	reply_one(r);
}

/* --- changing ----------------------------------------------------------------------- */

/* A list is as good as its words in one text. False: a fault was added. */
static bool
value_text(struct api_request *r, struct str at, const struct json_value *v,
           struct strbuf *out)
{
	struct str s;
	int64_t i;
	bool b;

	if (json_kind(v) == JSON_KIND_NULL)
		return true;
	if (json_get_str(v, &s)) {
		strbuf_add(out, s);
		return true;
	}
	if (json_get_i64(v, &i)) {
		strbuf_i64(out, i);
		return true;
	}
	if (json_get_bool(v, &b)) {
		strbuf_add(out, b ? STR("true") : STR("false"));
		return true;
	}
	if (json_kind(v) != JSON_KIND_ARRAY) {
		api_fault(r, at, "wrong_type", "a text, a number, true, false, a list");
		return false;
	}
	for (size_t k = 0; k < json_count(v); k++) {
		if (!json_get_str(json_at(v, k), &s) || !s.n ||
		    str_find(s, ' ') != SIZE_MAX || str_find(s, ',') != SIZE_MAX) {
			api_fault(r, at, "wrong_type", "a list of single words");
			return false;
		}
		if (k)
			strbuf_byte(out, ' ');
		strbuf_add(out, s);
	}
	return true;
}

/* What is set for a key: judged as if it stood in the file. What is wrong becomes a row
   of the problem. */
static void
read_new(struct api_request *r, struct str key, struct str at, const struct json_value *v,
         struct setting_new *out)
{
	const struct conf_row *row = conf_row_find(key);
	struct strbuf text = strbuf_arena(r->arena, VALUE_MAX);
	struct strbuf canonical = strbuf_arena(r->arena, VALUE_MAX);
	struct diag diag = { 0 };
	struct str why, words;

	*out = (struct setting_new){ .key = key };
	if (!row) {
		api_fault(r, at, "unknown_field", "there is no such setting");
		return;
	}
	why = why_fixed(r, row);
	if (why.n) {
		api_fault(r, at, "fixed", "%.*s", STR_ARG(why));
		return;
	}
	if (!value_text(r, at, v, &text) || json_kind(v) == JSON_KIND_NULL)
		return;
	if (text.overflow)
		api_fault(r, at, "too_long", "at most %d bytes", VALUE_MAX);
	else if (conf_value_judge(row, strbuf_str(&text), &canonical, &diag) == OK)
		out->value = strbuf_str(&canonical);
	else {
		words = str_from(diag.text);
		(void)(str_skip(&words, row->path) && str_skip(&words, STR(": ")));
		api_fault(r, at, "invalid", "%.*s", STR_ARG(words));
	}
}

static void
put(struct api_request *r, struct op_settings_put *op)
{
	if (r->errors_count) {
		api_problem(r, PROBLEM_INVALID, NULL);
		return;
	}
	if (r->dry_run) {
		api_reply_dry_run(r, "setting.set",
		                  op->of_one ? op->items[0].key : STR("settings"));
		return;
	}
	op->actor = api_actor(r);
	r->call = store_settings_put(r->api->store, op, api_done_id, r);
}

/* Many at once, all or none. */
void
settings_update(struct api_request *r)
{
	const struct json_value *root = json_root(r->doc);
	struct op_settings_put op = { .of_one = false };
	struct json_member m = { .place = NULL };
	struct setting_new *items;
	struct stored all;

	if (!read_stored(r, &all) ||
	    !api_if_match(r, 1 + all.version, true, &op.if_version))
		return;
	if (json_kind(root) != JSON_KIND_OBJECT || !json_count(root) ||
	    json_count(root) > conf_row_count()) {
		api_problem(r, PROBLEM_INVALID, "an object of settings and their values");
		return;
	}
	items = ARENA_ARRAY(r->arena, struct setting_new, json_count(root));
	while (json_next(root, &m))
		read_new(
			r, arena_str(r->arena, m.name),
			arena_printf(r->arena, "/%.*s", STR_ARG(utf8_first(m.name, 100))),
			m.value, &items[op.items_count++]);
	op.items = items;
	r->next = reply_all;
	put(r, &op);
}

/* One: {"value": …}. */
void
settings_set(struct api_request *r)
{
	const struct json_value *root = json_root(r->doc);
	struct op_settings_put op = { .of_one = true, .items_count = 1 };
	const struct setting *s;
	struct setting_new item;
	struct stored all;

	if (!conf_row_find(r->params[0])) {
		api_problem(r, PROBLEM_NOT_FOUND, NULL);
		return;
	}
	if (!read_stored(r, &all))
		return;
	s = stored_find(&all, r->params[0]);
	if (!api_if_match(r, 1 + (s ? s->version : 0), true, &op.if_version))
		return;
	if (json_count(root) != 1 || !json_find(root, "value")) {
		api_fault(r, STR("/value"), "missing", "is required, and nothing else");
		api_problem(r, PROBLEM_INVALID, NULL);
		return;
	}
	read_new(r, r->params[0], STR("/value"), json_find(root, "value"), &item);
	op.items = &item;
	r->next = reply_one;
	put(r, &op);
}
