/* Files of the store that its user may not write are named, and whose they are. */
#include "store/store_files.h"

#include "base/strbuf.h"
#include "tests/unit/check.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
	NOBODY = 65534,
};

/* Who may read anything (root) becomes somebody who may not. */
static enum err
check_as_nobody(const char *dir, struct diag *diag)
{
	bool is_root = getuid() == 0;
	enum err e;

	*diag = (struct diag){ 0 };
	CHECK_TRUE(!is_root || setresuid(NOBODY, NOBODY, 0) == 0, "somebody else");
	e = store_files_check(str_from(dir), diag);
	CHECK_TRUE(!is_root || setresuid(0, 0, 0) == 0, "and back");
	return e;
}

static void
test_who_may_write(void)
{
	char dir[] = "/tmp/mailstead-files-XXXXXX", path[64], want[128];
	bool is_root = getuid() == 0;
	struct diag diag;
	int fd;

	CHECK_TRUE(mkdtemp(dir) != NULL, "a directory");
	CHECK_TRUE(!is_root || chown(dir, NOBODY, NOBODY) == 0, "it is theirs");
	CHECK_ERR_EQ(check_as_nobody(dir, &diag), OK, "what is not there is no trouble");
	(void)snprintf(path, sizeof(path), "%s/index.db", dir);
	fd = open(path, O_CREAT | O_RDWR | O_CLOEXEC, 0600);
	CHECK_TRUE(fd >= 0, "an index");
	(void)close(fd);
	if (is_root) {
		(void)snprintf(
			want, sizeof(want),
			"%s: Permission denied: it belongs to user 0, and not to %d",
			path, NOBODY);
		CHECK_ERR_EQ(check_as_nobody(dir, &diag), ERR_IO, "of another user");
		CHECK_STR_EQ(str_from(diag.text), str_from(want), "named");
		CHECK_TRUE(chown(path, NOBODY, NOBODY) == 0, "given back");
	}
	CHECK_ERR_EQ(check_as_nobody(dir, &diag), OK, "ours");
	CHECK_TRUE(chmod(path, 0400) == 0, "read only");
	(void)snprintf(want, sizeof(want), "%s: Permission denied", path);
	CHECK_ERR_EQ(check_as_nobody(dir, &diag), ERR_IO, "not to be written");
	CHECK_STR_EQ(str_from(diag.text), str_from(want), "named as well");
	(void)unlink(path);
	(void)rmdir(dir);
}

SUITE(store_files, { "who may write", test_who_may_write });
