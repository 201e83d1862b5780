/* imap_priv.h - what the files of this folder share: the session, its commands, replies.
 *
 * A command runs through stages. Its bytes are read (literals and all), the dispatcher
 * (imap_session.c) decides what can be decided without arguments, the map of sequence
 * numbers is loaded where the command needs it (imap_sync.c), the handler runs (cmd_*.c),
 * what other sessions changed is told (imap_sync.c), and the tagged reply goes out.
 */
#ifndef IMAP_IMAP_PRIV_H
#define IMAP_IMAP_PRIV_H

#include "base/arena.h"
#include "base/line.h"
#include "imap/imap_args.h"
#include "imap/imap_session.h"
#include "imap/imap_set.h"
#include "imap/imap_view.h"

/* What the bytes that come next are. */
enum imap_phase {
	PHASE_LINE,    /* a command's line, or what follows one of its literals */
	PHASE_LITERAL, /* a literal's bytes, into the command */
	PHASE_DATA,    /* a message's bytes, for append_data */
	PHASE_SKIP,    /* a refused message's bytes */
	PHASE_REPLY,   /* a line for the command at work: SASL, DONE */
	PHASE_WAIT,    /* none: a question is out */
	PHASE_MORE,    /* none: the output must drain */
	PHASE_TLS,     /* none: the handshake */
	PHASE_CLOSED,  /* none any more */
	PHASE_COUNT
};

/* What an answer or a row belongs to. */
enum imap_stage {
	STAGE_READ,      /* no question was asked yet, but APPEND's */
	STAGE_LOAD,      /* the map for the command */
	STAGE_RUN,       /* the command's own */
	STAGE_SYNC,      /* what changed */
	STAGE_SYNC_LOAD, /* the map, which telling what changed turned out to need */
};

/* What a handler says. */
enum imap_step {
	STEP_DONE,    /* finished: imap_ok, imap_no, imap_bad were called */
	STEP_WAIT,    /* a question is out */
	STEP_MORE,    /* the output is full: resume me with OK when it is empty */
	STEP_REPLY,   /* the next line goes to row->reply */
	STEP_DATA,    /* the literal's bytes are a message */
	STEP_SKIP,    /* the literal's bytes are dropped */
	STEP_LITERAL, /* the literal's bytes belong to the command */
	STEP_LINE,    /* go on reading the command */
	STEP_TLS,     /* tagged reply, then TLS */
	STEP_CLOSE,   /* tagged reply, then the end */
	STEP_BREAK,   /* the end, in the middle of a literal: without a word */
};

/* How a command ends. */
enum imap_result {
	RESULT_OK,
	RESULT_NO,
	RESULT_BAD,
};

/* Columns of the command table. */
enum {
	CMD_UID = 1 << 0,      /* may stand behind UID */
	CMD_UID_ONLY = 1 << 1, /* must */
	CMD_MAP = 1 << 2,      /* needs the map of sequence numbers */
	CMD_KEEP = 1 << 3,     /* no EXPUNGE may be told at its end (RFC 3501 7.4.1) */
	CMD_SILENT = 1 << 4,   /* nothing is told at its end */
	CMD_WRITES = 1 << 5,   /* not in a mailbox that was EXAMINEd */
	CMD_SECRET = 1 << 6,   /* its bytes are wiped */
	CMD_MESSAGES = 1 << 7, /* its literals may be messages */
};

typedef enum imap_step imap_start_fn(struct imap_session *s, struct imap_args *args,
                                     struct strbuf *out);
typedef enum imap_step imap_resume_fn(struct imap_session *s, enum err answer,
                                      struct strbuf *out);
typedef bool imap_row_fn(struct imap_session *s, const struct imap_row *row,
                         struct strbuf *out);
typedef enum imap_step imap_reply_fn(struct imap_session *s, struct str line,
                                     struct strbuf *out);

struct imap_command {
	struct str name;
	unsigned states; /* bits 1 << IMAP_STATE_… */
	unsigned flags;  /* CMD_… */
	imap_start_fn *start;
	imap_resume_fn *resume; /* the answer, or OK after STEP_MORE */
	imap_row_fn *row;
	imap_reply_fn *reply;
};

struct imap_sync;
struct search;

struct imap_session {
	const struct imap_conf *conf;
	const struct imap_ops *ops;
	void *ops_arg;

	enum imap_state state;
	enum imap_phase phase;
	enum imap_stage stage;
	bool is_secure;
	struct str user; /* in user_bytes */
	struct strbuf user_bytes;
	uint32_t bad_in_row, auth_failures;
	enum err fault; /* why we end it; OK: we do not, or not for that */

