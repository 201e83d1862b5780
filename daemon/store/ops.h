/* ops.h - the operations of the store: what each takes, does, and answers.
 *
 * Whoever wants something changed fills a struct op_<name> and calls store_<name>() of
 * store/client.h. The store does operations of one client in the order they were sent,
 * each whole or not at all; the answer comes after the commit, when every reader already
 * sees the effect. All strings and arrays are borrowed: arguments until the call returns
 * (it packs them), answers until the call-back returns. Zero is a good value for every
 * member that a comment does not demand.
 *
 * Errors any operation can have: ERR_STORE_TEMP (the store is going down or its database
 * is busy beyond reason), ERR_DISK_FULL (what adds mail: below the reserve; other things:
 * nothing fits any more), ERR_CORRUPT (a row it needs is damaged), ERR_LIMIT (arguments
 * larger than one message to the store may be).
 */
#ifndef STORE_OPS_H
#define STORE_OPS_H

#include "store/types.h"

enum op {
#define OP(name, answer, way, by) OP_##name,
#include "store/ops.def"
#undef OP
	OP_COUNT
};

/* Who did it: goes into the audit log and the event. Operations that have one write one
   audit row each. */
struct actor {
	struct str name;       /* "admin:ann", "token:3", "cli"; empty: no audit row */
	struct str ip;         /* may be empty */
	struct str request_id; /* may be empty */
};

/* A stored body and what was prepared from it: body_finish() of store/body.h fills it. */
struct new_body {
	struct body_ref
		ref; /* segment and offset are the store's to give, with a record */
	struct message_head head;
	uint32_t prefix_len;
	struct str record; /* a small body travels in the operation, as store/segment.h
	                      has it; empty: it lies where ref says */
};

/* --- mail -------------------------------------------------------------------------- */

enum rcpt_kind {
	RCPT_LOCAL = 1,   /* into a mailbox */
	RCPT_REMOTE = 2,  /* into the queue */
	RCPT_RECEIPT = 3, /* nowhere: its sender is to hear that it has arrived */
};

struct accept_rcpt {
	uint32_t kind;        /* enum rcpt_kind */
	struct str rcpt;      /* the address it now is for */
	struct str orig_rcpt; /* as the sender said it, where an alias changed it */
	/* RCPT_LOCAL */
	uint64_t account_id;
	struct str mailbox; /* empty: INBOX; created where it does not exist */
	uint64_t flags;     /* FLAG_SYSTEM bits */
	/* RCPT_REMOTE */
	struct str domain; /* normalised */
	uint32_t notify;   /* enum dsn_notify bits */
	struct str orcpt;  /* as given, xtext decoded or not: stored as it is */
	bool is_loop; /* the queue tries nothing: it tells the sender that it loops */
	/* RCPT_RECEIPT, with notify and orcpt; rcpt as the sender said it */
	bool is_expanded; /* it went to all of an alias */
};

/* Takes responsibility for a message: entries in mailboxes, rows in the queue, both in
   one transaction with the events ACCEPTED, EXPANDED, STORED and QUEUED, which nobody
   else tells. A message whose (trace id, recipient, kind) has been accepted before by the
   same operation id is not stored again.
   Result of each recipient: ERR_QUOTA, ERR_NO_SUCH_USER, ERR_ACCOUNT_OFF (it has changed
   since RCPT). With all_or_none the first of these is the answer's error and nothing is
   done; without, the answer is OK if one recipient is good, else the first error.
   RCPT_RECEIPT is taken with all_or_none only, since it says what became of the others,
   and never for the null sender. */
struct op_accept {
	struct str trace_id; /* must: 20 bytes of base/ids.h */
	struct str session_id;
	uint32_t direction;        /* enum trace_direction, must */
	struct str sender;         /* envelope; empty: null */
	struct str ip, helo, user; /* of the client, for the log; may be empty */
	struct new_body body;
	bool all_or_none;
	/* for the queue rows */
	uint32_t ret; /* enum dsn_ret */
	struct str envid;
	int64_t due_ms;     /* 0: at once */
	int64_t expires_ms; /* must where one is remote */
	struct accept_rcpt *rcpts;
	size_t rcpts_count;
};
struct accept_result {
	uint32_t error; /* enum err */
	uint64_t mailbox_id;
	uint32_t uidvalidity, uid;
	uint64_t queue_id;
};
/* results has one row per recipient, in their order; none where the answer is an error
   without all_or_none's. */
