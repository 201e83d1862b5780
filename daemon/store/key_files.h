/* key_files.h - private keys as files: data_dir/keys/dkim/NAME.pem, 0600.
 *
 * A file is synced, and its directory, before a row of the index names it; it goes after
 * the row that named it has let go of it. What a crash leaves between the two has no row
 * and goes at the next start. Only the store writes here, and only the queue process may
 * read (role/roles.def).
 */
#ifndef STORE_KEY_FILES_H
#define STORE_KEY_FILES_H

#include "base/arena.h"
#include "base/err.h"
#include "base/macros.h"
#include "base/str.h"
#include "store/types.h"

struct db;

/* Makes a key pair and writes its private half; slow, for a thread. file_out: the name
   of the file, public_out: the value of p=, both in the arena. */
MUSTUSE enum err key_files_make(struct str data_dir, enum dkim_algorithm algorithm,
                                struct arena *a, struct str *file_out,
                                struct str *public_out);
/* Removes files, by names with one space between. */
void key_files_remove(struct str data_dir, struct str names);
/* Removes those that no row names: at the start, when nothing is under way. */
MUSTUSE enum err key_files_sweep(struct db *db, struct str data_dir);

#endif
