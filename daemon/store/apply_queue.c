/* The queue: claims, attempts and results. What people do to rows: apply_queue_action.c.
 *
 * A row is QUEUE_ACTIVE while somebody holds a lease: (lease_epoch, lease_seq) name the
 * client and the operation that took it, lease_until_ms when it lapses. Only its holder
 * may write a result. What a person does meanwhile is the row's wish (enum queue_verb):
 * it is done when its holder gives the row back.
 */
#include "base/duration.h"
#include "store/queue_row.h"
#include "store/tx.h"

#include <stdlib.h>

enum {
	CLAIM_MAX = 500,
	IDS_MAX = 10 * 1000,
	TURN_PART = 16,  /* of the rows for turns is one sharer's, or one row */
	TURNS_MAX = 64,  /* sharers asked in one claim, due or not */
	LAPSE_MS = 1000, /* between two looks for leases that lapsed */
	CLOCK_SLACK_MS = MINUTE_MS, /* a clock may be as wrong as that */
};

/* --- claim -------------------------------------------------------------------------- */

static enum err
collect(struct tx *tx, struct stmt *s, uint64_t *ids, size_t max, size_t *n)
{
	while (*n < max && db_next(s))
		ids[(*n)++] = db_u64(s, 0);
	return db_done(tx->db, &s);
}

/* That is a walk over all that is leased, and leases are long. */
static bool
is_lapse_due(struct tx *tx, int64_t now_ms)
{
	if (now_ms >= tx->lapse_looked_ms && now_ms - tx->lapse_looked_ms < LAPSE_MS)
		return false;
	tx->lapse_looked_ms = now_ms;
	return true;
}

/* Behind the last sharer comes the one without a name. */
static enum err
next_turn(struct tx *tx, bool *is_last_out)
{
	struct stmt *s;
	enum err e = db_one(tx->db,
	                    "SELECT sharer FROM queue WHERE " QUEUE_WAITS
	                    " AND sharer > $1 ORDER BY sharer LIMIT 1",
	                    VALUES(V_S(strbuf_str(&tx->turn))), &s);
	struct str sharer = { NULL, 0 };

	*is_last_out = e == ERR_NOT_FOUND;
	if (e == OK)
		sharer = arena_str(tx->arena, db_str(s, 0));
	db_end(&s);
	strbuf_clear(&tx->turn);
	strbuf_add(&tx->turn, sharer);
	return *is_last_out ? OK : e;
}

/* Some rows of each sharer who has any that are due, from where the last claim left off,
   once round at most. */
static enum err
find_turns(struct tx *tx, const struct op_queue_claim *op, size_t max, uint64_t *ids,
           size_t *n)
{
	struct str first = arena_str(tx->arena, strbuf_str(&tx->turn));
	bool is_round = false, is_last;
	enum err e = OK;

	for (size_t i = 0; i < TURNS_MAX && *n < max && e == OK; i++) {
		size_t most = *n + max / TURN_PART + 1;

		if (most > max)
			most = max;
		e = next_turn(tx, &is_last);
		if (is_round && (is_last || str_cmp(strbuf_str(&tx->turn), first) > 0))
			break;
		is_round |= is_last;
		if (e == OK)
			e = collect(tx,
			            db_query(tx->db,
			                     "SELECT id FROM queue WHERE " QUEUE_WAITS
			                     " AND sharer = $1 AND due_ms <= $2"
			                     " ORDER BY due_ms, id LIMIT $3",
			                     VALUES(V_S(strbuf_str(&tx->turn)),
			                            V_I(op->now_ms), V_I(most - *n))),
			            ids, most, n);
	}
	return e;
}

static bool
is_among(const uint64_t *ids, size_t n, uint64_t id)
{
	for (size_t i = 0; i < n; i++) {
		if (ids[i] == id)
			return true;
	}
	return false;
}

/* Up to half of ids makes room for those whose turn it is; as many as before remain. */
static enum err
give_turns(struct tx *tx, const struct op_queue_claim *op, uint64_t *ids, size_t n)
{
	uint64_t *due = ARENA_ARRAY(tx->arena, uint64_t, n);
	size_t turns = 0, count;
	enum err e;

	memcpy(due, ids, n * sizeof(*due));
	e = find_turns(tx, op, n / 2, ids, &turns);
	count = turns;
	for (size_t i = 0; count < n; i++) {
		if (!is_among(ids, turns, due[i]))
			ids[count++] = due[i];
	}
	return e;
}