struct answer_accept {
	uint64_t message_id;
	struct accept_result *results;
	size_t results_count;
};

struct append_message {
	struct new_body body;
	uint64_t flags;       /* system bits, and keyword bits the mailbox has */
	struct str *keywords; /* names, new ones included */
	size_t keywords_count;
	int64_t internal_date_ms; /* 0: now */
};
/* IMAP APPEND, several messages at once or none at all (RFC 3502). ERR_NOT_FOUND: no such
   mailbox of this account; ERR_QUOTA. More messages than one operation should hold: see
   "In turns" below. */
struct op_append {
	uint64_t account_id, mailbox_id;
	struct append_message *messages;
	size_t messages_count;
	uint64_t work;
	bool is_continued; /* not the first turn */
	bool is_more;      /* not the last one */
};
struct answer_append {
	uint32_t uidvalidity;
	uint32_t *uids; /* in order, ascending */
	size_t uids_count;
};

enum flags_mode {
	FLAGS_REPLACE,
	FLAGS_ADD,
	FLAGS_REMOVE,
};
struct flags_row {
	uint32_t uid;
	uint64_t flags, modseq; /* as they are now */
	uint64_t prior_modseq; /* before this operation; the same where nothing changed */
};
enum {
	/* entries that one op_flags, op_expunge or MOVE changes … */
	STORE_TURN_ROWS = 1000,
	/* … and a copy, which writes the rows of their messages as well */
	STORE_COPY_ROWS = 500,
};
/* STORE. UIDs that do not exist are passed over. Names in keywords that the mailbox has
   not yet get a bit (FLAGS_REMOVE does not make them); ERR_LIMIT at KEYWORDS_MAX. Ends
   after STORE_TURN_ROWS entries: each message has its new flags or its old ones, and the
   caller asks again from next_uid on for the others. */
struct op_flags {
	uint64_t account_id, mailbox_id;
	struct uid_range *uids;
	size_t uids_count;
	uint32_t mode;        /* enum flags_mode */
	uint64_t flags;       /* bits */
	struct str *keywords; /* names whose bit the caller does not know */
	size_t keywords_count;
	bool has_unchanged_since; /* RFC 7162 3.1.3 */
	uint64_t unchanged_since;
};
struct answer_flags {
	struct flags_row *rows; /* every entry in uids, ascending, changed or not */
	size_t rows_count;
	uint32_t *failed; /* UIDs left alone because of unchanged_since */
	size_t failed_count;
	uint64_t highestmodseq;
	uint64_t own_modseq;   /* of the entries that were changed; 0: none was */
	bool has_new_keywords; /* read the names again */
	uint32_t next_uid;     /* from here on nothing was done; 0: all is done */
};

/* COPY and MOVE, within one account. ERR_NOT_FOUND: the destination (the caller answers
   TRYCREATE); ERR_QUOTA for a copy. A copy without `work` is done whole. Else the answer
   comes after STORE_COPY_ROWS entries, for a MOVE after STORE_TURN_ROWS, and the caller
   asks again from next_uid on. At no time is a moved message in both mailboxes or in
   neither, and those of a turn move together (RFC 6851 3.3). */
struct op_copy {
	uint64_t account_id, mailbox_id, to_mailbox_id;
	struct uid_range *uids;
	size_t uids_count;
	bool is_move;
	uint64_t work;
	bool is_continued; /* not the first turn of a copy */
};
struct answer_copy {
	uint32_t uidvalidity;          /* of the destination */
	uint32_t *from_uids, *to_uids; /* pairs, ascending; none: nothing matched */
	size_t from_uids_count, to_uids_count;
	uint32_t next_uid; /* as in answer_flags */
};

/* In turns. A COPY or APPEND of very many messages is several operations, so that nobody
   else waits for all of them, and yet fails or succeeds as one (RFC 3501 6.3.11, 6.4.7).
   `work` names it: a random number of the client's. What a turn has put into the mailbox
   is noted (table staged) until the last turn has taken the notes away. Where a turn
   fails, or its client gives up, staged_undo takes the messages out again, turn by turn;
   it answers how many notes are left. When the client's process is gone the store does
   that by itself. A turn whose work has been undone is refused: ERR_CONFLICT. */
