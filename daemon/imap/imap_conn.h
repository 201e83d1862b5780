/* imap_conn.h - one IMAP connection of a server process, for the files that make it work.
 *
 * A question of the session is kept in `question`; ask() defers a step, steps read (in
 * slices) or wait for the store, and imap_conn_answer ends it.
 */
#ifndef IMAP_IMAP_CONN_H
#define IMAP_IMAP_CONN_H

#include "base/panic.h"
#include "imap/imap_server_conn.h"
#include "imap/imap_session.h"
#include "io/served.h"
#include "store/feed.h"

enum {
	IMAP_CONN_MAGIC = 0x494d4150,
	IMAP_SCRATCH_ROWS = 4096,
	IMAP_SLICE_US = 5000, /* of reading, before others have their turn */
};

/* What of the configuration a connection follows, from its beginning to its end. */
struct imap_settings {
	unsigned refs;
	struct arena *arena; /* this struct lies in it */
	struct conf_nets plaintext_auth;
	struct imap_conf session; /* has_… are the connection's own */
	struct stream_limits stream;
	int64_t login_ms, idle_ms;
	uint64_t message_max_bytes;
};

struct imap_server {
	struct imap_server_parts parts;
	struct imap_settings *settings;
	struct served_all conns;
	struct link undos; /* struct imap_undo */
	struct link kept;  /* struct imap_conn with a large body, longest unused first */
	unsigned kept_n;
	struct timer kept_timer;
	struct entry *entries; /* IMAP_SCRATCH_ROWS, for one slice */
	uint32_t *uids;        /* the same */
};

/* The question that is out. What a step needs of it; borrowed from the session. */
struct imap_question {
	loop_fn *step; /* NULL: none, or the store is asked */
	uint64_t call; /* of the store */
	struct arena *arena;
	struct str name, to;
	bool is_readonly;
	struct imap_box *box;
	struct mailbox_info *info;
	struct imap_boxes *boxes;
	struct imap_copied *copied;
	const struct uid_range *uids;
	size_t uids_n, at; /* ranges, and the one to read next */
	uint32_t next_uid; /* where a slice inside a range goes on */
	unsigned want;
	uint64_t modseq;
	uint32_t uidnext;
	const struct imap_since *since;
	uint64_t offset;
	size_t length;
	const struct imap_append *append;
	bool is_move, was_claimed;
	/* COPY and MOVE, and RENAME of INBOX, which moves */
	uint64_t from_id, to_id; /* mailboxes */
	uint64_t work;           /* of a copy; 0: nothing is done yet */
	struct uid_range all;    /* of INBOX */
	struct strbuf from_uids, to_uids;
	struct imap_undo *undo;
	bool wants_room; /* the step waits until the output is drained */
	/* STORE */
	enum flags_mode mode;
	const struct imap_flags *flags;
	struct strbuf own; /* uint64_t[] */
	enum err error;
};

struct imap_writers;

struct imap_conn {
	uint32_t magic;
	struct served served;
	struct imap_server *server;
	struct imap_settings *settings;
	struct imap_conf conf;
	struct imap_session *session;

	uint64_t account_id;
	struct strbuf address; /* of the account; heap */
	struct feed *feed;     /* while a mailbox is open */
	uint64_t box_id;

	struct imap_question q;
	/* the body that is sent in pieces, or is large; NULL with a UID: cannot be read */
	struct body *body;
	uint32_t body_uid;
	int64_t body_until_us;        /* how long it is kept between two commands */
	struct link kept;             /* while it is */
	struct body_reading *reading; /* on a thread; then reading_step */
	loop_fn *reading_step;
	uint32_t reading_uid, moved_uid;
	struct imap_writers *writers; /* of APPEND */
};

