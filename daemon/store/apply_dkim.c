/* Keys that sign for a domain: every step of their life. What may_step() does not allow
 * is a conflict. */
#include "store/tx.h"

#include "base/rfc3339.h"

enum {
	KEYS_MAX = 40, /* of one domain, revoked ones included */
	SELECTOR_MAX = 63,
	DAY_BYTES = 10, /* "2026-11-29" */
	SPARE_NAMES = 26,
};

/* --- finding ------------------------------------------------------------------------ */

static enum err
find_key(struct tx *tx, uint64_t id, struct dkim_key *k)
{
	struct stmt *s;
	enum err e = db_one(tx->db,
	                    "SELECT k.id, k.domain_id, d.name, k.selector, k.algorithm,"
	                    " k.state, k.file, k.auto_activate, k.verified_ms,"
	                    " k.activated_ms, k.keep_until_ms, k.servers_ok,"
	                    " k.servers_total, k.version FROM dkim_key k"
	                    " JOIN domain d ON d.id = k.domain_id WHERE k.id = $1",
	                    VALUES(V_I(id)), &s);

	*k = (struct dkim_key){ 0 };
	if (e != OK)
		return e;
	k->id = db_u64(s, 0);
	k->domain_id = db_u64(s, 1);
	k->domain = arena_str(tx->arena, db_str(s, 2));
	k->selector = arena_str(tx->arena, db_str(s, 3));
	k->algorithm = db_u32(s, 4);
	k->state = db_u32(s, 5);
	k->file = arena_str(tx->arena, db_str(s, 6));
	k->auto_activate = db_u64(s, 7) != 0;
	k->verified_ms = db_i64(s, 8);
	k->activated_ms = db_i64(s, 9);
	k->keep_until_ms = db_i64(s, 10);
	k->servers_ok = db_u32(s, 11);
	k->servers_total = db_u32(s, 12);
	k->version = db_u64(s, 13);
	db_end(&s);
	return OK;
}

static struct str
key_name(struct tx *tx, const struct dkim_key *k)
{
	return arena_printf(tx->arena, "%.*s._domainkey.%.*s", STR_ARG(k->selector),
	                    STR_ARG(k->domain));
}

static void
tell_state(struct tx *tx, const struct dkim_key *k, enum dkim_key_state was)
{
	struct event e;

	event_init(&e, EV_DKIM_STATE, str_from(NULL), str_from(NULL));
	event_str(&e, "domain", k->domain);
	event_str(&e, "selector", k->selector);
	event_str(&e, "state",
	          str_from(dkim_key_state_name((enum dkim_key_state)k->state)));
	event_str(&e, "was", str_from(dkim_key_state_name(was)));
	tx_event(tx, &e);
	tx_changed_setting(tx, "dkim", k->domain);
}

/* The records are other ones now: they are looked at soon. */
static enum err
look_soon(struct tx *tx, uint64_t domain_id)
{
	return tx_run(tx, "UPDATE dns_zone SET next_ms = 0 WHERE domain_id = $1",
	              VALUES(V_I(domain_id)));
}

/* --- steps -------------------------------------------------------------------------- */

/* Writes the new state, and what hangs on it. */
static enum err
set_state(struct tx *tx, struct dkim_key *k, enum dkim_key_state to,
          const struct actor *actor)
{
	enum dkim_key_state was = (enum dkim_key_state)k->state;
	struct str file = k->file;
	enum err e;

	k->state = to;
	k->version++;
	if (to == DKIM_KEY_ACTIVE)
		k->activated_ms = tx->now_ms;
	if (to == DKIM_KEY_VERIFIED)
		k->verified_ms = tx->now_ms;
	k->keep_until_ms =
		to == DKIM_KEY_RETIRING ? tx->now_ms + tx->limits->dkim_keep_ms : 0;
	if (to == DKIM_KEY_REVOKED) {
		tx_drop_key_file(tx, file);
		k->file = str_from(NULL);
	}
	e = tx_run(tx,
	           "UPDATE dkim_key SET state = $1, changed_ms = $2, verified_ms = $3,"
	           " activated_ms = $4, keep_until_ms = $5, file = $6, version = $7"
	           " WHERE id = $8",
	           VALUES(V_I(k->state), V_I(tx->now_ms), V_I(k->verified_ms),
	                  V_I(k->activated_ms), V_I(k->keep_until_ms), V_S(k->file),
	                  V_I(k->version), V_I(k->id)));
	if (e != OK)
		return e;
	tell_state(tx, k, was);
	return tx_audit(tx, actor, "dkim.state", key_name(tx, k),
	                str_from(dkim_key_state_name(was)),
	                str_from(dkim_key_state_name(to)));
}

