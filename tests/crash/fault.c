/* fault.so - makes one call of one process fail, for the crash tests (fault.py).
 *
 * It is preloaded into every process of an appliance. With MAILSTEAD_FAULT=FILE in the
 * environment it maps FILE, struct control below, which the test fills in while the
 * processes run: which role is meant, which calls count, and which of them, counted
 * from there on, fails or is the place to die. What was hit stands there afterwards.
 * Calls on sockets and on the first three descriptors never count.
 *
 * Every call goes to the kernel by its number and malloc to the C library's own name for
 * it, so nothing must be looked up, which would itself allocate.
 */
#include <dlfcn.h>
#include <errno.h>
#include <execinfo.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <unistd.h>

/* As fault.py has them. */
enum mode {
	OFF,
	FAIL,  /* -1 and the error */
	SHORT, /* half of it is written, which is no error */
	TORN,  /* half of it is written, and then -1 and the error */
	DIE,   /* before the call */
	DIE_AFTER,
};

enum call {
	CALL_OPEN = 1,
	CALL_WRITE = 2,
	CALL_SYNC = 4,
	CALL_RENAME = 8,
	CALL_UNLINK = 16,
	CALL_TRUNCATE = 32,
	CALL_READ = 64,
	CALL_MEMORY = 128,
};

struct control {
	_Atomic uint32_t mode;
	uint32_t error;
	uint32_t calls; /* a set of enum call */
	uint32_t stays; /* every call from the n-th on, until the test ends it */
	_Atomic int64_t left;
	_Atomic uint32_t fired, pid;
	char role[16];
	char what[512];
	char trace[3072];
};
_Static_assert(sizeof(struct control) <= 4096, "one page");

enum {
	FRAMES_MAX = 24,
	NAME_BYTES = 256,
};

void *__libc_malloc(size_t n);            /* NOLINT(bugprone-reserved-identifier) */
void *__libc_calloc(size_t n, size_t of); /* NOLINT(bugprone-reserved-identifier) */
void *__libc_realloc(void *p, size_t n);  /* NOLINT(bugprone-reserved-identifier) */

/* Fortified programs call these. */
int __open_2(const char *path, int flags);
int __open64_2(const char *path, int flags);
int __openat_2(int dir, const char *path, int flags);
int __openat64_2(int dir, const char *path, int flags);
ssize_t __read_chk(int fd, void *p, size_t n, size_t room);
ssize_t __pread_chk(int fd, void *p, size_t n, off_t at, size_t room);
ssize_t __pread64_chk(int fd, void *p, size_t n, off_t at, size_t room);

static struct control *control; /* NULL: not the process that is meant to be watched */
static char my_role[16];
static _Thread_local bool is_telling;

/* ── whether it is this call ── */

/* "mailstead serve …" or "mailstead role NAME …" */
static void
find_role(void)
{
	char args[1024];
	int fd = (int)syscall(SYS_openat, AT_FDCWD, "/proc/self/cmdline", O_RDONLY, 0);
	ssize_t n = fd < 0 ? 0 : syscall(SYS_read, fd, args, sizeof(args) - 1);
	const char *word = args, *end = args + (n > 0 ? n : 0);

	if (fd >= 0)
		(void)syscall(SYS_close, fd);
	args[n > 0 ? n : 0] = '\0';
	word += strlen(word) + 1;
	if (word < end && strcmp(word, "role") == 0)
		word += strlen(word) + 1;
	else if (word >= end || strcmp(word, "serve") != 0)
		return;
	if (word < end)
		(void)snprintf(my_role, sizeof(my_role), "%s", word);
}

