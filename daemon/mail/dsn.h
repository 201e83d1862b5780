/* dsn.h - delivery status notifications: telling a sender what became of a message.
 *
 * Builds a whole message, header and body, as multipart/report (RFC 6522) with a part for
 * people, one for programs (RFC 3464) and the original message or its header. The caller
 * sends it with the null sender and never makes one for a message that had it. All of it
 * is 7-bit text, but for a receiver whose address is not, and for a whole original in 8
 * bits.
 */
#ifndef MAIL_DSN_H
#define MAIL_DSN_H

#include "base/str.h"
#include "base/strbuf.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum dsn_action {
	DSN_FAILED,
	DSN_DELAYED,
	DSN_DELIVERED,
	DSN_RELAYED, /* handed to a server that knows no DSN */
	DSN_EXPANDED,
};

struct dsn_rcpt {
	struct str address;  /* local@domain, as we sent to it */
	struct str original; /* ORCPT as given, "rfc822;ann@example.org" (xtext undone),
	                        or empty */
	enum dsn_action action;
	struct str status;       /* "5.1.1" */
	struct str remote_host;  /* who said it, or empty where we did */
	struct str diagnostic;   /* the reply, "550 5.1.1 No such user", or our words; may
	                            have   line ends and odd bytes */
	int64_t last_attempt_ms; /* 0: none */
	int64_t will_retry_until_ms; /* of DSN_DELAYED; 0: unknown */
	struct str final_log_id;     /* or empty */
};

struct dsn {
	struct str host;        /* our name: Reporting-MTA and the From domain */
	struct str to;          /* the sender of the message that this is about */
	struct str envelope_id; /* ENVID, xtext undone, or empty */
	struct str message_id;  /* of this notification: "<mtr_…@host>" */
	struct str trace_id; /* of the message that this is about, for people; or empty */
	int64_t now_ms, arrival_ms;
	int zone_min;
	struct str boundary; /* unique: 16-60 letters and digits that the original does
	                        not hold */
	const struct dsn_rcpt *rcpts;
	size_t rcpt_count;
	bool want_full; /* RET=FULL: the whole message, else the first 64 KiB of its header */
	struct str original; /* the message without our Return-Path line */
};

/* Appends the notification, CRLF line ends, to out; its overflow is the only error. */
void dsn_format(struct strbuf *out, const struct dsn *d);

#endif
