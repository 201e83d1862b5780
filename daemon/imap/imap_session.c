/* imap_session.c - reading commands, and taking them through their stages.
 *
 * Bytes go to the feeder of the phase; a feeder takes what it can use and may change the
 * phase. A whole command goes through begin -> [load] -> run -> [sync] -> finish; each of
 * these can stop at a question (PHASE_WAIT) or a full output (PHASE_MORE) and goes on in
 * resume. A command's memory is given back by finish, whatever way it took.
 */
#include "imap/imap_session.h"

#include "base/mem.h"
#include "base/panic.h"
#include "imap/imap_priv.h"
#include "mail/search.h"

enum {
	TAG_MAX = 256,
	USER_MAX = 512,
	SCRATCH_MAX = 4 * 1024 * 1024, /* header fields of one message */
};

const struct imap_conf imap_conf_default = {
	.hostname = STR_INIT("localhost"),
	.command_max_bytes = 64 * 1024,
	.command_first_max_bytes = 64 * 1024,
	.literal_first_max_bytes = 4 * 1024,
	.append_max_bytes = 50 * 1024 * 1024,
	.bad_max = 20,
	.auth_tries = 3,
	.output_soft_bytes = 128 * 1024,
	.keywords_max = KEYWORDS_MAX,
};

enum {
	ST_NOT = 1 << IMAP_STATE_NOT_AUTH,
	ST_AUTH = 1 << IMAP_STATE_AUTH,
	ST_SEL = 1 << IMAP_STATE_SELECTED,
	ST_IN = ST_AUTH | ST_SEL,
	ST_ANY = ST_NOT | ST_IN,
	SEQ = CMD_UID | CMD_MAP,
};

/* One row per command. What can be decided without the arguments is decided here, so a
   handler begins where its own meaning begins. The more frequent ones come first. */
