/* /tools: what this server would say, asked by a person. */
#include "api/fields.h"
#include "api/routes.h"
#include "base/clock.h"
#include "policy/auth_json.h"
#include "policy/auth_results.h"
#include "policy/lookups_conn.h"

enum {
	F_IP,
	F_HELO,
	F_MAIL_FROM,
	F_MESSAGE,
	F_COUNT,
	VERIFICATIONS_MAX = 8, /* at one time */
	VERIFY_BUDGET = 64 << 20,
	TEXT_MAX = 512,
};

static const struct field_spec specs[F_COUNT] = {
	[F_IP] = { .name = "ip",
	           .kind = FIELD_STR,
	           .flags = FIELD_MUST,
	           .min = 2,
	           .max = 45 },
	[F_HELO] = { .name = "helo", .kind = FIELD_STR, .max = TEXT_MAX },
	[F_MAIL_FROM] = { .name = "mail_from", .kind = FIELD_STR, .max = TEXT_MAX },
	[F_MESSAGE] = { .name = "message",
	                .kind = FIELD_STR,
	                .flags = FIELD_MUST,
	                .min = 1,
	                .max = 256 << 20 },
};

struct verification {
	struct arena *arena;
	struct lookups_conn *conn;
	struct auth_check *check;
};

static void
release(struct api_request *r)
{
	struct verification *v = r->state;

	lookups_conn_free(&v->conn);
	auth_check_free(&v->check);
	arena_free(&v->arena);
	r->api->verifications--;
}

static enum policy_step
step(void *arg, struct lookups *l)
{
	struct api_request *r = arg;
	struct verification *v = r->state;

	return auth_check_step(v->check, l);
}

static void
done(void *arg)
{
	struct api_request *r = arg;
	struct verification *v = r->state;
	const struct auth_verdict *verdict = auth_check_verdict(v->check);
	enum dmarc_policy applied = auth_results_disposition(verdict);
	struct strbuf field = strbuf_arena(v->arena, AUTH_RESULTS_MAX);
	struct strbuf b = api_buffer(r);
	struct json_out j = json_out_on(&b);

	if (auth_results_format(auth_check_request(v->check), verdict, applied, &field) !=
	    OK) {
		api_problem(r, PROBLEM_INTERNAL, NULL);
		return;
	}
	json_open_object(&j, NULL);
	json_str(&j, "field", strbuf_str(&field));
	auth_json_members(&j, verdict, applied);
	json_close_object(&j);
	api_reply_json(r, 200, strbuf_str(&b));
}

static void
verify(struct api_request *r, const struct auth_request *request, struct str message)
{
	struct verification *v = ARENA_NEW(r->arena, struct verification);
	struct lookups *lookups;

	v->arena = arena_new(VERIFY_BUDGET + 4 * message.n);
	v->check = auth_check_new(v->arena, request);
	lookups = lookups_new(v->arena, LOOKUPS_MAX);
	v->conn = lookups_conn_new(r->api->loop, r->api->dns, lookups);
	r->state = v;
	r->release = release;
	r->api->verifications++;
	/* The header is looked at until the end, and the exchange keeps no bodies. */
	message = arena_str(v->arena, message);
	auth_check_message(v->check, auth_message_normalize(message, v->arena));
	lookups_conn_run(v->conn, step, done, r);
	lookups_conn_limit(v->conn, r->api->conf->limits.verify_timeout);
}

void
tools_verify_auth(struct api_request *r)
{
	struct auth_request request = {
		.authserv_id = r->api->conf->hostname,
		.trusted_sealers = r->api->conf->incoming_sealers,
		.now_ms = clock_unix_ms(),
	};
	struct field f[F_COUNT] = { 0 };
	struct str message;

	if (!(r->is_message ? fields_query(r, specs, F_MESSAGE, f)
	                    : fields_read(r, specs, F_COUNT, f)))
		return;
	message = r->is_message ? http_exchange_body(r->x) : f[F_MESSAGE].s;
	if (!message.n) {
		api_fault(r, STR(""), "missing", "the message, as the body");
		api_problem(r, PROBLEM_INVALID, NULL);
		return;
	}
	if (!addr_parse_ip(f[F_IP].s, &request.ip)) {
		api_fault(r, r->is_message ? STR("?ip") : STR("/ip"), "bad_value",
		          "an address like 192.0.2.1 or 2001:db8::1");
		api_problem(r, PROBLEM_INVALID, NULL);
		return;
	}
	if (!r->api->dns || r->api->verifications >= VERIFICATIONS_MAX) {
		api_problem(r, r->api->dns ? PROBLEM_QUOTA : PROBLEM_NOT_READY, NULL);
		return;
	}
	addr_unmap(&request.ip);
	request.helo = f[F_HELO].s;
	request.sender = f[F_MAIL_FROM].s;
	verify(r, &request, message);
}
