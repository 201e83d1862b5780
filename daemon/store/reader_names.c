/* Reads of domains, accounts, aliases. */
#include "store/reader_priv.h"

#include <stddef.h>

/* --- domains ---------------------------------------------------------------------- */

#define DOMAIN_SELECT                                                                    \
	"SELECT id, name, enabled, created_ms, version, (SELECT count(*) FROM account a" \
	" WHERE a.domain_id = domain.id), (SELECT count(*) FROM alias l"                 \
	" WHERE l.domain_id = domain.id), incoming FROM domain"

static void
domain_read(struct stmt *s, void *out)
{
	*(struct domain *)out = (struct domain){
		.id = db_u64(s, 0),
		.name = db_str(s, 1),
		.enabled = db_u64(s, 2) != 0,
		.created_ms = db_i64(s, 3),
		.version = db_u64(s, 4),
		.account_count = db_u64(s, 5),
		.alias_count = db_u64(s, 6),
		.incoming = db_u32(s, 7),
	};
}

static const uint16_t domain_strings[] = { offsetof(struct domain, name) };
static const struct row_form domain_form = { domain_read, domain_strings, 1 };

enum err
reader_domain(struct reader *r, struct str name, struct arena *a, struct domain *out)
{
	return reader_get(r, QUERY(DOMAIN_SELECT " WHERE name = $1", VALUES(V_S(name))),
	                  &domain_form, a, out);
}

static bool
domain_call(void *fn, void *arg, const void *row)
{
	return (*(reader_domain_fn **)fn)(arg, row);
}

enum err
reader_domains(struct reader *r, struct names_from from, size_t limit,
               reader_domain_fn *fn, void *arg)
{
	const char *sql = from.is_down ? DOMAIN_SELECT " WHERE ($1 = '' OR name < $1)"
	                                               " ORDER BY name DESC LIMIT $2"
	                               : DOMAIN_SELECT
	                          " WHERE name > $1 ORDER BY name LIMIT $2";
	struct domain row;

	return reader_each(r, QUERY(sql, VALUES(V_S(from.after), V_I(limit))),
	                   &domain_form, &row, ROW_CALLS(domain_call, &fn, arg));
}

enum err
reader_domains_without_key(struct reader *r, size_t limit, reader_domain_fn *fn,
                           void *arg)
{
	struct domain row;

	return reader_each(r,
	                   QUERY(DOMAIN_SELECT
	                         " WHERE enabled = 1 AND NOT EXISTS (SELECT 1 FROM"
	                         " dkim_key k WHERE k.domain_id = domain.id)"
	                         " ORDER BY name LIMIT $1",
	                         VALUES(V_I(limit))),
	                   &domain_form, &row, ROW_CALLS(domain_call, &fn, arg));
}

enum err
reader_is_local_domain(struct reader *r, struct str domain)
{
	struct stmt *s;
	enum err e =
		reader_one(r, "SELECT id FROM domain WHERE name = $1 AND enabled = 1",
	                   VALUES(V_S(domain)), &s);

	db_end(&s);
	return e;
}

enum err
reader_domain_incoming(struct reader *r, struct str domain,
                       enum domain_incoming *incoming_out)
{
	struct stmt *s;
	enum err e = reader_one(
		r, "SELECT incoming FROM domain WHERE name = $1 AND enabled = 1",
		VALUES(V_S(domain)), &s);

	*incoming_out = e == OK ? (enum domain_incoming)db_u32(s, 0) : INCOMING_HONOUR;
	db_end(&s);
	return e;
}

enum err
reader_srs_secret(struct reader *r, struct arena *a, struct str *secret_out)
{
	struct stmt *s;
	enum err e = reader_one(r, "SELECT value FROM secret WHERE name = 'srs'",
	                        NO_VALUES, &s);

	if (e == OK)
		*secret_out = arena_str(a, db_str(s, 0));
	db_end(&s);
	return e;
}

/* --- accounts --------------------------------------------------------------------- */

#define ACCOUNT_SELECT                                                                   \
	"SELECT id, domain_id, address, display_name, state, quota_bytes, used_bytes,"   \
	" message_count, created_ms, last_login_ms, version FROM account"

static void
account_read(struct stmt *s, void *out)
{
	*(struct account *)out = (struct account){
		.id = db_u64(s, 0),
		.domain_id = db_u64(s, 1),
		.address = db_str(s, 2),
		.display_name = db_str(s, 3),
		.state = db_u32(s, 4),
		.quota_bytes = db_u64(s, 5),
		.used_bytes = db_u64(s, 6),
		.message_count = db_u64(s, 7),
		.created_ms = db_i64(s, 8),
		.last_login_ms = db_i64(s, 9),
		.version = db_u64(s, 10),
	};
}

