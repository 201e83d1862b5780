/* Reads of keys, policies, and of what the name service says of our domains. */
#include "store/reader_priv.h"

#include <stddef.h>

/* --- keys ------------------------------------------------------------------------- */

#define KEY_SELECT                                                                       \
	"SELECT k.id, k.domain_id, d.name, k.selector, k.algorithm, k.state,"            \
	" k.public_key, k.file, k.auto_activate, k.created_ms, k.changed_ms,"            \
	" k.verified_ms, k.activated_ms, k.keep_until_ms, k.checked_ms, k.servers_ok,"   \
	" k.servers_total, k.version FROM dkim_key k JOIN domain d ON d.id = "           \
	"k.domain_id"

static void
key_read(struct stmt *s, void *out)
{
	*(struct dkim_key *)out = (struct dkim_key){
		.id = db_u64(s, 0),
		.domain_id = db_u64(s, 1),
		.domain = db_str(s, 2),
		.selector = db_str(s, 3),
		.algorithm = db_u32(s, 4),
		.state = db_u32(s, 5),
		.public_key = db_str(s, 6),
		.file = db_str(s, 7),
		.auto_activate = db_u64(s, 8) != 0,
		.created_ms = db_i64(s, 9),
		.changed_ms = db_i64(s, 10),
		.verified_ms = db_i64(s, 11),
		.activated_ms = db_i64(s, 12),
		.keep_until_ms = db_i64(s, 13),
		.checked_ms = db_i64(s, 14),
		.servers_ok = db_u32(s, 15),
		.servers_total = db_u32(s, 16),
		.version = db_u64(s, 17),
	};
}

static const uint16_t key_strings[] = { offsetof(struct dkim_key, domain),
	                                offsetof(struct dkim_key, selector),
	                                offsetof(struct dkim_key, public_key),
	                                offsetof(struct dkim_key, file) };
static const struct row_form key_form = { key_read, key_strings, ARRAY_LEN(key_strings) };

static bool
key_call(void *fn, void *arg, const void *row)
{
	return (*(reader_dkim_key_fn **)fn)(arg, row);
}

enum err
reader_dkim_keys(struct reader *r, uint64_t domain_id, enum dkim_key_state state,
                 reader_dkim_key_fn *fn, void *arg)
{
	struct dkim_key row;

	return reader_each(r,
	                   QUERY(KEY_SELECT
	                         " WHERE ($1 = 0 OR k.domain_id = $1) AND"
	                         " ($2 = 0 OR k.state = $2) ORDER BY d.name, k.id",
	                         VALUES(V_I(domain_id), V_I(state))),
	                   &key_form, &row, ROW_CALLS(key_call, &fn, arg));
}

enum err
reader_dkim_key(struct reader *r, uint64_t id, struct arena *a, struct dkim_key *out)
{
	return reader_get(r, QUERY(KEY_SELECT " WHERE k.id = $1", VALUES(V_I(id))),
	                  &key_form, a, out);
}

/* --- policies --------------------------------------------------------------------- */

static void
policy_read(struct stmt *s, void *out)
{
	*(struct domain_policy *)out = (struct domain_policy){
		.domain_id = db_u64(s, 0),
		.name = db_str(s, 1),
		.value = db_str(s, 2),
		.changed_ms = db_i64(s, 3),
		.version = db_u64(s, 4),
	};
}

static const uint16_t policy_strings[] = { offsetof(struct domain_policy, name),
	                                   offsetof(struct domain_policy, value) };
static const struct row_form policy_form = { policy_read, policy_strings, 2 };

enum err
reader_domain_policy(struct reader *r, uint64_t domain_id, struct str name,
                     struct arena *a, struct domain_policy *out)
{
	return reader_get(r,
	                  QUERY("SELECT domain_id, name, value, changed_ms, version FROM"
	                        " domain_policy WHERE domain_id = $1 AND name = $2",
	                        VALUES(V_I(domain_id), V_S(name))),
	                  &policy_form, a, out);
}

/* --- looks ------------------------------------------------------------------------ */

#define ZONE_COLUMNS                                                                     \
	"d.id, d.name, coalesce(z.checked_ms, 0), coalesce(z.asked_ms, 0),"              \
	" coalesce(z.next_ms, 0), coalesce(z.servers, ''), coalesce(z.facts, '')"

static void
zone_read(struct stmt *s, void *out)
{
	*(struct dns_zone *)out = (struct dns_zone){
		.domain_id = db_u64(s, 0),
		.domain = db_str(s, 1),
		.checked_ms = db_i64(s, 2),
		.asked_ms = db_i64(s, 3),
		.next_ms = db_i64(s, 4),
		.servers = db_str(s, 5),
		.facts = db_str(s, 6),
	};
}

static const uint16_t zone_strings[] = { offsetof(struct dns_zone, domain),
	                                 offsetof(struct dns_zone, servers),
	                                 offsetof(struct dns_zone, facts) };
static const struct row_form zone_form = { zone_read, zone_strings, 3 };

enum err
reader_dns_zone(struct reader *r, uint64_t domain_id, struct arena *a,
                struct dns_zone *out)
{
	return reader_get(r,
	                  QUERY("SELECT " ZONE_COLUMNS " FROM dns_zone z JOIN domain d"
	                        " ON d.id = z.domain_id WHERE z.domain_id = $1",
	                        VALUES(V_I(domain_id))),
	                  &zone_form, a, out);
}

