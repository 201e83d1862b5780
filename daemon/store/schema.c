#include "store/schema.h"

#include "base/clock.h"
#include "base/ids.h"
#include "base/panic.h"
#include "store/schema_priv.h"

enum {
	SECRET_BYTES = 32, /* of the key that rewritten senders are signed with */
};

/* clang-format off */
static const char index_1[] =
	/* who there is */
	"CREATE TABLE domain (id $ID, name $TEXT, enabled $INT, created_ms $INT,"
	" version $INT, UNIQUE (name));"
	"CREATE TABLE account (id $ID, domain_id $INT, address $TEXT, display_name $TEXT,"
	" password $TEXT, password_version $INT, state $INT, quota_bytes $INT,"
	" used_bytes $INT, message_count $INT, created_ms $INT, last_login_ms $INT,"
	" version $INT, UNIQUE (address));"
	"CREATE INDEX account_domain ON account (domain_id, address);"
	"CREATE TABLE alias (id $ID, domain_id $INT, address $TEXT, targets $TEXT,"
	" enabled $INT, created_ms $INT, version $INT, UNIQUE (address));"
	"CREATE INDEX alias_domain ON alias (domain_id, address);"
	"CREATE TABLE admin (id $ID, name $TEXT, password $TEXT, password_version $INT,"
	" role $TEXT, enabled $INT, created_ms $INT, last_login_ms $INT, version $INT,"
	" UNIQUE (name));"
	"CREATE TABLE token (id $ID, name $TEXT, hash $BYTES, scopes $TEXT, domains $TEXT,"
	" networks $TEXT, admin_id $INT, created_ms $INT, expires_ms $INT,"
	" last_used_ms $INT, last_used_ip $TEXT, revoked $INT, UNIQUE (hash));"
	"CREATE TABLE web_session (id $ID, admin_id $INT, hash $BYTES, csrf $TEXT, ip $TEXT,"
	" user_agent $TEXT, created_ms $INT, last_used_ms $INT, expires_ms $INT,"
	" step_up_ms $INT, UNIQUE (hash));"
	"CREATE TABLE setting (name TEXT PRIMARY KEY, value $TEXT, changed_ms $INT,"
	" changed_by $TEXT, version $INT);"
	"CREATE TABLE audit (id $ID, at_ms $INT, actor $TEXT, ip $TEXT, request_id $TEXT,"
	" action $TEXT, target $TEXT, old_value $TEXT, new_value $TEXT);"
	"CREATE INDEX audit_target ON audit (target, id);"
	/* mail */
	"CREATE TABLE mailbox (id $ID, account_id $INT, name $TEXT, uidvalidity $INT,"
	" uidnext $INT, modseq $INT, message_count $INT, unseen $INT, deleted $INT,"
	" recent_uid $INT, size_bytes $INT, special_use $INT, UNIQUE (account_id, name));"
	"CREATE TABLE subscription (account_id BIGINT, name TEXT,"
	" PRIMARY KEY (account_id, name)) $CLUSTERED;"
	"CREATE TABLE keyword (mailbox_id BIGINT, bit BIGINT, name $TEXT,"
	" PRIMARY KEY (mailbox_id, bit)) $CLUSTERED;"
	"CREATE TABLE entry (mailbox_id BIGINT, uid BIGINT, message_id $INT, flags $INT,"
	" modseq $INT, size $INT, date_ms $INT, PRIMARY KEY (mailbox_id, uid)) $CLUSTERED;"
	"CREATE TABLE expunged (mailbox_id BIGINT, modseq BIGINT, uid BIGINT,"
	" PRIMARY KEY (mailbox_id, modseq, uid)) $CLUSTERED;"
	"CREATE TABLE message (id $ID, refs $INT, segment $INT, place $INT,"
	" stored_bytes $INT, size $INT, codec $INT, sha256 $BYTES, received_ms $INT,"
	" prefix_len $INT, trace_id $TEXT, flags $INT, header_bytes $INT, date_ms $INT,"
	" date_zone $INT, envelope $BYTES, body $BYTES, bodystructure $BYTES, parts $BYTES,"
	" fields $BYTES);"
	"CREATE INDEX message_segment ON message (segment);"
	"CREATE TABLE segment (id $ID, state $INT, size $INT, live_bytes $INT,"
	" live_count $INT, created_ms $INT);"
	/* the queue */
	"CREATE TABLE queue (id $ID, message_id $INT, state $INT, due_ms $INT,"
	" lease_until_ms $INT, lease_epoch $INT, lease_seq $INT, attempts $INT,"
	" last_attempt_ms $INT, delay_warned_ms $INT, version $INT, created_ms $INT,"
	" expires_ms $INT, trace_id $TEXT, sender $TEXT, rcpt $TEXT, domain $TEXT,"
	" notify $INT, ret $INT, orcpt $TEXT, envid $TEXT, last_class $TEXT,"
	" last_code $INT, last_enhanced $TEXT, last_text $TEXT, last_host $TEXT,"
	" last_ip $TEXT);"
	"CREATE INDEX queue_due ON queue (state, due_ms);"
	"CREATE INDEX queue_domain ON queue (domain, state, due_ms);"
	"CREATE INDEX queue_trace ON queue (trace_id);"
	/* operations and events */
	"CREATE TABLE op_done (epoch BIGINT, seq BIGINT, at_ms $INT, answers $BYTES,"
	" PRIMARY KEY (epoch, seq)) $CLUSTERED;"
	"CREATE TABLE journal (id $ID, at_ms $INT, events $BYTES);";

