/* smtp_session.h - the server side of one SMTP dialogue, without any I/O.
 *
 * A session is fed the bytes of the client and appends its replies to a buffer. It knows
 * no socket, clock, resolver or store: what it must ask goes out through struct smtp_ops
 * and comes back, always later, through smtp_session_resume(). So the same core serves
 * ports 25, 465 and 587, the unit tests, the dialogues and the fuzzers.
 *
 * Owns: its arenas and all that hangs off them. Borrows: conf and ops, which outlive it.
 * Follows: RFC 5321, 1870 (SIZE), 2034 and 3463 (status codes), 2920 (PIPELINING), 3030
 * (CHUNKING), 3207 (STARTTLS), 3461 (DSN), 4954 (AUTH), 6152 (8BITMIME), 6531 (SMTPUTF8),
 * 9422 (LIMITS); XCLIENT as Postfix documents it.
 */
#ifndef SMTP_SMTP_SESSION_H
#define SMTP_SMTP_SESSION_H

#include "base/err.h"
#include "base/event.h"
#include "base/ids.h"
#include "base/str.h"
#include "base/strbuf.h"
#include "mail/address.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct smtp_session;

/* What the caller does next. Replies in the buffer are always flushed first. */
enum smtp_next {
	SMTP_READ,     /* feed what is unread and what comes */
	SMTP_WAIT,     /* a question is out; feed nothing until it is resumed */
	SMTP_STARTTLS, /* drop unread input, shake hands, then smtp_session_secured() */
	SMTP_CLOSE,    /* close the connection */
};

enum smtp_service {
	SMTP_MX,         /* port 25 */
	SMTP_SUBMISSION, /* 587; 465 as well, secured before the greeting */
};

/* Plain values, the same for all sessions of a process. */
struct smtp_conf {
	struct str hostname;
	bool has_tls;
	bool offers_dsn; /* to strangers too */
	uint64_t message_size_max;
	size_t line_max;        /* a command without its CRLF */
	size_t auth_line_max;   /* the same, of AUTH and its answers */
	size_t line_close;      /* a longer line ends the connection */
	unsigned rcpt_max;      /* recipients of one message */
	unsigned mail_max;      /* messages of one session */
	unsigned error_max;     /* refused commands of one session */
	unsigned unknown_max;   /* unknown recipients of one session */
	unsigned auth_fail_max; /* failed logins of one session */
	unsigned received_max;  /* hops of a message */
};

/* Who is at the other end. The strings are copied by the session. */
struct smtp_peer {
	struct str ip; /* "192.0.2.1", "2001:db8::1" */
	uint16_t port;
	struct str host;     /* by reverse look-up; may be empty */
	bool may_relay;      /* may send to anywhere without AUTH */
	bool may_auth_plain; /* may log in without TLS */
	bool may_xclient;    /* a proxy of ours */
};

/* DSN parameters (RFC 3461). */
enum smtp_ret { SMTP_RET_NONE, SMTP_RET_FULL, SMTP_RET_HDRS };
enum smtp_notify {
	SMTP_NOTIFY_NEVER = 1,
	SMTP_NOTIFY_SUCCESS = 2,
	SMTP_NOTIFY_FAILURE = 4,
	SMTP_NOTIFY_DELAY = 8,
};

struct smtp_rcpt {
	struct smtp_rcpt *next;
	struct address address; /* domain empty: <Postmaster> */
	struct str text;        /* local@domain */
	unsigned notify;        /* of enum smtp_notify; 0: not given */
	struct str orcpt;       /* "rfc822;ann@example.org", still xtext; or empty */
};

/* The transaction: all that MAIL, RCPT and the content told. */
struct smtp_mail {
	struct id trace_id;
	struct address from;
	struct str from_text;   /* local@domain; empty: <> */
	uint64_t size_declared; /* SIZE=; 0: not given */
	bool is_8bit, is_utf8;
	bool is_tls_required; /* REQUIRETLS (RFC 8689 2) */
	enum smtp_ret ret;
	struct str envid; /* still xtext; or empty */
	struct smtp_rcpt *rcpts;
	size_t rcpt_count;
	/* Known when the content is complete: */
	uint64_t size;          /* bytes given to ops->write */
	struct str return_path; /* our line, which stands in front of all that */
	unsigned forged;        /* fields taken out that only we may write */
	struct str header_from; /* value of the From field, folded; cut at 4 KiB */
	struct str message_id;  /* with its brackets; cut at 250 bytes */
	unsigned from_fields;   /* how many From fields there are */
	struct str loops; /* lines of X-Loop and Delivered-To fields; cut at 4 KiB */
};

struct smtp_credentials {
	struct str mechanism, user, password; /* wiped once the question is answered */
};

/* The answer to a question; which fields count is said at struct smtp_ops. */
struct smtp_answer {
	enum err err;
	struct str text;  /* words for the reply instead of the table's; or empty */
	struct str host;  /* the client's verified name, where it is known; or empty */
	struct str login; /* the account that logged in, local@domain */
	struct id trace_id;
	int64_t now_ms;
	size_t unread; /* bytes received and not fed yet: text behind DATA is refused */
};

/* All but write, saw, forget, tell and classify are questions: they return at once and
   are answered later, exactly once, by smtp_session_resume(). What they are given lives
   until then; smtp_session_mail() lives until forget. */