static const uint16_t account_strings[] = { offsetof(struct account, address),
	                                    offsetof(struct account, display_name) };
static const struct row_form account_form = { account_read, account_strings, 2 };

enum err
reader_account(struct reader *r, struct str address, struct arena *a, struct account *out)
{
	return reader_get(
		r, QUERY(ACCOUNT_SELECT " WHERE address = $1", VALUES(V_S(address))),
		&account_form, a, out);
}

enum err
reader_account_by_id(struct reader *r, uint64_t id, struct arena *a, struct account *out)
{
	return reader_get(r, QUERY(ACCOUNT_SELECT " WHERE id = $1", VALUES(V_I(id))),
	                  &account_form, a, out);
}

static bool
account_call(void *fn, void *arg, const void *row)
{
	return (*(reader_account_fn **)fn)(arg, row);
}

/* domain_id 0: of all. */
static const char *
account_list(uint64_t domain_id, bool is_down)
{
	if (domain_id)
		return is_down ? ACCOUNT_SELECT " WHERE domain_id = $1 AND ($2 = '' OR"
		                                " address < $2) ORDER BY address DESC"
		                                " LIMIT $3"
		               : ACCOUNT_SELECT " WHERE domain_id = $1 AND address > $2"
		                                " ORDER BY address LIMIT $3";
	return is_down ? ACCOUNT_SELECT " WHERE $1 = 0 AND ($2 = '' OR address < $2)"
	                                " ORDER BY address DESC LIMIT $3"
	               : ACCOUNT_SELECT " WHERE $1 = 0 AND address > $2"
	                                " ORDER BY address LIMIT $3";
}

enum err
reader_accounts(struct reader *r, uint64_t domain_id, struct names_from from,
                size_t limit, reader_account_fn *fn, void *arg)
{
	struct account row;

	return reader_each(r,
	                   QUERY(account_list(domain_id, from.is_down),
	                         VALUES(V_I(domain_id), V_S(from.after), V_I(limit))),
	                   &account_form, &row, ROW_CALLS(account_call, &fn, arg));
}

/* --- aliases ---------------------------------------------------------------------- */

#define ALIAS_SELECT                                                                     \
	"SELECT id, domain_id, address, targets, enabled, created_ms, version FROM "     \
	"alias"

static void
alias_read(struct stmt *s, void *out)
{
	*(struct alias *)out = (struct alias){
		.id = db_u64(s, 0),
		.domain_id = db_u64(s, 1),
		.address = db_str(s, 2),
		.targets = db_str(s, 3),
		.enabled = db_u64(s, 4) != 0,
		.created_ms = db_i64(s, 5),
		.version = db_u64(s, 6),
	};
}

static const uint16_t alias_strings[] = { offsetof(struct alias, address),
	                                  offsetof(struct alias, targets) };
static const struct row_form alias_form = { alias_read, alias_strings, 2 };

enum err
reader_alias(struct reader *r, struct str address, struct arena *a, struct alias *out)
{
	return reader_get(r,
	                  QUERY(ALIAS_SELECT " WHERE address = $1", VALUES(V_S(address))),
	                  &alias_form, a, out);
}

static bool
alias_call(void *fn, void *arg, const void *row)
{
	return (*(reader_alias_fn **)fn)(arg, row);
}

/* domain_id 0: of all. */
static const char *
alias_list(uint64_t domain_id, bool is_down)
{
	if (domain_id)
		return is_down ? ALIAS_SELECT " WHERE domain_id = $1 AND ($2 = '' OR"
		                              " address < $2) ORDER BY address DESC"
		                              " LIMIT $3"
		               : ALIAS_SELECT " WHERE domain_id = $1 AND address > $2"
		                              " ORDER BY address LIMIT $3";
	return is_down ? ALIAS_SELECT " WHERE $1 = 0 AND ($2 = '' OR address < $2)"
	                              " ORDER BY address DESC LIMIT $3"
	               : ALIAS_SELECT " WHERE $1 = 0 AND address > $2"
	                              " ORDER BY address LIMIT $3";
}

enum err
reader_aliases(struct reader *r, uint64_t domain_id, struct names_from from, size_t limit,
               reader_alias_fn *fn, void *arg)
{
	struct alias row;

	return reader_each(r,
	                   QUERY(alias_list(domain_id, from.is_down),
	                         VALUES(V_I(domain_id), V_S(from.after), V_I(limit))),
	                   &alias_form, &row, ROW_CALLS(alias_call, &fn, arg));
}