static const char index_2[] = "ALTER TABLE segment ADD COLUMN epoch $INT;"
			      "ALTER TABLE segment ADD COLUMN sealed_ms $INT;";

static const char index_3[] = "ALTER TABLE queue ADD COLUMN wish $INT;";

/* What the name service says of our domains; keys that sign for them; their policies. */
static const char index_4[] =
	"CREATE TABLE dkim_key (id $ID, domain_id $INT, selector $TEXT, algorithm $INT,"
	" state $INT, public_key $TEXT, file $TEXT, auto_activate $INT, created_ms $INT,"
	" changed_ms $INT, verified_ms $INT, activated_ms $INT, keep_until_ms $INT,"
	" checked_ms $INT, servers_ok $INT, servers_total $INT, version $INT,"
	" UNIQUE (domain_id, selector));"
	"CREATE INDEX dkim_key_state ON dkim_key (state, domain_id);"
	"CREATE TABLE domain_policy (domain_id BIGINT, name TEXT, value $TEXT,"
	" changed_ms $INT, version $INT, PRIMARY KEY (domain_id, name)) $CLUSTERED;"
	"CREATE TABLE dns_zone (domain_id BIGINT PRIMARY KEY, checked_ms $INT,"
	" asked_ms $INT, next_ms $INT, servers $TEXT, facts $TEXT);"
	"CREATE TABLE dns_row (domain_id BIGINT, name TEXT, state $TEXT, cause $TEXT,"
	" body $TEXT, since_ms $INT, checked_ms $INT, PRIMARY KEY (domain_id, name))"
	" $CLUSTERED;"
	"CREATE TABLE dns_change (id $ID, domain_id $INT, name $TEXT, at_ms $INT,"
	" old_state $TEXT, state $TEXT, cause $TEXT, body $TEXT);"
	"CREATE INDEX dns_change_domain ON dns_change (domain_id, id);";

static const char index_5[] = "ALTER TABLE domain ADD COLUMN incoming $INT;";

/* Table secret is the appliance's alone: no list and no route shows it. */
static const char index_6[] = "ALTER TABLE queue ADD COLUMN forward_domain $TEXT;"
			      "CREATE TABLE secret (name TEXT PRIMARY KEY, value $BYTES);";

static const char index_7[] =
	"CREATE TABLE sts_policy (domain $TEXT, policy_id $TEXT, body $TEXT,"
	" fetched_ms $INT, expires_ms $INT, UNIQUE (domain));"
	"CREATE INDEX sts_policy_expires ON sts_policy (expires_ms);";