static bool
zone_call(void *fn, void *arg, const void *row)
{
	return (*(reader_dns_zone_fn **)fn)(arg, row);
}

enum err
reader_dns_due(struct reader *r, int64_t now_ms, size_t limit, reader_dns_zone_fn *fn,
               void *arg)
{
	struct dns_zone row;

	return reader_each(
		r,
		QUERY("SELECT " ZONE_COLUMNS " FROM domain d LEFT JOIN dns_zone z"
	              " ON z.domain_id = d.id WHERE d.enabled = 1 AND (z.domain_id IS "
	              "NULL OR"
	              " z.next_ms <= $1 OR z.asked_ms > z.checked_ms)"
	              " ORDER BY CASE WHEN z.asked_ms > z.checked_ms THEN 0 ELSE 1 END,"
	              " coalesce(z.next_ms, 0), d.id LIMIT $2",
	              VALUES(V_I(now_ms), V_I(limit))),
		&zone_form, &row, ROW_CALLS(zone_call, &fn, arg));
}

static void
row_read(struct stmt *s, void *out)
{
	*(struct dns_row *)out = (struct dns_row){
		.name = db_str(s, 0),
		.state = db_str(s, 1),
		.cause = db_str(s, 2),
		.body = db_str(s, 3),
		.since_ms = db_i64(s, 4),
		.checked_ms = db_i64(s, 5),
	};
}

static const uint16_t row_strings[] = { offsetof(struct dns_row, name),
	                                offsetof(struct dns_row, state),
	                                offsetof(struct dns_row, cause),
	                                offsetof(struct dns_row, body) };
static const struct row_form dns_row_form = { row_read, row_strings, 4 };

static bool
dns_row_call(void *fn, void *arg, const void *row)
{
	return (*(reader_dns_row_fn **)fn)(arg, row);
}

enum err
reader_dns_rows(struct reader *r, uint64_t domain_id, reader_dns_row_fn *fn, void *arg)
{
	struct dns_row row;

	return reader_each(
		r,
		QUERY("SELECT name, state, cause, body, since_ms, checked_ms FROM"
	              " dns_row WHERE domain_id = $1 ORDER BY name",
	              VALUES(V_I(domain_id))),
		&dns_row_form, &row, ROW_CALLS(dns_row_call, &fn, arg));
}

static void
mute_read(struct stmt *s, void *out)
{
	*(struct dns_mute *)out = (struct dns_mute){
		.name = db_str(s, 0),
		.by = db_str(s, 1),
		.at_ms = db_i64(s, 2),
	};
}

static const uint16_t mute_strings[] = { offsetof(struct dns_mute, name),
	                                 offsetof(struct dns_mute, by) };
static const struct row_form mute_form = { mute_read, mute_strings, 2 };

static bool
mute_call(void *fn, void *arg, const void *row)
{
	return (*(reader_dns_mute_fn **)fn)(arg, row);
}

enum err
reader_dns_mutes(struct reader *r, uint64_t domain_id, reader_dns_mute_fn *fn, void *arg)
{
	struct dns_mute row;

	return reader_each(r,
	                   QUERY("SELECT name, by_whom, at_ms FROM dns_mute WHERE"
	                         " domain_id = $1 ORDER BY name",
	                         VALUES(V_I(domain_id))),
	                   &mute_form, &row, ROW_CALLS(mute_call, &fn, arg));
}

static void
change_read(struct stmt *s, void *out)
{
	*(struct dns_change *)out = (struct dns_change){
		.id = db_u64(s, 0),
		.name = db_str(s, 1),
		.old_state = db_str(s, 2),
		.state = db_str(s, 3),
		.cause = db_str(s, 4),
		.body = db_str(s, 5),
		.at_ms = db_i64(s, 6),
	};
}

static const uint16_t change_strings[] = { offsetof(struct dns_change, name),
	                                   offsetof(struct dns_change, old_state),
	                                   offsetof(struct dns_change, state),
	                                   offsetof(struct dns_change, cause),
	                                   offsetof(struct dns_change, body) };
static const struct row_form change_form = { change_read, change_strings, 5 };

#define CHANGE_SELECT                                                                    \
	"SELECT id, name, old_state, state, cause, body, at_ms FROM dns_change"          \
	" WHERE domain_id = $1"

static bool
change_call(void *fn, void *arg, const void *row)
{
	return (*(reader_dns_change_fn **)fn)(arg, row);
}

enum err
reader_dns_changes(struct reader *r, uint64_t domain_id, struct dns_changes_from from,
                   size_t limit, reader_dns_change_fn *fn, void *arg)
{
	const char *up = CHANGE_SELECT " AND id > $2 ORDER BY id LIMIT $3";
	const char *down = CHANGE_SELECT " AND ($2 = 0 OR id < $2)"
					 " ORDER BY id DESC LIMIT $3";
	struct dns_change row;

	return reader_each(r,
	                   QUERY(from.is_up ? up : down,
	                         VALUES(V_I(domain_id), V_I(from.id), V_I(limit))),
	                   &change_form, &row, ROW_CALLS(change_call, &fn, arg));
}
