/* dkim_sign.h - vouching for a message that leaves (RFC 6376 5, RFC 8463).
 *
 * relaxed/relaxed, never l=, with t= and x=; From and the fields that people see are
 * oversigned, so that no second one can be added. Several keys sign one message in one
 * pass over its body: the header section whole, the body in any pieces.
 */
#ifndef POLICY_DKIM_SIGN_H
#define POLICY_DKIM_SIGN_H

#include "base/arena.h"
#include "base/err.h"
#include "base/macros.h"
#include "base/str.h"
#include "base/strbuf.h"

#include <stdint.h>

struct crypto_key; /* ext/crypto.h */
struct dkim_signer;

struct dkim_signing_key {
	struct str domain, selector; /* d= and s= */
	const struct crypto_key *key;
};

struct dkim_signer *dkim_signer_new(struct arena *a);
void dkim_signer_header(struct dkim_signer *s, struct str header);
void dkim_signer_body(struct dkim_signer *s, struct str bytes);
/* The body is complete: appends one DKIM-Signature field for each key, folded, lines end
   in CRLF. expires_s: from now on, 0: without x=. ERR_MESSAGE_SYNTAX: there is not
   exactly one From field; ERR_INTERNAL: a key cannot sign. */
MUSTUSE enum err dkim_signer_end(struct dkim_signer *s,
                                 const struct dkim_signing_key *keys, size_t count,
                                 int64_t now_ms, int64_t expires_s, struct strbuf *out);
void dkim_signer_free(struct dkim_signer **s);

#endif
