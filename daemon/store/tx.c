#include "store/tx.h"

#include "base/clock.h"
#include "base/utf8.h"
#include "store/change.h"
#include "store/events.h"

enum {
	ID_BLOCK = 4096,
	JOURNAL_MAX = 64 << 20,
	SHARER_MAX = 1024, /* an address, a domain */
};

void
tx_init(struct tx *tx, struct db *db, struct arena *a)
{
	*tx = (struct tx){ .db = db, .arena = a };
	tx->journal = strbuf_heap(JOURNAL_MAX);
	tx->own = strbuf_heap(JOURNAL_MAX);
	tx->changes = strbuf_heap(JOURNAL_MAX);
	tx->dropped_keys = strbuf_heap(JOURNAL_MAX);
	tx->turn = strbuf_heap(SHARER_MAX);
	tx_reset(tx);
}

void
tx_reset(struct tx *tx)
{
	list_init(&tx->mailboxes);
	list_init(&tx->accounts);
	list_init(&tx->segment_rows);
	strbuf_clear(&tx->journal);
	strbuf_clear(&tx->own);
	strbuf_clear(&tx->changes);
	strbuf_clear(&tx->dropped_keys);
	tx->has_written = tx->has_queue_change = tx->has_login_change = false;
	tx->queue_due_ms = 0;
	tx->dropped_count = 0;
	tx->written = 0;
	tx->is_turn_over = false;
}

bool
tx_turn_ends(struct tx *tx, size_t rows)
{
	if (rows < STORE_TURN_ROWS_MIN ||
	    clock_mono_us() - tx->began_us < tx->limits->turn_us)
		return false;
	tx->is_turn_over = true;
	return true;
}

void
tx_fini(struct tx *tx)
{
	strbuf_release(&tx->journal);
	strbuf_release(&tx->own);
	strbuf_release(&tx->changes);
	strbuf_release(&tx->dropped_keys);
	strbuf_release(&tx->turn);
}

enum err
tx_run(struct tx *tx, const char *sql, const struct value *values, size_t count)
{
	tx->has_written = true;
	tx->written++;
	return db_run(tx->db, sql, values, count);
}

/* --- rows ------------------------------------------------------------------------------
 */

#define MAILBOX_COLUMNS                                                                  \
	"id, account_id, name, uidvalidity, uidnext, recent_uid, modseq, message_count," \
	" unseen, deleted, size_bytes, special_use"

static struct tx_mailbox *
mailbox_read(struct tx *tx, struct stmt *s)
{
	struct tx_mailbox *m = ARENA_NEW(tx->arena, struct tx_mailbox);

	m->id = db_u64(s, 0);
	m->account_id = db_u64(s, 1);
	m->name = arena_str(tx->arena, db_str(s, 2));
	m->uidvalidity = db_u32(s, 3);
	m->uidnext = db_u32(s, 4);
	m->recent_uid = db_u32(s, 5);
	m->modseq = db_u64(s, 6);
	m->count = db_u32(s, 7);
	m->unseen = db_u32(s, 8);
	m->deleted = db_u32(s, 9);
	m->size_bytes = db_u64(s, 10);
	m->special_use = db_u32(s, 11);
	list_add_last(&tx->mailboxes, &m->link);
	return m;
}

enum err
tx_mailbox(struct tx *tx, uint64_t account_id, uint64_t mailbox_id,
           struct tx_mailbox **out)
{
	struct stmt *s;
	enum err e;

	LIST_EACH(&tx->mailboxes, l)
	{
		struct tx_mailbox *m = CONTAINER_OF(l, struct tx_mailbox, link);

		if (m->id == mailbox_id && !m->is_gone) {
			*out = m;
			return m->account_id == account_id ? OK : ERR_NOT_FOUND;
		}
	}
	e = db_one(tx->db,
	           "SELECT " MAILBOX_COLUMNS
	           " FROM mailbox WHERE id = $1 AND account_id = $2",
	           VALUES(V_I(mailbox_id), V_I(account_id)), &s);
	if (e != OK)
		return e;
	*out = mailbox_read(tx, s);
	db_end(&s);
	return OK;
}

enum err
tx_mailbox_named(struct tx *tx, uint64_t account_id, struct str name,
                 struct tx_mailbox **out)
{
	struct stmt *s;
	enum err e;

