/* ops_mail.h - operations on messages and mailboxes (what holds for all: ops.h). */
#ifndef STORE_OPS_MAIL_H
#define STORE_OPS_MAIL_H

#include "store/ops_base.h"
#include "store/types.h"

/* A stored body and what was prepared from it: body_finish() of store/body.h fills it. */
struct new_body {
	struct body_ref
		ref; /* segment and offset are the store's to give, with a record */
	struct message_head head;
	uint32_t prefix_len;
	struct str record; /* a small body travels in the operation, as store/segment.h
	                      has it; empty: it lies where ref says */
};

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
   and never for the null sender; in a full queue it alone is left out (DSN_DROPPED). */
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
	int64_t internal_date_ms;
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
	/* entries that one op_flags, op_expunge or MOVE changes at the most, and fewer
	   where they take longer than the limit store_turn … */
	STORE_TURN_ROWS = 1000,
	/* … and a copy, which writes the rows of their messages as well */
	STORE_COPY_ROWS = 500,
	STORE_TURN_ROWS_MIN = 50, /* however long they take */
};
/* STORE. UIDs that do not exist are passed over. Names in keywords that the mailbox has
   not yet get a bit (FLAGS_REMOVE does not make them); ERR_LIMIT at KEYWORDS_MAX. Ends
   after STORE_TURN_ROWS entries at most: each message has its new flags or its old ones,
   and the caller asks again from next_uid on for the others. */
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
   comes after STORE_COPY_ROWS entries at most, for a MOVE STORE_TURN_ROWS, and the caller
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

#endif