/* clang-format off */
const struct imap_command imap_commands[] = {
	/* name                      allowed in  flags                    start, resume, row, reply */
	{ STR_INIT("FETCH"),         ST_SEL,  SEQ | CMD_KEEP,             imap_cmd_fetch, imap_fetch_resume, imap_fetch_row, NULL },    /* RFC 3501 6.4.5 */
	{ STR_INIT("STORE"),         ST_SEL,  SEQ | CMD_KEEP | CMD_WRITES, imap_cmd_store, imap_stored, imap_store_row, NULL },         /* RFC 3501 6.4.6 */
	{ STR_INIT("SEARCH"),        ST_SEL,  SEQ | CMD_KEEP,             imap_cmd_search, imap_search_resume, imap_search_row, NULL }, /* RFC 3501 6.4.4 */
	{ STR_INIT("NOOP"),          ST_ANY,  0,                          imap_cmd_noop, NULL, NULL, NULL },                            /* RFC 3501 6.1.2 */
	{ STR_INIT("IDLE"),          ST_IN,   CMD_SILENT,                 imap_cmd_idle, NULL, NULL, imap_idle_reply },                 /* RFC 2177 */
	{ STR_INIT("STATUS"),        ST_IN,   0,                          imap_cmd_status, imap_status_found, NULL, NULL },             /* RFC 3501 6.3.10 */
	{ STR_INIT("SELECT"),        ST_IN,   CMD_SILENT,                 imap_cmd_select, imap_selected, NULL, NULL },                 /* RFC 3501 6.3.1 */
	{ STR_INIT("EXAMINE"),       ST_IN,   CMD_SILENT,                 imap_cmd_examine, imap_selected, NULL, NULL },                /* RFC 3501 6.3.2 */
	{ STR_INIT("APPEND"),        ST_IN,   CMD_MESSAGES,               imap_cmd_append, imap_append_answered, NULL, NULL },          /* RFC 3501 6.3.11 */
	{ STR_INIT("COPY"),          ST_SEL,  SEQ,                        imap_cmd_copy, imap_copied, NULL, NULL },                     /* RFC 3501 6.4.7 */
	{ STR_INIT("MOVE"),          ST_SEL,  SEQ | CMD_WRITES,           imap_cmd_move, imap_copied, NULL, NULL },                     /* RFC 6851 */
	{ STR_INIT("EXPUNGE"),       ST_SEL,  SEQ | CMD_WRITES,           imap_cmd_expunge, imap_expunged, NULL, NULL },                /* RFC 3501 6.4.3, RFC 4315 2.1 */
	{ STR_INIT("CHECK"),         ST_SEL,  0,                          imap_cmd_noop, NULL, NULL, NULL },                            /* RFC 3501 6.4.1 */
	{ STR_INIT("CLOSE"),         ST_SEL,  CMD_SILENT,                 imap_cmd_close, imap_closed, NULL, NULL },                    /* RFC 3501 6.4.2 */
	{ STR_INIT("UNSELECT"),      ST_SEL,  CMD_SILENT,                 imap_cmd_unselect, NULL, NULL, NULL },                        /* RFC 3691 */
	{ STR_INIT("LIST"),          ST_IN,   0,                          imap_cmd_list, imap_boxes_found, NULL, NULL },                /* RFC 3501 6.3.8, RFC 5258 */
	{ STR_INIT("LSUB"),          ST_IN,   0,                          imap_cmd_lsub, imap_boxes_found, NULL, NULL },                /* RFC 3501 6.3.9 */
	{ STR_INIT("CREATE"),        ST_IN,   0,                          imap_cmd_create, imap_box_changed, NULL, NULL },              /* RFC 3501 6.3.3 */
	{ STR_INIT("DELETE"),        ST_IN,   0,                          imap_cmd_delete, imap_box_changed, NULL, NULL },              /* RFC 3501 6.3.4 */
	{ STR_INIT("RENAME"),        ST_IN,   0,                          imap_cmd_rename, imap_box_changed, NULL, NULL },              /* RFC 3501 6.3.5 */
	{ STR_INIT("SUBSCRIBE"),     ST_IN,   0,                          imap_cmd_subscribe, imap_box_changed, NULL, NULL },           /* RFC 3501 6.3.6 */
	{ STR_INIT("UNSUBSCRIBE"),   ST_IN,   0,                          imap_cmd_unsubscribe, imap_box_changed, NULL, NULL },         /* RFC 3501 6.3.7 */
	{ STR_INIT("NAMESPACE"),     ST_IN,   0,                          imap_cmd_namespace, NULL, NULL, NULL },                       /* RFC 2342 5 */
	{ STR_INIT("ENABLE"),        ST_AUTH, 0,                          imap_cmd_enable, NULL, NULL, NULL },                          /* RFC 5161 3.1 */
	{ STR_INIT("CAPABILITY"),    ST_ANY,  0,                          imap_cmd_capability, NULL, NULL, NULL },                      /* RFC 3501 6.1.1 */
	{ STR_INIT("ID"),            ST_ANY,  0,                          imap_cmd_id, NULL, NULL, NULL },                              /* RFC 2971 3.1 */
	{ STR_INIT("LOGOUT"),        ST_ANY,  CMD_SILENT,                 imap_cmd_logout, NULL, NULL, NULL },                          /* RFC 3501 6.1.3 */
	{ STR_INIT("STARTTLS"),      ST_NOT,  0,                          imap_cmd_starttls, NULL, NULL, NULL },                        /* RFC 3501 6.2.1 */
	{ STR_INIT("LOGIN"),         ST_NOT,  CMD_SECRET,                 imap_cmd_login, imap_logged_in, NULL, NULL },                 /* RFC 3501 6.2.3 */
	{ STR_INIT("AUTHENTICATE"),  ST_NOT,  CMD_SECRET,                 imap_cmd_authenticate, imap_logged_in, NULL, imap_authenticate_reply }, /* RFC 3501 6.2.2, RFC 4959 */
	{ STR_INIT(""),              0,       0,                          NULL, NULL, NULL, NULL },
};

static const char *const state_words[] = {
#define STATE(id, word) word,
#include "imap/imap_states.def"
#undef STATE
};

