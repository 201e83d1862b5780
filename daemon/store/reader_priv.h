/* reader_priv.h - what the files of the reader share. */
#ifndef STORE_READER_PRIV_H
#define STORE_READER_PRIV_H

#include "store/db.h"
#include "store/reader.h"

struct reader {
	struct arena *arena;
	const char *path;
	struct db *db;
	bool is_held;
};

/* The connection, opened when it is not; ERR_STORE_TEMP while there is no database. */
MUSTUSE enum err reader_db(struct reader *r, struct db **db_out);
/* A query begins, or says why not; db_next and db_done as ever. */
MUSTUSE enum err reader_query(struct reader *r, const char *sql,
                              const struct value *values, size_t count,
                              struct stmt **s_out);
MUSTUSE enum err reader_one(struct reader *r, const char *sql, const struct value *values,
                            size_t count, struct stmt **s_out);
/* Ends a query. */
MUSTUSE enum err reader_done(struct reader *r, struct stmt **s);

/* Every function that fills one struct from a row: reads it with row_read, whose strings
   borrow, keeps the strings at `strings` (offsets) in the arena. */
struct row_form {
	void (*read)(struct stmt *s, void *out);
	const uint16_t *strings; /* offsets of members of type struct str */
	size_t strings_count;
};
/* A statement with its values: QUERY("… WHERE id = $1", VALUES(V_I(id))). */
struct query {
	const char *sql;
	const struct value *values;
	size_t count;
};
#define QUERY(sql, values) (&(const struct query){ sql, values })
MUSTUSE enum err reader_get(struct reader *r, const struct query *query,
                            const struct row_form *form, struct arena *a, void *out);
/* Who is called with each row, until he says false. fn_holder points to the function of
   the public type that call knows. */
typedef bool row_call_fn(void *fn_holder, void *arg, const void *row);
struct row_calls {
	row_call_fn *call;
	void *fn_holder, *arg;
};
#define ROW_CALLS(call, fn, arg) (&(const struct row_calls){ call, fn, arg })
MUSTUSE enum err reader_each(struct reader *r, const struct query *query,
                             const struct row_form *form, void *row,
                             const struct row_calls *calls);

#endif
