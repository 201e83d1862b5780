/* types.h - the plain values that travel between the store and those who use it.
 *
 * Every struct here is filled by a reader (store/reader.h, store/trace_reader.h) or by an
 * answer (store/ops.h) and borrows its bytes: from the arena the caller gave, or, inside
 * a call-back, until that call-back returns. Times are Unix milliseconds, 0 is "none".
 * Ids are numbers above 0, never used twice on one installation; the API writes them
 * with a prefix.
 */
#ifndef STORE_TYPES_H
#define STORE_TYPES_H

#include "base/err.h"
#include "base/str.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* --- bodies ------------------------------------------------------------------------ */

enum body_codec {
	CODEC_NONE = 0,
	CODEC_ZSTD = 1,
};

/* Where a body lies. */
struct body_ref {
	uint64_t segment;      /* data_dir/blobs/NNNNNN.seg */
	uint64_t offset;       /* of the record, its header first */
	uint64_t stored_bytes; /* of the body as stored, behind the header */
	uint64_t size;         /* of the message itself: RFC822.SIZE */
	uint32_t codec;        /* enum body_codec */
	struct str sha256;     /* of the message itself; 32 bytes */
};

/* What is known of a message without opening its body; see mail/prepare.h, from which
   all strings come. Which of them are filled depends on what was asked for. */
struct message_head {
	struct str envelope, body,
		bodystructure; /* ready to send after the FETCH item name */
	struct str parts;      /* part_table_find() of mail/mime.h */
	struct str from, to, cc, subject, preview, from_address, subject_base;
	struct str message_id, in_reply_to, references;
	int64_t date_ms;    /* of its Date field; 0 without one */
	uint32_t date_zone; /* minutes east of Greenwich + 1440; 0: without a date */
	uint32_t header_bytes;
	uint32_t flags; /* enum message_flag */
};

enum message_flag {
	MESSAGE_ATTACHMENT = 1,
	MESSAGE_8BIT = 2,        /* needs 8BITMIME */
	MESSAGE_8BIT_HEADER = 4, /* needs SMTPUTF8 */
	MESSAGE_AMBIGUOUS = 8,   /* its MIME structure can be read in two ways */
	MESSAGE_OURS = 16,       /* from a login or made here: our domains vouch for it */
	/* What its sender says of the way on (RFC 8689); the first outweighs. */
	MESSAGE_TLS_REQUIRED = 32, /* came with REQUIRETLS */
	MESSAGE_TLS_OPTIONAL = 64, /* TLS-Required: No */
	MESSAGE_REPORT = 128,      /* a report of ours: nobody is told of its failure */
};

/* One stored message. */
struct message {
	uint64_t id;
	struct body_ref ref;
	uint32_t prefix_len; /* bytes of our Return-Path line, which relaying skips */
	int64_t received_ms;
	struct str trace_id;
	struct message_head head;
};

/* --- mailboxes --------------------------------------------------------------------- */

/* System flags; keywords are the bits from FLAG_KEYWORD_FIRST on, each mailbox has its
   own names for them (struct keyword). */
enum {
	FLAG_SEEN = 1 << 0,
	FLAG_ANSWERED = 1 << 1,
	FLAG_FLAGGED = 1 << 2,
	FLAG_DELETED = 1 << 3,
	FLAG_DRAFT = 1 << 4,
	FLAG_SYSTEM = 0x1f,
	FLAG_KEYWORD_FIRST = 8,  /* bit number */
	KEYWORDS_MAX = 56,       /* of one mailbox */
	KEYWORD_BYTES_MAX = 64,  /* of one name */
	MAILBOX_NAME_MAX = 1000, /* bytes of a full name */
	MAILBOX_DEPTH_MAX = 32,  /* levels of a name */
};

/* What a folder is for (RFC 6154); 0: nothing special. */
enum special_use {
	USE_NONE,
	USE_ARCHIVE,
	USE_DRAFTS,
	USE_JUNK,
	USE_SENT,
	USE_TRASH,
	USE_COUNT,
};

/* A mailbox with its counters, kept up to date by each operation. name is UTF-8 with "/"
   between levels; the inbox is always "INBOX". A row with id 0 is a name that is only
   subscribed (RFC 3501 6.3.9). */
