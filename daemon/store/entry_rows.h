/* entry_rows.h - the entries of a mailbox that an operation is about.
 *
 * A client names ranges of UIDs, in any order and over one another; an operation gets
 * each entry once, ascending, as many as one turn of the committer may have. All lives in
 * the transaction's arena.
 */
#ifndef STORE_ENTRY_ROWS_H
#define STORE_ENTRY_ROWS_H

#include "store/tx.h"

struct entry_rows {
	struct entry *p;
	size_t n, cap;
};

/* What is wanted of a mailbox. */
struct entry_wanted {
	const struct uid_range *ranges;
	size_t count;
	uint64_t flags; /* only entries that have all of these */
	size_t max;     /* so many of them */
};

/* The ranges ascending, none in another. ERR_LIMIT: too many. */
MUSTUSE enum err entry_wanted_sort(struct tx *tx, struct entry_wanted *w);
/* All entries that are wanted, ascending, each once, into what is zero. *next_uid_out:
   the first UID that may be one more; 0: there is none. ERR_LIMIT: more than one
   operation may touch. */
MUSTUSE enum err entry_rows_load(struct tx *tx, const struct tx_mailbox *m,
                                 struct entry_wanted w, struct entry_rows *rows_out,
                                 uint32_t *next_uid_out);
/* Do others have their turn before the i-th row? Then *next_uid_out is its UID. */
bool entry_rows_turn_ends(struct tx *tx, const struct entry_rows *rows, size_t i,
                          uint32_t *next_uid_out);

#endif