struct op_staged_undo {
	uint64_t work;
};

/* Removes the messages in uids (none given: all) that have \Deleted; with all_flags
   whatever their flags (POP3 QUIT). Not more of them than STORE_TURN_ROWS: each message
   goes whole or not at all (RFC 3501 6.4.3), and whoever wants the others gone as well
   asks again from next_uid. */
struct op_expunge {
	uint64_t account_id, mailbox_id;
	struct uid_range *uids;
	size_t uids_count;
	bool all_flags;
};
struct answer_expunge {
	uint32_t *uids; /* what went, ascending */
	size_t uids_count;
	uint64_t highestmodseq;
	uint32_t next_uid; /* as in answer_flags */
};

/* Makes a mailbox; its parents need not exist. ERR_EXISTS; ERR_INVALID: a name with an
   empty level, a NUL, CR or LF, no UTF-8, too long or deep; ERR_LIMIT: too many. */
struct op_mailbox_create {
	uint64_t account_id;
	struct str name;
	uint32_t special_use; /* enum special_use */
};
struct answer_mailbox {
	uint64_t mailbox_id;
	uint32_t uidvalidity;
};
/* ERR_NOT_FOUND; ERR_INVALID for INBOX. Children stay. Its messages go: nobody sees them
   or pays for them any more, their rows are removed by turns of mailbox_purge. */
struct op_mailbox_remove {
	uint64_t account_id;
	struct str name;
};
/* Of the store itself: takes apart STORE_TURN_ROWS entries of a removed mailbox, and the
   mailbox when none is left. ERR_NOT_FOUND: it is gone, or somebody's. */
struct op_mailbox_purge {
	uint64_t mailbox_id;
};
/* Renames it and all below it. INBOX: its messages move into the new mailbox and INBOX
   stays (RFC 3501 6.3.5); where next_uid is given, the caller moves what is left of them
   with op_copy. ERR_NOT_FOUND, ERR_EXISTS, ERR_INVALID. */
struct op_mailbox_rename {
	uint64_t account_id;
	struct str from, to;
};
struct answer_renamed {
	uint64_t from_mailbox_id, to_mailbox_id; /* of INBOX only */
	uint32_t next_uid, last_uid;             /* 0: all is done */
};
/* A name may be subscribed that is no mailbox. */
struct op_subscribe {
	uint64_t account_id;
	struct str name;
	bool subscribed;
};
/* \Recent: gives the mailbox's recent_uid and sets it to uidnext. Needed only where
   recent_uid < uidnext and the mailbox was opened read-write. */
struct op_recent {
	uint64_t account_id, mailbox_id;
};
struct answer_recent {
	uint32_t recent_uid; /* this session's: UIDs from here up to uidnext of that
	                        moment */
};

/* --- queue ------------------------------------------------------------------------- */

/* Takes up to limit rows that are due into a lease of this client. ids given: those, due
   or not, if they are not leased and not held. Else domain given: of that domain. */
struct op_queue_claim {
	uint64_t *ids;
	size_t ids_count;
	struct str domain;
	int64_t now_ms;    /* must */
	uint32_t limit;    /* must, up to 500 */
	uint32_t lease_ms; /* must: how long nobody else may have them */
	bool is_attempt;   /* counts as queue_attempt at once */
};
struct answer_queue {
	struct queue_item *items; /* ascending by message, then id */
	size_t items_count;
};
/* Counts an attempt, before dialling. Prolongs the lease to lease_ms from now.
   ERR_CONFLICT where one of them is not leased by this client: nothing is done. */
struct op_queue_attempt {
	uint64_t *ids;
	size_t ids_count;
	int64_t now_ms;
	uint32_t lease_ms;
};

