/* Reads of what others saw of our domains. */
#include "store/reader_priv.h"

#include <stddef.h>

/* --- reports ------------------------------------------------------------------------ */

#define REPORT_SELECT                                                                    \
	"SELECT r.id, r.domain_id, r.kind, r.is_proven, r.sender, r.name, r.reporter,"   \
	" d.name, r.about, r.begin_ms, r.end_ms, r.received_ms, r.good, r.bad,"          \
	" r.row_count, r.trace_id, r.raw_type, r.raw_bytes FROM report r"                \
	" JOIN domain d ON d.id = r.domain_id"
/* $1 … $5 */
#define WHICH                                                                            \
	" ($1 = 0 OR r.kind = $1) AND r.begin_ms >= $2 AND r.begin_ms < $3"              \
	" AND (r.is_proven = 1 OR $4 = 1) AND ($5 = 0 OR r.domain_id = $5)"
#define WHICH_VALUES(q)                                                                  \
	V_I((q)->kind), V_I((q)->from_ms), V_I((q)->to_ms), V_I((q)->with_unproven),     \
		V_I((q)->domain_id)

static void
report_read(struct stmt *s, void *out)
{
	*(struct received_report *)out = (struct received_report){
		.id = db_u64(s, 0),
		.domain_id = db_u64(s, 1),
		.kind = db_u32(s, 2),
		.is_proven = db_u64(s, 3) != 0,
		.sender = db_str(s, 4),
		.name = db_str(s, 5),
		.reporter = db_str(s, 6),
		.domain = db_str(s, 7),
		.about = db_str(s, 8),
		.begin_ms = db_i64(s, 9),
		.end_ms = db_i64(s, 10),
		.received_ms = db_i64(s, 11),
		.good = db_u64(s, 12),
		.bad = db_u64(s, 13),
		.row_count = db_u64(s, 14),
		.trace_id = db_str(s, 15),
		.raw_type = db_str(s, 16),
		.raw_bytes = db_u64(s, 17),
	};
}

static const uint16_t report_strings[] = { offsetof(struct received_report, sender),
	                                   offsetof(struct received_report, name),
	                                   offsetof(struct received_report, reporter),
	                                   offsetof(struct received_report, domain),
	                                   offsetof(struct received_report, about),
	                                   offsetof(struct received_report, trace_id),
	                                   offsetof(struct received_report, raw_type) };
static const struct row_form report_form = { report_read, report_strings,
	                                     ARRAY_LEN(report_strings) };

static bool
report_call(void *fn, void *arg, const void *row)
{
	return (*(reader_report_fn **)fn)(arg, row);
}

enum err
reader_reports(struct reader *r, const struct report_query *query, uint64_t before,
               size_t limit, reader_report_fn *fn, void *arg)
{
	struct received_report row;

	return reader_each(r,
	                   QUERY(REPORT_SELECT " WHERE" WHICH " AND ($6 = 0 OR r.id < $6)"
	                                       " ORDER BY r.id DESC LIMIT $7",
	                         VALUES(WHICH_VALUES(query), V_I(before), V_I(limit))),
	                   &report_form, &row, ROW_CALLS(report_call, &fn, arg));
}

enum err
reader_report(struct reader *r, uint64_t id, struct arena *a, struct received_report *out)
{
	return reader_get(r, QUERY(REPORT_SELECT " WHERE r.id = $1", VALUES(V_I(id))),
	                  &report_form, a, out);
}

/* --- rows and documents ------------------------------------------------------------- */

static void
row_read(struct stmt *s, void *out)
{
	*(struct received_row *)out = (struct received_row){
		.source = db_str(s, 0),
		.name = db_str(s, 1),
		.origin = db_str(s, 2),
		.domains = db_str(s, 3),
		.count = db_u64(s, 4),
		.is_good = db_u64(s, 5) != 0,
		.spf = db_str(s, 6),
		.dkim = db_str(s, 7),
		.done = db_str(s, 8),
		.detail = db_str(s, 9),
	};
}

static const struct row_form row_form = { row_read, NULL, 0 };

static bool
row_call(void *fn, void *arg, const void *row)
{
	return (*(reader_report_row_fn **)fn)(arg, row);
}

enum err
reader_report_rows(struct reader *r, uint64_t id, reader_report_row_fn *fn, void *arg)
{
	struct received_row row;

	return reader_each(r,
	                   QUERY("SELECT source, name, origin, domains, count, is_good,"
	                         " spf, dkim, done, detail FROM report_row WHERE"
	                         " report_id = $1 ORDER BY n",
	                         VALUES(V_I(id))),
	                   &row_form, &row, ROW_CALLS(row_call, &fn, arg));
}

enum err
reader_report_raw(struct reader *r, uint64_t id, struct arena *a, struct str *raw_out)
{
	struct stmt *s;
	enum err e = reader_one(r, "SELECT body FROM report_raw WHERE report_id = $1",
	                        VALUES(V_I(id)), &s);

	if (e != OK)
		return e;
	if (arena_left(a) < db_str(s, 0).n + 1)
		e = ERR_LIMIT;
	else
		*raw_out = arena_str(a, db_str(s, 0));
	db_end(&s);
	return e;
}

/* --- sums --------------------------------------------------------------------------- */

