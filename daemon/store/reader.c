#include "store/reader_priv.h"

#include "base/mem.h"
#include "conf/conf.h"
#include "store/head.h"

#include <stddef.h>

struct reader *
reader_open_dir(struct str data_dir)
{
	struct reader *r = mem_alloc(sizeof(*r));

	r->arena = arena_new(16 * 1024);
	r->path = arena_printf(r->arena, "%.*s/index.db", STR_ARG(data_dir)).p;
	return r;
}

struct reader *
reader_open(const struct conf *conf)
{
	return reader_open_dir(conf->data_dir);
}

void
reader_close(struct reader **r)
{
	if (!*r)
		return;
	reader_release(*r);
	db_close(&(*r)->db);
	arena_free(&(*r)->arena);
	mem_free(*r);
	*r = NULL;
}

enum err
reader_db(struct reader *r, struct db **db_out)
{
	enum err e = r->db ? OK : db_open(r->path, DB_READ, &r->db);

	*db_out = r->db;
	return e;
}

enum err
reader_hold(struct reader *r)
{
	struct db *db;
	enum err e = reader_db(r, &db);

	if (e == OK)
		e = db_begin(db, DB_READ);
	r->is_held = e == OK;
	return e;
}

void
reader_release(struct reader *r)
{
	if (r->is_held)
		db_rollback(r->db);
	r->is_held = false;
}

enum err
reader_query(struct reader *r, const char *sql, const struct value *values, size_t count,
             struct stmt **s_out)
{
	struct db *db;
	enum err e = reader_db(r, &db);

	*s_out = NULL;
	if (e != OK)
		return e;
	*s_out = db_query(db, sql, values, count);
	if (*s_out)
		return OK;
	e = db_done(db, s_out);
	/* The store has made the file and not yet its tables. */
	return e == ERR_NOT_FOUND ? ERR_STORE_TEMP : e;
}

enum err
reader_one(struct reader *r, const char *sql, const struct value *values, size_t count,
           struct stmt **s_out)
{
	enum err e = reader_query(r, sql, values, count, s_out);

	if (e != OK || db_next(*s_out))
		return e;
	e = db_done(r->db, s_out);
	return e == OK ? ERR_NOT_FOUND : e;
}

enum err
reader_done(struct reader *r, struct stmt **s)
{
	return db_done(r->db, s);
}

static enum err
keep(const struct row_form *form, struct arena *a, void *row)
{
	enum err e = OK;

	for (size_t i = 0; i < form->strings_count && e == OK; i++) {
		struct str *s = (void *)((char *)row + form->strings[i]);

		e = head_keep(&s, 1, a);
	}
	return e;
}

enum err
reader_get(struct reader *r, const struct query *query, const struct row_form *form,
           struct arena *a, void *out)
{
	struct stmt *s;
	enum err e = reader_one(r, query->sql, query->values, query->count, &s);

	if (e != OK)
		return e;
	form->read(s, out);
	e = keep(form, a, out);
	db_end(&s);
	return e;
}

enum err
reader_each(struct reader *r, const struct query *query, const struct row_form *form,
            void *row, const struct row_calls *calls)
{
	struct stmt *s;
	enum err e = reader_query(r, query->sql, query->values, query->count, &s);

	if (e != OK)
		return e;
	while (db_next(s)) {
		form->read(s, row);
		if (!calls->call(calls->fn_holder, calls->arg, row))
			break;
	}
	return db_done(r->db, &s);
}
