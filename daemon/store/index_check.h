/* index_check.h - looks whether the pages of the index still fit together.
 *
 * A thread of its own reads all of them when the store has started and once a day: bits
 * change on disks, and who only finds out by the one page that somebody needs finds out
 * when the last good backup is gone. It sees what breaks the structure, not a changed
 * number in a row; message bodies have their own sums (body.h). The index is only read.
 */
#ifndef STORE_INDEX_CHECK_H
#define STORE_INDEX_CHECK_H

#include "base/str.h"
#include "io/loop.h"

struct index_check;

/* Told on the loop, once. reason is good during the call. */
typedef void index_damaged_fn(void *arg, struct str reason);

struct index_check *index_check_new(struct loop *loop, struct str data_dir,
                                    index_damaged_fn *fn, void *arg);
/* Ends a look that is under way, and waits for the thread. */
void index_check_free(struct index_check **c);
bool index_check_found_damage(struct index_check *c);

#endif