struct mailbox_info {
	uint64_t id, account_id;
	struct str name;
	uint32_t uidvalidity, uidnext;
	uint64_t highestmodseq;
	uint32_t exists, unseen, deleted; /* messages; without \Seen; with \Deleted */
	uint32_t recent_uid;  /* UIDs from this one on have been seen by no session yet */
	uint64_t size_bytes;  /* sum of RFC822.SIZE */
	uint32_t special_use; /* enum special_use */
	bool subscribed;
};

struct keyword {
	uint32_t bit; /* FLAG_KEYWORD_FIRST… */
	struct str name;
};

/* One message in one mailbox. */
struct entry {
	uint32_t uid;
	uint32_t size; /* RFC822.SIZE */
	uint64_t flags;
	uint64_t modseq;
	uint64_t message_id;
	int64_t internal_date_ms;
};

/* A range of UIDs, both ends included; first <= last. "*" is UINT32_MAX. */
struct uid_range {
	uint32_t first, last;
};

/* --- who there is ------------------------------------------------------------------ */

/* What a domain does with mail from outside whose sender is not proven (DMARC). */
enum domain_incoming {
	INCOMING_HONOUR = 0, /* what the domain in From asks for */
	INCOMING_JUNK = 1,   /* into Junk where it asks for a refusal */
	INCOMING_MARK = 2,   /* nothing but the mark in the message */
	INCOMING_COUNT,
};

struct domain {
	uint64_t id;
	struct str name;   /* A-labels, lower case */
	bool enabled;      /* false: takes and sends no mail */
	uint32_t incoming; /* enum domain_incoming */
	uint64_t account_count, alias_count;
	int64_t created_ms;
	uint64_t version; /* grows with each change: for ETag */
};

/* The life of a key that signs for a domain. Each step has one way: generated -> publish
   -> verified (every authoritative server has it) -> active (it signs) -> retiring (it
   stays in the name service for what it has signed) -> revoked (the private half is
   gone). Only ACTIVE ones sign. */
enum dkim_key_state {
	DKIM_KEY_ANY = 0, /* in a query */
	DKIM_KEY_GENERATED = 1,
	DKIM_KEY_PUBLISH = 2,
	DKIM_KEY_VERIFIED = 3,
	DKIM_KEY_ACTIVE = 4,
	DKIM_KEY_RETIRING = 5,
	DKIM_KEY_REVOKED = 6,
	DKIM_KEY_STATES,
};

enum dkim_algorithm {
	DKIM_RSA = 1, /* rsa-sha256, 2048 bits */
	DKIM_ED25519 = 2,
};

struct dkim_key {
	uint64_t id, domain_id;
	struct str domain, selector;
	uint32_t algorithm, state;
	struct str public_key; /* the value of p= */
	struct str file; /* of the private half, below data_dir/keys/dkim; empty: gone */
	bool auto_activate; /* becomes active as soon as it is verified */
	int64_t created_ms, changed_ms, verified_ms, activated_ms;
	int64_t keep_until_ms; /* RETIRING: may be withdrawn from then on */
	int64_t checked_ms;
	uint32_t servers_ok, servers_total; /* authoritative ones, at the last check */
	uint64_t version;
};

/* What a domain says of itself: "dmarc", "mta_sts", "tls_rpt". */
struct domain_policy {
	uint64_t domain_id;
	struct str name;
	struct str value; /* JSON, judged by who put it there */
	int64_t changed_ms;
	uint64_t version;
};

/* The last look at what the name service says of a domain. */
struct dns_zone {
	uint64_t domain_id;
	struct str domain;
	int64_t checked_ms; /* 0: never yet */
	int64_t asked_ms;   /* later than checked_ms: somebody waits for a look */
	int64_t next_ms;    /* when it is due again */
	struct str servers; /* authoritative ones: "name address, name address" */
	struct str facts;   /* JSON: what records are made from, found by asking */
};

struct dns_row {
	struct str name;         /* "mx", "dkim:s1" … */
	struct str state, cause; /* words of policy/records.h */
	struct str body;         /* JSON */
	int64_t since_ms, checked_ms;
};

/* A row that an owner wants left as it is: it counts among no figures. */
/* A row that its owner leaves as it is: of a domain's records, or (domain_id HOST_MUTES)
   of the checks of the host. */
enum {
	HOST_MUTES = 0, /* no domain has it */
};
struct dns_mute {
	struct str name, by;
	int64_t at_ms;
};