struct smtp_ops {
	/* Is the password right? OK: login. Who answers tells AUTH_OK and AUTH_FAILED. */
	void (*auth)(void *arg, const struct smtp_credentials *credentials);
	/* May this sender send (mail->from, smtp_session_login)? OK: trace_id. */
	void (*mail)(void *arg, const struct smtp_mail *mail);
	/* Is this recipient ours, or may this client relay to it? */
	void (*rcpt)(void *arg, const struct smtp_rcpt *rcpt);
	/* Make ready to write. OK: now_ms, host. unread counts. */
	void (*open)(void *arg, const struct smtp_mail *mail);
	/* The content is complete: keep it. OK means it is on disk. */
	void (*accept)(void *arg, const struct smtp_mail *mail);
	/* The next bytes of the content. An error refuses the message; nothing more is
	   written then. */
	enum err (*write)(void *arg, struct str bytes);
	/* The next bytes as the client sent them, without dots and before anything is
	   taken out or put in: what signatures are over. An error as in write. May be
	   NULL. */
	enum err (*saw)(void *arg, struct str bytes);
	/* The transaction ended, with or without a message. */
	void (*forget)(void *arg);
	/* Something happened. The event lives during the call only. */
	void (*tell)(void *arg, struct event *event);
	/* XCLIENT changed peer->ip: set the three may_ flags. ERR_LIMIT: that address has
	   all connections that it may have, so this one ends. May be NULL. */
	enum err (*classify)(void *arg, struct smtp_peer *peer);
};

/* A session that has said nothing yet. */
struct smtp_session *smtp_session_new(const struct smtp_conf *conf,
                                      enum smtp_service service,
                                      const struct smtp_peer *peer, struct id id,
                                      const struct smtp_ops *ops, void *ops_arg);
void smtp_session_free(struct smtp_session **s);

/* Appends the greeting; called once, after smtp_session_secured() where TLS comes first.
   Input that is fed before it is an early talker's and is refused. */
void smtp_session_greet(struct smtp_session *s, struct strbuf *out);
/* Feeds all unread bytes; *used_out of them are used up. The rest is fed again, with
   what came behind it, once the next step says so. Input is not used while `out` holds
   SMTP_OUT_PAUSE bytes or more: flush it and call again, also with nothing new. */
MUSTUSE enum smtp_next smtp_session_input(struct smtp_session *s, struct str in,
                                          size_t *used_out, struct strbuf *out);
/* Delivers the answer to the one question that is out; panics if none is. */
MUSTUSE enum smtp_next smtp_session_resume(struct smtp_session *s,
                                           const struct smtp_answer *answer,
                                           struct strbuf *out);
/* TLS is on: everything learnt before is forgotten. tls: "TLSv1.3", cipher its name. */
void smtp_session_secured(struct smtp_session *s, struct str tls, struct str cipher);
/* The connection is gone, and the session will be freed: tells of the message that was
   coming in, if there was one. */
void smtp_session_lost(const struct smtp_session *s, enum err why);
/* The caller ends the session (ERR_TIMEOUT, ERR_SHUTDOWN, ERR_LIMIT …): appends the last
   reply, where one may be said now. Nothing is fed afterwards. */
void smtp_session_end(struct smtp_session *s, enum err why, struct strbuf *out);

enum {
	SMTP_OUT_PAUSE = 16 * 1024,
	SMTP_OUT_MAX = SMTP_OUT_PAUSE + 8 * 1024, /* no call adds more than 8 KiB */
};

/* How long the caller waits for the next bytes. */
enum smtp_patience {
	SMTP_PATIENCE_COMMAND, /* RFC 5321 4.5.3.2.7 */
	SMTP_PATIENCE_CONTENT, /* RFC 5321 4.5.3.2.5 */
	SMTP_PATIENCE_REFUSED, /* content that will be refused: seconds, so that a client
	                          that ended it wrongly hears why */
};
enum smtp_patience smtp_session_patience(const struct smtp_session *s);
/* Grows with everything that was complete: deadlines start anew only then, so a client
   cannot hold a session by dripping bytes. */
uint64_t smtp_session_progress(const struct smtp_session *s);
/* True where nothing is half done: the right moment to stop. */
bool smtp_session_is_idle(const struct smtp_session *s);
/* It may be closed to make room for others: no login, nothing asked for that is not
   answered, no message under way (but where it is_long already). */
bool smtp_session_may_give_way(const struct smtp_session *s, bool is_long);
/* A message was accepted: whoever loses the reply to that sends it once more, so what
   was said is flushed before it is closed. */
bool smtp_session_has_delivered(const struct smtp_session *s);
/* It ends because the client said QUIT. */
bool smtp_session_has_quit(const struct smtp_session *s);

const struct smtp_peer *smtp_session_peer(const struct smtp_session *s);
const struct id *smtp_session_id(const struct smtp_session *s);
struct str smtp_session_login(const struct smtp_session *s); /* empty: nobody */
struct str smtp_session_helo(const struct smtp_session *s);
/* The transaction, or NULL between two. */
const struct smtp_mail *smtp_session_mail(const struct smtp_session *s);
/* The word of the state (smtp_states.def). */
const char *smtp_session_state(const struct smtp_session *s);

/* Panics where the invariants do not hold; for tests, after each step. */
void smtp_session_check(const struct smtp_session *s);

#endif
