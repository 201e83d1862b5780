#include "api/again.h"

#include "api/request.h"
#include "api/routes.h"
#include "base/clock.h"
#include "base/duration.h"
#include "base/panic.h"
#include "ext/crypto.h"

enum {
	KEY_MAX = 256,
	KEEP_MS = DAY_MS,
	BODY_MAX = 256 * 1024, /* of an answer that is kept */
	HEADERS_MAX = 4096,
	PRINT_MAX = 300 << 20,
};

struct again {
	struct sha256 name, print;
	struct deed deed;
	bool has_deeds; /* a process that is gone has begun it */
	bool is_noted;  /* the store knows of it */
	bool is_kept;   /* and of its answer */
	void (*sent)(struct api_request *r);
};

/* "key" as the draft has it, or bare. False: it is none. */
static bool
read_key(struct str key, struct str *out)
{
	if (key.n >= 2 && key.p[0] == '"' && key.p[key.n - 1] == '"')
		key = str_make(key.p + 1, key.n - 2);
	*out = key;
	for (size_t i = 0; i < key.n; i++) {
		if (key.p[i] < ' ' || key.p[i] > '~')
			return false;
	}
	return key.n && key.n <= KEY_MAX;
}

static bool
is_for(const struct api_request *r, struct str key)
{
	/* Signing out sets a cookie, and what judges a message changes nothing. */
	if ((r->route->flags & ROUTE_MESSAGE) ||
	    str_find_str(r->path, STR("/session")) != SIZE_MAX)
		return false;
	return key.n && !r->dry_run && r->caller.kind != CALLER_NOBODY &&
	       !str_eq(r->method, STR("GET")) && !str_eq(r->method, STR("HEAD"));
}

/* All that decides what a request does. */
static struct sha256
print_of(struct api_request *r, struct str secret)
{
	struct strbuf b = strbuf_heap(PRINT_MAX);
	struct sha256 print;

	strbuf_printf(&b, "%.*s %.*s?%.*s\n%.*s\n", STR_ARG(r->method), STR_ARG(r->path),
	              STR_ARG(r->query), STR_ARG(api_head(r, "if-match")));
	strbuf_add(&b, http_exchange_body(r->x));
	print = hmac_sha256(secret, strbuf_str(&b));
	strbuf_release(&b);
	return print;
}

static struct str
deed_name(const struct again *a)
{
	return str_make(a->deed.name, sizeof(a->deed.name));
}

/* Whatever fn asks of the store is a deed of this request. fn may end the request. */
static void
carry_out(struct api_request *r, void (*fn)(struct api_request *r))
{
	struct store_client *store = r->api->store;

	store_set_deed(store, r->again && r->again->is_noted ? &r->again->deed : NULL);
	fn(r);
	store_set_deed(store, NULL);
}

void
again_next(struct api_request *r)
{
	carry_out(r, r->next);
}

bool
again_has_deeds(const struct api_request *r)
{
	return r->again && r->again->has_deeds;
}

static void
forget(struct api_request *r)
{
	struct op_api_end op = { .name = sha256_str(&r->again->name),
		                 .deed = deed_name(r->again) };

	(void)store_api_end(r->api->store, &op, NULL, NULL);
}

/* The names are those of http_fields that reply.c made, so they outlive the answer. */
static void
tell_of_secret(struct api_request *r)
{
	api_problem(r, PROBLEM_CONFLICT,
	            "it was done by the first request, and its answer alone had the "
	            "secret");
}

static void
replay(struct api_request *r, const struct answer_api *a)
{
	struct str rest = arena_str(r->arena, a->headers), line;

	if ((r->route->flags & ROUTE_SECRET) && a->status < 300) {
		tell_of_secret(r);
		return;
	}
	while (str_next(&rest, '\n', &line)) {
		size_t at = str_find(line, ':');

		if (at != SIZE_MAX)
			api_header(r, arena_cstr(r->arena, str_first(line, at)),
			           str_trim(str_from_offset(line, at + 1)));
	}
	api_header(r, "Idempotent-Replayed", STR("true"));
	request_answer(r, (int)a->status, arena_str(r->arena, a->body));
}

