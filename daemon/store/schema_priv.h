/* schema_priv.h - the steps of the schema one by one, for its tests. */
#ifndef STORE_SCHEMA_PRIV_H
#define STORE_SCHEMA_PRIV_H

#include "base/err.h"
#include "base/macros.h"
#include "store/db.h"

#include <stdint.h>

/* How many versions there have been; the statements that lead to one from the one before
   (1 is the first). */
int64_t schema_index_versions(void);
const char *schema_index_step(int64_t version);
int64_t schema_day_versions(void);
const char *schema_day_step(int64_t version);
/* Brings a new file to an earlier version, as a program of that time left it. */
MUSTUSE enum err schema_index_at(struct db *db, int64_t version);
MUSTUSE enum err schema_day_at(struct db *db, int64_t version);

#endif
