/* smtp_client_priv.h - inside of the outbound dialogue, for smtp_client*.c. */
#ifndef SMTP_SMTP_CLIENT_PRIV_H
#define SMTP_SMTP_CLIENT_PRIV_H

#include "base/arena.h"
#include "smtp/smtp_client.h"
#include "smtp/smtp_client_body.h"
#include "smtp/smtp_client_reply.h"

/* What EHLO told us. Zero is what HELO tells. */
struct smtp_client_ext {
	unsigned offers;   /* SMTP_OFFER_ bits */
	uint64_t size_max; /* 0: no fixed limit */
	uint64_t rcpt_max; /* 0: none said */
	uint64_t mail_max;
};

struct smtp_client {
	uint32_t magic;
	const struct smtp_client_conf *conf;
	enum smtp_client_state state;
	struct arena *arena; /* the dialogue */
	struct arena *tx;    /* the transaction */
	struct smtp_reply_parser parser;
	struct strbuf text; /* of the current reply */
	struct smtp_client_ext ext;
	struct str peer_name;
	struct smtp_client_result failure;
	uint64_t steps;
	size_t outstanding; /* replies that are due */
	uint64_t mails;     /* MAIL commands sent */
	bool is_secured;
	bool want_rset; /* a transaction was left in the middle */

	/* The transaction: a script of count + 3 commands, RSET, MAIL, RCPT..., DATA. */
	struct smtp_client_message *message;
	size_t *order;   /* the recipients that are sent, as indexes */
	size_t count;    /* how many */
	size_t written;  /* script position of the next command to write */
	size_t answered; /* and of the next reply */
	size_t accepted; /* recipients that got 2xx */
	struct smtp_body_writer body;
};

/* --- the dialogue (smtp_client.c) */

enum smtp_client_next smtp_client_enter(struct smtp_client *c,
                                        enum smtp_client_state state);
/* One more reply is due. */
void smtp_client_sent(struct smtp_client *c);
/* The reply that is complete, as a result; its strings live in `arena`. */
struct smtp_client_result smtp_client_reply_result(const struct smtp_client *c,
                                                   struct arena *arena, int code);
/* The dialogue is over, for a cause that we found, or by the reply that is complete; open
   recipients get a temporary result. */
enum smtp_client_next smtp_client_give_up(struct smtp_client *c, enum err cause);
enum smtp_client_next smtp_client_give_up_on(struct smtp_client *c, int code);

/* --- a transaction (smtp_client_tx.c) */

/* Takes the reply that was due in a state. */
typedef enum smtp_client_next smtp_client_reply_fn(struct smtp_client *c, int code,
                                                   struct strbuf *out);
smtp_client_reply_fn smtp_client_on_rset, smtp_client_on_mail, smtp_client_on_rcpt,
	smtp_client_on_data, smtp_client_on_body, smtp_client_on_dot;
/* Gives the result to every recipient that has none. */
void smtp_client_settle(struct smtp_client *c, struct smtp_client_result result);

/* --- words */

/* One line of the reply to EHLO but the first. */
void smtp_client_ext_parse(struct smtp_client_ext *ext, struct str line);

/* The commands of a transaction, with the parameters that are offered. */
void smtp_client_format_mail(const struct smtp_client *c, struct strbuf *out);
void smtp_client_format_rcpt(const struct smtp_client *c,
                             const struct smtp_client_rcpt *rcpt, struct strbuf *out);
/* Whether s can stand in a command line: no control characters, no spaces unless
   quoted, no angle brackets outside quotes, not longer than a path may be. */
bool smtp_client_path_check(struct str s);
/* The same for a parameter's value. */
bool smtp_client_param_check(struct str s);

#endif
