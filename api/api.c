#include "api/api.h"

#include "api/again.h"
#include "api/events.h"
#include "api/plans.h"
#include "api/rate.h"
#include "api/request.h"
#include "api/routes.h"
#include "api/uri.h"
#include "base/clock.h"
#include "base/event.h"
#include "base/mem.h"
#include "base/panic.h"

enum {
	ARENA_BYTES = 64 << 20, /* an answer of API_REPLY_MAX, grown by doubling */
	SIGN_IN_BODY_MAX = 8 * 1024,
	DAEMON_MEMORY = 48 * 1024, /* beside the head, per connection */
};

static struct api_request *
of(struct http_exchange *x)
{
	void *data = http_exchange_data(x);

	return data ? CAST(api_request, API_REQUEST_MAGIC, data) : NULL;
}

void
request_end(struct api_request *r)
{
	if (r->release)
		r->release(r);
	event_hub_forget(r->api->events, r);
	if (r->call)
		store_forget(r->api->store, r->call);
	if (r->x)
		http_exchange_set_data(r->x, NULL);
	list_remove(&r->in_list);
	json_free(&r->doc);
	r->magic = 0;
	arena_free(&(struct arena *){ r->arena });
}

static struct api_request *
request_new(struct api *a, struct http_exchange *x)
{
	const struct http_head *h = http_exchange_head(x);
	struct arena *arena = arena_new(ARENA_BYTES);
	struct api_request *r = ARENA_NEW(arena, struct api_request);
	size_t at = str_find(h->target, '?');

	r->magic = API_REQUEST_MAGIC;
	r->api = a;
	r->x = x;
	r->arena = arena;
	r->id = id_new("req_");
	/* The gate may forget its head before a late answer is made. */
	r->method = arena_str(arena, h->method);
	r->path = arena_str(arena, str_first(h->target, at));
	if (at != SIZE_MAX)
		r->query = arena_str(arena, str_from_offset(h->target, at + 1));
	list_add_last(&a->requests, &r->in_list);
	http_exchange_set_data(x, r);
	return r;
}

static bool
is_api_path(struct str path)
{
	return str_starts(path, STR("/api/")) || str_eq(path, STR("/api"));
}

/* The parameter names of the query are those of the route; dry_run is read here. */
static bool
check_query(struct api_request *r)
{
	struct str rest = r->query, name, value;
	bool is_bad;

	while (uri_next_param(&rest, r->arena, &name, &value, &is_bad)) {
		struct str known = str_from(r->route->query), word;
		bool is_known = false;

		while (!is_known && str_next(&known, ' ', &word))
			is_known = str_eq(word, name);
		if (!is_known)
			api_fault(r,
			          arena_printf(r->arena, "?%.*s",
			                       STR_ARG(str_first(name, 64))),
			          "unknown_field", "no such parameter here");
		if (is_known && str_eq(name, STR("dry_run"))) {
			r->dry_run = str_eq(value, STR("true"));
			if (!r->dry_run && !str_eq(value, STR("false")))
				api_fault(r, STR("?dry_run"), "wrong_type",
				          "must be true or false");
		}
	}
	if (is_bad) {
		api_problem(r, PROBLEM_MALFORMED, "the query cannot be decoded");
		return false; /* and the request is gone */
	}
	if (r->errors_count) {
		api_problem(r, PROBLEM_INVALID, NULL);
		return false;
	}
	return true;
}

static bool
check_scope(struct api_request *r)
{
	if (!caller_has(&r->caller, r->route->scope)) {
		r->problem_key = "scope";
		r->problem_value = str_from(scope_word(r->route->scope));
		api_problem(r, PROBLEM_FORBIDDEN_SCOPE, "%s is needed",
		            scope_word(r->route->scope));
		return false;
	}
	if ((r->route->flags & ROUTE_GLOBAL) && r->caller.domains.n) {
		api_problem(r, PROBLEM_FORBIDDEN_SCOPE,
		            "this token is limited to some domains");
		return false;
	}
	return true;
}

