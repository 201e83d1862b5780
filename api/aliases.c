/* /aliases and /resolve: addresses that stand for others, and where an address leads. */
#include "api/again.h"
#include "api/fields.h"
#include "api/names.h"
#include "api/page.h"
#include "api/routes.h"
#include "mail/address.h"

enum {
	F_TARGETS,
	F_STATE,
	F_ADDRESS,
	F_COUNT,
	TARGETS_MAX = 500,
	TREE_DEPTH_MAX = RESOLVE_DEPTH,
	TREE_NODES_MAX = 2000,
};

/* A change takes all but the last. */
static const struct field_spec specs[F_COUNT] = {
	[F_TARGETS] = { .name = "targets",
	                .kind = FIELD_LIST,
	                .min = 1,
	                .max = TARGETS_MAX },
	[F_STATE] = { .name = "state", .kind = FIELD_WORD, .words = "active disabled" },
	[F_ADDRESS] = { .name = "address",
	                .kind = FIELD_STR,
	                .flags = FIELD_MUST,
	                .min = 3,
	                .max = 255 },
};

static struct str
write_alias(struct api_request *r, struct json_out *j, const struct alias *a)
{
	size_t from = j->out->n;

	json_open_object(j, NULL);
	json_str(j, "id", names_id(r, "als", a->id));
	json_str(j, "address", names_show_alias(r, a->address));
	json_str(j, "domain", api_domain_of(a->address));
	json_cstr(j, "kind", str_starts(a->address, STR("@")) ? "catch_all" : "alias");
	names_write_words(j, "targets", a->targets, false);
	json_cstr(j, "state", a->enabled ? "active" : "disabled");
	json_time(j, "created_at", a->created_ms);
	return api_close_with_etag(r, j, from, a->version);
}

static void
reply_alias(struct api_request *r, int status, struct str address)
{
	struct strbuf b = api_buffer(r);
	struct json_out j = json_out_on(&b);
	struct alias a;
	struct str etag;
	enum err e = reader_alias(r->api->reader, address, r->arena, &a);

	if (e != OK) {
		api_problem_err(r, e);
		return;
	}
	etag = write_alias(r, &j, &a);
	api_reply_item(r, status, &b, etag, "aliases", names_show_alias(r, address));
}

/* --- the list --------------------------------------------------------------------- */

static bool
list_one(void *arg, const struct alias *a)
{
	struct names_list *l = arg;

	if (!names_list_has(l, a->address, a->targets))
		return true;
	if (!page_take(&l->page, a->address))
		return false;
	(void)write_alias(l->page.r, &l->page.j, a);
	return true;
}

void
aliases_list(struct api_request *r)
{
	struct names_list l;

	if (!names_list_begin(&l, r, "aliases"))
		return;
	page_end(&l.page, reader_aliases(r->api->reader, l.domain_id, page_names(&l.page),
	                                 NAMES_SCAN_MAX, list_one, &l));
}

void
aliases_get(struct api_request *r)
{
	struct str address;

	if (names_alias(r, r->params[0], &address))
		reply_alias(r, 200, address);
}

/* --- changes ---------------------------------------------------------------------- */

struct change {
	struct str address;
	int status;
};

static void
changed(struct api_request *r)
{
	struct change *c = r->state;

	reply_alias(r, c->status, c->address);
}

static bool
take_targets(struct api_request *r, const struct field *f, struct op_alias_put *op)
{
	op->targets = ARENA_ARRAY(r->arena, struct str, f->n);
	op->targets_count = f->n;
	for (size_t i = 0; i < f->n; i++) {
		struct str at = arena_printf(r->arena, "/targets/%zu", i);

		if (!names_check_target(r, at, f->list[i], &op->targets[i]))
			return false;
	}
	return true;
}

/* PATCH without targets keeps those there are. */
static void
keep_targets(struct api_request *r, struct str targets, struct op_alias_put *op)
{
	struct str rest = targets, word;
	size_t n = 1;

	for (size_t i = 0; i < targets.n; i++)
		n += targets.p[i] == ' ';
	op->targets = ARENA_ARRAY(r->arena, struct str, n);
	while (op->targets_count < n && str_next(&rest, ' ', &word))
		op->targets[op->targets_count++] = word;
}

