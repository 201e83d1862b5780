/* Who may administer: admins, tokens, browser sessions; and settings. */
#include "store/tx.h"

#include "base/utf8.h"

enum {
	NAME_MAX_BYTES = 256,
	TEXT_MAX_BYTES = 4096,
	VALUE_MAX_BYTES = 256 * 1024,
	DIGEST_BYTES = 32,
};

static const struct str roles[] = {
	STR_INIT("owner"),    STR_INIT("admin"),        STR_INIT("operator"),
	STR_INIT("helpdesk"), STR_INIT("domain_admin"), STR_INIT("auditor"),
};

static bool
is_role(struct str role)
{
	for (size_t i = 0; i < ARRAY_LEN(roles); i++) {
		if (str_eq(roles[i], role))
			return true;
	}
	return false;
}

static bool
is_name(struct str name)
{
	for (size_t i = 0; i < name.n; i++) {
		if ((unsigned char)name.p[i] <= ' ' || name.p[i] == 0x7f)
			return false;
	}
	return name.n && name.n <= NAME_MAX_BYTES && utf8_check(name);
}

struct found_admin {
	uint64_t id, version;
	struct str role;
	bool enabled;
};

static enum err
find_admin(struct tx *tx, struct str name, struct found_admin *f)
{
	struct stmt *s;
	enum err e = db_one(
		tx->db, "SELECT id, version, role, enabled FROM admin WHERE name = $1",
		VALUES(V_S(name)), &s);

	if (e != OK)
		return e;
	f->id = db_u64(s, 0);
	f->version = db_u64(s, 1);
	f->role = arena_str(tx->arena, db_str(s, 2));
	f->enabled = db_u64(s, 3) != 0;
	db_end(&s);
	return OK;
}

enum err
op_admin_create_apply(struct tx *tx, const struct op_admin_create *op,
                      struct answer_id *answer)
{
	struct found_admin f;
	enum err e;

	if (!is_name(op->name) || !is_role(op->role) || !op->password.n)
		return ERR_INVALID;
	e = find_admin(tx, op->name, &f);
	if (e != ERR_NOT_FOUND)
		return e == OK ? ERR_EXISTS : e;
	e = tx_id(tx, &answer->id);
	answer->version = 1;
	if (e == OK)
		e = tx_run(
			tx,
			"INSERT INTO admin (id, name, password, password_version, role,"
			" enabled, created_ms, version)"
			" VALUES ($1, $2, $3, 1, $4, 1, $5, 1)",
			VALUES(V_I(answer->id), V_S(op->name), V_S(op->password),
		               V_S(op->role), V_I(tx->now_ms)));
	tx_changed_setting(tx, "admin", op->name);
	return e == OK ? tx_audit(tx, &op->actor, "admin.create", op->name,
	                          str_from(NULL), op->role)
	               : e;
}

static enum err
end_sessions(struct tx *tx, uint64_t admin_id)
{
	return tx_run(tx, "DELETE FROM web_session WHERE admin_id = $1",
	              VALUES(V_I(admin_id)));
}

/* The last owner who can still sign in may not be locked out by anybody. */
static enum err
check_owner_left(struct tx *tx, const struct found_admin *f, bool stays_owner)
{
	struct stmt *s;
	enum err e;

	if (stays_owner || !f->enabled || !str_eq(f->role, STR("owner")))
		return OK;
	e = db_one(tx->db,
	           "SELECT count(*) FROM admin WHERE role = 'owner' AND enabled = 1",
	           NO_VALUES, &s);
	if (e == OK && db_u64(s, 0) <= 1)
		e = ERR_CONFLICT;
	db_end(&s);
	return e;
}

enum err
op_admin_update_apply(struct tx *tx, const struct op_admin_update *op,
                      struct answer_id *answer)
{
	struct found_admin f;
	struct str role;
	enum err e = find_admin(tx, op->name, &f);

	if (e != OK)
		return e;
	role = op->role.n ? op->role : f.role;
	if (!is_role(role))
		return ERR_INVALID;
	if (op->if_version && f.version != op->if_version)
		return ERR_ETAG;
	e = check_owner_left(tx, &f, op->enabled && str_eq(role, STR("owner")));
	if (e != OK)
		return e;
	answer->id = f.id;
	answer->version = f.version + 1;
	tx_changed_setting(tx, "admin", op->name);
	e = tx_run(tx,
	           "UPDATE admin SET role = $1, enabled = $2, version = $3 WHERE id = $4",
	           VALUES(V_S(role), V_I(op->enabled), V_I(answer->version), V_I(f.id)));
	if (e == OK && !op->enabled)
		e = end_sessions(tx, f.id);
	return e == OK ? tx_audit(tx, &op->actor, "admin.update", op->name, f.role, role)
	               : e;
}