/* What was seen of others, a day at a time, until its report is made. The row without a
   domain counts all of a day. */
static const char index_8[] =
	"CREATE TABLE seen_domain (kind BIGINT, day BIGINT, domain TEXT, policy $TEXT,"
	" rua $TEXT, rows_kept $INT, messages $INT, left_out $INT,"
	" PRIMARY KEY (kind, day, domain)) $CLUSTERED;"
	"CREATE TABLE seen_row (kind BIGINT, day BIGINT, domain TEXT, body TEXT,"
	" messages $INT, PRIMARY KEY (kind, day, domain, body)) $CLUSTERED;";

/* What a COPY or APPEND has put into a mailbox before it has ended. */
static const char index_9[] =
	"CREATE TABLE staged (work BIGINT, first BIGINT, last $INT, mailbox_id $INT,"
	" account_id $INT, epoch $INT, PRIMARY KEY (work, first)) $CLUSTERED;";

/* What others saw of our domains. */
static const char index_10[] =
	"CREATE TABLE report (id $ID, domain_id $INT, kind $INT, is_proven $INT,"
	" sender $TEXT, name $TEXT, reporter $TEXT, about $TEXT, begin_ms $INT,"
	" end_ms $INT, received_ms $INT, good $INT, bad $INT, row_count $INT,"
	" space $INT, trace_id $TEXT, raw_type $TEXT, raw_bytes $INT,"
	" UNIQUE (domain_id, kind, is_proven, sender, name));"
	"CREATE INDEX report_time ON report (begin_ms);"
	"CREATE INDEX report_age ON report (is_proven, received_ms);"
	"CREATE TABLE report_row (report_id BIGINT, n BIGINT, source $TEXT, name $TEXT,"
	" origin $TEXT, domains $TEXT, count $INT, is_good $INT, spf $TEXT, dkim $TEXT,"
	" done $TEXT, detail $TEXT, PRIMARY KEY (report_id, n)) $CLUSTERED;"
	"CREATE TABLE report_raw (report_id BIGINT PRIMARY KEY, body $BYTES);";

/* Requests that may come again, and what was answered (api/again.h). status 0: nothing
   yet. */
static const char index_11[] =
	"CREATE TABLE api_request (name $BYTES, print $BYTES, epoch $INT, at_ms $INT,"
	" status $INT, headers $TEXT, body $BYTES, UNIQUE (name));"
	"CREATE INDEX api_request_age ON api_request (at_ms);";

/* Reports on others that we made. */
static const char index_12[] =
	"CREATE TABLE sent_report (id $ID, kind $INT, day $INT, domain $TEXT, name $TEXT,"
	" made_ms $INT, rcpts $TEXT, reason $TEXT, rows_kept $INT, messages $INT,"
	" left_out $INT, size $INT, delivered $INT, failed $INT, trace_id $TEXT,"
	" packed $BYTES, UNIQUE (kind, day, domain));"
	"CREATE INDEX sent_report_made ON sent_report (made_ms);"
	"CREATE INDEX sent_report_trace ON sent_report (trace_id);";

/* A claim of a row changes its state: one index fewer to move it in. */
static const char index_13[] = "DROP INDEX queue_domain;"
			       "CREATE INDEX queue_domain ON queue (domain);";

/* Records that an owner wants left as they are. */
static const char index_14[] =
	"CREATE TABLE dns_mute (domain_id BIGINT, name TEXT, by_whom $TEXT, at_ms $INT,"
	" PRIMARY KEY (domain_id, name)) $CLUSTERED;";

/* What became of the last attempt to fetch one, and who wants one now. */
static const char index_15[] = "ALTER TABLE sts_policy ADD COLUMN failed_ms $INT;"
			       "ALTER TABLE sts_policy ADD COLUMN fault $TEXT;"
			       "ALTER TABLE sts_policy ADD COLUMN asked_ms $INT;";

