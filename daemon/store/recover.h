/* recover.h - what is looked after when the store starts, before it takes operations. */
#ifndef STORE_RECOVER_H
#define STORE_RECOVER_H

#include "base/err.h"
#include "base/macros.h"
#include "base/str.h"
#include "store/db.h"

/* What was found that a clean stop would not have left. */
struct recovered {
	uint64_t strays, missing; /* segment files without a row; rows without a file */
};

/* Removes segment files without row and messages (their creation was never committed),
   marks rows
   without a file (and says so: their messages are lost until a backup is restored), and
   forgets answers to clients of long ago. Writers still hold their open segments over a
   restart of the store alone, so those stay open. */
MUSTUSE enum err recover_index(struct db *db, struct str data_dir, int64_t now_ms,
                               struct recovered *out);

#endif
