/* segments.h - the store's own hold on the segment files that others append to.
 *
 * The store makes each file, opens it itself and syncs the directory before a writer
 * learns its number; so it can sync what a writer has appended without trusting it, and
 * no writer can make it sync anything else.
 *
 * Used by the committer's thread only.
 */
#ifndef STORE_SEGMENTS_H
#define STORE_SEGMENTS_H

#include "base/err.h"
#include "base/macros.h"
#include "base/str.h"

#include <stdbool.h>
#include <stdint.h>

struct segments;

/* Makes data_dir/blobs where it is missing. ERR_IO. */
MUSTUSE enum err segments_open(struct str data_dir, struct segments **out);
void segments_close(struct segments **s);

/* Makes the file of this number. ERR_EXISTS: there is one already (take the next number);
   ERR_DISK_FULL, ERR_IO. */
MUSTUSE enum err segments_create(struct segments *s, uint64_t number);
/* The bytes of its records, ERR_NOT_FOUND where there is no such file. */
MUSTUSE enum err segments_size(struct segments *s, uint64_t number, uint64_t *size_out);
/* Writes behind what was written into a segment that no other process appends to; its
   file is longer, until it is sealed or all are closed. ERR_DISK_FULL, ERR_IO. parts is
   used up. */
struct iovec;
MUSTUSE enum err segments_write(struct segments *s, uint64_t number, struct iovec *parts,
                                int count, uint64_t at);
/* Remembers that a segment must be synced; nothing for one that does not exist. */
void segments_touch(struct segments *s, uint64_t number);
/* Syncs all that were touched. A failed sync ends the process. */
void segments_sync(struct segments *s);
/* How many syncs there have been. */
uint64_t segments_sync_count(const struct segments *s);
/* Closes the file; nobody appends any more. */
void segments_seal(struct segments *s, uint64_t number);
/* Removes the file of a segment without live records. */
void segments_remove(struct segments *s, uint64_t number);

#endif
