/* tx.h - one batch of operations on its way into the index.
 *
 * The committer applies every operation of a batch inside one transaction. What many of
 * them change again and again (a mailbox's counters, an account's usage, a segment's
 * live bytes) is loaded once, kept in struct tx, and written once at the end. All of it
 * belongs to this transaction: nothing is remembered beyond it, so several stores could
 * share one database.
 *
 * An operation checks first and writes then. One that fails after its first write makes
 * the whole batch roll back; the committer then does each operation alone.
 */
#ifndef STORE_TX_H
#define STORE_TX_H

#include "base/arena.h"
#include "base/event.h"
#include "base/list.h"
#include "base/macros.h"
#include "base/strbuf.h"
#include "store/db.h"
#include "store/feed.h"
#include "store/ops.h"

struct tx_mailbox {
	struct link link;
	uint64_t id, account_id;
	struct str name;
	uint32_t uidvalidity, uidnext, recent_uid;
	uint64_t modseq;
	uint32_t count, unseen, deleted;
	uint64_t size_bytes;
	uint32_t special_use;
	bool is_dirty, is_gone;
};

struct tx_account {
	struct link link;
	uint64_t id, domain_id;
	struct str address;
	uint32_t state;
	uint64_t quota_bytes, used_bytes, message_count;
	bool is_dirty, is_gone;
};

/* How a segment's live records changed. */
struct tx_segment {
	struct link link;
	uint64_t id;
	uint32_t state; /* enum segment_state */
	int64_t bytes, count;
};

enum segment_state {
	SEGMENT_OPEN = 0, /* somebody may append */
	SEGMENT_SEALED =
		1, /* nobody does any more; operations on their way may name it */
	SEGMENT_MISSING = 2, /* its file was not there at start */
	SEGMENT_MOVING =
		3, /* its live records are copied elsewhere; takes no operation */
	SEGMENT_DAMAGED = 4, /* some of its records cannot be copied: it stays */
};

/* Counters of ids: taken from the index in blocks, so most transactions write none. */
struct tx_ids {
	uint64_t next, end;
	bool is_uncommitted; /* the block was taken in this transaction */
};

struct tx_limits {
	uint32_t mailboxes_max, mailbox_name_bytes, mailbox_depth, keywords_max;
	uint64_t queue_max;
	uint64_t disk_reserve_bytes;
	int64_t turn_us;
	int64_t dkim_keep_ms; /* a retired key stays in the name service this long */
	uint64_t seen_domains_max, seen_rows_max, seen_rows_domain_max; /* of a day */
	uint64_t report_space;                                          /* bytes */
};

struct segments;

struct tx {
	struct db *db;
	struct arena *arena;       /* of the batch: operations, answers, rows */
	struct tx_ids *ids;        /* outlives the transaction */
	struct segments *segments; /* files; outlives it as well */
	const struct tx_limits *limits;
	int64_t now_ms;
	uint64_t free_bytes;     /* on the disk, when the batch began */
	enum err body_error;     /* why bodies that operations carry were not written */
	uint64_t queue_rows;     /* about as many are in the queue */
	int64_t lapse_looked_ms; /* when leases that lapsed were looked for; outlives it */
	struct strbuf turn;      /* the sharer who was last given one; outlives it too */
	/* of the operation that is applied */
	uint64_t epoch, seq;
	bool has_written;
	int64_t began_us;
	/* of the batch */
	size_t written;    /* statements that changed rows */
	bool is_turn_over; /* an operation has ended early by the clock */
	struct link mailboxes, accounts, segment_rows;
	struct strbuf journal; /* packed events: all of the batch */
	struct strbuf own;     /* those that the store itself tells: for the log */
	struct strbuf changes; /* packed struct change */
	bool has_queue_change, has_login_change;
	int64_t queue_due_ms; /* earliest */
	uint64_t dropped[8];  /* segments whose files go after the commit */
	size_t dropped_count;
	struct strbuf
		dropped_keys; /* files of keys that go after it, one space between */
};

/* --- rows ----------------------------------------------------------------------------
 */

/* ERR_NOT_FOUND: none such, or not of this account. */
MUSTUSE enum err tx_mailbox(struct tx *tx, uint64_t account_id, uint64_t mailbox_id,
                            struct tx_mailbox **out);
MUSTUSE enum err tx_mailbox_named(struct tx *tx, uint64_t account_id, struct str name,
                                  struct tx_mailbox **out);
