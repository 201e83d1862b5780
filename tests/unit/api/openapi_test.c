/* The document and the table of routes say the same, both ways. */
#include "api/openapi.h"

#include "api/routes.h"
#include "tests/unit/check.h"

static const char *const methods[] = { "get", "post", "put", "patch", "delete", "head" };

static struct str
text_of(const struct json_value *v, const char *key)
{
	struct str text = { NULL, 0 };

	(void)json_get_str(json_find(v, key), &text);
	return text;
}

/* Where a path of the document begins: its own servers, or all paths' ones. */
static struct str
base_of(const struct json_value *path)
{
	struct str base = STR("/api/v1");
	const struct json_value *servers = json_find(path, "servers");

	if (json_count(servers))
		base = text_of(json_at(servers, 0), "url");
	return str_eq(base, STR("/")) ? STR("") : base;
}

static const struct route *
find_route(struct str name)
{
	for (size_t i = 0; i < route_count(); i++) {
		if (str_eq(str_from(route_at(i)->name), name))
			return route_at(i);
	}
	return NULL;
}

static const char *
scope_of(const struct route *route)
{
	if (route->scope == SCOPE_NONE)
		return "none";
	return route->scope == SCOPE_ANY ? "any" : scope_word(route->scope);
}

/* Every parameter in the query that the document names is one of the route's. Returns how
   many there are. */
static size_t
check_query(const struct json_value *root, const struct json_value *op,
            const struct route *route)
{
	const struct json_value *list = json_find(op, "parameters");
	const struct json_value *known =
		json_find(json_find(root, "components"), "parameters");
	size_t count = 0;

	for (size_t i = 0; i < json_count(list); i++) {
		const struct json_value *p = json_at(list, i);
		struct str ref = text_of(p, "$ref"), rest = str_from(route->query), word;
		struct json_member m = { 0 };
		bool is_known = false;

		ref = str_from_offset(ref, str_find_last(ref, '/') + 1);
		while (ref.n && json_next(known, &m)) {
			if (str_eq(m.name, ref))
				p = m.value;
		}
		if (!str_eq(text_of(p, "in"), STR("query")))
			continue;
		count++;
		while (str_next(&rest, ' ', &word))
			is_known |= str_eq(word, text_of(p, "name"));
		CHECK_TRUE(is_known, route->name);
	}
	return count;
}

static bool
is_change(const struct route *route)
{
	return !str_eq(str_from(route->method), STR("GET")) &&
	       !(route->flags &
	         (ROUTE_SECRET | ROUTE_SIGN_IN | ROUTE_MESSAGE | ROUTE_XML));
}

static void
check_operation(const struct json_value *root, const struct json_value *path,
                struct str name, const char *method, const struct json_value *op)
{
	struct str id = text_of(op, "operationId"), rest, word;
	const struct route *route = find_route(id);
	char bytes[200];
	struct strbuf full = strbuf_on(bytes);
	size_t params = 0;

	if (!CHECK_TRUE(route != NULL, "an operation of the document has a route")) {
		CHECK_STR_EQ(id, STR(""), "this one has not");
		return;
	}
	strbuf_add(&full, base_of(path));
	strbuf_add(&full, name);
	CHECK_STR_EQ(strbuf_str(&full), str_from(route->path), route->name);
	CHECK_TRUE(str_eq_icase(str_from(method), str_from(route->method)), route->name);
	CHECK_STR_EQ(text_of(op, "x-scope"), str_from(scope_of(route)), route->name);
	CHECK_TRUE((json_find(op, "requestBody") != NULL) ==
	                   ((route->flags & (ROUTE_BODY | ROUTE_XML)) != 0),
	           route->name);
	rest = str_from(route->query);
	while (str_next(&rest, ' ', &word))
		params++;
	CHECK_U64_EQ(check_query(root, op, route), params, route->name);
	CHECK_TRUE((str_find_str(str_from(route->query), STR("dry_run")) != SIZE_MAX) ==
	                   ((route->flags & ROUTE_DRY) != 0),
	           route->name);
	/* What is done and cannot be read back is told without content. */
	if (is_change(route))
		CHECK_TRUE(json_find(json_find(op, "responses"), "204") != NULL,
		           route->name);
}

static void
test_same(void)
{
	struct json *doc = NULL;
	struct json_member path = { 0 };
	size_t operations = 0;

	CHECK_ERR_EQ(json_parse(openapi_json(), &doc, NULL), OK, "the document");
	while (json_next(json_find(json_root(doc), "paths"), &path)) {
		for (size_t i = 0; i < ARRAY_LEN(methods); i++) {
			const struct json_value *op = json_find(path.value, methods[i]);

			if (!op)
				continue;
			operations++;
			check_operation(json_root(doc), path.value, path.name, methods[i],
			                op);
		}
	}
	/* Each operation has its own route, so equal numbers leave no route over. */
	CHECK_U64_EQ(operations, route_count(), "as many operations as routes");
	json_free(&doc);
}

static void
test_find(void)
{
	static const struct {
		const char *method, *path, *name;
		enum route_found found;
	} rows[] = {
		{ "GET", "/api/v1/domains", "domains_list", ROUTE_FOUND },
		{ "HEAD", "/api/v1/domains", "domains_list", ROUTE_FOUND },
		{ "POST", "/api/v1/queue/actions", "queue_actions", ROUTE_FOUND },
		{ "GET", "/api/v1/accounts/ann%40example.com/usage", "accounts_usage",
		  ROUTE_FOUND },
		{ "PUT", "/api/v1/domains", NULL, ROUTE_NO_METHOD },
		{ "GET", "/api/v1/domains/", NULL, ROUTE_NO_PATH },
		{ "GET", "/api/v1//domains", NULL, ROUTE_NO_PATH },
		{ "GET", "/API/v1/domains", NULL, ROUTE_NO_PATH },
		{ "GET", "/api/v1/domains/a/b", NULL, ROUTE_NO_PATH },
		{ "GET", "/api/v1/domains/a%2fb", NULL, ROUTE_BAD_PATH },
		{ "GET", "/api/v1/domains/a%00", NULL, ROUTE_BAD_PATH },
		{ "GET", "/api/v1/domains/a%", NULL, ROUTE_BAD_PATH },
		{ "GET", "/api/v1/domains/%ff", NULL, ROUTE_BAD_PATH },
		{ "GET", "", NULL, ROUTE_NO_PATH },
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct arena *a = arena_new(1 << 16);
		const struct route *route = NULL;
		struct str params[API_PARAMS_MAX], allow = { NULL, 0 };
		enum route_found found =
			route_find(str_from(rows[i].method), str_from(rows[i].path), a,
		                   &route, params, &allow);

		CHECK_U64_EQ(found, rows[i].found, rows[i].path);
		if (rows[i].name)
			CHECK_CSTR_EQ(route->name, rows[i].name, rows[i].path);
		if (found == ROUTE_NO_METHOD)
			CHECK_STR_EQ(allow, STR("GET, HEAD, POST, OPTIONS"),
			             rows[i].path);
		arena_free(&a);
	}
}

SUITE(api_openapi, { "same", test_same }, { "find", test_find });