__attribute__((constructor)) static void
begin(void)
{
	const char *path = getenv("MAILSTEAD_FAULT");
	void *frames[1], *map;
	int fd;

	find_role();
	if (!path || !my_role[0])
		return;
	fd = (int)syscall(SYS_openat, AT_FDCWD, path, O_RDWR | O_CLOEXEC, 0);
	if (fd < 0)
		return;
	map = mmap(NULL, sizeof(*control), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	(void)syscall(SYS_close, fd);
	(void)backtrace(frames, 1); /* loads what it needs now */
	if (map != MAP_FAILED)
		control = map;
}

static void
tell(const char *call, int fd, const char *path)
{
	void *frames[FRAMES_MAX];
	char name[NAME_BYTES] = "", link[64];
	ssize_t n;
	int count = backtrace(frames, FRAMES_MAX), used = 0;

	if (!path && fd >= 0) {
		(void)snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
		n = readlink(link, name, sizeof(name) - 1);
		name[n > 0 ? n : 0] = '\0';
	}
	(void)snprintf(control->what, sizeof(control->what), "%s %s", call,
	               path ? path : name);
	for (int i = 0; i < count; i++) {
		Dl_info info;

		if (!dladdr(frames[i], &info))
			continue;
		used += snprintf(control->trace + used,
		                 sizeof(control->trace) - (size_t)used, "%s %#lx\n",
		                 info.dli_fname,
		                 (unsigned long)((uintptr_t)frames[i] -
		                                 (uintptr_t)info.dli_fbase));
		if ((size_t)used >= sizeof(control->trace) - NAME_BYTES)
			break;
	}
}

static void
die(void)
{
	(void)syscall(SYS_kill, getpid(), SIGKILL);
	for (;;)
		(void)pause();
}

static bool
is_file(int fd)
{
	struct stat st;

	return fd > 2 && fstat(fd, &st) == 0 &&
	       (S_ISREG(st.st_mode) || S_ISDIR(st.st_mode));
}

/* What becomes of this call: OFF, or the mode, noted and told. */
static enum mode
look(enum call kind, const char *call, int fd, const char *path)
{
	enum mode mode = control ? atomic_load(&control->mode) : OFF;
	int64_t before;

	if (mode == OFF || is_telling || !(control->calls & kind) ||
	    strcmp(control->role, my_role) != 0)
		return OFF;
	if (!path && kind != CALL_MEMORY && !is_file(fd))
		return OFF;
	before = atomic_fetch_sub(&control->left, 1);
	if (before > 1 || (before < 1 && !control->stays))
		return OFF;
	is_telling = true;
	if (before == 1) {
		tell(call, fd, path);
		atomic_store(&control->pid, (uint32_t)getpid());
		atomic_store(&control->fired, 1);
	}
	is_telling = false;
	if (mode == DIE)
		die();
	errno = (int)control->error;
	return mode;
}

static bool
is_cut(enum mode mode)
{
	return mode == SHORT || mode == TORN;
}

/* The result of a call that was made, for what look() said. */
static long
result(enum mode mode, long made)
{
	if (mode == DIE_AFTER)
		die();
	if (mode == TORN) {
		errno = (int)control->error;
		return -1;
	}
	return made;
}

/* ── the calls ── */

/* The C library's headers name the parameters of its calls with words that are reserved
   for it, so ours cannot have the same.
   NOLINTBEGIN(readability-inconsistent-declaration-parameter-name) */

static int
do_open(int dir, const char *path, int flags, mode_t mode)
{
	enum mode m =
		strncmp(path, "/proc/", 6) == 0 ? OFF : look(CALL_OPEN, "open", -1, path);

	if (m == FAIL || is_cut(m))
		return -1;
	return (int)result(m, syscall(SYS_openat, dir, path, flags, mode));
}

static mode_t
mode_of(int flags, va_list ap)
{
	return (flags & O_CREAT) || (flags & O_TMPFILE) == O_TMPFILE ? va_arg(ap, mode_t)
	                                                             : 0;
}

/* clang-format off */
#define OPEN(name)                                       \
	int name(const char *path, int flags, ...)       \
	{                                                \
		va_list ap;                              \
		mode_t mode;                             \
		va_start(ap, flags);                     \
		mode = mode_of(flags, ap);               \
		va_end(ap);                              \
		return do_open(AT_FDCWD, path, flags, mode); \
	}
#define OPENAT(name)                                       \
	int name(int dir, const char *path, int flags, ...) \
	{                                                  \
		va_list ap;                                \
		mode_t mode;                               \
		va_start(ap, flags);                       \
		mode = mode_of(flags, ap);                 \
		va_end(ap);                                \
		return do_open(dir, path, flags, mode);    \
	}
OPEN(open)
OPEN(open64)
OPENAT(openat)
OPENAT(openat64)

int __open_2(const char *path, int flags) { return do_open(AT_FDCWD, path, flags, 0); }
int __open64_2(const char *path, int flags) { return do_open(AT_FDCWD, path, flags, 0); }
int __openat_2(int dir, const char *path, int flags) { return do_open(dir, path, flags, 0); }
int __openat64_2(int dir, const char *path, int flags) { return do_open(dir, path, flags, 0); }
/* clang-format on */

ssize_t
write(int fd, const void *p, size_t n)
{
	enum mode m = look(CALL_WRITE, "write", fd, NULL);

	if (m == FAIL)
		return -1;
	return result(m, syscall(SYS_write, fd, p, is_cut(m) ? (n + 1) / 2 : n));
}

static ssize_t
do_pwrite(int fd, const void *p, size_t n, off_t at)
{
	enum mode m = look(CALL_WRITE, "pwrite", fd, NULL);

	if (m == FAIL)
		return -1;
	return result(m, syscall(SYS_pwrite64, fd, p, is_cut(m) ? (n + 1) / 2 : n, at));
}

/* Of several pieces the first half of the first one. */
static ssize_t
do_writev(int fd, const struct iovec *v, int count, off_t at)
{
	enum mode m = look(CALL_WRITE, "writev", fd, NULL);
	struct iovec half;

	if (m == FAIL)
		return -1;
	if (is_cut(m) && count) {
		half = (struct iovec){ v->iov_base, (v->iov_len + 1) / 2 };
		v = &half;
		count = 1;
	}
	return result(m, at < 0 ? syscall(SYS_writev, fd, v, count)
	                        : syscall(SYS_pwritev, fd, v, count, at, 0));
}

static ssize_t
do_read(int fd, void *p, size_t n, off_t at)
{
	enum mode m = look(CALL_READ, "read", fd, NULL);

	if (m == FAIL || m == TORN)
		return -1;
	return result(m, at < 0 ? syscall(SYS_read, fd, p, n)
	                        : syscall(SYS_pread64, fd, p, n, at));
}

/* clang-format off */
ssize_t pwrite(int fd, const void *p, size_t n, off_t at) { return do_pwrite(fd, p, n, at); }
ssize_t pwrite64(int fd, const void *p, size_t n, off_t at) { return do_pwrite(fd, p, n, at); }
ssize_t writev(int fd, const struct iovec *v, int n) { return do_writev(fd, v, n, -1); }
ssize_t pwritev(int fd, const struct iovec *v, int n, off_t at) { return do_writev(fd, v, n, at); }
ssize_t pwritev64(int fd, const struct iovec *v, int n, off_t at) { return do_writev(fd, v, n, at); }
ssize_t read(int fd, void *p, size_t n) { return do_read(fd, p, n, -1); }
ssize_t pread(int fd, void *p, size_t n, off_t at) { return do_read(fd, p, n, at); }
ssize_t pread64(int fd, void *p, size_t n, off_t at) { return do_read(fd, p, n, at); }

ssize_t
__read_chk(int fd, void *p, size_t n, size_t room)
{
	return do_read(fd, p, n < room ? n : room, -1);
}

ssize_t
__pread_chk(int fd, void *p, size_t n, off_t at, size_t room)
{
	return do_read(fd, p, n < room ? n : room, at);
}

ssize_t
__pread64_chk(int fd, void *p, size_t n, off_t at, size_t room)
{
	return do_read(fd, p, n < room ? n : room, at);
}
/* clang-format on */

/* A call with a plain result, that is made unless it fails. */
#define PLAIN(kind, name, fd, path, call)                                                \
	do {                                                                             \
		enum mode m = look(kind, name, fd, path);                                \
		if (m == FAIL || is_cut(m))                                              \
			return -1;                                                       \
		return (int)result(m, call);                                             \
	} while (0)

int
fsync(int fd)
{
	PLAIN(CALL_SYNC, "fsync", fd, NULL, syscall(SYS_fsync, fd));
}

int
fdatasync(int fd)
{
	PLAIN(CALL_SYNC, "fdatasync", fd, NULL, syscall(SYS_fdatasync, fd));
}

int
rename(const char *from, const char *to)
{
	PLAIN(CALL_RENAME, "rename", -1, from,
	      syscall(SYS_renameat2, AT_FDCWD, from, AT_FDCWD, to, 0));
}

int
unlink(const char *path)
{
	PLAIN(CALL_UNLINK, "unlink", -1, path, syscall(SYS_unlinkat, AT_FDCWD, path, 0));
}

int
unlinkat(int dir, const char *path, int flags)
{
	PLAIN(CALL_UNLINK, "unlinkat", -1, path, syscall(SYS_unlinkat, dir, path, flags));
}

int
ftruncate(int fd, off_t n)
{
	PLAIN(CALL_TRUNCATE, "ftruncate", fd, NULL, syscall(SYS_ftruncate, fd, n));
}

int
ftruncate64(int fd, off_t n)
{
	PLAIN(CALL_TRUNCATE, "ftruncate", fd, NULL, syscall(SYS_ftruncate, fd, n));
}

void *
malloc(size_t n)
{
	return look(CALL_MEMORY, "malloc", -1, NULL) == OFF ? __libc_malloc(n) : NULL;
}

void *
calloc(size_t n, size_t of)
{
	return look(CALL_MEMORY, "calloc", -1, NULL) == OFF ? __libc_calloc(n, of) : NULL;
}

void *
realloc(void *p, size_t n)
{
	return look(CALL_MEMORY, "realloc", -1, NULL) == OFF ? __libc_realloc(p, n)
	                                                     : NULL;
}
/* NOLINTEND(readability-inconsistent-declaration-parameter-name) */
