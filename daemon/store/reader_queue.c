/* Reads of the queue. */
#include "store/queue_row.h"
#include "store/reader_priv.h"

static void
item_read(struct stmt *s, void *out)
{
	queue_row_read(s, out);
}

static const struct row_form item_form = { item_read, NULL, 0 };

/* Every condition is in the text and says itself whether it is meant; so there is one
   statement for each way to walk the table and none is built from pieces. */
#define QUEUE_CONDITIONS                                                                 \
	" AND ($3 = '' OR q.domain = $3) AND ($4 = '' OR q.sender = $5)"                 \
	" AND ($6 = '' OR q.rcpt = $6) AND ($7 = '' OR q.trace_id = $7)"                 \
	" AND ($8 = 0 OR q.created_ms < $8)"

#define QUEUE_DOWN                                                                       \
	" WHERE ($1 = 0 OR q.id < $1) AND (($2 >> q.state) & 1) = 1" QUEUE_CONDITIONS
#define QUEUE_ALL " WHERE q.id > $1 AND (($2 >> q.state) & 1) = 1" QUEUE_CONDITIONS

enum {
	ALL_STATES = (1 << QUEUE_STATE_COUNT) - 1,
};

static struct str
sender_of(const struct queue_query *q)
{
	return str_eq(q->sender, STR("<>")) ? str_from(NULL) : q->sender;
}

#define QUERY_VALUES(q)                                                                  \
	V_I((q)->after), V_I((q)->state_mask ? (q)->state_mask : ALL_STATES),            \
		V_S((q)->domain), V_S((q)->sender), V_S(sender_of(q)), V_S((q)->rcpt),   \
		V_S((q)->trace_id), V_I((q)->created_before_ms)

static bool
item_call(void *fn, void *arg, const void *row)
{
	return (*(reader_queue_fn **)fn)(arg, row);
}

enum err
reader_queue(struct reader *r, const struct queue_query *query, size_t limit,
             reader_queue_fn *fn, void *arg)
{
	struct queue_item row;

	if (limit > INT64_MAX)
		limit = INT64_MAX;
	return reader_each(r,
	                   QUERY(query->is_down
	                                 ? "SELECT " QUEUE_COLUMNS QUEUE_FROM QUEUE_DOWN
	                                   " ORDER BY q.id DESC LIMIT $9"
	                                 : "SELECT " QUEUE_COLUMNS QUEUE_FROM QUEUE_ALL
	                                   " ORDER BY q.id LIMIT $9",
	                         VALUES(QUERY_VALUES(query), V_I(limit))),
	                   &item_form, &row, ROW_CALLS(item_call, &fn, arg));
}

enum err
reader_queue_item(struct reader *r, uint64_t id, struct arena *a, struct queue_item *out)
{
	struct stmt *s;
	enum err e = reader_one(r, "SELECT " QUEUE_COLUMNS QUEUE_FROM " WHERE q.id = $1",
	                        VALUES(V_I(id)), &s);

	if (e != OK)
		return e;
	queue_row_read(s, out);
	e = queue_row_try_keep(out, a);
	db_end(&s);
	return e;
}

enum err
reader_queue_count(struct reader *r, const struct queue_query *query, uint64_t max,
                   uint64_t *count_out)
{
	struct stmt *s;
	enum err e = reader_one(
		r,
		"SELECT count(*) FROM (SELECT 1 FROM queue q" QUEUE_ALL
		" LIMIT $9) AS found",
		VALUES(QUERY_VALUES(query), V_I(max > INT64_MAX ? INT64_MAX : max)), &s);

	*count_out = 0;
	if (e != OK)
		return e;
	*count_out = db_u64(s, 0);
	db_end(&s);
	return OK;
}

enum err
reader_queue_next_due(struct reader *r, int64_t *due_ms_out)
{
	static const uint32_t states[] = { QUEUE_SCHEDULED, QUEUE_DEFERRED };
	enum err e = OK;

	*due_ms_out = 0;
	for (size_t i = 0; i < ARRAY_LEN(states) && e == OK; i++) {
		struct stmt *s;

		e = reader_one(r,
		               "SELECT due_ms FROM queue WHERE state = $1 ORDER BY due_ms"
		               " LIMIT 1",
		               VALUES(V_I(states[i])), &s);
		if (e == OK && (!*due_ms_out || db_i64(s, 0) < *due_ms_out))
			*due_ms_out = db_i64(s, 0);
		db_end(&s);
		if (e == ERR_NOT_FOUND)
			e = OK;
	}
	return e;
}

