/* imap_ops.h - what an IMAP session asks the world.
 *
 * A session has one question out at a time. Each op that asks is answered later, never
 * inside the call: the driver fills what the op's *_out points to, then calls
 * imap_session_resume() with the error. *_out, and the arena that came with a question,
 * live until that call; strings and ranges handed to an op live as long. Ops that read
 * many rows hand them over one by one (imap_session_row, imap_session_uid) before they
 * resume, and stop when the session says so: bulk reads are pulled in slices, and a row's
 * text is copied once, into the output.
 *
 * Mailbox names are UTF-8, the hierarchy separator is '/', the inbox is "INBOX". The
 * plain values (mailboxes, entries, flags, ranges of UIDs) are those of store/types.h.
 */
#ifndef IMAP_IMAP_OPS_H
#define IMAP_IMAP_OPS_H

#include "base/arena.h"
#include "base/err.h"
#include "base/str.h"
#include "base/strbuf.h"
#include "store/ops.h"
#include "store/types.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Flags as a client writes them: system flags as bits, keywords by name. */
struct imap_flags {
	uint64_t bits;        /* FLAG_SYSTEM */
	struct str *keywords; /* each once */
	size_t keywords_n;
};

/* A mailbox that is open, or looked at again. */
struct imap_box {
	struct mailbox_info info;
	uint32_t recent_first; /* UIDs from here on are recent; info.uidnext: none */
	uint32_t recent_n;     /* how many of them there are (open only) */
	uint32_t unseen_seq;   /* number of the first unseen one; 0: none, or not known */
	struct keyword *keywords;
	size_t keywords_n;
	/* `store` only: the modseqs of what it changed, ascending */
	const uint64_t *own;
	size_t own_n;
};

/* What a read of rows needs besides struct entry, which always comes. */
enum imap_want {
	IMAP_WANT_ENVELOPE = 1 << 0,
	IMAP_WANT_STRUCTURE = 1 << 1,
	IMAP_WANT_PARTS = 1 << 2,
	IMAP_WANT_FIELDS = 1 << 3,
	IMAP_WANT_BODY = 1 << 4,      /* its bytes */
	IMAP_WANT_BODY_FORM = 1 << 5, /* the structure without extensions */
};

/* One message. All of it is borrowed for the time of the call. */
struct imap_row {
	struct entry entry;
	const struct message_head
		*head;         /* the members that were wanted; NULL: none were */
	struct str body;       /* the whole message; p == NULL: cannot be read */
	uint64_t prior_modseq; /* `store` only: before it, whatever entry.modseq is now */
};

/* Where copied or appended messages went: from[i] became to[i]; from is not filled for
   appended ones. In the arena of the question. to NULL: too many to be told. */
struct imap_copied {
	uint32_t uidvalidity;
	const uint32_t *from, *to;
	size_t n;
};

struct imap_append {
	struct str mailbox;
	struct imap_flags flags;
	bool has_date; /* false: as of now */
	int64_t date_ms;
	uint64_t size;
};

struct imap_boxes {
	const struct mailbox_info *boxes; /* in the arena; id 0: only a subscription */
	size_t n;
};

/* What `changes` is asked for. */
struct imap_since {
	uint64_t rows;      /* entries with a higher modseq … */
	uint32_t after_uid; /* … and a higher UID */
	bool want_gone;
	uint64_t gone;    /* UIDs expunged at a higher modseq */
	bool is_urgent;   /* somebody waits in IDLE: claim recent messages afterwards */
	bool is_readonly; /* claim none */
};

/* What STORE changes. */
struct imap_flagging {
	const struct uid_range *uids;
	size_t n;
	enum flags_mode mode;
	const struct imap_flags *flags;
};

/* What COPY or MOVE takes to which mailbox. */
struct imap_copying {
	const struct uid_range *uids;
	size_t n;
	struct str name;
	bool is_move;
};

struct imap_ops {
	/* --- answered at once, and unable to fail */
	int64_t (*now_ms)(void *arg); /* Unix time */
	/* The session has closed its mailbox: its changes are of no interest any more. */
	void (*left)(void *arg);

	/* --- questions: answered by imap_session_resume */
	/* ERR_AUTH for every wrong login, whether the user exists or not. */
	void (*login)(void *arg, struct str user, struct str password);
	/* With is_readonly the recent messages stay recent for the next session. From now
	   on imap_session_notify is called when the mailbox changes. */
	void (*open)(void *arg, struct str name, bool is_readonly, struct arena *a,
	             struct imap_box *box_out);
	void (*status)(void *arg, struct str name, struct arena *a,
	               struct mailbox_info *info_out);
	void (*boxes)(void *arg, struct arena *a, struct imap_boxes *boxes_out);
	void (*create)(void *arg, struct str name);
	void (*remove)(void *arg, struct str name);
	void (*rename)(void *arg, struct str from, struct str to);
	void (*subscribe)(void *arg, struct str name, bool is_wanted);

	/* --- of the open mailbox */
	/* By imap_session_uid, every UID below uidnext that was there at that modseq:
	   first those that are there now, ascending, then those expunged since. */
	void (*map)(void *arg, uint64_t modseq, uint32_t uidnext);
	/* The rows of these ranges, ascending, by imap_session_row. */
	void (*rows)(void *arg, const struct uid_range *uids, size_t n, unsigned want);
	/* First the mailbox into box_out; then, if its modseq is higher than asked from,
	   what is gone by imap_session_uid and entries (ascending) by imap_session_row. */
	void (*changes)(void *arg, const struct imap_since *since, struct arena *a,
	                struct imap_box *box_out);
	/* `length` bytes of one message by imap_session_bytes, in one piece or several.
	   Less than that: it cannot be read. */
	void (*body)(void *arg, uint32_t uid, uint64_t offset, size_t length);

	/* --- changes: durable when answered */
	/* The entries as they are afterwards come by imap_session_row (uid, flags and
	   modseq only). A large set is changed in turns, others come between them. */
	void (*store)(void *arg, const struct imap_flagging *what, struct arena *a,
	              struct imap_box *box_out);
	/* ERR_NOT_FOUND: no such mailbox. A copy is made of all or of none. A move that
	   fails may have moved some: copied_out has those. Large sets in turns. */
	void (*copy)(void *arg, const struct imap_copying *what, struct arena *a,
	             struct imap_copied *copied_out);
	/* Removes what has \Deleted among these; a large set in turns. */
	void (*expunge)(void *arg, const struct uid_range *uids, size_t n);

	/* --- APPEND: for each message begin, data…, end; then commit; data asks not */
	/* May a message of that size go there? ERR_NOT_FOUND, ERR_QUOTA or
	   ERR_TOO_LARGE. */
	void (*append_begin)(void *arg, const struct imap_append *append);
	/* Takes bytes of the message; an error is kept, and said by append_end. */
	void (*append_data)(void *arg, struct str bytes);
	void (*append_end)(void *arg);
	/* All messages or none. */
	void (*append_commit)(void *arg, struct arena *a, struct imap_copied *copied_out);
	/* Forgets what was begun; not a question. */
	void (*append_abort)(void *arg);
};

#endif
