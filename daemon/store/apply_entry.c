/* Messages in mailboxes: flags, copy, move, expunge. */
#include "store/entry_rows.h"
#include "store/keywords.h"

enum {
	EXPUNGED_KEPT = 100 * 1000, /* modseqs back for which expunged UIDs are known */
};

/* --- flags -------------------------------------------------------------------------- */

static uint64_t
flags_new(uint64_t old, uint64_t flags, uint32_t mode)
{
	if (mode == FLAGS_ADD)
		return old | flags;
	return mode == FLAGS_REMOVE ? old & ~flags : flags;
}

static enum err
entry_set(struct tx *tx, struct tx_mailbox *m, struct entry *row, uint64_t flags,
          uint64_t modseq)
{
	m->unseen += (row->flags & FLAG_SEEN) && !(flags & FLAG_SEEN);
	m->unseen -= !(row->flags & FLAG_SEEN) && (flags & FLAG_SEEN);
	m->deleted += !(row->flags & FLAG_DELETED) && (flags & FLAG_DELETED);
	m->deleted -= (row->flags & FLAG_DELETED) && !(flags & FLAG_DELETED);
	m->modseq = modseq;
	m->is_dirty = true;
	row->flags = flags;
	row->modseq = modseq;
	return tx_run(tx,
	              "UPDATE entry SET flags = $1, modseq = $2 WHERE mailbox_id = $3 AND"
	              " uid = $4",
	              VALUES(V_I(flags), V_I(modseq), V_I(m->id), V_I(row->uid)));
}

enum err
op_flags_apply(struct tx *tx, const struct op_flags *op, struct answer_flags *answer)
{
	struct entry_rows rows = { NULL, 0, 0 };
	struct tx_mailbox *m;
	uint64_t flags = op->flags, modseq;
	enum err e = op->mode > FLAGS_REMOVE ? ERR_INVALID : OK;

	if (e == OK)
		e = tx_mailbox(tx, op->account_id, op->mailbox_id, &m);
	if (e == OK)
		e = entry_rows_load(tx, m,
		                    (struct entry_wanted){ .ranges = op->uids,
		                                           .count = op->uids_count,
		                                           .max = STORE_TURN_ROWS },
		                    &rows, &answer->next_uid);
	answer->has_new_keywords = false;
	if (e == OK)
		e = tx_keywords_bits(tx, m, op->keywords, op->keywords_count, &flags,
		                     op->mode != FLAGS_REMOVE ? &answer->has_new_keywords
		                                              : NULL);
	if (e != OK)
		return e;
	modseq = m->modseq + 1;
	answer->rows = ARENA_ARRAY(tx->arena, struct flags_row, rows.n + 1);
	answer->failed = ARENA_ARRAY(tx->arena, uint32_t, rows.n + 1);
	for (size_t i = 0; i < rows.n && e == OK; i++) {
		struct entry *row = &rows.p[i];
		uint64_t to = flags_new(row->flags, flags, op->mode);
		uint64_t prior = row->modseq;

		if (entry_rows_turn_ends(tx, &rows, i, &answer->next_uid))
			break;
		if (op->has_unchanged_since && row->modseq > op->unchanged_since) {
			answer->failed[answer->failed_count++] = row->uid;
			continue;
		}
		if (to != row->flags) {
			e = entry_set(tx, m, row, to, modseq);
			answer->own_modseq = modseq;
		}
		answer->rows[answer->rows_count++] =
			(struct flags_row){ row->uid, row->flags, row->modseq, prior };
	}
	answer->highestmodseq = m->modseq;
	return e;
}

/* --- leaving a mailbox -------------------------------------------------------------- */

/* Takes an entry out of its mailbox; its message stays as it is. */
static enum err
entry_remove(struct tx *tx, struct tx_mailbox *m, struct tx_account *acc,
             const struct entry *row, uint64_t modseq)
{
	enum err e = tx_run(tx, "DELETE FROM entry WHERE mailbox_id = $1 AND uid = $2",
	                    VALUES(V_I(m->id), V_I(row->uid)));

	if (e == OK)
		e = tx_run(tx,
		           "INSERT INTO expunged (mailbox_id, modseq, uid)"
		           " VALUES ($1, $2, $3)",
		           VALUES(V_I(m->id), V_I(modseq), V_I(row->uid)));
	m->modseq = modseq;
	m->count--;
	m->unseen -= !(row->flags & FLAG_SEEN);
	m->deleted -= (row->flags & FLAG_DELETED) != 0;
	m->size_bytes -= row->size;
	m->is_dirty = true;
	acc->used_bytes -= row->size;
	acc->message_count--;
	acc->is_dirty = true;
	return e;
}

static enum err
expunged_trim(struct tx *tx, const struct tx_mailbox *m)
{
	if (m->modseq <= EXPUNGED_KEPT || m->modseq % 256 != 0)
		return OK;
	return tx_run(tx, "DELETE FROM expunged WHERE mailbox_id = $1 AND modseq < $2",
	              VALUES(V_I(m->id), V_I(m->modseq - EXPUNGED_KEPT)));
}

