#include "api/openapi.h"

#include "api/assets.h"
#include "api/routes.h"
#include "base/panic.h"
#include "conf/yaml.h"

enum {
	JSON_MAX = 1 << 20,
	PAGE_MAX = 1 << 20,
};

/* The bytes of the file, by the assembler: no generator, no copy that could be stale (the
   Makefile has the dependency). */
__asm__(".section .rodata\n"
        ".global openapi_yaml_start\n"
        ".global openapi_yaml_size\n"
        "openapi_yaml_start:\n"
        ".incbin \"api/openapi.yaml\"\n"
        "openapi_yaml_end:\n"
        ".byte 0\n"
        ".balign 8\n"
        "openapi_yaml_size:\n"
        ".quad openapi_yaml_end - openapi_yaml_start\n"
        ".previous\n");
extern const char openapi_yaml_start[];
extern const uint64_t openapi_yaml_size;

static struct strbuf json, page;

struct str
openapi_json(void)
{
	struct diag diag = { 0 };
	struct str yaml = str_make(openapi_yaml_start, (size_t)openapi_yaml_size);

	if (!json.n) {
		json = strbuf_heap(JSON_MAX);
		/* It is our own file, and a test has read it. */
		CHECK(yaml_to_json(yaml, &json, &diag) == OK);
	}
	return strbuf_str(&json);
}

/* --- the page ------------------------------------------------------------------------ */

/* What stands between ` is a name. */
static void
add_html(struct strbuf *b, struct str text)
{
	bool is_name = false;

	for (size_t i = 0; i < text.n; i++) {
		if (text.p[i] == '`') {
			strbuf_add(b, is_name ? STR("</code>") : STR("<code>"));
			is_name = !is_name;
		} else if (text.p[i] == '<')
			strbuf_lit(b, "&lt;");
		else if (text.p[i] == '>')
			strbuf_lit(b, "&gt;");
		else if (text.p[i] == '&')
			strbuf_lit(b, "&amp;");
		else if (text.p[i] == '"')
			strbuf_lit(b, "&quot;");
		else
			strbuf_byte(b, text.p[i]);
	}
	if (is_name)
		strbuf_lit(b, "</code>");
}

static struct str
text_of(const struct json_value *v, const char *key)
{
	struct str text = { NULL, 0 };

	(void)json_get_str(json_find(v, key), &text);
	return text;
}

/* "#/components/schemas/Domain" as a link; else the type. */
static void
add_type(struct strbuf *b, const struct json_value *schema)
{
	struct str ref = text_of(schema, "$ref"), name, type = text_of(schema, "type");
	size_t at = str_find_last(ref, '/');

	if (ref.n) {
		name = str_from_offset(ref, at + 1);
		strbuf_printf(b, "<a href=\"#%.*s\">%.*s</a>", STR_ARG(name),
		              STR_ARG(name));
		return;
	}
	if (str_eq(type, STR("array"))) {
		strbuf_lit(b, "list of ");
		add_type(b, json_find(schema, "items"));
		return;
	}
	add_html(b, type.n ? type : STR("object"));
}

static void
add_properties(struct strbuf *b, const struct json_value *schema)
{
	const struct json_value *all = json_find(schema, "allOf");
	struct json_member m = { 0 };

	for (size_t i = 0; i < json_count(all); i++) {
		if (text_of(json_at(all, i), "$ref").n) {
			strbuf_lit(b, "<li>all of ");
			add_type(b, json_at(all, i));
			strbuf_lit(b, "</li>");
		}
		add_properties(b, json_at(all, i));
	}
	while (json_next(json_find(schema, "properties"), &m)) {
		strbuf_lit(b, "<li><code>");
		add_html(b, m.name);
		strbuf_lit(b, "</code> ");
		add_type(b, m.value);
		if (text_of(m.value, "description").n) {
			strbuf_lit(b, " &ndash; ");
			add_html(b, text_of(m.value, "description"));
		}
		strbuf_lit(b, "</li>");
	}
}