/* Makes one; the name has been checked (tx_mailbox_name_check) and is free. */
MUSTUSE enum err tx_mailbox_new(struct tx *tx, uint64_t account_id, struct str name,
                                enum special_use use, struct tx_mailbox **out);
/* "inbox" becomes INBOX; ERR_INVALID for what is no name. */
MUSTUSE enum err tx_mailbox_name_check(struct tx *tx, struct str *name);
MUSTUSE enum err tx_account(struct tx *tx, uint64_t id, struct tx_account **out);
/* live bytes and records of a segment change by this much. */
MUSTUSE enum err tx_segment(struct tx *tx, uint64_t id, struct tx_segment **out);

/* --- turns -------------------------------------------------------------------------- */

/* Does the operation end here, after so many of its rows, and its client go on when
   others have had their turn? Counts alone say little of the time: rows cost more where
   the index is not in memory, or the processor is shared. A few are always done. */
bool tx_turn_ends(struct tx *tx, size_t rows);

/* --- numbers --------------------------------------------------------------------------
 */

MUSTUSE enum err tx_id(struct tx *tx, uint64_t *id_out);
MUSTUSE enum err tx_uidvalidity(struct tx *tx, uint32_t *out);

/* UIDs that an operation touched. */
struct tx_uids {
	uint32_t first, last;
	size_t n; /* so many of those in between */
};
/* p: ascending. */
static inline struct tx_uids
tx_uids_of(const uint32_t *p, size_t n)
{
	return (struct tx_uids){ n ? p[0] : 0, n ? p[n - 1] : 0, n };
}

/* --- writing --------------------------------------------------------------------------
 */

/* db_run that marks the operation as having written. */
MUSTUSE enum err tx_run(struct tx *tx, const char *sql, const struct value *values,
                        size_t count);
/* Adds an event that the store tells itself. */
void tx_event(struct tx *tx, const struct event *e);
/* One of the events of a mailbox, told once an operation: who, where, which (the first
   UID, or first and last) and how many (none: it is not told). m, from: the mailbox, and
   whence (NULL: nowhere). */
void tx_mailbox_event(struct tx *tx, enum event_id id, const struct tx_account *acc,
                      const struct tx_mailbox *m, const struct tx_mailbox *from,
                      struct tx_uids uids);
/* Events that came packed. */
void tx_events(struct tx *tx, struct str packed);
/* One row of audit and the event SETTING_CHANGED; nothing for an actor without a name. */
MUSTUSE enum err tx_audit(struct tx *tx, const struct actor *actor, const char *action,
                          struct str target, struct str old_value, struct str new_value);
/* For the feed. */
void tx_changed_mailboxes(struct tx *tx, uint64_t account_id);
void tx_changed_queue(struct tx *tx, int64_t due_ms);
void tx_changed_setting(struct tx *tx, const char *what, struct str name);

/* --- the whole ------------------------------------------------------------------------
 */

void tx_init(struct tx *tx, struct db *db, struct arena *a);
/* Forgets everything; buffers keep their memory. */
void tx_reset(struct tx *tx);
void tx_fini(struct tx *tx);
/* Writes what was kept: counters, usage, the journal row. */
MUSTUSE enum err tx_flush(struct tx *tx);

/* --- messages, shared by accept, append, copy and expunge ------------------------------
 */

/* Writes the message row with that many references. ERR_STORE_TEMP where its segment
   takes none any more; ERR_DISK_FULL. */
MUSTUSE enum err tx_message_new(struct tx *tx, const struct new_body *body,
                                struct str trace_id, int64_t received_ms, uint64_t refs,
                                uint64_t *id_out);
/* Entries and queue rows of a message that is there, with the events STORED and QUEUED
   (and EXPANDED): op and result as in op_accept_apply, op->body.ref.size its size. */
MUSTUSE enum err tx_message_place(struct tx *tx, const struct op_accept *op,
                                  const struct accept_rcpt *r, uint64_t message_id,
                                  struct accept_result *result);
/* Drops references; the row goes with the last one. */
MUSTUSE enum err tx_message_drop(struct tx *tx, uint64_t message_id, uint64_t refs);
/* A new entry under the mailbox's next UID; keeps all counters. */
struct tx_entry {
	uint64_t message_id, flags, modseq, size;
	int64_t date_ms;
};
MUSTUSE enum err tx_entry_new(struct tx *tx, struct tx_mailbox *m, struct tx_account *acc,
                              const struct tx_entry *entry, uint32_t *uid_out);