/* The one that signs now gives way to its successor. */
static enum err
retire_others(struct tx *tx, const struct dkim_key *k, const struct actor *actor)
{
	for (;;) {
		struct dkim_key other;
		struct stmt *s;
		uint64_t id;
		enum err e = db_one(tx->db,
		                    "SELECT id FROM dkim_key WHERE domain_id = $1 AND"
		                    " algorithm = $2 AND state = $3 AND id <> $4 LIMIT 1",
		                    VALUES(V_I(k->domain_id), V_I(k->algorithm),
		                           V_I(DKIM_KEY_ACTIVE), V_I(k->id)),
		                    &s);

		if (e != OK)
			return e == ERR_NOT_FOUND ? OK : e;
		id = db_u64(s, 0);
		db_end(&s);
		e = find_key(tx, id, &other);
		if (e == OK)
			e = set_state(tx, &other, DKIM_KEY_RETIRING, actor);
		if (e != OK)
			return e;
	}
}

static enum err
activate(struct tx *tx, struct dkim_key *k, const struct actor *actor)
{
	enum err e = set_state(tx, k, DKIM_KEY_ACTIVE, actor);

	return e == OK ? retire_others(tx, k, actor) : e;
}

/* Is every authoritative server known to have it? */
static bool
is_served(const struct dkim_key *k)
{
	return k->servers_total > 0 && k->servers_ok == k->servers_total;
}

static bool
may_step(const struct tx *tx, const struct dkim_key *k,
         const struct op_dkim_key_state *op)
{
	switch ((enum dkim_key_state)op->state) {
	case DKIM_KEY_PUBLISH:
		return k->state == DKIM_KEY_GENERATED;
	case DKIM_KEY_ACTIVE:
		/* A retired one may come back while the name service still has it. */
		return k->state == DKIM_KEY_VERIFIED ||
		       (k->state == DKIM_KEY_RETIRING && is_served(k));
	case DKIM_KEY_RETIRING:
		return k->state == DKIM_KEY_ACTIVE;
	case DKIM_KEY_REVOKED:
		if (op->is_emergency)
			return k->state != DKIM_KEY_REVOKED;
		return k->state == DKIM_KEY_RETIRING && tx->now_ms >= k->keep_until_ms;
	default: /* VERIFIED is found out, never said */
		return false;
	}
}

enum err
op_dkim_key_state_apply(struct tx *tx, const struct op_dkim_key_state *op,
                        struct answer_id *answer)
{
	struct dkim_key k;
	enum err e = find_key(tx, op->id, &k);

	if (e != OK)
		return e;
	if (op->state == DKIM_KEY_ANY || op->state >= DKIM_KEY_STATES)
		return ERR_INVALID;
	if (op->if_version && k.version != op->if_version)
		return ERR_ETAG;
	answer->id = k.id;
	answer->version = k.version;
	if (k.state == op->state)
		return OK;
	if (!may_step(tx, &k, op))
		return ERR_CONFLICT;
	e = op->state == DKIM_KEY_ACTIVE
	            ? activate(tx, &k, &op->actor)
	            : set_state(tx, &k, (enum dkim_key_state)op->state, &op->actor);
	answer->version = k.version;
	return e == OK ? look_soon(tx, k.domain_id) : e;
}

/* --- what the name service says ----------------------------------------------------- */

