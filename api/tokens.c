/* /tokens: keys for programs. A token is shown once, when it is made; we keep its hash. */
#include "api/auth.h"
#include "api/fields.h"
#include "api/names.h"
#include "api/page.h"
#include "api/routes.h"
#include "base/clock.h"
#include "base/duration.h"
#include "ext/crypto.h"

enum {
	F_NAME,
	F_SCOPES,
	F_DOMAINS,
	F_EXPIRES,
	F_COUNT,
	DOMAINS_MAX = 100,
};

static const int64_t expires_default_ms = 90 * DAY_MS;

static const struct field_spec specs[F_COUNT] = {
	[F_NAME] = { .name = "name",
	             .kind = FIELD_STR,
	             .flags = FIELD_MUST,
	             .min = 1,
	             .max = 100 },
	[F_SCOPES] = { .name = "scopes",
	               .kind = FIELD_LIST,
	               .flags = FIELD_MUST,
	               .min = 1,
	               .max = SCOPE_COUNT },
	[F_DOMAINS] = { .name = "domains",
	                .kind = FIELD_LIST,
	                .flags = FIELD_NULL,
	                .min = 1,
	                .max = DOMAINS_MAX },
	[F_EXPIRES] = { .name = "expires_at", .kind = FIELD_TIME, .flags = FIELD_NULL },
};

static void
write_token(struct api_request *r, struct json_out *j, const struct token *t,
            struct str secret)
{
	struct admin admin;
	struct str by = STR("cli");

	if (t->admin_id) {
		by = STR("(gone)");
		if (reader_admin_by_id(r->api->reader, t->admin_id, r->arena, &admin) ==
		    OK)
			by = admin.name;
	}
	json_open_object(j, NULL);
	json_str(j, "id", names_id(r, "tok", t->id));
	json_str(j, "name", t->name);
	scopes_write(j, "scopes", scopes_parse(t->scopes));
	names_write_words(j, "domains", t->domains, true);
	json_time(j, "created_at", t->created_ms);
	json_str(j, "created_by", by);
	json_time(j, "expires_at", t->expires_ms);
	json_time(j, "last_used_at", t->last_used_ms);
	if (secret.n)
		json_str(j, "token", secret);
	json_close_object(j);
}

/* --- reading ---------------------------------------------------------------------- */

struct listing {
	struct page page;
	struct token *rows;
};

static void
keep(struct api_request *r, struct token *to, const struct token *from)
{
	*to = *from;
	to->name = arena_str(r->arena, from->name);
	to->scopes = arena_str(r->arena, from->scopes);
	to->domains = arena_str(r->arena, from->domains);
}

static bool
list_one(void *arg, const struct token *t)
{
	struct listing *l = arg;
	struct api_request *r = l->page.r;
	struct str key = names_id(r, "tok", t->id);

	uint64_t after = names_parse_id(l->page.after, "tok");

	if (t->revoked || (after && (l->page.is_down ? t->id >= after : t->id <= after)))
		return true;
	if (!page_take(&l->page, key))
		return false;
	keep(r, &l->rows[l->page.taken - 1], t);
	return true;
}

void
tokens_list(struct api_request *r)
{
	struct listing l;
	enum err e;

	if (!page_begin_both(&l.page, r, "tokens", STR(""), "created", false))
		return;
	l.rows = ARENA_ARRAY(r->arena, struct token, l.page.limit);
	e = reader_tokens(r->api->reader, l.page.is_down, list_one, &l);
	for (size_t i = 0; i < l.page.taken; i++) {
		page_item(&l.page, i);
		write_token(r, &l.page.j, &l.rows[i], STR(""));
	}
	page_end(&l.page, e);
}

struct find {
	struct api_request *r;
	uint64_t id;
	bool is_found;
	struct token token;
};

static bool
is_that(void *arg, const struct token *t)
{
	struct find *f = arg;

	if (t->id != f->id)
		return true;
	f->is_found = !t->revoked;
	keep(f->r, &f->token, t);
	return false;
}

static enum err
find_token(struct api_request *r, struct find *f)
{
	enum err e;

	*f = (struct find){ .r = r, .id = names_parse_id(r->params[0], "tok") };
	e = reader_tokens(r->api->reader, false, is_that, f);
	return e == OK && !f->is_found ? ERR_NOT_FOUND : e;
}

void
tokens_get(struct api_request *r)
{
	struct strbuf b = api_buffer(r);
	struct json_out j = json_out_on(&b);
	struct find f;
	enum err e = find_token(r, &f);

	if (e != OK) {
		api_problem_err(r, e);
		return;
	}
	write_token(r, &j, &f.token, STR(""));
	api_reply_json(r, 200, strbuf_str(&b));
}

/* --- making ----------------------------------------------------------------------- */

struct making {
	struct token token;
	struct str secret;
};

/* Nobody hands out more than he holds: scopes, domains, life time. */
static bool
may_grant(struct api_request *r, uint32_t scopes, int64_t expires_ms)
{
	const struct caller *c = &r->caller;

	for (unsigned s = 0; s < SCOPE_COUNT; s++) {
		if (!(scopes & (UINT32_C(1) << s)) || caller_has(c, (enum scope)s))
			continue;
		r->problem_key = "scope";
		r->problem_value = str_from(scope_word((enum scope)s));
		api_problem(r, PROBLEM_FORBIDDEN_SCOPE, "you do not hold %s yourself",
		            scope_word((enum scope)s));
		return false;
	}
	if (c->kind == CALLER_TOKEN && c->token.expires_ms &&
	    (!expires_ms || expires_ms > c->token.expires_ms)) {
		api_problem(r, PROBLEM_FORBIDDEN_SCOPE,
		            "it would live longer than the token that makes it");
		return false;
	}
	return true;
}

