/* pop3_session.h - one POP3 dialogue, without any I/O.
 *
 * A session is fed bytes as they come and appends its replies to a buffer. It knows no
 * socket and no store: what it must ask goes out through struct pop3_ops, one question at
 * a time, and comes back through pop3_session_resume(). The maildrop is a snapshot of
 * INBOX taken at the login; other sessions may change INBOX meanwhile, what is gone then
 * is refused message by message. Deletions happen at QUIT, all at once, or not at all.
 *
 * Owns: the snapshot (8 bytes a message). Borrows: conf, ops and their argument.
 * Follows: RFC 1939, RFC 2449 (CAPA), RFC 2595 (STLS), RFC 5034 (AUTH), RFC 3206.
 */
#ifndef POP3_POP3_SESSION_H
#define POP3_POP3_SESSION_H

#include "base/err.h"
#include "base/macros.h"
#include "base/str.h"
#include "base/strbuf.h"
#include "store/types.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* What the caller does next. Replies in the buffer are always flushed first. */
enum pop3_next {
	POP3_READ,     /* feed what comes */
	POP3_WAIT,     /* a question is out; feed nothing until it is resumed */
	POP3_MORE,     /* the buffer is full; pop3_session_drained() when it is empty */
	POP3_STARTTLS, /* drop unread input, shake hands, then pop3_session_secured() */
	POP3_CLOSE,    /* close the connection */
};

enum pop3_state {
#define STATE(id, word) POP3_STATE_##id,
#include "pop3/pop3_states.def"
#undef STATE
	POP3_STATE_COUNT
};

enum {
	POP3_DROP_MAX = 4 * 1024 * 1024, /* messages of a maildrop that are shown */
};

/* Strings and arrays handed to an op are good until the call returns. The answer comes
   later, through pop3_session_resume, never inside the call. */
struct pop3_ops {
	/* ERR_AUTH for every wrong login, whether the user exists or not. */
	void (*login)(void *arg, struct str user, struct str password);
	/* After a good login: INBOX by pop3_session_begin and pop3_session_entry, then
	   resume. */
	void (*open)(void *arg);
	/* *message_out is filled before resume(OK) and stays until `release`.
	   ERR_NOT_FOUND: it is gone; ERR_CORRUPT. */
	void (*message)(void *arg, uint32_t uid, struct str *message_out);
	/* Removes these messages, durably, whatever their flags. */
	void (*remove)(void *arg, const struct uid_range *uids, size_t n);

	/* Not a question: the message is not needed any more. */
	void (*release)(void *arg);
};

/* Limits and facts; borrowed, the same for many sessions. */
struct pop3_conf {
	struct str hostname;
	bool has_starttls;          /* TLS can be had on this connection */
	bool has_plaintext_auth;    /* this client may log in without TLS */
	uint32_t line_max_bytes;    /* a command */
	uint32_t auth_max_bytes;    /* a line inside AUTH */
	uint32_t bad_max;           /* refused commands in a row */
	uint32_t auth_tries;        /* failed logins */
	uint32_t output_soft_bytes; /* where a long answer pauses */
};
extern const struct pop3_conf pop3_conf_default;

struct pop3_session;

/* is_secure: the connection is encrypted from its first byte on. */
struct pop3_session *pop3_session_new(const struct pop3_conf *conf,
                                      const struct pop3_ops *ops, void *ops_arg,
                                      bool is_secure);
void pop3_session_free(struct pop3_session **s);

/* The greeting; once, first. */
void pop3_session_greet(struct pop3_session *s, struct strbuf *out);
/* Takes bytes off `in` (all that is unconsumed) and says how many. */
MUSTUSE enum pop3_next pop3_session_input(struct pop3_session *s, struct str in,
                                          size_t *used_out, struct strbuf *out);
/* The answer to the question that is out; panics if none is. */
MUSTUSE enum pop3_next pop3_session_resume(struct pop3_session *s, enum err answer,
                                           struct strbuf *out);
/* After POP3_MORE: there is room again. */
MUSTUSE enum pop3_next pop3_session_drained(struct pop3_session *s, struct strbuf *out);
/* TLS is up: the session begins anew, without a greeting (RFC 2595 4). */
void pop3_session_secured(struct pop3_session *s);
/* Says goodbye; close after it. */
void pop3_session_bye(struct pop3_session *s, struct str text, struct strbuf *out);

/* --- the answer to `open`, before pop3_session_resume */
void pop3_session_begin(struct pop3_session *s, uint32_t uidvalidity);
/* Each message, ascending. False: no more of them (POP3_DROP_MAX); resume. */
MUSTUSE bool pop3_session_entry(struct pop3_session *s, uint32_t uid, uint32_t size);

/* --- for the driver and the status page */
enum pop3_state pop3_session_state(const struct pop3_session *s);
const char *pop3_state_word(enum pop3_state state);
/* A question is out. */
bool pop3_session_is_waiting(const struct pop3_session *s);
/* Between two commands: a good moment to stop. */
bool pop3_session_is_at_rest(const struct pop3_session *s);
/* Why the session ends after POP3_CLOSE, where the client is to blame: ERR_LINE_TOO_LONG,
   ERR_LIMIT (too many errors), ERR_AUTH, ERR_COMMAND (it speaks HTTP); else OK. */
enum err pop3_session_fault(const struct pop3_session *s);
/* The invariants; panics where one is broken. Run after each step in tests. */
void pop3_session_check(const struct pop3_session *s);

#endif
