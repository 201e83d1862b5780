#include "store/key_files.h"

#include "base/event.h"
#include "base/ids.h"
#include "base/strbuf.h"
#include "ext/crypto.h"
#include "store/db.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
	PATH_MAX_BYTES = 4200,
	NAME_BYTES = 8,
	PUBLIC_MAX = 1024,
};

static const char *
path_of(struct str data_dir, struct str name, struct strbuf *b)
{
	strbuf_add(b, data_dir);
	strbuf_lit(b, "/keys/dkim");
	if (name.n) {
		strbuf_byte(b, '/');
		strbuf_add(b, name);
	}
	return strbuf_cstr(b);
}

static bool
write_all(int fd, struct str bytes)
{
	while (bytes.n) {
		ssize_t n = write(fd, bytes.p, bytes.n);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return false;
		bytes = str_from_offset(bytes, (size_t)n);
	}
	return true;
}

/* The file, and then the directory that names it, on disk. */
static enum err
write_file(struct str data_dir, struct str name, struct str bytes)
{
	char text[PATH_MAX_BYTES], dir_text[PATH_MAX_BYTES];
	struct strbuf b = strbuf_on(text), dir_b = strbuf_on(dir_text);
	const char *path = path_of(data_dir, name, &b);
	int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
	int dir = -1;
	bool ok = fd >= 0 && write_all(fd, bytes) && fsync(fd) == 0;
	int why = errno;

	if (ok) {
		dir = open(path_of(data_dir, str_from(NULL), &dir_b),
		           O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		ok = dir >= 0 && fsync(dir) == 0;
		why = errno;
	}
	if (dir >= 0)
		(void)close(dir);
	if (fd >= 0)
		(void)close(fd);
	if (ok)
		return OK;
	if (fd >= 0)
		(void)unlink(path);
	log_line(LEVEL_ERROR, "dkim.key_file", "reason=\"%s\"", strerrordesc_np(why));
	return why == ENOSPC || why == EDQUOT ? ERR_DISK_FULL : ERR_IO;
}

enum err
key_files_make(struct str data_dir, enum dkim_algorithm algorithm, struct arena *a,
               struct str *file_out, struct str *public_out)
{
	struct arena *secret = arena_new_secret(2 * CRYPTO_PEM_MAX);
	struct crypto_key *key =
		crypto_key_generate(algorithm == DKIM_RSA ? CRYPTO_RSA : CRYPTO_ED25519);
	struct strbuf pem = strbuf_arena(secret, CRYPTO_PEM_MAX);
	struct strbuf public_key = strbuf_arena(a, PUBLIC_MAX);
	struct strbuf name = strbuf_arena(a, NAME_BYTES * 2 + 8);
	uint64_t random = random_u64();
	enum err e = crypto_key_format_private(key, &pem);

	crypto_key_format_public(key, &public_key);
	strbuf_hex(&name, str_make(&random, NAME_BYTES));
	strbuf_lit(&name, ".pem");
	*file_out = strbuf_str(&name);
	*public_out = strbuf_str(&public_key);
	if (e == OK && public_key.overflow)
		e = ERR_INTERNAL;
	if (e == OK)
		e = write_file(data_dir, *file_out, strbuf_str(&pem));
	crypto_key_free(&key);
	arena_free(&secret);
	return e;
}

void
key_files_remove(struct str data_dir, struct str names)
{
	struct str name;

	while (str_next(&names, ' ', &name)) {
		char text[PATH_MAX_BYTES];
		struct strbuf b = strbuf_on(text);

		/* Names come from our own rows; one that leads elsewhere is damaged. */
		if (name.n && str_find(name, '/') == SIZE_MAX)
			(void)unlink(path_of(data_dir, name, &b));
	}
}

static enum err
has_row(struct db *db, struct str name, bool *has_out)
{
	struct stmt *s;
	enum err e = db_one(db, "SELECT id FROM dkim_key WHERE file = $1",
	                    VALUES(V_S(name)), &s);

	*has_out = e == OK;
	db_end(&s);
	return e == ERR_NOT_FOUND ? OK : e;
}

enum err
key_files_sweep(struct db *db, struct str data_dir)
{
	char text[PATH_MAX_BYTES];
	struct strbuf b = strbuf_on(text);
	const char *path = path_of(data_dir, str_from(NULL), &b);
	struct dirent *entry;
	enum err e = OK;
	DIR *dir;

	dir = opendir(path);
	if (!dir)
		return errno == ENOENT ? OK : ERR_IO;
	while (e == OK && (entry = readdir(dir))) {
		struct str name = str_from(entry->d_name);
		bool has = true;

		if (str_ends(name, STR(".pem")))
			e = has_row(db, name, &has);
		if (!has)
			key_files_remove(data_dir, name);
	}
	(void)closedir(dir);
	return e;
}
