/* What other domains demand of the way to them: policies of MTA-STS. */
#include "store/tx.h"

enum {
	DOMAIN_MAX = 253,
	ID_MAX = 32,
	BODY_MAX = 64 << 10,
};

enum err
op_sts_put_apply(struct tx *tx, const struct op_sts_put *op, struct answer_none *answer)
{
	enum err e;

	(void)answer;
	if (!op->domain.n || op->domain.n > DOMAIN_MAX || op->policy_id.n > ID_MAX ||
	    op->body.n > BODY_MAX)
		return ERR_INVALID;
	/* Nobody asks for one that has expired: each new one sweeps. */
	e = tx_run(tx, "DELETE FROM sts_policy WHERE expires_ms < $1",
	           VALUES(V_I(op->fetched_ms)));
	if (e != OK)
		return e;
	return tx_run(
		tx,
		"INSERT INTO sts_policy (domain, policy_id, body, fetched_ms,"
		" expires_ms) VALUES ($1, $2, $3, $4, $5) ON CONFLICT (domain) DO"
		" UPDATE SET policy_id = excluded.policy_id, body = excluded.body,"
		" fetched_ms = excluded.fetched_ms, expires_ms = excluded.expires_ms",
		VALUES(V_S(op->domain), V_S(op->policy_id), V_S(op->body),
	               V_I(op->fetched_ms), V_I(op->expires_ms)));
}
