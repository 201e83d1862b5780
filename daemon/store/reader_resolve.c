/* Where an address leads: through aliases, whose targets are walked depth first, to
 * mailboxes here and addresses elsewhere. The walk is bounded in depth, steps and memory,
 * and each place is reached once. Behind an alias what cannot be delivered to is left
 * out, as long as something is left.
 */
#include "store/reader_priv.h"

#include "base/mem.h"
#include "mail/address.h"
#include "store/head.h"
#include "store/ops.h"

enum {
	STEPS_MAX = 5000,            /* addresses looked at for one question */
	WALK_ARENA_BYTES = 32 << 20, /* scratch for all of them */
};

struct walk {
	struct reader *r;
	struct arena *a;
	uint64_t size;
	struct resolution *out;
	/* the aliases between the question and here */
	struct str path[RESOLVE_DEPTH];
	unsigned depth;
	unsigned steps;
	enum err left_out; /* why an account behind an alias was */
	bool has_loop;
};

static struct str
after_at(struct str address)
{
	size_t at = str_find_last(address, '@');

	return at == SIZE_MAX ? str_from(NULL) : str_from_offset(address, at + 1);
}

static struct str
before_at(struct str address)
{
	return str_first(address, str_find_last(address, '@'));
}

static enum err
add_target(struct walk *w, const struct target *t)
{
	struct resolution *out = w->out;

	for (size_t i = 0; i < out->count; i++) {
		const struct target *have = &out->targets[i];

		if (have->kind == t->kind &&
		    (t->kind == RCPT_LOCAL ? have->account_id == t->account_id
		                           : str_eq_icase(have->rcpt, t->rcpt)))
			return OK;
	}
	if (out->count == RESOLVE_MAX)
		return ERR_LIMIT;
	if (!(out->count & (out->count - 1))) {
		size_t cap = out->count ? out->count * 2 : 1;
		struct target *more = arena_try(w->a, cap * sizeof(*more));

		if (!more)
			return ERR_LIMIT;
		if (out->count)
			memcpy(more, out->targets, out->count * sizeof(*more));
		out->targets = more;
	}
	out->targets[out->count++] = *t;
	return OK;
}

static enum err
judge(const struct walk *w, const struct account *account)
{
	if (account->state != ACCOUNT_ACTIVE)
		return ERR_ACCOUNT_OFF;
	w->out->has_quota |= account->quota_bytes != 0;
	if (account->quota_bytes &&
	    (account->used_bytes >= account->quota_bytes ||
	     w->size > account->quota_bytes - account->used_bytes))
		return ERR_QUOTA;
	return OK;
}

static enum err
found_account(struct walk *w, const struct account *account)
{
	struct target t = { .kind = RCPT_LOCAL,
		            .rcpt = account->address,
		            .account_id = account->id };
	enum err e = judge(w, account);

	if (e == OK)
		return add_target(w, &t);
	if (!w->depth)
		return e;
	w->left_out = e;
	return OK;
}

static enum err walk(struct walk *w, struct str address);

static enum err
found_external(struct walk *w, struct str address)
{
	char bytes[ADDRESS_KEY_MAX];
	struct strbuf domain = strbuf_on(bytes);
	struct target t = { .kind = RCPT_REMOTE, .rcpt = address };
	struct str *keep = &t.domain;
	enum err e = domain_normalize(after_at(address), &domain);

	/* A target nobody could ever reach is left out, its alias still works. */
	if (e != OK)
		return OK;
	t.domain = strbuf_str(&domain);
	e = head_keep(&keep, 1, w->a);
	return e == OK ? add_target(w, &t) : e;
}

static enum err
found_alias(struct walk *w, const struct alias *alias)
{
	struct str rest = alias->targets, target;
	enum err e = OK;

	for (unsigned i = 0; i < w->depth; i++) {
		if (str_eq(w->path[i], alias->address)) {
			w->has_loop = true;
			return OK;
		}
	}
	if (w->depth == RESOLVE_DEPTH) {
		w->has_loop = true;
		return OK;
	}
	w->path[w->depth++] = alias->address;
	w->out->is_alias = true;
	while (e == OK && str_next(&rest, ' ', &target)) {
		if (target.n)
			e = walk(w, target);
	}
	w->depth--;
	return e;
}