/* False: answered. who: "token" or "address". */
static bool
take_one(struct api_request *r, struct rates *rates, uint64_t id, uint32_t quota,
         const char *who)
{
	struct rate rate;
	bool is_within = rates_take(rates, id, quota, clock_mono_ms(), &rate);

	api_header(r, "RateLimit-Policy",
	           arena_printf(r->arena, "\"%s\";q=%u;w=%d", who, quota, RATE_WINDOW_S));
	api_header(
		r, "RateLimit",
		arena_printf(r->arena, "\"%s\";r=%u;t=%u", who, rate.left, rate.reset_s));
	if (is_within)
		return true;
	api_header(r, "Retry-After", arena_printf(r->arena, "%u", rate.reset_s));
	r->problem_key = "violated_policy";
	r->problem_value = str_from(who);
	api_problem(r, PROBLEM_QUOTA, "at most %u requests in %d seconds", quota,
	            RATE_WINDOW_S);
	return false;
}

/* Nobody signs in there: one address cannot keep the service busy for all. */
static bool
check_address(struct api_request *r)
{
	const struct addr *ip = &http_exchange_peer(r->x)->addr;

	return take_one(r, r->api->public_rates, rate_id_of(ip, r->api->secret),
	                (uint32_t)r->api->conf->limits.public_requests, "address");
}

/* A program that runs wild is slowed down; a person's browser and the command line are
   not programs. */
static bool
check_rate(struct api_request *r)
{
	return r->caller.kind != CALLER_TOKEN ||
	       take_one(r, r->api->rates, r->caller.token.id,
	                (uint32_t)r->api->conf->limits.api_requests, "token");
}

/* JSON is the one type there is; a browser cannot send it from a form (R46). */
static bool
check_type(struct api_request *r)
{
	const struct http_head *h = http_exchange_head(r->x);
	struct str type = api_head(r, "content-type");
	bool has_body = h->is_chunked || h->content_length;

	type = str_trim(str_first(type, str_find(type, ';')));
	if (api_head(r, "content-encoding").n) {
		api_problem(r, PROBLEM_MEDIA_TYPE, "no Content-Encoding");
		return false;
	}
	if (r->route->flags & ROUTE_XML) {
		if (str_eq_icase(type, STR("text/xml")) ||
		    str_eq_icase(type, STR("application/xml")))
			return true;
		api_problem(r, PROBLEM_MEDIA_TYPE, "the body must be XML");
		return false;
	}
	if (!(r->route->flags & ROUTE_BODY)) {
		if (!has_body)
			return true;
		api_problem(r, PROBLEM_MEDIA_TYPE, "this operation takes no body");
		return false;
	}
	if (str_eq_icase(type, STR("application/json")) ||
	    str_eq_icase(type, STR("application/merge-patch+json")))
		return true;
	/* A browser cannot send this one from a form either. */
	r->is_message = (r->route->flags & ROUTE_MESSAGE) &&
	                str_eq_icase(type, STR("message/rfc822"));
	if (r->is_message)
		return true;
	api_problem(r, PROBLEM_MEDIA_TYPE, NULL);
	return false;
}

/* Everything that can be said before the body is read. False: answered. */
static bool
begin(struct api_request *r)
{
	struct str allow = { NULL, 0 };
	enum route_found found;

	found = route_find(r->method, r->path, r->arena, &r->route, r->params, &allow);
	if (found == ROUTE_NO_PATH && !is_api_path(r->path)) {
		assets_reply(r);
		return false;
	}
	if (!(found == ROUTE_FOUND && r->route->scope == SCOPE_NONE)) {
		if (!request_authenticate(r))
			return false;
		if (r->caller.kind == CALLER_NOBODY) {
			api_problem(r, PROBLEM_UNAUTHENTICATED, NULL);
			return false;
		}
		if (!check_rate(r))
			return false;
	}
	if (found == ROUTE_NO_METHOD) {
		api_header(r, "Allow", allow);
		if (str_eq(r->method, STR("OPTIONS")))
			api_reply_empty(r, 204);
		else
			api_problem(r, PROBLEM_METHOD, NULL);
		return false;
	}
	if (found != ROUTE_FOUND) {
		api_problem(r, PROBLEM_NOT_FOUND, NULL);
		return false;
	}
	if ((r->route->flags & ROUTE_RATED) && !check_address(r))
		return false;
	return check_scope(r) && check_type(r) && check_query(r);
}

static size_t
on_head(void *arg, struct http_exchange *x)
{
	struct api *a = arg;
	struct api_request *r = request_new(a, x);
	size_t max = (size_t)a->conf->limits.http_body;

	if (!request_check_host(r) || !begin(r))
		return 0;
	if (r->route->flags & (ROUTE_SIGN_IN | ROUTE_XML))
		max = SIGN_IN_BODY_MAX;
	if (http_exchange_head(x)->content_length > max) {
		api_problem(r, PROBLEM_TOO_LARGE, "at most %zu bytes", max);
		return 0;
	}
	return r->route->flags & (ROUTE_BODY | ROUTE_XML) ? max : 0;
}

