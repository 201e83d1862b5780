#include "api/routes.h"

#include "api/uri.h"

static const struct route routes[] = {
#define ROUTE(name, method, path, scope, flags, query)                                   \
	{ #name, method, path, name, SCOPE_##scope, (flags), query },
#include "api/routes.def"
#undef ROUTE
};

size_t
route_count(void)
{
	return ARRAY_LEN(routes);
}

const struct route *
route_at(size_t i)
{
	return &routes[i];
}

/* Takes the part up to the next "/" off; parts are never empty in our table. */
static struct str
take_part(struct str *path)
{
	size_t at = str_find(*path, '/');
	struct str part = str_first(*path, at);

	*path = str_from_offset(*path, at == SIZE_MAX ? path->n : at + 1);
	return part;
}

/* Do the path and the pattern have the same parts? raw_out: what stands for the names. */
static bool
matches(struct str path, struct str pattern, struct str raw_out[API_PARAMS_MAX])
{
	size_t params = 0;

	/* "/a" and "/a/" are not the same: an empty last part would be lost below. */
	if (str_ends(path, STR("/")) != str_ends(pattern, STR("/")))
		return false;
	while (path.n && pattern.n) {
		struct str have = take_part(&path), want = take_part(&pattern);

		if (!str_starts(want, STR("{"))) {
			if (!str_eq(have, want))
				return false;
			continue;
		}
		if (!have.n || params == API_PARAMS_MAX)
			return false;
		raw_out[params++] = have;
	}
	return !path.n && !pattern.n;
}

static enum route_found
decode(struct arena *a, const struct str raw[API_PARAMS_MAX],
       struct str params_out[API_PARAMS_MAX])
{
	for (size_t i = 0; i < API_PARAMS_MAX; i++) {
		if (!uri_decode(raw[i], false, a, &params_out[i]) ||
		    str_find(params_out[i], '/') != SIZE_MAX)
			return ROUTE_BAD_PATH;
	}
	return ROUTE_FOUND;
}

enum route_found
route_find(struct str method, struct str path, struct arena *a,
           const struct route **route_out, struct str params_out[API_PARAMS_MAX],
           struct str *allow_out)
{
	struct strbuf allow = strbuf_arena(a, ROUTES_ALLOW_MAX);

	if (str_eq(method, STR("HEAD")))
		method = STR("GET");
	for (size_t i = 0; i < ARRAY_LEN(routes); i++) {
		struct str raw[API_PARAMS_MAX] = { { NULL, 0 } };
		struct str has = str_from(routes[i].method);

		if (!matches(path, str_from(routes[i].path), raw))
			continue;
		if (str_eq(has, method)) {
			*route_out = &routes[i];
			return decode(a, raw, params_out);
		}
		strbuf_printf(&allow, "%s%s", allow.n ? ", " : "", routes[i].method);
		if (str_eq(has, STR("GET")))
			strbuf_lit(&allow, ", HEAD");
	}
	if (!allow.n)
		return ROUTE_NO_PATH;
	strbuf_lit(&allow, ", OPTIONS");
	*allow_out = strbuf_str(&allow);
	return ROUTE_NO_METHOD;
}
