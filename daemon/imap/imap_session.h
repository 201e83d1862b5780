/* imap_session.h - one IMAP dialogue, without any I/O.
 *
 * A session is fed bytes as they come and appends its replies to a buffer. It knows no
 * socket, clock or store: what it must ask goes out through struct imap_ops
 * (imap_ops.h), one question at a time, and comes back through imap_session_resume().
 *
 * Between two commands a session holds no memory but its struct, the map of sequence
 * numbers once a command needed it (one range for each run of UIDs), and the mailbox's
 * keywords; a command's bytes and results live in an arena that goes with it.
 *
 * Owns: the above. Borrows: conf, ops and their argument, which outlive it.
 * Follows: RFC 3501, RFC 7888 (LITERAL+), RFC 4959 (SASL-IR), RFC 4315 (UIDPLUS),
 * RFC 2177 (IDLE), RFC 2342, RFC 2971, RFC 3691, RFC 3348, RFC 6154, RFC 5258, RFC 5819,
 * RFC 5161, RFC 6851, RFC 3502, RFC 4731, RFC 5032, RFC 5530, RFC 7889, RFC 8438.
 */
#ifndef IMAP_IMAP_SESSION_H
#define IMAP_IMAP_SESSION_H

#include "base/macros.h"
#include "base/str.h"
#include "base/strbuf.h"
#include "imap/imap_ops.h"

/* What the caller does next. Replies in the buffer are always flushed first. */
enum imap_next {
	IMAP_READ,     /* feed what comes */
	IMAP_WAIT,     /* a question is out; feed nothing until it is resumed */
	IMAP_MORE,     /* the buffer is full; imap_session_drained() when it is empty */
	IMAP_STARTTLS, /* drop unread input, shake hands, then imap_session_secured() */
	IMAP_CLOSE,    /* close the connection */
};

enum imap_state {
#define STATE(id, word) IMAP_STATE_##id,
#include "imap/imap_states.def"
#undef STATE
	IMAP_STATE_COUNT
};

/* Limits and facts; all borrowed, the same for many sessions. */
struct imap_conf {
	struct str hostname;
	bool has_starttls;                /* TLS can be had on this connection */
	bool has_plaintext_auth;          /* this client may log in without TLS */
	uint32_t command_max_bytes;       /* one command after login, without messages */
	uint32_t command_first_max_bytes; /* before login */
	uint32_t literal_first_max_bytes; /* before login */
	uint64_t append_max_bytes;        /* one message */
	uint32_t bad_max;                 /* unknown or malformed commands in a row */
	uint32_t auth_tries;              /* failed logins */
	uint32_t output_soft_bytes;       /* where a long answer pauses */
	uint32_t keywords_max;            /* different ones in one mailbox */
};

/* The limits of the product, for tests and as the schema's defaults. */
extern const struct imap_conf imap_conf_default;

struct imap_session;

/* is_secure: the connection is encrypted from its first byte on. */
struct imap_session *imap_session_new(const struct imap_conf *conf,
                                      const struct imap_ops *ops, void *ops_arg,
                                      bool is_secure);
void imap_session_free(struct imap_session **s);

/* The greeting; once, first. */
void imap_session_greet(struct imap_session *s, struct strbuf *out);
/* Takes bytes off `in` (all that is unconsumed) and says how many. Not all are consumed
   when a question is out or the buffer is full; less than a line is left with the
   caller until more comes. */
MUSTUSE enum imap_next imap_session_input(struct imap_session *s, struct str in,
                                          size_t *used_out, struct strbuf *out);
/* The answer to the question that is out; panics if none is. */
MUSTUSE enum imap_next imap_session_resume(struct imap_session *s, enum err answer,
                                           struct strbuf *out);
/* After IMAP_MORE: there is room again. */
MUSTUSE enum imap_next imap_session_drained(struct imap_session *s, struct strbuf *out);
/* TLS is up: the session begins anew, without a greeting (RFC 3501 6.2.1). */
void imap_session_secured(struct imap_session *s);
/* The open mailbox changed. Harmless at any time; answers IMAP_READ or IMAP_WAIT where it
   is called while the session reads, and may then be in the middle of a command. */
MUSTUSE enum imap_next imap_session_notify(struct imap_session *s, struct strbuf *out);
/* Says goodbye ("Server shutting down"), but not while output is paused (IMAP_MORE);
   close after it. */
void imap_session_bye(struct imap_session *s, struct str text, struct strbuf *out);

/* --- answers in many parts, before imap_session_resume */
/* One row. False: no more of them now, resume. */
MUSTUSE bool imap_session_row(struct imap_session *s, const struct imap_row *row,
                              struct strbuf *out);
/* One UID of `map`, or one that `changes` found gone. */
void imap_session_uid(struct imap_session *s, uint32_t uid);
/* Bytes that `body` found; they go to the client. */
void imap_session_bytes(struct imap_session *s, struct str bytes, struct strbuf *out);

/* --- for the driver's deadlines and the status page */
enum imap_state imap_session_state(const struct imap_session *s);
const char *imap_state_word(enum imap_state state);
/* True where a question is out. */
bool imap_session_is_waiting(const struct imap_session *s);
/* True between two commands, or in IDLE: a good moment to stop. */
bool imap_session_is_at_rest(const struct imap_session *s);
/* The login name once logged in, else empty. Borrowed from the session. */
struct str imap_session_user(const struct imap_session *s);
/* The name of the command at work ("FETCH"), or "". */
const char *imap_session_command(const struct imap_session *s);
/* Why the session ends after IMAP_CLOSE, where the client is to blame: ERR_LINE_TOO_LONG,
   ERR_BARE_NEWLINE, ERR_NUL_BYTE, ERR_TOO_LARGE (a literal), ERR_SYNTAX, ERR_LIMIT (too
   many errors), ERR_AUTH, ERR_COMMAND (it speaks HTTP); else OK. */
enum err imap_session_fault(const struct imap_session *s);
/* The invariants; panics where one is broken. Run after each step in tests. */
void imap_session_check(const struct imap_session *s);

#endif