/* What is due, the longest first; where that is more than is wanted, up to half of it is
   for those whose turn it is: one sharer's ten thousand are in nobody's way. */
static enum err
find_due(struct tx *tx, const struct op_queue_claim *op, size_t max, uint64_t *ids,
         size_t *n)
{
	/* Two states and not three: SQLite walks queue_due for each. A lapsed lease is
	   looked for last, it is rare. */
	static const uint32_t states[] = { QUEUE_SCHEDULED, QUEUE_DEFERRED };
	enum err e = OK;

	for (size_t i = 0; i < ARRAY_LEN(states) && e == OK; i++) {
		struct stmt *s;

		if (op->domain.n)
			s = db_query(tx->db,
			             "SELECT id FROM queue WHERE domain = $1 AND"
			             " state = $2 AND due_ms <= $3 ORDER BY due_ms, id"
			             " LIMIT $4",
			             VALUES(V_S(op->domain), V_I(states[i]),
			                    V_I(op->now_ms), V_I(max)));
		else
			s = db_query(tx->db,
			             "SELECT id FROM queue WHERE state = $1 AND"
			             " due_ms <= $2 ORDER BY due_ms, id LIMIT $3",
			             VALUES(V_I(states[i]), V_I(op->now_ms), V_I(max)));
		e = collect(tx, s, ids, max, n);
	}
	if (e == OK && *n == max && !op->domain.n)
		return give_turns(tx, op, ids, *n);
	if (e != OK || *n == max || !is_lapse_due(tx, op->now_ms))
		return e;
	e = collect(tx,
	            db_query(tx->db,
	                     "SELECT id FROM queue WHERE state = $1 AND"
	                     " lease_until_ms <= $2 AND ($3 = '' OR domain = $3)"
	                     " LIMIT $4",
	                     VALUES(V_I(QUEUE_ACTIVE), V_I(op->now_ms), V_S(op->domain),
	                            V_I(max))),
	            ids, max, n);
	return e;
}

static enum err
lease(struct tx *tx, const struct op_queue_claim *op, uint64_t id)
{
	bool is_attempt = op->is_attempt;

	return tx_run(tx,
	              "UPDATE queue SET state = $1, lease_epoch = $2, lease_seq = $3,"
	              " lease_until_ms = $4, attempts = attempts + $5,"
	              " last_attempt_ms = CASE WHEN $5 = 1 THEN $6 ELSE last_attempt_ms"
	              " END, version = version + 1 WHERE id = $7 AND (state = 0 OR"
	              " state = 2 OR (state = 1 AND lease_until_ms <= $6))",
	              VALUES(V_I(QUEUE_ACTIVE), V_I(tx->epoch), V_I(tx->seq),
	                     V_I(op->now_ms + op->lease_ms), V_I(is_attempt),
	                     V_I(op->now_ms), V_I(id)));
}

enum err
op_queue_claim_again(struct tx *tx, const struct op_queue_claim *op,
                     struct answer_queue *answer)
{
	struct stmt *s;

	(void)op;
	s = db_query(
		tx->db,
		"SELECT " QUEUE_COLUMNS QUEUE_FROM " WHERE q.lease_epoch = $1 AND"
		" q.lease_seq = $2 AND q.state = 1 ORDER BY q.message_id, q.id LIMIT $3",
		VALUES(V_I(tx->epoch), V_I(tx->seq), V_I(CLAIM_MAX)));
	answer->items = ARENA_ARRAY(tx->arena, struct queue_item, CLAIM_MAX);
	while (answer->items_count < CLAIM_MAX && db_next(s)) {
		struct queue_item *item = &answer->items[answer->items_count++];

		queue_row_read(s, item);
		queue_row_keep(item, tx->arena);
	}
	return db_done(tx->db, &s);
}

static int
compare_items(const void *a, const void *b)
{
	const struct queue_item *x = a, *y = b;

	if (x->message_id != y->message_id)
		return x->message_id < y->message_id ? -1 : 1;
	return (x->id > y->id) - (x->id < y->id);
}

/* The same for rows that are known: each is found by its id, not among all that are
   leased. */