/* An account, else an alias, of exactly this address. */
static enum err
exact(struct walk *w, struct str address)
{
	struct account account;
	struct alias alias;
	enum err e = reader_account(w->r, address, w->a, &account);

	if (e == OK)
		return found_account(w, &account);
	if (e == ERR_NOT_FOUND)
		e = reader_alias(w->r, address, w->a, &alias);
	if (e == OK && !alias.enabled)
		e = ERR_NOT_FOUND;
	return e == OK ? found_alias(w, &alias) : e;
}

static enum err
exact_at(struct walk *w, struct str local, struct str domain)
{
	char bytes[ADDRESS_KEY_MAX + 2];
	struct strbuf b = strbuf_on(bytes);
	struct str address, *keep = &address;
	enum err e;

	strbuf_add(&b, local);
	strbuf_byte(&b, '@');
	strbuf_add(&b, domain);
	if (b.overflow)
		return ERR_NOT_FOUND;
	address = strbuf_str(&b);
	e = head_keep(&keep, 1, w->a);
	return e == OK ? exact(w, address) : e;
}

bool
reader_is_for_reports(struct str address)
{
	struct str plain = address_without_detail(before_at(address), NULL);

	return str_eq(plain, STR("dmarc-reports")) || str_eq(plain, STR("tls-reports"));
}

/* They are read, whoever gets a copy; a copy that cannot be given is none. */
static enum err
found_reports(struct walk *w, struct str address, enum err e)
{
	struct target t = { .kind = RCPT_REMOTE,
		            .rcpt = address,
		            .domain = STR(REPORTS_DOMAIN) };

	if (e != OK && e != ERR_NOT_FOUND && e != ERR_ACCOUNT_OFF && e != ERR_QUOTA)
		return e;
	return add_target(w, &t);
}

static enum err
walk_local(struct walk *w, struct str address)
{
	struct str local = before_at(address), domain = after_at(address);
	struct str plain = address_without_detail(local, NULL);
	enum err e = exact(w, address);

	if (e == ERR_NOT_FOUND && plain.n < local.n)
		e = exact_at(w, plain, domain);
	if (reader_is_for_reports(address))
		return found_reports(w, address, e);
	if (e == ERR_NOT_FOUND)
		e = exact_at(w, str_from(NULL), domain);
	if (e != ERR_NOT_FOUND)
		return e;
	if (!w->depth)
		return ERR_NO_SUCH_USER;
	w->left_out = ERR_NO_SUCH_USER;
	return OK;
}

static struct str
normalized(struct walk *w, struct str address)
{
	char bytes[ADDRESS_KEY_MAX];
	struct strbuf b = strbuf_on(bytes);
	struct address parsed;
	struct str s, *keep = &s;

	if (address_parse(address, ADDRESS_UTF8, w->a, &parsed) != OK ||
	    address_normalize(&parsed, &b) != OK)
		return address;
	s = strbuf_str(&b);
	return head_keep(&keep, 1, w->a) == OK ? s : address;
}

static enum err
walk(struct walk *w, struct str address)
{
	struct str key = w->depth ? normalized(w, address) : address;
	enum err e;

	if (++w->steps > STEPS_MAX)
		return ERR_LIMIT;
	e = reader_is_local_domain(w->r, after_at(key));
	if (e == ERR_NOT_FOUND)
		return w->depth ? found_external(w, address) : ERR_RELAY;
	return e == OK ? walk_local(w, key) : e;
}

/* The result leaves the scratch arena for the caller's. */
static enum err
resolution_keep(struct resolution *out, struct arena *a)
{
	struct target *targets = arena_try(a, size_mul(out->count, sizeof(*targets)));
	enum err e = targets ? OK : ERR_LIMIT;

	for (size_t i = 0; i < out->count && e == OK; i++) {
		struct str *strings[] = { &targets[i].rcpt, &targets[i].domain };

		targets[i] = out->targets[i];
		e = head_keep(strings, ARRAY_LEN(strings), a);
	}
	out->targets = targets;
	if (e != OK)
		out->count = 0;
	return e;
}

