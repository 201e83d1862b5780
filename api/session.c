/* /session: signing in with a browser, by cookie. */
#include "api/auth.h"
#include "api/fields.h"
#include "api/request.h"
#include "api/routes.h"
#include "base/base64.h"
#include "base/clock.h"
#include "ext/crypto.h"
#include "ext/password.h"

enum {
	F_NAME,
	F_PASSWORD,
	F_COUNT,
	SECRET_BYTES = 32,
	CSRF_BYTES = 24,
	AGENT_MAX = 200,
};

static const struct field_spec specs[F_COUNT] = {
	[F_NAME] = { .name = "name",
	             .kind = FIELD_STR,
	             .flags = FIELD_MUST,
	             .min = 1,
	             .max = 254 },
	[F_PASSWORD] = { .name = "password",
	                 .kind = FIELD_STR,
	                 .flags = FIELD_MUST,
	                 .min = 1,
	                 .max = PASSWORD_MAX },
};

/* What is known between the steps of a sign-in. */
struct sign_in {
	struct str name, role, secret, csrf;
	uint64_t admin_id;
	int64_t created_ms, expires_ms;
};

static struct str
random_text(struct api_request *r, size_t n)
{
	struct strbuf b = strbuf_arena(r->arena, 2 * n);
	uint8_t bytes[SECRET_BYTES];

	random_bytes(bytes, n);
	base64url_format(&b, str_make(bytes, n));
	return strbuf_str(&b);
}

static void
set_cookie(struct api_request *r, struct str value, int64_t age_s)
{
	bool is_tls = http_exchange_peer(r->x)->is_tls;

	api_header(r, "Set-Cookie",
	           arena_printf(r->arena,
	                        "%s=%.*s; Path=/; Max-Age=%lld; HttpOnly; "
	                        "SameSite=Strict%s",
	                        session_cookie_name(is_tls), STR_ARG(value),
	                        (long long)age_s, is_tls ? "; Secure" : ""));
}

static void
write_session(struct api_request *r, int status, const struct sign_in *s)
{
	struct strbuf b = api_buffer(r);
	struct json_out j = json_out_on(&b);

	json_open_object(&j, NULL);
	json_str(&j, "name", s->name);
	json_str(&j, "role", s->role);
	scopes_write(&j, "scopes", role_scopes(s->role));
	json_str(&j, "csrf_token", s->csrf);
	json_time(&j, "created_at", s->created_ms);
	json_time(&j, "expires_at", s->expires_ms);
	json_i64(&j, "idle_timeout_s", r->api->conf->limits.web_session_idle / 1000);
	json_close_object(&j);
	api_reply_json(r, status, strbuf_str(&b));
}

void
session_get(struct api_request *r)
{
	struct sign_in s = { .name = r->caller.name,
		             .role = r->caller.role,
		             .csrf = r->caller.session.csrf,
		             .created_ms = r->caller.session.created_ms,
		             .expires_ms = r->caller.session.expires_ms };

	if (r->caller.kind == CALLER_SESSION)
		write_session(r, 200, &s);
	else
		api_problem(r, PROBLEM_UNAUTHENTICATED, "this is for browsers");
}

/* --- signing in: password, then always a new session ------------------- */

static void
signed_in(struct api_request *r)
{
	struct sign_in *s = r->state;

	set_cookie(r, s->secret, (s->expires_ms - s->created_ms) / 1000);
	write_session(r, 201, s);
}

/* Always a new secret: one that was planted in the browser before is worth nothing. */
static void
make_session(struct api_request *r)
{
	struct sign_in *s = r->state;
	struct op_session_create op = { .actor = api_actor(r), .admin_id = s->admin_id };
	struct sha256 hash;

	s->secret = random_text(r, SECRET_BYTES);
	s->csrf = random_text(r, CSRF_BYTES);
	s->created_ms = clock_unix_ms();
	s->expires_ms = s->created_ms + r->api->conf->limits.web_session_max;
	hash = sha256_of(s->secret);
	op.actor.name = arena_printf(r->arena, "admin:%.*s", STR_ARG(s->name));
	op.hash = sha256_str(&hash);
	op.csrf = s->csrf;
	op.ip = op.actor.ip;
	op.user_agent = str_first(api_head(r, "user-agent"), AGENT_MAX);
	op.expires_ms = s->expires_ms;
	r->next = signed_in;
	r->call = store_session_create(r->api->store, &op, api_done_id, r);
}

static void
auth_done(void *arg, enum err e, const struct answer_auth *answer)
{
	struct api_request *r = arg;
	struct sign_in *s = r->state;

	if (e == OK) {
		s->admin_id = answer->id;
		s->name = arena_str(r->arena, answer->address);
		s->role = arena_str(r->arena, answer->role);
	}
	/* One answer for a wrong name, a wrong password and a disabled admin. */
	if (e == ERR_AUTH || e == ERR_ACCOUNT_OFF || e == ERR_NO_SUCH_USER) {
		r->call = 0;
		api_problem(r, PROBLEM_UNAUTHENTICATED, "name or password is wrong");
		return;
	}
	api_continue(r, e);
}

void
session_create(struct api_request *r)
{
	struct op_auth op = { .kind = LOGIN_ADMIN, .protocol = STR("http") };
	struct field f[F_COUNT];
	char ip[ADDR_TEXT_MAX];

	if (!request_check_origin(r) || !request_check_secrecy(r) ||
	    !fields_read(r, specs, F_COUNT, f))
		return;
	r->state = ARENA_NEW(r->arena, struct sign_in);
	r->next = make_session;
	op.name = f[F_NAME].s;
	op.password = f[F_PASSWORD].s;
	op.ip = addr_ip_text(&http_exchange_peer(r->x)->addr, &ip);
	op.session_id = id_str(&r->id);
	r->call = store_auth(r->api->store, &op, auth_done, r);
}

/* --- signing out ------------------------------------------------------------------ */

static void
signed_out(struct api_request *r)
{
	set_cookie(r, STR(""), 0);
	api_reply_empty(r, 204);
}

void
session_delete(struct api_request *r)
{
	struct op_session_remove op = { .actor = api_actor(r),
		                        .id = r->caller.session.id };

	if (r->caller.kind != CALLER_SESSION) {
		api_problem(r, PROBLEM_UNAUTHENTICATED, "this is for browsers");
		return;
	}
	r->next = signed_out;
	r->call = store_session_remove(r->api->store, &op, api_done_remove, r);
}
