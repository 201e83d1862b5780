/* Reads of admins, tokens, browser sessions, settings and the audit log. */
#include "store/reader_priv.h"

#include <stddef.h>

/* --- admins ----------------------------------------------------------------------- */

#define ADMIN_SELECT                                                                     \
	"SELECT id, name, role, enabled, created_ms, last_login_ms, version FROM admin"

static void
admin_read(struct stmt *s, void *out)
{
	*(struct admin *)out = (struct admin){
		.id = db_u64(s, 0),
		.name = db_str(s, 1),
		.role = db_str(s, 2),
		.enabled = db_u64(s, 3) != 0,
		.created_ms = db_i64(s, 4),
		.last_login_ms = db_i64(s, 5),
		.version = db_u64(s, 6),
	};
}

static const uint16_t admin_strings[] = { offsetof(struct admin, name),
	                                  offsetof(struct admin, role) };
static const struct row_form admin_form = { admin_read, admin_strings, 2 };

enum err
reader_admin(struct reader *r, struct str name, struct arena *a, struct admin *out)
{
	return reader_get(r, QUERY(ADMIN_SELECT " WHERE name = $1", VALUES(V_S(name))),
	                  &admin_form, a, out);
}

enum err
reader_admin_by_id(struct reader *r, uint64_t id, struct arena *a, struct admin *out)
{
	return reader_get(r, QUERY(ADMIN_SELECT " WHERE id = $1", VALUES(V_I(id))),
	                  &admin_form, a, out);
}

static bool
admin_call(void *fn, void *arg, const void *row)
{
	return (*(reader_admin_fn **)fn)(arg, row);
}

enum err
reader_admins(struct reader *r, bool is_down, reader_admin_fn *fn, void *arg)
{
	struct admin row;

	return reader_each(r,
	                   QUERY(is_down ? ADMIN_SELECT " ORDER BY name DESC"
	                                 : ADMIN_SELECT " ORDER BY name",
	                         NO_VALUES),
	                   &admin_form, &row, ROW_CALLS(admin_call, &fn, arg));
}

/* --- tokens ----------------------------------------------------------------------- */

#define TOKEN_SELECT                                                                     \
	"SELECT id, name, hash, scopes, domains, networks, admin_id, created_ms,"        \
	" expires_ms, last_used_ms, last_used_ip, revoked FROM token"

static void
token_read(struct stmt *s, void *out)
{
	*(struct token *)out = (struct token){
		.id = db_u64(s, 0),
		.name = db_str(s, 1),
		.hash = db_str(s, 2),
		.scopes = db_str(s, 3),
		.domains = db_str(s, 4),
		.networks = db_str(s, 5),
		.admin_id = db_u64(s, 6),
		.created_ms = db_i64(s, 7),
		.expires_ms = db_i64(s, 8),
		.last_used_ms = db_i64(s, 9),
		.last_used_ip = db_str(s, 10),
		.revoked = db_u64(s, 11) != 0,
	};
}

static const uint16_t token_strings[] = {
	offsetof(struct token, name),     offsetof(struct token, hash),
	offsetof(struct token, scopes),   offsetof(struct token, domains),
	offsetof(struct token, networks), offsetof(struct token, last_used_ip),
};
static const struct row_form token_form = { token_read, token_strings,
	                                    ARRAY_LEN(token_strings) };

enum err
reader_token(struct reader *r, struct str hash, struct arena *a, struct token *out)
{
	return reader_get(r, QUERY(TOKEN_SELECT " WHERE hash = $1", VALUES(V_B(hash))),
	                  &token_form, a, out);
}

static bool
token_call(void *fn, void *arg, const void *row)
{
	return (*(reader_token_fn **)fn)(arg, row);
}

enum err
reader_tokens(struct reader *r, bool is_down, reader_token_fn *fn, void *arg)
{
	struct token row;

	return reader_each(r,
	                   QUERY(is_down ? TOKEN_SELECT " ORDER BY id DESC"
	                                 : TOKEN_SELECT " ORDER BY id",
	                         NO_VALUES),
	                   &token_form, &row, ROW_CALLS(token_call, &fn, arg));
}

