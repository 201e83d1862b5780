/* The log is written in large pieces; what is read, kept and lost is as without them. */
#include "store/db.h"

#include "base/strbuf.h"
#include "tests/unit/check.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

enum {
	ROW_BYTES = 3000,
	MANY_ROWS =
		6000, /* more than the connection's cache: pages go to the log early */
};

struct files {
	char dir[32], path[64];
	struct db *db, *other;
};

static off_t
size_of(const struct files *f, const char *more)
{
	char path[80];
	struct stat st;

	(void)snprintf(path, sizeof(path), "%s%s", f->path, more);
	return stat(path, &st) == 0 ? st.st_size : -1;
}

static void
files_open(struct files *f)
{
	(void)snprintf(f->dir, sizeof(f->dir), "/tmp/mailstead-unit-XXXXXX");
	CHECK_TRUE(mkdtemp(f->dir), "directory");
	(void)snprintf(f->path, sizeof(f->path), "%s/x.db", f->dir);
	CHECK_ERR_EQ(db_open(f->path, DB_WRITE, &f->db), OK, "writer");
	CHECK_ERR_EQ(db_define(f->db, "CREATE TABLE x (id $ID, text $BYTES);"), OK,
	             "table");
	CHECK_ERR_EQ(db_open(f->path, DB_READ, &f->other), OK, "reader");
}

static void
files_close(struct files *f)
{
	static const char *const more[] = { "", "-wal", "-shm" };
	char path[80];

	db_close(&f->db);
	db_close(&f->other);
	for (size_t i = 0; i < ARRAY_LEN(more); i++) {
		(void)snprintf(path, sizeof(path), "%s%s", f->path, more[i]);
		(void)unlink(path);
	}
	CHECK_TRUE(rmdir(f->dir) == 0, "nothing else was left behind");
}

/* Each row has its own bytes. */
static struct str
text_of(uint64_t id)
{
	static char bytes[ROW_BYTES];

	for (size_t i = 0; i < sizeof(bytes); i++)
		bytes[i] = (char)(id * 31 + i * 7);
	return str_make(bytes, sizeof(bytes));
}

static enum err
add_rows(struct db *db, uint64_t from, uint64_t to)
{
	enum err e = OK;

	for (uint64_t id = from; id < to && e == OK; id++)
		e = db_run(db,
		           "INSERT INTO x (id, text) VALUES ($1, $2) ON CONFLICT (id) DO"
		           " UPDATE SET text = excluded.text",
		           VALUES(V_I(id), V_B(text_of(id))));
	return e;
}

/* Rows with their own bytes; UINT64_MAX where one has others. */
static uint64_t
good_rows(struct db *db)
{
	struct stmt *s = db_query(db, "SELECT id, text FROM x", NO_VALUES);
	uint64_t n = 0, bad = 0;

	while (db_next(s)) {
		n++;
		bad += !str_eq(db_str(s, 1), text_of(db_u64(s, 0)));
	}
	return db_done(db, &s) == OK && !bad ? n : UINT64_MAX;
}

static void
test_one_commit(void)
{
	struct files f = { 0 };

	files_open(&f);
	for (uint64_t i = 0; i < 40; i++) {
		CHECK_ERR_EQ(db_begin(f.db, DB_WRITE), OK, "begin");
		CHECK_ERR_EQ(add_rows(f.db, i, i + 1), OK, "rows");
		CHECK_U64_EQ(good_rows(f.other), i, "not before the commit");
		CHECK_ERR_EQ(db_commit(f.db), OK, "commit");
		CHECK_U64_EQ(good_rows(f.other), i + 1, "after it");
		CHECK_TRUE(size_of(&f, "-wal") > 0 &&
		                   size_of(&f, "-wal") % (1 << 20) == 0,
		           "the log has a round length");
	}
	files_close(&f);
}

/* Pages that did not fit into memory lie in the log before the commit, and are read from
   there, changed there, and forgotten there. */
