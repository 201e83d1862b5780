/* The write-ahead log of a database that we write, in few large pieces.
 *
 * SQLite writes each page of its log with two system calls, and a commit has a dozen
 * pages. Here what continues the bytes before it waits in memory until SQLite syncs,
 * reads these bytes back, or asks how long the file is: one write a commit, then the
 * same sync. Nothing is lost by that: before the sync SQLite promises nothing, and no
 * other process is told of the pages. A write that fails is told by the call that makes
 * it, and what waited is forgotten: SQLite takes its transaction back and writes the same
 * places again.
 *
 * The file grows in steps of GROW_BYTES, so that a sync need not bring a new length to
 * the disk as well: that is a turn of the file system's journal, several times as slow.
 * What lies behind SQLite's last page are zeros or old pages, which it tells by their
 * checksums.
 *
 *	gather_write  ->  [ buffer ]  ->  flush  ->  file  ->  sync
 */
#include "store/db_sqlite_priv.h"

#include "base/panic.h"
#include "base/strbuf.h"
#include "store/crash.h"

#include <pthread.h>
#include <sqlite3.h>

enum {
	BUFFER_BYTES = 128 * 1024,
	GROW_BYTES = 1024 * 1024,
	ZEROS_BYTES = 64 * 1024,
};

/* SQLite allocates it, and the system's file behind it. */
struct gather {
	sqlite3_file base; /* first: this is what SQLite holds */
	sqlite3_file *file;
	struct strbuf waiting;
	sqlite3_int64 at;   /* where they go */
	sqlite3_int64 room; /* as far as the file is known to reach */
	sqlite3_int64 end;  /* of what was written last */
};

static sqlite3_vfs *
system_vfs(sqlite3_vfs *vfs)
{
	return vfs->pAppData;
}

/* --- the file ----------------------------------------------------------------- */

static struct gather *
gather_of(sqlite3_file *file)
{
	return CONTAINER_OF(file, struct gather, base);
}

/* Zeros up to the next step. Where they find no room, the bytes themselves still may. */
static void
grow(struct gather *g, sqlite3_int64 end)
{
	static const char zeros[ZEROS_BYTES];
	int rc = SQLITE_OK;

	if (end <= g->room)
		return;
	if (g->file->pMethods->xFileSize(g->file, &g->room) != SQLITE_OK)
		g->room = end;
	while (rc == SQLITE_OK &&
	       g->room < (end + GROW_BYTES - 1) / GROW_BYTES * GROW_BYTES) {
		int n = ZEROS_BYTES - (int)(g->room % ZEROS_BYTES);

		rc = g->file->pMethods->xWrite(g->file, zeros, n, g->room);
		if (rc == SQLITE_OK)
			g->room += n;
	}
}

static int
write_now(struct gather *g, const void *p, int n, sqlite3_int64 at)
{
	grow(g, at + n);
	crash_point();
	return g->file->pMethods->xWrite(g->file, p, n, at);
}

static int
flush(struct gather *g)
{
	int rc = SQLITE_OK;

	if (g->waiting.n)
		rc = write_now(g, g->waiting.p, (int)g->waiting.n, g->at);
	strbuf_clear(&g->waiting);
	return rc;
}

static int
gather_close(sqlite3_file *file)
{
	struct gather *g = gather_of(file);
	int rc = flush(g), closed = g->file->pMethods->xClose(g->file);

	strbuf_release(&g->waiting);
	return rc == SQLITE_OK ? closed : rc;
}

static int
gather_read(sqlite3_file *file, void *p, int n, sqlite3_int64 at)
{
	struct gather *g = gather_of(file);
	int rc = SQLITE_OK;

	if (at < g->at + (sqlite3_int64)g->waiting.n && at + n > g->at)
		rc = flush(g);
	return rc == SQLITE_OK ? g->file->pMethods->xRead(g->file, p, n, at) : rc;
}

static int
gather_write(sqlite3_file *file, const void *p, int n, sqlite3_int64 at)
{
	struct gather *g = gather_of(file);
	int rc = SQLITE_OK;

	g->end = at + n;
	if (at != g->at + (sqlite3_int64)g->waiting.n ||
	    g->waiting.n + (size_t)n > BUFFER_BYTES)
		rc = flush(g);
	if (rc != SQLITE_OK || n > BUFFER_BYTES)
		return rc == SQLITE_OK ? write_now(g, p, n, at) : rc;
	if (!g->waiting.n)
		g->at = at;
	strbuf_bytes(&g->waiting, p, (size_t)n);
	CHECK(!g->waiting.overflow);
	return SQLITE_OK;
}