	LIST_EACH(&tx->mailboxes, l)
	{
		struct tx_mailbox *m = CONTAINER_OF(l, struct tx_mailbox, link);

		if (m->account_id == account_id && !m->is_gone && str_eq(m->name, name)) {
			*out = m;
			return OK;
		}
	}
	e = db_one(tx->db,
	           "SELECT " MAILBOX_COLUMNS
	           " FROM mailbox WHERE account_id = $1 AND name = $2",
	           VALUES(V_I(account_id), V_S(name)), &s);
	if (e != OK)
		return e;
	*out = mailbox_read(tx, s);
	db_end(&s);
	return OK;
}

enum err
tx_mailbox_name_check(struct tx *tx, struct str *name)
{
	struct str rest = *name, level;
	uint32_t depth = 0;

	if (str_eq_icase(*name, STR("INBOX"))) {
		*name = STR("INBOX");
		return OK;
	}
	if (!name->n || name->n > tx->limits->mailbox_name_bytes || !utf8_check(*name) ||
	    name->p[name->n - 1] == '/')
		return ERR_INVALID;
	/* INBOX is one mailbox in any case, so what lies below it is spelled one way. */
	if (str_starts_icase(*name, STR("INBOX/")))
		*name = arena_printf(tx->arena, "INBOX%.*s",
		                     STR_ARG(str_from_offset(*name, 5)));
	for (size_t i = 0; i < name->n; i++) {
		if ((unsigned char)name->p[i] < ' ' || name->p[i] == 0x7f)
			return ERR_INVALID;
	}
	while (str_next(&rest, '/', &level)) {
		if (!level.n || ++depth > tx->limits->mailbox_depth)
			return ERR_INVALID;
	}
	return OK;
}

enum err
tx_mailbox_new(struct tx *tx, uint64_t account_id, struct str name, enum special_use use,
               struct tx_mailbox **out)
{
	struct tx_mailbox *m = ARENA_NEW(tx->arena, struct tx_mailbox);
	enum err e = tx_id(tx, &m->id);

	if (e == OK)
		e = tx_uidvalidity(tx, &m->uidvalidity);
	if (e != OK)
		return e;
	m->account_id = account_id;
	m->name = arena_str(tx->arena, name);
	m->uidnext = m->recent_uid = 1;
	m->modseq = 1;
	m->special_use = use;
	e = tx_run(
		tx,
		"INSERT INTO mailbox (id, account_id, name, uidvalidity, uidnext,"
		" recent_uid, modseq, special_use) VALUES ($1, $2, $3, $4, 1, 1, 1, $5)",
		VALUES(V_I(m->id), V_I(account_id), V_S(name), V_I(m->uidvalidity),
	               V_I(use)));
	if (e != OK)
		return e;
	list_add_last(&tx->mailboxes, &m->link);
	tx_changed_mailboxes(tx, account_id);
	*out = m;
	return OK;
}

enum err
tx_account(struct tx *tx, uint64_t id, struct tx_account **out)
{
	struct tx_account *acc;
	struct stmt *s;
	enum err e;

	LIST_EACH(&tx->accounts, l)
	{
		acc = CONTAINER_OF(l, struct tx_account, link);
		if (acc->id == id && !acc->is_gone) {
			*out = acc;
			return OK;
		}
	}
	e = db_one(tx->db,
	           "SELECT domain_id, address, state, quota_bytes, used_bytes,"
	           " message_count FROM account WHERE id = $1",
	           VALUES(V_I(id)), &s);
	if (e != OK)
		return e;
	acc = ARENA_NEW(tx->arena, struct tx_account);
	acc->id = id;
	acc->domain_id = db_u64(s, 0);
	acc->address = arena_str(tx->arena, db_str(s, 1));
	acc->state = db_u32(s, 2);
	acc->quota_bytes = db_u64(s, 3);
	acc->used_bytes = db_u64(s, 4);
	acc->message_count = db_u64(s, 5);
	db_end(&s);
	list_add_last(&tx->accounts, &acc->link);
	*out = acc;
	return OK;
}