struct dns_change {
	uint64_t id;
	struct str name, old_state, state, cause, body;
	int64_t at_ms;
};

enum account_state {
	ACCOUNT_ACTIVE = 0,
	ACCOUNT_DISABLED = 1, /* no login, no mail */
};

struct account {
	uint64_t id, domain_id;
	struct str address; /* local@domain, normalised: the login name */
	struct str display_name;
	uint32_t state;       /* enum account_state */
	uint64_t quota_bytes; /* 0: no limit */
	uint64_t used_bytes, message_count;
	int64_t created_ms, last_login_ms;
	uint64_t version;
};

/* An address that stands for others. address "@example.org" is the catch-all of a domain:
   whatever is no account and no alias there. */
struct alias {
	uint64_t id, domain_id;
	struct str address;
	struct str targets; /* addresses, one space between them */
	bool enabled;
	int64_t created_ms;
	uint64_t version;
};

/* Somebody who may sign in to the dashboard. */
struct admin {
	uint64_t id;
	struct str name; /* the login name */
	struct str role; /* "owner", "admin", "operator", "helpdesk", "auditor" */
	bool enabled;
	int64_t created_ms, last_login_ms;
	uint64_t version;
};

/* A key for the API. Only the hash of its secret is kept. */
struct token {
	uint64_t id;
	struct str name;
	struct str hash;   /* SHA-256 of the whole token as sent */
	struct str scopes; /* "domains:read queue:write …", one space between them */
	struct str domains, networks; /* limits, one space between; empty: none */
	uint64_t admin_id;            /* who made it; 0: the command line */
	int64_t created_ms, expires_ms, last_used_ms;
	struct str last_used_ip;
	bool revoked;
};

/* A signed-in browser. Only the hash of its cookie is kept. */
struct web_session {
	uint64_t id, admin_id;
	struct str hash; /* SHA-256 of the cookie's secret */
	struct str csrf; /* what the page must send along */
	struct str ip, user_agent;
	int64_t created_ms, last_used_ms, expires_ms, step_up_ms;
};

struct setting {
	struct str key;
	struct str value; /* as in the configuration file; empty: the default */
	int64_t changed_ms;
	struct str changed_by;
	uint64_t version;
};

/* One change by a person or a program. */
struct audit_entry {
	uint64_t id;
	int64_t at_ms;
	struct str actor, ip; /* "admin:ann", "token:3", "cli"; who asked from where */
	struct str request_id;
	struct str action;               /* "account.create" */
	struct str target;               /* "ann@example.org" */
	struct str old_value, new_value; /* JSON or plain; secrets are never in it */
};

/* --- the queue --------------------------------------------------------------------- */

enum queue_state {
	QUEUE_SCHEDULED = 0, /* never tried */
	QUEUE_ACTIVE = 1,    /* leased to a queue process */
	QUEUE_DEFERRED = 2,  /* tried, waits for due_ms */
	QUEUE_HELD = 3,      /* waits for a person */
	QUEUE_STATE_COUNT,
};

/* What a person does to rows. */
enum queue_verb {
	QUEUE_RETRY = 1, /* due at due_ms (0: now), held ones too */
	QUEUE_HOLD = 2,
	QUEUE_UNHOLD = 3,
	QUEUE_BOUNCE = 4, /* expires now: the queue process bounces it at its next look */
	QUEUE_DELETE = 5, /* silently; the log says cancelled */
};

/* expires_ms of a row that is never tried: its sender is told at once. */
enum {
	QUEUE_SENT_BACK = 1, /* a person wants it to go back (QUEUE_BOUNCE) */
	QUEUE_LOOPS = 2,     /* the message has been sent there before */
	/* receipts: it has arrived, and its sender asked for that news */
	QUEUE_IN_MAILBOX = 3,
	QUEUE_EXPANDED = 4, /* it went to all of an alias */
	QUEUE_MARK_LAST = QUEUE_EXPANDED,
};

/* Receipts stand in the queue under this domain. */
#define RECEIPTS_DOMAIN "=receipts"

static inline bool
queue_is_receipt(int64_t expires_ms)
{
	return expires_ms == QUEUE_IN_MAILBOX || expires_ms == QUEUE_EXPANDED;
}

