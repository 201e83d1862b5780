/* dkim_signature.h - one signature field: read, and the hash that it signs.
 *
 * DKIM-Signature, ARC-Message-Signature and ARC-Seal are the same list of tags with other
 * duties (RFC 6376 3.5, RFC 8617 4.1). Strings live in the arena or point into the field.
 */
#ifndef POLICY_DKIM_SIGNATURE_H
#define POLICY_DKIM_SIGNATURE_H

#include "base/arena.h"
#include "policy/dkim_canon.h"
#include "policy/dkim_fields.h"
#include "policy/dkim_hash.h"
#include "policy/dkim_verify.h"

enum {
	DKIM_FIELD_MAX = 65536, /* bytes of a signature field */
	DKIM_NAMES_MAX = 1000,  /* names in h= */
};

enum dkim_form {
	DKIM_FORM_SIGNATURE, /* DKIM-Signature */
	DKIM_FORM_MESSAGE,   /* ARC-Message-Signature */
	DKIM_FORM_SEAL,      /* ARC-Seal */
};

enum dkim_algorithm {
	DKIM_RSA_SHA256,
	DKIM_ED25519_SHA256,
	DKIM_RSA_SHA1,
	DKIM_NO_ALGORITHM, /* none that we know */
};

struct dkim_signature {
	struct str raw;     /* the field */
	struct str b_value; /* what is cut out of it for the hash */
	enum dkim_algorithm algorithm;
	enum dkim_canon header, body;
	struct str domain, selector; /* d= and s=, lower case */
	struct str identity;         /* i= without white space, or "@" and d= */
	struct str names;            /* h= */
	struct str b;                /* the signature's bytes */
	struct str b_text;           /* b= without white space */
	struct sha256 body_hash;     /* bh= */
	uint64_t limit;              /* l=, or DKIM_WHOLE */
	uint64_t made_s, expires_s;  /* t= and x=; 0: not given */
	unsigned instance;           /* i= of ARC */
	struct str chain;            /* cv= of ARC-Seal */
};

/* What is wrong, for people; result DKIM_NONE: nothing. */
struct dkim_problem {
	enum dkim_result result;
	const char *reason;
};

/* Reads a field. Also with a problem, what could be read is set. */
struct dkim_problem dkim_signature_parse(enum dkim_form form, struct str raw,
                                         struct arena *a,
                                         struct dkim_signature *signature_out);
/* The hash over the fields that h= names and the signature field itself. */
struct sha256 dkim_signature_hash(const struct dkim_signature *s, struct dkim_fields *f);
/* Whether h= has that name (lower case). */
bool dkim_signature_has_name(const struct dkim_signature *s, struct str name);

#endif