enum err
tx_message_drop(struct tx *tx, uint64_t message_id, uint64_t refs)
{
	struct tx_segment *seg;
	struct stmt *s;
	uint64_t segment, stored_bytes;
	int64_t left;
	enum err e;

	e = db_one(tx->db,
	           "SELECT refs, segment, stored_bytes FROM message WHERE id = $1",
	           VALUES(V_I(message_id)), &s);
	/* A damaged index may have an entry without its message: it can still go. */
	if (e == ERR_NOT_FOUND)
		return OK;
	if (e != OK)
		return e;
	left = db_i64(s, 0) - (int64_t)refs;
	segment = db_u64(s, 1);
	stored_bytes = db_u64(s, 2);
	db_end(&s);
	if (left > 0)
		return tx_run(tx, "UPDATE message SET refs = $1 WHERE id = $2",
		              VALUES(V_I(left), V_I(message_id)));
	e = tx_run(tx, "DELETE FROM message WHERE id = $1", VALUES(V_I(message_id)));
	if (e == OK)
		e = tx_segment(tx, segment, &seg);
	if (e == OK) {
		seg->bytes -= (int64_t)stored_bytes;
		seg->count--;
	}
	return e == ERR_NOT_FOUND ? OK : e;
}

enum err
op_expunge_apply(struct tx *tx, const struct op_expunge *op,
                 struct answer_expunge *answer)
{
	static const struct uid_range all = { 1, UINT32_MAX };
	struct entry_rows rows = { NULL, 0, 0 };
	struct tx_mailbox *m;
	struct tx_account *acc;
	uint64_t modseq;
	enum err e = tx_mailbox(tx, op->account_id, op->mailbox_id, &m);

	if (e == OK)
		e = tx_account(tx, op->account_id, &acc);
	if (e == OK && (op->all_flags || m->deleted))
		e = entry_rows_load(tx, m,
		                    (struct entry_wanted){
					    .ranges = op->uids_count ? op->uids : &all,
					    .count = op->uids_count ? op->uids_count : 1,
					    .flags = op->all_flags ? 0 : FLAG_DELETED,
					    .max = STORE_TURN_ROWS },
		                    &rows, &answer->next_uid);
	if (e != OK)
		return e;
	modseq = m->modseq + 1;
	answer->uids = ARENA_ARRAY(tx->arena, uint32_t, rows.n + 1);
	for (size_t i = 0; i < rows.n && e == OK; i++) {
		const struct entry *row = &rows.p[i];

		if (entry_rows_turn_ends(tx, &rows, i, &answer->next_uid))
			break;
		e = entry_remove(tx, m, acc, row, modseq);
		if (e == OK)
			e = tx_message_drop(tx, row->message_id, 1);
		answer->uids[answer->uids_count++] = row->uid;
	}
	answer->highestmodseq = m->modseq;
	if (e == OK)
		tx_mailbox_event(tx, EV_EXPUNGED, acc, m, NULL,
		                 tx_uids_of(answer->uids, answer->uids_count));
	return e == OK ? expunged_trim(tx, m) : e;
}

/* --- copy and move ------------------------------------------------------------------ */

/* The same keywords in another mailbox have other bits. */
struct bit_map {
	bool is_same;
	uint64_t to[64];
};

static enum err
bit_map_make(struct tx *tx, const struct tx_mailbox *from, const struct tx_mailbox *to,
             uint64_t used, struct bit_map *map)
{
	struct keywords k;
	bool is_new = false;
	enum err e;

	*map = (struct bit_map){ .is_same = from == to || used <= FLAG_SYSTEM };
	if (map->is_same)
		return OK;
	e = keywords_load(tx, from->id, &k);
	for (unsigned bit = FLAG_KEYWORD_FIRST; bit < 64 && e == OK; bit++) {
		if (!(used & k.used & UINT64_C(1) << bit))
			continue;
		e = tx_keywords_bits(tx, to, &k.names[bit], 1, &map->to[bit], &is_new);
		/* A destination with too many keywords loses some, not the message. */
		if (e == ERR_LIMIT)
			e = OK;
	}
	return e;
}

static uint64_t
bit_map_flags(const struct bit_map *map, uint64_t flags)
{
	uint64_t result = flags & FLAG_SYSTEM;

	if (map->is_same)
		return flags;
	for (unsigned bit = FLAG_KEYWORD_FIRST; bit < 64; bit++) {
		if (flags & UINT64_C(1) << bit)
			result |= map->to[bit];
	}
	return result;
}

struct transfer {
	struct tx_mailbox *from, *to;
	struct tx_account *acc;
	struct bit_map map;
	uint64_t from_modseq, to_modseq;
	bool is_move;
};

static enum err
transfer_row(struct tx *tx, struct transfer *t, const struct entry *row,
             uint32_t *uid_out)
{
	enum err e;

	if (t->is_move)
		e = entry_remove(tx, t->from, t->acc, row, t->from_modseq);
	else
		e = tx_run(tx, "UPDATE message SET refs = refs + 1 WHERE id = $1",
		           VALUES(V_I(row->message_id)));
	if (e != OK)
		return e;
	return tx_entry_new(
		tx, t->to, t->acc,
		&(struct tx_entry){ row->message_id, bit_map_flags(&t->map, row->flags),
	                            t->to_modseq, row->size, row->internal_date_ms },
		uid_out);
}

