#include "store/db.h"

#include "base/strbuf.h"
#include "tests/unit/check.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static uint64_t
count(struct db *db)
{
	struct stmt *s;
	uint64_t n = UINT64_MAX;

	if (CHECK_ERR_EQ(db_one(db, "SELECT count(*) FROM t", NO_VALUES, &s), OK,
	                 "count"))
		n = db_u64(s, 0);
	db_end(&s);
	return n;
}

/* Out of memory, disk full, I/O error: SQLite has then rolled back on its own, and what
   follows would be committed piece by piece. Here a constraint is told to do the same. */
static void
test_lost_transaction(void)
{
	char path[] = "/tmp/mailstead-db-XXXXXX";
	char bytes[64];
	struct strbuf beside = strbuf_on(bytes);
	int fd = mkstemp(path);
	struct db *db;

	CHECK_TRUE(fd >= 0, "file");
	(void)close(fd);
	CHECK_ERR_EQ(db_open(path, DB_WRITE, &db), OK, "open");
	CHECK_ERR_EQ(db_define(db, "CREATE TABLE t (id $ID)"), OK, "table");
	CHECK_ERR_EQ(db_begin(db, DB_WRITE), OK, "begin");
	CHECK_TRUE(db_is_whole(db), "whole");
	CHECK_ERR_EQ(db_run(db, "INSERT INTO t VALUES (1)", NO_VALUES), OK, "first");
	CHECK_ERR_EQ(db_run(db, "INSERT OR ROLLBACK INTO t VALUES (1)", NO_VALUES),
	             ERR_EXISTS, "rolled back");
	CHECK_TRUE(!db_is_whole(db), "it is lost");
	CHECK_ERR_EQ(db_run(db, "INSERT INTO t VALUES (2)", NO_VALUES), ERR_STORE_TEMP,
	             "nothing happens outside of it");
	CHECK_ERR_EQ(db_commit(db), ERR_STORE_TEMP, "nothing is committed");
	db_rollback(db);
	CHECK_U64_EQ(count(db), 0, "rows");
	CHECK_ERR_EQ(db_begin(db, DB_WRITE), OK, "another one");
	CHECK_ERR_EQ(db_run(db, "INSERT INTO t VALUES (2)", NO_VALUES), OK, "second");
	CHECK_ERR_EQ(db_commit(db), OK, "commit");
	CHECK_U64_EQ(count(db), 1, "rows");
	db_close(&db);
	(void)unlink(path);
	for (int i = 0; i < 2; i++) {
		strbuf_clear(&beside);
		strbuf_printf(&beside, "%s-%s", path, i ? "shm" : "wal");
		(void)unlink(strbuf_cstr(&beside));
	}
}

/* What rests forgets nothing, and works on. */
static void
test_rest(void)
{
	char path[] = "/tmp/mailstead-unit-XXXXXX", name[64];
	struct strbuf beside = strbuf_on(name);
	struct db *db, *reader;
	int fd = mkstemp(path);

	CHECK_TRUE(fd >= 0, "file");
	(void)close(fd);
	db_rest(NULL);
	CHECK_ERR_EQ(db_open(path, DB_WRITE, &db), OK, "open");
	db_rest(db);
	CHECK_ERR_EQ(db_define(db, "CREATE TABLE t (id $ID)"), OK, "table");
	CHECK_ERR_EQ(db_open(path, DB_READ, &reader), OK, "reader");
	for (unsigned i = 0; i < 3; i++) {
		CHECK_ERR_EQ(db_begin(db, DB_WRITE), OK, "begin");
		CHECK_ERR_EQ(db_run(db, "INSERT INTO t VALUES ($1)", VALUES(V_I(i))), OK,
		             "row");
		CHECK_ERR_EQ(db_commit(db), OK, "commit");
		db_rest(db);
		CHECK_U64_EQ(count(reader), i + 1, "seen by others");
		db_rest(reader);
		CHECK_U64_EQ(count(db), i + 1, "and by itself");
	}
	db_close(&reader);
	db_close(&db);
	(void)unlink(path);
	for (int i = 0; i < 2; i++) {
		strbuf_clear(&beside);
		strbuf_printf(&beside, "%s-%s", path, i ? "shm" : "wal");
		(void)unlink(strbuf_cstr(&beside));
	}
}

SUITE(store_db, { "a lost transaction", test_lost_transaction }, { "rest", test_rest });
