/* smtp_client.h - the client side of one SMTP dialogue, without any I/O.
 *
 * The client is fed what the server sent and appends what is to be sent to a buffer; it
 * knows no socket, clock or resolver. One client lives as long as one connection, and
 * carries any number of messages over it, one transaction after the other. Every
 * recipient of a transaction ends with exactly one result, whatever the server does.
 *
 *	next = smtp_client_input(...)              until READY
 *	next = smtp_client_send(c, &message, out)  READ ... BODY: pump the text ... READY:
 *	                                           all results are there
 *	next = smtp_client_quit(c, out)            READ ... CLOSE
 *
 * With CLOSE, too, every recipient of an open transaction has its result.
 *
 * Owns: its arenas; result texts live until the next smtp_client_send. Borrows: conf
 * and its strings for its life, the message until its results are there.
 * Follows: RFC 5321, 1870 (SIZE), 2034 (enhanced codes), 2920 (PIPELINING), 3207
 * (STARTTLS), 3461 (DSN), 6152 (8BITMIME), 6531 (SMTPUTF8), 8689 (REQUIRETLS), 9422
 * (LIMITS).
 */
#ifndef SMTP_SMTP_CLIENT_H
#define SMTP_SMTP_CLIENT_H

#include "base/err.h"
#include "base/macros.h"
#include "base/str.h"
#include "base/strbuf.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct smtp_client;

enum smtp_client_state {
#define STATE(id, name, time) SMTP_CLIENT_##id,
#include "smtp/smtp_client_states.def"
#undef STATE
	SMTP_CLIENT_STATE_COUNT
};

/* What the caller does next. Output in the buffer is always flushed first. */
enum smtp_client_next {
	SMTP_CLIENT_NEXT_READ,     /* feed input as it comes */
	SMTP_CLIENT_NEXT_STARTTLS, /* drop unread input, shake hands,
	                              smtp_client_secured() */
	SMTP_CLIENT_NEXT_READY, /* no transaction is open: send, quit, or keep it idle */
	SMTP_CLIENT_NEXT_BODY,  /* smtp_client_body() ... smtp_client_body_end() */
	SMTP_CLIENT_NEXT_CLOSE, /* close the connection */
};

enum smtp_client_tls {
	SMTP_CLIENT_TLS_NEVER, /* do not even ask */
	SMTP_CLIENT_TLS_TRY,   /* encrypt where it is offered and works */
	SMTP_CLIENT_TLS_MUST,  /* encrypted or not at all */
};

/* How long each step may take, in ms. */
struct smtp_client_times {
	uint32_t greeting, command, handshake, data, block, dot, idle, quit;
};

struct smtp_client_conf {
	struct str helo; /* our name */
	enum smtp_client_tls tls;
	size_t rcpt_max; /* of one transaction, at most SMTP_CLIENT_RCPT_LIMIT */
	struct smtp_client_times times;
};

enum {
	SMTP_CLIENT_RCPT_LIMIT = 1000,
	SMTP_CLIENT_TEXT_MAX = 500, /* bytes kept of a reply's text */
};

/* What the server offers in reply to EHLO, as bits. */
enum smtp_client_offer {
	SMTP_OFFER_PIPELINING = 1 << 0,
	SMTP_OFFER_SIZE = 1 << 1,
	SMTP_OFFER_8BITMIME = 1 << 2,
	SMTP_OFFER_SMTPUTF8 = 1 << 3,
	SMTP_OFFER_DSN = 1 << 4,
	SMTP_OFFER_STARTTLS = 1 << 5,
	SMTP_OFFER_ENHANCED = 1 << 6,
	SMTP_OFFER_LIMITS = 1 << 7,
	SMTP_OFFER_REQUIRETLS = 1 << 8, /* counts under TLS only */
};

enum smtp_client_outcome {
	SMTP_CLIENT_OPEN,  /* no result yet */
	SMTP_CLIENT_OK,    /* the server took the message for this recipient */
	SMTP_CLIENT_AGAIN, /* not tried, or one too many: send in another transaction */
	SMTP_CLIENT_TEMP,  /* not now */
	SMTP_CLIENT_PERM,  /* never */
};

