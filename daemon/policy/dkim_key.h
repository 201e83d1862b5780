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

/* What a key record says of the key's use. */
enum {
	DKIM_KEY_TESTING = 1 << 0, /* t=y */
	DKIM_KEY_STRICT = 1 << 1,  /* t=s: i= is of d= itself */
	DKIM_KEY_FOR_MAIL = 1 << 2,
	DKIM_KEY_SHA256 = 1 << 3,
	DKIM_KEY_SHA1 = 1 << 4,
	DKIM_KEY_REVOKED = 1 << 5, /* p= is empty */
};

/* A key record as published. */
struct dkim_key_record {
	enum crypto_key_kind kind;
	unsigned use;   /* DKIM_KEY_… */
	struct str key; /* p= as bytes */
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
