/* report_make.h - what we saw of others, as they want to be told.
 *
 * DMARC aggregate reports (RFC 9990) as XML, TLS reports (RFC 8460) as JSON, and the mail
 * that brings either. Rows come as they were counted (store/report_count.c): logfmt, with
 * the fields of the events message.dmarc and delivery.tls.session. All of it was written
 * by strangers, so every string is escaped where it stands, and what is none of the words
 * of a standard is left out.
 *
 * Overflow of the buffer is the only error, and sticky there.
 */
#ifndef POLICY_REPORT_MAKE_H
#define POLICY_REPORT_MAKE_H

#include "base/arena.h"
#include "base/macros.h"
#include "base/str.h"
#include "base/strbuf.h"
#include "policy/report.h"

enum {
	REPORT_MAIL_BOUNDARY_MAX = 60,
};

/* Of any report. */
struct report_head {
	enum report_kind kind;
	struct str organization, contact; /* who we are */
	struct str submitter;             /* our domain */
	struct str domain;                /* whose mail it is about */
	struct str id;                    /* letters and digits */
	int64_t begin_s, end_s;           /* Unix; end_s is its last second */
	struct str generator;             /* "Mailstead 1.0" */
};

/* policy: "p=reject sp=none …", as message.dmarc has it in `record`. */
void report_make_dmarc_begin(struct strbuf *out, const struct report_head *h,
                             struct str policy);
void report_make_dmarc_row(struct strbuf *out, struct str body, uint64_t count);
void report_make_dmarc_end(struct strbuf *out);

/* Rows of one policy come side by side: in the order of their text. */
struct report_tls_maker;
struct report_tls_maker *report_make_tls_begin(struct strbuf *out, struct arena *a,
                                               const struct report_head *h);
void report_make_tls_row(struct report_tls_maker *m, struct str body, uint64_t count);
void report_make_tls_end(struct report_tls_maker *m);

/* "mail.example.org!example.net!1795046400!1795132799!ID.xml.gz" (RFC 9990 3.5.2,
   RFC 8460 5.1) */
void report_file_name(struct strbuf *out, const struct report_head *h);

struct report_mail {
	const struct report_head *head;
	struct str from; /* an address of ours */
	const struct str *to;
	size_t to_count;
	struct str message_id; /* "<…>" */
	struct str boundary;   /* letters and digits, up to REPORT_MAIL_BOUNDARY_MAX */
	int64_t now_ms;
	struct str packed; /* the report, in gzip */
};

/* Header and body, lines end in CRLF. */
void report_mail_format(struct strbuf *out, const struct report_mail *m);

#endif
