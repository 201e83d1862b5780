/* /accounts: people (and programs) with a mailbox and a login. */
#include "api/again.h"
#include "api/fields.h"
#include "api/names.h"
#include "api/page.h"
#include "api/routes.h"
#include "ext/password.h"

enum {
	F_NAME,
	F_QUOTA,
	F_STATE,
	F_PASSWORD,
	F_ADDRESS,
	F_COUNT,
	PASSWORD_MIN = 8,
};

/* A change takes all but the last. */
static const struct field_spec specs[F_COUNT] = {
	[F_NAME] = { .name = "name", .kind = FIELD_STR, .max = 200 },
	[F_QUOTA] = { .name = "quota_bytes",
	              .kind = FIELD_I64,
	              .flags = FIELD_NULL,
	              .min = 1,
	              .max = INT64_MAX },
	[F_STATE] = { .name = "state", .kind = FIELD_WORD, .words = "active disabled" },
	[F_PASSWORD] = { .name = "password",
	                 .kind = FIELD_STR,
	                 .min = PASSWORD_MIN,
	                 .max = PASSWORD_MAX },
	[F_ADDRESS] = { .name = "address",
	                .kind = FIELD_STR,
	                .flags = FIELD_MUST,
	                .min = 3,
	                .max = 254 },
};

/* What one request changes, over the several operations that it takes. */
struct change {
	struct op_account_update update;
	struct op_account_password password;
	int status;
};

static struct str
write_account(struct api_request *r, struct json_out *j, const struct account *a)
{
	size_t from = j->out->n;

	json_open_object(j, NULL);
	json_str(j, "id", names_id(r, "acc", a->id));
	json_str(j, "address", a->address);
	json_str(j, "domain", api_domain_of(a->address));
	json_str(j, "name", a->display_name);
	json_cstr(j, "state", a->state == ACCOUNT_ACTIVE ? "active" : "disabled");
	if (a->quota_bytes)
		json_i64(j, "quota_bytes", (int64_t)a->quota_bytes);
	else
		json_out_null(j, "quota_bytes");
	json_i64(j, "used_bytes", (int64_t)a->used_bytes);
	json_i64(j, "messages", (int64_t)a->message_count);
	json_time(j, "created_at", a->created_ms);
	json_time(j, "last_login_at", a->last_login_ms);
	return api_close_with_etag(r, j, from, a->version);
}

static void
reply_account(struct api_request *r, int status, struct str address)
{
	struct strbuf b = api_buffer(r);
	struct json_out j = json_out_on(&b);
	struct account a;
	struct str etag;
	enum err e = reader_account(r->api->reader, address, r->arena, &a);

	if (e != OK) {
		api_problem_err(r, e);
		return;
	}
	etag = write_account(r, &j, &a);
	api_reply_item(r, status, &b, etag, "accounts", address);
}

/* --- the list --------------------------------------------------------------------- */

static bool
list_one(void *arg, const struct account *a)
{
	struct names_list *l = arg;

	if (!names_list_has(l, a->address, a->display_name))
		return true;
	if (!page_take(&l->page, a->address))
		return false;
	(void)write_account(l->page.r, &l->page.j, a);
	return true;
}

void
accounts_list(struct api_request *r)
{
	struct names_list l;

	if (!names_list_begin(&l, r, "accounts"))
		return;
	page_end(&l.page,
	         reader_accounts(r->api->reader, l.domain_id, page_names(&l.page),
	                         NAMES_SCAN_MAX, list_one, &l));
}

void
accounts_get(struct api_request *r)
{
	struct str address;

	if (names_account(r, r->params[0], &address))
		reply_account(r, 200, address);
}

/* --- changes: create or update, then the password, then what there is now --------- */

static void
show(struct api_request *r)
{
	struct change *c = r->state;

	reply_account(r, c->status, c->update.address);
}

static void
set_password(struct api_request *r)
{
	struct change *c = r->state;

	r->next = show;
	if (c->password.password.n)
		r->call =
			store_account_password(r->api->store, &c->password, api_done, r);
	else
		show(r);
}

static void
update(struct api_request *r)
{
	struct change *c = r->state;

	r->next = set_password;
	if (c->update.fields)
		r->call = store_account_update(r->api->store, &c->update, api_done_id, r);
	else
		set_password(r);
}

/* The fields of a body that an update is about; PUT is about all of them. */
static void
fill_update(struct op_account_update *op, const struct field *f, bool is_put)
{
	if (f[F_NAME].is_set || is_put)
		op->fields |= ACCOUNT_SET_DISPLAY_NAME;
	if (f[F_QUOTA].is_set || is_put)
		op->fields |= ACCOUNT_SET_QUOTA;
	if (f[F_STATE].is_set || is_put)
		op->fields |= ACCOUNT_SET_STATE;
	op->display_name = f[F_NAME].s;
	op->quota_bytes =
		f[F_QUOTA].is_set && !f[F_QUOTA].is_null ? (uint64_t)f[F_QUOTA].i : 0;
	op->state = f[F_STATE].i == 0 ? ACCOUNT_ACTIVE : ACCOUNT_DISABLED;
}

static struct change *
change_new(struct api_request *r, struct str address, int status)
{
	struct change *c = ARENA_NEW(r->arena, struct change);

	c->status = status;
	c->update.actor = c->password.actor = api_actor(r);
	c->update.address = c->password.address = address;
	r->state = c;
	return c;
}

