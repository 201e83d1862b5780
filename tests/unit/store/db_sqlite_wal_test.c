/* The log is written in large pieces; what is read, kept and lost is as without them. */
#include "store/db.h"

#include "base/strbuf.h"
#include "tests/unit/check.h"

#include <errno.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

enum {
	ROW_BYTES = 3000,
	LOW_HALF = __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__ ? 4 : 0,
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
files_name(struct files *f)
{
	(void)snprintf(f->dir, sizeof(f->dir), "/tmp/mailstead-unit-XXXXXX");
	CHECK_TRUE(mkdtemp(f->dir), "directory");
	(void)snprintf(f->path, sizeof(f->path), "%s/x.db", f->dir);
}

static void
files_open(struct files *f)
{
	if (!f->dir[0])
		files_name(f);
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

/* Where readers find it faster; a short log stays, for more will come. */
static void
test_rest(void)
{
	struct files f = { 0 };

	files_open(&f);
	CHECK_ERR_EQ(add_rows(f.db, 0, 10), OK, "some rows");
	db_rest(f.db);
	CHECK_TRUE(size_of(&f, "") < 10 * ROW_BYTES, "they stay in the log");
	CHECK_ERR_EQ(db_begin(f.db, DB_WRITE), OK, "begin");
	CHECK_ERR_EQ(add_rows(f.db, 10, 1000), OK, "many rows");
	CHECK_ERR_EQ(db_commit(f.db), OK, "commit");
	CHECK_TRUE(size_of(&f, "") < 10 * ROW_BYTES, "so far they are nowhere else");
	db_rest(f.db);
	CHECK_TRUE(size_of(&f, "") > 1000 * ROW_BYTES, "now they are in the file");
	CHECK_U64_EQ(good_rows(f.other), 1000, "for others");
	CHECK_U64_EQ(good_rows(f.db), 1000, "and for itself");
	CHECK_ERR_EQ(add_rows(f.db, 5, 1010), OK, "and on it goes");
	db_rest(f.db);
	CHECK_U64_EQ(good_rows(f.other), 1010, "for all");
	files_close(&f);
}

/* From now on no sync of these descriptors succeeds in this process: the low half of a
   descriptor's argument is compared under this mask. */
static void
fail_syncs_of(uint32_t mask, uint32_t fd)
{
	struct sock_filter code[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_fdatasync, 1, 0),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_fsync, 0, 4),
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS,
		         offsetof(struct seccomp_data, args) + LOW_HALF),
		BPF_STMT(BPF_ALU | BPF_AND | BPF_K, mask),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, fd & mask, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EIO),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	struct sock_fprog program = { .len = ARRAY_LEN(code), .filter = code };

	CHECK_TRUE(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 &&
	                   prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) == 0,
	           "filter");
}

static struct files torn;

/* Descriptor by descriptor: SQLite has the file open more than once. */
static int
descriptor_of(const char *path, int from)
{
	struct stat wanted, st;

	CHECK_TRUE(stat(path, &wanted) == 0, path);
	for (int fd = from; fd < 100; fd++) {
		if (fstat(fd, &st) == 0 && st.st_ino == wanted.st_ino &&
		    st.st_dev == wanted.st_dev)
			return fd;
	}
	return -1;
}

/* The log is synced, and the file that it is moved into is not. */
static void
commit_without_file(void)
{
	struct files f = torn;

	files_open(&f);
	for (int fd = descriptor_of(f.path, 0); fd >= 0;
	     fd = descriptor_of(f.path, fd + 1))
		fail_syncs_of(UINT32_MAX, (uint32_t)fd);
	CHECK_ERR_EQ(db_begin(f.db, DB_WRITE), OK, "begin");
	CHECK_ERR_EQ(add_rows(f.db, 0, MANY_ROWS), OK, "rows for a checkpoint");
	(void)!db_commit(f.db);
	files_close(&f);
}

static void
test_commit_without_file(void)
{
	files_name(&torn);
	CHECK_PANICS(commit_without_file, "a sync that failed");
	files_close(&torn);
}

static void
rest_without_sync(void)
{
	struct files f = torn;

	files_open(&f);
	CHECK_ERR_EQ(db_begin(f.db, DB_WRITE), OK, "begin");
	CHECK_ERR_EQ(add_rows(f.db, 0, 1000), OK, "many rows");
	CHECK_ERR_EQ(db_commit(f.db), OK, "commit");
	fail_syncs_of(0, 0);
	db_rest(f.db);
	files_close(&f);
}

/* Nobody knows what is on disk then (invariant 2). */
static void
test_rest_without_sync(void)
{
	files_name(&torn);
	CHECK_PANICS(rest_without_sync, "a sync that failed");
	files_close(&torn);
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

SUITE(store_db_sqlite_wal, { "one commit", test_one_commit }, { "rest", test_rest },
      { "rest without sync", test_rest_without_sync },
      { "commit without file", test_commit_without_file },
      { "more than memory", test_more_than_memory }, { "left alone", test_left_alone },
      { "no room", test_no_room });
