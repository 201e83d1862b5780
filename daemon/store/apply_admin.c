/* Domains, accounts, aliases: who there is. */
#include "store/tx.h"

#include "mail/address.h"

enum {
	TARGETS_MAX_BYTES = 64 * 1024,
	NAME_MAX_BYTES = 512,
};

/* Found with what every change needs: id, version, and what it was for the audit log. */
struct found {
	uint64_t id, version, domain_id;
	struct str was;
};

static enum err
find(struct tx *tx, const char *sql, struct str name, struct found *f)
{
	struct stmt *s;
	enum err e = db_one(tx->db, sql, VALUES(V_S(name)), &s);

	*f = (struct found){ 0 };
	if (e != OK)
		return e;
	f->id = db_u64(s, 0);
	f->version = db_u64(s, 1);
	f->domain_id = db_u64(s, 2);
	f->was = arena_str(tx->arena, db_str(s, 3));
	db_end(&s);
	return OK;
}

static enum err
find_domain(struct tx *tx, struct str name, struct found *f)
{
	return find(tx,
	            "SELECT id, version, 0, CASE WHEN enabled = 1 THEN 'enabled' ELSE"
	            " 'disabled' END || CASE incoming WHEN 1 THEN ' junk' WHEN 2 THEN"
	            " ' mark' ELSE '' END FROM domain WHERE name = $1",
	            name, f);
}

static enum err
find_account(struct tx *tx, struct str address, struct found *f)
{
	return find(tx,
	            "SELECT id, version, domain_id, display_name FROM account"
	            " WHERE address = $1",
	            address, f);
}

static enum err
find_alias(struct tx *tx, struct str address, struct found *f)
{
	return find(
		tx,
		"SELECT id, version, domain_id, targets FROM alias WHERE address = $1",
		address, f);
}

static struct str
domain_of(struct str address)
{
	size_t at = str_find_last(address, '@');

	return at == SIZE_MAX ? str_from(NULL) : str_from_offset(address, at + 1);
}

/* As find_domain says what it was. */
static struct str
domain_words(struct tx *tx, const struct op_domain_put *op)
{
	return arena_printf(
		tx->arena, "%s%s%s", op->enabled ? "enabled" : "disabled",
		op->incoming == INCOMING_HONOUR ? "" : " ",
		op->incoming == INCOMING_HONOUR
			? ""
			: domain_incoming_name((enum domain_incoming)op->incoming));
}

/* --- domains ---------------------------------------------------------------------------
 */

enum err
op_domain_put_apply(struct tx *tx, const struct op_domain_put *op,
                    struct answer_id *answer)
{
	struct found f;
	enum err e = find_domain(tx, op->name, &f);

	if (e != OK && e != ERR_NOT_FOUND)
		return e;
	if (e == OK && op->if_absent)
		return ERR_EXISTS;
	if (op->if_version && f.version != op->if_version)
		return ERR_ETAG;
	if ((e == ERR_NOT_FOUND && !domain_check(op->name, false)) ||
	    op->incoming >= INCOMING_COUNT)
		return ERR_INVALID;
	tx_changed_setting(tx, "domain", op->name);
	answer->version = f.version + 1;
	if (e == OK) {
		answer->id = f.id;
		e = tx_run(tx,
		           "UPDATE domain SET enabled = $1, version = $2, incoming = $3"
		           " WHERE id = $4",
		           VALUES(V_I(op->enabled), V_I(answer->version),
		                  V_I(op->incoming), V_I(f.id)));
		return e == OK ? tx_audit(tx, &op->actor, "domain.update", op->name,
		                          f.was, domain_words(tx, op))
		               : e;
	}
	e = tx_id(tx, &answer->id);
	if (e == OK)
		e = tx_run(tx,
		           "INSERT INTO domain (id, name, enabled, created_ms, version,"
		           " incoming) VALUES ($1, $2, $3, $4, 1, $5)",
		           VALUES(V_I(answer->id), V_S(op->name), V_I(op->enabled),
		                  V_I(tx->now_ms), V_I(op->incoming)));
	return e == OK ? tx_audit(tx, &op->actor, "domain.create", op->name,
	                          str_from(NULL), domain_words(tx, op))
	               : e;
}

