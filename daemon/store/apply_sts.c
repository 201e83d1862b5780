/* What other domains demand of the way to them: policies of MTA-STS. */
#include "store/tx.h"

#include "base/duration.h"

enum {
	DOMAIN_MAX = 253,
	ID_MAX = 32,
	BODY_MAX = 64 << 10,
	FAULT_MAX = 500,
};

/* How long a failure is shown where there is no policy that still holds. */
static const int64_t failure_keep_ms = 7 * DAY_MS;

/* Nobody asks for one that has expired: each new one sweeps. */
static enum err
sweep(struct tx *tx, int64_t now_ms)
{
	return tx_run(tx,
	              "DELETE FROM sts_policy WHERE expires_ms < $1 AND failed_ms < $2",
	              VALUES(V_I(now_ms), V_I(now_ms - failure_keep_ms)));
}

enum err
op_sts_put_apply(struct tx *tx, const struct op_sts_put *op, struct answer_none *answer)
{
	enum err e;

	(void)answer;
	if (!op->domain.n || op->domain.n > DOMAIN_MAX || op->policy_id.n > ID_MAX ||
	    op->body.n > BODY_MAX)
		return ERR_INVALID;
	e = sweep(tx, op->fetched_ms);
	if (e != OK)
		return e;
	return tx_run(tx,
	              "INSERT INTO sts_policy (domain, policy_id, body, fetched_ms,"
	              " expires_ms) VALUES ($1, $2, $3, $4, $5) ON CONFLICT (domain) DO"
	              " UPDATE SET policy_id = excluded.policy_id, body = excluded.body,"
	              " fetched_ms = excluded.fetched_ms, expires_ms ="
	              " excluded.expires_ms, failed_ms = 0, fault = '', asked_ms = 0",
	              VALUES(V_S(op->domain), V_S(op->policy_id), V_S(op->body),
	                     V_I(op->fetched_ms), V_I(op->expires_ms)));
}

enum err
op_sts_failed_apply(struct tx *tx, const struct op_sts_failed *op,
                    struct answer_none *answer)
{
	enum err e;

	(void)answer;
	if (!op->domain.n || op->domain.n > DOMAIN_MAX)
		return ERR_INVALID;
	e = sweep(tx, op->at_ms);
	if (e != OK)
		return e;
	return tx_run(tx,
	              "INSERT INTO sts_policy (domain, failed_ms, fault) VALUES"
	              " ($1, $2, $3) ON CONFLICT (domain) DO UPDATE SET failed_ms ="
	              " excluded.failed_ms, fault = excluded.fault, asked_ms = 0",
	              VALUES(V_S(op->domain), V_I(op->at_ms),
	                     V_S(str_first(op->fault, FAULT_MAX))));
}

enum err
op_sts_ask_apply(struct tx *tx, const struct op_sts_ask *op, struct answer_none *answer)
{
	enum err e = tx_run(tx, "UPDATE sts_policy SET asked_ms = $1 WHERE domain = $2",
	                    VALUES(V_I(tx->now_ms), V_S(op->domain)));

	(void)answer;
	if (e == OK && !db_changed(tx->db))
		e = ERR_NOT_FOUND;
	if (e == OK)
		tx_changed_setting(tx, "sts_ask", op->domain);
	return e;
}
