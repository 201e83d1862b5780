/* smtp_command.h - the table of commands.
 *
 * One row per verb. What can be decided without reading the arguments is a column here
 * and decided by the dispatcher (smtp_session.c); a handler begins where its own meaning
 * begins.
 */
#ifndef SMTP_SMTP_COMMAND_H
#define SMTP_SMTP_COMMAND_H

#include "base/str.h"
#include "base/strbuf.h"
#include "smtp/smtp_session.h"

enum smtp_command_flag {
	SMTP_NEED_LOGIN = 1, /* on submission: TLS and AUTH first (530) */
	SMTP_NO_ARGS = 2,    /* arguments are refused (501) */
	SMTP_WANT_ARGS = 4,  /* the lack of them is (501) */
	SMTP_LAST = 8,       /* nothing may be pipelined behind it (554, and the end) */
};

typedef enum smtp_next smtp_command_fn(struct smtp_session *s, struct str args,
                                       struct strbuf *out);

struct smtp_command {
	struct str verb;
	unsigned states; /* 1 << state where it is allowed; else 503 */
	unsigned flags;
	smtp_command_fn *start;
};

/* The row of that verb, without case; NULL where there is none. */
const struct smtp_command *smtp_command_find(struct str verb);

/* The handlers, by file. smtp_command.c has those that need no file of their own. */
smtp_command_fn smtp_cmd_mail, smtp_cmd_rcpt;                    /* smtp_mail.c */
smtp_command_fn smtp_cmd_data, smtp_cmd_bdat;                    /* smtp_content.c */
smtp_command_fn smtp_cmd_auth;                                   /* smtp_auth.c */
smtp_command_fn smtp_cmd_ehlo, smtp_cmd_helo, smtp_cmd_starttls; /* smtp_hello.c */
smtp_command_fn smtp_cmd_xclient;                                /* smtp_hello.c */

#endif
