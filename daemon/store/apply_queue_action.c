/* What people do to rows of the queue: try now, hold, let go on, send back, delete.
 *
 * A row that is being tried stays with its holder: what is wanted becomes its wish, which
 * is done when the holder gives it back (apply_queue.c).
 */
#include "store/queue_row.h"
#include "store/tx.h"

enum {
	IDS_MAX = 10 * 1000, /* rows of one action */
};

struct queue_target {
	uint64_t id, message_id, version;
	uint32_t state, wish;
	bool is_receipt;
	struct str trace_id, rcpt;
};

static enum err
target_find(struct tx *tx, uint64_t id, struct queue_target *t)
{
	struct stmt *s;
	enum err e = db_one(tx->db,
	                    "SELECT message_id, version, state, wish, trace_id, rcpt,"
	                    " expires_ms FROM queue WHERE id = $1",
	                    VALUES(V_I(id)), &s);

	if (e != OK)
		return e;
	*t = (struct queue_target){
		.id = id,
		.message_id = db_u64(s, 0),
		.version = db_u64(s, 1),
		.state = db_u32(s, 2),
		.wish = db_u32(s, 3),
		.trace_id = arena_str(tx->arena, db_str(s, 4)),
		.rcpt = arena_str(tx->arena, db_str(s, 5)),
		.is_receipt = queue_is_receipt(db_i64(s, 6)),
	};
	db_end(&s);
	return OK;
}

/* What the verb makes of the wish of a row that is being tried. */
static uint32_t
wish_of(uint32_t verb)
{
	return verb == QUEUE_RETRY || verb == QUEUE_UNHOLD ? 0 : verb;
}

static enum err
act(struct tx *tx, const struct op_queue_action *op, const struct queue_target *t)
{
	int64_t due_ms = op->due_ms ? op->due_ms : op->now_ms;

	if (t->state == QUEUE_ACTIVE) {
		tx_changed_queue(tx, INT64_MAX);
		return tx_run(tx,
		              "UPDATE queue SET wish = $1, version = version + 1"
		              " WHERE id = $2",
		              VALUES(V_I(wish_of(op->verb)), V_I(t->id)));
	}
	tx_changed_queue(tx, due_ms);
	switch ((enum queue_verb)op->verb) {
	case QUEUE_HOLD:
		return tx_run(tx,
		              "UPDATE queue SET state = 3, version = version + 1"
		              " WHERE id = $1",
		              VALUES(V_I(t->id)));
	case QUEUE_BOUNCE:
		return tx_run(tx,
		              "UPDATE queue SET state = 2, due_ms = $1, expires_ms = $2,"
		              " version = version + 1 WHERE id = $3",
		              VALUES(V_I(op->now_ms), V_I(QUEUE_SENT_BACK), V_I(t->id)));
	case QUEUE_DELETE:
		return tx_queue_drop(tx, t->id, t->message_id);
	case QUEUE_RETRY:
	case QUEUE_UNHOLD:
		break;
	}
	return tx_run(tx,
	              "UPDATE queue SET state = CASE WHEN attempts = 0 THEN 0 ELSE 2 END,"
	              " due_ms = $1, version = version + 1 WHERE id = $2",
	              VALUES(V_I(due_ms), V_I(t->id)));
}

static void
tell_action(struct tx *tx, const struct op_queue_action *op, const struct queue_target *t)
{
	struct event e;

	/* What becomes of a receipt says nothing of the mail, which has arrived. */
	event_init(&e, t->is_receipt ? EV_RECEIPT_ACTION : EV_QUEUE_ACTION, t->trace_id,
	           str_from(NULL));
	event_str(&e, "actor", op->actor.name);
	event_str(&e, "action", str_from(queue_verb_name(op->verb)));
	event_str(&e, "rcpt", t->rcpt);
	event_i64(&e, "queue_id", (int64_t)t->id);
	tx_event(tx, &e);
}

static bool
is_passed_over(const struct op_queue_action *op, const struct queue_target *t)
{
	/* There is nothing to send back of what has arrived. */
	if (t->is_receipt && op->verb == QUEUE_BOUNCE)
		return true;
	if (t->state == QUEUE_ACTIVE)
		return t->wish == wish_of(op->verb);
	return (op->verb == QUEUE_HOLD && t->state == QUEUE_HELD) ||
	       (op->verb == QUEUE_UNHOLD && t->state != QUEUE_HELD);
}

enum err
op_queue_action_apply(struct tx *tx, const struct op_queue_action *op,
                      struct answer_count *answer)
{
	enum err e = OK;

	if (op->verb < QUEUE_RETRY || op->verb > QUEUE_DELETE || op->ids_count > IDS_MAX)
		return ERR_INVALID;
	for (size_t i = 0; i < op->ids_count && e == OK; i++) {
		struct queue_target t;

		e = target_find(tx, op->ids[i], &t);
		if (e == ERR_NOT_FOUND && !op->if_version) {
			e = OK;
			continue;
		}
		if (e != OK)
			return e;
		if (op->if_version && t.version != op->if_version)
			return ERR_ETAG;
		if (is_passed_over(op, &t))
			continue;
		e = act(tx, op, &t);
		if (e == OK)
			e = tx_audit(
				tx, &op->actor,
				arena_printf(tx->arena, "queue.%s",
			                     queue_verb_name(op->verb))
					.p,
				arena_printf(tx->arena, "%llu", (unsigned long long)t.id),
				str_from(NULL), t.rcpt);
		tell_action(tx, op, &t);
		answer->count++;
	}
	return e;
}