static void
tell_missing(struct tx *tx, const struct dkim_key *k,
             const struct op_dkim_key_checked *op)
{
	struct event e;

	event_init(&e, EV_DKIM_MISSING, str_from(NULL), str_from(NULL));
	event_str(&e, "domain", k->domain);
	event_str(&e, "selector", k->selector);
	event_i64(&e, "ok", op->servers_ok);
	event_i64(&e, "total", op->servers_total);
	tx_event(tx, &e);
}

enum err
op_dkim_key_checked_apply(struct tx *tx, const struct op_dkim_key_checked *op,
                          struct answer_none *answer)
{
	static const struct actor finder = { STR_INIT("dns-check"),
		                             { NULL, 0 },
		                             { NULL, 0 } };
	struct dkim_key k;
	bool was_served,
		is_all = op->servers_total > 0 && op->servers_ok == op->servers_total;
	enum err e = find_key(tx, op->id, &k);

	(void)answer;
	if (e != OK)
		return e;
	if (op->servers_ok > op->servers_total)
		return ERR_INVALID;
	was_served = is_served(&k);
	e = tx_run(tx,
	           "UPDATE dkim_key SET checked_ms = $1, servers_ok = $2,"
	           " servers_total = $3 WHERE id = $4",
	           VALUES(V_I(op->at_ms), V_I(op->servers_ok), V_I(op->servers_total),
	                  V_I(k.id)));
	if (e == OK && k.state == DKIM_KEY_PUBLISH && is_all) {
		e = set_state(tx, &k, DKIM_KEY_VERIFIED, &finder);
		if (e == OK && k.auto_activate)
			e = activate(tx, &k, &finder);
	} else if (e == OK && k.state == DKIM_KEY_VERIFIED && !is_all) {
		e = set_state(tx, &k, DKIM_KEY_PUBLISH, &finder);
	} else if (e == OK && k.state == DKIM_KEY_ACTIVE && !is_all && was_served) {
		tell_missing(tx, &k, op);
	}
	if (was_served != is_all)
		tx_changed_setting(tx, "dkim", k.domain);
	return e;
}

/* --- making and forgetting ---------------------------------------------------------- */

/* A selector is one or more labels (RFC 6376 3.1); ours are one. */
static bool
is_selector(struct str s)
{
	if (!s.n || s.n > SELECTOR_MAX || s.p[0] == '-' || s.p[s.n - 1] == '-')
		return false;
	for (size_t i = 0; i < s.n; i++) {
		char c = s.p[i];

		if (!byte_is_digit(c) && !(c >= 'a' && c <= 'z') && c != '-' && c != '_')
			return false;
	}
	return true;
}

static enum err
is_taken(struct tx *tx, uint64_t domain_id, struct str selector, bool *is_taken_out)
{
	struct stmt *s;
	enum err e = db_one(tx->db,
	                    "SELECT id FROM dkim_key WHERE domain_id = $1 AND"
	                    " selector = $2",
	                    VALUES(V_I(domain_id), V_S(selector)), &s);

	*is_taken_out = e == OK;
	db_end(&s);
	return e == ERR_NOT_FOUND ? OK : e;
}

/* "r20261129", then "r20261129b" … */
static enum err
choose_selector(struct tx *tx, const struct op_dkim_key_create *op, uint64_t domain_id,
                struct str *out)
{
	char bytes[32];
	struct strbuf now = strbuf_on(bytes);
	struct strbuf day = strbuf_arena(tx->arena, DAY_BYTES);
	bool taken = true;
	enum err e = OK;

	rfc3339_format(&now, tx->now_ms);
	for (size_t i = 0; i < DAY_BYTES && i < now.n; i++) {
		if (bytes[i] != '-')
			strbuf_byte(&day, bytes[i]);
	}
	for (int i = 0; i < SPARE_NAMES && taken && e == OK; i++) {
		char last = i ? (char)('a' + i) : '\0';

		*out = arena_printf(tx->arena, "%s%.*s%s",
		                    op->algorithm == DKIM_RSA ? "r" : "e",
		                    STR_ARG(strbuf_str(&day)), (char[]){ last, '\0' });
		e = is_taken(tx, domain_id, *out, &taken);
	}
	return e == OK && taken ? ERR_EXISTS : e;
}