	/* the command at work, or being read */
	struct line_reader line;
	struct strbuf command; /* its bytes; heap */
	struct arena *arena;   /* NULL between commands */
	struct str tag;        /* empty: none (yet) */
	const struct imap_command *cmd;
	bool is_uid;
	bool is_nonsync; /* the last literal was announced with '+' */
	uint64_t literal_left;
	void *job;                            /* the handler's, in the arena */
	struct search *search;                /* of one large message, under way … */
	const void *search_body, *search_key; /* … namely of this one */
	size_t search_looked;                 /* bytes, in this turn */
	struct strbuf scratch; /* heap; for what goes out after its length */
	enum imap_result result;
	struct str code, text;

	/* the open mailbox */
	uint64_t box_id;
	bool is_readonly;
	bool has_news; /* the feed says it changed since the last look */
	uint32_t uid_validity, uid_next, exists;
	uint64_t since_rows, since_gone; /* modseqs up to which the client knows */
	const uint64_t *own; /* modseqs of changes that this command told itself */
	size_t own_n;
	bool has_map;
	struct imap_view view;   /* with has_map */
	struct imap_view recent; /* UIDs that are \Recent here */
	uint32_t recent_n;
	struct strbuf keywords; /* heap: bit, length, name; again and again */
	struct imap_sync *sync; /* in its arena */
	struct arena *sync_arena;
};

enum {
	IMAP_REPLY_MAX = 16 * 1024, /* bytes of a SASL response */
};

/* --- imap_session.c */
/* Tag and name, as soon as the first line is there; *rest moves behind them. NULL, or the
   words for BAD. */
const char *imap_identify(struct imap_session *s, struct str *rest);
/* Why the table does not let the command run now; NULL: it does. */
const char *imap_refusal(const struct imap_session *s);
/* What stands behind the command's name. */
struct str imap_arguments(const struct imap_session *s);
/* A whole command is there. */
void imap_begin(struct imap_session *s, struct strbuf *out);
void imap_take_step(struct imap_session *s, enum imap_step step, struct strbuf *out);
/* The tagged reply, and all memory of the command back. */
void imap_finish(struct imap_session *s, struct strbuf *out);
enum imap_next imap_next_of(const struct imap_session *s);
extern const struct imap_command imap_commands[];
/* Leaves the mailbox: SELECTED -> AUTH. */
void imap_session_leave(struct imap_session *s);
/* Room for ordinary rows is up: pause. */
static inline bool
imap_is_full(const struct imap_session *s, const struct strbuf *out)
{
	return out->n >= s->conf->output_soft_bytes;
}

/* --- imap_reply.c: how a command ends. Each returns STEP_DONE. */
/* code without its brackets, or empty; text empty: "<NAME> completed". */
enum imap_step imap_ok(struct imap_session *s, struct str code, struct str text);
enum imap_step imap_no(struct imap_session *s, struct str code, struct str text);
enum imap_step imap_bad(struct imap_session *s, struct str text);
/* BAD with what args says was wrong. */
enum imap_step imap_bad_args(struct imap_session *s, const struct imap_args *args);
/* NO, with the code that RFC 5530 has for e. */
enum imap_step imap_error(struct imap_session *s, enum err e);
/* OK or imap_error. */
enum imap_step imap_answer(struct imap_session *s, enum err e);
void imap_reply_tagged(struct imap_session *s, struct strbuf *out);
void imap_reply_capability(const struct imap_session *s, struct strbuf *out);
/* "(\Seen word)" */
void imap_reply_flags(const struct imap_session *s, uint64_t flags, bool is_recent,
                      struct strbuf *out);
/* "* FLAGS" and PERMANENTFLAGS */
void imap_reply_known_flags(const struct imap_session *s, struct strbuf *out);
/* Takes over the names; true where they differ from those known before. */
bool imap_keywords_set(struct imap_session *s, const struct keyword *keywords, size_t n);
/* The bit of that name (without case); 0: unknown. */
uint64_t imap_keyword_bit(const struct imap_session *s, struct str wanted);

/* --- imap_sync.c */
/* What has changed since the client was told last; then the command ends (or IDLE goes
   on). Returns what the dispatcher's steps are. */
enum imap_step imap_sync_start(struct imap_session *s);
enum imap_step imap_sync_resume(struct imap_session *s, enum err answer,
                                struct strbuf *out);
bool imap_sync_row(struct imap_session *s, const struct imap_row *row,
                   struct strbuf *out);