/* --- browser sessions ------------------------------------------------------------- */

#define SESSION_SELECT                                                                   \
	"SELECT id, admin_id, hash, csrf, ip, user_agent, created_ms, last_used_ms,"     \
	" expires_ms, step_up_ms FROM web_session"

static void
session_read(struct stmt *s, void *out)
{
	*(struct web_session *)out = (struct web_session){
		.id = db_u64(s, 0),
		.admin_id = db_u64(s, 1),
		.hash = db_str(s, 2),
		.csrf = db_str(s, 3),
		.ip = db_str(s, 4),
		.user_agent = db_str(s, 5),
		.created_ms = db_i64(s, 6),
		.last_used_ms = db_i64(s, 7),
		.expires_ms = db_i64(s, 8),
		.step_up_ms = db_i64(s, 9),
	};
}

static const uint16_t session_strings[] = {
	offsetof(struct web_session, hash),
	offsetof(struct web_session, csrf),
	offsetof(struct web_session, ip),
	offsetof(struct web_session, user_agent),
};
static const struct row_form session_form = { session_read, session_strings,
	                                      ARRAY_LEN(session_strings) };

enum err
reader_session(struct reader *r, struct str hash, struct arena *a,
               struct web_session *out)
{
	return reader_get(r, QUERY(SESSION_SELECT " WHERE hash = $1", VALUES(V_B(hash))),
	                  &session_form, a, out);
}

/* --- settings --------------------------------------------------------------------- */

#define SETTING_SELECT "SELECT name, value, changed_ms, changed_by, version FROM setting"

static void
setting_read(struct stmt *s, void *out)
{
	*(struct setting *)out = (struct setting){
		.key = db_str(s, 0),
		.value = db_str(s, 1),
		.changed_ms = db_i64(s, 2),
		.changed_by = db_str(s, 3),
		.version = db_u64(s, 4),
	};
}

static const struct row_form setting_form = { setting_read, NULL, 0 };

static bool
setting_call(void *fn, void *arg, const void *row)
{
	return (*(reader_setting_fn **)fn)(arg, row);
}

enum err
reader_settings(struct reader *r, reader_setting_fn *fn, void *arg)
{
	struct setting row;

	return reader_each(r, QUERY(SETTING_SELECT " ORDER BY name", NO_VALUES),
	                   &setting_form, &row, ROW_CALLS(setting_call, &fn, arg));
}

/* --- audit ------------------------------------------------------------------------ */

#define AUDIT_SELECT                                                                     \
	"SELECT id, at_ms, actor, ip, request_id, action, target, old_value, new_value"  \
	" FROM audit"

static void
audit_read(struct stmt *s, void *out)
{
	*(struct audit_entry *)out = (struct audit_entry){
		.id = db_u64(s, 0),
		.at_ms = db_i64(s, 1),
		.actor = db_str(s, 2),
		.ip = db_str(s, 3),
		.request_id = db_str(s, 4),
		.action = db_str(s, 5),
		.target = db_str(s, 6),
		.old_value = db_str(s, 7),
		.new_value = db_str(s, 8),
	};
}

static const struct row_form audit_form = { audit_read, NULL, 0 };

static bool
audit_call(void *fn, void *arg, const void *row)
{
	return (*(reader_audit_fn **)fn)(arg, row);
}

enum err
reader_audit(struct reader *r, struct str target, uint64_t before, size_t limit,
             reader_audit_fn *fn, void *arg)
{
	int64_t below = before ? (int64_t)before : INT64_MAX;
	struct audit_entry row;

	if (target.n)
		return reader_each(r,
		                   QUERY(AUDIT_SELECT " WHERE target = $1 AND id < $2"
		                                      " ORDER BY id DESC LIMIT $3",
		                         VALUES(V_S(target), V_I(below), V_I(limit))),
		                   &audit_form, &row, ROW_CALLS(audit_call, &fn, arg));
	return reader_each(r,
	                   QUERY(AUDIT_SELECT " WHERE id < $1 ORDER BY id DESC LIMIT $2",
	                         VALUES(V_I(below), V_I(limit))),
	                   &audit_form, &row, ROW_CALLS(audit_call, &fn, arg));
}
