/* db_sqlite_priv.h - inside of the SQLite wrapper. */
#ifndef STORE_DB_SQLITE_PRIV_H
#define STORE_DB_SQLITE_PRIV_H

/* The name of the file layer for connections that write; makes it the first time. It is
   the system's own, but that the write-ahead log is written in few large pieces. */
const char *sqlite_gather(void);

#endif
