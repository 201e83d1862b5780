/* What was seen of others, summed up for the reports to them.
 *
 * Bounded: so many domains a day, so many rows a domain and a day. A message that finds
 * no room counts for its domain all the same, or, where that found none, for the day.
 */
#include "store/tx.h"

#include "base/duration.h"

enum {
	NAME_MAX_BYTES = 253,
	BODY_MAX = 2048,
	PACKED_MAX = 256 * 1024, /* a larger report is not kept */
};

/* So long people can look at a report; it is on record for longer. */
#define PACKED_KEEP_MS  (30 * DAY_MS)
#define PACKED_SWEEP_MS (30 * DAY_MS)

/* The sums of one day, or of a domain on it; written back once. */
struct sum {
	uint32_t kind;
	int64_t day;
	struct str domain; /* empty: of the whole day */
	struct str policy, rua;
	uint64_t rows, messages, left_out;
	bool is_known; /* it has a row */
};

static enum err
sum_load(struct tx *tx, const struct report_count *one, struct str domain,
         struct sum *sum)
{
	struct stmt *s;
	enum err e;

	*sum = (struct sum){ .kind = one->kind, .day = one->day, .domain = domain };
	e = db_one(tx->db,
	           "SELECT rows_kept, messages, left_out FROM seen_domain"
	           " WHERE kind = $1 AND day = $2 AND domain = $3",
	           VALUES(V_I(one->kind), V_I(one->day), V_S(domain)), &s);
	if (e != OK)
		return e == ERR_NOT_FOUND ? OK : e;
	sum->is_known = true;
	sum->rows = db_u64(s, 0);
	sum->messages = db_u64(s, 1);
	sum->left_out = db_u64(s, 2);
	db_end(&s);
	return OK;
}

static enum err
sum_write(struct tx *tx, const struct sum *sum)
{
	return tx_run(tx,
	              "INSERT INTO seen_domain (kind, day, domain, policy, rua,"
	              " rows_kept, messages, left_out)"
	              " VALUES ($1, $2, $3, $4, $5, $6, $7, $8)"
	              " ON CONFLICT (kind, day, domain) DO UPDATE SET"
	              " policy = excluded.policy, rua = excluded.rua,"
	              " rows_kept = excluded.rows_kept, messages = excluded.messages,"
	              " left_out = excluded.left_out",
	              VALUES(V_I(sum->kind), V_I(sum->day), V_S(sum->domain),
	                     V_S(sum->policy), V_S(sum->rua), V_I(sum->rows),
	                     V_I(sum->messages), V_I(sum->left_out)));
}

/* In a row that is there, or in a new one; *is_new_out. ERR_LIMIT: there is none. */
static enum err
row_add(struct tx *tx, const struct report_count *one, bool may_grow, bool *is_new_out)
{
	enum err e = tx_run(tx,
	                    "UPDATE seen_row SET messages = messages + $1"
	                    " WHERE kind = $2 AND day = $3 AND domain = $4 AND body = $5",
	                    VALUES(V_I(one->count), V_I(one->kind), V_I(one->day),
	                           V_S(one->domain), V_S(one->body)));

	*is_new_out = false;
	if (e != OK || db_changed(tx->db))
		return e;
	if (!may_grow)
		return ERR_LIMIT;
	*is_new_out = true;
	return tx_run(tx,
	              "INSERT INTO seen_row (kind, day, domain, body, messages)"
	              " VALUES ($1, $2, $3, $4, $5)",
	              VALUES(V_I(one->kind), V_I(one->day), V_S(one->domain),
	                     V_S(one->body), V_I(one->count)));
}

/* All of one domain and day. */
static enum err
domain_add(struct tx *tx, const struct report_count *counts, size_t count,
           struct sum *day)
{
	const struct tx_limits *l = tx->limits;
	const struct report_count *last = &counts[count - 1];
	struct sum sum;
	enum err e = sum_load(tx, counts, counts[0].domain, &sum);

	if (e != OK)
		return e;
	if (!sum.is_known && day->messages >= l->seen_domains_max) {
		for (size_t i = 0; i < count; i++)
			day->left_out += counts[i].count;
		return OK;
	}
	day->messages += !sum.is_known;
	sum.policy = last->policy;
	sum.rua = last->rua;
	for (size_t i = 0; i < count && e == OK; i++) {
		bool is_new, may_grow = sum.rows < l->seen_rows_domain_max &&
		                        day->rows < l->seen_rows_max;

		e = row_add(tx, &counts[i], may_grow, &is_new);
		if (e == ERR_LIMIT) {
			sum.left_out += counts[i].count;
			e = OK;
		} else if (is_new) {
			sum.rows++;
			day->rows++;
		}
		sum.messages += counts[i].count;
	}
	return e == OK ? sum_write(tx, &sum) : e;
}

static bool
is_good(const struct report_count *one)
{
	return (one->kind == SEEN_DMARC || one->kind == SEEN_TLS) && one->domain.n &&
	       one->domain.n <= NAME_MAX_BYTES && one->body.n <= BODY_MAX;
}

static size_t
domain_end(const struct report_count *counts, size_t from, size_t count)
{
	size_t i = from;

	while (i < count && counts[i].kind == counts[from].kind &&
	       counts[i].day == counts[from].day &&
	       str_eq(counts[i].domain, counts[from].domain))
		i++;
	return i;
}

