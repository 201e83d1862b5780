/* api.h - the REST API: one request from its head to its answer.
 *
 * api_new() makes the application; role/web.c connects it to sockets. For each request
 * the route is found (routes.def), the caller is authenticated and his scope checked, the
 * query and body are read against what the route declares, and the handler is called. A
 * handler reads through api->reader and asks the store for changes; it answers exactly
 * once, at once or from a call-back, with one of the api_reply functions.
 *
 * Owns: all requests, each with an arena. Borrows: loop, conf, store client.
 */
#ifndef API_API_H
#define API_API_H

#include "api/http_server.h"
#include "base/arena.h"
#include "base/ids.h"
#include "base/list.h"
#include "conf/conf.h"
#include "ext/json.h"
#include "io/tls.h"
#include "store/client.h"
#include "store/reader.h"
#include "store/trace_reader.h"

struct again;
struct api;
struct api_assets;
struct dns;
struct event_hub;
struct event_reader;
struct plans;
struct rates;
struct route;

enum {
	API_REQUEST_MAGIC = 0x61706972,
	API_HEADERS_MAX = 20,
	API_ERRORS_MAX = 20,
	API_PARAMS_MAX = 2,
	API_REPLY_MAX = 8 << 20, /* bytes of one answer */
	API_PAGE = 50,
	API_PAGE_MAX = 500,
	API_COUNT_MAX = 10000,
};

enum scope {
#define SCOPE(id, word) SCOPE_##id,
#include "api/scopes.def"
#undef SCOPE
	SCOPE_COUNT,
	SCOPE_NONE, /* in routes: nobody need sign in */
	SCOPE_ANY,  /* in routes: whoever is signed in */
};

enum problem {
#define PROBLEM(id, status, code, title) PROBLEM_##id,
#include "api/problems.def"
#undef PROBLEM
	PROBLEM_COUNT
};

enum caller_kind {
	CALLER_NOBODY,
	CALLER_SESSION, /* a browser with a cookie */
	CALLER_TOKEN,
	CALLER_LOCAL, /* the command line */
};

/* Who asks. Lives in the request and dies with it. */
struct caller {
	enum caller_kind kind;
	struct str name;            /* of the admin, the token, or "cli" */
	struct str role;            /* of an admin; else empty */
	struct str domains;         /* only these, one space between; empty: all */
	uint32_t scopes;            /* bits 1 << enum scope */
	uint64_t admin_id;          /* 0: none */
	struct str secret;          /* that he came with; empty: none */
	struct token token;         /* CALLER_TOKEN */
	struct web_session session; /* CALLER_SESSION */
};

struct api_error {
	struct str pointer; /* "/name" of the body, "?limit" of the query */
	const char *code;
	struct str detail;
	size_t position; /* in a filter, from 1; 0: none */
};

/* What the store has carried out of a request that changes something. */
enum api_deeds {
	API_DEEDS_NONE,
	API_DEEDS_PART, /* and refused the next step */
	API_DEEDS_ALL,  /* of what it was asked so far: only the answer is missing */
};

struct api_request {
	uint32_t magic;
	struct api *api;
	struct http_exchange *x; /* NULL: the client is gone */
	struct arena *arena;
	struct link in_list;
	struct id id;
	const struct route *route;
	struct str method, path, query;    /* path and query as sent */
	struct str params[API_PARAMS_MAX]; /* of the path, decoded */
	struct caller caller;
	struct json *doc; /* the body, or NULL */
	bool dry_run;
	bool is_message; /* the body is a message, and not read yet */
	struct http_field headers[API_HEADERS_MAX];
	size_t headers_count;
	struct api_error errors[API_ERRORS_MAX];
	size_t errors_count;
	const char *problem_key; /* one more member of the problem, or NULL */
	struct str problem_value;
	uint64_t call; /* of the store that is out; 0: none */
	/* What a handler must remember over a store call. */
	void (*next)(struct api_request *r);
	void *state;
	enum api_deeds deeds;
	/* Called when the request ends, with or without an answer; or NULL. */
	void (*release)(struct api_request *r);
	struct str if_match; /* of the head, which may be gone where `again` is set */
	struct again *again; /* it may come again (api/again.h); NULL: no key */
	/* An answer that is kept first (reply.c). */
	int late_status;
	struct str late_body;
	struct event_reader *stream; /* it reads events; NULL: it does not */
};