/* DSN NOTIFY (RFC 3461 4.1); 0: the parameter was not given (failure and delay). */
enum dsn_notify {
	NOTIFY_NEVER = 1,
	NOTIFY_SUCCESS = 2,
	NOTIFY_FAILURE = 4,
	NOTIFY_DELAY = 8,
};

/* DSN RET (RFC 3461 4.3). */
enum dsn_ret {
	RET_NONE = 0,
	RET_FULL = 1,
	RET_HDRS = 2,
};

/* One recipient of one message on its way out. Terminal states have no row: what became
   of it is in the delivery log. */
struct queue_item {
	uint64_t id, message_id;
	struct str trace_id;
	struct str sender; /* empty: the null sender */
	struct str rcpt;   /* as it is sent */
	struct str domain; /* its domain, normalised: what is looked up */
	uint32_t state;    /* enum queue_state */
	uint32_t wish;     /* enum queue_verb: for after the attempt under way; 0: none */
	uint32_t attempts;
	int64_t created_ms, due_ms, expires_ms;
	int64_t last_attempt_ms, lease_until_ms;
	int64_t delay_warned_ms; /* when the sender was told of the delay; 0: not yet */
	/* the last failure */
	struct str last_class; /* reason class: "rate_limited", "connect_refused", … */
	uint32_t last_code;    /* SMTP reply; 0: none */
	struct str last_enhanced, last_text, last_host, last_ip;
	/* RFC 3461 */
	uint32_t notify, ret; /* enum dsn_notify bits, enum dsn_ret */
	struct str orcpt, envid;
	/* Whose alias sends it on to another server: the domain that a foreign sender is
	   rewritten to (policy/srs.h). Empty: no alias does. */
	struct str forward_domain;
	/* Who brings it and shares connections with others: the account that logged in,
	   else the domain whose alias sends it on, else the host that may relay. Empty:
	   we ourselves, or a notification that is led back. */
	struct str sharer;
	/* of its message */
	struct str subject, message_id_field;
	struct body_ref ref;
	uint32_t prefix_len;
	uint32_t message_flags; /* enum message_flag */
	uint64_t version;
};

/* --- what reports are made of ------------------------------------------------------- */

enum seen_kind {
	SEEN_DMARC = 1, /* messages in the name of a domain (RFC 9990) */
	SEEN_TLS = 2,   /* sessions with the servers of a domain (RFC 8460) */
};

/* What was seen of a domain on one day. */
struct seen_domain {
	uint32_t kind; /* enum seen_kind */
	int64_t day;   /* since 1970, UTC */
	struct str domain;
	struct str policy, rua; /* SEEN_DMARC: of its record, as of last */
	uint64_t count;         /* messages or sessions, with those left out */
	uint64_t row_count;
	uint64_t left_out; /* that no row was to be had for */
};
struct seen_row {
	struct str body; /* logfmt, see store/report_count.c */
	uint64_t count;
};

enum report_state {
	REPORT_ANY = 0,
	REPORT_QUEUED = 1,
	REPORT_SENT = 2,    /* the other side has it */
	REPORT_FAILED = 3,  /* … did not take it; reason says what it said last */
	REPORT_REFUSED = 4, /* there is nobody it may go to; reason says why */
};
const char *report_state_name(uint32_t state);

/* A report that we made. */
struct sent_report {
	uint64_t id;
	uint32_t kind; /* enum seen_kind */
	int64_t day;
	struct str domain, name;
	int64_t made_ms;
	struct str rcpts, reason; /* as in op_report_made */
	uint64_t row_count, count, left_out;
	uint64_t size_bytes; /* packed */
	uint32_t state;      /* enum report_state */
	struct str trace_id; /* of its mail; or empty */
	struct str packed;   /* of reader_sent_report only; empty: not kept any more */
};

/* The whole queue in numbers. */
struct queue_totals {
	uint64_t by_state[QUEUE_STATE_COUNT];
	int64_t oldest_ms;   /* 0: empty */
	int64_t next_due_ms; /* 0: nothing waits */
};

/* --- what others saw of our domains ------------------------------------------------- */

/* The mail for reports goes to the queue under this domain: the queue process reads it. */
#define REPORTS_DOMAIN "=reports"

enum {
	REPORT_STORED_ROWS_MAX = 2000,       /* of one report */
	REPORT_STORED_RAW_MAX = 1024 * 1024, /* bytes of a document that is kept */
	REPORTS_PROVEN_PER_DAY = 5000,       /* about one domain … */
	REPORTS_UNPROVEN_PER_DAY = 200,
	REPORT_ORIGIN_MAX = 64, /* bytes of it */
};

