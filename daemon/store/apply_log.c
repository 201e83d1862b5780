/* Events, and the segment files that bodies go to. */
#include "store/tx.h"

#include "store/segments.h"

enum err
op_events_apply(struct tx *tx, const struct op_events *op, struct answer_none *answer)
{
	(void)answer;
	tx_events(tx, op->events);
	return OK;
}

/* The file is there, under a synced directory entry, before the row; a crash in between
   leaves an empty file that store_recover removes. */
enum err
op_segment_open_apply(struct tx *tx, const struct op_segment_open *op,
                      struct answer_segment *answer)
{
	enum err e;

	(void)op;
	do {
		e = tx_id(tx, &answer->segment);
		if (e == OK)
			e = segments_create(tx->segments, answer->segment);
	} while (e == ERR_EXISTS);
	if (e != OK)
		return e;
	return tx_run(tx,
	              "INSERT INTO segment (id, state, created_ms, epoch)"
	              " VALUES ($1, $2, $3, $4)",
	              VALUES(V_I(answer->segment), V_I(SEGMENT_OPEN), V_I(tx->now_ms),
	                     V_I(tx->epoch)));
}

enum err
op_segment_seal_apply(struct tx *tx, const struct op_segment_seal *op,
                      struct answer_none *answer)
{
	struct tx_segment *seg;
	uint64_t size;
	enum err e = tx_segment(tx, op->segment, &seg);

	(void)answer;
	if (e == OK)
		e = segments_size(tx->segments, op->segment, &size);
	if (e != OK || seg->state != SEGMENT_OPEN)
		return e;
	seg->state = SEGMENT_SEALED;
	segments_seal(tx->segments, op->segment);
	return tx_run(tx,
	              "UPDATE segment SET state = $1, size = $2, sealed_ms = $3"
	              " WHERE id = $4",
	              VALUES(V_I(SEGMENT_SEALED), V_I(size), V_I(tx->now_ms),
	                     V_I(op->segment)));
}

enum err
op_segment_state_apply(struct tx *tx, const struct op_segment_state *op,
                       struct answer_none *answer)
{
	struct tx_segment *seg;
	enum err e = tx_segment(tx, op->segment, &seg);

	(void)answer;
	if (e == OK && (seg->state > 31 || !(op->from >> seg->state & 1)))
		e = ERR_CONFLICT;
	if (e != OK)
		return e;
	seg->state = op->to;
	return tx_run(tx, "UPDATE segment SET state = $1, sealed_ms = $2 WHERE id = $3",
	              VALUES(V_I(op->to), V_I(tx->now_ms), V_I(op->segment)));
}

static enum err
move_one(struct tx *tx, const struct op_segment_moved *op, size_t i,
         struct tx_segment *from, struct tx_segment *to)
{
	struct stmt *s;
	int64_t bytes;
	enum err e;

	tx->has_written = true;
	e = db_one(
		tx->db,
		"UPDATE message SET segment = $1, place = $2 WHERE id = $3 AND"
		" segment = $4 RETURNING stored_bytes",
		VALUES(V_I(op->to), V_I(op->places[i]), V_I(op->ids[i]), V_I(op->from)),
		&s);
	if (e != OK)
		return e == ERR_NOT_FOUND ? OK : e;
	bytes = db_i64(s, 0);
	(void)db_next(s);
	e = db_done(tx->db, &s);
	from->bytes -= bytes;
	from->count--;
	to->bytes += bytes;
	to->count++;
	return e;
}

enum err
op_segment_moved_apply(struct tx *tx, const struct op_segment_moved *op,
                       struct answer_none *answer)
{
	struct tx_segment *from = NULL, *to = NULL;
	enum err e = op->ids_count == op->places_count ? OK : ERR_INVALID;

	(void)answer;
	if (e == OK)
		e = tx_segment(tx, op->from, &from);
	if (e == OK)
		e = tx_segment(tx, op->to, &to);
	if (e == OK && to->state != SEGMENT_OPEN)
		e = ERR_CONFLICT;
	for (size_t i = 0; i < op->ids_count && e == OK; i++)
		e = move_one(tx, op, i, from, to);
	return e;
}

enum err
op_segment_drop_apply(struct tx *tx, const struct op_segment_drop *op,
                      struct answer_none *answer)
{
	struct stmt *s;
	enum err e = db_one(tx->db, "SELECT id FROM message WHERE segment = $1 LIMIT 1",
	                    VALUES(V_I(op->segment)), &s);

	(void)answer;
	db_end(&s);
	if (e != ERR_NOT_FOUND || tx->dropped_count == ARRAY_LEN(tx->dropped))
		return e == OK || e == ERR_NOT_FOUND ? ERR_CONFLICT : e;
	tx->dropped[tx->dropped_count++] = op->segment;
	return tx_run(tx, "DELETE FROM segment WHERE id = $1 AND state <> $2",
	              VALUES(V_I(op->segment), V_I(SEGMENT_OPEN)));
}

enum err
op_journal_trim_apply(struct tx *tx, const struct op_journal_trim *op,
                      struct answer_none *answer)
{
	enum err e =
		tx_run(tx, "DELETE FROM journal WHERE id <= $1", VALUES(V_I(op->up_to)));

	(void)answer;
	if (e == OK)
		e = tx_count_reports(tx, op->counts, op->counts_count);
	for (size_t i = 0; i < op->seen_count && e == OK; i++)
		e = tx_run(tx,
		           "INSERT INTO outside_seen (service, ip, at_ms)"
		           " VALUES ($1, $2, $3) ON CONFLICT (service) DO UPDATE SET"
		           " ip = excluded.ip, at_ms = excluded.at_ms",
		           VALUES(V_S(op->seen[i].service), V_S(op->seen[i].ip),
		                  V_I(op->seen[i].at_ms)));
	return e;
}

enum err
op_login_noted_apply(struct tx *tx, const struct op_login_noted *op,
                     struct answer_none *answer)
{
	const char *sql = op->kind == LOGIN_ADMIN
	                          ? "UPDATE admin SET last_login_ms = $1 WHERE id = $2"
	                          : "UPDATE account SET last_login_ms = $1 WHERE id = $2";

	(void)answer;
	return tx_run(tx, sql, VALUES(V_I(op->at_ms), V_I(op->id)));
}
