/* Reads of what was seen of the host itself. */
#include "store/ops.h"
#include "store/reader_priv.h"

#include <stddef.h>

#define HOST_SELECT                                                                      \
	"SELECT name, state, cause, text, body, runs, since_ms, checked_ms, next_ms,"    \
	" asked_ms, basis FROM host_check"

static void
host_read(struct stmt *s, void *out)
{
	*(struct host_row *)out = (struct host_row){
		.name = db_str(s, 0),
		.state = db_str(s, 1),
		.cause = db_str(s, 2),
		.text = db_str(s, 3),
		.body = db_str(s, 4),
		.runs = db_str(s, 5),
		.since_ms = db_i64(s, 6),
		.checked_ms = db_i64(s, 7),
		.next_ms = db_i64(s, 8),
		.asked_ms = db_i64(s, 9),
		.basis = db_i64(s, 10),
	};
}

static const uint16_t host_strings[] = {
	offsetof(struct host_row, name),  offsetof(struct host_row, state),
	offsetof(struct host_row, cause), offsetof(struct host_row, text),
	offsetof(struct host_row, body),  offsetof(struct host_row, runs)
};
static const struct row_form host_form = { host_read, host_strings,
	                                   ARRAY_LEN(host_strings) };

static bool
host_call(void *fn, void *arg, const void *row)
{
	return (*(reader_host_fn **)fn)(arg, row);
}

enum err
reader_host(struct reader *r, struct str name, struct arena *a, struct host_row *out)
{
	return reader_get(r, QUERY(HOST_SELECT " WHERE name = $1", VALUES(V_S(name))),
	                  &host_form, a, out);
}

enum err
reader_host_list(struct reader *r, reader_host_fn *fn, void *arg)
{
	struct host_row row;

	return reader_each(r, QUERY(HOST_SELECT " ORDER BY name", NO_VALUES), &host_form,
	                   &row, ROW_CALLS(host_call, &fn, arg));
}

static void
seen_read(struct stmt *s, void *out)
{
	*(struct outside_seen *)out =
		(struct outside_seen){ db_str(s, 0), db_str(s, 1), db_i64(s, 2) };
}

static const uint16_t seen_strings[] = { offsetof(struct outside_seen, service),
	                                 offsetof(struct outside_seen, ip) };
static const struct row_form seen_form = { seen_read, seen_strings,
	                                   ARRAY_LEN(seen_strings) };

static bool
seen_call(void *fn, void *arg, const void *row)
{
	return (*(reader_outside_fn **)fn)(arg, row);
}

enum err
reader_outside(struct reader *r, reader_outside_fn *fn, void *arg)
{
	struct outside_seen row;

	return reader_each(r,
	                   QUERY("SELECT service, ip, at_ms FROM outside_seen"
	                         " ORDER BY service",
	                         NO_VALUES),
	                   &seen_form, &row, ROW_CALLS(seen_call, &fn, arg));
}
