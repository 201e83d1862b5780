/* Reads of what other domains demand of the way to them. */
#include "store/reader_priv.h"

#include <stddef.h>

#define STS_SELECT                                                                       \
	"SELECT domain, policy_id, body, fetched_ms, expires_ms, failed_ms, fault,"      \
	" asked_ms FROM sts_policy"

static void
sts_read(struct stmt *s, void *out)
{
	*(struct sts_row *)out = (struct sts_row){
		.domain = db_str(s, 0),
		.policy_id = db_str(s, 1),
		.body = db_str(s, 2),
		.fetched_ms = db_i64(s, 3),
		.expires_ms = db_i64(s, 4),
		.failed_ms = db_i64(s, 5),
		.fault = db_str(s, 6),
		.asked_ms = db_i64(s, 7),
	};
}

static const uint16_t sts_strings[] = { offsetof(struct sts_row, domain),
	                                offsetof(struct sts_row, policy_id),
	                                offsetof(struct sts_row, body),
	                                offsetof(struct sts_row, fault) };
static const struct row_form sts_form = { sts_read, sts_strings, ARRAY_LEN(sts_strings) };

static bool
sts_call(void *fn, void *arg, const void *row)
{
	return (*(reader_sts_fn **)fn)(arg, row);
}

enum err
reader_sts(struct reader *r, struct str domain, struct arena *a, struct sts_row *out)
{
	return reader_get(r, QUERY(STS_SELECT " WHERE domain = $1", VALUES(V_S(domain))),
	                  &sts_form, a, out);
}

enum err
reader_sts_list(struct reader *r, struct names_from from, size_t limit, reader_sts_fn *fn,
                void *arg)
{
	const char *sql = from.is_down ? STS_SELECT " WHERE ($1 = '' OR domain < $1)"
	                                            " ORDER BY domain DESC LIMIT $2"
	                               : STS_SELECT " WHERE domain > $1 ORDER BY domain"
	                                            " LIMIT $2";
	struct sts_row row;

	return reader_each(r, QUERY(sql, VALUES(V_S(from.after), V_I(limit))), &sts_form,
	                   &row, ROW_CALLS(sts_call, &fn, arg));
}

enum err
reader_sts_asked(struct reader *r, size_t limit, reader_sts_fn *fn, void *arg)
{
	struct sts_row row;

	return reader_each(r,
	                   QUERY(STS_SELECT
	                         " WHERE asked_ms > 0 ORDER BY asked_ms LIMIT $1",
	                         VALUES(V_I(limit))),
	                   &sts_form, &row, ROW_CALLS(sts_call, &fn, arg));
}
