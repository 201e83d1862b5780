/* db_sqlite_priv.h - inside of the SQLite wrapper. */
#ifndef STORE_DB_SQLITE_PRIV_H
#define STORE_DB_SQLITE_PRIV_H

#include <stdint.h>

struct sqlite3_file;

/* The name of the file layer for connections that write; makes it the first time. It is
   the system's own, but that the write-ahead log is written in few large pieces. */
const char *sqlite_gather(void);
/* Gives back the memory in which a log waits, where nothing does. Any file, or NULL. */
void sqlite_gather_rest(struct sqlite3_file *file);
/* How far such a log reaches that was written last; 0: another file. */
int64_t sqlite_gather_bytes(struct sqlite3_file *file);

#endif
