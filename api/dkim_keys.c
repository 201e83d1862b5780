/* /domains/{domain}/dkim-keys: the keys that sign, and the steps of their life. */
#include "api/fields.h"
#include "api/names.h"
#include "api/routes.h"
#include "base/clock.h"
#include "base/duration.h"
#include "policy/records.h"

enum {
	KEYS_MAX = 100,
	ROTATE_DAYS = 180,
};

/* --- showing ------------------------------------------------------------------------ */

static void
write_record(struct json_out *j, const struct dkim_key *k)
{
	bool is_gone = k->state == DKIM_KEY_REVOKED;
	char bytes[4096], text[2048];
	struct strbuf value = strbuf_on(text), b = strbuf_on(bytes);

	strbuf_printf(&value, "v=DKIM1; k=%s; p=%.*s",
	              dkim_algorithm_name((enum dkim_algorithm)k->algorithm),
	              is_gone ? 0 : (int)k->public_key.n, k->public_key.p);
	json_open_object(j, "record");
	json_cstr(j, "type", "TXT");
	strbuf_printf(&b, "%.*s._domainkey.%.*s.", STR_ARG(k->selector),
	              STR_ARG(k->domain));
	json_str(j, "name", strbuf_str(&b));
	strbuf_clear(&b);
	strbuf_printf(&b, "%.*s._domainkey", STR_ARG(k->selector));
	json_str(j, "relative", strbuf_str(&b));
	json_str(j, "value", strbuf_str(&value));
	strbuf_clear(&b);
	records_value_format(DNS_TXT, -1, strbuf_str(&value), &b);
	json_str(j, "master", strbuf_str(&b));
	json_close_object(j);
}

/* What a person may do with it now. */
static void
write_actions(struct json_out *j, const struct dkim_key *k)
{
	bool is_served = k->servers_total && k->servers_ok == k->servers_total;

	json_open_array(j, "actions");
	if (k->state == DKIM_KEY_GENERATED)
		json_cstr(j, NULL, "publish");
	if (k->state == DKIM_KEY_VERIFIED || (k->state == DKIM_KEY_RETIRING && is_served))
		json_cstr(j, NULL, "active");
	if (k->state == DKIM_KEY_ACTIVE)
		json_cstr(j, NULL, "retiring");
	if (k->state == DKIM_KEY_RETIRING && clock_unix_ms() >= k->keep_until_ms)
		json_cstr(j, NULL, "revoked");
	if (k->state == DKIM_KEY_REVOKED || !k->activated_ms)
		json_cstr(j, NULL, "delete");
	json_close_array(j);
}

static struct str
write_key(struct api_request *r, struct json_out *j, const struct dkim_key *k)
{
	int64_t days = k->activated_ms && k->state == DKIM_KEY_ACTIVE
	                       ? (clock_unix_ms() - k->activated_ms) / DAY_MS
	                       : 0;
	size_t from = j->out->n;

	json_open_object(j, NULL);
	json_str(j, "id", names_id(r, "dkim", k->id));
	json_str(j, "domain", k->domain);
	json_str(j, "selector", k->selector);
	json_cstr(j, "algorithm", dkim_algorithm_name((enum dkim_algorithm)k->algorithm));
	json_cstr(j, "state", dkim_key_state_name((enum dkim_key_state)k->state));
	json_bool(j, "auto_activate", k->auto_activate);
	json_time(j, "created_at", k->created_ms);
	json_time(j, "since", k->changed_ms);
	json_time(j, "verified_at", k->verified_ms);
	json_time(j, "activated_at", k->activated_ms);
	json_time(j, "keep_until", k->keep_until_ms);
	json_time(j, "checked_at", k->checked_ms);
	json_i64(j, "servers_ok", k->servers_ok);
	json_i64(j, "servers_total", k->servers_total);
	json_i64(j, "active_days", days);
	json_bool(j, "rotation_due", days >= ROTATE_DAYS);
	write_actions(j, k);
	write_record(j, k);
	return api_close_with_etag(r, j, from, k->version);
}

/* --- finding ------------------------------------------------------------------------ */

struct search {
	struct str selector;
	uint64_t id; /* wanted, then found */
	bool is_found;
};

static bool
match(void *arg, const struct dkim_key *k)
{
	struct search *s = arg;

	s->is_found = s->id ? k->id == s->id : str_eq(k->selector, s->selector);
	if (s->is_found)
		s->id = k->id;
	return !s->is_found;
}

