#include "store/reader_priv.h"

static void
read_domain(struct stmt *s, void *out)
{
	*(struct seen_domain *)out = (struct seen_domain){
		.kind = db_u32(s, 0),
		.day = db_i64(s, 1),
		.domain = db_str(s, 2),
		.policy = db_str(s, 3),
		.rua = db_str(s, 4),
		.row_count = db_u64(s, 5),
		.count = db_u64(s, 6),
		.left_out = db_u64(s, 7),
	};
}

static const uint16_t domain_strings[] = {
	offsetof(struct seen_domain, domain),
	offsetof(struct seen_domain, policy),
	offsetof(struct seen_domain, rua),
};
static const struct row_form domain_form = { read_domain, domain_strings,
	                                     ARRAY_LEN(domain_strings) };

static void
read_row(struct stmt *s, void *out)
{
	*(struct seen_row *)out =
		(struct seen_row){ .body = db_str(s, 0), .count = db_u64(s, 1) };
}

static const uint16_t row_strings[] = { offsetof(struct seen_row, body) };
static const struct row_form row_form = { read_row, row_strings, ARRAY_LEN(row_strings) };

static bool
call_row(void *fn_holder, void *arg, const void *row)
{
	reader_seen_row_fn **fn = fn_holder;

	return (*fn)(arg, row);
}

#define COLUMNS "kind, day, domain, policy, rua, rows_kept, messages, left_out"

enum err
reader_seen_next(struct reader *r, int64_t before_day, const struct seen_domain *after,
                 struct arena *a, struct seen_domain *out)
{
	return reader_get(r,
	                  QUERY("SELECT " COLUMNS " FROM seen_domain"
	                        " WHERE (kind, day, domain) > ($1, $2, $3)"
	                        " AND day < $4 ORDER BY kind, day, domain LIMIT 1",
	                        VALUES(V_I(after->kind), V_I(after->day),
	                               V_S(after->domain), V_I(before_day))),
	                  &domain_form, a, out);
}

enum err
reader_seen_rows(struct reader *r, const struct seen_domain *domain,
                 reader_seen_row_fn *fn, void *arg)
{
	struct seen_row row;

	return reader_each(
		r,
		QUERY("SELECT body, messages FROM seen_row WHERE kind = $1"
	              " AND day = $2 AND domain = $3 ORDER BY body",
	              VALUES(V_I(domain->kind), V_I(domain->day), V_S(domain->domain))),
		&row_form, &row, ROW_CALLS(call_row, &fn, arg));
}

enum err
reader_journal_oldest(struct reader *r, int64_t *at_ms_out)
{
	struct stmt *s;
	enum err e = reader_one(r, "SELECT coalesce(min(at_ms), 0) FROM journal",
	                        NO_VALUES, &s);

	*at_ms_out = 0;
	if (e != OK)
		return e;
	*at_ms_out = db_i64(s, 0);
	db_end(&s);
	return OK;
}

/* --- reports that were made --------------------------------------------------------- */

/* What waits is still in the queue. One whose mail somebody has deleted there failed. */
#define STATE                                                                            \
	"CASE WHEN trace_id <> '' AND EXISTS (SELECT 1 FROM queue q"                     \
	" WHERE q.trace_id = sent_report.trace_id) THEN 1"                               \
	" WHEN delivered > 0 THEN 2 WHEN rcpts <> '' THEN 3 ELSE 4 END"
#define SENT_COLUMNS                                                                     \
	"id, kind, day, domain, name, made_ms, rcpts, reason, rows_kept, messages,"      \
	" left_out, size, " STATE ", trace_id"

static void
read_sent(struct stmt *s, void *out)
{
	*(struct sent_report *)out = (struct sent_report){
		.id = db_u64(s, 0),
		.kind = db_u32(s, 1),
		.day = db_i64(s, 2),
		.domain = db_str(s, 3),
		.name = db_str(s, 4),
		.made_ms = db_i64(s, 5),
		.rcpts = db_str(s, 6),
		.reason = db_str(s, 7),
		.row_count = db_u64(s, 8),
		.count = db_u64(s, 9),
		.left_out = db_u64(s, 10),
		.size_bytes = db_u64(s, 11),
		.state = db_u32(s, 12),
		.trace_id = db_str(s, 13),
		.packed = db_str(s, 14),
	};
}

static const uint16_t sent_strings[] = {
	offsetof(struct sent_report, domain), offsetof(struct sent_report, name),
	offsetof(struct sent_report, rcpts),  offsetof(struct sent_report, reason),
	offsetof(struct sent_report, packed), offsetof(struct sent_report, trace_id),
};
static const struct row_form sent_form = { read_sent, sent_strings,
	                                   ARRAY_LEN(sent_strings) };

static bool
call_sent(void *fn_holder, void *arg, const void *row)
{
	reader_sent_report_fn **fn = fn_holder;

	return (*fn)(arg, row);
}

enum err
reader_sent_reports(struct reader *r, const struct sent_query *query, size_t limit,
                    reader_sent_report_fn *fn, void *arg)
{
	struct sent_report row;

	return reader_each(
		r,
		QUERY("SELECT " SENT_COLUMNS ", '' FROM sent_report"
	              " WHERE ($1 = 0 OR id < $1) AND ($2 = 0 OR kind = $2)"
	              " AND ($3 = '' OR domain = $3)"
	              " AND ($4 = 0 OR " STATE " = $4)"
	              " ORDER BY id DESC LIMIT $5",
	              VALUES(V_I(query->before), V_I(query->kind), V_S(query->domain),
	                     V_I(query->state), V_I(limit))),
		&sent_form, &row, ROW_CALLS(call_sent, &fn, arg));
}

enum err
reader_sent_report(struct reader *r, uint64_t id, struct arena *a,
                   struct sent_report *out)
{
	return reader_get(r,
	                  QUERY("SELECT " SENT_COLUMNS ", packed FROM sent_report"
	                        " WHERE id = $1",
	                        VALUES(V_I(id))),
	                  &sent_form, a, out);
}
