#include "store/db.h"

#include "base/arena.h"
#include "base/event.h"
#include "base/mem.h"
#include "base/panic.h"
#include "base/strbuf.h"
#include "store/db_sqlite_priv.h"

#include <errno.h>
#include <pthread.h>
#include <sqlite3.h>
#include <stdlib.h>
#include <unistd.h>

enum {
	STATEMENTS_MAX = 256, /* power of two; different texts on one connection */
	BUSY_MS = 10000,
	CHECKPOINT_BUSY_MS = 200,
	CACHE_KIB = 8 * 1024,
	CHECKPOINT_PAGES = 4000,
	REST_LOG_BYTES = 2 << 20, /* readers keep that much in memory */
	PROGRESS_STEPS = 10000,   /* of SQLite's machine: some hundred microseconds */
	VARIABLES_MAX = 64,
};

struct stmt {
	const char *sql; /* NULL: free slot; compared by address */
	struct db *db;
	sqlite3_stmt *handle;
	bool is_running;
	enum err error;
};

struct db {
	sqlite3 *handle;
	enum db_mode mode;
	bool in_transaction;
	enum err prepare_error; /* of a db_query that gave NULL */
	struct stmt statements[STATEMENTS_MAX];
	size_t statement_count;
};

/* Whatever SQLite says, as one of ours. A sync that failed leaves nobody knowing what is
   on disk: the kernel may have dropped the dirty pages, so trying again would lie. The
   process ends, the supervisor starts it, recovery reads the disk. */
static enum err
error_of(struct db *db, int rc)
{
	int extended = db->handle ? sqlite3_extended_errcode(db->handle) : rc;

	if (extended == SQLITE_IOERR_FSYNC || extended == SQLITE_IOERR_DIR_FSYNC)
		PANIC("sync of the database failed");
	switch (rc & 0xff) {
	case SQLITE_OK:
	case SQLITE_ROW:
	case SQLITE_DONE:
		return OK;
	case SQLITE_FULL:
		return ERR_DISK_FULL;
	case SQLITE_CONSTRAINT:
		return extended == SQLITE_CONSTRAINT_UNIQUE ||
		                       extended == SQLITE_CONSTRAINT_PRIMARYKEY
		               ? ERR_EXISTS
		               : ERR_INVALID;
	case SQLITE_BUSY:
	case SQLITE_LOCKED:
	case SQLITE_CANTOPEN:
	case SQLITE_PROTOCOL:
	case SQLITE_NOMEM:
	case SQLITE_INTERRUPT:
		return ERR_STORE_TEMP;
	case SQLITE_CORRUPT:
	case SQLITE_NOTADB:
		return ERR_CORRUPT;
	/* Also SQLITE_IOERR_CORRUPTFS, which is its word for a read that failed with EIO:
	   the same bytes may be read another time. */
	case SQLITE_IOERR:
		return ERR_IO;
	case SQLITE_TOOBIG:
		return ERR_LIMIT;
	default:
		return ERR_INTERNAL;
	}
}

static enum err
report(struct db *db, int rc, const char *sql)
{
	enum err e = error_of(db, rc);

	if (e == ERR_INTERNAL || e == ERR_CORRUPT || e == ERR_IO) {
		char bytes[1024];
		struct strbuf words = strbuf_on(bytes);

		strbuf_lit(&words, "reason=");
		logfmt_value(&words, str_from(db_error(db)));
		strbuf_lit(&words, " sql=");
		logfmt_value(&words, str_first(str_from(sql), 200));
		log_line(LEVEL_ERROR, "store.database", "%.*s",
		         STR_ARG(strbuf_str(&words)));
	}
	return e;
}

const char *
db_error(struct db *db)
{
	return db && db->handle ? sqlite3_errmsg(db->handle) : "no database";
}

static enum err
pragma(struct db *db, const char *sql)
{
	return report(db, sqlite3_exec(db->handle, sql, NULL, NULL, NULL), sql);
}

/* What cannot be moved now stays in the log; report() ends the process where a sync
   failed. */
static void
checkpoint(struct db *db, int how)
{
	int rc = sqlite3_wal_checkpoint_v2(db->handle, NULL, how, NULL, NULL);

	(void)!report(db, rc, "checkpoint");
}

static int
on_committed(void *arg, sqlite3 *handle, const char *name, int pages)
{
	(void)handle;
	(void)name;
	if (pages >= CHECKPOINT_PAGES)
		checkpoint(arg, SQLITE_CHECKPOINT_PASSIVE);
	return SQLITE_OK;
}

