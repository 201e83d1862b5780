/* Messages in mailboxes: flags, copy, move, expunge. */
#include "store/tx.h"

#include "base/mem.h"

#include <stdlib.h>

enum {
	ROWS_MAX = 500 * 1000, /* entries one operation may touch */
	RANGES_MAX = 100 * 1000,
	EXPUNGED_KEPT = 100 * 1000, /* modseqs back for which expunged UIDs are known */
};

/* --- keywords -------------------------------------------------------------------------
 */

/* RFC 3501 9: flag-keyword is an atom. */
static bool
is_keyword(struct str name)
{
	if (!name.n || name.n > KEYWORD_BYTES_MAX)
		return false;
	for (size_t i = 0; i < name.n; i++) {
		if ((unsigned char)name.p[i] <= ' ' || (unsigned char)name.p[i] >= 0x7f ||
		    str_find(STR("(){%*\"\\]"), name.p[i]) != SIZE_MAX)
			return false;
	}
	return true;
}

struct keywords {
	struct str names[64]; /* by bit */
	uint64_t used;
};

static enum err
keywords_load(struct tx *tx, uint64_t mailbox_id, struct keywords *k)
{
	struct stmt *s =
		db_query(tx->db, "SELECT bit, name FROM keyword WHERE mailbox_id = $1",
	                 VALUES(V_I(mailbox_id)));

	*k = (struct keywords){ .used = 0 };
	while (db_next(s)) {
		uint32_t bit = db_u32(s, 0);

		if (bit < FLAG_KEYWORD_FIRST || bit >= 64)
			continue;
		k->names[bit] = arena_str(tx->arena, db_str(s, 1));
		k->used |= UINT64_C(1) << bit;
	}
	return db_done(tx->db, &s);
}

static unsigned
keyword_bit(const struct keywords *k, struct str name)
{
	for (unsigned bit = FLAG_KEYWORD_FIRST; bit < 64; bit++) {
		if (k->used & UINT64_C(1) << bit && str_eq_icase(k->names[bit], name))
			return bit;
	}
	return 64;
}

static enum err
keyword_make(struct tx *tx, uint64_t mailbox_id, struct keywords *k, struct str name,
             unsigned *bit_out)
{
	unsigned bit = FLAG_KEYWORD_FIRST;

	if (!is_keyword(name))
		return ERR_INVALID;
	while (bit < 64 && k->used & UINT64_C(1) << bit)
		bit++;
	if (bit == 64 || bit - FLAG_KEYWORD_FIRST >= tx->limits->keywords_max)
		return ERR_LIMIT;
	k->names[bit] = name;
	k->used |= UINT64_C(1) << bit;
	*bit_out = bit;
	return tx_run(tx,
	              "INSERT INTO keyword (mailbox_id, bit, name) VALUES ($1, $2, $3)",
	              VALUES(V_I(mailbox_id), V_I(bit), V_S(name)));
}

enum err
tx_keywords_bits(struct tx *tx, const struct tx_mailbox *m, const struct str *names,
                 size_t count, uint64_t *flags, bool *made)
{
	struct keywords k;
	enum err e = OK;
	uint64_t known;

	if (!count && *flags <= FLAG_SYSTEM)
		return OK;
	e = keywords_load(tx, m->id, &k);
	known = FLAG_SYSTEM | k.used;
	/* Bits nobody has given a name are no flags. */
	*flags &= known;
	for (size_t i = 0; i < count && e == OK; i++) {
		unsigned bit = keyword_bit(&k, names[i]);

		if (bit == 64 && made) {
			e = keyword_make(tx, m->id, &k, names[i], &bit);
			*made = true;
		}
		if (e == OK && bit < 64)
			*flags |= UINT64_C(1) << bit;
	}
	return e;
}

/* --- ranges ------------------------------------------------------------------------- */

struct rows {
	struct entry *p;
	size_t n, cap;
};

static enum err
rows_add(struct tx *tx, struct rows *rows, const struct entry *row)
{
	if (rows->n == rows->cap) {
		size_t cap = rows->cap ? rows->cap * 2 : 16;
		struct entry *p = arena_try(tx->arena, size_mul(cap, sizeof(*p)));

		if (!p || rows->n >= ROWS_MAX)
			return ERR_LIMIT;
		if (rows->n)
			memcpy(p, rows->p, rows->n * sizeof(*p));
		rows->p = p;
		rows->cap = cap;
	}
	rows->p[rows->n++] = *row;
	return OK;
}

static int
by_first(const void *a, const void *b)
{
	const struct uid_range *x = a, *y = b;

	return (x->first > y->first) - (x->first < y->first);
}

/* What is wanted of a mailbox. */
struct wanted {
	const struct uid_range *ranges;
	size_t count;
	uint64_t flags; /* only entries that have all of these */
	size_t max;     /* so many of them */
};

