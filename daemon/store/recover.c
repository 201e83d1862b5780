#include "store/recover.h"

#include "base/event.h"
#include "base/strbuf.h"
#include "store/segment.h"
#include "store/tx.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
	DONE_KEPT_MS = 10 * 60 * 1000,
	PATH_MAX_BYTES = 4096,
};

/* "000042.seg" */
static bool
number_of(const char *name, uint64_t *number_out)
{
	struct str s = str_from(name);

	if (!str_ends(s, STR(".seg")))
		return false;
	return str_parse_u64(str_first(s, s.n - 4), number_out);
}

static enum err
has_row(struct db *db, uint64_t number, bool *has_out)
{
	struct stmt *s;
	enum err e = db_one(db, "SELECT state FROM segment WHERE id = $1",
	                    VALUES(V_I(number)), &s);

	*has_out = e == OK;
	db_end(&s);
	return e == ERR_NOT_FOUND ? OK : e;
}

static enum err
remove_strays(struct db *db, struct str data_dir, uint64_t *count)
{
	char bytes[PATH_MAX_BYTES];
	struct strbuf path = strbuf_on(bytes);
	enum err e = OK;
	struct dirent *entry;
	DIR *dir;

	strbuf_add(&path, data_dir);
	strbuf_lit(&path, "/blobs");
	dir = opendir(strbuf_cstr(&path));
	if (!dir)
		return ERR_IO;
	while (e == OK && (entry = readdir(dir))) {
		uint64_t number;
		bool has;

		if (!number_of(entry->d_name, &number))
			continue;
		e = has_row(db, number, &has);
		if (e == OK && !has && unlink(segment_path(data_dir, number, &path)) == 0)
			++*count;
	}
	(void)closedir(dir);
	return e;
}

static enum err
mark_missing(struct db *db, struct str data_dir, uint64_t *total)
{
	char bytes[PATH_MAX_BYTES];
	struct strbuf path = strbuf_on(bytes);
	uint64_t missing[64];
	size_t count = 0;
	struct stmt *s =
		db_query(db, "SELECT id FROM segment WHERE state <> $1 ORDER BY id",
	                 VALUES(V_I(SEGMENT_MISSING)));
	enum err e;

	while (count < ARRAY_LEN(missing) && db_next(s)) {
		struct stat st;

		if (stat(segment_path(data_dir, db_u64(s, 0), &path), &st) != 0 &&
		    errno == ENOENT)
			missing[count++] = db_u64(s, 0);
	}
	e = db_done(db, &s);
	*total = count;
	for (size_t i = 0; i < count && e == OK; i++) {
		log_line(LEVEL_ERROR, "store.segment.missing", "segment=%llu",
		         (unsigned long long)missing[i]);
		e = db_run(db, "UPDATE segment SET state = $1 WHERE id = $2",
		           VALUES(V_I(SEGMENT_MISSING), V_I(missing[i])));
	}
	return e;
}

enum err
recover_index(struct db *db, struct str data_dir, int64_t now_ms, struct recovered *out)
{
	enum err e;

	*out = (struct recovered){ 0, 0 };
	e = remove_strays(db, data_dir, &out->strays);
	if (e == OK)
		e = mark_missing(db, data_dir, &out->missing);
	if (e == OK)
		e = db_run(db, "DELETE FROM op_done WHERE at_ms < $1",
		           VALUES(V_I(now_ms - DONE_KEPT_MS)));
	return e;
}
