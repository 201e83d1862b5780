/* How a request is answered: headers that every answer carries, problems, ETags. */
#include "api/api.h"

#include "api/again.h"
#include "api/request.h"
#include "api/routes.h"
#include "base/clock.h"
#include "base/map.h"
#include "base/panic.h"
#include "base/utf8.h"
#include "ext/gzip.h"

#include <stdarg.h>

enum {
	GZIP_MIN = 1024,
	GZIP_MAX = 1024 * 1024, /* ten milliseconds of the loop's time */
};

static const struct {
	int status;
	const char *code, *title;
} problems[] = {
#define PROBLEM(id, status, code, title) { status, code, title },
#include "api/problems.def"
#undef PROBLEM
};
_Static_assert(ARRAY_LEN(problems) == PROBLEM_COUNT, "one row for each problem");

struct strbuf
api_buffer(struct api_request *r)
{
	return strbuf_arena(r->arena, API_REPLY_MAX);
}

struct str
api_head(const struct api_request *r, const char *name)
{
	return r->x ? http_head_find(http_exchange_head(r->x), str_from(name)) : STR("");
}

void
api_header(struct api_request *r, const char *name, struct str value)
{
	size_t n = 0;

	while (n < value.n && ((unsigned char)value.p[n] >= ' ' || value.p[n] == '\t') &&
	       value.p[n] != 0x7f)
		n++;
	CHECK(r->headers_count < API_HEADERS_MAX);
	r->headers[r->headers_count++] =
		(struct http_field){ str_from(name),
		                     arena_str(r->arena, str_first(value, n)) };
}

static struct http_field *
header_find(struct api_request *r, struct str name)
{
	for (size_t i = 0; i < r->headers_count; i++) {
		if (str_eq(r->headers[i].name, name))
			return &r->headers[i];
	}
	return NULL;
}

/* What no answer of the API goes without. */
static void
add_common(struct api_request *r, const char *type)
{
	if (type)
		api_header(r, "Content-Type", str_from(type));
	api_header(r, "Request-Id", id_str(&r->id));
	api_header(r, "Cache-Control", STR("no-store"));
	request_add_security(r, STR("default-src 'none'; frame-ancestors 'none'"));
}

void
request_add_security(struct api_request *r, struct str csp)
{
	api_header(r, "X-Content-Type-Options", STR("nosniff"));
	api_header(r, "Content-Security-Policy", csp);
	api_header(r, "Referrer-Policy", STR("no-referrer"));
	api_header(r, "Cross-Origin-Resource-Policy", STR("same-origin"));
	api_header(r, "Cross-Origin-Opener-Policy", STR("same-origin"));
	if (r->x && http_exchange_peer(r->x)->is_tls)
		api_header(r, "Strict-Transport-Security", STR("max-age=31536000"));
}

static void
count(struct api *a, int status)
{
	a->counts.requests++;
	a->counts.errors_client += status >= 400 && status < 500;
	a->counts.errors_server += status >= 500;
	a->counts.unauthenticated += status == 401;
}

static void
send_late(struct api_request *r)
{
	count(r->api, r->late_status);
	if (r->x)
		http_answer(r->x, r->late_status, r->headers, r->headers_count,
		            r->late_body);
	request_end(r);
}

/* Its client may have gone where it goes on without one. */
static void
answer(struct api_request *r, int status, struct str body)
{
	CHECK(r->x || again_goes_on(r));
	r->late_status = status;
	r->late_body = body;
	if (!again_keep(r, status, body, send_late))
		send_late(r);
}

void
request_answer(struct api_request *r, int status, struct str body)
{
	add_common(r, NULL);
	answer(r, status, body);
}

/* --- gzip ------------------------------------------------------------------------- */

/* "q=0", "q=0.000" */
static bool
is_zero(struct str q)
{
	if (!str_skip_icase(&q, STR("q=0")))
		return false;
	for (size_t i = 0; i < q.n; i++) {
		if (q.p[i] != '.' && q.p[i] != '0')
			return false;
	}
	return true;
}

/* "gzip", or "*", and not with q=0. */
static bool
takes_gzip(struct str accepted)
{
	struct str item, name;

	while (str_next(&accepted, ',', &item)) {
		size_t at = str_find(item, ';');
		struct str q = at == SIZE_MAX ? STR("") : str_from_offset(item, at + 1);

		name = str_trim(str_first(item, at));
		q = str_trim(q);
		if (!str_eq_icase(name, STR("gzip")) && !str_eq(name, STR("*")))
			continue;
		return !is_zero(q);
	}
	return false;
}

/* The tag of the compressed form is another one (RFC 9110 8.8.3.3); its version is the
   same, so that it serves for If-Match. */