/* A report somebody sent about a domain of ours. */
struct received_report {
	uint64_t id, domain_id;
	uint32_t kind;       /* enum report_kind of policy/report.h */
	bool is_proven;      /* the mail was proven to come from sender */
	struct str sender;   /* domain of the mail that brought it */
	struct str name;     /* the report's own id */
	struct str reporter; /* who made it, by its own word */
	struct str domain;   /* ours */
	struct str about;    /* the same, or one below it */
	int64_t begin_ms, end_ms, received_ms;
	uint64_t good, bad; /* messages, or sessions */
	uint64_t row_count;
	struct str trace_id;
	struct str raw_type; /* of the document as kept; empty: it was too large */
	uint64_t raw_bytes;
};

/* See struct report_row of policy/report.h. */
struct received_row {
	struct str source, name;
	struct str origin; /* the word of a service, or source, where it is none */
	struct str domains;
	uint64_t count;
	bool is_good;
	struct str spf, dkim, done, detail;
};

/* --- the delivery log -------------------------------------------------------------- */

enum trace_direction {
	TRACE_ANY = 0, /* in a query */
	TRACE_IN = 1,  /* from outside */
	TRACE_OUT = 2, /* from a login or a relay network */
	TRACE_OWN = 3, /* made here: notifications */
};

enum trace_verdict {
	VERDICT_ANY = 0, /* in a query; else: nothing decided yet */
	VERDICT_ACCEPTED = 1,
	VERDICT_DELIVERED = 2,
	VERDICT_DISCARDED = 3,
	VERDICT_CANCELLED = 4,
	VERDICT_DEFERRED = 5,
	VERDICT_REFUSED = 6,
	VERDICT_EXPIRED = 7,
	VERDICT_BOUNCED = 8,
	VERDICT_COUNT,
};

/* "accepted", "delivered", …; never NULL. */
const char *verdict_name(enum trace_verdict v);
/* By name; VERDICT_ANY where there is none. */
enum trace_verdict verdict_find(struct str name);
/* "in", "out", "own". */
const char *direction_name(enum trace_direction d);
const char *queue_state_name(enum queue_state s);
/* "retry", "hold", "release", …; "" for none. */
const char *queue_verb_name(uint32_t verb);
/* "publish" … ; "" for none of them. */
const char *dkim_key_state_name(enum dkim_key_state s);
/* "rsa" or "ed25519", as in k= (RFC 6376 3.6.1, RFC 8463 4). */
const char *dkim_algorithm_name(enum dkim_algorithm a);
/* "honour", "junk", "mark". */
const char *domain_incoming_name(enum domain_incoming incoming);
/* "\\Archive", "\\Drafts", …; "" for USE_NONE. */
const char *special_use_name(enum special_use use);

/* One message, or one refused attempt to send one, in a line. id is a trace id, or the
   session's id where a session was refused before it named a sender. The verdict is the
   worst of its recipients'. */
struct trace {
	struct str id;
	int64_t at_ms, updated_ms;
	uint32_t direction; /* enum trace_direction */
	uint32_t verdict;   /* enum trace_verdict */
	struct str from;
	struct str to; /* addresses, one space between, the first few */
	uint32_t rcpt_count;
	struct str subject, message_id, ip, user;
	struct str reason; /* the last refusal or failure in words */
	uint64_t size;
	uint64_t queue_id; /* of the recipient that waits; 0: none */
	/* Results in the words of RFC 8601; empty where nothing was looked at. */
	struct str spf, dkim, dmarc;
};

/* One recipient of a trace. */
struct trace_rcpt {
	struct str rcpt, orig_rcpt; /* orig: before an alias; may be empty */
	uint32_t verdict;
	int64_t at_ms;
	struct str reason, host, mailbox;
	uint64_t queue_id;
	uint32_t uid, attempts;
};

/* One event as it was told (base/event.h). */
struct trace_event {
	int64_t at_ms;
	uint64_t seq; /* orders events; grows */
	uint32_t id;  /* enum event_id; EVENT_COUNT where this build does not know it */
	struct str name; /* "message.stored" */
	struct str trace_id, session_id;
	struct str body; /* logfmt: logfmt_next, event_explain */
};

#endif
