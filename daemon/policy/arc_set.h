/* arc_set.h - the sets of a chain, gathered from the header (RFC 8617 4.2).
 *
 * Borrows the header.
 */
#ifndef POLICY_ARC_SET_H
#define POLICY_ARC_SET_H

#include "policy/arc.h"
#include "policy/dkim_canon.h"

/* The three fields of one set as they stand in the message; empty: missing. */
struct arc_fields {
	struct str results, message, seal;
};

struct arc_chain {
	size_t count;        /* the highest number */
	const char *problem; /* why it is no whole chain, in plain words; NULL: it is */
	struct arc_fields sets[ARC_SETS_MAX];
};

void arc_chain_gather(struct str header, struct arc_chain *chain_out);
/* Gives a set to a sink as a seal signs it; is_own: the seal that signs, whose b= (a part
   of it) is cut out and after which no line ends. */
void arc_chain_canon(const struct arc_fields *set, bool is_own, struct str b_value,
                     dkim_sink_fn *sink, void *arg);
/* Takes "i=1;" off an ARC-Authentication-Results value; 0: it does not begin so. */
unsigned arc_take_instance(struct str *value);

#endif