static enum err
set_up(struct db *db)
{
	enum err e;
	char bytes[64];
	struct strbuf sql = strbuf_on(bytes);

	(void)sqlite3_busy_timeout(db->handle, BUSY_MS);
	(void)sqlite3_extended_result_codes(db->handle, 1);
	strbuf_printf(&sql, "PRAGMA cache_size=-%d",
	              db->mode == DB_WRITE ? CACHE_KIB : CACHE_KIB / 4);
	e = pragma(db, strbuf_cstr(&sql));
	/* Sorting must not need a file: no directory for it is open to us. */
	if (e == OK)
		e = pragma(db, "PRAGMA temp_store=MEMORY");
	/* A page whose bits have changed must not lead outside of it. */
	if (e == OK)
		e = pragma(db, "PRAGMA cell_size_check=ON");
	/* Readers take pages out of the page cache as they lie there: half the cost of a
	   long FETCH was copying them. The file only grows: there is no VACUUM. */
	if (e == OK && db->mode == DB_READ)
		e = pragma(db, "PRAGMA mmap_size=1073741824");
	if (e != OK || db->mode == DB_READ)
		return e;
	e = pragma(db, "PRAGMA journal_mode=WAL");
	if (e == OK)
		e = pragma(db, "PRAGMA synchronous=FULL");
	/* In place of SQLite's own, which keeps an error to itself. */
	(void)sqlite3_wal_hook(db->handle, on_committed, db);
	return e;
}

/* Nobody asks how much memory there is in use, and counting it takes a lock that all
   connections share for each piece of it. Pages of the cache come one by one: most
   connections need few, as they read the file where the kernel has it. */
static void
configure(void)
{
	(void)sqlite3_config(SQLITE_CONFIG_PAGECACHE, NULL, 0, 0);
	(void)sqlite3_config(SQLITE_CONFIG_MEMSTATUS, 0);
}

enum err
db_open(const char *path, enum db_mode mode, struct db **db_out)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;
	struct db *db = mem_alloc(sizeof(*db));
	int flags = SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_NOFOLLOW |
	            (mode == DB_READ ? SQLITE_OPEN_READONLY
	                             : SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE);
	enum err e;

	(void)pthread_once(&once, configure);
	*db_out = NULL;
	db->mode = mode;
	if (mode == DB_READ && access(path, R_OK) != 0) {
		mem_free(db);
		return ERR_STORE_TEMP;
	}
	e = error_of(db, sqlite3_open_v2(path, &db->handle, flags,
	                                 mode == DB_WRITE ? sqlite_gather() : NULL));
	if (e == OK)
		e = set_up(db);
	if (e != OK) {
		db_close(&db);
		return e;
	}
	*db_out = db;
	return OK;
}

void
db_keep_files(struct db *db)
{
	int keep = 1;

	(void)sqlite3_file_control(db->handle, NULL, SQLITE_FCNTL_PERSIST_WAL, &keep);
}

void
db_rest(struct db *db)
{
	sqlite3_file *log = NULL;

	if (!db)
		return;
	(void)sqlite3_db_release_memory(db->handle);
	if (db->mode == DB_WRITE &&
	    sqlite3_file_control(db->handle, NULL, SQLITE_FCNTL_JOURNAL_POINTER, &log) ==
	            SQLITE_OK) {
		/* What lies in the log is read with a system call a page. */
		if (sqlite_gather_bytes(log) > REST_LOG_BYTES)
			checkpoint(db, SQLITE_CHECKPOINT_PASSIVE);
		sqlite_gather_rest(log);
	}
}

void
db_close(struct db **db)
{
	struct db *d = *db;

	if (!d)
		return;
	for (size_t i = 0; i < STATEMENTS_MAX; i++)
		(void)sqlite3_finalize(d->statements[i].handle);
	(void)sqlite3_close_v2(d->handle);
	mem_free(d);
	*db = NULL;
}

/* SQLite numbers "$2" by where it first stands, PostgreSQL by its digit: both agree only
   while they appear in order. */
static void
check_parameters(sqlite3_stmt *h)
{
	int count = sqlite3_bind_parameter_count(h);

	for (int i = 1; i <= count; i++) {
		const char *name = sqlite3_bind_parameter_name(h, i);
		uint32_t number;

		CHECK(name && str_parse_u32(str_from(name + 1), &number) &&
		      number == (uint32_t)i);
	}
}