/* What requests that may come again have done, until they are answered (store/job.h). */
static const char index_16[] =
	"CREATE TABLE api_deed (name $BYTES, n $INT, op $INT, at_ms $INT, answer $BYTES,"
	" UNIQUE (name, n));";

/* Whose share of the connections it takes on its way out. */
static const char index_17[] = "ALTER TABLE queue ADD COLUMN sharer $TEXT;";

/* For rows from before it: the sender is as near as one can come. */
static const char index_18[] =
	"UPDATE queue SET sharer = CASE WHEN forward_domain <> '' THEN forward_domain"
	" ELSE lower(sender) END WHERE sharer = '';";

/* Whose turn it is among those who wait; a claim takes a row out of it, and touches it no
   more (QUEUE_WAITS is its condition, word for word). */
static const char index_19[] = "CREATE INDEX queue_turn ON queue (sharer, due_ms)"
			       " WHERE state <> 1 AND state <> 3;";

/* What was last seen of the host itself, and who wants it seen now. */
static const char index_20[] =
	"CREATE TABLE host_check (name TEXT PRIMARY KEY, state $TEXT, cause $TEXT,"
	" text $TEXT, body $TEXT, runs $TEXT, since_ms $INT, checked_ms $INT, next_ms $INT,"
	" asked_ms $INT);";

/* Who came last from the Internet to a service. */
static const char index_21[] =
	"CREATE TABLE outside_seen (service TEXT PRIMARY KEY, ip $TEXT, at_ms $INT);";

/* What the last run of a check went by. */
static const char index_22[] = "ALTER TABLE host_check ADD COLUMN basis $INT;";

static const char day_1[] =
	"CREATE TABLE trace (id TEXT PRIMARY KEY, at_ms $INT, updated_ms $INT,"
	" direction $INT, verdict $INT, session_id $TEXT, sender $TEXT, rcpts $TEXT,"
	" rcpt_count $INT, subject $TEXT, message_id $TEXT, ip $TEXT, login $TEXT,"
	" reason $TEXT, size $INT, queue_id $INT) $CLUSTERED;"
	"CREATE INDEX trace_sender ON trace (sender, id);"
	"CREATE INDEX trace_message ON trace (message_id);"
	"CREATE INDEX trace_ip ON trace (ip, id);"
	"CREATE TABLE rcpt (trace_id TEXT, rcpt TEXT, orig_rcpt $TEXT, verdict $INT,"
	" at_ms $INT, reason $TEXT, host $TEXT, mailbox $TEXT, queue_id $INT, uid $INT,"
	" attempts $INT, PRIMARY KEY (trace_id, rcpt)) $CLUSTERED;"
	"CREATE INDEX rcpt_rcpt ON rcpt (rcpt, trace_id);"
	"CREATE TABLE event (owner TEXT, seq BIGINT, events $BYTES,"
	" PRIMARY KEY (owner, seq)) $CLUSTERED;";

/* Who it is from, as far as that could be proven. */
static const char day_2[] = "ALTER TABLE trace ADD COLUMN spf $TEXT;"
			    "ALTER TABLE trace ADD COLUMN dkim $TEXT;"
			    "ALTER TABLE trace ADD COLUMN dmarc $TEXT;";

/* How many messages of an hour came to what, for charts: kept as rows are written, since a
   day may have millions. */
static const char day_3[] =
	"CREATE TABLE hour_count (hour BIGINT, direction BIGINT, verdict BIGINT,"
	" messages $INT, PRIMARY KEY (hour, direction, verdict)) $CLUSTERED;"
	"INSERT INTO hour_count (hour, direction, verdict, messages)"
	" SELECT at_ms / 3600000, direction, verdict, count(*) FROM trace"
	" GROUP BY at_ms / 3600000, direction, verdict;";
/* clang-format on */

/* Before the first step there is the table meta, with the version in it.
   A step brings version i to i + 1. Never change one that has been released. */
