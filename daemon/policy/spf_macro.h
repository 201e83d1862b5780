/* spf_macro.h - the macros of SPF records (RFC 7208 7).
 *
 * Two steps, because RFC 7208 4.6 wants a whole record checked before a part of it is
 * used: what the syntax check has let through can be expanded without errors.
 */
#ifndef POLICY_SPF_MACRO_H
#define POLICY_SPF_MACRO_H

#include "base/addr.h"
#include "base/str.h"
#include "base/strbuf.h"

#include <stdbool.h>
#include <stdint.h>

enum {
	/* Bytes of a domain-spec or an explanation as they are published. An expanded
	   name has 253 at most; what is longer only costs time and is a syntax error. */
	SPF_MACRO_MAX = 1024,
	/* Bytes of a value that are looked at, its last ones. */
	SPF_VALUE_MAX = 512,
};

struct spf_macro_values {
	struct str sender;    /* s */
	struct str local;     /* l */
	struct str domain;    /* o: of the sender */
	struct str current;   /* d: whose record it is */
	struct str helo;      /* h */
	struct str validated; /* p: name of the client that leads back, or "unknown" */
	struct str receiver;  /* r */
	struct addr ip;       /* i, c, v */
	int64_t now_ms;       /* t */
};

/* macro-string of an unknown modifier; a domain-spec; the text of an explanation, which
   may have spaces and the letters c, r, t too. */
bool spf_macro_check(struct str s);
bool spf_domain_spec_check(struct str s);
bool spf_explanation_check(struct str s);
/* Does s, which passed a check, have a macro of one of these letters (lower case)? */
bool spf_macro_has(struct str s, struct str letters);
/* Appends the expansion of s, which passed a check. */
void spf_macro_expand(struct str s, const struct spf_macro_values *values,
                      struct strbuf *out);
/* The same as a name to look up: without a last dot, and where it is longer than 253
   bytes without the labels on the left that are too many (RFC 7208 7.3). out is empty
   before; it is empty afterwards too where nothing remains. */
void spf_macro_expand_name(struct str s, const struct spf_macro_values *values,
                           struct strbuf *out);

#endif