static bool
read_scopes(struct api_request *r, const struct field *f, struct token *t,
            uint32_t *scopes_out)
{
	struct strbuf words = strbuf_arena(r->arena, 2048);

	*scopes_out = 0;
	for (size_t i = 0; i < f->n; i++) {
		uint32_t bits = scope_find(f->list[i]);

		if (!bits)
			api_fault(r, arena_printf(r->arena, "/scopes/%zu", i),
			          "unknown_value", "no such scope");
		*scopes_out |= bits;
	}
	for (unsigned s = 0; s < SCOPE_COUNT; s++) {
		if (*scopes_out & (UINT32_C(1) << s))
			strbuf_printf(&words, "%s%s", words.n ? " " : "",
			              scope_word((enum scope)s));
	}
	t->scopes = strbuf_str(&words);
	if (!r->errors_count)
		return true;
	api_problem(r, PROBLEM_INVALID, NULL);
	return false;
}

static bool
read_domains(struct api_request *r, const struct field *f, struct token *t)
{
	struct strbuf words = strbuf_arena(r->arena, 64 * 1024);

	t->domains = r->caller.domains;
	if (!f->is_set || f->is_null)
		return true;
	for (size_t i = 0; i < f->n; i++) {
		struct str at = arena_printf(r->arena, "/domains/%zu", i), name;

		if (!names_check_domain(r, at, f->list[i], &name))
			return false;
		if (!api_may_domain(r, name)) {
			api_problem(r, PROBLEM_FORBIDDEN_SCOPE,
			            "this token is limited to some domains");
			return false;
		}
		strbuf_printf(&words, "%s%.*s", words.n ? " " : "", STR_ARG(name));
	}
	t->domains = strbuf_str(&words);
	return true;
}

static void
made(struct api_request *r)
{
	struct making *m = r->state;
	struct strbuf b = api_buffer(r);
	struct json_out j = json_out_on(&b);

	api_header(r, "Location",
	           arena_printf(r->arena, "/api/v1/tokens/tok_%llu",
	                        (unsigned long long)m->token.id));
	write_token(r, &j, &m->token, m->secret);
	api_reply_json(r, 201, strbuf_str(&b));
}

static void
create_done(void *arg, enum err e, const struct answer_id *answer)
{
	struct api_request *r = arg;

	if (e == OK)
		((struct making *)r->state)->token.id = answer->id;
	api_continue(r, e);
}

static void
create(struct api_request *r, struct making *m)
{
	struct op_token_create op = { .actor = api_actor(r),
		                      .name = m->token.name,
		                      .scopes = m->token.scopes,
		                      .domains = m->token.domains,
		                      .admin_id = m->token.admin_id,
		                      .expires_ms = m->token.expires_ms };
	struct strbuf secret = strbuf_arena(r->arena, 2 * TOKEN_BYTES);
	struct sha256 hash;

	token_make(&secret);
	m->secret = strbuf_str(&secret);
	hash = sha256_of(m->secret);
	op.hash = sha256_str(&hash);
	r->state = m;
	r->next = made;
	r->call = store_token_create(r->api->store, &op, create_done, r);
}

void
tokens_create(struct api_request *r)
{
	struct making *m = ARENA_NEW(r->arena, struct making);
	struct field f[F_COUNT];
	uint32_t scopes;

	if (!fields_read(r, specs, F_COUNT, f) ||
	    !read_scopes(r, &f[F_SCOPES], &m->token, &scopes) ||
	    !read_domains(r, &f[F_DOMAINS], &m->token))
		return;
	m->token.name = f[F_NAME].s;
	m->token.admin_id = r->caller.admin_id;
	m->token.created_ms = clock_unix_ms();
	m->token.expires_ms = m->token.created_ms + expires_default_ms;
	if (f[F_EXPIRES].is_set)
		m->token.expires_ms = f[F_EXPIRES].is_null ? 0 : f[F_EXPIRES].i;
	if (f[F_EXPIRES].is_set && !f[F_EXPIRES].is_null &&
	    m->token.expires_ms <= m->token.created_ms) {
		api_fault(r, STR("/expires_at"), "out_of_range", "must be in the future");
		api_problem(r, PROBLEM_INVALID, NULL);
		return;
	}
	/* The default of 90 days gives way to the shorter life of its maker. */
	if (!f[F_EXPIRES].is_set && r->caller.kind == CALLER_TOKEN &&
	    r->caller.token.expires_ms &&
	    r->caller.token.expires_ms < m->token.expires_ms)
		m->token.expires_ms = r->caller.token.expires_ms;
	if (!may_grant(r, scopes, m->token.expires_ms))
		return;
	if (r->dry_run)
		api_reply_dry_run(r, "token.create", m->token.name);
	else
		create(r, m);
}

/* --- revoking --------------------------------------------------------------------- */

void
tokens_delete(struct api_request *r)
{
	struct op_token_revoke op = { .actor = api_actor(r) };
	struct find f;

	if (!api_is_there(r, find_token(r, &f)))
		return;
	if (r->dry_run) {
		api_reply_dry_run(r, "token.revoke", r->params[0]);
		return;
	}
	op.id = f.id;
	r->next = api_reply_done;
	r->call = store_token_revoke(r->api->store, &op, api_done_remove, r);
}