/* Adds the bits of keyword names to *flags. Names the mailbox does not have get a bit,
   and *made is set (ERR_LIMIT: there is none left, ERR_INVALID: no keyword); with made
   NULL they are passed over. */
MUSTUSE enum err tx_keywords_bits(struct tx *tx, const struct tx_mailbox *m,
                                  const struct str *names, size_t count, uint64_t *flags,
                                  bool *made);
/* A turn of a COPY or APPEND that has several (ops_mail.h, "In turns"). One that goes on
   checks first: ERR_CONFLICT where the work was undone meanwhile. One that is not the
   last notes what it has put into m; the last one ends it. */
MUSTUSE enum err tx_stage_check(struct tx *tx, uint64_t work);
MUSTUSE enum err tx_stage_note(struct tx *tx, uint64_t work, const struct tx_mailbox *m,
                               struct tx_uids uids);
MUSTUSE enum err tx_stage_end(struct tx *tx, uint64_t work);
/* Is there room for size more bytes? OK or ERR_QUOTA. */
MUSTUSE enum err tx_quota_check(const struct tx_account *acc, uint64_t size);
/* ERR_DISK_FULL where a message of this size may not be taken any more. */
MUSTUSE enum err tx_disk_check(const struct tx *tx, uint64_t size);
/* Removes one mailbox with all its entries; they are taken apart later, in turns
   (apply_leftover.c). */
MUSTUSE enum err tx_mailbox_drop(struct tx *tx, struct tx_mailbox *m);
/* Removes an account with all that is its own. */
MUSTUSE enum err tx_account_drop(struct tx *tx, uint64_t id);
/* Removes keys, policies and what was found in the name service of a domain. */
MUSTUSE enum err tx_domain_names_drop(struct tx *tx, uint64_t domain_id);
/* Removes the reports on a domain. */
MUSTUSE enum err tx_domain_reports_drop(struct tx *tx, uint64_t domain_id);
/* The file of a private key goes after the commit. */
void tx_drop_key_file(struct tx *tx, struct str file);
/* Adds what was seen to the sums that reports are made of; rows of one domain stand side
   by side. What is over a limit is only counted. */
MUSTUSE enum err tx_count_reports(struct tx *tx, const struct report_count *counts,
                                  size_t count);
/* The other side took a report of ours, or never will; before its queue row goes. */
MUSTUSE enum err tx_report_ended(struct tx *tx, uint64_t queue_id, bool is_delivered,
                                 struct str reason);
/* The id of a domain by its normalised name. */
MUSTUSE enum err tx_domain_id(struct tx *tx, struct str name, uint64_t *id_out);

/* --- the queue, for what is done with its rows elsewhere ----------------------------
 */

/* A row that this client has leased; else ERR_CONFLICT. */
struct tx_leased {
	uint64_t message_id;
	struct str trace_id, rcpt, sender; /* in the batch's arena */
	uint64_t size;
	uint32_t flags; /* enum message_flag */
};
MUSTUSE enum err tx_queue_leased(struct tx *tx, uint64_t id, struct tx_leased *out);
/* Takes it away, and its reference to the message. */
MUSTUSE enum err tx_queue_drop(struct tx *tx, uint64_t id, uint64_t message_id);

/* --- operations: op_<name>_apply -------------------------------------------------------
 */

#define APPLY_WRITE(name, answer)                                                        \
	MUSTUSE enum err op_##name##_apply(struct tx *tx, const struct op_##name *op,    \
	                                   struct answer_##answer *answer_out);
#define APPLY_HASH(name, answer) APPLY_WRITE(name, answer)
#define APPLY_OWN(name, answer)  APPLY_WRITE(name, answer)
#define APPLY_AUTH(name, answer)
#define APPLY_LOOP(name, answer)
#define OP(name, answer, way, by) APPLY_##way(name, answer)
#include "store/ops.def"
#undef OP
#undef APPLY_WRITE
#undef APPLY_HASH
#undef APPLY_OWN
#undef APPLY_AUTH
#undef APPLY_LOOP

/* A claim that was answered before and is asked again: the rows it leased. */
MUSTUSE enum err op_queue_claim_again(struct tx *tx, const struct op_queue_claim *op,
                                      struct answer_queue *answer_out);

#endif