enum queue_outcome {
	OUTCOME_DELIVERED = 1, /* the next hop took it: the row goes */
	OUTCOME_DEFERRED = 2,  /* again at due_ms */
	OUTCOME_BOUNCED = 3,   /* never: the row goes */
	OUTCOME_EXPIRED = 4,   /* too late: the row goes */
	OUTCOME_RETURNED = 5, /* not tried after all: as before, due at due_ms; an attempt
	                         already counted stays counted */
};
struct queue_outcome_row {
	uint64_t id;
	uint32_t outcome; /* enum queue_outcome */
	int64_t due_ms;   /* DEFERRED, RETURNED */
	struct str class; /* reason class; the rest may be empty or 0 */
	uint32_t code;
	struct str enhanced, text, host, ip;
	bool delay_warned; /* the delay notification went out with this */
	bool is_report;    /* the message is a report of ours (MESSAGE_REPORT) */
	/* Of the notification that the sender gets about it: its trace id, and "failed",
	   "delayed" …; empty: there is none */
	struct str dsn, told;
};
/* Writes what came of an attempt, and in the same transaction accepts the notifications
   that it makes (DSN_SENT); what became of a row, the queue process tells. ERR_CONFLICT
   where one row is not leased by this client (any more): nothing is done. The answer is
   that of the last notification. */
struct op_queue_result {
	int64_t now_ms;
	struct queue_outcome_row *rows;
	size_t rows_count;
	struct op_accept *notifications;
	size_t notifications_count;
};
/* Gives back what was leased to clients of the queue process that are gone, and brings
   back rows that a clock far ahead has sent into the future: called once when it starts,
   before its first claim. */
struct op_queue_release {
	int64_t now_ms;
};
struct answer_count {
	uint64_t count;
};

/* What a person does to rows. An attempt that is under way is not stopped: hold, bounce
   and delete are noted as the row's wish and carried out when it comes back, unless the
   next hop took the mail; retry and release take the wish back. Rows that are gone or in
   the verb's state already are passed over; the answer counts what was done. if_version
   (one id only): ERR_ETAG where it differs. Tells QUEUE_ACTION. */
struct op_queue_action {
	struct actor actor;
	uint64_t *ids;
	size_t ids_count;
	uint32_t verb; /* enum queue_verb */
	int64_t due_ms, now_ms;
	uint64_t if_version;
};

/* --- logins ------------------------------------------------------------------------ */

enum login_kind {
	LOGIN_ACCOUNT = 1, /* mail */
	LOGIN_ADMIN = 2,   /* dashboard */
};
/* Checks a password, slowly and in other threads. ERR_AUTH for a wrong name or password
   alike, after the same time and some delay; ERR_AUTH_RATE after too many failures from
   there; ERR_ACCOUNT_OFF only with the right password; ERR_AUTH_TEMP when overloaded.
   Tells AUTH_OK and AUTH_FAILED. */
struct op_auth {
	uint32_t kind;       /* enum login_kind */
	struct str protocol; /* "smtp", "imap", "pop3", "http" */
	struct str name, password;
	struct str ip; /* of the client, as text */
	struct str session_id;
};
struct answer_auth {
	uint64_t id;        /* of the account or admin */
	struct str address; /* normalised login name */
	struct str role;    /* of an admin */
};

/* --- administration ---------------------------------------------------------------- */
/* *_put creates or changes. if_version != 0: ERR_ETAG where the row has another one (or
   is not there). if_absent: ERR_EXISTS where it is there. Ids in answers. */

struct op_domain_put {
	struct actor actor;
	struct str name; /* normalised by domain_normalize of mail/address.h */
	bool enabled;
	uint32_t incoming; /* enum domain_incoming */
	bool if_absent;
	uint64_t if_version;
};
/* With everything in it: accounts, mailboxes, aliases. ERR_NOT_FOUND; ERR_CONFLICT where
   it has accounts and with_accounts is not set. */
struct op_domain_remove {
	struct actor actor;
	struct str name;
	bool with_accounts;
	uint64_t if_version;
};
/* Makes an account with INBOX, Drafts, Sent, Junk, Trash and Archive, the last five
   subscribed and with their special use. ERR_NOT_FOUND: no such domain; ERR_EXISTS: an
   account or alias has the address; ERR_INVALID: no login name (address_is_login), or a
   password shorter than 8 or longer than 1024 bytes. */
struct op_account_create {
	struct actor actor;
	struct str address, password, display_name;
	uint64_t quota_bytes;
};
enum account_field {
	ACCOUNT_SET_DISPLAY_NAME = 1,
	ACCOUNT_SET_QUOTA = 2,
	ACCOUNT_SET_STATE = 4,
};
struct op_account_update {
	struct actor actor;
	struct str address;
	uint32_t fields; /* enum account_field bits: which of the next are meant */
	struct str display_name;
	uint64_t quota_bytes;
	uint32_t state; /* enum account_state */
	uint64_t if_version;
};
struct op_account_password {
	struct actor actor;
	struct str address, password;
};
struct op_account_remove {
	struct actor actor;
	struct str address;
	uint64_t if_version;
};
/* targets: addresses, normalised or at least parsed by the caller. ERR_EXISTS: an account
   has the address; ERR_INVALID: no targets, or one of them is the alias itself. */
