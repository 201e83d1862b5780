/* smtp_params.h - the parameters of MAIL and RCPT, and the coding they share.
 *
 * Follows: RFC 5321 4.1.2 (esmtp-param), 1870 (SIZE), 6152 (BODY), 6531 (SMTPUTF8), 8689
 * (REQUIRETLS), 4954 (AUTH), 3461 (RET, ENVID, NOTIFY, ORCPT, xtext). One table says
 * which parameter belongs to which command and who reads its value; a parameter that
 * comes twice is refused, and so is one that nobody here offered.
 */
#ifndef SMTP_SMTP_PARAMS_H
#define SMTP_SMTP_PARAMS_H

#include "base/arena.h"
#include "base/err.h"
#include "base/str.h"
#include "base/strbuf.h"
#include "smtp/smtp_session.h"

/* Reads the parameters of MAIL, what follows the path, into *mail. Strings are copied to
   the arena. ERR_SYNTAX, ERR_PARAMETER, or ERR_LIMIT where the arena is full. */
MUSTUSE enum err smtp_params_parse_mail(struct str params, struct arena *a,
                                        struct smtp_mail *mail);
/* Reads those of RCPT into *rcpt, the same way. */
MUSTUSE enum err smtp_params_parse_rcpt(struct str params, struct arena *a,
                                        struct smtp_rcpt *rcpt);

/* True for xtext (RFC 3461 4). */
bool xtext_check(struct str s);
/* Appends what s stands for; false where it is no xtext. */
MUSTUSE bool xtext_parse(struct str s, struct strbuf *out);
/* Appends s so that it is xtext. */
void xtext_format(struct strbuf *out, struct str s);

#endif
