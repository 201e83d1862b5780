/* /domains: the domains this server takes mail for. */
#include "api/again.h"
#include "api/fields.h"
#include "api/names.h"
#include "api/page.h"
#include "api/routes.h"
#include "ext/idn.h"

enum {
	F_NAME,
	F_STATE,
	F_INCOMING,
	F_COUNT,
};

static const struct field_spec specs[F_COUNT] = {
	[F_NAME] = { .name = "name",
	             .kind = FIELD_STR,
	             .flags = FIELD_MUST,
	             .min = 1,
	             .max = 254 },
	[F_STATE] = { .name = "state", .kind = FIELD_WORD, .words = "active disabled" },
	/* In the order of enum domain_incoming. */
	[F_INCOMING] = { .name = "incoming",
	                 .kind = FIELD_WORD,
	                 .words = "honour junk mark" },
};

static struct str
write_domain(struct api_request *r, struct json_out *j, const struct domain *d)
{
	struct strbuf unicode = strbuf_arena(r->arena, 1024);
	size_t from = j->out->n;
	struct alias catch_all;
	struct str targets = { NULL, 0 };
	struct str address = arena_printf(r->arena, "@%.*s", STR_ARG(d->name));

	if (reader_alias(r->api->reader, address, r->arena, &catch_all) == OK)
		targets = catch_all.targets;
	idn_to_unicode(d->name, &unicode);
	json_open_object(j, NULL);
	json_str(j, "id", names_id(r, "dom", d->id));
	json_str(j, "name", d->name);
	json_str(j, "name_unicode", strbuf_str(&unicode));
	json_cstr(j, "state", d->enabled ? "active" : "disabled");
	json_cstr(j, "incoming", domain_incoming_name((enum domain_incoming)d->incoming));
	json_i64(j, "accounts", (int64_t)d->account_count);
	json_i64(j, "aliases", (int64_t)d->alias_count);
	names_write_words(j, "catch_all", targets, true);
	json_time(j, "created_at", d->created_ms);
	return api_close_with_etag(r, j, from, d->version);
}

static void
reply_domain(struct api_request *r, int status, struct str name)
{
	struct strbuf b = api_buffer(r);
	struct json_out j = json_out_on(&b);
	struct domain d;
	struct str etag;
	enum err e = reader_domain(r->api->reader, name, r->arena, &d);

	if (e != OK) {
		api_problem_err(r, e);
		return;
	}
	etag = write_domain(r, &j, &d);
	api_reply_item(r, status, &b, etag, "domains", name);
}

/* --- the list --------------------------------------------------------------------- */

struct listing {
	struct page page;
	struct str search;
	/* Domains of the page, copied: their catch-all is read after the list. */
	struct domain *rows;
};

static bool
list_one(void *arg, const struct domain *d)
{
	struct listing *l = arg;
	struct api_request *r = l->page.r;

	if (!api_may_domain(r, d->name) || str_find_icase(d->name, l->search) == SIZE_MAX)
		return true;
	if (!page_take(&l->page, d->name))
		return false;
	l->rows[l->page.taken - 1] = *d;
	l->rows[l->page.taken - 1].name = l->page.last;
	return true;
}

void
domains_list(struct api_request *r)
{
	static const struct field_spec search = { .name = "search",
		                                  .kind = FIELD_STR,
		                                  .max = 254 };
	struct listing l;
	struct field f;
	enum err e;

	if (!fields_query(r, &search, 1, &f) ||
	    !page_begin_both(&l.page, r, "domains", f.s, "name", false))
		return;
	l.search = f.s;
	l.rows = ARENA_ARRAY(r->arena, struct domain, l.page.limit);
	e = reader_domains(r->api->reader, page_names(&l.page), NAMES_SCAN_MAX, list_one,
	                   &l);
	for (size_t i = 0; i < l.page.taken; i++) {
		page_item(&l.page, i);
		(void)write_domain(r, &l.page.j, &l.rows[i]);
	}
	page_end(&l.page, e);
}

/* --- one -------------------------------------------------------------------------- */

