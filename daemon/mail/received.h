/* received.h - the Received field that we add, and the count of those that stand there.
 *
 * Follows: RFC 5321 4.4, RFC 3848 and RFC 6531 4.3 (the "with" keywords).
 */
#ifndef MAIL_RECEIVED_H
#define MAIL_RECEIVED_H

#include "base/str.h"
#include "base/strbuf.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct received {
	struct str helo;        /* what the client called itself; may be empty */
	struct str client_host; /* its name by reverse look-up, or empty */
	struct str client_ip;   /* "192.0.2.1" or "2001:db8::1"; empty: did not come by
	                           network */
	struct str by;          /* our host name */
	struct str trace_id;    /* "mtr_…" */
	struct str rcpt;        /* local@domain, where there is exactly one; else empty */
	struct str tls;         /* "TLSv1.3 TLS_AES_256_GCM_SHA384" or empty */
	struct str
		protocol; /* not empty: stands behind "with" as it is ("HTTP", "IMAP") */
	bool is_esmtp, is_tls, is_auth, is_utf8;
	int64_t at_ms;
	int zone_min;
};

/* Appends the field, folded, with its CRLF. Bytes that have no place in it (controls,
   parentheses, more than 255 of them) are replaced or cut, so no client can add to it. */
void received_format(struct strbuf *out, const struct received *r);
/* "ESMTPSA", "UTF8SMTPS", …: by what it says of TLS, AUTH and so on. */
const char *received_keyword(const struct received *r);
/* Received fields in a header, counted no further than max: the hops (RFC 5321 6.3). */
size_t received_count(struct str header, size_t max);
/* Appends "Return-Path: <ann@example.org>\r\n"; from is local@domain or empty. */
void return_path_format(struct strbuf *out, struct str from);

#endif
