/* auth_results.h - the Authentication-Results field (RFC 8601): written, known, read.
 *
 * Written from a verdict: one field, one result a line, folded below 78 columns where
 * its words allow it. Nothing that a stranger said can leave the place it is put in:
 * values that are no token are quoted, reasons are comments with their brackets escaped,
 * control characters and bytes that are no UTF-8 become "?".
 * Recognised while the message streams, so that fields that bear our own name are taken
 * out at the border (RFC 8601 5). Read strictly, for ARC and for reports.
 */
#ifndef POLICY_AUTH_RESULTS_H
#define POLICY_AUTH_RESULTS_H

#include "base/arena.h"
#include "base/err.h"
#include "base/macros.h"
#include "base/str.h"
#include "base/strbuf.h"
#include "policy/auth_check.h"

#include <stdbool.h>
#include <stddef.h>

enum {
	AUTH_RESULTS_MAX = 24 << 10, /* bytes of a field that we write: it fits here */
	/* A field whose name of the server is not told in so many bytes is nobody's. */
	AUTH_RESULTS_ID_MAX = 2048,
	AUTH_RESULTS_COUNT_MAX = 64,    /* results of one field that is read */
	AUTH_RESULTS_PROPERTY_MAX = 16, /* properties of one result */
};

/* --- writing ------------------------------------------------------------------------ */

/* Of our own arc=fail: whether it is for good, or DNS did not answer. */
#define AUTH_RESULTS_ARC_FAULT STR("policy.arc-fault")
#define AUTH_RESULTS_PERMANENT STR("permanent")
#define AUTH_RESULTS_TEMPORARY STR("temporary")

/* What is done with the message, in the word of policy.applied=: the policy that the
   verdict leads to, and "none" where DMARC did not fail or a trusted sealer vouches. */
enum dmarc_policy auth_results_disposition(const struct auth_verdict *verdict);
/* Appends the whole field with its name, CRLF at its end. applied: what is done with the
   message (see above), which the receiver may have decided otherwise. ERR_LIMIT: out
   is full. */
MUSTUSE enum err auth_results_format(const struct auth_request *request,
                                     const struct auth_verdict *verdict,
                                     enum dmarc_policy applied, struct strbuf *out);

/* --- recognising -------------------------------------------------------------------- */

/* Whether a field with that name is one; spaces behind the name do not matter. */
bool auth_results_is_name(struct str name);

enum auth_results_owner {
	AUTH_RESULTS_OTHER,
	AUTH_RESULTS_OURS, /* it bears our name, or claims to in a form that is none */
	AUTH_RESULTS_MORE, /* the name is not complete yet: call again with more bytes */
};

/* Whose field is this? value: what stands behind the colon, folds and all, from its first
   byte as far as it is there; is_whole: that was all. The name is compared without case,
   as A-labels, without a final dot. Never MORE where value has AUTH_RESULTS_ID_MAX bytes
   or is whole. A value from which no name can be read is ours where it has our name in
   it anywhere, and where it hides its name behind that many bytes. */
enum auth_results_owner auth_results_owner(struct str value, bool is_whole,
                                           struct str authserv_id);

/* --- reading ------------------------------------------------------------------------ */

struct auth_property {
	struct str ptype, name; /* "header", "from" */
	struct str value;       /* quotes and backslashes undone */
};

struct auth_result {
	struct str method, result; /* "dkim", "pass": as written */
	uint32_t version;
	struct str reason; /* of reason=, or empty */
	const struct auth_property *properties;
	size_t property_count;
};

struct auth_results {
	struct str authserv_id;
	uint32_t version;
	const struct auth_result *results; /* none where it says "none" */
	size_t count;
};

/* Reads a value: what stands behind "Authentication-Results:", or behind "i=1;" of
   ARC-Authentication-Results. ERR_SYNTAX; ERR_LIMIT: more than the bounds above, or the
   arena is full. Strings lie in the value or the arena. */
MUSTUSE enum err auth_results_parse(struct str value, struct arena *a,
                                    struct auth_results *results_out);
/* The first result of that method, from index `from` on; or NULL. */
const struct auth_result *auth_results_find(const struct auth_results *results,
                                            struct str method, size_t from);
/* The value of that property; empty where there is none. */
struct str auth_result_property(const struct auth_result *result, struct str ptype,
                                struct str name);

#endif
