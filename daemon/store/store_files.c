#include "store/store_files.h"

#include "base/strbuf.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
	PATH_BYTES = 4096,
};

static const struct {
	const char *name;
	int rights;
} files[] = {
	{ "", R_OK | W_OK | X_OK },       { "/index.db", R_OK | W_OK },
	{ "/index.db-wal", R_OK | W_OK }, { "/index.db-shm", R_OK | W_OK },
	{ "/blobs", R_OK | W_OK | X_OK }, { "/trace", R_OK | W_OK | X_OK },
};

static enum err
refused(const char *path, int cause, struct diag *diag)
{
	struct stat st;

	if (cause == EACCES && stat(path, &st) == 0 && st.st_uid != geteuid())
		return diag_set(diag, ERR_IO,
		                "%s: %s: it belongs to user %u, and not to %u", path,
		                strerrordesc_np(cause), (unsigned)st.st_uid,
		                (unsigned)geteuid());
	return diag_set(diag, ERR_IO, "%s: %s", path, strerrordesc_np(cause));
}

enum err
store_files_check(struct str data_dir, struct diag *diag)
{
	struct strbuf path = strbuf_heap(PATH_BYTES);
	enum err e = OK;

	for (size_t i = 0; i < ARRAY_LEN(files) && e == OK; i++) {
		strbuf_clear(&path);
		strbuf_printf(&path, "%.*s%s", STR_ARG(data_dir), files[i].name);
		if (access(strbuf_cstr(&path), files[i].rights) != 0 && errno != ENOENT)
			e = refused(strbuf_cstr(&path), errno, diag);
	}
	strbuf_release(&path);
	return e;
}