enum err
reader_resolve(struct reader *r, struct str address, uint64_t size, struct arena *a,
               struct resolution *out)
{
	struct walk w = { .r = r, .size = size, .out = out };
	enum err e;

	*out = (struct resolution){ 0 };
	if (address.n > ADDRESS_KEY_MAX)
		return ERR_LIMIT;
	w.a = arena_new(WALK_ARENA_BYTES);
	e = walk(&w, address);
	if (e == OK && out->count)
		e = resolution_keep(out, a);
	else if (e == OK && w.left_out != OK)
		e = w.left_out;
	else if (e == OK)
		e = w.has_loop ? ERR_LOOP : ERR_NO_SUCH_USER;
	arena_free(&w.a);
	return e;
}

/* --- postmaster ------------------------------------------------------------------- */

enum {
	ACCOUNTS_LOOKED_AT = 1000,
};

struct oldest {
	uint64_t id;
	struct strbuf address;
};

static bool
take_older(void *arg, const struct account *account)
{
	struct oldest *o = arg;

	if (account->state == ACCOUNT_ACTIVE && (o->id == 0 || account->id < o->id)) {
		o->id = account->id;
		strbuf_clear(&o->address);
		strbuf_add(&o->address, account->address);
	}
	return true;
}

static enum err
resolve_to_oldest(struct reader *r, struct str domain, struct arena *a,
                  struct resolution *out)
{
	char bytes[ADDRESS_KEY_MAX];
	struct oldest o = { .address = strbuf_on(bytes) };
	struct domain row;
	enum err e = reader_domain(r, domain, a, &row);

	if (e == OK)
		e = reader_accounts(r, row.id, (struct names_from){ .is_down = false },
		                    ACCOUNTS_LOOKED_AT, take_older, &o);
	if (e != OK || o.id == 0)
		return e == OK || e == ERR_NOT_FOUND ? ERR_NO_SUCH_USER : e;
	e = reader_resolve(r, strbuf_str(&o.address), 0, a, out);
	out->is_alias = true;
	return e;
}

enum err
reader_postmaster(struct reader *r, struct str domain, struct arena *a,
                  struct resolution *out)
{
	struct str address = arena_printf(a, "postmaster@%.*s", STR_ARG(domain));
	enum err e = reader_resolve(r, address, 0, a, out);

	return e == ERR_NO_SUCH_USER ? resolve_to_oldest(r, domain, a, out) : e;
}

/* --- senders ---------------------------------------------------------------------- */

static bool
targets_have(struct str targets, struct str address)
{
	struct str target;

	while (str_next(&targets, ' ', &target)) {
		if (str_eq_icase(target, address))
			return true;
	}
	return false;
}

enum err
reader_may_send_as(struct reader *r, uint64_t account_id, struct str address)
{
	struct arena *a = arena_new(256 * 1024);
	struct str local = before_at(address), domain = after_at(address);
	struct str plain = address_without_detail(local, NULL);
	struct account account;
	struct alias alias;
	enum err e = reader_account_by_id(r, account_id, a, &account);

	if (e == OK && address.n <= ADDRESS_KEY_MAX) {
		struct str stripped =
			arena_printf(a, "%.*s@%.*s", STR_ARG(plain), STR_ARG(domain));

		if (!str_eq(account.address, address) &&
		    !str_eq(account.address, stripped)) {
			e = reader_alias(r, address, a, &alias);
			if (e == ERR_NOT_FOUND)
				e = reader_alias(r, stripped, a, &alias);
			if (e == OK && (!alias.enabled ||
			                !targets_have(alias.targets, account.address)))
				e = ERR_NOT_FOUND;
		}
	}
	arena_free(&a);
	if (address.n > ADDRESS_KEY_MAX || e == ERR_NOT_FOUND)
		e = ERR_SENDER_DENIED;
	return e;
}