static struct str
gzip_tag(struct api_request *r, struct str tag)
{
	return arena_printf(r->arena, "%.*s-gzip\"",
	                    STR_ARG(str_first(tag, tag.n ? tag.n - 1 : 0)));
}

/* Answers to reads, where the client takes it and it pays. Not those with a secret that
   a stranger could guess from how small they get: no session's. */
static struct str
pack_json(struct api_request *r, struct str json)
{
	struct strbuf b;
	struct http_field *tag;

	if (!str_eq(r->method, STR("GET")) ||
	    str_find_str(r->path, STR("/session")) != SIZE_MAX || json.n < GZIP_MIN ||
	    json.n > GZIP_MAX)
		return json;
	api_header(r, "Vary", STR("Accept-Encoding"));
	if (!takes_gzip(api_head(r, "accept-encoding")))
		return json;
	b = api_buffer(r);
	if (!gzip_pack(json, &b))
		return json;
	api_header(r, "Content-Encoding", STR("gzip"));
	tag = header_find(r, STR("ETag"));
	if (tag)
		tag->value = gzip_tag(r, tag->value);
	return strbuf_str(&b);
}

bool
request_has_tag(struct api_request *r, struct str tag)
{
	struct str rest = api_head(r, "if-none-match"), item;

	if (str_eq(rest, STR("*")))
		return true;
	while (str_next(&rest, ',', &item)) {
		item = str_trim(item);
		(void)str_skip(&item, STR("W/"));
		if (str_eq(item, tag))
			return true;
	}
	return false;
}

/* Lists and figures change without a version of their own: their tag is their content. */
static bool
is_unchanged(struct api_request *r, struct str json)
{
	static const uint64_t key[2] = { 0x6d61696c, 0x73746561 };
	struct str tag;
	const struct http_field *known = header_find(r, STR("ETag"));

	if (!str_eq(r->method, STR("GET")) && !str_eq(r->method, STR("HEAD")))
		return false;
	if (!known)
		api_header(r, "ETag",
		           arena_printf(r->arena, "\"%016llx\"",
		                        (unsigned long long)siphash24(key, json)));
	tag = header_find(r, STR("ETag"))->value;
	return request_has_tag(r, tag) || request_has_tag(r, gzip_tag(r, tag));
}

void
api_reply_json(struct api_request *r, int status, struct str json)
{
	if (json.n == API_REPLY_MAX || !json.n) {
		api_problem(r, PROBLEM_INTERNAL, "the answer is too large");
		return;
	}
	if (status == 200 && is_unchanged(r, json)) {
		add_common(r, NULL);
		answer(r, 304, STR(""));
		return;
	}
	json = pack_json(r, json);
	add_common(r, "application/json");
	answer(r, status, json);
}

void
api_reply_item(struct api_request *r, int status, const struct strbuf *json,
               struct str etag, const char *list, struct str key)
{
	api_header(r, "ETag", etag);
	if (status == 201)
		api_header(r, "Location",
		           arena_printf(r->arena, "/api/v1/%s/%.*s", list, STR_ARG(key)));
	api_reply_json(r, status, strbuf_str(json));
}

void
api_reply_text(struct api_request *r, int status, const char *type, struct str text)
{
	add_common(r, type);
	answer(r, status, text);
}

void
api_reply_empty(struct api_request *r, int status)
{
	add_common(r, NULL);
	answer(r, status, STR(""));
}

void
api_reply_dry_run(struct api_request *r, const char *action, struct str target)
{
	struct strbuf b = api_buffer(r);
	struct json_out j = json_out_on(&b);

	json_open_object(&j, NULL);
	json_bool(&j, "dry_run", true);
	json_cstr(&j, "action", action);
	json_str(&j, "target", target);
	json_close_object(&j);
	api_reply_json(r, 200, strbuf_str(&b));
}

/* --- problems ---------------------------------------------------------------------- */

void
api_fault(struct api_request *r, struct str pointer, const char *code, const char *detail,
          ...)
{
	struct strbuf b = strbuf_arena(r->arena, 512);
	va_list ap;

	if (r->errors_count == API_ERRORS_MAX)
		return;
	if (detail) {
		va_start(ap, detail);
		strbuf_vprintf(&b, detail, ap);
		va_end(ap);
	}
	r->errors[r->errors_count++] = (struct api_error){ .pointer = pointer,
		                                           .code = code,
		                                           .detail = strbuf_str(&b) };
}

static void
write_errors(const struct api_request *r, struct json_out *j)
{
	if (!r->errors_count)
		return;
	json_open_array(j, "errors");
	for (size_t i = 0; i < r->errors_count; i++) {
		const struct api_error *e = &r->errors[i];

		json_open_object(j, NULL);
		json_str(j, "pointer", e->pointer);
		json_cstr(j, "code", e->code);
		if (e->detail.n)
			json_str(j, "detail", e->detail);
		if (e->position)
			json_i64(j, "position", (int64_t)e->position);
		json_close_object(j);
	}
	json_close_array(j);
}