static struct stmt *
statement(struct db *db, const char *sql)
{
	size_t i = (size_t)(((uintptr_t)sql * UINT64_C(0x9e3779b97f4a7c15)) >> 40);
	struct stmt *s;
	int rc;

	for (;; i++) {
		s = &db->statements[i % STATEMENTS_MAX];
		if (s->sql == sql)
			return s;
		if (!s->sql)
			break;
	}
	CHECK(db->statement_count < STATEMENTS_MAX - 1);
	rc = sqlite3_prepare_v3(db->handle, sql, -1, SQLITE_PREPARE_PERSISTENT,
	                        &s->handle, NULL);
	/* A reader may come while the writer has made the file and not yet its tables. */
	if (rc == SQLITE_ERROR && db->mode == DB_READ &&
	    str_starts(str_from(db_error(db)), STR("no such table"))) {
		db->prepare_error = ERR_NOT_FOUND;
		return NULL;
	}
	if (rc != SQLITE_OK) {
		db->prepare_error = report(db, rc, sql);
		return NULL;
	}
	check_parameters(s->handle);
	s->sql = sql;
	s->db = db;
	db->statement_count++;
	return s;
}

/* Empty text and bytes are values, not NULL: so a pointer is always given. */
static int
bind_one(sqlite3_stmt *h, int place, const struct value *v)
{
	const char *p = v->s.n ? v->s.p : "";

	switch (v->kind) {
	case VALUE_INT:
		return sqlite3_bind_int64(h, place, v->i);
	case VALUE_TEXT:
		return sqlite3_bind_text64(h, place, p, v->s.n, SQLITE_STATIC,
		                           SQLITE_UTF8);
	case VALUE_BYTES:
		return sqlite3_bind_blob64(h, place, p, v->s.n, SQLITE_STATIC);
	}
	return SQLITE_MISUSE;
}

struct stmt *
db_query(struct db *db, const char *sql, const struct value *values, size_t count)
{
	struct stmt *s;

	db->prepare_error = ERR_INTERNAL;
	CHECK(count <= VARIABLES_MAX);
	/* On its own this statement would be committed, and what came before it not. */
	if (!db_is_whole(db)) {
		db->prepare_error = ERR_STORE_TEMP;
		return NULL;
	}
	s = statement(db, sql);
	if (!s)
		return NULL;
	CHECK(!s->is_running);
	CHECK(sqlite3_bind_parameter_count(s->handle) == (int)count);
	s->is_running = true;
	s->error = OK;
	for (size_t i = 0; i < count && s->error == OK; i++)
		s->error = report(db, bind_one(s->handle, (int)i + 1, &values[i]), sql);
	return s;
}

bool
db_next(struct stmt *s)
{
	int rc;

	if (!s || s->error != OK)
		return false;
	rc = sqlite3_step(s->handle);
	if (rc == SQLITE_ROW)
		return true;
	if (rc != SQLITE_DONE)
		s->error = report(s->db, rc, s->sql);
	return false;
}

static void
end(struct stmt *s)
{
	(void)sqlite3_reset(s->handle);
	s->is_running = false;
}

enum err
db_done(struct db *db, struct stmt **s)
{
	enum err e;

	if (!*s)
		return db->prepare_error;
	e = (*s)->error;
	end(*s);
	*s = NULL;
	return e;
}

enum err
db_one(struct db *db, const char *sql, const struct value *values, size_t count,
       struct stmt **s_out)
{
	struct stmt *s = db_query(db, sql, values, count);
	enum err e;

	*s_out = NULL;
	if (db_next(s)) {
		*s_out = s;
		return OK;
	}
	e = db_done(db, &s);
	return e == OK ? ERR_NOT_FOUND : e;
}

void
db_end(struct stmt **s)
{
	if (*s)
		end(*s);
	*s = NULL;
}

enum err
db_run(struct db *db, const char *sql, const struct value *values, size_t count)
{
	struct stmt *s = db_query(db, sql, values, count);

	while (db_next(s)) {
	}
	return db_done(db, &s);
}

size_t
db_changed(struct db *db)
{
	return (size_t)sqlite3_changes64(db->handle);
}

int64_t
db_i64(struct stmt *s, int column)
{
	return sqlite3_column_int64(s->handle, column);
}

uint64_t
db_u64(struct stmt *s, int column)
{
	return (uint64_t)sqlite3_column_int64(s->handle, column);
}