static const enum imap_next next_of[PHASE_COUNT] = {
	[PHASE_LINE] = IMAP_READ, [PHASE_LITERAL] = IMAP_READ, [PHASE_DATA] = IMAP_READ,
	[PHASE_SKIP] = IMAP_READ, [PHASE_REPLY] = IMAP_READ, [PHASE_WAIT] = IMAP_WAIT,
	[PHASE_MORE] = IMAP_MORE, [PHASE_TLS] = IMAP_STARTTLS, [PHASE_CLOSED] = IMAP_CLOSE,
};
/* clang-format on */

enum imap_next
imap_next_of(const struct imap_session *s)
{
	return next_of[s->phase];
}

/* --- a session's life */

struct imap_session *
imap_session_new(const struct imap_conf *conf, const struct imap_ops *ops, void *ops_arg,
                 bool is_secure)
{
	struct imap_session *s = mem_alloc(sizeof(*s));

	s->conf = conf;
	s->ops = ops;
	s->ops_arg = ops_arg;
	s->is_secure = is_secure;
	s->command = strbuf_heap((size_t)conf->command_max_bytes + IMAP_REPLY_MAX);
	s->user_bytes = strbuf_heap(USER_MAX);
	s->keywords = strbuf_heap(0);
	s->scratch = strbuf_heap(SCRATCH_MAX);
	return s;
}

static void
forget_command(struct imap_session *s)
{
	bool is_secret = s->state == IMAP_STATE_NOT_AUTH ||
	                 (s->cmd && (s->cmd->flags & CMD_SECRET));

	if (is_secret && s->command.n > 0)
		explicit_bzero(s->command.p, s->command.n);
	strbuf_release(&s->command);
	strbuf_release(&s->scratch);
	search_free(&s->search);
	arena_free(&s->arena);
	arena_free(&s->sync_arena);
	s->cmd = NULL;
	s->job = NULL;
	s->sync = NULL;
	s->tag = s->code = s->text = (struct str){ 0 };
	s->is_uid = false;
	s->own = NULL;
	s->own_n = 0;
	s->stage = STAGE_READ;
}

void
imap_session_free(struct imap_session **s)
{
	if (!*s)
		return;
	if ((*s)->cmd && ((*s)->cmd->flags & CMD_MESSAGES))
		(*s)->ops->append_abort((*s)->ops_arg);
	forget_command(*s);
	imap_session_leave(*s);
	strbuf_release(&(*s)->user_bytes);
	mem_free(*s);
	*s = NULL;
}

void
imap_session_leave(struct imap_session *s)
{
	if (s->state != IMAP_STATE_SELECTED)
		return;
	s->state = IMAP_STATE_AUTH;
	s->ops->left(s->ops_arg);
	imap_view_fini(&s->view);
	imap_view_fini(&s->recent);
	strbuf_release(&s->keywords);
	s->has_map = s->is_readonly = s->has_news = false;
	s->exists = s->recent_n = s->uid_next = 0;
	s->box_id = 0;
}

void
imap_session_greet(struct imap_session *s, struct strbuf *out)
{
	strbuf_lit(out, "* OK [");
	imap_reply_capability(s, out);
	strbuf_lit(out, "] ");
	strbuf_add(out, s->conf->hostname);
	strbuf_lit(out, " ready\r\n");
}

void
imap_session_secured(struct imap_session *s)
{
	CHECK(s->phase == PHASE_TLS);
	s->is_secure = true;
	s->phase = PHASE_LINE;
	s->line = (struct line_reader){ 0 };
}

void
imap_session_bye(struct imap_session *s, struct str text, struct strbuf *out)
{
	if (s->phase == PHASE_CLOSED)
		return;
	/* What is paused may be in the middle of a literal: the client could not tell
	   words from it. */
	if (s->phase != PHASE_MORE) {
		strbuf_lit(out, "* BYE ");
		strbuf_add(out, text);
		strbuf_lit(out, "\r\n");
	}
	s->phase = PHASE_CLOSED;
}

/* --- the end of a command */