struct op_alias_put {
	struct actor actor;
	struct str address; /* normalised; "@domain" for the catch-all */
	struct str *targets;
	size_t targets_count;
	bool enabled;
	bool if_absent;
	uint64_t if_version;
};
struct op_alias_remove {
	struct actor actor;
	struct str address;
	uint64_t if_version;
};
struct op_admin_create {
	struct actor actor;
	struct str name, password, role;
};
struct op_admin_update {
	struct actor actor;
	struct str name, role; /* role empty: as it is */
	bool enabled;
	uint64_t if_version;
};
/* Ends all his sessions as well. */
struct op_admin_password {
	struct actor actor;
	struct str name, password;
};
struct op_admin_remove {
	struct actor actor;
	struct str name;
};
struct op_token_create {
	struct actor actor;
	struct str name, hash, scopes, domains, networks; /* as in struct token */
	uint64_t admin_id;
	int64_t expires_ms; /* 0: never */
};
struct op_token_revoke {
	struct actor actor;
	uint64_t id;
};
/* Send it now and then, not with every request. */
struct op_token_used {
	uint64_t id;
	int64_t at_ms;
	struct str ip;
};
/* A domain's MTA-STS policy, as it was fetched; those that have expired go. */
struct op_sts_put {
	struct str domain, policy_id, body;
	int64_t fetched_ms, expires_ms;
};
/* It could not be fetched: that is kept beside what there is, for a week. */
struct op_sts_failed {
	struct str domain, fault;
	int64_t at_ms;
};
/* Somebody wants it fetched now. ERR_NOT_FOUND: nothing is known of that domain. */
struct op_sts_ask {
	struct str domain;
};
/* Somebody wants a check of the host run now (policy/host.h), by its word. */
struct op_host_ask {
	struct str name;
};
/* What came of a run that began at checked_ms: the state to be shown, with the last runs
   as host_damp wants them. A state that is another one than before is an event. */
struct op_host_result {
	struct str name, state, cause, text, body, runs;
	int64_t checked_ms, next_ms;
};
struct op_session_create {
	struct actor actor;
	uint64_t admin_id;
	struct str hash, csrf, ip, user_agent;
	int64_t expires_ms;
};
struct op_session_touch {
	uint64_t id;
	int64_t used_ms, expires_ms, step_up_ms; /* 0: as it is */
};
struct op_session_remove {
	struct actor actor;
	uint64_t id;
};
/* value: as it would stand in the configuration file, judged by the caller; empty: back
   to the default (the row stays, for who did it and when). */
struct setting_new {
	struct str key, value;
};
/* All or none. There is one version for all settings, and each has the one that its last
   change brought, 0 before the first. if_version: one more than the version of all, or
   with `of_one` than that of the first key; 0: any. What is as it was changes nothing. */
struct op_settings_put {
	struct actor actor;
	const struct setting_new *items;
	size_t items_count;
	bool of_one;
	uint64_t if_version;
};
/* A request of the API with an Idempotency-Key (api/again.h). */
enum api_again {
	API_NEW,     /* carry it out */
	API_RUNNING, /* the first one is not answered yet */
	API_DONE,    /* here is its answer */
	API_OTHER,   /* the key belongs to another request */
};
struct op_api_begin {
	struct str name, print; /* 32 bytes each: caller and key; the whole request */
	struct str deed;        /* as many: the name of its deeds */
	uint64_t epoch;         /* of the asking process: one that is gone does not run */
	int64_t keep_since_ms;  /* older ones are forgotten */
};
struct answer_api {
	uint32_t again; /* enum api_again */
	uint32_t status;
	struct str headers; /* "Name: value", one a line */
	struct str body;
	bool has_deeds; /* API_NEW: some of it has been done before */
};
/* status 0: it did not happen, or not all of it: forget the answer, but no deed. */
struct op_api_end {
	struct str name, deed;
	uint32_t status;
	struct str headers, body;
};
struct answer_id {
	uint64_t id;
	uint64_t version;
};