enum err
tx_segment(struct tx *tx, uint64_t id, struct tx_segment **out)
{
	struct tx_segment *seg;
	struct stmt *s;
	enum err e;

	LIST_EACH(&tx->segment_rows, l)
	{
		seg = CONTAINER_OF(l, struct tx_segment, link);
		if (seg->id == id) {
			*out = seg;
			return OK;
		}
	}
	e = db_one(tx->db, "SELECT state FROM segment WHERE id = $1", VALUES(V_I(id)),
	           &s);
	if (e != OK)
		return e;
	seg = ARENA_NEW(tx->arena, struct tx_segment);
	seg->id = id;
	seg->state = db_u32(s, 0);
	db_end(&s);
	list_add_last(&tx->segment_rows, &seg->link);
	*out = seg;
	return OK;
}

/* --- numbers ---------------------------------------------------------------------------
 */

static enum err
counter_add(struct tx *tx, const char *name, uint64_t by, uint64_t *out)
{
	struct stmt *s;
	enum err e;

	tx->has_written = true;
	e = db_one(tx->db,
	           "UPDATE meta SET value = value + $1 WHERE name = $2 RETURNING value",
	           VALUES(V_I(by), V_S(str_from(name))), &s);
	if (e != OK)
		return e == ERR_NOT_FOUND ? ERR_CORRUPT : e;
	*out = db_u64(s, 0);
	/* To its end, so that the change is made before anything else looks. */
	(void)db_next(s);
	return db_done(tx->db, &s);
}

enum err
tx_id(struct tx *tx, uint64_t *id_out)
{
	struct tx_ids *ids = tx->ids;

	if (ids->next == ids->end) {
		bool had_written = tx->has_written;
		enum err e = counter_add(tx, "next_id", ID_BLOCK, &ids->end);

		if (e != OK)
			return e;
		ids->next = ids->end - ID_BLOCK;
		ids->is_uncommitted = true;
		/* A burnt block harms nobody: the operation may still fail alone. */
		tx->has_written = had_written;
	}
	*id_out = ids->next++;
	return OK;
}

enum err
tx_uidvalidity(struct tx *tx, uint32_t *out)
{
	uint64_t value;
	enum err e = counter_add(tx, "uidvalidity", 1, &value);

	if (e == OK && value > UINT32_MAX)
		e = ERR_LIMIT;
	*out = e == OK ? (uint32_t)value : 0;
	return e;
}

/* --- events, audit, feed ------------------------------------------------------------ */

void
tx_event(struct tx *tx, const struct event *e)
{
	events_pack(&tx->journal, e);
	events_pack(&tx->own, e);
}

void
tx_mailbox_event(struct tx *tx, enum event_id id, const struct tx_account *acc,
                 const struct tx_mailbox *m, const struct tx_mailbox *from,
                 struct tx_uids uids)
{
	char bytes[32];
	struct strbuf range = strbuf_on(bytes);
	struct event e;

	if (!uids.n)
		return;
	strbuf_printf(&range, "%u", uids.first);
	if (uids.n > 1)
		strbuf_printf(&range, ":%u", uids.last);
	event_init(&e, id, str_from(NULL), str_from(NULL));
	event_str(&e, "account", acc->address);
	if (from)
		event_str(&e, "from", from->name);
	event_str(&e, "mailbox", m->name);
	event_str(&e, "uid", strbuf_str(&range));
	event_i64(&e, "count", (int64_t)uids.n);
	tx_event(tx, &e);
}

void
tx_events(struct tx *tx, struct str packed)
{
	struct str rest = packed;
	struct trace_event event;
	size_t good = 0;

	/* What is no event, and what follows it, is left out. */
	while (events_next(&rest, &event))
		good = packed.n - rest.n;
	strbuf_add(&tx->journal, str_first(packed, good));
}

enum err
tx_audit(struct tx *tx, const struct actor *actor, const char *action, struct str target,
         struct str old_value, struct str new_value)
{
	struct event event;
	uint64_t id;
	enum err e;

	if (!actor->name.n)
		return OK;
	e = tx_id(tx, &id);
	if (e != OK)
		return e;
	event_init(&event, EV_SETTING_CHANGED, str_from(NULL), str_from(NULL));
	event_str(&event, "actor", actor->name);
	event_str(&event, "action", str_from(action));
	event_str(&event, "target", target);
	if (actor->ip.n)
		event_str(&event, "ip", actor->ip);
	tx_event(tx, &event);
	return tx_run(
		tx,
		"INSERT INTO audit (id, at_ms, actor, ip, request_id, action, target,"
		" old_value, new_value) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)",
		VALUES(V_I(id), V_I(tx->now_ms), V_S(actor->name), V_S(actor->ip),
	               V_S(actor->request_id), V_S(str_from(action)), V_S(target),
	               V_S(old_value), V_S(new_value)));
}

