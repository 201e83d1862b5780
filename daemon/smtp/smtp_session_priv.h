/* smtp_session_priv.h - the inside of a server session, for the files of its commands. */
#ifndef SMTP_SMTP_SESSION_PRIV_H
#define SMTP_SMTP_SESSION_PRIV_H

#include "base/arena.h"
#include "base/line.h"
#include "smtp/smtp_command.h"
#include "smtp/smtp_data.h"
#include "smtp/smtp_head.h"
#include "smtp/smtp_session.h"

enum smtp_state {
#define STATE(name, word, text) SMTP_STATE_##name,
#include "smtp/smtp_states.def"
#undef STATE
	SMTP_STATE_COUNT
};

/* Budgets of the arenas: the most a client can make a session hold. */
enum {
	SMTP_SELF_BUDGET = 4 * 1024,
	SMTP_PEER_BUDGET = 4 * 1024,
	SMTP_HELLO_BUDGET = 4 * 1024,
	SMTP_LOGIN_BUDGET = 4 * 1024,
	SMTP_MAIL_BUDGET = 512 * 1024,    /* 1,000 recipients with long names */
	SMTP_RCPT_RESERVE = 4 * 1024,     /* one recipient fits into what is left */
	SMTP_CONTENT_RESERVE = 32 * 1024, /* and so does what the content needs */
	SMTP_SASL_BUDGET = 512 * 1024,
};

typedef enum smtp_next smtp_resume_fn(struct smtp_session *s,
                                      const struct smtp_answer *answer,
                                      struct strbuf *out);

/* The transaction: freed by RSET, EHLO, STARTTLS and the end of the content. */
struct smtp_transaction {
	struct arena *arena;
	struct smtp_mail mail;
	struct smtp_rcpt **last; /* where the next recipient is hung in */
	struct smtp_rcpt *asked; /* the one that ops->rcpt was asked for */
	struct smtp_data data;
	struct smtp_head *head; /* once the content is open */
	unsigned too_many;      /* recipients refused because there were enough */
};

/* A login that is under way: freed, and wiped, at its end. */
struct smtp_sasl {
	struct arena *arena;
	const struct smtp_mechanism *mechanism;
	struct strbuf user, password;
	unsigned step;
};

struct smtp_session {
	struct arena *arena; /* this struct lies in it */
	const struct smtp_conf *conf;
	const struct smtp_ops *ops;
	void *ops_arg;
	struct id id;
	enum smtp_service service;
	enum smtp_state state;

	struct line_reader line;
	enum err line_err;   /* the line is passed over, and then this is the reply */
	size_t line_skipped; /* how much of it has been */
	size_t unread;       /* bytes behind the command that is being handled */

	smtp_resume_fn
		*resume; /* takes the answer to the question that is out; or NULL */

	struct arena *peer_arena, *hello_arena, *login_arena;
	struct smtp_peer peer;
	struct str helo, login, tls;
	bool is_esmtp;

	struct smtp_sasl sasl;
	struct smtp_transaction *tx;
	uint64_t chunk_left; /* octets of this BDAT still to come */
	bool is_last_chunk;
	enum err chunk_err;          /* SKIP: what is said after it */
	enum smtp_state chunk_state; /* SKIP: where it goes on */

	unsigned errors, unknowns, auth_failures, mails;
	bool has_delivered; /* a message has been accepted */
	uint64_t progress;
};

/* Lines (smtp_line.c): bytes in all other states. */
enum smtp_next smtp_line_input(struct smtp_session *s, struct str in, size_t *used_out,
                               struct strbuf *out);

/* Replies (smtp_reply.c). Each counts what has to be counted and says how to go on:
   SMTP_READ, or SMTP_CLOSE where the client has made too many errors. */
enum smtp_next smtp_reply(struct smtp_session *s, struct strbuf *out, enum err e);
enum smtp_next smtp_reply_words(struct smtp_session *s, struct strbuf *out, enum err e,
                                struct str words);
/* smtp_reply_words() to what ends the transaction, after which it is gone: the words may
   lie in it. */
enum smtp_next smtp_reply_reset(struct smtp_session *s, struct strbuf *out, enum err e,
                                struct str words);
/* A good reply: code 2xx or 3xx, the enhanced code where the dialogue has them (else
   NULL), and the text; smtp_reply_about() has two halves of it. */
enum smtp_next smtp_reply_good(struct strbuf *out, unsigned code, const char *enhanced,
                               struct str words);
enum smtp_next smtp_reply_about(struct strbuf *out, unsigned code, const char *enhanced,
                                struct str words, struct str object);
/* The last reply before the connection is closed. */
enum smtp_next smtp_reply_last(struct smtp_session *s, struct strbuf *out, enum err e);

/* Sends the question out: `resume` takes the answer. */
enum smtp_next smtp_ask(struct smtp_session *s, smtp_resume_fn *resume);

/* An event of this session, and of its message where there is one. */
void smtp_event(const struct smtp_session *s, struct event *e, enum event_id id);
void smtp_tell(const struct smtp_session *s, struct event *e);
/* Tells a refusal: fields reply, code, enhanced, and `field`=value where it is not NULL.
 */
void smtp_tell_refused(struct smtp_session *s, enum event_id id, enum err why,
                       const char *field, struct str value);

/* Ends the transaction, if there is one, and the login under way; goes to HELO or READY.
 */
void smtp_session_reset(struct smtp_session *s);
/* Copies the peer; strings in it may be those of the peer before. */
void smtp_session_set_peer(struct smtp_session *s, const struct smtp_peer *peer);
void smtp_transaction_begin(struct smtp_session *s);
void smtp_transaction_end(struct smtp_session *s);
/* The text of an address: local@domain, in the arena. */
struct str smtp_address_text(struct arena *a, const struct address *address);

/* SASL (smtp_auth.c): a line that is no command, while the state is AUTH. */
enum smtp_next smtp_auth_line(struct smtp_session *s, struct str line,
                              struct strbuf *out);
void smtp_auth_end(struct smtp_session *s);
/* Copies the login into its arena, in place of the one before. */
struct str smtp_login_keep(struct smtp_session *s, struct str login);
/* Is AUTH offered now? */
bool smtp_auth_is_offered(const struct smtp_session *s);
bool smtp_dsn_is_offered(const struct smtp_session *s);

/* Content (smtp_content.c): bytes while the state is DATA, CHUNK or SKIP. */
enum smtp_next smtp_content_input(struct smtp_session *s, struct str in, size_t *used_out,
                                  struct strbuf *out);

#endif
