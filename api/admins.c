/* /admins and /me: who may sign in to the dashboard, and who is asking. */
#include "api/again.h"
#include "api/auth.h"
#include "api/fields.h"
#include "api/names.h"
#include "api/page.h"
#include "api/routes.h"
#include "ext/password.h"

enum {
	F_PASSWORD,
	F_ROLE,
	F_STATE,
	F_NAME,
	F_COUNT,
	PASSWORD_MIN = 8,
	NAME_MAX = 64,
};

#define ROLES "owner admin operator helpdesk auditor"

/* A change takes all but the last. */
static const struct field_spec specs[F_COUNT] = {
	[F_PASSWORD] = { .name = "password",
	                 .kind = FIELD_STR,
	                 .min = PASSWORD_MIN,
	                 .max = PASSWORD_MAX },
	[F_ROLE] = { .name = "role", .kind = FIELD_WORD, .words = ROLES },
	[F_STATE] = { .name = "state", .kind = FIELD_WORD, .words = "active disabled" },
	[F_NAME] = { .name = "name",
	             .kind = FIELD_STR,
	             .flags = FIELD_MUST,
	             .min = 1,
	             .max = NAME_MAX },
};

void
me_get(struct api_request *r)
{
	static const char *const kinds[] = { "nobody", "session", "token", "local" };
	struct strbuf b = api_buffer(r);
	struct json_out j = json_out_on(&b);
	const struct caller *c = &r->caller;

	json_open_object(&j, NULL);
	json_cstr(&j, "kind", kinds[c->kind]);
	json_str(&j, "name", c->name);
	json_str_or_null(&j, "role", c->role);
	scopes_write(&j, "scopes", c->scopes);
	names_write_words(&j, "domains", c->domains, true);
	if (c->kind == CALLER_TOKEN)
		json_str(&j, "token_id", names_id(r, "tok", c->token.id));
	else
		json_out_null(&j, "token_id");
	json_close_object(&j);
	api_reply_json(r, 200, strbuf_str(&b));
}

static struct str
write_admin(struct api_request *r, struct json_out *j, const struct admin *a)
{
	size_t from = j->out->n;

	json_open_object(j, NULL);
	json_str(j, "name", a->name);
	json_str(j, "role", a->role);
	json_cstr(j, "state", a->enabled ? "active" : "disabled");
	json_time(j, "created_at", a->created_ms);
	json_time(j, "last_login_at", a->last_login_ms);
	return api_close_with_etag(r, j, from, a->version);
}

static bool
list_one(void *arg, const struct admin *a)
{
	struct page *p = arg;

	int where = p->after.n ? str_cmp(a->name, p->after) : 0;

	if (p->after.n && (p->is_down ? where >= 0 : where <= 0))
		return true;
	if (!page_take(p, a->name))
		return false;
	(void)write_admin(p->r, &p->j, a);
	return true;
}

void
admins_list(struct api_request *r)
{
	struct page p;

	if (page_begin_both(&p, r, "admins", STR(""), "name", false))
		page_end(&p, reader_admins(r->api->reader, p.is_down, list_one, &p));
}

static void
reply_admin(struct api_request *r, int status, struct str name)
{
	struct strbuf b = api_buffer(r);
	struct json_out j = json_out_on(&b);
	struct admin a;
	struct str etag;
	enum err e = reader_admin(r->api->reader, name, r->arena, &a);

	if (e != OK) {
		api_problem_err(r, e);
		return;
	}
	etag = write_admin(r, &j, &a);
	api_reply_item(r, status, &b, etag, "admins", name);
}

void
admins_get(struct api_request *r)
{
	reply_admin(r, 200, r->params[0]);
}

/* --- changes ---------------------------------------------------------------------- */

struct change {
	struct op_admin_password password;
	int status;
};

static void
show(struct api_request *r)
{
	struct change *c = r->state;

	reply_admin(r, c->status, c->password.name);
}

static void
set_password(struct api_request *r)
{
	struct change *c = r->state;

	r->next = show;
	if (c->password.password.n)
		r->call = store_admin_password(r->api->store, &c->password, api_done, r);
	else
		show(r);
}

static bool
is_admin_name(struct str s)
{
	for (size_t i = 0; i < s.n; i++) {
		char c = s.p[i];

		if (!(c >= 'a' && c <= 'z') && !byte_is_digit(c) &&
		    str_find(STR("._@+-"), c) == SIZE_MAX)
			return false;
	}
	return s.n > 0;
}