void
imap_finish(struct imap_session *s, struct strbuf *out)
{
	bool is_closing = s->state == IMAP_STATE_LOGOUT;

	imap_reply_tagged(s, out);
	s->bad_in_row = s->result == RESULT_BAD ? s->bad_in_row + 1 : 0;
	forget_command(s);
	s->phase = is_closing ? PHASE_CLOSED : PHASE_LINE;
	if (!is_closing && s->bad_in_row >= s->conf->bad_max) {
		s->fault = ERR_LIMIT;
		imap_session_bye(s, STR("Too many errors"), out);
	}
}

/* The handler is done. Clients that pipeline get what changed with the last command. */
static void
run_done(struct imap_session *s, struct strbuf *out)
{
	bool is_told = s->state == IMAP_STATE_SELECTED && s->cmd &&
	               !(s->cmd->flags & CMD_SILENT) && s->result != RESULT_BAD;

	if (s->stage == STAGE_SYNC || s->stage == STAGE_SYNC_LOAD || !is_told) {
		imap_finish(s, out);
		return;
	}
	s->stage = STAGE_SYNC;
	imap_take_step(s, imap_sync_start(s), out);
}

/* Something changed, and IDLE has told it (or not): the client still idles, and what
   telling took is given back. */
static void
idle_done(struct imap_session *s, struct strbuf *out)
{
	s->stage = STAGE_RUN;
	if (s->state == IMAP_STATE_LOGOUT) {
		s->phase = PHASE_CLOSED;
		return;
	}
	strbuf_release(&s->command);
	arena_free(&s->sync_arena);
	s->sync = NULL;
	s->phase = PHASE_REPLY;
	if (s->has_news && imap_session_notify(s, out) == IMAP_WAIT)
		return;
}

static bool
is_idling(const struct imap_session *s)
{
	return s->cmd && s->cmd->reply == imap_idle_reply && !s->job;
}

void
imap_take_step(struct imap_session *s, enum imap_step step, struct strbuf *out)
{
	static const enum imap_phase phases[] = {
		[STEP_WAIT] = PHASE_WAIT,   [STEP_MORE] = PHASE_MORE,
		[STEP_REPLY] = PHASE_REPLY, [STEP_DATA] = PHASE_DATA,
		[STEP_SKIP] = PHASE_SKIP,   [STEP_LINE] = PHASE_LINE,
	};

	switch (step) {
	case STEP_DONE:
		if (is_idling(s) && s->stage != STAGE_RUN)
			idle_done(s, out);
		else
			run_done(s, out);
		return;
	case STEP_TLS:
		imap_finish(s, out);
		if (s->phase == PHASE_LINE)
			s->phase = PHASE_TLS;
		return;
	case STEP_CLOSE:
		imap_session_leave(s);
		s->state = IMAP_STATE_LOGOUT;
		imap_finish(s, out);
		return;
	case STEP_BREAK:
		forget_command(s);
		s->phase = PHASE_CLOSED;
		return;
	default:
		s->phase = phases[step];
		return;
	}
}

/* --- the beginning of a command */

static bool
is_tag_char(char c)
{
	return (unsigned char)c > 0x20 && (unsigned char)c < 0x7f &&
	       !strchr("(){%*\"\\+", c);
}

static bool
take_tag(struct str *rest, struct str *tag_out)
{
	size_t n = 0;

	while (n < rest->n && is_tag_char(rest->p[n]))
		n++;
	if (n == 0 || n > TAG_MAX || n == rest->n || rest->p[n] != ' ')
		return false;
	*tag_out = str_first(*rest, n);
	*rest = str_from_offset(*rest, n + 1);
	return true;
}

static const struct imap_command *
find_command(struct str name)
{
	const struct imap_command *c = imap_commands;

	for (; c->name.n > 0; c++) {
		if (str_eq_icase(c->name, name))
			return c;
	}
	return NULL;
}

static struct str
take_word(struct str *rest)
{
	size_t n = str_find(*rest, ' ');
	struct str word = str_first(*rest, n == SIZE_MAX ? rest->n : n);

	*rest = str_from_offset(*rest, word.n);
	return word;
}

