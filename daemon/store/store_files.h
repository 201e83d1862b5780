/* store_files.h - whether this process may write the files of the store. */
#ifndef STORE_STORE_FILES_H
#define STORE_STORE_FILES_H

#include "base/err.h"
#include "base/macros.h"
#include "base/str.h"

/* ERR_IO: one that is there may not be read and written (somebody put it back as root, or
   the disk is read-only); diag names it, why, and whose it is. */
MUSTUSE enum err store_files_check(struct str data_dir, struct diag *diag);

#endif