/* --- the log, bodies, the process --------------------------------------------------- */

/* A batch of events, packed by events_pack of store/events.h. Use store_tell() of
   store/client.h instead. */
struct op_events {
	struct str events;
	uint32_t count;
};
/* A new segment file for this client to write; store/body.h does it. */
struct op_segment_open {
	uint32_t unused;
};
struct answer_segment {
	uint64_t segment;
};
/* Its writer is done with it. */
struct op_segment_seal {
	uint64_t segment;
	uint64_t size;
};
/* See store/feed.h. */
struct op_subscribe_feed {
	bool all_accounts, queue, settings, events;
	uint64_t *accounts;
	size_t accounts_count;
};
struct op_stats {
	uint32_t unused;
};
struct answer_stats {
	int64_t started_ms;
	uint64_t operations, batches, syncs;
	uint64_t written_max; /* rows that one transaction wrote, at the most */
	uint64_t disk_free_bytes, disk_reserve_bytes;
	bool disk_full; /* new mail is put off */
	bool index_damaged;
	uint64_t messages, message_bytes; /* stored, referenced ones */
	uint64_t journal_rows; /* batches of events not yet in the delivery log */
};
struct answer_none {
	uint32_t unused;
};

/* --- sent by the store to itself -------------------------------------------------- */

/* last_login_ms of an account or admin. */
struct op_login_noted {
	uint32_t kind; /* enum login_kind */
	uint64_t id;
	int64_t at_ms;
};
/* Some messages, or sessions, that were alike (store/report_count.h). */
struct report_count {
	uint32_t kind; /* enum seen_kind */
	int64_t day;   /* since 1970 */
	struct str domain;
	struct str policy, rua; /* of the domain, as of last; may be empty */
	struct str body;        /* what they have in common, logfmt */
	uint64_t count;
	int64_t at_ms; /* of the last one; does not travel */
};
/* Who came last from the Internet to a service (outside.h). */
struct outside_seen {
	struct str service, ip;
	int64_t at_ms;
};
/* Journal rows up to this one are in the delivery log, on disk, and this is what they
   count for reports, and whom they saw. */
struct op_journal_trim {
	uint64_t up_to;
	struct report_count *counts;
	size_t counts_count;
	struct outside_seen *seen;
	size_t seen_count;
};
/* A segment goes from one enum segment_state to another; ERR_CONFLICT: it was in none of
   the states from (bits 1 << state). */
struct op_segment_state {
	uint64_t segment;
	uint32_t from, to;
};
/* These messages have been copied: they now lie in segment `to`, in the order of ids at
   places. Messages that are gone or were elsewhere are passed over. */
struct op_segment_moved {
	uint64_t from, to;
	uint64_t *ids, *places;
	size_t ids_count, places_count;
};
/* Takes a segment without messages away, row first, file after. ERR_CONFLICT: it has
   some. */
struct op_segment_drop {
	uint64_t segment;
};

/* --- keys, names and policies of domains -------------------------------------------- */

/* A key pair for a domain: made in another thread, its private half written to
   data_dir/keys/dkim and synced, then the row. ERR_NOT_FOUND: no such domain; ERR_EXISTS:
   it has that selector, or, with if_none, a key of that algorithm that is not retiring
   or revoked; ERR_LIMIT: it has too many keys; ERR_INVALID: no selector. */
struct op_dkim_key_create {
	struct actor actor;
	struct str domain;   /* normalised */
	struct str selector; /* empty: one is chosen */
	uint32_t algorithm;  /* enum dkim_algorithm */
	bool is_published;   /* PUBLISH at once, else GENERATED */
	bool auto_activate;
	bool if_none;
	struct str file, public_key; /* filled in by the store */
};
/* Another state. ERR_CONFLICT where the life of a key has no such step, or not yet: what
   is not verified never becomes active, what is active or may still be looked up is not
   revoked. is_emergency revokes all the same. Activating retires the active key of the
   same domain and algorithm. */
struct op_dkim_key_state {
	struct actor actor;
	uint64_t id;
	uint32_t state; /* enum dkim_key_state */
	bool is_emergency;
	uint64_t if_version;
};
/* Forgets a key that has never signed, or one that is revoked; else ERR_CONFLICT. */
struct op_dkim_key_remove {
	struct actor actor;
	uint64_t id;
	uint64_t if_version;
};
/* What the authoritative servers of its domain said: how many have it, of how many that
   all answered. PUBLISH becomes VERIFIED when all have it (and ACTIVE, where it wants
   to), VERIFIED goes back to PUBLISH when one has not. */
