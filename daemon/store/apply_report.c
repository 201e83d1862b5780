/* Reports of others on our domains: kept with their rows and their document, once each.
 *
 * The queue row that brought the report goes in the same transaction, so a crash neither
 * loses nor doubles it. What they take in all is counted in meta ('report_space') and
 * bounded: the oldest go, those first whose sender nobody proved. */
#include "store/tx.h"

#include "base/duration.h"

enum {
	TEXT_MAX = 1024,     /* bytes of a string */
	ROW_SPACE = 512,     /* about what a row takes */
	REPORT_SPACE = 1024, /* … and a report without any */
	EVICT_MAX = 20,      /* reports that one new one may push out */
};

/* --- taking away -------------------------------------------------------------------- */

static enum err
add_space(struct tx *tx, int64_t bytes)
{
	return tx_run(tx,
	              "INSERT INTO meta (name, value) VALUES ('report_space', $1)"
	              " ON CONFLICT (name) DO UPDATE SET value = meta.value +"
	              " excluded.value",
	              VALUES(V_I(bytes)));
}

static enum err
drop(struct tx *tx, uint64_t id)
{
	struct stmt *s;
	int64_t space;
	enum err e;

	tx->has_written = true;
	e = db_one(tx->db, "DELETE FROM report WHERE id = $1 RETURNING space",
	           VALUES(V_I(id)), &s);
	if (e != OK)
		return e == ERR_NOT_FOUND ? OK : e;
	space = db_i64(s, 0);
	(void)db_next(s);
	e = db_done(tx->db, &s);
	if (e == OK)
		e = tx_run(tx, "DELETE FROM report_row WHERE report_id = $1",
		           VALUES(V_I(id)));
	if (e == OK)
		e = tx_run(tx, "DELETE FROM report_raw WHERE report_id = $1",
		           VALUES(V_I(id)));
	return e == OK ? add_space(tx, -space) : e;
}

enum err
op_report_drop_apply(struct tx *tx, const struct op_report_drop *op,
                     struct answer_none *answer)
{
	enum err e = OK;

	(void)answer;
	for (size_t i = 0; i < op->ids_count && e == OK; i++)
		e = drop(tx, op->ids[i]);
	return e;
}

enum err
tx_domain_reports_drop(struct tx *tx, uint64_t domain_id)
{
	enum err e = tx_run(tx,
	                    "DELETE FROM report_row WHERE report_id IN (SELECT id FROM"
	                    " report WHERE domain_id = $1)",
	                    VALUES(V_I(domain_id)));

	if (e == OK)
		e = tx_run(tx,
		           "DELETE FROM report_raw WHERE report_id IN (SELECT id FROM"
		           " report WHERE domain_id = $1)",
		           VALUES(V_I(domain_id)));
	if (e == OK)
		e = tx_run(
			tx,
			"UPDATE meta SET value = value - (SELECT coalesce(sum(space), 0)"
			" FROM report WHERE domain_id = $1) WHERE name = 'report_space'",
			VALUES(V_I(domain_id)));
	return e == OK ? tx_run(tx, "DELETE FROM report WHERE domain_id = $1",
	                        VALUES(V_I(domain_id)))
	               : e;
}

/* The next to go, and what room it has. */
static enum err
find_oldest(struct tx *tx, uint64_t *id_out)
{
	struct stmt *s;
	enum err e = db_one(
		tx->db, "SELECT id FROM report ORDER BY is_proven, received_ms LIMIT 1",
		NO_VALUES, &s);

	if (e == OK)
		*id_out = db_u64(s, 0);
	db_end(&s);
	return e;
}

static enum err
space_used(struct tx *tx, uint64_t *bytes_out)
{
	struct stmt *s;
	enum err e = db_one(tx->db, "SELECT value FROM meta WHERE name = 'report_space'",
	                    NO_VALUES, &s);

	*bytes_out = e == OK ? db_u64(s, 0) : 0;
	db_end(&s);
	return e == ERR_NOT_FOUND ? OK : e;
}

static enum err
make_room(struct tx *tx, uint64_t space)
{
	uint64_t used = 0, id;
	enum err e = space_used(tx, &used);

	for (size_t i = 0; i < EVICT_MAX && e == OK; i++) {
		if (used + space <= tx->limits->report_space)
			return OK;
		e = find_oldest(tx, &id);
		if (e == OK)
			e = drop(tx, id);
		if (e == OK)
			e = space_used(tx, &used);
	}
	return e == ERR_NOT_FOUND ? OK : e;
}

