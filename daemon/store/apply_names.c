/* What the name service says of our domains, and what they say of themselves. */
#include "store/tx.h"

enum {
	MUTE_NAME_MAX = 300,
	CHANGES_KEPT = 500, /* of one domain */
	ROWS_MAX = 500,
	BODY_MAX_BYTES = 64 * 1024,
	VALUE_MAX_BYTES = 16 * 1024,
};

enum err
tx_domain_id(struct tx *tx, struct str name, uint64_t *id_out)
{
	struct stmt *s;
	enum err e = db_one(tx->db, "SELECT id FROM domain WHERE name = $1",
	                    VALUES(V_S(name)), &s);

	*id_out = e == OK ? db_u64(s, 0) : 0;
	db_end(&s);
	return e;
}

void
tx_drop_key_file(struct tx *tx, struct str file)
{
	if (!file.n)
		return;
	if (tx->dropped_keys.n)
		strbuf_byte(&tx->dropped_keys, ' ');
	strbuf_add(&tx->dropped_keys, file);
}

enum err
tx_domain_names_drop(struct tx *tx, uint64_t domain_id)
{
	static const char *const deletes[] = {
		"DELETE FROM dkim_key WHERE domain_id = $1",
		"DELETE FROM domain_policy WHERE domain_id = $1",
		"DELETE FROM dns_zone WHERE domain_id = $1",
		"DELETE FROM dns_row WHERE domain_id = $1",
		"DELETE FROM dns_change WHERE domain_id = $1",
		"DELETE FROM dns_mute WHERE domain_id = $1",
	};
	struct stmt *s =
		db_query(tx->db, "SELECT file FROM dkim_key WHERE domain_id = $1",
	                 VALUES(V_I(domain_id)));
	enum err e;

	while (db_next(s))
		tx_drop_key_file(tx, db_str(s, 0));
	e = db_done(tx->db, &s);
	for (size_t i = 0; i < ARRAY_LEN(deletes) && e == OK; i++)
		e = tx_run(tx, deletes[i], VALUES(V_I(domain_id)));
	return e == OK ? tx_domain_reports_drop(tx, domain_id) : e;
}

/* --- policies ----------------------------------------------------------------------- */

enum err
op_domain_policy_put_apply(struct tx *tx, const struct op_domain_policy_put *op,
                           struct answer_id *answer)
{
	struct str was = str_from(NULL);
	uint64_t domain_id, version = 0;
	struct stmt *s;
	enum err e = tx_domain_id(tx, op->domain, &domain_id);

	if (e != OK)
		return e;
	if (!op->name.n || op->name.n > 32 || op->value.n > VALUE_MAX_BYTES)
		return ERR_INVALID;
	e = db_one(tx->db,
	           "SELECT version, value FROM domain_policy WHERE domain_id = $1"
	           " AND name = $2",
	           VALUES(V_I(domain_id), V_S(op->name)), &s);
	if (e == OK) {
		version = db_u64(s, 0);
		was = arena_str(tx->arena, db_str(s, 1));
	}
	db_end(&s);
	if (e != OK && e != ERR_NOT_FOUND)
		return e;
	if (op->if_version && version != op->if_version)
		return ERR_ETAG;
	answer->id = domain_id;
	answer->version = op->value.n ? version + 1 : 0;
	e = op->value.n
	            ? tx_run(tx,
	                     "INSERT INTO domain_policy (domain_id, name, value,"
	                     " changed_ms, version) VALUES ($1, $2, $3, $4, $5)"
	                     " ON CONFLICT (domain_id, name) DO UPDATE SET"
	                     " value = excluded.value, changed_ms = excluded.changed_ms,"
	                     " version = excluded.version",
	                     VALUES(V_I(domain_id), V_S(op->name), V_S(op->value),
	                            V_I(tx->now_ms), V_I(answer->version)))
	            : tx_run(tx,
	                     "DELETE FROM domain_policy WHERE domain_id = $1"
	                     " AND name = $2",
	                     VALUES(V_I(domain_id), V_S(op->name)));
	if (e == OK)
		e = tx_run(tx, "UPDATE dns_zone SET next_ms = 0 WHERE domain_id = $1",
		           VALUES(V_I(domain_id)));
	if (e != OK)
		return e;
	tx_changed_setting(tx, "policy", op->domain);
	return tx_audit(tx, &op->actor, "domain.policy",
	                arena_printf(tx->arena, "%.*s %.*s", STR_ARG(op->domain),
	                             STR_ARG(op->name)),
	                was, op->value);
}

