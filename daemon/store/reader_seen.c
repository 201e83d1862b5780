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