enum err
op_admin_password_apply(struct tx *tx, const struct op_admin_password *op,
                        struct answer_none *answer)
{
	struct found_admin f;
	enum err e = find_admin(tx, op->name, &f);

	(void)answer;
	if (e != OK)
		return e;
	tx_changed_setting(tx, "admin", op->name);
	e = tx_run(tx,
	           "UPDATE admin SET password = $1, password_version ="
	           " password_version + 1, version = version + 1 WHERE id = $2",
	           VALUES(V_S(op->password), V_I(f.id)));
	if (e == OK)
		e = end_sessions(tx, f.id);
	return e == OK ? tx_audit(tx, &op->actor, "admin.password", op->name,
	                          str_from(NULL), str_from(NULL))
	               : e;
}

enum err
op_admin_remove_apply(struct tx *tx, const struct op_admin_remove *op,
                      struct answer_none *answer)
{
	struct found_admin f;
	enum err e = find_admin(tx, op->name, &f);

	(void)answer;
	if (e == OK)
		e = check_owner_left(tx, &f, false);
	if (e != OK)
		return e;
	tx_changed_setting(tx, "admin", op->name);
	e = end_sessions(tx, f.id);
	if (e == OK)
		e = tx_run(tx, "UPDATE token SET revoked = 1 WHERE admin_id = $1",
		           VALUES(V_I(f.id)));
	if (e == OK)
		e = tx_run(tx, "DELETE FROM admin WHERE id = $1", VALUES(V_I(f.id)));
	return e == OK ? tx_audit(tx, &op->actor, "admin.remove", op->name, f.role,
	                          str_from(NULL))
	               : e;
}

/* --- tokens ------------------------------------------------------------------------- */

enum err
op_token_create_apply(struct tx *tx, const struct op_token_create *op,
                      struct answer_id *answer)
{
	enum err e;

	if (!op->name.n || op->name.n > NAME_MAX_BYTES || op->hash.n != DIGEST_BYTES ||
	    op->scopes.n > TEXT_MAX_BYTES || op->domains.n > TEXT_MAX_BYTES ||
	    op->networks.n > TEXT_MAX_BYTES)
		return ERR_INVALID;
	e = tx_id(tx, &answer->id);
	answer->version = 1;
	tx_changed_setting(tx, "token", op->name);
	if (e == OK)
		e = tx_run(tx,
		           "INSERT INTO token (id, name, hash, scopes, domains, networks,"
		           " admin_id, created_ms, expires_ms)"
		           " VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)",
		           VALUES(V_I(answer->id), V_S(op->name), V_B(op->hash),
		                  V_S(op->scopes), V_S(op->domains), V_S(op->networks),
		                  V_I(op->admin_id), V_I(tx->now_ms),
		                  V_I(op->expires_ms)));
	return e == OK ? tx_audit(tx, &op->actor, "token.create", op->name,
	                          str_from(NULL), op->scopes)
	               : e;
}

enum err
op_token_revoke_apply(struct tx *tx, const struct op_token_revoke *op,
                      struct answer_none *answer)
{
	struct str name;
	struct stmt *s;
	enum err e = db_one(tx->db, "SELECT name FROM token WHERE id = $1",
	                    VALUES(V_I(op->id)), &s);

	(void)answer;
	if (e != OK)
		return e;
	name = arena_str(tx->arena, db_str(s, 0));
	db_end(&s);
	tx_changed_setting(tx, "token", name);
	e = tx_run(tx, "UPDATE token SET revoked = 1 WHERE id = $1", VALUES(V_I(op->id)));
	return e == OK ? tx_audit(tx, &op->actor, "token.revoke", name, str_from(NULL),
	                          str_from(NULL))
	               : e;
}

enum err
op_token_used_apply(struct tx *tx, const struct op_token_used *op,
                    struct answer_none *answer)
{
	(void)answer;
	return tx_run(tx,
	              "UPDATE token SET last_used_ms = $1, last_used_ip = $2"
	              " WHERE id = $3 AND last_used_ms < $1",
	              VALUES(V_I(op->at_ms), V_S(str_first(op->ip, 64)), V_I(op->id)));
}

/* --- sessions ----------------------------------------------------------------------- */

enum err
op_session_create_apply(struct tx *tx, const struct op_session_create *op,
                        struct answer_id *answer)
{
	enum err e;