/* --- looking ------------------------------------------------------------------------ */

enum err
op_dns_ask_apply(struct tx *tx, const struct op_dns_ask *op, struct answer_none *answer)
{
	uint64_t domain_id;
	enum err e = tx_domain_id(tx, op->domain, &domain_id);

	(void)answer;
	if (e != OK)
		return e;
	tx_changed_setting(tx, "dns_ask", op->domain);
	return tx_run(tx,
	              "INSERT INTO dns_zone (domain_id, asked_ms) VALUES ($1, $2)"
	              " ON CONFLICT (domain_id) DO UPDATE SET asked_ms = CASE WHEN"
	              " dns_zone.checked_ms < excluded.asked_ms THEN"
	              " excluded.asked_ms ELSE dns_zone.checked_ms + 1 END",
	              VALUES(V_I(domain_id), V_I(tx->now_ms)));
}

enum err
op_dns_again_apply(struct tx *tx, const struct op_dns_again *op,
                   struct answer_none *answer)
{
	(void)answer;
	tx_changed_setting(tx, "dns_ask", STR("*"));
	return tx_run(tx, "UPDATE dns_zone SET next_ms = 0 WHERE checked_ms < $1",
	              VALUES(V_I(op->at_ms)));
}

enum err
op_dns_mute_apply(struct tx *tx, const struct op_dns_mute *op, struct answer_none *answer)
{
	uint64_t domain_id;
	enum err e = tx_domain_id(tx, op->domain, &domain_id);

	(void)answer;
	if (e != OK)
		return e;
	if (!op->name.n || op->name.n > MUTE_NAME_MAX)
		return ERR_INVALID;
	if (op->is_muted)
		e = tx_run(tx,
		           "INSERT INTO dns_mute (domain_id, name, by_whom, at_ms)"
		           " VALUES ($1, $2, $3, $4) ON CONFLICT DO NOTHING",
		           VALUES(V_I(domain_id), V_S(op->name), V_S(op->actor.name),
		                  V_I(tx->now_ms)));
	else
		e = tx_run(tx, "DELETE FROM dns_mute WHERE domain_id = $1 AND name = $2",
		           VALUES(V_I(domain_id), V_S(op->name)));
	if (e != OK || !db_changed(tx->db))
		return e;
	tx_changed_setting(tx, "dns_mute", op->domain);
	return tx_audit(tx, &op->actor, op->is_muted ? "dns.mute" : "dns.unmute",
	                arena_printf(tx->arena, "%.*s %.*s", STR_ARG(op->domain),
	                             STR_ARG(op->name)),
	                str_from(NULL), str_from(NULL));
}

static void
tell_change(struct tx *tx, const struct op_dns_result *op, const struct dns_row_new *row,
            struct str was)
{
	struct event e;

	event_init(&e, EV_DNS_CHANGED, str_from(NULL), str_from(NULL));
	event_str(&e, "domain", op->domain);
	event_str(&e, "record", row->name);
	event_str(&e, "state", row->state);
	event_str(&e, "was", was);
	event_str(&e, "cause", row->cause);
	tx_event(tx, &e);
}

static enum err
note_change(struct tx *tx, uint64_t domain_id, const struct dns_row_new *row,
            struct str was)
{
	uint64_t id;
	enum err e = tx_id(tx, &id);

	if (e != OK)
		return e;
	return tx_run(
		tx,
		"INSERT INTO dns_change (id, domain_id, name, at_ms, old_state, state,"
		" cause, body) VALUES ($1, $2, $3, $4, $5, $6, $7, $8)",
		VALUES(V_I(id), V_I(domain_id), V_S(row->name), V_I(tx->now_ms), V_S(was),
	               V_S(row->state), V_S(row->cause), V_S(row->body)));
}

/* "since" is when the state was last another one; a first look is no change. A look that
   got no answer neither: the row keeps what was known before, marked unknown. */
