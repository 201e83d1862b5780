/* dkim_key.h - the key that a signature names, from the name service (RFC 6376 3.6).
 *
 * Where a name has several records, each that may serve is tried.
 */
#ifndef POLICY_DKIM_KEY_H
#define POLICY_DKIM_KEY_H

#include "ext/crypto.h"
#include "policy/dkim_signature.h"
#include "policy/lookups.h"

enum {
	DKIM_KEY_RECORDS_MAX = 4, /* at one name that are looked at */
	DKIM_RSA_BITS_MIN = 1024, /* RFC 8301 3.2 */
};

/* A key record as published. */
struct dkim_key_record {
	enum crypto_key_kind kind;
	bool is_testing; /* t=y */
	bool is_strict;  /* t=s: i= is of d= itself */
	bool is_for_mail, has_sha256, has_sha1;
	struct str key; /* p= as bytes; empty: revoked */
};

/* Reads a record. ERR_NOT_FOUND: it is none of DKIM1; ERR_SYNTAX: a broken one, or
   without p=; ERR_UNSUPPORTED: a kind of key that we do not know. */
MUSTUSE enum err dkim_key_record_parse(struct str text, struct arena *a,
                                       struct dkim_key_record *record_out);

struct dkim_key_check {
	struct dkim_problem problem; /* DKIM_NONE: the signature is the key's */
	unsigned bits;               /* of the key that was tried, 0: none */
	bool is_testing;
};

/* Is the signature over that digest good? Asks for the key first. */
MUSTUSE enum policy_step dkim_key_check(const struct dkim_signature *s,
                                        const struct sha256 *digest, struct lookups *l,
                                        struct arena *a,
                                        struct dkim_key_check *check_out);
/* Asks for the key alone, so that several are asked for at once. */
MUSTUSE enum policy_step dkim_key_ask(const struct dkim_signature *s, struct lookups *l);

#endif
