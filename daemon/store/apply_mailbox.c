/* Mailboxes themselves: create, remove, rename, subscribe. */
#include "store/tx.h"

static enum err
check_room(struct tx *tx, uint64_t account_id)
{
	struct stmt *s;
	enum err e = db_one(tx->db, "SELECT count(*) FROM mailbox WHERE account_id = $1",
	                    VALUES(V_I(account_id)), &s);

	if (e == OK && db_u64(s, 0) >= tx->limits->mailboxes_max)
		e = ERR_LIMIT;
	db_end(&s);
	return e;
}

enum err
op_mailbox_create_apply(struct tx *tx, const struct op_mailbox_create *op,
                        struct answer_mailbox *answer)
{
	struct str name = op->name;
	struct tx_mailbox *m;
	struct tx_account *acc;
	enum err e = tx_mailbox_name_check(tx, &name);

	if (e == OK && op->special_use >= USE_COUNT)
		e = ERR_INVALID;
	if (e == OK)
		e = tx_account(tx, op->account_id, &acc);
	if (e == OK) {
		e = tx_mailbox_named(tx, op->account_id, name, &m);
		e = e == OK ? ERR_EXISTS : e == ERR_NOT_FOUND ? OK : e;
	}
	if (e == OK)
		e = check_room(tx, op->account_id);
	if (e == OK)
		e = tx_mailbox_new(tx, op->account_id, name,
		                   (enum special_use)op->special_use, &m);
	if (e != OK)
		return e;
	answer->mailbox_id = m->id;
	answer->uidvalidity = m->uidvalidity;
	return OK;
}

/* Nobody's from now on, whatever its size; op_mailbox_purge_apply takes apart what is in
   it. The account has its room back at once. */
enum err
tx_mailbox_drop(struct tx *tx, struct tx_mailbox *m)
{
	struct tx_account *acc;
	enum err e = tx_account(tx, m->account_id, &acc);

	if (e == OK)
		e = tx_run(tx,
		           "UPDATE mailbox SET account_id = 0, name = CAST(id AS TEXT)"
		           " WHERE id = $1",
		           VALUES(V_I(m->id)));
	if (e != OK)
		return e;
	tx_mailbox_event(tx, EV_EXPUNGED, acc, m, NULL,
	                 (struct tx_uids){ 1, m->uidnext - 1, m->count });
	acc->used_bytes -= m->size_bytes;
	acc->message_count -= m->count;
	acc->is_dirty = true;
	m->is_gone = true;
	tx_changed_mailboxes(tx, m->account_id);
	return e;
}

enum err
op_mailbox_remove_apply(struct tx *tx, const struct op_mailbox_remove *op,
                        struct answer_none *answer)
{
	struct str name = op->name;
	struct tx_mailbox *m;
	enum err e = tx_mailbox_name_check(tx, &name);

	(void)answer;
	if (e == OK && str_eq(name, STR("INBOX")))
		return ERR_INVALID;
	if (e == OK)
		e = tx_mailbox_named(tx, op->account_id, name, &m);
	return e == OK ? tx_mailbox_drop(tx, m) : e == ERR_INVALID ? ERR_NOT_FOUND : e;
}

/* --- rename ------------------------------------------------------------------------- */

struct renamed {
	struct tx_mailbox *m;
	struct str to;
	struct renamed *next;
};

/* Every mailbox of the account below from, with its new name; all must be free. */
static enum err
children_load(struct tx *tx, const struct op_mailbox_rename *op, struct str from,
              struct str to, struct renamed **list)
{
	uint64_t *ids = ARENA_ARRAY(tx->arena, uint64_t, tx->limits->mailboxes_max);
	struct str below = arena_printf(tx->arena, "%.*s/", STR_ARG(from));
	struct stmt *s = db_query(tx->db,
	                          "SELECT id, name FROM mailbox WHERE account_id = $1 AND"
	                          " name > $2 ORDER BY name",
	                          VALUES(V_I(op->account_id), V_S(below)));
	size_t n = 0;
	enum err e;

	while (n < tx->limits->mailboxes_max && db_next(s)) {
		if (!str_starts(db_str(s, 1), below))
			break;
		ids[n++] = db_u64(s, 0);
	}
	e = db_done(tx->db, &s);
	for (size_t i = 0; i < n && e == OK; i++) {
		struct renamed *r = ARENA_NEW(tx->arena, struct renamed);

		e = tx_mailbox(tx, op->account_id, ids[i], &r->m);
		if (e != OK)
			break;
		r->to = arena_printf(tx->arena, "%.*s%.*s", STR_ARG(to),
		                     STR_ARG(str_from_offset(r->m->name, from.n)));
		e = tx_mailbox_name_check(tx, &r->to);
		r->next = *list;
		*list = r;
	}
	return e;
}

