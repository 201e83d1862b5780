/* carried.h - bodies that travel inside operations, on their way into a segment.
 *
 * What body_finish() makes of a small message lies in the operation itself
 * (new_body.record), so that all such bodies of a batch, whichever process took them in,
 * are one write and one sync: they go to one segment of the store's own. Larger ones lie
 * in a segment of their writer already, and only have to be synced.
 *
 * Borrows: the segments. Used by the committer's thread only.
 */
#ifndef STORE_CARRIED_H
#define STORE_CARRIED_H

#include "base/macros.h"
#include "store/ops.h"
#include "store/segments.h"

/* The segment they go to. */
struct carried {
	struct segments *segments;
	uint64_t number; /* 0: none yet */
	uint64_t size;   /* where the next record goes */
};

/* Bytes of bodies that this operation carries. Segments in which its other bodies lie are
   marked for the next segments_sync. */
size_t carried_look(struct carried *c, enum op op, void *args);
/* Is there a segment with room? Else give it one (carried_use) first. */
bool carried_has_room(const struct carried *c);
void carried_use(struct carried *c, uint64_t number);
/* Writes what these operations carry and puts the places into their references; to be
   synced by the next segments_sync. Bodies whose record is none keep a reference to
   segment 0. ERR_DISK_FULL, ERR_IO: then all of them do. */
struct carried_op {
	enum op op;
	void *args; /* NULL: passed over */
};
MUSTUSE enum err carried_write(struct carried *c, const struct carried_op *ops,
                               size_t count);

#endif