static void
put(struct api_request *r, const struct op_alias_put *op, int status)
{
	struct change *c = ARENA_NEW(r->arena, struct change);
	struct account account;

	if (!names_has_domain(r, op->address))
		return;
	if (reader_account(r->api->reader, op->address, r->arena, &account) == OK) {
		names_exists(r, "acc", account.id);
		return;
	}
	if (r->dry_run) {
		api_reply_dry_run(r, status == 201 ? "alias.create" : "alias.update",
		                  names_show_alias(r, op->address));
		return;
	}
	c->address = op->address;
	c->status = status;
	r->state = c;
	r->next = changed;
	r->call = store_alias_put(r->api->store, op, api_done_id, r);
}

void
aliases_create(struct api_request *r)
{
	struct op_alias_put op = { .actor = api_actor(r), .if_absent = true };
	struct field f[F_COUNT];
	struct alias a;

	if (!fields_read(r, specs, F_COUNT, f) ||
	    !names_check_alias(r, STR("/address"), f[F_ADDRESS].s, &op.address))
		return;
	if (!api_may_domain(r, api_domain_of(op.address))) {
		api_problem(r, PROBLEM_FORBIDDEN_SCOPE,
		            "this token is limited to some domains");
		return;
	}
	if (!f[F_TARGETS].is_set) {
		api_fault(r, STR("/targets"), "missing", "is required");
		api_problem(r, PROBLEM_INVALID, NULL);
		return;
	}
	if (!take_targets(r, &f[F_TARGETS], &op))
		return;
	if (!again_has_deeds(r) &&
	    reader_alias(r->api->reader, op.address, r->arena, &a) == OK) {
		names_exists(r, "als", a.id);
		return;
	}
	op.enabled = f[F_STATE].i == 0;
	put(r, &op, 201);
}

static void
change(struct api_request *r, bool is_put)
{
	struct op_alias_put op = { .actor = api_actor(r) };
	struct field f[F_COUNT];
	struct alias a = { 0 };
	enum err e;

	if (!fields_read(r, specs, F_ADDRESS, f) ||
	    !names_alias(r, r->params[0], &op.address))
		return;
	e = reader_alias(r->api->reader, op.address, r->arena, &a);
	if (e != OK && !(e == ERR_NOT_FOUND && is_put)) {
		api_problem_err(r, e);
		return;
	}
	if (!api_if_match(r, a.version, false, &op.if_version))
		return;
	if (!f[F_TARGETS].is_set && is_put) {
		api_fault(r, STR("/targets"), "missing", "is required");
		api_problem(r, PROBLEM_INVALID, NULL);
		return;
	}
	if (!f[F_TARGETS].is_set)
		keep_targets(r, a.targets, &op);
	else if (!take_targets(r, &f[F_TARGETS], &op))
		return;
	op.if_absent = e != OK;
	op.enabled = f[F_STATE].is_set ? f[F_STATE].i == 0 : is_put || a.enabled;
	put(r, &op, e == OK ? 200 : 201);
}

void
aliases_put(struct api_request *r)
{
	change(r, true);
}

void
aliases_update(struct api_request *r)
{
	change(r, false);
}

void
aliases_delete(struct api_request *r)
{
	struct op_alias_remove op = { .actor = api_actor(r) };
	struct alias a;

	if (!names_alias(r, r->params[0], &op.address) ||
	    !api_is_there(r, reader_alias(r->api->reader, op.address, r->arena, &a)) ||
	    !api_if_match(r, a.version, false, &op.if_version))
		return;
	if (r->dry_run) {
		api_reply_dry_run(r, "alias.remove", names_show_alias(r, op.address));
		return;
	}
	r->next = api_reply_done;
	r->call = store_alias_remove(r->api->store, &op, api_done_remove, r);
}

/* --- the way of an address -------------------------------------------------------- */

struct tree {
	struct api_request *r;
	struct json_out j;
	size_t nodes;
	struct str path[TREE_DEPTH_MAX + 1]; /* aliases above, to see circles */
};

/* "ann+shop@d" without its detail; the same address where it has none. */
static struct str
without_detail(struct api_request *r, struct str address)
{
	size_t at = str_find_last(address, '@');
	struct str local, detail = { NULL, 0 };

	if (at == SIZE_MAX)
		return address;
	local = address_without_detail(str_first(address, at), &detail);
	if (local.n == at)
		return address;
	return arena_printf(r->arena, "%.*s%.*s", STR_ARG(local),
	                    STR_ARG(str_from_offset(address, at)));
}