/* By id or selector. */
static enum err
read_key(struct api_request *r, const struct domain *d, struct dkim_key *k)
{
	struct search s = { .selector = r->params[1],
		            .id = names_parse_id(r->params[1], "dkim") };
	enum err e = reader_dkim_keys(r->api->reader, d->id, DKIM_KEY_ANY, match, &s);

	if (e == OK && !s.is_found)
		e = ERR_NOT_FOUND;
	return e == OK ? reader_dkim_key(r->api->reader, s.id, r->arena, k) : e;
}

static bool
find_key(struct api_request *r, struct dkim_key *k)
{
	struct domain d;
	enum err e;

	if (!names_find_domain(r, r->params[0], &d))
		return false;
	e = read_key(r, &d, k);
	if (e != OK)
		api_problem_err(r, e);
	return e == OK;
}

static void
reply_key(struct api_request *r, int status, uint64_t id)
{
	struct strbuf b = api_buffer(r);
	struct json_out j = json_out_on(&b);
	struct dkim_key k;
	enum err e = reader_dkim_key(r->api->reader, id, r->arena, &k);

	if (e != OK) {
		api_problem_err(r, e);
		return;
	}
	api_header(r, "ETag", write_key(r, &j, &k));
	api_reply_json(r, status, strbuf_str(&b));
}

/* --- the list ----------------------------------------------------------------------- */

struct listing {
	struct api_request *r;
	struct json_out j;
};

static bool
list_one(void *arg, const struct dkim_key *k)
{
	struct listing *l = arg;

	(void)write_key(l->r, &l->j, k);
	return true;
}

void
dkim_keys_list(struct api_request *r)
{
	struct strbuf b = api_buffer(r);
	struct listing l = { r, json_out_on(&b) };
	struct domain d;
	enum err e;

	if (!names_find_domain(r, r->params[0], &d))
		return;
	json_open_object(&l.j, NULL);
	json_open_array(&l.j, "items");
	e = reader_dkim_keys(r->api->reader, d.id, DKIM_KEY_ANY, list_one, &l);
	json_close_array(&l.j);
	json_close_object(&l.j);
	if (e == OK)
		api_reply_json(r, 200, strbuf_str(&b));
	else
		api_problem_err(r, e);
}

/* --- making ------------------------------------------------------------------------- */

/* One key, or a pair one after the other. */
struct making {
	struct op_dkim_key_create op;
	bool wants_pair;
	uint64_t id;
};

static void
made(struct api_request *r)
{
	struct making *m = r->state;
	struct strbuf b = api_buffer(r);
	struct listing l = { r, json_out_on(&b) };
	struct domain d;

	if (!m->wants_pair) {
		reply_key(r, 201, m->id);
		return;
	}
	if (!names_find_domain(r, r->params[0], &d))
		return;
	json_open_object(&l.j, NULL);
	json_open_array(&l.j, "items");
	if (reader_dkim_keys(r->api->reader, d.id, DKIM_KEY_ANY, list_one, &l) != OK) {
		api_problem(r, PROBLEM_NOT_READY, NULL);
		return;
	}
	json_close_array(&l.j);
	json_close_object(&l.j);
	api_reply_json(r, 202, strbuf_str(&b));
}

static void
create_done(void *arg, enum err e, const struct answer_id *answer)
{
	struct api_request *r = arg;
	struct making *m = r->state;

	m->id = answer ? answer->id : 0;
	api_continue(r, e);
}

static void
make_other(struct api_request *r)
{
	struct making *m = r->state;

	m->op.algorithm = DKIM_ED25519;
	r->next = made;
	r->call = store_dkim_key_create(r->api->store, &m->op, create_done, r);
}

static void
make(struct api_request *r, struct making *m)
{
	if (r->dry_run) {
		api_reply_dry_run(r, "dkim.create", m->op.domain);
		return;
	}
	r->state = m;
	r->next = m->wants_pair ? make_other : made;
	r->call = store_dkim_key_create(r->api->store, &m->op, create_done, r);
}