void
tx_changed_mailboxes(struct tx *tx, uint64_t account_id)
{
	change_pack(&tx->changes, &(struct change){ .kind = CHANGE_MAILBOXES,
	                                            .account_id = account_id });
}

void
tx_changed_queue(struct tx *tx, int64_t due_ms)
{
	if (!tx->has_queue_change || due_ms < tx->queue_due_ms)
		tx->queue_due_ms = due_ms;
	tx->has_queue_change = true;
}

void
tx_changed_setting(struct tx *tx, const char *what, struct str name)
{
	change_pack(&tx->changes,
	            &(struct change){ .kind = CHANGE_SETTINGS,
	                              .key = arena_printf(tx->arena, "%s:%.*s", what,
	                                                  STR_ARG(name)) });
	tx->has_login_change = true;
}

/* --- the end of a batch ------------------------------------------------------------- */

static enum err
flush_mailboxes(struct tx *tx)
{
	LIST_EACH(&tx->mailboxes, l)
	{
		struct tx_mailbox *m = CONTAINER_OF(l, struct tx_mailbox, link);
		enum err e;

		if (!m->is_dirty || m->is_gone)
			continue;
		e = tx_run(
			tx,
			"UPDATE mailbox SET uidnext = $1, recent_uid = $2, modseq = $3,"
			" message_count = $4, unseen = $5, deleted = $6,"
			" size_bytes = $7 WHERE id = $8",
			VALUES(V_I(m->uidnext), V_I(m->recent_uid), V_I(m->modseq),
		               V_I(m->count), V_I(m->unseen), V_I(m->deleted),
		               V_I(m->size_bytes), V_I(m->id)));
		if (e != OK)
			return e;
		change_pack(&tx->changes, &(struct change){ .kind = CHANGE_MAILBOX,
		                                            .account_id = m->account_id,
		                                            .mailbox_id = m->id,
		                                            .modseq = m->modseq,
		                                            .uidnext = m->uidnext,
		                                            .exists = m->count });
	}
	return OK;
}

static enum err
flush_accounts(struct tx *tx)
{
	LIST_EACH(&tx->accounts, l)
	{
		struct tx_account *acc = CONTAINER_OF(l, struct tx_account, link);
		enum err e;

		if (!acc->is_dirty || acc->is_gone)
			continue;
		e = tx_run(tx,
		           "UPDATE account SET used_bytes = $1, message_count = $2"
		           " WHERE id = $3",
		           VALUES(V_I(acc->used_bytes), V_I(acc->message_count),
		                  V_I(acc->id)));
		if (e != OK)
			return e;
	}
	return OK;
}

static enum err
flush_segments(struct tx *tx)
{
	LIST_EACH(&tx->segment_rows, l)
	{
		struct tx_segment *seg = CONTAINER_OF(l, struct tx_segment, link);
		enum err e;

		if (!seg->bytes && !seg->count)
			continue;
		e = tx_run(tx,
		           "UPDATE segment SET live_bytes = live_bytes + $1,"
		           " live_count = live_count + $2 WHERE id = $3",
		           VALUES(V_I(seg->bytes), V_I(seg->count), V_I(seg->id)));
		if (e != OK)
			return e;
	}
	return OK;
}

enum err
tx_flush(struct tx *tx)
{
	enum err e = flush_mailboxes(tx);
	uint64_t id;

	if (e == OK)
		e = flush_accounts(tx);
	if (e == OK)
		e = flush_segments(tx);
	if (tx->has_queue_change)
		change_pack(&tx->changes, &(struct change){ .kind = CHANGE_QUEUE,
		                                            .due_ms = tx->queue_due_ms });
	if (e != OK || !tx->journal.n)
		return e;
	if (tx->journal.overflow || tx->own.overflow || tx->changes.overflow)
		return ERR_LIMIT;
	e = tx_id(tx, &id);
	if (e != OK)
		return e;
	return tx_run(tx, "INSERT INTO journal (id, at_ms, events) VALUES ($1, $2, $3)",
	              VALUES(V_I(id), V_I(tx->now_ms), V_B(strbuf_str(&tx->journal))));
}