static enum err
take_leased(struct tx *tx, const uint64_t *ids, size_t n, struct answer_queue *answer)
{
	struct queue_item *items = ARENA_ARRAY(tx->arena, struct queue_item, n);
	size_t count = 0, kept = 0;

	for (size_t i = 0; i < n; i++) {
		struct stmt *s;
		enum err e =
			db_one(tx->db,
		               "SELECT " QUEUE_COLUMNS QUEUE_FROM
		               " WHERE q.id = $1 AND q.lease_epoch = $2 AND"
		               " q.lease_seq = $3 AND q.state = 1",
		               VALUES(V_I(ids[i]), V_I(tx->epoch), V_I(tx->seq)), &s);

		if (e == ERR_NOT_FOUND)
			continue;
		if (e != OK)
			return e;
		queue_row_read(s, &items[count]);
		queue_row_keep(&items[count++], tx->arena);
		db_end(&s);
	}
	if (count)
		qsort(items, count, sizeof(*items), compare_items);
	for (size_t i = 0; i < count; i++) {
		if (!kept || items[i].id != items[kept - 1].id)
			items[kept++] = items[i];
	}
	answer->items = items;
	answer->items_count = kept;
	return OK;
}

enum err
op_queue_claim_apply(struct tx *tx, const struct op_queue_claim *op,
                     struct answer_queue *answer)
{
	size_t max = op->limit < CLAIM_MAX ? op->limit : CLAIM_MAX, n = 0;
	uint64_t *ids = ARENA_ARRAY(tx->arena, uint64_t, CLAIM_MAX);
	enum err e = OK;

	if (!op->now_ms || !op->lease_ms || !max)
		return ERR_INVALID;
	if (op->ids_count) {
		for (; n < op->ids_count && n < max; n++)
			ids[n] = op->ids[n];
	} else {
		e = find_due(tx, op, max, ids, &n);
	}
	for (size_t i = 0; i < n && e == OK; i++)
		e = lease(tx, op, ids[i]);
	if (e != OK || !n)
		return e;
	tx_changed_queue(tx, INT64_MAX);
	return take_leased(tx, ids, n, answer);
}

/* --- attempt and result ------------------------------------------------------------- */

/* What a result has to know of a leased row. */
struct leased {
	uint64_t message_id;
	uint32_t wish;
};

static enum err
check_leased(struct tx *tx, uint64_t id, struct leased *out)
{
	struct stmt *s;
	enum err e =
		db_one(tx->db,
	               "SELECT message_id, wish FROM queue WHERE id = $1 AND state = 1"
	               " AND lease_epoch = $2",
	               VALUES(V_I(id), V_I(tx->epoch)), &s);

	if (e == OK)
		*out = (struct leased){ db_u64(s, 0), db_u32(s, 1) };
	db_end(&s);
	return e == ERR_NOT_FOUND ? ERR_CONFLICT : e;
}

enum err
tx_queue_leased(struct tx *tx, uint64_t id, struct tx_leased *out)
{
	struct stmt *s;
	enum err e = db_one(tx->db,
	                    "SELECT q.message_id, q.trace_id, q.rcpt, q.sender, m.size,"
	                    " m.flags FROM queue q JOIN message m ON m.id = q.message_id"
	                    " WHERE q.id = $1 AND q.state = 1 AND q.lease_epoch = $2",
	                    VALUES(V_I(id), V_I(tx->epoch)), &s);

	if (e == OK)
		*out = (struct tx_leased){
			.message_id = db_u64(s, 0),
			.trace_id = arena_str(tx->arena, db_str(s, 1)),
			.rcpt = arena_str(tx->arena, db_str(s, 2)),
			.sender = arena_str(tx->arena, db_str(s, 3)),
			.size = db_u64(s, 4),
			.flags = db_u32(s, 5),
		};
	db_end(&s);
	return e == ERR_NOT_FOUND ? ERR_CONFLICT : e;
}

enum err
op_queue_attempt_apply(struct tx *tx, const struct op_queue_attempt *op,
                       struct answer_none *answer)
{
	struct leased leased;
	enum err e = op->ids_count > IDS_MAX ? ERR_LIMIT : OK;

	(void)answer;
	for (size_t i = 0; i < op->ids_count && e == OK; i++)
		e = check_leased(tx, op->ids[i], &leased);
	for (size_t i = 0; i < op->ids_count && e == OK; i++)
		e = tx_run(tx,
		           "UPDATE queue SET attempts = attempts + 1,"
		           " last_attempt_ms = $1, lease_until_ms = $2,"
		           " version = version + 1 WHERE id = $3",
		           VALUES(V_I(op->now_ms), V_I(op->now_ms + op->lease_ms),
		                  V_I(op->ids[i])));
	return e;
}