static void
test_more_than_memory(void)
{
	struct files f = { 0 };

	files_open(&f);
	CHECK_ERR_EQ(add_rows(f.db, 0, 10), OK, "some rows");
	CHECK_ERR_EQ(db_begin(f.db, DB_WRITE), OK, "begin");
	CHECK_ERR_EQ(add_rows(f.db, 10, MANY_ROWS), OK, "many rows");
	CHECK_U64_EQ(good_rows(f.db), MANY_ROWS, "its own");
	CHECK_ERR_EQ(db_run(f.db, "UPDATE x SET text = x'00'", NO_VALUES), OK, "spoilt");
	CHECK_ERR_EQ(add_rows(f.db, 0, MANY_ROWS), OK, "mended");
	CHECK_U64_EQ(good_rows(f.db), MANY_ROWS, "its own again");
	CHECK_U64_EQ(good_rows(f.other), 10, "nobody else's");
	db_rollback(f.db);
	CHECK_U64_EQ(good_rows(f.db), 10, "rolled back");
	CHECK_ERR_EQ(db_begin(f.db, DB_WRITE), OK, "begin");
	CHECK_ERR_EQ(add_rows(f.db, 10, MANY_ROWS), OK, "many rows");
	CHECK_ERR_EQ(db_commit(f.db), OK, "commit");
	CHECK_U64_EQ(good_rows(f.other), MANY_ROWS, "everybody's");
	db_checkpoint(f.db);
	CHECK_ERR_EQ(add_rows(f.db, MANY_ROWS, MANY_ROWS + 5), OK,
	             "from the start again");
	CHECK_U64_EQ(good_rows(f.other), MANY_ROWS + 5, "in the file and in the log");
	db_close(&f.other);
	db_close(&f.db);
	CHECK_ERR_EQ(db_open(f.path, DB_READ, &f.other), OK, "reader");
	CHECK_U64_EQ(good_rows(f.other), MANY_ROWS + 5, "kept");
	files_close(&f);
}

/* A process that ends in the middle leaves what was committed. */
static void
test_left_alone(void)
{
	struct files f = { 0 };

	files_open(&f);
	CHECK_ERR_EQ(add_rows(f.db, 0, 10), OK, "committed");
	if (fork() == 0) {
		struct db *db;

		if (db_open(f.path, DB_WRITE, &db) != OK || add_rows(db, 10, 20) != OK ||
		    db_begin(db, DB_WRITE) != OK || add_rows(db, 20, MANY_ROWS) != OK)
			_exit(1);
		_exit(0);
	}
	(void)wait(NULL);
	CHECK_U64_EQ(good_rows(f.db), 20, "seen");
	CHECK_ERR_EQ(add_rows(f.db, 20, 30), OK, "written over");
	CHECK_U64_EQ(good_rows(f.other), 30, "seen");
	files_close(&f);
}

/* No more room: the commit says so, nothing of it is there, and with room again it goes
   on. */
static void
test_no_room(void)
{
	struct files f = { 0 };
	struct rlimit old, tight;
	void (*was)(int);

	files_open(&f);
	CHECK_ERR_EQ(add_rows(f.db, 0, 10), OK, "committed");
	CHECK_TRUE(getrlimit(RLIMIT_FSIZE, &old) == 0, "limit");
	tight = old;
	tight.rlim_cur = (rlim_t)size_of(&f, "-wal");
	was = signal(SIGXFSZ, SIG_IGN);
	CHECK_TRUE(setrlimit(RLIMIT_FSIZE, &tight) == 0, "limit");
	CHECK_ERR_EQ(db_begin(f.db, DB_WRITE), OK, "begin");
	CHECK_ERR_EQ(add_rows(f.db, 10, 600), OK, "in memory");
	CHECK_TRUE(db_commit(f.db) != OK, "the commit fails");
	db_rollback(f.db);
	CHECK_U64_EQ(good_rows(f.db), 10, "as before");
	CHECK_ERR_EQ(add_rows(f.db, 10, 15), OK, "a small one fits");
	CHECK_TRUE(setrlimit(RLIMIT_FSIZE, &old) == 0, "limit");
	(void)signal(SIGXFSZ, was);
	CHECK_ERR_EQ(db_begin(f.db, DB_WRITE), OK, "begin");
	CHECK_ERR_EQ(add_rows(f.db, 15, 600), OK, "again");
	CHECK_ERR_EQ(db_commit(f.db), OK, "with room");
	CHECK_U64_EQ(good_rows(f.other), 600, "all");
	files_close(&f);
}

SUITE(store_db_sqlite_wal, { "one commit", test_one_commit },
      { "more than memory", test_more_than_memory }, { "left alone", test_left_alone },
      { "no room", test_no_room });
