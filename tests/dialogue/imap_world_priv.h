/* imap_world_priv.h - the world of imap_world.h, inside: what it stores (imap_world.c),
 * and the questions it is asked (imap_world_ops.c). */
#ifndef TESTS_DIALOGUE_IMAP_WORLD_PRIV_H
#define TESTS_DIALOGUE_IMAP_WORLD_PRIV_H

#include "tests/dialogue/imap_world.h"

#define IMAP_WORLD_NOW_MS INT64_C(1764000000000) /* 24 Nov 2025 16:00 */

enum {
	BOXES_MAX = 16,
	MESSAGES_MAX = 32, /* of one mailbox */
	KEYWORDS = 8,
	APPENDS_MAX = 8,
	MESSAGE_MAX = 1 << 20,
	NAME_MAX_BYTES = 1024,
	QUOTA_BYTES = 4 << 20,
};

struct stored {
	uint32_t uid;
	uint64_t flags, modseq;
	int64_t date_ms;
	struct strbuf bytes;
	struct arena *arena;
	struct message_head head;
	bool is_damaged;
};

struct gone {
	uint32_t uid;
	uint64_t modseq;
};

struct box {
	struct mailbox_info info; /* id 0: a free place */
	struct strbuf name;
	struct stored messages[MESSAGES_MAX];
	size_t n;
	struct gone gone[4 * MESSAGES_MAX];
	size_t gone_n;
	struct strbuf keywords[KEYWORDS];
	size_t keywords_n;
};

struct incoming {
	struct strbuf bytes;
	uint64_t flags;
	int64_t date_ms;
};

typedef enum err answer_fn(struct imap_world *w, struct strbuf *out);

struct question {
	answer_fn *answer; /* NULL: none */
	struct str name, to;
	bool is_wanted;
	struct arena *arena;
	struct imap_box *box;
	struct mailbox_info *info;
	struct imap_boxes *boxes;
	struct imap_copied *copied;
	const struct uid_range *uids;
	size_t n;
	unsigned want;
	uint64_t modseq, offset;
	uint32_t uid;
	size_t length;
	const struct imap_since *since;
	enum flags_mode mode;
	const struct imap_flags *flags;
	const struct imap_append *append;
};

struct imap_world {
	struct imap_session *session;
	struct box boxes[BOXES_MAX];
	struct box *open;
	uint64_t next_id;
	uint32_t next_validity;
	struct question q;
	enum err fail_next;
	struct incoming appends[APPENDS_MAX];
	size_t appends_n;
	struct box *append_to;
};

/* Answers to the questions of struct imap_ops, each to its own. */
answer_fn imap_world_answer_login;
answer_fn imap_world_answer_open;
answer_fn imap_world_answer_status;
answer_fn imap_world_answer_boxes;
answer_fn imap_world_answer_create;
answer_fn imap_world_answer_remove;
answer_fn imap_world_answer_rename;
answer_fn imap_world_answer_subscribe;
answer_fn imap_world_answer_map;
answer_fn imap_world_answer_rows;
answer_fn imap_world_answer_changes;
answer_fn imap_world_answer_body;
answer_fn imap_world_answer_store;
answer_fn imap_world_answer_copy;
answer_fn imap_world_answer_expunge;
answer_fn imap_world_answer_append_begin;
answer_fn imap_world_answer_append_end;
answer_fn imap_world_answer_append_commit;
void imap_world_abort(void *arg);

#endif