uint32_t
db_u32(struct stmt *s, int column)
{
	return (uint32_t)sqlite3_column_int64(s->handle, column);
}

void
db_like(struct strbuf *out, struct str text)
{
	for (size_t i = 0; i < text.n; i++) {
		if (text.p[i] == '%' || text.p[i] == '_' || text.p[i] == '\\')
			strbuf_byte(out, '\\');
		strbuf_byte(out, text.p[i]);
	}
}

struct str
db_str(struct stmt *s, int column)
{
	const void *p = sqlite3_column_blob(s->handle, column);
	int n = sqlite3_column_bytes(s->handle, column);

	return str_make(p, p && n > 0 ? (size_t)n : 0);
}

bool
db_is_whole(struct db *db)
{
	return !db->in_transaction || !sqlite3_get_autocommit(db->handle);
}

enum err
db_begin(struct db *db, enum db_mode mode)
{
	enum err e;

	CHECK(!db->in_transaction);
	e = db_run(db, mode == DB_WRITE ? "BEGIN IMMEDIATE" : "BEGIN", NO_VALUES);
	db->in_transaction = e == OK;
	return e;
}

enum err
db_commit(struct db *db)
{
	enum err e;

	CHECK(db->in_transaction);
	e = db_run(db, "COMMIT", NO_VALUES);
	if (e == OK)
		db->in_transaction = false;
	return e;
}

void
db_rollback(struct db *db)
{
	if (!db->in_transaction)
		return;
	db->in_transaction = false;
	/* Some errors (disk full, I/O) have rolled back already; then there is nothing
	   to do and saying so again would be an error of its own. */
	if (!sqlite3_get_autocommit(db->handle) &&
	    db_run(db, "ROLLBACK", NO_VALUES) != OK)
		PANIC("cannot roll back");
}

enum err
db_define(struct db *db, const char *ddl)
{
	static const struct {
		struct str word, type;
	} words[] = {
		{ STR_INIT("$ID"), STR_INIT("INTEGER PRIMARY KEY") },
		{ STR_INIT("$INT"), STR_INIT("INTEGER NOT NULL DEFAULT 0") },
		{ STR_INIT("$TEXT"), STR_INIT("TEXT NOT NULL DEFAULT ''") },
		{ STR_INIT("$BYTES"), STR_INIT("BLOB NOT NULL DEFAULT x''") },
		{ STR_INIT("$CLUSTERED"), STR_INIT("WITHOUT ROWID") },
	};
	struct strbuf sql = strbuf_heap(64 * 1024);
	struct str rest = str_from(ddl);
	enum err e;

	while (rest.n) {
		size_t i = 0;

		while (i < ARRAY_LEN(words) && !str_skip(&rest, words[i].word))
			i++;
		if (i < ARRAY_LEN(words)) {
			strbuf_add(&sql, words[i].type);
		} else {
			strbuf_byte(&sql, rest.p[0]);
			rest = str_from_offset(rest, 1);
		}
	}
	e = report(db, sqlite3_exec(db->handle, strbuf_cstr(&sql), NULL, NULL, NULL),
	           ddl);
	strbuf_release(&sql);
	return e;
}

struct going {
	bool (*goes_on)(void *arg);
	void *arg;
};

static int
on_progress(void *arg)
{
	const struct going *g = arg;

	return !g->goes_on(g->arg);
}

enum err
db_check(struct db *db, bool (*goes_on)(void *arg), void *arg, struct diag *diag)
{
	struct going going = { goes_on, arg };
	struct stmt *s;
	enum err e;

	sqlite3_progress_handler(db->handle, PROGRESS_STEPS, on_progress, &going);
	e = db_one(db, "PRAGMA quick_check(1)", NO_VALUES, &s);
	if (e == OK && !str_eq(db_str(s, 0), STR("ok")))
		e = diag_set(diag, ERR_CORRUPT, "%.*s", STR_ARG(db_str(s, 0)));
	else if (e == ERR_CORRUPT)
		e = diag_set(diag, e, "%s", db_error(db));
	db_end(&s);
	sqlite3_progress_handler(db->handle, 0, NULL, NULL);
	return goes_on(arg) ? e : ERR_SHUTDOWN;
}

void
db_checkpoint(struct db *db)
{
	(void)sqlite3_busy_timeout(db->handle, CHECKPOINT_BUSY_MS);
	checkpoint(db, SQLITE_CHECKPOINT_TRUNCATE);
	(void)sqlite3_busy_timeout(db->handle, BUSY_MS);
}
