/* What is looked at of the host itself: who wants it, and what came of it. */
#include "store/tx.h"

enum {
	NAME_MAX = 32,
	WORD_MAX = 64,
	TEXT_MAX = 4 << 10,
	BODY_MAX = 32 << 10,
};

enum err
op_host_ask_apply(struct tx *tx, const struct op_host_ask *op, struct answer_none *answer)
{
	(void)answer;
	if (!op->name.n || op->name.n > NAME_MAX)
		return ERR_INVALID;
	tx_changed_setting(tx, "host_ask", op->name);
	/* Later than the last run, whatever the clock did since. */
	return tx_run(tx,
	              "INSERT INTO host_check (name, asked_ms) VALUES ($1, $2)"
	              " ON CONFLICT (name) DO UPDATE SET asked_ms = CASE WHEN"
	              " host_check.checked_ms < excluded.asked_ms THEN"
	              " excluded.asked_ms ELSE host_check.checked_ms + 1 END",
	              VALUES(V_S(op->name), V_I(tx->now_ms)));
}

enum err
op_host_mute_apply(struct tx *tx, const struct op_host_mute *op,
                   struct answer_none *answer)
{
	enum err e;

	(void)answer;
	if (!op->name.n || op->name.n > NAME_MAX)
		return ERR_INVALID;
	if (op->is_muted)
		e = tx_run(tx,
		           "INSERT INTO dns_mute (domain_id, name, by_whom, at_ms)"
		           " VALUES ($1, $2, $3, $4) ON CONFLICT DO NOTHING",
		           VALUES(V_I(HOST_MUTES), V_S(op->name), V_S(op->actor.name),
		                  V_I(tx->now_ms)));
	else
		e = tx_run(tx, "DELETE FROM dns_mute WHERE domain_id = $1 AND name = $2",
		           VALUES(V_I(HOST_MUTES), V_S(op->name)));
	if (e != OK || !db_changed(tx->db))
		return e;
	return tx_audit(tx, &op->actor, op->is_muted ? "health.mute" : "health.unmute",
	                op->name, str_from(NULL), str_from(NULL));
}

static void
tell(struct tx *tx, const struct op_host_result *op, struct str was)
{
	struct event e;

	if (was.n && !str_eq(was, op->state)) {
		event_init(&e, EV_HEALTH_CHANGED, str_from(NULL), str_from(NULL));
		event_str(&e, "check", op->name);
		event_str(&e, "state", op->state);
		event_str(&e, "was", was);
		event_str(&e, "detail", op->text);
		event_str(&e, "cause", op->cause);
		tx_event(tx, &e);
	}
	event_init(&e, EV_HEALTH_CHECKED, str_from(NULL), str_from(NULL));
	event_str(&e, "check", op->name);
	event_str(&e, "state", op->state);
	tx_event(tx, &e);
}

/* "since" is when the state was last another one. A question from the future (the clock
   was set back) is answered too: a run by the right clock never looks later than it. */
enum err
op_host_result_apply(struct tx *tx, const struct op_host_result *op,
                     struct answer_none *answer)
{
	struct str was = str_from(NULL);
	int64_t since_ms = op->checked_ms;
	struct stmt *s;
	enum err e;

	(void)answer;
	if (!op->name.n || op->name.n > NAME_MAX || op->state.n > WORD_MAX ||
	    op->cause.n > WORD_MAX || op->runs.n > WORD_MAX || op->text.n > TEXT_MAX ||
	    op->body.n > BODY_MAX)
		return ERR_INVALID;
	e = db_one(tx->db, "SELECT state, since_ms FROM host_check WHERE name = $1",
	           VALUES(V_S(op->name)), &s);
	if (e == OK) {
		was = arena_str(tx->arena, db_str(s, 0));
		if (str_eq(was, op->state))
			since_ms = db_i64(s, 1);
	}
	db_end(&s);
	if (e != OK && e != ERR_NOT_FOUND)
		return e;
	tell(tx, op, was);
	return tx_run(tx,
	              "INSERT INTO host_check (name, state, cause, text, body, runs,"
	              " since_ms, checked_ms, next_ms, basis)"
	              " VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)"
	              " ON CONFLICT (name) DO UPDATE SET state = excluded.state,"
	              " cause = excluded.cause, text = excluded.text,"
	              " body = excluded.body, runs = excluded.runs, since_ms = "
	              "excluded.since_ms,"
	              " checked_ms = excluded.checked_ms, next_ms = excluded.next_ms,"
	              " basis = excluded.basis,"
	              " asked_ms = CASE WHEN host_check.asked_ms > $11 THEN 0 ELSE"
	              " host_check.asked_ms END",
	              VALUES(V_S(op->name), V_S(op->state), V_S(op->cause), V_S(op->text),
	                     V_S(op->body), V_S(op->runs), V_I(since_ms),
	                     V_I(op->checked_ms), V_I(op->next_ms), V_I(op->basis),
	                     V_I(tx->now_ms)));
}