static int
gather_truncate(sqlite3_file *file, sqlite3_int64 size)
{
	struct gather *g = gather_of(file);
	int rc = flush(g);

	g->room = 0;
	return rc == SQLITE_OK ? g->file->pMethods->xTruncate(g->file, size) : rc;
}

static int
gather_sync(sqlite3_file *file, int flags)
{
	struct gather *g = gather_of(file);
	int rc = flush(g);

	crash_point();
	return rc == SQLITE_OK ? g->file->pMethods->xSync(g->file, flags) : rc;
}

static int
gather_size(sqlite3_file *file, sqlite3_int64 *size)
{
	struct gather *g = gather_of(file);
	int rc = flush(g);

	return rc == SQLITE_OK ? g->file->pMethods->xFileSize(g->file, size) : rc;
}

static int
gather_lock(sqlite3_file *file, int lock)
{
	struct gather *g = gather_of(file);

	return g->file->pMethods->xLock(g->file, lock);
}

static int
gather_unlock(sqlite3_file *file, int lock)
{
	struct gather *g = gather_of(file);

	return g->file->pMethods->xUnlock(g->file, lock);
}

static int
gather_check_lock(sqlite3_file *file, int *is_locked)
{
	struct gather *g = gather_of(file);

	return g->file->pMethods->xCheckReservedLock(g->file, is_locked);
}

static int
gather_control(sqlite3_file *file, int op, void *arg)
{
	struct gather *g = gather_of(file);

	return g->file->pMethods->xFileControl(g->file, op, arg);
}

static int
gather_sector_size(sqlite3_file *file)
{
	struct gather *g = gather_of(file);

	return g->file->pMethods->xSectorSize(g->file);
}

static int
gather_device(sqlite3_file *file)
{
	struct gather *g = gather_of(file);

	return g->file->pMethods->xDeviceCharacteristics(g->file);
}

static const sqlite3_io_methods gather_methods = {
	.iVersion = 1,
	.xClose = gather_close,
	.xRead = gather_read,
	.xWrite = gather_write,
	.xTruncate = gather_truncate,
	.xSync = gather_sync,
	.xFileSize = gather_size,
	.xLock = gather_lock,
	.xUnlock = gather_unlock,
	.xCheckReservedLock = gather_check_lock,
	.xFileControl = gather_control,
	.xSectorSize = gather_sector_size,
	.xDeviceCharacteristics = gather_device,
};

static struct gather *
gather_find(sqlite3_file *file)
{
	return file && file->pMethods == &gather_methods ? gather_of(file) : NULL;
}

void
sqlite_gather_rest(sqlite3_file *file)
{
	struct gather *g = gather_find(file);

	if (g && !g->waiting.n)
		strbuf_release(&g->waiting);
}

int64_t
sqlite_gather_bytes(sqlite3_file *file)
{
	struct gather *g = gather_find(file);

	return g ? g->end : 0;
}

/* --- the layer ---------------------------------------------------------------- */

static int
gather_open(sqlite3_vfs *vfs, const char *name, sqlite3_file *file, int flags,
            int *flags_out)
{
	sqlite3_vfs *below = system_vfs(vfs);
	struct gather *g = gather_of(file);
	int rc;

	/* All but the log are the system's files themselves. */
	if (!(flags & SQLITE_OPEN_WAL))
		return below->xOpen(below, name, file, flags, flags_out);
	*g = (struct gather){ .file = (sqlite3_file *)(void *)&g[1] };
	rc = below->xOpen(below, name, g->file, flags, flags_out);
	if (rc != SQLITE_OK)
		return rc;
	g->base.pMethods = &gather_methods;
	g->waiting = strbuf_heap(BUFFER_BYTES);
	return SQLITE_OK;
}

static sqlite3_vfs gather_vfs;

static void
make(void)
{
	sqlite3_vfs *below = sqlite3_vfs_find(NULL);

	CHECK(below);
	gather_vfs = *below;
	gather_vfs.zName = "gather";
	gather_vfs.szOsFile = (int)sizeof(struct gather) + below->szOsFile;
	gather_vfs.pAppData = below;
	gather_vfs.xOpen = gather_open;
	CHECK(sqlite3_vfs_register(&gather_vfs, 0) == SQLITE_OK);
}

const char *
sqlite_gather(void)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;

	(void)pthread_once(&once, make);
	return gather_vfs.zName;
}