static void
create(struct api_request *r, struct str address, const struct field *f)
{
	struct op_account_create op = { .actor = api_actor(r),
		                        .address = address,
		                        .password = f[F_PASSWORD].s,
		                        .display_name = f[F_NAME].s };
	struct change *c = change_new(r, address, 201);

	if (!f[F_PASSWORD].is_set) {
		api_fault(r, STR("/password"), "missing", "is required");
		api_problem(r, PROBLEM_INVALID, NULL);
		return;
	}
	if (!names_has_domain(r, address))
		return;
	if (r->dry_run) {
		api_reply_dry_run(r, "account.create", address);
		return;
	}
	if (f[F_QUOTA].is_set && !f[F_QUOTA].is_null)
		op.quota_bytes = (uint64_t)f[F_QUOTA].i;
	if (f[F_STATE].i) {
		c->update.fields = ACCOUNT_SET_STATE;
		c->update.state = ACCOUNT_DISABLED;
	}
	r->next = update;
	r->call = store_account_create(r->api->store, &op, api_done_id, r);
}

void
accounts_create(struct api_request *r)
{
	struct field f[F_COUNT];
	struct str address;
	struct account a;
	struct alias alias;
	bool is_again = again_has_deeds(r);

	if (!fields_read(r, specs, F_COUNT, f) ||
	    !names_check_login(r, STR("/address"), f[F_ADDRESS].s, &address))
		return;
	if (!api_may_domain(r, api_domain_of(address)))
		api_problem(r, PROBLEM_FORBIDDEN_SCOPE,
		            "this token is limited to some domains");
	else if (!is_again && reader_account(r->api->reader, address, r->arena, &a) == OK)
		names_exists(r, "acc", a.id);
	else if (!is_again &&
	         reader_alias(r->api->reader, address, r->arena, &alias) == OK)
		names_exists(r, "als", alias.id);
	else
		create(r, address, f);
}

static void
change(struct api_request *r, bool is_put)
{
	struct field f[F_COUNT];
	struct str address;
	struct account a = { 0 };
	struct change *c;
	enum err e;

	if (!fields_read(r, specs, F_ADDRESS, f) ||
	    !names_account(r, r->params[0], &address))
		return;
	e = reader_account(r->api->reader, address, r->arena, &a);
	if (e != OK && !(e == ERR_NOT_FOUND && is_put)) {
		api_problem_err(r, e);
		return;
	}
	c = change_new(r, address, 200);
	if (!api_if_match(r, a.version, false, &c->update.if_version))
		return;
	if (e != OK) {
		if (names_check_login(r, STR("/address"), address, &address))
			create(r, address, f);
		return;
	}
	fill_update(&c->update, f, is_put);
	c->password.password = f[F_PASSWORD].s;
	if (r->dry_run)
		api_reply_dry_run(r, "account.update", address);
	else
		update(r);
}

void
accounts_put(struct api_request *r)
{
	change(r, true);
}

void
accounts_update(struct api_request *r)
{
	change(r, false);
}

void
accounts_password(struct api_request *r)
{
	static const struct field_spec spec = { .name = "password",
		                                .kind = FIELD_STR,
		                                .flags = FIELD_MUST,
		                                .min = PASSWORD_MIN,
		                                .max = PASSWORD_MAX };
	struct op_account_password op = { .actor = api_actor(r) };
	struct field f;
	struct account a;
	enum err e;

	if (!fields_read(r, &spec, 1, &f) || !names_account(r, r->params[0], &op.address))
		return;
	e = reader_account(r->api->reader, op.address, r->arena, &a);
	if (e != OK) {
		api_problem_err(r, e);
		return;
	}
	if (r->dry_run) {
		api_reply_dry_run(r, "account.password", op.address);
		return;
	}
	op.password = f.s;
	r->next = api_reply_done;
	r->call = store_account_password(r->api->store, &op, api_done, r);
}

void
accounts_delete(struct api_request *r)
{
	struct op_account_remove op = { .actor = api_actor(r) };
	struct account a;

	if (!names_account(r, r->params[0], &op.address) ||
	    !api_is_there(r, reader_account(r->api->reader, op.address, r->arena, &a)) ||
	    !api_if_match(r, a.version, false, &op.if_version))
		return;
	if (r->dry_run) {
		api_reply_dry_run(r, "account.remove", op.address);
		return;
	}
	r->next = api_reply_done;
	r->call = store_account_remove(r->api->store, &op, api_done_remove, r);
}

/* --- usage ------------------------------------------------------------------------ */

static bool
write_mailbox(void *arg, const struct mailbox_info *m)
{
	struct json_out *j = arg;

	if (!m->id)
		return true; /* only a subscribed name */
	json_open_object(j, NULL);
	json_str(j, "name", m->name);
	json_i64(j, "messages", m->exists);
	json_i64(j, "unseen", m->unseen);
	json_i64(j, "bytes", (int64_t)m->size_bytes);
	json_close_object(j);
	return true;
}

void
accounts_usage(struct api_request *r)
{
	struct strbuf b = api_buffer(r);
	struct json_out j = json_out_on(&b);
	struct str address;
	struct account a;
	enum err e;

	if (!names_account(r, r->params[0], &address))
		return;
	e = reader_account(r->api->reader, address, r->arena, &a);
	if (e == OK) {
		json_open_object(&j, NULL);
		json_i64(&j, "used_bytes", (int64_t)a.used_bytes);
		if (a.quota_bytes)
			json_i64(&j, "quota_bytes", (int64_t)a.quota_bytes);
		else
			json_out_null(&j, "quota_bytes");
		json_i64(&j, "messages", (int64_t)a.message_count);
		json_open_array(&j, "mailboxes");
		e = reader_mailboxes(r->api->reader, a.id, write_mailbox, &j);
		json_close_array(&j);
		json_close_object(&j);
	}
	if (e == OK)
		api_reply_json(r, 200, strbuf_str(&b));
	else
		api_problem_err(r, e);
}
