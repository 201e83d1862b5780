/* smtp_conn_priv.h - one SMTP connection of a server process, for the files of it. */
#ifndef SMTP_SMTP_CONN_PRIV_H
#define SMTP_SMTP_CONN_PRIV_H

#include "base/arena.h"
#include "io/served.h"
#include "smtp/smtp_check_conn.h"
#include "smtp/smtp_conn.h"
#include "smtp/smtp_events.h"
#include "smtp/smtp_guesses.h"
#include "smtp/smtp_names_conn.h"
#include "smtp/smtp_session.h"

enum {
	SMTP_CONN_MAGIC = 0x534d5450,
	SMTP_TARGETS_MAX = 5000, /* of one message, aliases expanded */
};

/* What of the configuration a connection follows, from its beginning to its end. */
struct smtp_settings {
	unsigned refs;
	struct arena *arena;
	struct smtp_conf session;
	struct conf_nets proxies, relay_networks, plaintext_auth;
	struct stream_limits stream;
	int64_t first_ms, command_ms, data_ms, session_ms;
	int64_t lifetime_ms;  /* of queued mail */
	uint32_t guesses_max; /* of one address, in a minute */
	/* who sent it */
	int64_t verify_ms;
	size_t header_max;
	struct str sealers, forwarders;
	struct conf_nets forwarder_networks;
	bool refuse_spf_fail, defer_unresolved;
	uint32_t
		receipts_max; /* of one address, in a minute, for senders without proof */
};

/* Where one recipient's copy goes. */
struct smtp_target {
	struct smtp_target *next;
	struct target to;
	const struct smtp_rcpt *rcpt; /* as the client said it */
	unsigned notify;              /* enum smtp_notify: of all who lead there */
	bool is_alias;
	bool is_shared; /* … with others */
	bool is_junk;   /* into Junk, where it is a mailbox of ours */
	bool is_loop;   /* it has been sent there before */
};

/* A recipient whose sender is to hear that it has arrived. */
struct smtp_receipt {
	struct smtp_receipt *next;
	const struct smtp_rcpt *rcpt;
	bool is_expanded; /* at all of an alias */
};

struct smtp_conn {
	uint32_t magic;
	struct arena *own; /* this struct lies in it */
	struct served served;
	struct smtp_server *server;
	struct smtp_settings *settings;
	struct addr direct; /* who is connected: the proxy, where there is one */
	struct smtp_session *session;
	enum conf_protocol protocol;
	int64_t began_ms;
	uint64_t progress; /* of the session, when the deadline was set */
	bool has_deadline;

	/* the question that is out */
	struct smtp_answer answer; /* given by deliver_answer */
	struct timer pause;        /* … after a while, for those who guess */
	uint64_t call;             /* … or by the store */

	uint64_t account_id; /* of the login */
	unsigned guesses;    /* unknown recipients so far */

	/* the transaction */
	struct arena *arena;
	struct smtp_target *targets, **targets_last;
	size_t target_count;
	struct smtp_receipt *receipts;
	size_t receipt_count;
	bool has_no_receipts; /* nobody is asked for any either */
	struct body_writer *body;
	struct smtp_check *check; /* NULL: nobody asks who sent it */

	struct smtp_events events;
};

struct smtp_server {
	struct arena *own;              /* this struct lies in it */
	struct smtp_server_parts parts; /* conf is NULL: see settings */
	struct smtp_settings *settings;
	struct smtp_names *names;
	struct smtp_guesses *guesses;
	struct smtp_guesses *receipts; /* messages that were to get some, without proof */
	struct served_all conns;
};

/* The core's questions (smtp_policy_conn.c); arg is the connection. */
extern const struct smtp_ops smtp_policy_ops;
/* Sets the may_ flags of a peer by its address and by who is connected. */
void smtp_policy_classify(const struct smtp_conn *c, const struct addr *ip,
                          struct smtp_peer *peer);
/* Lets go of everything of the transaction and of the question that is out. */
void smtp_policy_forget(struct smtp_conn *c);

/* Who sent it (smtp_incoming_conn.c). Is it asked, of this connection? Then from MAIL on. */
bool smtp_incoming_is_due(const struct smtp_conn *c);
void smtp_incoming_begin(struct smtp_conn *c, const struct smtp_mail *mail);
/* The verdict is there: tells it, marks targets for Junk, and appends the field that
   stands in front of the body; or an error that refuses the message, with words. */
MUSTUSE enum err smtp_incoming_judge(struct smtp_conn *c, struct strbuf *prefix,
                                     struct str *words_out);
/* The name of an account's mailbox for junk. */
struct str smtp_incoming_junk(struct smtp_conn *c, uint64_t account_id);

/* Finds where the recipient's copies go and adds them to the targets (smtp_rcpt_conn.c). */
MUSTUSE enum err smtp_rcpt_resolve(struct smtp_conn *c, const struct smtp_rcpt *rcpt);

/* Who is told that it has arrived (smtp_receipts_conn.c). Notes the receipt that the
   recipient, which is r, asks for, where we are the ones to send it. */
MUSTUSE enum err smtp_receipts_add(struct smtp_conn *c, const struct resolution *r,
                                   const struct smtp_rcpt *rcpt);
/* None of them is sent where the sender may be forged: forgets them then, and tells. */
void smtp_receipts_judge(struct smtp_conn *c);
/* What goes along to where a recipient's copy goes: enum smtp_notify bits. */
unsigned smtp_receipts_notify(const struct smtp_conn *c, const struct smtp_target *t);
/* Fills receipt_count rows. */
void smtp_receipts_fill(const struct smtp_conn *c, struct accept_rcpt *rcpts);

/* What an alias sends on to other servers bears a mark of that alias, X-Loop, so that it
   is known should it come back. Marks the targets that it came from, and appends the
   lines for the others. ERR_LOOP: there are no others, or a Delivered-To field names one
   of the aliases: it cannot be told from a forged one, so the message is refused, and
   nobody is sent a notification for it. A mailbox is the end of the way and takes what
   comes. */
MUSTUSE enum err smtp_rcpt_mark(struct smtp_conn *c, struct strbuf *lines);

/* Gives the answer to the core: later (for what was known at once), or now (inside a
   call-back of the store). */
void smtp_conn_answer_soon(struct smtp_conn *c, enum err e);
void smtp_conn_answer_after(struct smtp_conn *c, enum err e, int64_t ms);
void smtp_conn_answer(struct smtp_conn *c, const struct smtp_answer *answer);

#endif