/* --- keeping ------------------------------------------------------------------------ */

static bool
is_long(const struct str *const *strs, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		if (strs[i]->n > TEXT_MAX)
			return true;
	}
	return false;
}

static enum err
check(const struct op_report_put *op)
{
	const struct received_report *r = &op->report;
	const struct str *own[] = { &r->sender, &r->name, &r->reporter, &r->about,
		                    &r->raw_type };

	if (!r->kind || !r->name.n || is_long(own, ARRAY_LEN(own)))
		return ERR_INVALID;
	if (op->rows_count > REPORT_STORED_ROWS_MAX || op->raw.n > REPORT_STORED_RAW_MAX)
		return ERR_LIMIT;
	for (size_t i = 0; i < op->rows_count; i++) {
		const struct received_row *row = &op->rows[i];
		const struct str *strs[] = { &row->source,  &row->name,  &row->origin,
			                     &row->domains, &row->spf,   &row->dkim,
			                     &row->done,    &row->detail };

		if (is_long(strs, ARRAY_LEN(strs)))
			return ERR_INVALID;
	}
	return OK;
}

/* OK: it is there already; ERR_NOT_FOUND: it is new. */
static enum err
find_same(struct tx *tx, const struct received_report *r, uint64_t domain_id,
          uint64_t *id_out)
{
	struct stmt *s;
	enum err e = db_one(tx->db,
	                    "SELECT id FROM report WHERE domain_id = $1 AND kind = $2"
	                    " AND is_proven = $3 AND sender = $4 AND name = $5",
	                    VALUES(V_I(domain_id), V_I(r->kind), V_I(r->is_proven),
	                           V_S(r->sender), V_S(r->name)),
	                    &s);

	if (e == OK)
		*id_out = db_u64(s, 0);
	db_end(&s);
	return e;
}

static enum err
check_today(struct tx *tx, uint64_t domain_id, bool is_proven)
{
	uint64_t max = is_proven ? REPORTS_PROVEN_PER_DAY : REPORTS_UNPROVEN_PER_DAY;
	struct stmt *s;
	enum err e = db_one(
		tx->db,
		"SELECT count(*) FROM report WHERE is_proven = $1 AND"
		" received_ms > $2 AND domain_id = $3",
		VALUES(V_I(is_proven), V_I(tx->now_ms - DAY_MS), V_I(domain_id)), &s);

	if (e == OK && db_u64(s, 0) >= max)
		e = ERR_LIMIT;
	db_end(&s);
	return e;
}

static enum err
write_rows(struct tx *tx, const struct op_report_put *op, uint64_t id)
{
	enum err e = OK;

	for (size_t i = 0; i < op->rows_count && e == OK; i++) {
		const struct received_row *row = &op->rows[i];

		e = tx_run(
			tx,
			"INSERT INTO report_row (report_id, n, source, name, origin,"
			" domains, count, is_good, spf, dkim, done, detail) VALUES ($1,"
			" $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)",
			VALUES(V_I(id), V_I(i), V_S(row->source), V_S(row->name),
		               V_S(row->origin), V_S(row->domains), V_I(row->count),
		               V_I(row->is_good), V_S(row->spf), V_S(row->dkim),
		               V_S(row->done), V_S(row->detail)));
	}
	if (e == OK && op->raw.n)
		e = tx_run(tx, "INSERT INTO report_raw (report_id, body) VALUES ($1, $2)",
		           VALUES(V_I(id), V_B(op->raw)));
	return e;
}

static enum err
write_report(struct tx *tx, const struct op_report_put *op, uint64_t domain_id,
             const struct tx_leased *leased, uint64_t *id_out)
{
	const struct received_report *r = &op->report;
	uint64_t space = REPORT_SPACE + op->rows_count * ROW_SPACE + op->raw.n;
	enum err e = make_room(tx, space);

	if (e == OK)
		e = tx_id(tx, id_out);
	if (e == OK)
		e = tx_run(
			tx,
			"INSERT INTO report (id, domain_id, kind, is_proven, sender,"
			" name, reporter, about, begin_ms, end_ms, received_ms, good,"
			" bad, row_count, space, trace_id, raw_type, raw_bytes) VALUES"
			" ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14,"
			" $15, $16, $17, $18)",
			VALUES(V_I(*id_out), V_I(domain_id), V_I(r->kind),
		               V_I(r->is_proven), V_S(r->sender), V_S(r->name),
		               V_S(r->reporter), V_S(r->about), V_I(r->begin_ms),
		               V_I(r->end_ms), V_I(tx->now_ms), V_I(r->good), V_I(r->bad),
		               V_I(op->rows_count), V_I(space), V_S(leased->trace_id),
		               V_S(r->raw_type), V_I(op->raw.n)));
	if (e == OK)
		e = write_rows(tx, op, *id_out);
	return e == OK ? add_space(tx, (int64_t)space) : e;
}

