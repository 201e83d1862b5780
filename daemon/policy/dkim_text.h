/* dkim_text.h - writing signature fields: which names, folded how, signed how.
 *
 * Shared by DKIM and ARC. A field is written with an empty b=, hashed, signed, and put
 * out with the signature in its place.
 */
#ifndef POLICY_DKIM_TEXT_H
#define POLICY_DKIM_TEXT_H

#include "base/err.h"
#include "base/strbuf.h"
#include "ext/crypto.h"
#include "policy/dkim_fields.h"

enum {
	DKIM_TEXT_MAX = 16384, /* bytes of a field of ours */
};

struct dkim_text {
	struct strbuf b;
	size_t column;
	size_t signature_at; /* where the value of b= goes */
};

/* Begins with "Name:". */
void dkim_text_begin(struct dkim_text *t, struct arena *a, struct str name);
/* "; name=value", folded before it where the line is full. */
void dkim_text_tag(struct dkim_text *t, const char *name, struct str value);
/* The same with a number. */
void dkim_text_number(struct dkim_text *t, const char *name, int64_t value);
/* The same for a list separated by ":", which may be folded inside. */
void dkim_text_list(struct dkim_text *t, const char *name, struct str list);
/* "; b=", whose value comes at the end. */
void dkim_text_signature(struct dkim_text *t);
/* Signs the digest and appends field, signature and line end. A signature on one line
   (!is_folded) is the same bytes in every canonicalisation, so that the seal of a chain
   depends on nobody's taste in folding. ERR_INTERNAL: the key cannot sign; ERR_LIMIT:
   there is no room. */
MUSTUSE enum err dkim_text_end(const struct dkim_text *t, const struct crypto_key *key,
                               const struct sha256 *digest, bool is_folded,
                               struct strbuf *out);

/* "rsa-sha256" or "ed25519-sha256". */
struct str dkim_algorithm_of(const struct crypto_key *key);
/* What we sign of a message, separated by ":": the fields that people and programs go by,
   those that may stand once named once more, so that none can be added. with_dkim: the
   DKIM signatures as well. */
struct str dkim_names_of(const struct dkim_fields *f, bool with_dkim, struct arena *a);

#endif