void
dkim_keys_create(struct api_request *r)
{
	static const struct field_spec specs[] = {
		{ .name = "algorithm",
		  .kind = FIELD_WORD,
		  .flags = FIELD_MUST,
		  .words = "rsa ed25519" },
		{ .name = "selector", .kind = FIELD_STR, .min = 1, .max = 63 },
		{ .name = "publish", .kind = FIELD_BOOL },
		{ .name = "auto_activate", .kind = FIELD_BOOL },
	};
	struct making *m = ARENA_NEW(r->arena, struct making);
	struct field f[ARRAY_LEN(specs)];
	struct domain d;

	if (!fields_read(r, specs, ARRAY_LEN(specs), f) ||
	    !names_find_domain(r, r->params[0], &d))
		return;
	m->op = (struct op_dkim_key_create){
		.actor = api_actor(r),
		.domain = d.name,
		.selector = f[1].s,
		.algorithm = f[0].i == 0 ? DKIM_RSA : DKIM_ED25519,
		.is_published = !f[2].is_set || f[2].b,
		.auto_activate = !f[3].is_set || f[3].b,
	};
	make(r, m);
}

void
dkim_keys_rotate(struct api_request *r)
{
	static const struct field_spec specs[] = {
		{ .name = "auto_activate", .kind = FIELD_BOOL },
	};
	struct making *m = ARENA_NEW(r->arena, struct making);
	struct field f[ARRAY_LEN(specs)];
	struct domain d;

	if (!fields_read(r, specs, ARRAY_LEN(specs), f) ||
	    !names_find_domain(r, r->params[0], &d))
		return;
	m->wants_pair = true;
	m->op = (struct op_dkim_key_create){
		.actor = api_actor(r),
		.domain = d.name,
		.algorithm = DKIM_RSA,
		.is_published = true,
		.auto_activate = !f[0].is_set || f[0].b,
	};
	make(r, m);
}

/* --- changing ----------------------------------------------------------------------- */

static const char *const states[] = { "publish", "active", "retiring", "revoked" };
static const uint8_t state_numbers[] = { DKIM_KEY_PUBLISH, DKIM_KEY_ACTIVE,
	                                 DKIM_KEY_RETIRING, DKIM_KEY_REVOKED };

static void
changed(struct api_request *r)
{
	reply_key(r, 200, *(uint64_t *)r->state);
}

static void
state_done(void *arg, enum err e, const struct answer_id *answer)
{
	struct api_request *r = arg;

	(void)answer;
	if (e == ERR_CONFLICT) {
		struct dkim_key k;

		r->call = 0;
		if (reader_dkim_key(r->api->reader, *(uint64_t *)r->state, r->arena,
		                    &k) == OK &&
		    k.state <= DKIM_KEY_PUBLISH) {
			api_problem(r, PROBLEM_DKIM_NOT_VERIFIED,
			            "%u of %u name servers have it", k.servers_ok,
			            k.servers_total);
			return;
		}
	}
	api_continue(r, e);
}

void
dkim_keys_update(struct api_request *r)
{
	static const struct field_spec specs[] = {
		{ .name = "state",
		  .kind = FIELD_WORD,
		  .flags = FIELD_MUST,
		  .words = "publish active retiring revoked" },
		{ .name = "emergency", .kind = FIELD_BOOL },
	};
	struct op_dkim_key_state op = { .actor = api_actor(r) };
	uint64_t *id = ARENA_NEW(r->arena, uint64_t);
	struct field f[ARRAY_LEN(specs)];
	struct dkim_key k;

	if (!fields_read(r, specs, ARRAY_LEN(specs), f) || !find_key(r, &k) ||
	    !api_if_match(r, k.version, false, &op.if_version))
		return;
	op.id = *id = k.id;
	op.state = state_numbers[f[0].i];
	op.is_emergency = f[1].is_set && f[1].b;
	if (r->dry_run) {
		api_reply_dry_run(r, states[f[0].i], k.selector);
		return;
	}
	r->state = id;
	r->next = changed;
	r->call = store_dkim_key_state(r->api->store, &op, state_done, r);
}

void
dkim_keys_delete(struct api_request *r)
{
	struct op_dkim_key_remove op = { .actor = api_actor(r) };
	struct domain d;
	struct dkim_key k = { 0 };

	if (!names_find_domain(r, r->params[0], &d) ||
	    !api_is_there(r, read_key(r, &d, &k)) ||
	    !api_if_match(r, k.version, false, &op.if_version))
		return;
	op.id = k.id;
	if (r->dry_run) {
		api_reply_dry_run(r, "dkim.remove", k.selector);
		return;
	}
	r->next = api_reply_done;
	r->call = store_dkim_key_remove(r->api->store, &op, api_done, r);
}
