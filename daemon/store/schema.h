/* schema.h - the tables of the index and of a day of the delivery log, and the way from
 * each older version to the newest one.
 */
#ifndef STORE_SCHEMA_H
#define STORE_SCHEMA_H

#include "base/err.h"
#include "base/macros.h"
#include "store/db.h"

/* Brings the index up to date, in one transaction. ERR_UNSUPPORTED: it was written
   by a newer version. now_ms seeds the UIDVALIDITY counter of a new index. */
MUSTUSE enum err schema_index(struct db *db, int64_t now_ms);
/* The same for a file of the delivery log. */
MUSTUSE enum err schema_day(struct db *db);
/* For one that was written by an older version and is only read from now on. */
MUSTUSE enum err schema_day_update(struct db *db);

#endif
