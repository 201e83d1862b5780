/* What large operations leave behind is taken apart in turns, so that nobody waits long
 * for the committer. The states of a mailbox, and who leads from one to the next:
 *
 *   M0  row of an account                   tx_mailbox_new
 *   M1  row of account 0: nobody sees it,   tx_mailbox_drop, with the answer to DELETE;
 *       nobody pays for it                  its name and its room are free at once
 *   M2  the same with fewer entries         op_mailbox_purge_apply, asked for by
 *                                           housekeeping.c as long as there is an M1
 *   M3  no row                              the last of these turns
 *
 * A turn is a transaction: after a crash the next store finds M1 or M2 and goes on.
 */
#include "store/tx.h"

/* Has it been removed, and not been taken apart yet? */
static enum err
is_nobodys(struct tx *tx, uint64_t mailbox_id)
{
	struct stmt *s;
	enum err e =
		db_one(tx->db, "SELECT id FROM mailbox WHERE id = $1 AND account_id = 0",
	               VALUES(V_I(mailbox_id)), &s);

	db_end(&s);
	return e;
}

/* A turn's entries and their messages. *last_out: the last UID; 0: there was none. */
static enum err
purge_entries(struct tx *tx, uint64_t mailbox_id, uint32_t *last_out)
{
	uint64_t *ids = ARENA_ARRAY(tx->arena, uint64_t, STORE_TURN_ROWS);
	struct stmt *s = db_query(tx->db,
	                          "SELECT uid, message_id FROM entry"
	                          " WHERE mailbox_id = $1 ORDER BY uid LIMIT $2",
	                          VALUES(V_I(mailbox_id), V_I(STORE_TURN_ROWS)));
	size_t n = 0;
	enum err e;

	*last_out = 0;
	while (n < STORE_TURN_ROWS && db_next(s)) {
		*last_out = db_u32(s, 0);
		ids[n++] = db_u64(s, 1);
	}
	e = db_done(tx->db, &s);
	for (size_t i = 0; i < n && e == OK; i++)
		e = tx_message_drop(tx, ids[i], 1);
	if (e == OK && n)
		e = tx_run(tx, "DELETE FROM entry WHERE mailbox_id = $1 AND uid <= $2",
		           VALUES(V_I(mailbox_id), V_I(*last_out)));
	return e;
}

/* What it remembers of messages that went before: a turn's modseqs. ERR_NOT_FOUND: it
   remembers nothing. */
static enum err
purge_memory(struct tx *tx, uint64_t mailbox_id)
{
	struct stmt *s = db_query(tx->db,
	                          "SELECT modseq FROM expunged WHERE mailbox_id = $1"
	                          " ORDER BY modseq, uid LIMIT $2",
	                          VALUES(V_I(mailbox_id), V_I(STORE_TURN_ROWS)));
	uint64_t modseq = 0;
	enum err e;

	while (db_next(s))
		modseq = db_u64(s, 0);
	e = db_done(tx->db, &s);
	if (e == OK && !modseq)
		return ERR_NOT_FOUND;
	return e == OK ? tx_run(tx,
	                        "DELETE FROM expunged WHERE mailbox_id = $1 AND"
	                        " modseq <= $2",
	                        VALUES(V_I(mailbox_id), V_I(modseq)))
	               : e;
}

enum err
op_mailbox_purge_apply(struct tx *tx, const struct op_mailbox_purge *op,
                       struct answer_none *answer)
{
	uint32_t last = 0;
	enum err e = is_nobodys(tx, op->mailbox_id);

	(void)answer;
	if (e == OK)
		e = purge_entries(tx, op->mailbox_id, &last);
	if (e != OK || last)
		return e;
	e = purge_memory(tx, op->mailbox_id);
	if (e != ERR_NOT_FOUND)
		return e;
	e = tx_run(tx, "DELETE FROM keyword WHERE mailbox_id = $1",
	           VALUES(V_I(op->mailbox_id)));
	return e == OK ? tx_run(tx, "DELETE FROM mailbox WHERE id = $1",
	                        VALUES(V_I(op->mailbox_id)))
	               : e;
}
