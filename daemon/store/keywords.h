/* keywords.h - the keywords of a mailbox: each is a bit of its entries' flags, from
 * FLAG_KEYWORD_FIRST on, and the bits of two mailboxes mean different things.
 *
 * What operations need besides, tx_keywords_bits, is in tx.h.
 * Follows: RFC 3501 2.3.2.
 */
#ifndef STORE_KEYWORDS_H
#define STORE_KEYWORDS_H

#include "store/tx.h"

struct keywords {
	struct str names[64]; /* by bit */
	uint64_t used;        /* which bits have a name */
};

/* Those of a mailbox; the names live in the transaction's arena. */
MUSTUSE enum err keywords_load(struct tx *tx, uint64_t mailbox_id,
                               struct keywords *k_out);

#endif