static const char *const index_steps[] = {
	index_1,  index_2,  index_3,  index_4,  index_5,  index_6,  index_7,  index_8,
	index_9,  index_10, index_11, index_12, index_13, index_14, index_15, index_16,
	index_17, index_18, index_19, index_20, index_21, index_22
};
static const char *const day_steps[] = { day_1, day_2, day_3 };

static enum err
version_of(struct db *db, int64_t *version_out)
{
	struct stmt *s;
	enum err e = db_define(db, "CREATE TABLE IF NOT EXISTS meta"
	                           " (name TEXT PRIMARY KEY, value $INT)");

	*version_out = 0;
	if (e == OK)
		e = db_one(db, "SELECT value FROM meta WHERE name = 'schema'", NO_VALUES,
		           &s);
	if (e != OK)
		return e == ERR_NOT_FOUND ? OK : e; /* a new file */
	*version_out = db_i64(s, 0);
	db_end(&s);
	return OK;
}

/* All steps in one transaction: who reads meanwhile sees none of them, or the newest. */
static enum err
take_steps(struct db *db, const char *const *steps, int64_t from, int64_t to)
{
	enum err e = db_begin(db, DB_WRITE);

	if (e != OK)
		return e;
	for (int64_t i = from; i < to && e == OK; i++)
		e = db_define(db, steps[i]);
	if (e == OK)
		e = db_run(db,
		           "INSERT INTO meta (name, value) VALUES ('schema', $1)"
		           " ON CONFLICT (name) DO UPDATE SET value = excluded.value",
		           VALUES(V_I(to)));
	if (e == OK)
		e = db_commit(db);
	if (e != OK)
		db_rollback(db);
	return e;
}

static enum err
upgrade(struct db *db, const char *const *steps, int64_t count)
{
	int64_t version;
	enum err e = version_of(db, &version);

	if (e != OK)
		return e;
	if (version > count)
		return ERR_UNSUPPORTED;
	return version < count ? take_steps(db, steps, version, count) : OK;
}

int64_t
schema_index_versions(void)
{
	return (int64_t)ARRAY_LEN(index_steps);
}

const char *
schema_index_step(int64_t version)
{
	CHECK(version > 0 && version <= schema_index_versions());
	return index_steps[version - 1];
}

enum err
schema_index_at(struct db *db, int64_t version)
{
	CHECK(version > 0 && version <= schema_index_versions());
	return upgrade(db, index_steps, version);
}

int64_t
schema_day_versions(void)
{
	return (int64_t)ARRAY_LEN(day_steps);
}

const char *
schema_day_step(int64_t version)
{
	CHECK(version > 0 && version <= schema_day_versions());
	return day_steps[version - 1];
}

enum err
schema_day_at(struct db *db, int64_t version)
{
	CHECK(version > 0 && version <= schema_day_versions());
	return upgrade(db, day_steps, version);
}

enum err
schema_index(struct db *db, int64_t now_ms)
{
	enum err e = schema_index_at(db, schema_index_versions());
	char secret[SECRET_BYTES];

	if (e != OK)
		return e;
	random_bytes(secret, sizeof(secret));
	e = db_run(db,
	           "INSERT INTO secret (name, value) VALUES ('srs', $1)"
	           " ON CONFLICT (name) DO NOTHING",
	           VALUES(V_B(str_make(secret, sizeof(secret)))));
	if (e != OK)
		return e;
	/* A counter from here on; it starts at the clock so that a client which knew an
	   earlier installation under this name does not take new UIDs for old ones. */
	return db_run(db,
	              "INSERT INTO meta (name, value) VALUES ('uidvalidity', $1),"
	              " ('next_id', 1) ON CONFLICT (name) DO NOTHING",
	              VALUES(V_I(now_ms / 1000)));
}

enum err
schema_day_update(struct db *db)
{
	return schema_day_at(db, schema_day_versions());
}

enum err
schema_day(struct db *db)
{
	enum err e = schema_day_update(db);

	if (e != OK)
		return e;
	return db_run(db,
	              "INSERT INTO meta (name, value) VALUES ('applied', 0)"
	              " ON CONFLICT (name) DO NOTHING",
	              NO_VALUES);
}
