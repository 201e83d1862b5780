/* srs.h - envelope senders of forwarded mail, and the way back (Sender Rewriting Scheme).
 *
 * Mail that an alias sends on to another server comes from us, so its sender must be a
 * name of ours there, or SPF fails:
 *
 *	ann@example.net          ->  SRS0=HASH=DAY=example.net=ann@our.example
 *	SRS0=…@first.example     ->  SRS1=HASH=first.example==…@our.example
 *
 * The hash is keyed, so nobody can make us send to an address that we did not write; the
 * day ends it. Notifications come back to such an address and go on to who is in it.
 * Nothing depends on case: servers on the way may have changed it. Pure.
 */
#ifndef POLICY_SRS_H
#define POLICY_SRS_H

#include "base/err.h"
#include "base/macros.h"
#include "base/str.h"
#include "base/strbuf.h"

#include <stdbool.h>
#include <stdint.h>

enum {
	SRS_DAYS_MAX = 21,     /* notifications come back within */
	SRS_SECRET_BYTES = 32, /* of the key */
};

struct srs_conf {
	struct str secret;
	struct str domain; /* of ours, for srs_forward */
	int64_t now_ms;
};

/* Appends the sender for a message that came from sender, local@domain as written, and is
   sent on. ERR_LIMIT: it would be longer than an address may be (RFC 5321 4.5.3.1);
   ERR_ADDRESS: the sender is none, or has no domain. */
MUSTUSE enum err srs_forward(const struct srs_conf *conf, struct str sender,
                             struct strbuf *out);

/* Whether the local part, without quotes, looks like one of these. */
bool srs_is_rewritten(struct str local);

/* Appends the address that a local part of ours was made from: local@domain.
   ERR_NOT_FOUND: it is none; ERR_AUTH: we did not write it; ERR_EXPIRED: too long ago. */
MUSTUSE enum err srs_reverse(const struct srs_conf *conf, struct str local,
                             struct strbuf *out);

#endif