static enum err
range_load(struct tx *tx, const struct tx_mailbox *m, struct uid_range range,
           const struct wanted *w, struct rows *rows)
{
	struct stmt *s = db_query(tx->db,
	                          "SELECT uid, flags, modseq, message_id, size, date_ms"
	                          " FROM entry WHERE mailbox_id = $1 AND uid >= $2 AND"
	                          " uid <= $3 AND (flags & $4) = $5 ORDER BY uid",
	                          VALUES(V_I(m->id), V_I(range.first), V_I(range.last),
	                                 V_I(w->flags), V_I(w->flags)));
	enum err e = OK, done;

	while (e == OK && rows->n < w->max && db_next(s)) {
		struct entry row = {
			.uid = db_u32(s, 0),
			.flags = db_u64(s, 1),
			.modseq = db_u64(s, 2),
			.message_id = db_u64(s, 3),
			.size = db_u32(s, 4),
			.internal_date_ms = db_i64(s, 5),
		};

		e = rows_add(tx, rows, &row);
	}
	done = db_done(tx->db, &s);
	return e == OK ? done : e;
}

/* The ranges ascending, none in another. */
static enum err
ranges_sort(struct tx *tx, struct wanted *w)
{
	struct uid_range *p;
	size_t n = 0;

	if (w->count > RANGES_MAX)
		return ERR_LIMIT;
	p = arena_try(tx->arena, size_mul(w->count + 1, sizeof(*p)));
	if (!p)
		return ERR_LIMIT;
	if (w->count)
		memcpy(p, w->ranges, w->count * sizeof(*p));
	if (w->count > 1)
		qsort(p, w->count, sizeof(*p), by_first);
	for (size_t i = 0; i < w->count; i++) {
		if (n && p[i].first <= p[n - 1].last) {
			if (p[i].last > p[n - 1].last)
				p[n - 1].last = p[i].last;
		} else {
			p[n++] = p[i];
		}
	}
	w->ranges = p;
	w->count = n;
	return OK;
}

/* All entries that are wanted, ascending, each once. *next_uid_out: the first UID that
   may be one more; 0: there is none. */
static enum err
rows_load(struct tx *tx, const struct tx_mailbox *m, struct wanted w, struct rows *rows,
          uint32_t *next_uid_out)
{
	enum err e = ranges_sort(tx, &w);
	uint32_t last;

	for (size_t i = 0; i < w.count && e == OK && rows->n < w.max; i++)
		e = range_load(tx, m, w.ranges[i], &w, rows);
	last = rows->n ? rows->p[rows->n - 1].uid : 0;
	*next_uid_out = 0;
	if (e == OK && rows->n == w.max && last < w.ranges[w.count - 1].last)
		*next_uid_out = last + 1;
	return e;
}

/* Others have their turn before the i-th row? */
static bool
turn_ends(struct tx *tx, const struct entry *row, size_t i, uint32_t *next_uid_out)
{
	if (!tx_turn_ends(tx, i))
		return false;
	*next_uid_out = row->uid;
	return true;
}

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
	struct rows rows = { NULL, 0, 0 };
	struct tx_mailbox *m;
	uint64_t flags = op->flags, modseq;
	enum err e = op->mode > FLAGS_REMOVE ? ERR_INVALID : OK;

	if (e == OK)
		e = tx_mailbox(tx, op->account_id, op->mailbox_id, &m);
	if (e == OK)
		e = rows_load(tx, m,
		              (struct wanted){ .ranges = op->uids,
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

		if (turn_ends(tx, row, i, &answer->next_uid))
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
	struct rows rows = { NULL, 0, 0 };
	struct tx_mailbox *m;
	struct tx_account *acc;
	uint64_t modseq;
	enum err e = tx_mailbox(tx, op->account_id, op->mailbox_id, &m);

	if (e == OK)
		e = tx_account(tx, op->account_id, &acc);
	if (e == OK && (op->all_flags || m->deleted))
		e = rows_load(
			tx, m,
			(struct wanted){ .ranges = op->uids_count ? op->uids : &all,
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

		if (turn_ends(tx, row, i, &answer->next_uid))
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
	struct wanted w = { .ranges = op->uids, .count = op->uids_count };
	enum err e = ranges_sort(tx, &w);

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
           const struct rows *rows)
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
transfer_begin(struct tx *tx, const struct op_copy *op, const struct rows *rows,
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
              struct rows *rows, uint32_t *next_uid_out)
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
		e = rows_load(tx, t->from,
		              (struct wanted){ .ranges = op->uids,
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
	struct rows rows = { NULL, 0, 0 };
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
		    turn_ends(tx, &rows.p[i], i, &answer->next_uid))
			break;
		answer->from_uids[i] = rows.p[i].uid;
		e = transfer_row(tx, &t, &rows.p[i], &answer->to_uids[i]);
		answer->from_uids_count = answer->to_uids_count = i + 1;
	}
	return e == OK ? transfer_end(tx, op, &t, answer) : e;
}