static enum err
put_back(struct tx *tx, const struct queue_outcome_row *row, int64_t now_ms)
{
	tx_changed_queue(tx, row->due_ms);
	if (row->outcome == OUTCOME_RETURNED)
		return tx_run(tx,
		              "UPDATE queue SET state = CASE WHEN attempts = 0 THEN 0"
		              " ELSE 2 END, due_ms = $1, lease_until_ms = 0,"
		              " lease_epoch = 0, lease_seq = 0, version = version + 1"
		              " WHERE id = $2",
		              VALUES(V_I(row->due_ms), V_I(row->id)));
	return tx_run(tx,
	              "UPDATE queue SET state = $1, due_ms = $2, lease_until_ms = 0,"
	              " lease_epoch = 0, lease_seq = 0, version = version + 1,"
	              " last_class = $3, last_code = $4, last_enhanced = $5,"
	              " last_text = $6, last_host = $7, last_ip = $8, delay_warned_ms ="
	              " CASE WHEN $9 = 1 THEN $10 ELSE delay_warned_ms END"
	              " WHERE id = $11",
	              VALUES(V_I(QUEUE_DEFERRED), V_I(row->due_ms), V_S(row->class),
	                     V_I(row->code), V_S(row->enhanced), V_S(row->text),
	                     V_S(row->host), V_S(row->ip), V_I(row->delay_warned),
	                     V_I(now_ms), V_I(row->id)));
}

enum err
tx_queue_drop(struct tx *tx, uint64_t id, uint64_t message_id)
{
	enum err e = tx_run(tx, "DELETE FROM queue WHERE id = $1", VALUES(V_I(id)));

	tx_changed_queue(tx, INT64_MAX);
	return e == OK ? tx_message_drop(tx, message_id, 1) : e;
}

/* Does what was wished for a row that its holder just gave back. */
static enum err
grant(struct tx *tx, uint64_t id, const struct leased *leased, int64_t now_ms)
{
	switch ((enum queue_verb)leased->wish) {
	case QUEUE_HOLD:
		return tx_run(tx, "UPDATE queue SET state = 3, wish = 0 WHERE id = $1",
		              VALUES(V_I(id)));
	case QUEUE_BOUNCE:
		tx_changed_queue(tx, now_ms);
		return tx_run(tx,
		              "UPDATE queue SET state = 2, due_ms = $1, expires_ms = $2,"
		              " wish = 0 WHERE id = $3",
		              VALUES(V_I(now_ms), V_I(QUEUE_SENT_BACK), V_I(id)));
	case QUEUE_DELETE:
		return tx_queue_drop(tx, id, leased->message_id);
	case QUEUE_RETRY:
	case QUEUE_UNHOLD:
		break;
	}
	return OK;
}

/* The sender hears of the row by a notification of this transaction: told here, since it
   holds from the commit on and not before, in the journeys of both. */
static enum err
tell_dsn(struct tx *tx, const struct queue_outcome_row *row)
{
	struct tx_leased leased;
	struct event e;
	enum err err;

	if (!row->dsn.n)
		return OK;
	err = tx_queue_leased(tx, row->id, &leased);
	if (err != OK)
		return err;
	event_init(&e, EV_DSN_SENT, leased.trace_id, str_from(NULL));
	event_str(&e, "from", leased.sender);
	event_str(&e, "rcpt", leased.rcpt);
	event_str(&e, "action", row->told);
	event_str(&e, "dsn", row->dsn);
	tx_event(tx, &e);
	event_init(&e, EV_DSN_ABOUT, row->dsn, str_from(NULL));
	event_str(&e, "address", leased.rcpt);
	event_str(&e, "action", row->told);
	event_str(&e, "about", leased.trace_id);
	tx_event(tx, &e);
	return OK;
}

static enum err
give_back(struct tx *tx, const struct queue_outcome_row *row, const struct leased *leased,
          int64_t now_ms)
{
	enum err e = put_back(tx, row, now_ms);

	return e == OK ? grant(tx, row->id, leased, now_ms) : e;
}

enum err
op_queue_result_apply(struct tx *tx, const struct op_queue_result *op,
                      struct answer_accept *answer)
{
	struct leased *leased;
	enum err e = OK;

