#include "store/entry_rows.h"

#include "base/mem.h"

#include <stdlib.h>

enum {
	ROWS_MAX = 500 * 1000, /* entries one operation may touch */
	RANGES_MAX = 100 * 1000,
};

static enum err
rows_add(struct tx *tx, struct entry_rows *rows, const struct entry *row)
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

static enum err
range_load(struct tx *tx, const struct tx_mailbox *m, struct uid_range range,
           const struct entry_wanted *w, struct entry_rows *rows)
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

enum err
entry_wanted_sort(struct tx *tx, struct entry_wanted *w)
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

enum err
entry_rows_load(struct tx *tx, const struct tx_mailbox *m, struct entry_wanted w,
                struct entry_rows *rows_out, uint32_t *next_uid_out)
{
	enum err e = entry_wanted_sort(tx, &w);
	uint32_t last;

	for (size_t i = 0; i < w.count && e == OK && rows_out->n < w.max; i++)
		e = range_load(tx, m, w.ranges[i], &w, rows_out);
	last = rows_out->n ? rows_out->p[rows_out->n - 1].uid : 0;
	*next_uid_out = 0;
	if (e == OK && rows_out->n == w.max && last < w.ranges[w.count - 1].last)
		*next_uid_out = last + 1;
	return e;
}

bool
entry_rows_turn_ends(struct tx *tx, const struct entry_rows *rows, size_t i,
                     uint32_t *next_uid_out)
{
	if (!tx_turn_ends(tx, i))
		return false;
	*next_uid_out = rows->p[i].uid;
	return true;
}