static void
problem(struct api_request *r, int status, const char *code, const char *title,
        struct str detail)
{
	struct strbuf b, type = strbuf_arena(r->arena, 100);
	struct json_out j;

	/* Who is refused takes it that nothing was done. Where the answer has a secret,
	   there is nothing to have without it. */
	if (r->deeds == API_DEEDS_ALL && !(r->route->flags & ROUTE_SECRET)) {
		api_reply_empty(r, 204);
		return;
	}
	if (!detail.n && (r->deeds != API_DEEDS_NONE || again_has_deeds(r)))
		detail = STR("a part of it is done already");
	b = api_buffer(r);
	j = json_out_on(&b);
	strbuf_lit(&type, "/problems/");
	for (const char *p = code; *p; p++)
		strbuf_byte(&type, *p == '_' ? '-' : *p);
	json_open_object(&j, NULL);
	json_str(&j, "type", strbuf_str(&type));
	json_cstr(&j, "title", title);
	json_i64(&j, "status", status);
	if (detail.n)
		json_str(&j, "detail", detail);
	json_cstr(&j, "code", code);
	write_errors(r, &j);
	if (r->problem_key)
		json_str(&j, r->problem_key, r->problem_value);
	json_str(&j, "request_id", id_str(&r->id));
	json_str(&j, "instance", utf8_first(r->path, 1024));
	json_close_object(&j);
	if (status == 401)
		api_header(r, "WWW-Authenticate", STR("Bearer realm=\"mailstead\""));
	if ((status == 429 || status == 503) && !header_find(r, STR("Retry-After")))
		api_header(r, "Retry-After", status == 429 ? STR("60") : STR("2"));
	add_common(r, "application/problem+json");
	answer(r, status, strbuf_str(&b));
}

void
api_problem(struct api_request *r, enum problem what, const char *detail, ...)
{
	struct strbuf b = strbuf_arena(r->arena, 1024);
	va_list ap;

	if (detail) {
		va_start(ap, detail);
		strbuf_vprintf(&b, detail, ap);
		va_end(ap);
	}
	problem(r, problems[what].status, problems[what].code, problems[what].title,
	        strbuf_str(&b));
}

void
api_problem_err(struct api_request *r, enum err e)
{
	const struct err_info *info = err_get(e);

	problem(r, info->http, info->word, info->text, STR(""));
}

/* --- versions ---------------------------------------------------------------------- */

struct str
api_close_with_etag(struct api_request *r, struct json_out *j, size_t from,
                    uint64_t version)
{
	static const uint64_t key[2] = { 0x65746167, 0x7631 };
	struct str so_far = str_from_offset(strbuf_str(j->out), from), tag;

	tag = arena_printf(r->arena, "\"%llu.%08x\"", (unsigned long long)version,
	                   (unsigned)siphash24(key, so_far));
	json_str(j, "etag", tag);
	json_close_object(j);
	return tag;
}

/* Is that version among the tags? It stands in front of the dot; the rest changes with
   figures that no edit minds. Weak tags never match (RFC 9110 13.1.1). */
static bool
names_version(struct str tags, uint64_t version)
{
	struct str tag;
	uint64_t named;
	size_t dot;

	while (str_next(&tags, ',', &tag)) {
		tag = str_trim(tag);
		if (!str_skip_byte(&tag, '"') || !str_ends(tag, STR("\"")))
			continue;
		dot = str_find(tag, '.');
		if (dot != SIZE_MAX && str_parse_u64(str_first(tag, dot), &named) &&
		    named && named == version)
			return true;
	}
	return false;
}

bool
api_if_match(struct api_request *r, uint64_t current, bool is_required,
             uint64_t *version_out)
{
	struct str tag = r->again ? r->if_match : api_head(r, "if-match");

	*version_out = 0;
	/* It fitted then, and its own work is what has changed it since. */
	if (again_has_deeds(r))
		return true;
	if (!tag.n) {
		/* The command line has just been told by a person what to do. */
		if (!is_required || r->caller.kind == CALLER_LOCAL)
			return true;
		api_problem(r, PROBLEM_IF_MATCH, NULL);
		return false;
	}
	if ((str_eq(tag, STR("*")) && current) || names_version(tag, current)) {
		*version_out = current;
		return true;
	}
	if (current) {
		r->problem_key = "etag";
		r->problem_value =
			arena_printf(r->arena, "\"%llu.0\"", (unsigned long long)current);
	}
	api_problem(r, PROBLEM_ETAG, NULL);
	return false;
}