static bool
read_body(struct api_request *r)
{
	struct str body = http_exchange_body(r->x);
	struct diag diag = { 0 };

	if (json_parse(body, &r->doc, &diag) != OK) {
		api_problem(r, PROBLEM_MALFORMED_JSON, "line %d, column %d: %s",
		            diag.line, diag.column, diag.text);
		return false;
	}
	if (json_kind(json_root(r->doc)) == JSON_KIND_OBJECT)
		return true;
	api_problem(r, PROBLEM_MALFORMED_JSON, "must be an object");
	return false;
}

static void
on_request(void *arg, struct http_exchange *x)
{
	struct api_request *r = of(x);

	(void)arg;
	CHECK(r);
	if ((r->route->flags & ROUTE_BODY) && !r->is_message && !read_body(r))
		return;
	again_begin(r);
}

static void
on_gone(void *arg, struct http_exchange *x)
{
	struct api_request *r = of(x);

	(void)arg;
	if (!r)
		return;
	http_exchange_set_data(x, NULL);
	r->x = NULL;
	if (!again_goes_on(r))
		request_end(r);
}

static void
on_drained(void *arg, struct http_exchange *x)
{
	(void)arg;
	(void)x;
}

static const struct http_ops http_ops = {
	.head = on_head,
	.request = on_request,
	.gone = on_gone,
	.drained = on_drained,
};

/* Signing in asks whether a password is right, which is no deed yet. */
static bool
is_change(const struct api_request *r)
{
	return !str_eq(r->method, STR("GET")) && !str_eq(r->method, STR("HEAD")) &&
	       !(r->route->flags & ROUTE_SIGN_IN);
}

void
api_continue(void *request, enum err e)
{
	struct api_request *r = CAST(api_request, API_REQUEST_MAGIC, request);

	r->call = 0;
	if (e == OK && is_change(r))
		r->deeds = API_DEEDS_ALL;
	else if (r->deeds == API_DEEDS_ALL)
		r->deeds = API_DEEDS_PART;
	if (e == OK)
		again_next(r);
	else
		api_problem_err(r, e);
}

void
api_done(void *request, enum err e, const struct answer_none *answer)
{
	(void)answer;
	api_continue(request, e);
}

void
api_done_id(void *request, enum err e, const struct answer_id *answer)
{
	(void)answer;
	api_continue(request, e);
}

void
api_done_remove(void *request, enum err e, const struct answer_none *answer)
{
	(void)answer;
	api_continue(request, e == ERR_NOT_FOUND ? OK : e);
}

void
api_reply_done(struct api_request *r)
{
	api_reply_empty(r, 204);
}

bool
api_is_there(struct api_request *r, enum err e)
{
	if (e == ERR_NOT_FOUND)
		api_reply_empty(r, 204);
	else if (e != OK)
		api_problem_err(r, e);
	return e == OK;
}

struct str
api_domain_of(struct str address)
{
	size_t at = str_find_last(address, '@');

	return at == SIZE_MAX ? STR("") : str_from_offset(address, at + 1);
}

struct api *
api_new(struct loop *l, const struct conf *conf, struct store_client *store,
        struct http_server **server_out)
{
	struct api *a = mem_alloc(sizeof(*a));

	a->loop = l;
	a->conf = conf;
	a->store = store;
	a->reader = reader_open(conf);
	a->traces = trace_reader_open(conf);
	a->plans = plans_new();
	a->rates = rates_new();
	a->public_rates = rates_new();
	a->events = event_hub_new(l, store);
	a->started_ms = clock_unix_ms();
	list_init(&a->requests);
	random_bytes(a->secret, sizeof(a->secret));
	*server_out = http_server_new(l, (size_t)conf->limits.http_header + DAEMON_MEMORY,
	                              &http_ops, a);
	return a;
}

void
api_set_conf(struct api *a, const struct conf *conf)
{
	a->conf = conf;
}

void
api_free(struct api **a)
{
	if (!*a)
		return;
	CHECK(list_is_empty(&(*a)->requests)); /* http_server_free told them all */
	reader_close(&(*a)->reader);
	trace_reader_close(&(*a)->traces);
	plans_free(&(*a)->plans);
	rates_free(&(*a)->rates);
	rates_free(&(*a)->public_rates);
	event_hub_free(&(*a)->events);
	mem_free(*a);
	*a = NULL;
}
