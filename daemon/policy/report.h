/* report.h - what other servers say they saw of our domains.
 *
 * DMARC aggregate reports (RFC 9990, and the older form, which most still send) and TLS
 * reports (RFC 8460), out of the mail that brings them. Both come to the same plain
 * rows: from where, how many, good or not, and why. All of it was written by strangers:
 * packed at most 10 MiB, bounded in rows and bytes, without entities; what is not as it
 * must be is refused as a whole.
 */
#ifndef POLICY_REPORT_H
#define POLICY_REPORT_H

#include "base/arena.h"
#include "base/err.h"
#include "base/macros.h"
#include "base/str.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
	REPORT_BYTES_MAX = 10 << 20, /* unpacked */
	REPORT_ROWS_MAX = 10000,
	REPORT_TEXT_MAX = 300,         /* bytes of any string kept; the rest is cut */
	REPORT_ARENA_BYTES = 32 << 20, /* enough for any */
};

enum report_kind {
	REPORT_DMARC = 1,
	REPORT_TLS = 2,
};

struct report_row {
	struct str
		source;  /* DMARC: the address that sent; TLS: who connected, or empty */
	struct str name; /* DMARC: the domain of From; TLS: the MX host, or empty */
	uint64_t count;  /* messages; TLS: sessions */
	bool is_good;    /* DMARC: aligned by SPF or DKIM; TLS: secured */
	/* DMARC: "pass" or "fail", aligned; TLS: empty */
	struct str spf, dkim;
	struct str
		done; /* DMARC: "none", "quarantine", "reject", "pass"; TLS: the kind of
	                      failure, "certificate-expired" (RFC 8460 4.3) */
	struct str detail; /* in plain words: which domains, and their results */
	/* DMARC: the domains that SPF or DKIM proved, one space between */
	struct str domains;
};

struct report {
	enum report_kind kind;
	struct str domain;   /* whose policy it is about */
	struct str reporter; /* who says so */
	struct str name;     /* its report id */
	int64_t begin_ms, end_ms;
	uint64_t good, bad; /* messages or sessions */
	const struct report_row *rows;
	size_t row_count;
};

/* Reads one, unpacked. ERR_MALFORMED: it is none, or has something that cannot be true;
   ERR_UNSUPPORTED: it has a document type; ERR_LIMIT: too much of it. Strings are copied
   into the arena. */
MUSTUSE enum err report_parse_dmarc(struct str xml, struct arena *a,
                                    struct report *report_out);
MUSTUSE enum err report_parse_tls(struct str json, struct arena *a,
                                  struct report *report_out);

/* Finds the report in a message and reads it. *raw_out: as it was attached, in the arena;
   *raw_type_out: "application/gzip", "application/zip", "application/xml",
   "application/json". ERR_NOT_FOUND: nothing attached could be one; else what is wrong
   with the last that could. */
MUSTUSE enum err report_parse_mail(struct str message, struct arena *a,
                                   struct report *report_out, struct str *raw_out,
                                   struct str *raw_type_out);

/* Was the mail that brought it proven to come from the domain in its From? By the field
   that the server authserv_id put in front when it came in. *domain_out: that domain, as
   far as the field says; borrowed from header or the arena. */
bool report_sender(struct str header, struct str authserv_id, struct arena *a,
                   struct str *domain_out);

/* Somebody who sends mail for many: as report_services.def has it. */
struct report_service {
	const char *word, *name;
	const char *domains; /* what their mail is proven by, one space between */
	const char *spf;     /* the term that lets them send; "": none for everybody */
};

/* Who it was, by the domains that were proven, one space between; or NULL. */
const struct report_service *report_service_of(struct str domains);
/* By its word; or NULL. */
const struct report_service *report_service_find(struct str word);

/* What a kind of failure in a TLS report means, in plain words; "" for one that RFC 8460
   does not know. */
const char *report_failure_text(struct str word);

#endif