	if (op->hash.n != DIGEST_BYTES || op->csrf.n > NAME_MAX_BYTES)
		return ERR_INVALID;
	e = tx_id(tx, &answer->id);
	/* Nobody comes back to one that has expired: each new one sweeps. */
	if (e == OK)
		e = tx_run(tx, "DELETE FROM web_session WHERE expires_ms < $1",
		           VALUES(V_I(tx->now_ms)));
	if (e == OK)
		e = tx_run(tx,
		           "INSERT INTO web_session (id, admin_id, hash, csrf, ip,"
		           " user_agent, created_ms, last_used_ms, expires_ms)"
		           " VALUES ($1, $2, $3, $4, $5, $6, $7, $7, $8)",
		           VALUES(V_I(answer->id), V_I(op->admin_id), V_B(op->hash),
		                  V_S(op->csrf), V_S(str_first(op->ip, 64)),
		                  V_S(utf8_first(op->user_agent, NAME_MAX_BYTES)),
		                  V_I(tx->now_ms), V_I(op->expires_ms)));
	if (e == OK)
		e = tx_run(tx, "UPDATE admin SET last_login_ms = $1 WHERE id = $2",
		           VALUES(V_I(tx->now_ms), V_I(op->admin_id)));
	return e;
}

enum err
op_session_touch_apply(struct tx *tx, const struct op_session_touch *op,
                       struct answer_none *answer)
{
	enum err e =
		tx_run(tx,
	               "UPDATE web_session SET"
	               " last_used_ms = CASE WHEN $1 > 0 THEN $1 ELSE last_used_ms END,"
	               " expires_ms = CASE WHEN $2 > 0 THEN $2 ELSE expires_ms END,"
	               " step_up_ms = CASE WHEN $3 > 0 THEN $3 ELSE step_up_ms END"
	               " WHERE id = $4",
	               VALUES(V_I(op->used_ms), V_I(op->expires_ms), V_I(op->step_up_ms),
	                      V_I(op->id)));

	(void)answer;
	return e == OK && !db_changed(tx->db) ? ERR_NOT_FOUND : e;
}

enum err
op_session_remove_apply(struct tx *tx, const struct op_session_remove *op,
                        struct answer_none *answer)
{
	(void)answer;
	return tx_run(tx, "DELETE FROM web_session WHERE id = $1", VALUES(V_I(op->id)));
}

/* --- settings ----------------------------------------------------------------------- */

struct found_setting {
	uint64_t version; /* 0: never set */
	struct str value;
};

static enum err
find_setting(struct tx *tx, struct str key, struct found_setting *f)
{
	struct stmt *s;
	enum err e = db_one(tx->db, "SELECT version, value FROM setting WHERE name = $1",
	                    VALUES(V_S(key)), &s);

	*f = (struct found_setting){ 0 };
	if (e == ERR_NOT_FOUND)
		return OK;
	if (e != OK)
		return e;
	f->version = db_u64(s, 0);
	f->value = arena_str(tx->arena, db_str(s, 1));
	db_end(&s);
	return OK;
}

static enum err
settings_version(struct tx *tx, uint64_t *version_out)
{
	struct stmt *s;
	enum err e = db_one(tx->db, "SELECT coalesce(max(version), 0) FROM setting",
	                    NO_VALUES, &s);

	if (e != OK)
		return e;
	*version_out = db_u64(s, 0);
	db_end(&s);
	return OK;
}

/* Nothing is written before all is judged. */
static enum err
settings_check(struct tx *tx, const struct op_settings_put *op, uint64_t all)
{
	struct found_setting first;
	enum err e;

	if (!op->items_count)
		return ERR_INVALID;
	for (size_t i = 0; i < op->items_count; i++) {
		const struct setting_new *n = &op->items[i];

		if (!is_name(n->key) || n->value.n > VALUE_MAX_BYTES)
			return ERR_INVALID;
	}
	if (!op->if_version)
		return OK;
	if (!op->of_one)
		return op->if_version == all + 1 ? OK : ERR_ETAG;
	e = find_setting(tx, op->items[0].key, &first);
	return e != OK || op->if_version == first.version + 1 ? e : ERR_ETAG;
}