static void
sum_read(struct stmt *s, void *out)
{
	*(struct report_sum *)out = (struct report_sum){
		.key = db_str(s, 0),
		.more = db_str(s, 1),
		.reports = db_u64(s, 2),
		.good = db_u64(s, 3),
		.bad = db_u64(s, 4),
		.first_ms = db_i64(s, 5),
		.last_ms = db_i64(s, 6),
		.name = db_str(s, 7),
		.domains = db_str(s, 8),
		.spf = db_u64(s, 9),
		.dkim = db_u64(s, 10),
		.quarantined = db_u64(s, 11),
		.rejected = db_u64(s, 12),
	};
}

static const struct row_form sum_form = { sum_read, NULL, 0 };

static bool
sum_call(void *fn, void *arg, const void *row)
{
	return (*(reader_report_sum_fn **)fn)(arg, row);
}

#define OF_REPORTS " count(*), coalesce(sum(r.good), 0), coalesce(sum(r.bad), 0),"
#define NO_MORE    " '', 0, 0, 0, 0 FROM report r WHERE" WHICH
#define TIMES      " coalesce(min(r.begin_ms), 0), coalesce(max(r.end_ms), 0),"
/* How many messages of rows for which it is true. */
#define ROWS_OF(condition) " sum(CASE WHEN " condition " THEN w.count ELSE 0 END)"
#define OF_ROWS                                                                          \
	" count(DISTINCT r.id)," ROWS_OF("w.is_good = 1") "," ROWS_OF(                   \
		"w.is_good = 0") "," TIMES
#define ROWS_FROM " FROM report r JOIN report_row w ON w.report_id = r.id WHERE" WHICH
#define OF_MESSAGES                                                                      \
	OF_ROWS " max(w.name), max(w.domains)," ROWS_OF("w.spf = 'pass'") "," ROWS_OF(   \
		"w.dkim = 'pass'") "," ROWS_OF("w.done = 'quarantine'") "," ROWS_OF("w." \
	                                                                            "do" \
	                                                                            "ne" \
	                                                                            " =" \
	                                                                            " '" \
	                                                                            "re" \
	                                                                            "je" \
	                                                                            "ct" \
	                                                                            "'") \
		ROWS_FROM
/* A page: behind the last one of the page before. Parameters stand in the order of their
   first use, so their numbers differ. */
#define BEHIND(key, count, after, limit)                                                 \
	" HAVING " count " = 0 OR sum(w.count) < " count " OR (sum(w.count) = " count    \
	" AND " key " > " after ") ORDER BY sum(w.count) DESC, " key " LIMIT " limit

static const char all_sum[] =
	"SELECT '', ''," OF_REPORTS TIMES " ''," NO_MORE " LIMIT $6";
static const char day_sums[] =
	"SELECT '', ''," OF_REPORTS " r.begin_ms / 86400000 * 86400000, 0, ''," NO_MORE
	" GROUP BY r.begin_ms / 86400000 ORDER BY r.begin_ms / 86400000 LIMIT $6";
static const char reporter_sums[] =
	"SELECT r.sender, ''," OF_REPORTS TIMES " max(r.reporter)," NO_MORE
	" GROUP BY r.sender ORDER BY count(*) DESC, r.sender LIMIT $6";
static const char origin_sums[] =
	"SELECT w.origin, ''," OF_MESSAGES
	" GROUP BY w.origin" BEHIND("w.origin", "$6", "$7", "$8");
static const char source_sums[] =
	"SELECT w.source, ''," OF_MESSAGES
	" AND w.origin = $6 GROUP BY w.source" BEHIND("w.source", "$7", "$8", "$9");
static const char failure_sums[] =
	"SELECT w.done, w.name," OF_ROWS " max(w.detail), '', 0, 0, 0, 0" ROWS_FROM
	" AND w.is_good = 0 GROUP BY w.done, w.name HAVING $6 = 0 OR sum(w.count) < $6"
	" OR (sum(w.count) = $6 AND (w.done > $7 OR (w.done = $7 AND w.name > $8)))"
	" ORDER BY sum(w.count) DESC, w.done, w.name LIMIT $9";

enum err
reader_report_sums(struct reader *r, const struct report_sums_query *query,
                   reader_report_sum_fn *fn, void *arg)
{
	const struct report_query *which = &query->which;
	struct report_sum row;
	const struct row_calls *calls = ROW_CALLS(sum_call, &fn, arg);
	struct value limit = V_I(query->limit), count = V_I(query->after.count);
	struct value key = V_S(query->after.key);
	const char *plain = query->group == REPORT_ALL    ? all_sum
	                    : query->group == REPORT_DAYS ? day_sums
	                                                  : reporter_sums;

	switch (query->group) {
	case REPORT_ORIGINS:
		return reader_each(r,
		                   QUERY(origin_sums,
		                         VALUES(WHICH_VALUES(which), count, key, limit)),
		                   &sum_form, &row, calls);
	case REPORT_SOURCES:
		return reader_each(
			r,
			QUERY(source_sums, VALUES(WHICH_VALUES(which), V_S(query->origin),
		                                  count, key, limit)),
			&sum_form, &row, calls);
	case REPORT_FAILURES:
		return reader_each(
			r,
			QUERY(failure_sums, VALUES(WHICH_VALUES(which), count, key,
		                                   V_S(query->after.more), limit)),
			&sum_form, &row, calls);
	default:
		return reader_each(r, QUERY(plain, VALUES(WHICH_VALUES(which), limit)),
		                   &sum_form, &row, calls);
	}
}