static bool
is_above(const struct tree *t, size_t depth, struct str address)
{
	for (size_t i = 0; i < depth; i++) {
		if (str_eq(t->path[i], address))
			return true;
	}
	return false;
}

/* What an address is, by itself: a word for `kind`, and its targets if it has some. */
static const char *
kind_of(struct tree *t, struct str address, struct str *targets_out)
{
	struct api_request *r = t->r;
	struct str plain = without_detail(r, address);
	struct account account;
	struct alias alias;

	*targets_out = (struct str){ NULL, 0 };
	if (reader_account(r->api->reader, address, r->arena, &account) == OK)
		return "account";
	if (reader_alias(r->api->reader, address, r->arena, &alias) == OK &&
	    alias.enabled) {
		*targets_out = alias.targets;
		return "alias";
	}
	if (reader_is_local_domain(r->api->reader, api_domain_of(address)) != OK)
		return "external";
	if (plain.n != address.n &&
	    (reader_account(r->api->reader, plain, r->arena, &account) == OK ||
	     reader_alias(r->api->reader, plain, r->arena, &alias) == OK)) {
		*targets_out = plain;
		return "detail";
	}
	if (reader_is_for_reports(address))
		return "reports";
	if (reader_alias(r->api->reader,
	                 arena_printf(r->arena, "@%.*s", STR_ARG(api_domain_of(address))),
	                 r->arena, &alias) == OK &&
	    alias.enabled) {
		*targets_out = alias.targets;
		return "catch_all";
	}
	return "unknown";
}

static void
write_node(struct tree *t, const char *key, struct str address, size_t depth)
{
	struct str targets = { NULL, 0 }, word;
	const char *kind = "loop";

	t->nodes++;
	if (depth < TREE_DEPTH_MAX && !is_above(t, depth, address))
		kind = kind_of(t, address, &targets);
	t->path[depth] = address;
	json_open_object(&t->j, key);
	json_str(&t->j, "address", address);
	json_cstr(&t->j, "kind", kind);
	json_open_array(&t->j, "children");
	while (t->nodes < TREE_NODES_MAX && str_next(&targets, ' ', &word))
		write_node(t, NULL, word, depth + 1);
	json_close_array(&t->j);
	json_close_object(&t->j);
}

static void
write_recipients(struct json_out *j, const struct resolution *found)
{
	json_open_array(j, "recipients");
	for (size_t i = 0; i < found->count; i++) {
		json_open_object(j, NULL);
		json_str(j, "address", found->targets[i].rcpt);
		json_cstr(j, "kind",
		          found->targets[i].kind == RCPT_LOCAL ? "account"
		          : str_eq(found->targets[i].domain, STR(REPORTS_DOMAIN))
		                  ? "reports"
		                  : "external");
		json_close_object(j);
	}
	json_close_array(j);
}

void
resolve_get(struct api_request *r)
{
	static const struct field_spec spec = { .name = "address",
		                                .kind = FIELD_STR,
		                                .flags = FIELD_MUST,
		                                .min = 3,
		                                .max = 320 };
	struct strbuf b = api_buffer(r);
	struct tree t = { .r = r, .j = json_out_on(&b) };
	struct resolution found = { 0 };
	struct field f;
	struct str address;
	enum err e;

	if (!fields_query(r, &spec, 1, &f) ||
	    !names_check_target(r, STR("?address"), f.s, &address))
		return;
	if (!api_may_domain(r, api_domain_of(address))) {
		api_problem(r, PROBLEM_NOT_FOUND, NULL);
		return;
	}
	e = reader_resolve(r->api->reader, address, 0, r->arena, &found);
	if (e != OK)
		found.count = 0;
	json_open_object(&t.j, NULL);
	json_str(&t.j, "address", address);
	json_cstr(&t.j, "verdict",
	          e == OK               ? "accepted"
	          : err_is_temporary(e) ? "deferred"
	                                : "refused");
	if (e == OK)
		json_out_null(&t.j, "reason");
	else
		json_cstr(&t.j, "reason",
		          e == ERR_NO_SUCH_USER ? "no_such_user" : err_get(e)->word);
	write_node(&t, "tree", address, 0);
	write_recipients(&t.j, &found);
	json_close_object(&t.j);
	api_reply_json(r, 200, strbuf_str(&b));
}