struct op_dkim_key_checked {
	uint64_t id;
	uint32_t servers_ok, servers_total;
	int64_t at_ms;
};
/* A look at the domain's records is wanted now. */
struct op_dns_ask {
	struct str domain;
};
/* What a look found. Rows that are not named any more go; what differs from before is one
   struct dns_change and the event DNS_CHANGED each. */
struct dns_row_new {
	struct str name, state, cause, body;
};
/* Every domain whose last look began before that is looked at again, now. */
struct op_dns_again {
	int64_t at_ms;
};
struct op_dns_result {
	struct str domain;
	int64_t checked_ms, next_ms;
	struct str servers, facts;
	struct dns_row_new *rows;
	size_t rows_count;
};
/* value: JSON, judged by the caller; empty: back to what holds without one. */
struct op_dns_mute {
	struct actor actor;
	struct str domain, name; /* name: of the row, "spf" */
	bool is_muted;
};
struct op_domain_policy_put {
	struct actor actor;
	struct str domain, name, value;
	uint64_t if_version;
};

/* --- what others saw of our domains -------------------------------------------------- */

/* The report that was read from the mail of a leased queue row: its rows and document are
   kept and the queue row goes, both or neither. The answer has its id, and version 0
   where one of that name was there already (it counts once). Tells REPORT_RECEIVED or
   REPORT_REPEATED. ERR_CONFLICT: the row is not leased by this client; ERR_NOT_FOUND:
   domain is none of ours; ERR_LIMIT: too many came today, or more rows and bytes than
   types.h says. Over the limit report_space the oldest reports go. */
struct op_report_put {
	uint64_t queue_id;
	struct received_report report; /* without ids, domain, raw_bytes, trace_id */
	struct str domain;             /* ours */
	struct str raw;
	struct received_row *rows;
	size_t rows_count;
};
/* The mail of a leased queue row is no report: it goes on whole to rcpts, and the row
   goes. Tells REPORT_REFUSED with the reason. ERR_CONFLICT as above. */
struct op_report_refuse {
	uint64_t queue_id;
	struct str reason;
	int64_t expires_ms; /* of rows that go on to other servers */
	struct accept_rcpt *rcpts;
	size_t rcpts_count;
};
/* These go, old ones. */
struct op_report_drop {
	uint64_t *ids;
	size_t ids_count;
};

/* --- reports of what we saw of others ------------------------------------------------ */

/* A report is made: what it was made of goes, the report is kept on record, and its mail
   is on its way, all or nothing. So it is made once, whoever dies in between. ERR_EXISTS:
   that domain and day have one. Without a name nothing is kept: nobody wanted it. */
struct op_report_made {
	uint32_t kind; /* enum seen_kind */
	int64_t day;
	struct str domain; /* empty: the row that counts the whole day */
	struct str name;   /* its id, as the report says it */
	struct str rcpts;  /* who gets it, one space between: addresses, and URLs */
	struct str reason; /* who does not, and why; or empty */
	uint64_t row_count, count, left_out;
	struct str packed;  /* the report, in gzip */
	uint32_t delivered; /* to so many already, over HTTPS */
	uint32_t failed;
	int64_t keep_ms;         /* how long it stays on record */
	struct op_accept *mails; /* one, or none */
	size_t mails_count;
};

/* --- as bytes ---------------------------------------------------------------------- */

struct arena;
struct strbuf;

/* "accept"; never NULL. */
const char *op_name(enum op op);
/* Appends arguments; in's type is struct op_<name>. */
void op_pack(enum op op, const void *in, struct strbuf *out);
/* Zeroed struct op_<name> in the arena, strings borrowed from bytes. ERR_MALFORMED for
   bytes that are none, ERR_LIMIT where the arena cannot hold them. */
MUSTUSE enum err op_unpack(enum op op, struct str bytes, struct arena *a, void **op_out);
/* The same for struct answer_<answer> of this operation. */
void answer_pack(enum op op, const void *in, struct strbuf *out);
MUSTUSE enum err answer_unpack(enum op op, struct str bytes, struct arena *a,
                               void **answer_out);

#endif