static enum err
put_row(struct tx *tx, const struct op_dns_result *op, uint64_t domain_id,
        const struct dns_row_new *row)
{
	struct str was = str_from(NULL), was_cause = str_from(NULL);
	int64_t since_ms = op->checked_ms;
	struct stmt *s;
	enum err e;

	if (!row->name.n || row->name.n > 300 || row->body.n > BODY_MAX_BYTES)
		return ERR_INVALID;
	e = db_one(tx->db,
	           "SELECT state, cause, since_ms FROM dns_row WHERE domain_id = $1"
	           " AND name = $2",
	           VALUES(V_I(domain_id), V_S(row->name)), &s);
	if (e == OK) {
		was = arena_str(tx->arena, db_str(s, 0));
		was_cause = arena_str(tx->arena, db_str(s, 1));
		if (str_eq(was, row->state))
			since_ms = db_i64(s, 2);
	}
	db_end(&s);
	if (e != OK && e != ERR_NOT_FOUND)
		return e;
	if (was.n && (!str_eq(was, row->state) || !str_eq(was_cause, row->cause))) {
		tell_change(tx, op, row, was);
		e = note_change(tx, domain_id, row, was);
		if (e != OK)
			return e;
	}
	return tx_run(
		tx,
		"INSERT INTO dns_row (domain_id, name, state, cause, body, since_ms,"
		" checked_ms) VALUES ($1, $2, $3, $4, $5, $6, $7)"
		" ON CONFLICT (domain_id, name) DO UPDATE SET state ="
		" excluded.state, cause = excluded.cause, body = excluded.body,"
		" since_ms = excluded.since_ms, checked_ms = excluded.checked_ms",
		VALUES(V_I(domain_id), V_S(row->name), V_S(row->state), V_S(row->cause),
	               V_S(row->body), V_I(since_ms), V_I(op->checked_ms)));
}

/* Old changes, and rows that this look does not know any more. */
static enum err
forget_old(struct tx *tx, const struct op_dns_result *op, uint64_t domain_id)
{
	enum err e =
		tx_run(tx, "DELETE FROM dns_row WHERE domain_id = $1 AND checked_ms < $2",
	               VALUES(V_I(domain_id), V_I(op->checked_ms)));

	if (e != OK)
		return e;
	return tx_run(
		tx,
		"DELETE FROM dns_change WHERE domain_id = $1 AND id <= (SELECT id FROM"
		" dns_change WHERE domain_id = $1 ORDER BY id DESC LIMIT 1 OFFSET $2)",
		VALUES(V_I(domain_id), V_I(CHANGES_KEPT)));
}

/* A question from the future (the clock was set back) is answered too: a look by the
   right clock never is later than it. */
enum err
op_dns_result_apply(struct tx *tx, const struct op_dns_result *op,
                    struct answer_none *answer)
{
	uint64_t domain_id;
	struct event event;
	enum err e = tx_domain_id(tx, op->domain, &domain_id);

	(void)answer;
	if (e != OK)
		return e;
	if (op->rows_count > ROWS_MAX || op->servers.n > BODY_MAX_BYTES ||
	    op->facts.n > BODY_MAX_BYTES)
		return ERR_INVALID;
	for (size_t i = 0; i < op->rows_count && e == OK; i++)
		e = put_row(tx, op, domain_id, &op->rows[i]);
	if (e == OK)
		e = forget_old(tx, op, domain_id);
	if (e == OK)
		e = tx_run(
			tx,
			"INSERT INTO dns_zone (domain_id, checked_ms, next_ms, servers,"
			" facts) VALUES ($1, $2, $3, $4, $5)"
			" ON CONFLICT (domain_id) DO UPDATE SET checked_ms ="
			" excluded.checked_ms, next_ms = excluded.next_ms,"
			" servers = excluded.servers, facts = excluded.facts,"
			" asked_ms = CASE WHEN dns_zone.asked_ms > $6 THEN 0 ELSE"
			" dns_zone.asked_ms END",
			VALUES(V_I(domain_id), V_I(op->checked_ms), V_I(op->next_ms),
		               V_S(op->servers), V_S(op->facts), V_I(tx->now_ms)));
	event_init(&event, EV_DNS_CHECKED, str_from(NULL), str_from(NULL));
	event_str(&event, "domain", op->domain);
	event_i64(&event, "records", (int64_t)op->rows_count);
	tx_event(tx, &event);
	return e;
}
