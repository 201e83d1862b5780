/* pop3_conn_priv.h - one POP3 connection of a server process, for the files of it. */
#ifndef POP3_POP3_CONN_PRIV_H
#define POP3_POP3_CONN_PRIV_H

#include "base/panic.h"
#include "io/served.h"
#include "pop3/pop3_server.h"
#include "pop3/pop3_session.h"

enum {
	POP3_CONN_MAGIC = 0x504f5033,
	POP3_SLICE_ROWS = 4096, /* of the maildrop read before others have their turn */
};

/* What of the configuration a connection follows, from its beginning to its end. */
struct pop3_settings {
	unsigned refs;
	struct arena *arena; /* this struct lies in it */
	struct conf_nets plaintext_auth;
	struct pop3_conf session; /* has_… are the connection's own */
	struct stream_limits stream;
	int64_t login_ms, idle_ms;
};

struct pop3_server {
	struct pop3_server_parts parts;
	struct pop3_settings *settings;
	struct served_all conns;
	struct entry *entries; /* POP3_SLICE_ROWS */
};

struct pop3_conn {
	uint32_t magic;
	struct served served;
	struct pop3_server *server;
	struct pop3_settings *settings;
	struct pop3_conf conf;
	struct pop3_session *session;
	uint64_t account_id, mailbox_id;

	/* the question that is out */
	loop_fn *step; /* deferred; NULL: none */
	uint64_t call; /* of the store */
	uint32_t uid;  /* where the maildrop is read on, or the message that is wanted */
	struct str *message_out;
	struct body *body;            /* the message being sent */
	struct body_reading *reading; /* a large one: on a thread */
	enum err open_error;
	unsigned tries;
	/* QUIT: what is to go, and from where on it has not yet */
	struct strbuf gone; /* struct uid_range[] */
	uint32_t gone_next;
};

static inline struct pop3_conn *
pop3_conn_of(void *arg)
{
	return CAST(pop3_conn, POP3_CONN_MAGIC, arg);
}

/* --- pop3_conn.c -------------------------------------------------------------------- */

/* Ends the question that is out. */
void pop3_conn_answer(struct pop3_conn *c, enum err e);

/* --- pop3_ask_conn.c ---------------------------------------------------------------- */

/* The session's questions; its argument is the connection. */
extern const struct pop3_ops pop3_conn_ops;
/* The question that is out is not answered any more, and what it holds is let go. */
void pop3_conn_forget(struct pop3_conn *c);

#endif