static void
tell_report(struct tx *tx, const struct op_report_put *op, const struct tx_leased *leased,
            bool is_new)
{
	const struct received_report *r = &op->report;
	struct event e;

	event_init(&e, is_new ? EV_REPORT_RECEIVED : EV_REPORT_REPEATED, leased->trace_id,
	           str_from(NULL));
	event_str(&e, "kind", r->kind == 1 ? STR("DMARC") : STR("TLS"));
	event_str(&e, "domain", r->about);
	event_str(&e, "reporter", r->reporter);
	event_str(&e, "report", r->name);
	event_str(&e, "from", r->sender);
	event_str(&e, "proof",
	          r->is_proven ? STR("its sender is proven")
	                       : STR("its sender is not proven"));
	event_i64(&e, "good", (int64_t)r->good);
	event_i64(&e, "bad", (int64_t)r->bad);
	event_str(&e, "rcpt", leased->rcpt);
	tx_event(tx, &e);
}

/* The row has done what it was for. A report of our own on ourselves has arrived. */
static enum err
row_done(struct tx *tx, uint64_t queue_id, const struct tx_leased *leased)
{
	enum err e = OK;

	if (leased->flags & MESSAGE_REPORT)
		e = tx_report_ended(tx, queue_id, true, STR(""));
	return e == OK ? tx_queue_drop(tx, queue_id, leased->message_id) : e;
}

enum err
op_report_put_apply(struct tx *tx, const struct op_report_put *op,
                    struct answer_id *answer)
{
	struct tx_leased leased;
	uint64_t domain_id = 0;
	bool is_new = false;
	enum err e = check(op);

	if (e == OK)
		e = tx_queue_leased(tx, op->queue_id, &leased);
	if (e == OK)
		e = tx_domain_id(tx, op->domain, &domain_id);
	if (e == OK)
		e = find_same(tx, &op->report, domain_id, &answer->id);
	if (e == ERR_NOT_FOUND && domain_id) {
		is_new = true;
		e = check_today(tx, domain_id, op->report.is_proven);
		if (e == OK)
			e = write_report(tx, op, domain_id, &leased, &answer->id);
	}
	if (e != OK)
		return e;
	answer->version = is_new;
	tell_report(tx, op, &leased, is_new);
	tx_changed_setting(tx, "report", op->domain);
	return row_done(tx, op->queue_id, &leased);
}

/* --- what is none ------------------------------------------------------------------- */

static void
tell_refused(struct tx *tx, const struct op_report_refuse *op,
             const struct tx_leased *leased)
{
	struct event e;

	event_init(&e, EV_REPORT_REFUSED, leased->trace_id, str_from(NULL));
	event_str(&e, "rcpt", leased->rcpt);
	event_str(&e, "from", leased->sender);
	event_str(&e, "reason", op->reason);
	tx_event(tx, &e);
}

enum err
op_report_refuse_apply(struct tx *tx, const struct op_report_refuse *op,
                       struct answer_accept *answer)
{
	struct op_accept as = { .expires_ms = op->expires_ms };
	struct tx_leased leased;
	enum err e = op->rcpts_count ? tx_queue_leased(tx, op->queue_id, &leased)
	                             : ERR_INVALID;

	if (e != OK)
		return e;
	as.trace_id = leased.trace_id;
	as.sender = leased.sender;
	as.body.ref.size = leased.size;
	answer->message_id = leased.message_id;
	answer->results = ARENA_ARRAY(tx->arena, struct accept_result, op->rcpts_count);
	answer->results_count = op->rcpts_count;
	tell_refused(tx, op, &leased);
	for (size_t i = 0; i < op->rcpts_count && e == OK; i++)
		e = tx_message_place(tx, &as, &op->rcpts[i], leased.message_id,
		                     &answer->results[i]);
	if (e == OK)
		e = tx_run(tx, "UPDATE message SET refs = refs + $1 WHERE id = $2",
		           VALUES(V_I(op->rcpts_count), V_I(leased.message_id)));
	return e == OK ? row_done(tx, op->queue_id, &leased) : e;
}
