/* smtp_head.h - the header section of a message on its way in.
 *
 * A filter in front of the body writer: fields run through it as they come, whatever
 * their length. It takes out what only we may say (Return-Path, RFC 5321 4.4; Bcc of a
 * submission, RFC 5322 3.6.3; Authentication-Results that bear our name, RFC 8601 5),
 * counts the hops, keeps the values the session needs, and completes a submission with
 * Date and Message-ID (RFC 6409 8.2, 8.3).
 *
 * Expects lines that end in CRLF (smtp_data.h). Pure; memory from the arena, bounded.
 */
#ifndef SMTP_SMTP_HEAD_H
#define SMTP_SMTP_HEAD_H

#include "base/arena.h"
#include "base/err.h"
#include "base/str.h"
#include "smtp/smtp_data.h"

struct smtp_head;

struct smtp_head_conf {
	bool is_submission;    /* take Bcc out, put Date and Message-ID in */
	unsigned received_max; /* more is ERR_LOOP */
	struct str date;       /* whole lines for a submission that lacks them */
	struct str message_id;
	struct str authserv_id; /* our name in Authentication-Results; empty: none */
};

/* conf's strings are borrowed. */
struct smtp_head *smtp_head_new(struct arena *a, const struct smtp_head_conf *conf,
                                smtp_data_sink *sink, void *sink_arg);
/* A smtp_data_sink: what stays goes on to the sink. ERR_MESSAGE_SYNTAX: a From field that
   hides behind more spaces than a name is long. */
enum err smtp_head_write(void *head, struct str bytes);
/* The content is over; it may have been header only. ERR_MESSAGE_SYNTAX: a From field of
   more than 4 KB, for what stands in its end could not be checked. */
MUSTUSE enum err smtp_head_finish(struct smtp_head *h);

struct str smtp_head_from(const struct smtp_head *h);
struct str smtp_head_message_id(const struct smtp_head *h);
/* The values of all X-Loop and Delivered-To fields, a line each. */
struct str smtp_head_loops(const struct smtp_head *h);
unsigned smtp_head_from_fields(const struct smtp_head *h);
/* How many fields that only we may write were taken out. */
unsigned smtp_head_forged(const struct smtp_head *h);

#endif