/* All accounts of a domain, one after the other. */
static enum err
drop_accounts(struct tx *tx, uint64_t domain_id)
{
	for (;;) {
		struct stmt *s;
		uint64_t id;
		enum err e = db_one(tx->db,
		                    "SELECT id FROM account WHERE domain_id = $1 LIMIT 1",
		                    VALUES(V_I(domain_id)), &s);

		if (e != OK)
			return e == ERR_NOT_FOUND ? OK : e;
		id = db_u64(s, 0);
		db_end(&s);
		e = tx_account_drop(tx, id);
		if (e != OK)
			return e;
	}
}

enum err
op_domain_remove_apply(struct tx *tx, const struct op_domain_remove *op,
                       struct answer_none *answer)
{
	struct found f;
	struct stmt *s;
	enum err e = find_domain(tx, op->name, &f);

	(void)answer;
	if (e == OK && op->if_version && f.version != op->if_version)
		e = ERR_ETAG;
	if (e != OK)
		return e;
	if (!op->with_accounts) {
		e = db_one(tx->db, "SELECT id FROM account WHERE domain_id = $1 LIMIT 1",
		           VALUES(V_I(f.id)), &s);
		db_end(&s);
		if (e != ERR_NOT_FOUND)
			return e == OK ? ERR_CONFLICT : e;
	}
	tx_changed_setting(tx, "domain", op->name);
	e = drop_accounts(tx, f.id);
	if (e == OK)
		e = tx_domain_names_drop(tx, f.id);
	if (e == OK)
		e = tx_run(tx, "DELETE FROM alias WHERE domain_id = $1",
		           VALUES(V_I(f.id)));
	if (e == OK)
		e = tx_run(tx, "DELETE FROM domain WHERE id = $1", VALUES(V_I(f.id)));
	return e == OK ? tx_audit(tx, &op->actor, "domain.remove", op->name, f.was,
	                          str_from(NULL))
	               : e;
}

/* --- accounts ----------------------------------------------------------------------- */

static enum err
make_mailboxes(struct tx *tx, uint64_t account_id)
{
	static const struct {
		struct str name;
		enum special_use use;
	} rows[] = {
		{ STR_INIT("INBOX"), USE_NONE },  { STR_INIT("Drafts"), USE_DRAFTS },
		{ STR_INIT("Sent"), USE_SENT },   { STR_INIT("Junk"), USE_JUNK },
		{ STR_INIT("Trash"), USE_TRASH }, { STR_INIT("Archive"), USE_ARCHIVE },
	};
	enum err e = OK;

	for (size_t i = 0; i < ARRAY_LEN(rows) && e == OK; i++) {
		struct op_subscribe subscribe = { account_id, rows[i].name, true };
		struct answer_none none;
		struct tx_mailbox *m;

		e = tx_mailbox_new(tx, account_id, rows[i].name, rows[i].use, &m);
		if (e == OK)
			e = op_subscribe_apply(tx, &subscribe, &none);
	}
	return e;
}

enum err
op_account_create_apply(struct tx *tx, const struct op_account_create *op,
                        struct answer_id *answer)
{
	struct found domain, other;
	enum err e = OK;

	if (!address_is_login(op->address) || op->display_name.n > NAME_MAX_BYTES ||
	    !op->password.n)
		return ERR_INVALID;
	e = find_domain(tx, domain_of(op->address), &domain);
	if (e != OK)
		return e;
	e = find_account(tx, op->address, &other);
	if (e == ERR_NOT_FOUND)
		e = find_alias(tx, op->address, &other);
	if (e != ERR_NOT_FOUND)
		return e == OK ? ERR_EXISTS : e;
	e = tx_id(tx, &answer->id);
	answer->version = 1;
	if (e == OK)
		e = tx_run(
			tx,
			"INSERT INTO account (id, domain_id, address, display_name,"
			" password, password_version, quota_bytes, created_ms, version)"
			" VALUES ($1, $2, $3, $4, $5, 1, $6, $7, 1)",
			VALUES(V_I(answer->id), V_I(domain.id), V_S(op->address),
		               V_S(op->display_name), V_S(op->password),
		               V_I(op->quota_bytes), V_I(tx->now_ms)));
	if (e == OK)
		e = make_mailboxes(tx, answer->id);
	tx_changed_setting(tx, "account", op->address);
	return e == OK ? tx_audit(tx, &op->actor, "account.create", op->address,
	                          str_from(NULL), op->display_name)
	               : e;
}