	if (op->rows_count > IDS_MAX)
		return ERR_LIMIT;
	leased = ARENA_ARRAY(tx->arena, struct leased, op->rows_count + 1);
	for (size_t i = 0; i < op->rows_count && e == OK; i++) {
		e = check_leased(tx, op->rows[i].id, &leased[i]);
		if (op->rows[i].outcome < OUTCOME_DELIVERED ||
		    op->rows[i].outcome > OUTCOME_RETURNED)
			e = ERR_INVALID;
	}
	for (size_t i = 0; i < op->notifications_count && e == OK; i++) {
		*answer = (struct answer_accept){ 0 };
		e = op_accept_apply(tx, &op->notifications[i], answer);
	}
	for (size_t i = 0; i < op->rows_count && e == OK; i++) {
		const struct queue_outcome_row *row = &op->rows[i];

		e = tell_dsn(tx, row);
		if (e != OK)
			break;
		if (row->outcome == OUTCOME_DEFERRED ||
		    row->outcome == OUTCOME_RETURNED) {
			e = give_back(tx, row, &leased[i], op->now_ms);
			continue;
		}
		if (row->is_report)
			e = tx_report_ended(tx, row->id,
			                    row->outcome == OUTCOME_DELIVERED, row->text);
		if (e == OK)
			e = tx_queue_drop(tx, row->id, leased[i].message_id);
	}
	return e;
}

/* Of what was leased to the dead, that which nobody wants tried again. */
static enum err
drop_wished(struct tx *tx, uint64_t *count)
{
	uint64_t ids[CLAIM_MAX], messages[CLAIM_MAX];
	size_t n = CLAIM_MAX;
	enum err e = OK;

	while (n == CLAIM_MAX && e == OK) {
		struct stmt *s = db_query(
			tx->db,
			"SELECT id, message_id FROM queue WHERE"
			" state = 1 AND lease_epoch <> $1 AND wish = $2"
			" LIMIT $3",
			VALUES(V_I(tx->epoch), V_I(QUEUE_DELETE), V_I(CLAIM_MAX)));

		for (n = 0; n < CLAIM_MAX && db_next(s); n++) {
			ids[n] = db_u64(s, 0);
			messages[n] = db_u64(s, 1);
		}
		e = db_done(tx->db, &s);
		for (size_t i = 0; i < n && e == OK; i++)
			e = tx_queue_drop(tx, ids[i], messages[i]);
		*count += n;
	}
	return e;
}

/* Rows that were taken or tried in what is now the future: the clock was ahead then, and
   has been set right. They wait as long as they were to, from now on. */
static enum err
forget_the_future(struct tx *tx, int64_t now_ms)
{
	return tx_run(tx,
	              "UPDATE queue SET due_ms = due_ms + $1 - CASE WHEN attempts = 0"
	              " THEN created_ms ELSE last_attempt_ms END, last_attempt_ms ="
	              " CASE WHEN attempts = 0 THEN 0 ELSE $1 END, version = version + 1"
	              " WHERE state IN (0, 2) AND due_ms > $2 AND CASE WHEN attempts = 0"
	              " THEN created_ms ELSE last_attempt_ms END > $2",
	              VALUES(V_I(now_ms), V_I(now_ms + CLOCK_SLACK_MS)));
}

enum err
op_queue_release_apply(struct tx *tx, const struct op_queue_release *op,
                       struct answer_count *answer)
{
	uint64_t dropped = 0;
	enum err e = drop_wished(tx, &dropped);

	if (e != OK)
		return e;
	e = tx_run(tx,
	           "UPDATE queue SET state = CASE WHEN wish = $1 THEN 3 WHEN wish = $2"
	           " THEN 2 WHEN attempts = 0 THEN 0 ELSE 2 END, due_ms = CASE WHEN"
	           " wish = $2 THEN $3 ELSE due_ms END, expires_ms = CASE WHEN wish = $2"
	           " THEN $4 ELSE expires_ms END, wish = 0, lease_until_ms = 0,"
	           " lease_epoch = 0, lease_seq = 0, version = version + 1"
	           " WHERE state = 1 AND lease_epoch <> $5",
	           VALUES(V_I(QUEUE_HOLD), V_I(QUEUE_BOUNCE), V_I(op->now_ms),
	                  V_I(QUEUE_SENT_BACK), V_I(tx->epoch)));
	answer->count = dropped + db_changed(tx->db);
	if (e == OK)
		e = forget_the_future(tx, op->now_ms);
	tx_changed_queue(tx, op->now_ms);
	return e;
}