/* Errors of op_dkim_key_create that hang on what is there already. */
static enum err
check_room(struct tx *tx, const struct op_dkim_key_create *op, uint64_t domain_id)
{
	struct stmt *s;
	uint64_t all, alive;
	enum err e = db_one(
		tx->db,
		"SELECT count(*), coalesce(sum(CASE WHEN algorithm = $1 AND"
		" state < $2 THEN 1 ELSE 0 END), 0) FROM dkim_key"
		" WHERE domain_id = $3",
		VALUES(V_I(op->algorithm), V_I(DKIM_KEY_RETIRING), V_I(domain_id)), &s);

	if (e != OK)
		return e;
	all = db_u64(s, 0);
	alive = db_u64(s, 1);
	db_end(&s);
	if (all >= KEYS_MAX)
		return ERR_LIMIT;
	return op->if_none && alive ? ERR_EXISTS : OK;
}

enum err
op_dkim_key_create_apply(struct tx *tx, const struct op_dkim_key_create *op,
                         struct answer_id *answer)
{
	struct dkim_key k = { .domain = op->domain, .selector = op->selector };
	bool taken = false;
	enum err e;

	if ((op->algorithm != DKIM_RSA && op->algorithm != DKIM_ED25519) || !op->file.n ||
	    !op->public_key.n || (op->selector.n && !is_selector(op->selector)))
		return ERR_INVALID;
	e = tx_domain_id(tx, op->domain, &k.domain_id);
	if (e == OK)
		e = check_room(tx, op, k.domain_id);
	if (e == OK && !op->selector.n)
		e = choose_selector(tx, op, k.domain_id, &k.selector);
	else if (e == OK)
		e = is_taken(tx, k.domain_id, k.selector, &taken);
	if (e == OK && taken)
		e = ERR_EXISTS;
	if (e == OK)
		e = tx_id(tx, &answer->id);
	if (e != OK)
		return e;
	answer->version = 1;
	k.id = answer->id;
	k.state = op->is_published ? DKIM_KEY_PUBLISH : DKIM_KEY_GENERATED;
	e = tx_run(tx,
	           "INSERT INTO dkim_key (id, domain_id, selector, algorithm, state,"
	           " public_key, file, auto_activate, created_ms, changed_ms, version)"
	           " VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $9, 1)",
	           VALUES(V_I(k.id), V_I(k.domain_id), V_S(k.selector),
	                  V_I(op->algorithm), V_I(k.state), V_S(op->public_key),
	                  V_S(op->file), V_I(op->auto_activate), V_I(tx->now_ms)));
	if (e != OK)
		return e;
	tell_state(tx, &k, DKIM_KEY_ANY);
	e = look_soon(tx, k.domain_id);
	if (e != OK)
		return e;
	return tx_audit(
		tx, &op->actor, "dkim.create", key_name(tx, &k), str_from(NULL),
		str_from(dkim_algorithm_name((enum dkim_algorithm)op->algorithm)));
}

enum err
op_dkim_key_remove_apply(struct tx *tx, const struct op_dkim_key_remove *op,
                         struct answer_none *answer)
{
	struct dkim_key k;
	enum err e = find_key(tx, op->id, &k);

	(void)answer;
	if (e != OK)
		return e;
	if (op->if_version && k.version != op->if_version)
		return ERR_ETAG;
	if (k.state != DKIM_KEY_REVOKED && k.activated_ms)
		return ERR_CONFLICT;
	tx_drop_key_file(tx, k.file);
	tx_changed_setting(tx, "dkim", k.domain);
	e = tx_run(tx, "DELETE FROM dkim_key WHERE id = $1", VALUES(V_I(k.id)));
	if (e == OK)
		e = look_soon(tx, k.domain_id);
	return e == OK ? tx_audit(tx, &op->actor, "dkim.remove", key_name(tx, &k),
	                          str_from(dkim_key_state_name(
					  (enum dkim_key_state)k.state)),
	                          str_from(NULL))
	               : e;
}