/* All of one kind and day. */
static enum err
day_add(struct tx *tx, const struct report_count *counts, size_t count)
{
	struct sum day, before;
	enum err e = sum_load(tx, counts, STR(""), &day);
	size_t next;

	before = day;
	for (size_t i = 0; i < count && e == OK; i = next) {
		next = domain_end(counts, i, count);
		if (is_good(&counts[i])) {
			e = domain_add(tx, &counts[i], next - i, &day);
			continue;
		}
		for (size_t j = i; j < next; j++)
			day.left_out += counts[j].count;
	}
	if (e != OK || (day.rows == before.rows && day.messages == before.messages &&
	                day.left_out == before.left_out))
		return e;
	return sum_write(tx, &day);
}

enum err
tx_count_reports(struct tx *tx, const struct report_count *counts, size_t count)
{
	size_t from = 0;
	enum err e = OK;

	while (from < count && e == OK) {
		size_t end = from;

		while (end < count && counts[end].kind == counts[from].kind &&
		       counts[end].day == counts[from].day)
			end++;
		e = day_add(tx, &counts[from], end - from);
		from = end;
	}
	return e;
}

/* --- reports ------------------------------------------------------------------------ */

static enum err
forget_seen(struct tx *tx, const struct op_report_made *op)
{
	enum err e = tx_run(tx,
	                    "DELETE FROM seen_row WHERE kind = $1 AND day = $2"
	                    " AND domain = $3",
	                    VALUES(V_I(op->kind), V_I(op->day), V_S(op->domain)));

	if (e != OK)
		return e;
	return tx_run(
		tx,
		"DELETE FROM seen_domain WHERE kind = $1 AND day = $2 AND domain = $3",
		VALUES(V_I(op->kind), V_I(op->day), V_S(op->domain)));
}

static enum err
check_new(struct tx *tx, const struct op_report_made *op)
{
	struct stmt *s;
	enum err e = db_one(tx->db,
	                    "SELECT id FROM sent_report WHERE kind = $1 AND day = $2"
	                    " AND domain = $3",
	                    VALUES(V_I(op->kind), V_I(op->day), V_S(op->domain)), &s);

	db_end(&s);
	return e == OK ? ERR_EXISTS : e == ERR_NOT_FOUND ? OK : e;
}

/* Old ones go with each new one; their contents before them. */
static enum err
sweep(struct tx *tx, int64_t keep_ms)
{
	enum err e = tx_run(tx, "DELETE FROM sent_report WHERE made_ms < $1",
	                    VALUES(V_I(tx->now_ms - keep_ms)));

	if (e != OK)
		return e;
	return tx_run(tx,
	              "UPDATE sent_report SET packed = '' WHERE made_ms < $1"
	              " AND made_ms > $2 AND packed <> ''",
	              VALUES(V_I(tx->now_ms - PACKED_KEEP_MS),
	                     V_I(tx->now_ms - PACKED_KEEP_MS - PACKED_SWEEP_MS)));
}

static enum err
keep_report(struct tx *tx, const struct op_report_made *op, uint32_t delivered,
            uint64_t *id_out)
{
	struct str trace = op->mails_count ? op->mails[0].trace_id : STR("");
	struct str packed = op->packed.n <= PACKED_MAX ? op->packed : STR("");
	enum err e = tx_id(tx, id_out);

	if (e != OK)
		return e;
	return tx_run(tx,
	              "INSERT INTO sent_report (id, kind, day, domain, name, made_ms,"
	              " rcpts, reason, rows_kept, messages, left_out, size, delivered,"
	              " failed, trace_id, packed) VALUES ($1, $2, $3, $4, $5, $6, $7,"
	              " $8, $9, $10, $11, $12, $13, $14, $15, $16)",
	              VALUES(V_I(*id_out), V_I(op->kind), V_I(op->day), V_S(op->domain),
	                     V_S(op->name), V_I(tx->now_ms), V_S(op->rcpts),
	                     V_S(op->reason), V_I(op->row_count), V_I(op->count),
	                     V_I(op->left_out), V_I(op->packed.n), V_I(delivered),
	                     V_I(op->failed), V_S(trace), V_B(packed)));
}

enum err
op_report_made_apply(struct tx *tx, const struct op_report_made *op,
                     struct answer_id *answer)
{
	struct answer_accept accepted = { 0 };
	uint32_t delivered = op->delivered;
	enum err e = OK;

	if ((op->kind != SEEN_DMARC && op->kind != SEEN_TLS) || op->mails_count > 1)
		return ERR_INVALID;
	if (op->name.n) {
		e = check_new(tx, op);
		if (e == OK && op->mails_count)
			e = op_accept_apply(tx, &op->mails[0], &accepted);
		/* What is for a mailbox of ours is there. */
		for (size_t i = 0; e == OK && i < accepted.results_count; i++)
			delivered += accepted.results[i].mailbox_id != 0;
		if (e == OK)
			e = keep_report(tx, op, delivered, &answer->id);
		if (e == OK)
			e = sweep(tx, op->keep_ms);
	}
	return e == OK ? forget_seen(tx, op) : e;
}

enum err
tx_report_ended(struct tx *tx, uint64_t queue_id, bool is_delivered, struct str reason)
{
	if (is_delivered)
		return tx_run(tx,
		              "UPDATE sent_report SET delivered = delivered + 1"
		              " WHERE trace_id = (SELECT trace_id FROM queue"
		              " WHERE id = $1)",
		              VALUES(V_I(queue_id)));
	return tx_run(tx,
	              "UPDATE sent_report SET failed = failed + 1, reason = CASE"
	              " WHEN reason = '' THEN $1 ELSE reason || '; ' || $1 END"
	              " WHERE trace_id = (SELECT trace_id FROM queue WHERE id = $2)",
	              VALUES(V_S(reason), V_I(queue_id)));
}
