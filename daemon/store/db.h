/* db.h - one connection to a database, the same for every engine.
 *
 * The SQL of store/ keeps to what SQLite 3.40 and PostgreSQL 15 share: parameters $1, $2
 * … in the order of their first use, INSERT … ON CONFLICT, RETURNING; no rowid.
 * Statements are string literals, prepared once per connection and reused. Only
 * db_sqlite.c knows the engine. A connection is used by one thread at a time.
 *
 * Errors: ERR_NOT_FOUND (db_one: no row; reading: the table is not there yet),
 * ERR_EXISTS (a UNIQUE promise), ERR_DISK_FULL, ERR_STORE_TEMP (busy, no database),
 * ERR_CORRUPT, ERR_IO, ERR_INTERNAL (our SQL is wrong). A failed sync ends the process
 * at once: nothing may be acknowledged after it.
 */
#ifndef STORE_DB_H
#define STORE_DB_H

#include "base/err.h"
#include "base/macros.h"
#include "base/str.h"
#include "base/strbuf.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct db;
struct stmt; /* a statement that runs */

enum db_mode {
	DB_READ,  /* the file must exist; ERR_STORE_TEMP where it does not (yet) */
	DB_WRITE, /* is made where there is none; every commit is synced */
};

MUSTUSE enum err db_open(const char *path, enum db_mode mode, struct db **db_out);
void db_close(struct db **db);
/* The files beside the database stay when the last one closes it: who may open only what
   is there now can open it again. For writers. */
void db_keep_files(struct db *db);
/* Gives back memory that only saves time, between statements, and moves a long log into
   the database file, where readers find its pages faster: for who has nothing to do.
   db may be NULL. */
void db_rest(struct db *db);
/* The engine's words for the last error, for the log; never NULL. */
const char *db_error(struct db *db);

/* A parameter. */
enum value_kind {
	VALUE_INT,
	VALUE_TEXT,
	VALUE_BYTES,
};
struct value {
	enum value_kind kind;
	int64_t i;
	struct str s;
};
#define V_I(x) ((struct value){ VALUE_INT, (int64_t)(x), { NULL, 0 } })
#define V_S(x) ((struct value){ VALUE_TEXT, 0, (x) })
#define V_B(x) ((struct value){ VALUE_BYTES, 0, (x) })
/* The last two arguments of the functions below: VALUES(V_I(id), V_S(name)). */
#define VALUES(...)                                                                      \
	((const struct value[]){ __VA_ARGS__ }),                                         \
		(sizeof((const struct value[]){ __VA_ARGS__ }) / sizeof(struct value))
#define NO_VALUES NULL, 0

/* Runs a statement whose rows nobody wants. *changed_out (may be NULL): rows it changed.
   Values are borrowed for the call. */
MUSTUSE enum err db_run(struct db *db, const char *sql, const struct value *values,
                        size_t count);
/* Rows that the last db_run changed. */
size_t db_changed(struct db *db);
/* Begins a query. Rows come with db_next; db_done must follow whatever happens. The same
   text may not run twice at the same time. Values are borrowed until db_done. NULL only
   before db_done says why (db_next of NULL is false). */
struct stmt *db_query(struct db *db, const char *sql, const struct value *values,
                      size_t count);
/* The next row; false at the end and on errors. Columns are good until the next call. */
bool db_next(struct stmt *s);
/* Ends the query; OK, or what went wrong since db_query. *s becomes NULL. */
MUSTUSE enum err db_done(struct db *db, struct stmt **s);
/* A query for one row: OK with *s at it (db_end(s) must follow), or an error with *s
   NULL. */
MUSTUSE enum err db_one(struct db *db, const char *sql, const struct value *values,
                        size_t count, struct stmt **s_out);
void db_end(struct stmt **s);

int64_t db_i64(struct stmt *s, int column);
uint64_t db_u64(struct stmt *s, int column);
uint32_t db_u32(struct stmt *s, int column);
/* Text or bytes; NULL and missing ones are empty. */
struct str db_str(struct stmt *s, int column);

/* Adds text as LIKE … ESCAPE '\\' takes it: it stands for itself only. */
void db_like(struct strbuf *out, struct str text);

/* Transactions. A read transaction sees one state throughout. */
MUSTUSE enum err db_begin(struct db *db, enum db_mode mode);
MUSTUSE enum err db_commit(struct db *db);
void db_rollback(struct db *db);
/* False: an error (no memory, disk full, I/O) has taken back all of the transaction. It
   must be rolled back; until then every statement fails with ERR_STORE_TEMP. */
bool db_is_whole(struct db *db);

/* Schema statements, several separated by ";". $ID is the type of a numeric primary key,
   $INT of a 64-bit number, $BYTES of bytes, $CLUSTERED goes behind the parentheses of a
   table that is read along its primary key. */
MUSTUSE enum err db_define(struct db *db, const char *ddl);

/* Reads every page and looks whether they fit together. ERR_CORRUPT: they do not, the
   engine's words are in diag; other errors: it could not be found out. goes_on is asked
   now and then; once it says false, ERR_SHUTDOWN. One read transaction. */
MUSTUSE enum err db_check(struct db *db, bool (*goes_on)(void *arg), void *arg,
                          struct diag *diag);

/* Moves what is in the log into the database file and empties the log, as far as readers
   allow; they are waited for a moment only. For the end of a writer: SQLite does it when
   the last connection goes, but that may be one that only reads. A log that stays is
   trusted up to its first damaged frame, and what was committed behind that is gone. */
void db_checkpoint(struct db *db);

#endif
