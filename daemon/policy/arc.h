/* arc.h - what earlier receivers found, sealed by each (RFC 8617).
 *
 * Validation works like dkim_verify.h, while the message streams. Sealing takes what was
 * validated and the Authentication-Results payload, and makes the next set.
 */
#ifndef POLICY_ARC_H
#define POLICY_ARC_H

#include "base/err.h"
#include "base/strbuf.h"
#include "policy/lookups.h"

struct crypto_key; /* ext/crypto.h */

enum {
	ARC_SETS_MAX = 50, /* RFC 8617 4.2.1 */
};

enum arc_result {
	/* No sets; or a forwarder has sealed that the chain was broken, which ends it.
	   RFC 8617 5.2 calls the latter "fail", the public test suite "none": it is the
	   one broken chain that nobody after the forwarder can mend or has to tell of. */
	ARC_NONE,
	ARC_PASS,
	ARC_FAIL,
};

/* One set of a chain that is whole; i = 1 … count. */
struct arc_set {
	struct str seal_domain, seal_selector; /* of the ARC-Seal */
	struct str signature_domain;           /* of the ARC-Message-Signature */
	struct str results; /* the payload of ARC-Authentication-Results, behind "i=1;" */
};

struct arc_verdict {
	enum arc_result result;
	size_t count; /* sets, also of a broken chain where they can be told */
	const struct arc_set *sets; /* count of them where the result is ARC_PASS */
	size_t oldest_pass;         /* RFC 8617 5.2: from this instance on the message is
	                                unchanged; 0: from the beginning */
	bool is_temporary;          /* of ARC_FAIL: DNS did not answer; ask again later */
	struct str reason;          /* why, in plain words, on one line */
};

struct arc_validator;

struct arc_validator *arc_validator_new(struct arena *a);
/* As in dkim_verify.h. */
void arc_validator_header(struct arc_validator *v, struct str header);
void arc_validator_body(struct arc_validator *v, struct str bytes);
void arc_validator_end(struct arc_validator *v);
MUSTUSE enum policy_step arc_validator_check(struct arc_validator *v, int64_t now_ms,
                                             struct lookups *l,
                                             struct arc_verdict *verdict_out);
void arc_validator_free(struct arc_validator **v);

/* Sealing: what the new set says of itself. */
struct arc_seal {
	struct str domain, selector, authserv_id;
	const struct crypto_key *key;
	struct str results; /* what was found, behind "authserv-id;" */
	struct str headers; /* names to sign, separated by ":"; empty: what dkim_sign.h
	                       signs, and the DKIM signatures */
	int64_t now_ms;
};

struct arc_sealer;

struct arc_sealer *arc_sealer_new(struct arena *a);
/* As in dkim_sign.h; the header is borrowed until the end. */
void arc_sealer_header(struct arc_sealer *s, struct str header);
void arc_sealer_body(struct arc_sealer *s, struct str bytes);
/* Appends ARC-Seal, ARC-Message-Signature and ARC-Authentication-Results for a message
   whose chain had this verdict; header and body as they will be sent on. A chain that
   failed is sealed with cv=fail (RFC 8617 5.1.2). ERR_LIMIT: there are 50 sets already;
   ERR_CONFLICT: the chain ended with cv=fail, nothing more is added to it; ERR_DNS_TEMP:
   the verdict is temporary; ERR_MESSAGE_SYNTAX: too many header fields. */
MUSTUSE enum err arc_sealer_end(struct arc_sealer *s, const struct arc_seal *seal,
                                const struct arc_verdict *verdict, struct strbuf *out);
void arc_sealer_free(struct arc_sealer **s);
/* All of it at once. */
MUSTUSE enum err arc_seal(struct arena *a, const struct arc_seal *seal,
                          const struct arc_verdict *verdict, struct str header,
                          struct str body, struct strbuf *out);
/* What the Authentication-Results fields of that server say, behind "authserv-id;", the
   topmost field first (RFC 8617 5.1); empty: there is none. */
struct str arc_results_of(struct str header, struct str authserv_id, struct arena *a);
/* What validation said when the message came in, read back from such results and the
   header: enough for arc_sealer_end(). ERR_NOT_FOUND: they do not tell of a chain;
   ERR_CONFLICT: they tell of one that failed, but not whether DNS was only silent for a
   while, so it is not sealed as broken for ever. ERR_MESSAGE_SYNTAX: results and header
   do not fit together. */
MUSTUSE enum err arc_verdict_of(struct str header, struct str results, struct arena *a,
                                struct arc_verdict *verdict_out);

const char *arc_result_word(enum arc_result r);

#endif