void
domains_get(struct api_request *r)
{
	struct str name;

	if (names_domain(r, r->params[0], &name))
		reply_domain(r, 200, name);
}

struct change {
	struct str name;
	int status;
};

static void
changed(struct api_request *r)
{
	struct change *c = r->state;

	reply_domain(r, c->status, c->name);
}

static void
put(struct api_request *r, const struct op_domain_put *op, int status)
{
	struct change *c = ARENA_NEW(r->arena, struct change);

	if (r->dry_run) {
		api_reply_dry_run(r, status == 201 ? "domain.create" : "domain.update",
		                  op->name);
		return;
	}
	c->name = op->name;
	c->status = status;
	r->state = c;
	r->next = changed;
	r->call = store_domain_put(r->api->store, op, api_done_id, r);
}

void
domains_create(struct api_request *r)
{
	struct op_domain_put op = { .actor = api_actor(r), .if_absent = true };
	struct field f[F_COUNT];
	struct domain d;

	if (!fields_read(r, specs, F_COUNT, f))
		return;
	if (!names_check_domain(r, STR("/name"), f[F_NAME].s, &op.name))
		return;
	if (!api_may_domain(r, op.name)) {
		api_problem(r, PROBLEM_FORBIDDEN_SCOPE,
		            "this token is limited to some domains");
		return;
	}
	if (!again_has_deeds(r) &&
	    reader_domain(r->api->reader, op.name, r->arena, &d) == OK) {
		names_exists(r, "dom", d.id);
		return;
	}
	op.enabled = f[F_STATE].i == 0;
	op.incoming = (uint32_t)f[F_INCOMING].i;
	put(r, &op, 201);
}

/* PUT and PATCH: what is not named PATCH keeps, and PUT sets to what a new domain has. */
static void
change(struct api_request *r, bool is_put)
{
	struct op_domain_put op = { .actor = api_actor(r) };
	struct field f[F_COUNT - F_STATE];
	const struct field *state = &f[0], *incoming = &f[F_INCOMING - F_STATE];
	struct domain d = { 0 };
	enum err e;

	if (!fields_read(r, &specs[F_STATE], ARRAY_LEN(f), f) ||
	    !names_domain(r, r->params[0], &op.name))
		return;
	e = reader_domain(r->api->reader, op.name, r->arena, &d);
	if (e != OK && !(e == ERR_NOT_FOUND && is_put)) {
		api_problem_err(r, e);
		return;
	}
	if (!api_if_match(r, d.version, e == OK, &op.if_version))
		return;
	op.if_absent = e != OK;
	op.enabled = state->is_set ? state->i == 0 : is_put || d.enabled;
	op.incoming = incoming->is_set ? (uint32_t)incoming->i : is_put ? 0 : d.incoming;
	put(r, &op, e == OK ? 200 : 201);
}

void
domains_put(struct api_request *r)
{
	change(r, true);
}

void
domains_update(struct api_request *r)
{
	change(r, false);
}

void
domains_delete(struct api_request *r)
{
	static const struct field_spec cascade = { .name = "cascade",
		                                   .kind = FIELD_BOOL };
	struct op_domain_remove op = { .actor = api_actor(r) };
	struct field f;
	struct domain d;

	if (!fields_query(r, &cascade, 1, &f) ||
	    !names_domain(r, r->params[0], &op.name) ||
	    !api_is_there(r, reader_domain(r->api->reader, op.name, r->arena, &d)) ||
	    !api_if_match(r, d.version, f.b, &op.if_version))
		return;
	if (!f.b && (d.account_count || d.alias_count)) {
		api_problem(r, PROBLEM_CONFLICT,
		            "it has %llu accounts and %llu aliases; cascade=true removes "
		            "them",
		            (unsigned long long)d.account_count,
		            (unsigned long long)d.alias_count);
		return;
	}
	op.with_accounts = f.b;
	if (r->dry_run) {
		api_reply_dry_run(r, "domain.remove", op.name);
		return;
	}
	r->next = api_reply_done;
	r->call = store_domain_remove(r->api->store, &op, api_done_remove, r);
}