static struct str
account_words(struct tx *tx, struct str name, uint64_t quota_bytes, uint64_t state)
{
	return arena_printf(tx->arena, "name=%.*s quota=%llu %s", STR_ARG(name),
	                    (unsigned long long)quota_bytes,
	                    state == ACCOUNT_ACTIVE ? "active" : "disabled");
}

enum err
op_account_update_apply(struct tx *tx, const struct op_account_update *op,
                        struct answer_id *answer)
{
	struct str name, was;
	uint64_t quota_bytes, state;
	struct stmt *s;
	enum err e;

	if (op->state > ACCOUNT_DISABLED || op->display_name.n > NAME_MAX_BYTES)
		return ERR_INVALID;
	e = db_one(tx->db,
	           "SELECT id, version, display_name, quota_bytes, state FROM account"
	           " WHERE address = $1",
	           VALUES(V_S(op->address)), &s);
	if (e != OK)
		return e;
	answer->id = db_u64(s, 0);
	answer->version = db_u64(s, 1);
	name = arena_str(tx->arena, db_str(s, 2));
	quota_bytes = db_u64(s, 3);
	state = db_u64(s, 4);
	db_end(&s);
	if (op->if_version && answer->version != op->if_version)
		return ERR_ETAG;
	was = account_words(tx, name, quota_bytes, state);
	name = op->fields & ACCOUNT_SET_DISPLAY_NAME ? op->display_name : name;
	quota_bytes = op->fields & ACCOUNT_SET_QUOTA ? op->quota_bytes : quota_bytes;
	state = op->fields & ACCOUNT_SET_STATE ? op->state : state;
	answer->version++;
	e = tx_run(tx,
	           "UPDATE account SET display_name = $1, quota_bytes = $2, state = $3,"
	           " version = $4 WHERE id = $5",
	           VALUES(V_S(name), V_I(quota_bytes), V_I(state), V_I(answer->version),
	                  V_I(answer->id)));
	LIST_EACH(&tx->accounts, l)
	{
		struct tx_account *acc = CONTAINER_OF(l, struct tx_account, link);

		if (acc->id == answer->id) {
			acc->quota_bytes = quota_bytes;
			acc->state = (uint32_t)state;
		}
	}
	tx_changed_setting(tx, "account", op->address);
	return e == OK ? tx_audit(tx, &op->actor, "account.update", op->address, was,
	                          account_words(tx, name, quota_bytes, state))
	               : e;
}

/* password is a hash by now. */
enum err
op_account_password_apply(struct tx *tx, const struct op_account_password *op,
                          struct answer_none *answer)
{
	struct found f;
	enum err e = find_account(tx, op->address, &f);

	(void)answer;
	if (e != OK)
		return e;
	tx_changed_setting(tx, "account", op->address);
	e = tx_run(tx,
	           "UPDATE account SET password = $1, password_version ="
	           " password_version + 1, version = version + 1 WHERE id = $2",
	           VALUES(V_S(op->password), V_I(f.id)));
	return e == OK ? tx_audit(tx, &op->actor, "account.password", op->address,
	                          str_from(NULL), str_from(NULL))
	               : e;
}

enum err
tx_account_drop(struct tx *tx, uint64_t id)
{
	struct tx_account *acc;
	struct stmt *s;
	enum err e = tx_account(tx, id, &acc);

	while (e == OK) {
		struct tx_mailbox *m;
		uint64_t mailbox_id;

		e = db_one(tx->db, "SELECT id FROM mailbox WHERE account_id = $1 LIMIT 1",
		           VALUES(V_I(id)), &s);
		if (e != OK)
			break;
		mailbox_id = db_u64(s, 0);
		db_end(&s);
		e = tx_mailbox(tx, id, mailbox_id, &m);
		if (e == OK)
			e = tx_mailbox_drop(tx, m);
	}
	if (e == ERR_NOT_FOUND)
		e = tx_run(tx, "DELETE FROM subscription WHERE account_id = $1",
		           VALUES(V_I(id)));
	if (e == OK)
		e = tx_run(tx, "DELETE FROM account WHERE id = $1", VALUES(V_I(id)));
	if (e == OK)
		acc->is_gone = true;
	return e;
}