/* The new mailbox, and the first turn of what moves there. */
static enum err
rename_inbox(struct tx *tx, const struct op_mailbox_rename *op, struct str to,
             struct answer_renamed *answer)
{
	struct op_copy move = { .account_id = op->account_id, .is_move = true };
	struct answer_copy moved = { 0 };
	struct uid_range range = { .first = 1 };
	struct tx_mailbox *inbox, *m;
	enum err e = tx_mailbox_named(tx, op->account_id, STR("INBOX"), &inbox);

	if (e == OK)
		e = check_room(tx, op->account_id);
	if (e == OK)
		e = tx_mailbox_new(tx, op->account_id, to, USE_NONE, &m);
	if (e != OK)
		return e;
	range.last = inbox->uidnext - 1;
	move.mailbox_id = inbox->id;
	move.to_mailbox_id = m->id;
	move.uids = &range;
	move.uids_count = 1;
	e = op_copy_apply(tx, &move, &moved);
	*answer = (struct answer_renamed){ inbox->id, m->id, moved.next_uid, range.last };
	return e;
}

static enum err
set_name(struct tx *tx, struct tx_mailbox *m, struct str to)
{
	m->name = to;
	return tx_run(tx, "UPDATE mailbox SET name = $1 WHERE id = $2",
	              VALUES(V_S(to), V_I(m->id)));
}

/* The mailbox itself may be missing where it is only the parent of others. */
enum err
op_mailbox_rename_apply(struct tx *tx, const struct op_mailbox_rename *op,
                        struct answer_renamed *answer)
{
	struct str from = op->from, to = op->to;
	struct tx_mailbox *m = NULL, *other;
	struct renamed *list = NULL;
	enum err e = tx_mailbox_name_check(tx, &from);

	if (e == OK)
		e = tx_mailbox_name_check(tx, &to);
	if (e != OK)
		return e;
	e = tx_mailbox_named(tx, op->account_id, to, &other);
	if (e != ERR_NOT_FOUND)
		return e == OK ? ERR_EXISTS : e;
	if (str_eq(from, STR("INBOX")))
		return rename_inbox(tx, op, to, answer);
	if (str_starts(to, arena_printf(tx->arena, "%.*s/", STR_ARG(from))))
		return ERR_INVALID;
	e = tx_mailbox_named(tx, op->account_id, from, &m);
	if (e == OK || e == ERR_NOT_FOUND)
		e = children_load(tx, op, from, to, &list);
	if (e != OK)
		return e;
	if (!m && !list)
		return ERR_NOT_FOUND;
	if (m)
		e = set_name(tx, m, to);
	/* A UNIQUE name answers ERR_EXISTS by itself, and all is rolled back. */
	for (struct renamed *r = list; r && e == OK; r = r->next)
		e = set_name(tx, r->m, r->to);
	tx_changed_mailboxes(tx, op->account_id);
	return e;
}

/* --- the rest ----------------------------------------------------------------------- */

enum err
op_subscribe_apply(struct tx *tx, const struct op_subscribe *op,
                   struct answer_none *answer)
{
	struct str name = op->name;
	enum err e = tx_mailbox_name_check(tx, &name);

	(void)answer;
	if (e != OK)
		return e;
	tx_changed_mailboxes(tx, op->account_id);
	if (op->subscribed)
		return tx_run(
			tx,
			"INSERT INTO subscription (account_id, name) VALUES ($1, $2)"
			" ON CONFLICT (account_id, name) DO NOTHING",
			VALUES(V_I(op->account_id), V_S(name)));
	return tx_run(tx, "DELETE FROM subscription WHERE account_id = $1 AND name = $2",
	              VALUES(V_I(op->account_id), V_S(name)));
}

enum err
op_recent_apply(struct tx *tx, const struct op_recent *op, struct answer_recent *answer)
{
	struct tx_mailbox *m;
	enum err e = tx_mailbox(tx, op->account_id, op->mailbox_id, &m);

	if (e != OK)
		return e;
	answer->recent_uid = m->recent_uid;
	m->is_dirty |= m->recent_uid != m->uidnext;
	m->recent_uid = m->uidnext;
	return OK;
}
