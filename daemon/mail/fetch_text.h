/* fetch_text.h - strings as IMAP sends them (RFC 3501 4.3, 4.5). */
#ifndef MAIL_FETCH_TEXT_H
#define MAIL_FETCH_TEXT_H

#include "base/str.h"
#include "base/strbuf.h"

/* Appends s as a quoted string, or as a literal where it holds bytes that no quoted
   string may: CR, LF and bytes over 0x7f. NUL, which may stand nowhere, becomes "?". */
void fetch_string(struct strbuf *out, struct str s);
/* The same; NIL where s.p is NULL. */
void fetch_nstring(struct strbuf *out, struct str s);

#endif