/* The bytes of all that is wanted, in this turn and in those that follow. */
static enum err
sum_sizes(struct tx *tx, const struct op_copy *op, uint64_t *sum_out)
{
	struct entry_wanted w = { .ranges = op->uids, .count = op->uids_count };
	enum err e = entry_wanted_sort(tx, &w);

	for (size_t i = 0; i < w.count && e == OK; i++) {
		struct stmt *s;

		e = db_one(
			tx->db,
			"SELECT coalesce(sum(size), 0) FROM entry WHERE mailbox_id = $1"
			" AND uid >= $2 AND uid <= $3",
			VALUES(V_I(op->mailbox_id), V_I(w.ranges[i].first),
		               V_I(w.ranges[i].last)),
			&s);
		if (e == OK)
			*sum_out += db_u64(s, 0);
		db_end(&s);
	}
	return e;
}

/* Is there room for the copies? The first turn asks for those of all turns, so that
   hardly a copy has to be undone. */
static enum err
check_room(struct tx *tx, const struct op_copy *op, const struct tx_account *acc,
           const struct entry_rows *rows)
{
	uint64_t sum = 0;
	enum err e = OK;

	if (op->is_move || !acc->quota_bytes)
		return OK;
	if (!op->is_continued)
		e = sum_sizes(tx, op, &sum);
	for (size_t i = 0; i < rows->n && op->is_continued; i++)
		sum += rows->p[i].size;
	return e == OK ? tx_quota_check(acc, sum) : e;
}

static enum err
transfer_begin(struct tx *tx, const struct op_copy *op, const struct entry_rows *rows,
               struct transfer *t)
{
	uint64_t used = 0;
	enum err e = check_room(tx, op, t->acc, rows);

	for (size_t i = 0; i < rows->n; i++)
		used |= rows->p[i].flags;
	if (e == OK)
		e = bit_map_make(tx, t->from, t->to, used, &t->map);
	t->is_move = op->is_move;
	t->from_modseq = t->from->modseq + 1;
	t->to_modseq = t->to->modseq + 1;
	return e;
}

static enum err
transfer_load(struct tx *tx, const struct op_copy *op, struct transfer *t,
              struct entry_rows *rows, uint32_t *next_uid_out)
{
	size_t max = op->is_move ? STORE_TURN_ROWS
	             : op->work  ? STORE_COPY_ROWS
	                         : SIZE_MAX;
	enum err e = tx_mailbox(tx, op->account_id, op->mailbox_id, &t->from);

	if (e == OK)
		e = tx_mailbox(tx, op->account_id, op->to_mailbox_id, &t->to);
	if (e == OK)
		e = tx_account(tx, op->account_id, &t->acc);
	if (e == OK && op->is_continued)
		e = tx_stage_check(tx, op->work);
	if (e == OK)
		e = entry_rows_load(tx, t->from,
		                    (struct entry_wanted){ .ranges = op->uids,
		                                           .count = op->uids_count,
		                                           .max = max },
		                    rows, next_uid_out);
	return e;
}

static enum err
transfer_end(struct tx *tx, const struct op_copy *op, const struct transfer *t,
             const struct answer_copy *answer)
{
	struct tx_uids uids = tx_uids_of(answer->to_uids, answer->to_uids_count);

	if (op->is_move) {
		tx_mailbox_event(tx, EV_MOVED, t->acc, t->to, t->from, uids);
		return expunged_trim(tx, t->from);
	}
	if (answer->next_uid)
		return tx_stage_note(tx, op->work, t->to, uids);
	return op->is_continued ? tx_stage_end(tx, op->work) : OK;
}

enum err
op_copy_apply(struct tx *tx, const struct op_copy *op, struct answer_copy *answer)
{
	struct entry_rows rows = { NULL, 0, 0 };
	struct transfer t = { 0 };
	enum err e = transfer_load(tx, op, &t, &rows, &answer->next_uid);

	if (e == OK)
		e = transfer_begin(tx, op, &rows, &t);
	if (e != OK)
		return e;
	answer->uidvalidity = t.to->uidvalidity;
	answer->from_uids = ARENA_ARRAY(tx->arena, uint32_t, rows.n + 1);
	answer->to_uids = ARENA_ARRAY(tx->arena, uint32_t, rows.n + 1);
	for (size_t i = 0; i < rows.n && e == OK; i++) {
		/* One that is not in turns is done whole. */
		if ((op->is_move || op->work) &&
		    entry_rows_turn_ends(tx, &rows, i, &answer->next_uid))
			break;
		answer->from_uids[i] = rows.p[i].uid;
		e = transfer_row(tx, &t, &rows.p[i], &answer->to_uids[i]);
		answer->from_uids_count = answer->to_uids_count = i + 1;
	}
	return e == OK ? transfer_end(tx, op, &t, answer) : e;
}