static void
add_parameters(struct strbuf *b, const struct json_value *root,
               const struct json_value *list)
{
	const struct json_value *known =
		json_find(json_find(root, "components"), "parameters");

	for (size_t i = 0; i < json_count(list); i++) {
		const struct json_value *p = json_at(list, i);
		struct str ref = text_of(p, "$ref");
		struct json_member m = { 0 };

		while (ref.n && json_next(known, &m)) {
			if (str_eq(m.name,
			           str_from_offset(ref, str_find_last(ref, '/') + 1)))
				p = m.value;
		}
		strbuf_lit(b, "<li><code>");
		add_html(b, text_of(p, "name"));
		strbuf_lit(b, "</code> in ");
		add_html(b, text_of(p, "in"));
		strbuf_lit(b, " &ndash; ");
		add_html(b, text_of(p, "description"));
		strbuf_lit(b, "</li>");
	}
}

static void
add_operation(struct strbuf *b, const struct json_value *root, struct str method,
              struct str path, const struct json_value *op)
{
	const struct json_value *body = json_find(
		json_find(json_find(op, "requestBody"), "content"), "application/json");

	strbuf_printf(b, "<section id=\"%.*s\"><h3><b>",
	              STR_ARG(text_of(op, "operationId")));
	for (size_t i = 0; i < method.n; i++)
		strbuf_byte(b, byte_upper(method.p[i]));
	strbuf_lit(b, "</b> <code>");
	add_html(b, path);
	strbuf_lit(b, "</code></h3><p>");
	add_html(b, text_of(op, "summary"));
	strbuf_lit(b, ". <small>Needs ");
	add_html(b, text_of(op, "x-scope"));
	strbuf_lit(b, ".</small></p>");
	if (text_of(op, "description").n) {
		strbuf_lit(b, "<p>");
		add_html(b, text_of(op, "description"));
		strbuf_lit(b, "</p>");
	}
	strbuf_lit(b, "<ul>");
	add_parameters(b, root, json_find(op, "parameters"));
	if (body) {
		strbuf_lit(b, "<li>body ");
		add_type(b, json_find(body, "schema"));
		strbuf_lit(b, "<ul>");
		add_properties(b, json_find(body, "schema"));
		strbuf_lit(b, "</ul></li>");
	}
	strbuf_lit(b, "</ul></section>");
}

static void
add_paths(struct strbuf *b, const struct json_value *root)
{
	static const char *const methods[] = { "get", "post", "put", "patch", "delete" };
	struct json_member path = { 0 };

	while (json_next(json_find(root, "paths"), &path)) {
		for (size_t i = 0; i < ARRAY_LEN(methods); i++) {
			const struct json_value *op = json_find(path.value, methods[i]);

			if (op)
				add_operation(b, root, str_from(methods[i]), path.name,
				              op);
		}
	}
}

static void
add_schemas(struct strbuf *b, const struct json_value *root)
{
	struct json_member m = { 0 };

	strbuf_lit(b, "<h2>Objects</h2>");
	while (json_next(json_find(json_find(root, "components"), "schemas"), &m)) {
		strbuf_printf(b, "<section id=\"%.*s\"><h3>%.*s</h3><p>", STR_ARG(m.name),
		              STR_ARG(m.name));
		add_html(b, text_of(m.value, "description"));
		strbuf_lit(b, "</p><ul>");
		add_properties(b, m.value);
		strbuf_lit(b, "</ul></section>");
	}
}

struct str
openapi_page(void)
{
	struct json *doc = NULL;

	if (page.n)
		return strbuf_str(&page);
	page = strbuf_heap(PAGE_MAX);
	CHECK(json_parse(openapi_json(), &doc, NULL) == OK);
	strbuf_lit(&page, "<main class=\"docs\"><h1>Mailstead REST API</h1><p>");
	add_html(&page, text_of(json_find(json_root(doc), "info"), "description"));
	strbuf_lit(&page,
	           "</p><p>The same for programs: <a href=\"/api/v1/openapi.json\">"
	           "/api/v1/openapi.json</a>. Paths begin with /api/v1.</p>");
	add_paths(&page, json_root(doc));
	add_schemas(&page, json_root(doc));
	strbuf_lit(&page, "</main>");
	json_free(&doc);
	return strbuf_str(&page);
}

void
openapi_get(struct api_request *r)
{
	api_reply_json(r, 200, openapi_json());
}

void
docs(struct api_request *r)
{
	assets_reply_page(r, "Mailstead REST API", openapi_page());
}