/* Tag and name, as soon as the first line is there. What is left of the line are the
   arguments, with the space before them. NULL: nothing is wrong; else the words for BAD. */
const char *
imap_identify(struct imap_session *s, struct str *rest)
{
	struct str tag;

	if (!take_tag(rest, &tag))
		return "Malformed tag";
	s->tag = arena_str(s->arena, tag);
	s->cmd = NULL;
	for (int i = 0; i < 2 && !s->cmd; i++) {
		struct str word = take_word(rest);

		if (i == 0 && str_eq_icase(word, STR("UID"))) {
			s->is_uid = true;
			if (!str_skip_byte(rest, ' '))
				return "UID needs a command";
			continue;
		}
		s->cmd = find_command(word);
		break;
	}
	if (!s->cmd)
		return "Unknown command";
	if (s->is_uid && !(s->cmd->flags & CMD_UID))
		return "This command has no UID form";
	return NULL;
}

/* What the table can decide. NULL: go on. */
const char *
imap_refusal(const struct imap_session *s)
{
	if (s->cmd->states & (1U << s->state))
		return NULL;
	if (s->state == IMAP_STATE_NOT_AUTH)
		return "Log in first";
	if (s->state == IMAP_STATE_AUTH)
		return s->cmd->states & ST_SEL ? "Select a mailbox first"
		                               : "Already logged in";
	return s->cmd->states & ST_AUTH ? "Not while a mailbox is selected"
	                                : "Already logged in";
}

struct str
imap_arguments(const struct imap_session *s)
{
	struct str rest = strbuf_str(&s->command);

	/* APPEND has a job while it is still read: what came before was a message. */
	if (s->job)
		return rest;
	/* imap_identify() went this way before. */
	(void)take_word(&rest);
	(void)str_skip_byte(&rest, ' ');
	(void)take_word(&rest);
	if (s->is_uid) {
		(void)str_skip_byte(&rest, ' ');
		(void)take_word(&rest);
	}
	return rest;
}

static void
run(struct imap_session *s, struct strbuf *out)
{
	struct imap_args args = imap_args_make(imap_arguments(s), s->arena);

	s->stage = STAGE_RUN;
	imap_take_step(s, s->cmd->start(s, &args, out), out);
}

/* A whole command is there. */
void
imap_begin(struct imap_session *s, struct strbuf *out)
{
	struct str rest = strbuf_str(&s->command);
	const char *wrong = NULL;

	/* APPEND was identified at its first literal. */
	if (!s->cmd)
		wrong = imap_identify(s, &rest);
	if (!wrong)
		wrong = imap_refusal(s);
	if (wrong) {
		(void)imap_bad(s, str_from(wrong));
		imap_finish(s, out);
		return;
	}
	if ((s->cmd->flags & CMD_WRITES) && s->is_readonly) {
		(void)imap_no(s, STR("READ-ONLY"),
		              STR("The mailbox was opened read-only"));
		imap_finish(s, out);
		return;
	}
	if ((s->cmd->flags & CMD_MAP) && !s->has_map) {
		s->stage = STAGE_LOAD;
		imap_take_step(s, imap_load_start(s), out);
		return;
	}
	run(s, out);
}

/* --- going on */

static void
go_on(struct imap_session *s, enum err answer, struct strbuf *out)
{
	enum imap_step step;

	switch (s->stage) {
	case STAGE_LOAD:
		step = imap_load_resume(s, answer);
		if (s->has_map)
			run(s, out);
		else
			imap_take_step(s, step, out);
		return;
	case STAGE_SYNC:
	case STAGE_SYNC_LOAD:
		imap_take_step(s, imap_sync_resume(s, answer, out), out);
		return;
	case STAGE_READ:
	case STAGE_RUN:
		CHECK(s->cmd && s->cmd->resume);
		imap_take_step(s, s->cmd->resume(s, answer, out), out);
		return;
	}
}

