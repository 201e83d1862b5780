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
 *
 * And of a COPY or APPEND of several turns (ops_mail.h):
 *
 *   W0  nothing                             -
 *   W1  its entries, and rows of `staged`   op_copy_apply, op_append_apply: every turn
 *       with their UIDs                     but the last one, with the entries
 *   W2  its entries, no such row: it is     the last turn
 *       done, and may be answered OK
 *   W3  fewer entries, fewer rows           op_staged_undo_apply: asked for by the client
 *                                           where a turn failed or nobody wants it any
 *                                           more, and by housekeeping.c when the client's
 *                                           process is gone. The last one leads to W0.
 *
 * Entries are seen as they come: their UIDs would not be ascending for a reader that saw
 * later ones first. A crash of the store alone lets the client go on: its operations are
 * sent again. A crash of both leaves W1, and the next store's housekeeping leads to W0.
 */
#include "store/tx.h"

/* --- mailboxes that were removed ---------------------------------------------------- */

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
	uint32_t *uids = ARENA_ARRAY(tx->arena, uint32_t, STORE_TURN_ROWS);
	struct stmt *s = db_query(tx->db,
	                          "SELECT uid, message_id FROM entry"
	                          " WHERE mailbox_id = $1 ORDER BY uid LIMIT $2",
	                          VALUES(V_I(mailbox_id), V_I(STORE_TURN_ROWS)));
	size_t n = 0;
	enum err e;

	*last_out = 0;
	while (n < STORE_TURN_ROWS && db_next(s)) {
		uids[n] = db_u32(s, 0);
		ids[n++] = db_u64(s, 1);
	}
	e = db_done(tx->db, &s);
	for (size_t i = 0; i < n && e == OK && !tx_turn_ends(tx, i); i++) {
		e = tx_message_drop(tx, ids[i], 1);
		*last_out = uids[i];
	}
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

/* --- COPY and APPEND in turns ------------------------------------------------------- */

enum err
tx_stage_check(struct tx *tx, uint64_t work)
{
	struct stmt *s;
	enum err e = db_one(tx->db,
	                    "SELECT last FROM staged WHERE work = $1 AND epoch <> 0"
	                    " LIMIT 1",
	                    VALUES(V_I(work)), &s);

	db_end(&s);
	return e == ERR_NOT_FOUND ? ERR_CONFLICT : e;
}

enum err
tx_stage_note(struct tx *tx, uint64_t work, const struct tx_mailbox *m,
              struct tx_uids uids)
{
	if (!uids.n)
		return OK;
	return tx_run(tx,
	              "INSERT INTO staged (work, first, last, mailbox_id, account_id,"
	              " epoch) VALUES ($1, $2, $3, $4, $5, $6)",
	              VALUES(V_I(work), V_I(uids.first), V_I(uids.last), V_I(m->id),
	                     V_I(m->account_id), V_I(tx->epoch)));
}

enum err
tx_stage_end(struct tx *tx, uint64_t work)
{
	return tx_run(tx, "DELETE FROM staged WHERE work = $1", VALUES(V_I(work)));
}

struct stage {
	struct uid_range uids;
	uint64_t mailbox_id, account_id;
};

/* The newest note. */
static enum err
stage_last(struct tx *tx, uint64_t work, struct stage *out)
{
	struct stmt *s;
	enum err e = db_one(tx->db,
	                    "SELECT first, last, mailbox_id, account_id FROM staged"
	                    " WHERE work = $1 ORDER BY first DESC LIMIT 1",
	                    VALUES(V_I(work)), &s);

	if (e != OK)
		return e;
	*out = (struct stage){ { db_u32(s, 0), db_u32(s, 1) },
		               db_u64(s, 2),
		               db_u64(s, 3) };
	db_end(&s);
	return OK;
}

static enum err
stages_left(struct tx *tx, uint64_t work, uint64_t *count_out)
{
	struct stmt *s;
	enum err e = db_one(tx->db, "SELECT count(*) FROM staged WHERE work = $1",
	                    VALUES(V_I(work)), &s);

	if (e == OK)
		*count_out = db_u64(s, 0);
	db_end(&s);
	return e;
}

enum err
op_staged_undo_apply(struct tx *tx, const struct op_staged_undo *op,
                     struct answer_count *answer)
{
	struct stage stage;
	struct op_expunge expunge = { .uids = &stage.uids,
		                      .uids_count = 1,
		                      .all_flags = true };
	struct answer_expunge expunged = { 0 };
	enum err e = stage_last(tx, op->work, &stage);

	if (e != OK)
		return e == ERR_NOT_FOUND ? OK : e;
	expunge.account_id = stage.account_id;
	expunge.mailbox_id = stage.mailbox_id;
	/* Its client does not go on from here, even if it only seemed to be gone. */
	e = tx_run(tx, "UPDATE staged SET epoch = 0 WHERE work = $1 AND epoch <> 0",
	           VALUES(V_I(op->work)));
	if (e == OK)
		e = op_expunge_apply(tx, &expunge, &expunged);
	/* The mailbox may be gone, and all that was in it. */
	if (e == OK || e == ERR_NOT_FOUND)
		e = expunged.next_uid
		            ? tx_run(tx,
		                     "UPDATE staged SET first = $1 WHERE work = $2 AND"
		                     " first = $3",
		                     VALUES(V_I(expunged.next_uid), V_I(op->work),
		                            V_I(stage.uids.first)))
		            : tx_run(tx,
		                     "DELETE FROM staged WHERE work = $1 AND first = $2",
		                     VALUES(V_I(op->work), V_I(stage.uids.first)));
	return e == OK ? stages_left(tx, op->work, &answer->count) : e;
}