void
admins_create(struct api_request *r)
{
	struct op_admin_create op = { .actor = api_actor(r), .role = STR("admin") };
	struct change *c = ARENA_NEW(r->arena, struct change);
	struct field f[F_COUNT];
	struct admin a;

	if (!fields_read(r, specs, F_COUNT, f))
		return;
	if (!f[F_PASSWORD].is_set)
		api_fault(r, STR("/password"), "missing", "is required");
	if (f[F_STATE].is_set)
		api_fault(r, STR("/state"), "unknown_field", "no such field here");
	if (!is_admin_name(f[F_NAME].s))
		api_fault(r, STR("/name"), "not_a_name",
		          "letters a-z, digits and . _ @ + -");
	if (r->errors_count) {
		api_problem(r, PROBLEM_INVALID, NULL);
		return;
	}
	if (!again_has_deeds(r) &&
	    reader_admin(r->api->reader, f[F_NAME].s, r->arena, &a) == OK) {
		api_problem(r, PROBLEM_EXISTS, NULL);
		return;
	}
	if (r->dry_run) {
		api_reply_dry_run(r, "admin.create", f[F_NAME].s);
		return;
	}
	op.name = c->password.name = arena_str(r->arena, f[F_NAME].s);
	op.password = f[F_PASSWORD].s;
	if (f[F_ROLE].is_set)
		op.role = f[F_ROLE].s;
	c->status = 201;
	r->state = c;
	r->next = show;
	r->call = store_admin_create(r->api->store, &op, api_done_id, r);
}

/* There must always be somebody who may do everything. */
struct owners {
	struct str but;
	size_t count;
};

static bool
count_owner(void *arg, const struct admin *a)
{
	struct owners *o = arg;

	o->count +=
		a->enabled && str_eq(a->role, STR("owner")) && !str_eq(a->name, o->but);
	return true;
}

static bool
is_last_owner(struct api_request *r, const struct admin *a)
{
	struct owners o = { .but = a->name };

	if (!a->enabled || !str_eq(a->role, STR("owner")))
		return false;
	return reader_admins(r->api->reader, false, count_owner, &o) != OK || !o.count;
}

void
admins_update(struct api_request *r)
{
	struct op_admin_update op = { .actor = api_actor(r) };
	struct change *c = ARENA_NEW(r->arena, struct change);
	struct field f[F_COUNT];
	struct admin a;
	enum err e;

	if (!fields_read(r, specs, F_NAME, f))
		return;
	e = reader_admin(r->api->reader, r->params[0], r->arena, &a);
	if (e != OK) {
		api_problem_err(r, e);
		return;
	}
	op.name = a.name;
	op.enabled = f[F_STATE].is_set ? f[F_STATE].i == 0 : a.enabled;
	op.role = f[F_ROLE].is_set ? f[F_ROLE].s : a.role;
	if ((!op.enabled || !str_eq(op.role, STR("owner"))) && is_last_owner(r, &a)) {
		api_problem(r, PROBLEM_CONFLICT, "this is the last active owner");
		return;
	}
	if (!api_if_match(r, a.version, false, &op.if_version))
		return;
	if (r->dry_run) {
		api_reply_dry_run(r, "admin.update", a.name);
		return;
	}
	c->status = 200;
	c->password = (struct op_admin_password){ .actor = op.actor,
		                                  .name = a.name,
		                                  .password = f[F_PASSWORD].s };
	r->state = c;
	r->next = set_password;
	if (f[F_STATE].is_set || f[F_ROLE].is_set)
		r->call = store_admin_update(r->api->store, &op, api_done_id, r);
	else
		set_password(r);
}

void
admins_delete(struct api_request *r)
{
	struct op_admin_remove op = { .actor = api_actor(r), .name = r->params[0] };
	struct admin a;

	if (!api_is_there(r, reader_admin(r->api->reader, op.name, r->arena, &a)))
		return;
	if (is_last_owner(r, &a))
		api_problem(r, PROBLEM_CONFLICT, "this is the last active owner");
	else if (r->dry_run)
		api_reply_dry_run(r, "admin.remove", op.name);
	else {
		r->next = api_reply_done;
		r->call = store_admin_remove(r->api->store, &op, api_done_remove, r);
	}
}
