/* Events, and the segment files that bodies go to. */
#include "store/tx.h"

#include "store/events.h"
#include "store/segments.h"

enum err
op_events_apply(struct tx *tx, const struct op_events *op, struct answer_none *answer)
{
	struct str rest = op->events;
	struct trace_event event;
	size_t good = 0;

	(void)answer;
	/* What is no event, and what follows it, is left out. */
	while (events_next(&rest, &event))
		good = op->events.n - rest.n;
	tx_events(tx, str_first(op->events, good));
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
	              "INSERT INTO segment (id, state, created_ms) VALUES ($1, $2, $3)",
	              VALUES(V_I(answer->segment), V_I(SEGMENT_OPEN), V_I(tx->now_ms)));
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
	return tx_run(tx, "UPDATE segment SET state = $1, size = $2 WHERE id = $3",
	              VALUES(V_I(SEGMENT_SEALED), V_I(size), V_I(op->segment)));
}

enum err
op_journal_trim_apply(struct tx *tx, const struct op_journal_trim *op,
                      struct answer_none *answer)
{
	(void)answer;
	return tx_run(tx, "DELETE FROM journal WHERE id <= $1", VALUES(V_I(op->up_to)));
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