enum err
reader_queue_totals(struct reader *r, struct queue_totals *out)
{
	struct stmt *s;
	enum err e = reader_query(r,
	                          "SELECT state, count(*), min(due_ms) FROM queue"
	                          " GROUP BY state",
	                          NO_VALUES, &s);

	*out = (struct queue_totals){ .oldest_ms = 0 };
	if (e != OK)
		return e;
	while (db_next(s)) {
		uint32_t state = db_u32(s, 0);
		int64_t due_ms = db_i64(s, 2);

		if (state >= QUEUE_STATE_COUNT)
			continue;
		out->by_state[state] = db_u64(s, 1);
		if ((state == QUEUE_SCHEDULED || state == QUEUE_DEFERRED) &&
		    (!out->next_due_ms || due_ms < out->next_due_ms))
			out->next_due_ms = due_ms;
	}
	e = reader_done(r, &s);
	if (e != OK)
		return e;
	/* Ids grow with time: the first row is the oldest. */
	e = reader_one(r, "SELECT created_ms FROM queue ORDER BY id LIMIT 1", NO_VALUES,
	               &s);
	if (e == OK)
		out->oldest_ms = db_i64(s, 0);
	db_end(&s);
	return e == ERR_NOT_FOUND ? OK : e;
}

static void
domain_read(struct stmt *s, void *out)
{
	*(struct queue_domain *)out = (struct queue_domain){
		.domain = db_str(s, 0),
		.waiting = db_u64(s, 1),
		.due = db_u64(s, 2),
		.active = db_u64(s, 3),
		.held = db_u64(s, 4),
		.next_due_ms = db_i64(s, 5),
		.oldest_ms = db_i64(s, 6),
	};
}

static const struct row_form domain_form = { domain_read, NULL, 0 };

static bool
domain_call(void *fn, void *arg, const void *row)
{
	return (*(reader_queue_domain_fn **)fn)(arg, row);
}

/* State 0 and 2 wait; see enum queue_state. A lease that has lapsed counts as due. */
#define DUE                                                                              \
	"((state = 0 OR state = 2) AND due_ms <= $1) OR"                                 \
	" (state = 1 AND lease_until_ms <= $1)"

#define DOMAIN_SELECT                                                                    \
	"SELECT domain, sum(CASE WHEN state = 0 OR state = 2 THEN 1 ELSE 0 END),"        \
	" sum(CASE WHEN " DUE " THEN 1 ELSE 0 END),"                                     \
	" sum(CASE WHEN state = 1 THEN 1 ELSE 0 END),"                                   \
	" sum(CASE WHEN state = 3 THEN 1 ELSE 0 END),"                                   \
	" coalesce(min(CASE WHEN state = 0 OR state = 2 THEN due_ms END), 0),"           \
	" min(created_ms) FROM queue WHERE domain > $2"

enum err
reader_queue_domains(struct reader *r, const struct queue_domain_query *query,
                     reader_queue_domain_fn *fn, void *arg)
{
	struct queue_domain row;

	if (query->only_due)
		return reader_each(r,
		                   QUERY(DOMAIN_SELECT
		                         " GROUP BY domain HAVING sum(CASE WHEN " DUE
		                         " THEN 1 ELSE 0 END) > 0 ORDER BY domain"
		                         " LIMIT $3",
		                         VALUES(V_I(query->now_ms), V_S(query->after),
		                                V_I(query->limit))),
		                   &domain_form, &row, ROW_CALLS(domain_call, &fn, arg));
	return reader_each(
		r,
		QUERY(DOMAIN_SELECT " GROUP BY domain ORDER BY domain LIMIT $3",
	              VALUES(V_I(query->now_ms), V_S(query->after), V_I(query->limit))),
		&domain_form, &row, ROW_CALLS(domain_call, &fn, arg));
}

/* --- what other domains demand ------------------------------------------------------ */

static void
sts_read(struct stmt *s, void *out)
{
	*(struct sts_row *)out = (struct sts_row){
		.policy_id = db_str(s, 0),
		.body = db_str(s, 1),
		.fetched_ms = db_i64(s, 2),
		.expires_ms = db_i64(s, 3),
	};
}

static const uint16_t sts_strings[] = { offsetof(struct sts_row, policy_id),
	                                offsetof(struct sts_row, body) };
static const struct row_form sts_form = { sts_read, sts_strings, ARRAY_LEN(sts_strings) };

enum err
reader_sts(struct reader *r, struct str domain, struct arena *a, struct sts_row *out)
{
	return reader_get(r,
	                  QUERY("SELECT policy_id, body, fetched_ms, expires_ms FROM"
	                        " sts_policy WHERE domain = $1",
	                        VALUES(V_S(domain))),
	                  &sts_form, a, out);
}