enum imap_next
imap_session_resume(struct imap_session *s, enum err answer, struct strbuf *out)
{
	/* A goodbye may have come between question and answer. */
	if (s->phase == PHASE_CLOSED)
		return IMAP_CLOSE;
	CHECK(s->phase == PHASE_WAIT);
	go_on(s, answer, out);
	return imap_next_of(s);
}

enum imap_next
imap_session_drained(struct imap_session *s, struct strbuf *out)
{
	if (s->phase == PHASE_MORE)
		go_on(s, OK, out);
	return imap_next_of(s);
}

enum imap_next
imap_session_notify(struct imap_session *s, struct strbuf *out)
{
	(void)out;
	s->has_news = true;
	if (s->phase == PHASE_REPLY && is_idling(s) && s->state == IMAP_STATE_SELECTED) {
		enum imap_step step = imap_sync_start(s);

		s->stage = STAGE_SYNC;
		CHECK(step == STEP_WAIT);
		s->phase = PHASE_WAIT;
	}
	return imap_next_of(s);
}

bool
imap_session_row(struct imap_session *s, const struct imap_row *row, struct strbuf *out)
{
	if (s->phase != PHASE_WAIT)
		return false;
	if (s->stage == STAGE_SYNC)
		return imap_sync_row(s, row, out);
	CHECK(s->stage == STAGE_RUN && s->cmd && s->cmd->row);
	return s->cmd->row(s, row, out);
}

void
imap_session_uid(struct imap_session *s, uint32_t uid)
{
	if (s->phase != PHASE_WAIT)
		return;
	if (s->stage == STAGE_SYNC)
		imap_sync_uid(s, uid);
	else
		imap_load_uid(s, uid);
}

void
imap_session_bytes(struct imap_session *s, struct str bytes, struct strbuf *out)
{
	if (s->phase != PHASE_WAIT)
		return;
	CHECK(s->stage == STAGE_RUN && s->cmd && s->cmd->row == imap_fetch_row);
	imap_fetch_bytes(s, bytes, out);
}

/* --- looking at it */

enum imap_state
imap_session_state(const struct imap_session *s)
{
	return s->state;
}

const char *
imap_state_word(enum imap_state state)
{
	return state_words[state];
}

bool
imap_session_is_waiting(const struct imap_session *s)
{
	return s->phase == PHASE_WAIT;
}

bool
imap_session_is_at_rest(const struct imap_session *s)
{
	return (s->phase == PHASE_LINE && s->command.n == 0 && !s->arena) ||
	       (s->phase == PHASE_REPLY && is_idling(s)) || s->phase == PHASE_CLOSED;
}

struct str
imap_session_user(const struct imap_session *s)
{
	if (s->state == IMAP_STATE_NOT_AUTH)
		return (struct str){ NULL, 0 };
	return strbuf_str(&s->user_bytes);
}

const char *
imap_session_command(const struct imap_session *s)
{
	return s->cmd ? s->cmd->name.p : "";
}

enum err
imap_session_fault(const struct imap_session *s)
{
	return s->fault;
}

void
imap_session_check(const struct imap_session *s)
{
	imap_view_check(&s->view);
	imap_view_check(&s->recent);
	CHECK(s->phase < PHASE_COUNT && s->state < IMAP_STATE_COUNT);
	CHECK(s->since_gone <= s->since_rows);
	CHECK(!s->has_map || s->exists == s->view.count);
	CHECK(s->has_map || s->since_gone == s->since_rows ||
	      s->state != IMAP_STATE_SELECTED);
	/* What belongs to a mailbox goes with it. */
	CHECK(s->state == IMAP_STATE_SELECTED ||
	      (!s->view.runs && !s->recent.runs && !s->keywords.cap));
	CHECK(s->phase != PHASE_LINE || s->command.n > 0 || s->arena == NULL || s->cmd);
	CHECK(s->literal_left == 0 || s->phase == PHASE_LITERAL ||
	      s->phase == PHASE_DATA || s->phase == PHASE_SKIP ||
	      s->phase == PHASE_WAIT || s->phase == PHASE_CLOSED);
}