/* How it ended, for one recipient or for the dialogue. */
struct smtp_client_result {
	enum smtp_client_outcome outcome;
	enum smtp_client_state at; /* in reply to what */
	enum err cause;            /* OK: the server said `code`; else our own finding */
	int code;                  /* of the reply, 0 without one */
	struct str enhanced;       /* "5.1.1", or empty */
	struct str text;           /* UTF-8 without control characters, lines joined */
};

/* RFC 3461 4.1; 0: the sender did not say. */
enum {
	SMTP_NOTIFY_NEVER = 1 << 0,
	SMTP_NOTIFY_SUCCESS = 1 << 1,
	SMTP_NOTIFY_FAILURE = 1 << 2,
	SMTP_NOTIFY_DELAY = 1 << 3,
};

struct smtp_client_rcpt {
	struct str address; /* without <> */
	struct str orcpt;   /* "rfc822;..." in xtext, as it came; empty: none */
	unsigned notify;    /* SMTP_NOTIFY_ bits */
	struct smtp_client_result result; /* set by the client */
};

struct smtp_client_message {
	struct str from;      /* without <>; empty: the null sender */
	struct str envid;     /* xtext, as it came; empty: none */
	struct str ret;       /* "FULL", "HDRS" or empty */
	uint64_t size;        /* of the text, in bytes with CRLF */
	bool is_8bit;         /* the text has bytes over 0x7f */
	bool is_utf8;         /* its header has, or an address */
	bool is_tls_required; /* REQUIRETLS: never in plain, nor to who does not offer it */
	struct smtp_client_rcpt *rcpts;
	size_t rcpt_count;
};

/* A dialogue that waits for the greeting. Free with smtp_client_free. */
struct smtp_client *smtp_client_new(const struct smtp_client_conf *conf);
void smtp_client_free(struct smtp_client **c);

/* Takes all of `in`; what must not follow where it stands is a broken protocol. */
MUSTUSE enum smtp_client_next smtp_client_input(struct smtp_client *c, struct str in,
                                                struct strbuf *out);
/* The handshake after STARTTLS is done. */
MUSTUSE enum smtp_client_next smtp_client_secured(struct smtp_client *c,
                                                  struct strbuf *out);
/* Begins a transaction; only after READY. Where nothing can be sent at all (too large,
   8-bit text to a 7-bit server, ...) READY comes at once, with results. */
MUSTUSE enum smtp_client_next smtp_client_send(struct smtp_client *c,
                                               struct smtp_client_message *message,
                                               struct strbuf *out);
/* One piece of the text; only after BODY. At most 2 * piece.n + 2 bytes are added. */
void smtp_client_body(struct smtp_client *c, struct str piece, struct strbuf *out);
/* The text is complete. */
MUSTUSE enum smtp_client_next smtp_client_body_end(struct smtp_client *c,
                                                   struct strbuf *out);
/* Says goodbye; only after READY. */
MUSTUSE enum smtp_client_next smtp_client_quit(struct smtp_client *c, struct strbuf *out);
/* The connection is gone or given up: why is ERR_CLOSED, ERR_TIMEOUT, ERR_TLS or what
   our own side failed with. Open recipients get a temporary result. */
void smtp_client_closed(struct smtp_client *c, enum err why);

enum smtp_client_state smtp_client_state(const struct smtp_client *c);
const char *smtp_client_state_name(enum smtp_client_state state);
/* How long the present step may take. The time begins anew whenever the number of
   steps has grown, and only then: bytes alone do not extend it. */
uint32_t smtp_client_time_ms(const struct smtp_client *c);
uint64_t smtp_client_steps(const struct smtp_client *c);

bool smtp_client_is_secured(const struct smtp_client *c);
unsigned smtp_client_offers(const struct smtp_client *c);
/* Does it offer REQUIRETLS, and does it do so under TLS? (RFC 8689 2) */
bool smtp_client_has_requiretls(const struct smtp_client *c);
/* What the server calls itself in its reply to EHLO; may be empty. */
struct str smtp_client_peer_name(const struct smtp_client *c);
/* How the dialogue failed; outcome is SMTP_CLIENT_OPEN while it has not. */
struct smtp_client_result smtp_client_failure(const struct smtp_client *c);
/* How many recipients the next transaction may have (RFC 9422 RCPTMAX and ours); 0
   when the server wants no further message on this connection (MAILMAX). */
size_t smtp_client_room(const struct smtp_client *c);

#endif
