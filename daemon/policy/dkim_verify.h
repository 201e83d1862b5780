/* dkim_verify.h - are the signatures of this message good? (RFC 6376, 8301, 8463)
 *
 * Works while the message streams: the header section whole, the body in any pieces.
 * Each body is hashed once for each different way that the signatures want
 * (canonicalisation, length). Then the keys are asked for through struct lookups.
 * rsa-sha256 and ed25519-sha256; rsa-sha1 is known and never passes (RFC 8301 3.1). RSA
 * keys have 1024 to 4096 bits. At most DKIM_SIGNATURES_MAX signatures are looked at, the
 * topmost first; the others are told as policy.
 *
 * Owns nothing outside its arena; borrows the header until the verdict.
 */
#ifndef POLICY_DKIM_VERIFY_H
#define POLICY_DKIM_VERIFY_H

#include "policy/lookups.h"

enum {
	DKIM_SIGNATURES_MAX = 10,
};

/* In the words of RFC 8601 2.7.1. */
enum dkim_result {
	DKIM_NONE,
	DKIM_PASS,
	DKIM_FAIL,    /* the signature or the body hash does not fit */
	DKIM_POLICY,  /* good, and not accepted: weak key, rsa-sha1, l= that leaves bytes
	                   uncovered, one signature too many */
	DKIM_NEUTRAL, /* the field cannot be understood */
	DKIM_TEMPERROR, /* the key could not be asked for */
	DKIM_PERMERROR, /* no key, a revoked or broken one, an unsigned From … */
};

struct dkim_verdict {
	enum dkim_result result;
	struct str domain, selector; /* d= and s=, lower case */
	struct str identity;         /* i=, or "@" and d= */
	const char *algorithm;       /* "rsa-sha256", "ed25519-sha256", "rsa-sha1", "" */
	unsigned key_bits;           /* 0: not known */
	struct str signature;        /* b= without spaces, for header.b (RFC 6008) */
	bool is_testing;             /* the key has t=y */
	struct str reason;           /* why, in plain words, on one line */
};

struct dkim_verifier;

struct dkim_verifier *dkim_verifier_new(struct arena *a);
/* The header section, without the empty line; once, and first. Lines end in CRLF. */
void dkim_verifier_header(struct dkim_verifier *v, struct str header);
/* The next bytes of the body. */
void dkim_verifier_body(struct dkim_verifier *v, struct str bytes);
/* The body is complete. */
void dkim_verifier_end(struct dkim_verifier *v);
/* After the end: asks for keys and checks. */
MUSTUSE enum policy_step dkim_verifier_check(struct dkim_verifier *v, int64_t now_ms,
                                             struct lookups *l);
/* One verdict for each signature, in the header's order; none where there is none. */
size_t dkim_verifier_count(const struct dkim_verifier *v);
const struct dkim_verdict *dkim_verifier_verdict(const struct dkim_verifier *v, size_t i);
/* Frees what the library holds; the rest goes with the arena. */
void dkim_verifier_free(struct dkim_verifier **v);

const char *dkim_result_word(enum dkim_result r);

#endif