/* Ends the question. */
void imap_conn_answer(struct imap_conn *c, enum err e);
/* A question begins: its first step comes soon. Clears q. */
struct imap_question *imap_conn_ask(struct imap_conn *c, loop_fn *step);
/* The next step of the same question. */
void imap_conn_step(struct imap_conn *c, loop_fn *step);
/* The same, once the client has taken what is written for it. */
void imap_conn_step_with_room(struct imap_conn *c, loop_fn *step);
struct strbuf *imap_conn_output(struct imap_conn *c);
static inline struct imap_conn *
imap_conn_of(void *arg)
{
	return CAST(imap_conn, IMAP_CONN_MAGIC, arg);
}
static inline struct reader *
imap_reader(const struct imap_conn *c)
{
	return c->server->parts.reader;
}
/* The connection is the account's. ERR_LIMIT, ERR_BUSY: as limiter_know. */
MUSTUSE enum err imap_conn_enter(struct imap_conn *c, uint64_t account_id,
                                 struct str address);

extern const struct imap_ops imap_conn_ops;

/* --- imap_box_conn.c */
void imap_ask_open(void *arg, struct str name, bool is_readonly, struct arena *a,
                   struct imap_box *box_out);
void imap_ask_status(void *arg, struct str name, struct arena *a,
                     struct mailbox_info *info_out);
void imap_ask_boxes(void *arg, struct arena *a, struct imap_boxes *boxes_out);
void imap_box_left(void *arg);
/* The names of the mailbox's keywords into box. */
MUSTUSE enum err imap_read_keywords(struct imap_conn *c, struct arena *a,
                                    struct imap_box *box);
/* The recent messages become this session's, as a step of a question. */
void imap_take_recent(struct imap_conn *c, store_recent_fn *done);

/* --- imap_read_conn.c */
void imap_ask_map(void *arg, uint64_t modseq, uint32_t uidnext);
void imap_ask_rows(void *arg, const struct uid_range *uids, size_t n, unsigned want);
void imap_ask_changes(void *arg, const struct imap_since *since, struct arena *a,
                      struct imap_box *box_out);

/* --- imap_body_conn.c */
void imap_ask_body(void *arg, uint32_t uid, uint64_t offset, size_t length);
/* Reads the body of that message on a thread; then comes step, with c->body (NULL: it
   cannot be had) and its UID. */
void imap_body_read(struct imap_conn *c, uint32_t uid, const struct body_ref *ref,
                    loop_fn *step);
/* The bytes of c->body, p NULL where there is none. */
struct str imap_body_use(struct imap_conn *c);
/* A command begins: what is kept stays until it is over. */
void imap_body_hold(struct imap_conn *c);
/* It is over: a large body that was just used is kept for a while, others go. */
void imap_body_keep(struct imap_conn *c);
void imap_body_forget(struct imap_conn *c);
/* The time of the first one is up; arg is the server. */
void imap_body_expire(void *arg);

/* --- imap_write_conn.c */
void imap_ask_login(void *arg, struct str user, struct str password);
void imap_ask_create(void *arg, struct str name);
void imap_ask_remove(void *arg, struct str name);
void imap_ask_rename(void *arg, struct str from, struct str to);
void imap_ask_subscribe(void *arg, struct str name, bool is_wanted);
void imap_ask_store(void *arg, const struct imap_flagging *what, struct arena *a,
                    struct imap_box *box_out);
void imap_ask_copy(void *arg, const struct imap_copying *what, struct arena *a,
                   struct imap_copied *copied_out);
void imap_ask_expunge(void *arg, const struct uid_range *uids, size_t n);

/* --- imap_undo.c */
/* Takes out again what a COPY or APPEND has done in its first turns; done (NULL: nobody
   waits) is called when it is out. On its own from then on: a connection that ends first
   forgets. */
typedef void imap_undone_fn(struct imap_conn *c);
struct imap_undo *imap_undo_new(struct imap_server *s, uint64_t work,
                                imap_undone_fn *done, struct imap_conn *c);
/* A number for the work. */
static inline uint64_t
imap_work_new(void)
{
	return random_u64() | 1;
}
void imap_undo_forget(struct imap_undo **u);
/* All of a server that ends. */
void imap_undo_stop(struct imap_server *s);

/* --- imap_append_conn.c */
void imap_ask_append_begin(void *arg, const struct imap_append *append);
void imap_append_data(void *arg, struct str bytes);
void imap_ask_append_end(void *arg);
void imap_ask_append_commit(void *arg, struct arena *a, struct imap_copied *copied_out);
void imap_append_abort(void *arg);

#endif
