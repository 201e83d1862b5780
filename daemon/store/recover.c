#include "store/recover.h"

#include "base/duration.h"
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
	DONE_KEPT_MS = 10 * MINUTE_MS,
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

/* A stray has neither a row nor messages: one changed bit in the row's number must not
   cost all the mail in the file. */
static enum err
is_known(struct db *db, uint64_t number, bool *is_known_out)
{
	static const char *const where[] = {
		"SELECT state FROM segment WHERE id = $1",
		"SELECT id FROM message WHERE segment = $1 LIMIT 1",
	};
	enum err e = ERR_NOT_FOUND;

	for (size_t i = 0; i < ARRAY_LEN(where) && e == ERR_NOT_FOUND; i++) {
		struct stmt *s;

		e = db_one(db, where[i], VALUES(V_I(number)), &s);
		db_end(&s);
	}
	*is_known_out = e == OK;
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
		bool is_ours;

		if (!number_of(entry->d_name, &number))
			continue;
		e = is_known(db, number, &is_ours);
		if (e == OK && !is_ours &&
		    unlink(segment_path(data_dir, number, &path)) == 0)
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

/* A damaged page keeps one part from being tidied up, and nobody from the rest. */
static enum err
tolerate(enum err e, const char *part)
{
	if (e != ERR_CORRUPT)
		return e;
	log_line(LEVEL_ERROR, "store.recover", "part=%s reason=%s", part,
	         err_get(e)->word);
	return OK;
}

enum err
recover_index(struct db *db, struct str data_dir, int64_t now_ms, struct recovered *out)
{
	enum err e;

	*out = (struct recovered){ 0, 0 };
	e = tolerate(remove_strays(db, data_dir, &out->strays), "strays");
	if (e == OK)
		e = tolerate(mark_missing(db, data_dir, &out->missing), "missing");
	if (e == OK)
		e = tolerate(db_run(db, "DELETE FROM op_done WHERE at_ms < $1",
		                    VALUES(V_I(now_ms - DONE_KEPT_MS))),
		             "answers");
	return e;
}
