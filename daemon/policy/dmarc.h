/* dmarc.h - does the visible sender stand behind this message? (RFC 9989)
 *
 * Takes the From field and the verdicts of SPF and DKIM, finds the policy by the tree
 * walk, and says whether one of them is aligned and what the domain wants done. Pure,
 * over struct lookups.
 */
#ifndef POLICY_DMARC_H
#define POLICY_DMARC_H

#include "base/err.h"
#include "base/strbuf.h"
#include "policy/dkim_verify.h"
#include "policy/lookups.h"
#include "policy/spf.h"

enum dmarc_result {
	DMARC_NONE, /* no record, or no From to look for one */
	DMARC_PASS,
	DMARC_FAIL,      /* nothing is aligned, or From is not one field of one domain */
	DMARC_TEMPERROR, /* a question that could have decided found no answer */
	DMARC_PERMERROR, /* the record has to be ignored */
};

/* What a record asks for. */
enum dmarc_policy {
	DMARC_POLICY_NONE,
	DMARC_POLICY_QUARANTINE,
	DMARC_POLICY_REJECT,
};

struct dmarc_record {
	enum dmarc_policy p, sp, np;
	bool has_sp, has_np;
	bool is_strict_dkim, is_strict_spf; /* adkim=s, aspf=s */
	bool is_testing;                    /* t=y */
	bool is_amended; /* no good p, or a wrong sp or np: taken for p=none */
	char psd;        /* 'y', 'n' or 'u' */
	struct str fo;
	struct str rua, ruf; /* as written */
};

/* Reads a TXT record. ERR_NOT_FOUND: it is none of DMARC, nothing is set; ERR_SYNTAX: it
   has no valid p, or a wrong sp or np, and no address for reports that would make good
   for that: nothing is judged by it (RFC 9989 4.10.1), its other tags are set. Unknown
   tags and wrong values are passed over; strings point into `text`. */
MUSTUSE enum err dmarc_record_parse(struct str text, struct dmarc_record *record_out);

/* One address of rua or ruf. */
struct dmarc_uri {
	struct str scheme;       /* "mailto" */
	struct str address;      /* what stands behind it, "%21" and the like undone */
	uint64_t size_max_bytes; /* of "!10m"; 0: none was said */
};

/* Takes the next URI that can be read off *rest, a list as written; its address is in
   `room` or in *rest. False at the end. */
bool dmarc_uri_next(struct str *rest, struct strbuf *room, struct dmarc_uri *uri_out);

struct dmarc_request {
	struct str header_from;        /* value of the From field, folded */
	unsigned from_fields;          /* how many From fields there are */
	const struct spf_verdict *spf; /* of MAIL FROM, or of HELO where that was null */
	const struct dkim_verdict *const *dkim;
	size_t dkim_count;
};

struct dmarc_verdict {
	enum dmarc_result result;
	struct str from_domain;   /* A-labels, lower case; or empty */
	struct str org_domain;    /* of from_domain */
	struct str policy_domain; /* where the record was; or empty */
	struct dmarc_record record;
	enum dmarc_policy
		policy; /* what applies: p, sp or np, one step milder with t=y */
	enum dmarc_policy published; /* the same before t=y */
	bool is_aligned_spf, is_aligned_dkim;
	struct str reason; /* in plain words, on one line */
};

MUSTUSE enum policy_step dmarc_check(const struct dmarc_request *request,
                                     struct lookups *l, struct arena *a,
                                     struct dmarc_verdict *verdict_out);

/* The organisational domain of a name in any form: by the tree walk (RFC 9989 4.10.2),
   and by the public suffix list where no record says anything. Empty: the name is a
   public suffix itself, or no name. */
MUSTUSE enum policy_step dmarc_org_domain(struct str domain, struct lookups *l,
                                          struct arena *a, struct str *org_out);

const char *dmarc_result_word(enum dmarc_result r);
const char *dmarc_policy_word(enum dmarc_policy p);

#endif