static enum err
setting_put(struct tx *tx, const struct actor *actor, const struct setting_new *n,
            uint64_t version)
{
	struct found_setting was;
	enum err e = find_setting(tx, n->key, &was);

	if (e != OK || str_eq(was.value, n->value))
		return e;
	tx_changed_setting(tx, "setting", n->key);
	e = tx_run(tx,
	           "INSERT INTO setting (name, value, changed_ms, changed_by, version)"
	           " VALUES ($1, $2, $3, $4, $5) ON CONFLICT (name) DO UPDATE SET"
	           " value = excluded.value, changed_ms = excluded.changed_ms,"
	           " changed_by = excluded.changed_by, version = excluded.version",
	           VALUES(V_S(n->key), V_S(n->value), V_I(tx->now_ms), V_S(actor->name),
	                  V_I(version)));
	return e == OK ? tx_audit(tx, actor, n->value.n ? "setting.set" : "setting.reset",
	                          n->key, was.value, n->value)
	               : e;
}

enum err
op_settings_put_apply(struct tx *tx, const struct op_settings_put *op,
                      struct answer_id *answer)
{
	uint64_t all;
	enum err e = settings_version(tx, &all);

	if (e == OK)
		e = settings_check(tx, op, all);
	for (size_t i = 0; i < op->items_count && e == OK; i++)
		e = setting_put(tx, &op->actor, &op->items[i], all + 1);
	if (e == OK)
		e = settings_version(tx, &answer->version);
	return e;
}

/* --- requests that may come again --------------------------------------------------- */

static enum err
api_begin_new(struct tx *tx, const struct op_api_begin *op, struct answer_api *answer)
{
	struct stmt *s;
	enum err e;

	answer->again = API_NEW;
	e = db_one(tx->db, "SELECT 1 FROM api_deed WHERE name = $1 LIMIT 1",
	           VALUES(V_B(op->deed)), &s);
	db_end(&s);
	answer->has_deeds = e == OK;
	if (e != OK && e != ERR_NOT_FOUND)
		return e;
	return tx_run(
		tx,
		"INSERT INTO api_request (name, print, epoch, at_ms, status, headers,"
		" body) VALUES ($1, $2, $3, $4, 0, '', $5) ON CONFLICT (name)"
		" DO UPDATE SET epoch = excluded.epoch, at_ms = excluded.at_ms",
		VALUES(V_B(op->name), V_B(op->print), V_I(op->epoch), V_I(tx->now_ms),
	               V_B(STR(""))));
}

/* A request that nobody answered and whose process is gone is carried out again; what it
   has done already is not, for each deed has its answer (store/op_log.h). */
enum err
op_api_begin_apply(struct tx *tx, const struct op_api_begin *op,
                   struct answer_api *answer)
{
	struct stmt *s;
	enum err e;

	if (op->name.n != DIGEST_BYTES || op->print.n != DIGEST_BYTES ||
	    op->deed.n != DIGEST_BYTES)
		return ERR_INVALID;
	e = tx_run(tx, "DELETE FROM api_deed WHERE at_ms < $1",
	           VALUES(V_I(op->keep_since_ms)));
	if (e != OK)
		return e;
	e = tx_run(tx, "DELETE FROM api_request WHERE at_ms < $1",
	           VALUES(V_I(op->keep_since_ms)));
	if (e == OK)
		e = db_one(tx->db,
		           "SELECT print, epoch, status, headers, body FROM api_request"
		           " WHERE name = $1",
		           VALUES(V_B(op->name)), &s);
	if (e == ERR_NOT_FOUND)
		return api_begin_new(tx, op, answer);
	if (e != OK)
		return e;
	answer->status = db_u32(s, 2);
	answer->headers = arena_str(tx->arena, db_str(s, 3));
	answer->body = arena_str(tx->arena, db_str(s, 4));
	answer->again = !str_eq(db_str(s, 0), op->print) ? API_OTHER
	                : answer->status                 ? API_DONE
	                : db_u64(s, 1) == op->epoch      ? API_RUNNING
	                                                 : API_NEW;
	db_end(&s);
	return answer->again == API_NEW ? api_begin_new(tx, op, answer) : OK;
}

enum err
op_api_end_apply(struct tx *tx, const struct op_api_end *op, struct answer_none *answer)
{
	enum err e;

	(void)answer;
	if (op->name.n != DIGEST_BYTES || op->body.n > VALUE_MAX_BYTES ||
	    op->headers.n > TEXT_MAX_BYTES)
		return ERR_INVALID;
	if (!op->status)
		return tx_run(tx, "DELETE FROM api_request WHERE name = $1",
		              VALUES(V_B(op->name)));
	e = tx_run(tx, "DELETE FROM api_deed WHERE name = $1", VALUES(V_B(op->deed)));
	if (e != OK)
		return e;
	return tx_run(
		tx,
		"UPDATE api_request SET status = $1, headers = $2, body = $3"
		" WHERE name = $4",
		VALUES(V_I(op->status), V_S(op->headers), V_B(op->body), V_B(op->name)));
}