void imap_sync_uid(struct imap_session *s, uint32_t uid);
enum imap_step imap_load_start(struct imap_session *s);
enum imap_step imap_load_resume(struct imap_session *s, enum err answer);
void imap_load_uid(struct imap_session *s, uint32_t uid);
bool imap_is_recent(const struct imap_session *s, uint32_t uid);

/* --- what several commands do */
/* The part of a set behind that UID, in place: where a read in slices goes on. */
void imap_set_skip_to(struct imap_set *set, uint32_t last_uid);
/* A message set argument made UIDs that are in the view: sequence numbers, or UIDs with
   is_uid. False: BAD was said (a number that no message has). */
MUSTUSE bool imap_take_messages(struct imap_session *s, struct imap_args *args,
                                bool is_uid, struct imap_set *uids_out);

/* --- cmd_*.c */
#define IMAP_START(name)                                                                 \
	enum imap_step name(struct imap_session *s, struct imap_args *args,              \
	                    struct strbuf *out)
#define IMAP_RESUME(name)                                                                \
	enum imap_step name(struct imap_session *s, enum err answer, struct strbuf *out)
#define IMAP_ROW(name)                                                                   \
	bool name(struct imap_session *s, const struct imap_row *row, struct strbuf *out)
#define IMAP_REPLY(name)                                                                 \
	enum imap_step name(struct imap_session *s, struct str line, struct strbuf *out)

IMAP_START(imap_cmd_capability);
IMAP_START(imap_cmd_noop);
IMAP_START(imap_cmd_id);
IMAP_START(imap_cmd_logout);
IMAP_START(imap_cmd_enable);
IMAP_START(imap_cmd_namespace);
IMAP_START(imap_cmd_starttls);
IMAP_START(imap_cmd_login);
IMAP_START(imap_cmd_authenticate);
IMAP_REPLY(imap_authenticate_reply);
IMAP_RESUME(imap_logged_in);
IMAP_START(imap_cmd_select);
IMAP_START(imap_cmd_examine);
IMAP_RESUME(imap_selected);
IMAP_START(imap_cmd_unselect);
IMAP_START(imap_cmd_close);
IMAP_RESUME(imap_closed);
IMAP_START(imap_cmd_status);
IMAP_RESUME(imap_status_found);
IMAP_START(imap_cmd_create);
IMAP_START(imap_cmd_delete);
IMAP_START(imap_cmd_rename);
IMAP_START(imap_cmd_subscribe);
IMAP_START(imap_cmd_unsubscribe);
IMAP_RESUME(imap_box_changed);
IMAP_START(imap_cmd_list);
IMAP_START(imap_cmd_lsub);
IMAP_RESUME(imap_boxes_found);
IMAP_START(imap_cmd_append);
IMAP_RESUME(imap_append_answered);
/* APPEND's literal is announced: `args` is what came before it. */
enum imap_step imap_append_literal(struct imap_session *s, struct imap_args *args,
                                   uint64_t size, struct strbuf *out);
/* ... its next bytes, and then its end. */
void imap_append_bytes(struct imap_session *s, struct str bytes);
enum imap_step imap_append_ended(struct imap_session *s);
IMAP_START(imap_cmd_expunge);
IMAP_RESUME(imap_expunged);
IMAP_START(imap_cmd_search);
IMAP_RESUME(imap_search_resume);
IMAP_ROW(imap_search_row);
IMAP_START(imap_cmd_fetch);
IMAP_RESUME(imap_fetch_resume);
IMAP_ROW(imap_fetch_row);
void imap_fetch_bytes(struct imap_session *s, struct str bytes, struct strbuf *out);
IMAP_START(imap_cmd_store);
IMAP_RESUME(imap_stored);
IMAP_ROW(imap_store_row);
IMAP_START(imap_cmd_copy);
IMAP_START(imap_cmd_move);
IMAP_RESUME(imap_copied);
IMAP_START(imap_cmd_idle);
IMAP_REPLY(imap_idle_reply);

/* Appends what STATUS says of a mailbox; items are bits. */
enum imap_status_item {
	STATUS_MESSAGES = 1 << 0,
	STATUS_RECENT = 1 << 1,
	STATUS_UIDNEXT = 1 << 2,
	STATUS_UIDVALIDITY = 1 << 3,
	STATUS_UNSEEN = 1 << 4,
	STATUS_SIZE = 1 << 5,
	STATUS_DELETED = 1 << 6,
};
MUSTUSE bool imap_take_status_items(struct imap_args *args, unsigned *items_out);
void imap_reply_status(const struct mailbox_info *info, unsigned items,
                       struct strbuf *out);

#endif