enum err
op_account_remove_apply(struct tx *tx, const struct op_account_remove *op,
                        struct answer_none *answer)
{
	struct found f;
	enum err e = find_account(tx, op->address, &f);

	(void)answer;
	if (e == OK && op->if_version && f.version != op->if_version)
		e = ERR_ETAG;
	if (e == OK)
		e = tx_account_drop(tx, f.id);
	if (e != OK)
		return e;
	tx_changed_setting(tx, "account", op->address);
	return tx_audit(tx, &op->actor, "account.remove", op->address, f.was,
	                str_from(NULL));
}

/* --- aliases ------------------------------------------------------------------------ */

static enum err
join_targets(struct tx *tx, const struct op_alias_put *op, struct str *out)
{
	struct strbuf b = strbuf_arena(tx->arena, TARGETS_MAX_BYTES);

	for (size_t i = 0; i < op->targets_count; i++) {
		struct str t = op->targets[i];

		if (!t.n || str_find(t, ' ') != SIZE_MAX ||
		    str_find(t, '@') == SIZE_MAX || str_eq_icase(t, op->address))
			return ERR_INVALID;
		if (b.n)
			strbuf_byte(&b, ' ');
		strbuf_add(&b, t);
	}
	if (b.overflow)
		return ERR_LIMIT;
	*out = strbuf_str(&b);
	return out->n ? OK : ERR_INVALID;
}

static enum err
alias_check(struct tx *tx, const struct op_alias_put *op, struct found *f,
            struct found *domain, struct str *targets)
{
	struct found account;
	enum err e = join_targets(tx, op, targets);

	if (e == OK)
		e = find_domain(tx, domain_of(op->address), domain);
	if (e != OK)
		return e;
	e = find_account(tx, op->address, &account);
	if (e != ERR_NOT_FOUND)
		return e == OK ? ERR_EXISTS : e;
	e = find_alias(tx, op->address, f);
	if (e == OK && op->if_absent)
		return ERR_EXISTS;
	if (e != OK && e != ERR_NOT_FOUND)
		return e;
	return op->if_version && f->version != op->if_version ? ERR_ETAG : OK;
}

enum err
op_alias_put_apply(struct tx *tx, const struct op_alias_put *op, struct answer_id *answer)
{
	struct found f, domain;
	struct str targets;
	enum err e = alias_check(tx, op, &f, &domain, &targets);

	if (e != OK)
		return e;
	tx_changed_setting(tx, "alias", op->address);
	answer->version = f.version + 1;
	answer->id = f.id;
	if (f.id)
		e = tx_run(tx,
		           "UPDATE alias SET targets = $1, enabled = $2, version = $3"
		           " WHERE id = $4",
		           VALUES(V_S(targets), V_I(op->enabled), V_I(answer->version),
		                  V_I(f.id)));
	else
		e = tx_id(tx, &answer->id);
	if (e == OK && !f.id)
		e = tx_run(tx,
		           "INSERT INTO alias (id, domain_id, address, targets, enabled,"
		           " created_ms, version) VALUES ($1, $2, $3, $4, $5, $6, 1)",
		           VALUES(V_I(answer->id), V_I(domain.id), V_S(op->address),
		                  V_S(targets), V_I(op->enabled), V_I(tx->now_ms)));
	return e == OK ? tx_audit(tx, &op->actor, f.id ? "alias.update" : "alias.create",
	                          op->address, f.was, targets)
	               : e;
}

enum err
op_alias_remove_apply(struct tx *tx, const struct op_alias_remove *op,
                      struct answer_none *answer)
{
	struct found f;
	enum err e = find_alias(tx, op->address, &f);

	(void)answer;
	if (e == OK && op->if_version && f.version != op->if_version)
		e = ERR_ETAG;
	if (e == OK)
		e = tx_run(tx, "DELETE FROM alias WHERE id = $1", VALUES(V_I(f.id)));
	if (e != OK)
		return e;
	tx_changed_setting(tx, "alias", op->address);
	return tx_audit(tx, &op->actor, "alias.remove", op->address, f.was,
	                str_from(NULL));
}