static void
on_begun(void *arg, enum err e, const struct answer_api *answer)
{
	struct api_request *r = CAST(api_request, API_REQUEST_MAGIC, arg);

	r->call = 0;
	if (e != OK) {
		api_problem_err(r, e);
		return;
	}
	switch ((enum api_again)answer->again) {
	case API_NEW:
		if (!r->x) {
			/* Gone before anything was done. */
			forget(r);
			request_end(r);
			return;
		}
		r->again->is_noted = true;
		r->again->has_deeds = answer->has_deeds;
		if (answer->has_deeds && (r->route->flags & ROUTE_SECRET))
			tell_of_secret(r);
		else
			carry_out(r, r->route->handler);
		return;
	case API_RUNNING:
		api_header(r, "Retry-After", STR("1"));
		api_problem(r, PROBLEM_KEY_RUNNING, NULL);
		return;
	case API_DONE:
		replay(r, answer);
		return;
	case API_OTHER:
		break;
	}
	api_problem(r, PROBLEM_KEY_REUSED, NULL);
}

/* A key that was forgotten may come with another request, which has deeds of its own. */
static void
name_deeds(struct again *a)
{
	struct sha256 both = hmac_sha256(sha256_str(&a->name), sha256_str(&a->print));

	_Static_assert(sizeof(both.bytes) == sizeof(a->deed.name), "a digest");
	memcpy(a->deed.name, both.bytes, sizeof(a->deed.name));
}

void
again_begin(struct api_request *r)
{
	struct str given = api_head(r, "idempotency-key"), secret = r->caller.secret;
	struct again *a;
	struct op_api_begin op;

	if (!is_for(r, given)) {
		r->route->handler(r);
		return;
	}
	if (!read_key(given, &given)) {
		api_problem(r, PROBLEM_MALFORMED,
		            "an Idempotency-Key has 1 to %d printable characters",
		            KEY_MAX);
		return;
	}
	/* The command line has no secret; its keys are good while this process lives. */
	if (!secret.n)
		secret = str_make((const char *)r->api->secret, sizeof(r->api->secret));
	a = ARENA_NEW(r->arena, struct again);
	r->if_match = arena_str(r->arena, api_head(r, "if-match"));
	a->name = hmac_sha256(secret, given);
	a->print = print_of(r, secret);
	name_deeds(a);
	r->again = a;
	op = (struct op_api_begin){
		.name = sha256_str(&a->name),
		.print = sha256_str(&a->print),
		.deed = deed_name(a),
		.epoch = store_epoch(r->api->store),
		.keep_since_ms = clock_unix_ms() - KEEP_MS,
	};
	r->call = store_api_begin(r->api->store, &op, on_begun, r);
}

static void
on_kept(void *arg, enum err e, const struct answer_none *answer)
{
	struct api_request *r = CAST(api_request, API_REQUEST_MAGIC, arg);

	/* What was done is done: it is told even where that could not be noted. */
	(void)e;
	(void)answer;
	r->call = 0;
	r->again->sent(r);
}

bool
again_keep(struct api_request *r, int status, struct str body,
           void (*sent)(struct api_request *r))
{
	struct again *a = r->again;
	struct strbuf headers = strbuf_arena(r->arena, HEADERS_MAX);
	bool is_forgotten = status >= 500 || status == 429;
	struct op_api_end op;
	bool is_secret;

	if (!a || !a->is_noted || a->is_kept)
		return false;
	/* Only what has a route can be noted. */
	is_secret = (r->route->flags & ROUTE_SECRET) && status < 300;
	CHECK(!r->call);
	a->is_kept = true;
	a->sent = sent;
	for (size_t i = 0; i < r->headers_count; i++) {
		const struct http_field *f = &r->headers[i];

		if (str_eq(f->name, STR("Content-Type")) ||
		    str_eq(f->name, STR("ETag")) || str_eq(f->name, STR("Location")))
			strbuf_printf(&headers, "%.*s: %.*s\n", STR_ARG(f->name),
			              STR_ARG(f->value));
	}
	op = (struct op_api_end){
		.name = sha256_str(&a->name),
		.deed = deed_name(a),
		.status = is_forgotten ? 0 : (uint32_t)status,
		.headers = strbuf_str(&headers),
		.body = is_secret || body.n > BODY_MAX ? STR("{}") : body,
	};
	store_set_deed(r->api->store, NULL); /* it is none itself */
	r->call = store_api_end(r->api->store, &op, on_kept, r);
	return true;
}

bool
again_goes_on(struct api_request *r)
{
	return r->again != NULL;
}
