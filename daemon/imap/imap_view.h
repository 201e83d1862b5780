/* imap_view.h - which message has which number, as one client sees it.
 *
 * Sequence numbers follow from the UIDs that the client has been told of, in order. UIDs
 * come in runs, so the map is a sorted list of runs: a mailbox nothing was deleted from
 * is one of them, whatever its size. Also used for the set of recent messages.
 */
#ifndef IMAP_IMAP_VIEW_H
#define IMAP_IMAP_VIEW_H

#include "base/macros.h"
#include "imap/imap_set.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct imap_run {
	uint32_t first, last; /* UIDs */
	uint32_t seq;         /* of first */
};

struct imap_view {
	struct imap_run *runs;
	size_t n, cap;
	uint32_t count;
};

void imap_view_fini(struct imap_view *v);
/* One more message behind all others; a UID that is not larger than all of them is left
   out. */
void imap_view_add(struct imap_view *v, uint32_t uid);
/* The same for all from `first` to `to`. */
void imap_view_add_run(struct imap_view *v, uint32_t first, uint32_t to);
/* These UIDs, ascending, as well; some may be there already. */
void imap_view_insert(struct imap_view *v, const uint32_t *uids, size_t n);
/* The number of that UID, or 0. */
uint32_t imap_view_seq(const struct imap_view *v, uint32_t uid);
/* The UID of that number; 1 <= seq <= count. */
uint32_t imap_view_uid(const struct imap_view *v, uint32_t seq);
/* The largest UID, or 0. */
uint32_t imap_view_last(const struct imap_view *v);
/* Takes these UIDs out: ascending, and in the view. */
void imap_view_remove(struct imap_view *v, const uint32_t *uids, size_t n);
/* The UIDs of a resolved set of sequence numbers (of UIDs), in the arena; only what is in
   the view. False where the arena is full. */
MUSTUSE bool imap_view_uids_of_seqs(const struct imap_view *v,
                                    const struct imap_set *seqs, struct arena *a,
                                    struct imap_set *uids_out);
MUSTUSE bool imap_view_uids_of_uids(const struct imap_view *v,
                                    const struct imap_set *uids, struct arena *a,
                                    struct imap_set *uids_out);
void imap_view_check(const struct imap_view *v);

#endif