struct api {
	struct loop *loop;
	const struct conf *conf;
	struct store_client *store;
	struct reader *reader;
	struct trace_reader *traces;
	struct dns *dns;        /* may be NULL */
	size_t verifications;   /* that run */
	struct tls_server *tls; /* for what its certificate says; may be NULL */
	struct api_assets *assets;
	struct plans *plans;
	struct rates *rates;        /* of tokens */
	struct rates *public_rates; /* of addresses */
	struct event_hub *events;
	struct link requests;
	uint8_t secret[32]; /* signs cursors and plans; made at start */
	int64_t started_ms;
	struct {
		uint64_t requests, errors_client, errors_server, unauthenticated;
	} counts;
};

/* Never NULL. */
struct api *api_new(struct loop *l, const struct conf *conf, struct store_client *store,
                    struct http_server **server_out);
void api_free(struct api **a);
/* conf is new: r->conf of the role. */
void api_set_conf(struct api *a, const struct conf *conf);

/* --- answering: exactly one of these ends a request; r is gone after it ----------------
 */

void api_reply_json(struct api_request *r, int status, struct str json);
/* One item that is read, or was made or changed: with its ETag, and where it was made
   with the Location below its list ("accounts"). */
void api_reply_item(struct api_request *r, int status, const struct strbuf *json,
                    struct str etag, const char *list, struct str key);
void api_reply_text(struct api_request *r, int status, const char *type, struct str text);
void api_reply_empty(struct api_request *r, int status);
/* {"dry_run": true, "action": …, "target": …} */
void api_reply_dry_run(struct api_request *r, const char *action, struct str target);
/* A problem; detail may be NULL. What api_fault() collected goes along. Where all is done
   already (api_continue) it is 204 instead: what cannot be read back is no refusal. */
void api_problem(struct api_request *r, enum problem what, const char *detail, ...)
	PRINTF_LIKE(3, 4);
/* The problem that an error of the store or a reader means. */
void api_problem_err(struct api_request *r, enum err e);

/* Adds a header to the answer to come; value is copied, control characters end it. */
void api_header(struct api_request *r, const char *name, struct str value);
/* Adds a row to the problem to come. detail may be NULL. */
void api_fault(struct api_request *r, struct str pointer, const char *code,
               const char *detail, ...) PRINTF_LIKE(4, 5);

/* --- asking the store ------------------------------------------------------------------
 */

/* For the call-backs of store_<name>(): answers with a problem where e is not OK, else
   calls r->next, which asks for the next step or answers: nothing else may fail there. */
void api_continue(void *request, enum err e);
/* Call-backs that are no more than that: of operations without an answer or with an id,
   and of a removal, which is done as well where nothing was there. */
void api_done(void *request, enum err e, const struct answer_none *answer);
void api_done_id(void *request, enum err e, const struct answer_id *answer);
void api_done_remove(void *request, enum err e, const struct answer_none *answer);
/* For r->next: 204. */
void api_reply_done(struct api_request *r);
/* Is what is to be removed there, which e says of reading it? False: answered, with 204
   where it is gone already. */
MUSTUSE bool api_is_there(struct api_request *r, enum err e);
/* Who did it, for the audit log. Borrows from the request. */
struct actor api_actor(const struct api_request *r);

/* --- small helps -------------------------------------------------------------------- */

struct str api_head(const struct api_request *r, const char *name);
/* A buffer for an answer, in the arena of the request. */
struct strbuf api_buffer(struct api_request *r);
/* True where a caller limited to domains may touch this domain. */
bool api_may_domain(const struct api_request *r, struct str domain);
/* The part behind the last "@". */
struct str api_domain_of(struct str address);
const char *scope_word(enum scope s);
/* The bit of a scope word, 0 for none. */
uint32_t scope_find(struct str word);
bool caller_has(const struct caller *c, enum scope s);
/* Which scopes a role has. */
uint32_t role_scopes(struct str role);

/* Appends fields to a JSON object and closes it with "etag": the version, and a check of
   what was written since `from` (the length of the buffer before the object). The etag
   with its quotes comes out as well; it lives in the arena. */
struct str api_close_with_etag(struct api_request *r, struct json_out *j, size_t from,
                               uint64_t version);
/* Reads If-Match into *version_out (0: none was sent). Answers 412 or 428 and says false
   where it does not fit: current is the version there is (0: it does not exist). */
MUSTUSE bool api_if_match(struct api_request *r, uint64_t current, bool is_required,
                          uint64_t *version_out);

#endif
