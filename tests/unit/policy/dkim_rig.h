/* dkim_rig.h - messages signed and judged in tests of DKIM and ARC.
 *
 * A rig has a name service of its own and the Ed25519 key of RFC 8463 A.2, published at
 * k._domainkey.a.example. Every message is judged twice, its body whole and byte by byte,
 * and both verdicts must be the same.
 */
#ifndef TESTS_UNIT_POLICY_DKIM_RIG_H
#define TESTS_UNIT_POLICY_DKIM_RIG_H

#include "ext/crypto.h"
#include "policy/arc.h"
#include "policy/dkim_canon.h"
#include "policy/dkim_verify.h"

#define RIG_KEY    "v=DKIM1; k=ed25519; p=11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo="
#define RIG_NOW_MS INT64_C(1795439162000) /* 2026-11-23 */

enum {
	RIG_RECORDS_MAX = 8,
	RIG_VERDICTS_MAX = 24,
};

struct rig_record {
	const char *name, *text;
	enum dns_status status;
};

struct rig {
	struct arena *arena;
	struct crypto_key *key;
	size_t record_count;
	struct rig_record records[RIG_RECORDS_MAX];
	/* Of the last message: */
	size_t count;
	struct dkim_verdict verdicts[RIG_VERDICTS_MAX];
	size_t questions; /* that were asked */
};

void rig_init(struct rig *r);
void rig_fini(struct rig *r);
/* Adds a record; text NULL: the name is answered with that status. */
void rig_record(struct rig *r, const char *name, const char *text,
                enum dns_status status);
void rig_answer(struct rig *r, struct lookups *l);

/* The text with CRLF for each LF. */
struct str rig_crlf(struct rig *r, const char *text);
/* s with its first `from` as `to`; it must have one. */
struct str rig_replace(struct rig *r, struct str s, const char *from, const char *to);
/* Header and body of a message: split at the first empty line. */
void rig_split(struct str message, struct str *header_out, struct str *body_out);

/* A DKIM-Signature field with these tags and then "; b=" and what signs them; in them
   "@bh" stands for the hash of the body, cut to `limit` bytes of its canonical form. */
struct str rig_sign(struct rig *r, const char *tags, struct str header, struct str body,
                    uint64_t limit);
/* Fills count and verdicts; returns the first one in words: "fail: reason", or "none". */
struct str rig_verify(struct rig *r, struct str message);
struct arc_verdict rig_arc(struct rig *r, struct str message);

#endif
