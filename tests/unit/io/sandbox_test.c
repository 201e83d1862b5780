/* What a process inside the sandbox can no longer do. Each try runs in a child of its
 * own, after it has entered; its exit status says what became of it. */
#include "io/sandbox.h"

#include "io/socket.h"
#include "tests/unit/check.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
enum { HAS_SANDBOX = 0 };
#else
enum { HAS_SANDBOX = 1 };
#endif

enum {
	REFUSED,
	ALLOWED,
	NOT_ENTERED,
};

static char directory[64];
static char inside[96], outside[96];

static int
opened(const char *path, int flags)
{
	int fd = open(path, flags | O_CLOEXEC, 0600);

	if (fd >= 0)
		(void)close(fd);
	return fd >= 0 ? ALLOWED : REFUSED;
}

static int
try_shadow(void)
{
	return opened("/etc/shadow", O_RDONLY);
}

static int
try_write_passwd(void)
{
	return opened("/etc/passwd", O_WRONLY | O_APPEND);
}

static int
try_outside(void)
{
	return opened(outside, O_RDONLY);
}

static int
try_init_memory(void)
{
	return opened("/proc/1/mem", O_RDWR);
}

static int
try_inet(void)
{
	return socket(AF_INET, SOCK_STREAM, 0) >= 0 ||
	                       socket(AF_INET6, SOCK_DGRAM, 0) >= 0 ||
	                       socket(AF_NETLINK, SOCK_RAW, 0) >= 0
	               ? ALLOWED
	               : REFUSED;
}

static int
try_exec(void)
{
	(void)execl("/bin/true", "true", (char *)NULL);
	return REFUSED;
}

static int
try_fork(void)
{
	pid_t pid = fork();

	if (pid == 0)
		_exit(0);
	return pid > 0 ? ALLOWED : REFUSED;
}

static int
try_ptrace(void)
{
	return ptrace(PTRACE_ATTACH, getppid(), NULL, NULL) == 0 ? ALLOWED : REFUSED;
}

static int
try_kill(void)
{
	return kill(getppid(), 0) == 0 || kill(-1, 0) == 0 ? ALLOWED : REFUSED;
}

static int
try_setuid(void)
{
	return setuid(0) == 0 || setuid(1) == 0 ? ALLOWED : REFUSED;
}

/* ── and what it must still be able to do ── */

static int
try_inside(void)
{
	return opened(inside, O_RDWR | O_CREAT);
}

static int
try_unix(void)
{
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);

	return fd >= 0 ? ALLOWED : REFUSED;
}

static void *
in_thread(void *arg)
{
	return arg;
}

static int
try_thread(void)
{
	pthread_t thread;

	return pthread_create(&thread, NULL, in_thread, NULL) == 0 &&
	                       pthread_join(thread, NULL) == 0
	               ? ALLOWED
	               : REFUSED;
}

static int
try_own_signal(void)
{
	(void)signal(SIGUSR1, SIG_IGN);
	return raise(SIGUSR1) == 0 && kill(getpid(), 0) == 0 ? ALLOWED : REFUSED;
}

static const struct {
	const char *what;
	int (*run)(void);
	int want;
	bool needs_landlock;
} tries[] = {
	{ "read /etc/shadow", try_shadow, REFUSED, true },
	{ "write /etc/passwd", try_write_passwd, REFUSED, true },
	{ "read a file elsewhere", try_outside, REFUSED, true },
	{ "open /proc/1/mem", try_init_memory, REFUSED, true },
	{ "make a network socket", try_inet, REFUSED, false },
	{ "start a program", try_exec, REFUSED, false },
	{ "start a process", try_fork, REFUSED, false },
	{ "trace another process", try_ptrace, REFUSED, false },
	{ "signal others", try_kill, REFUSED, false },
	{ "become somebody else", try_setuid, REFUSED, false },
	{ "write where it may", try_inside, ALLOWED, false },
	{ "make a unix socket", try_unix, ALLOWED, false },
	{ "make a thread", try_thread, ALLOWED, false },
	{ "signal itself", try_own_signal, ALLOWED, false },
};

static int
run_inside(int (*run)(void))
{
	const struct sandbox_path paths[] = { { directory, SANDBOX_WRITE } };
	const struct sandbox s = { .paths = paths, .paths_count = 1 };
	struct diag diag;
	int status = 0;
	pid_t pid;

	(void)fflush(NULL);
	pid = fork();
	if (pid == 0) {
		int null = open("/dev/null", O_WRONLY | O_CLOEXEC);

		(void)dup2(null, STDERR_FILENO); /* the line about a missing Landlock */
		if (sandbox_enter(&s, &diag) != OK)
			_exit(NOT_ENTERED);
		_exit(run());
	}
	(void)waitpid(pid, &status, 0);
	return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
}

static void
test_tries(void)
{
	bool has_landlock;

	(void)snprintf(directory, sizeof(directory), "/tmp/mailstead-box-XXXXXX");
	CHECK_TRUE(mkdtemp(directory), "a directory");
	(void)snprintf(inside, sizeof(inside), "%s/file", directory);
	(void)snprintf(outside, sizeof(outside), "%s.outside", directory);
	CHECK_U64_EQ((unsigned)opened(outside, O_RDWR | O_CREAT), ALLOWED,
	             "made outside");
	has_landlock = run_inside(try_outside) == REFUSED;
	if (!has_landlock)
		printf("(no Landlock here: files are not tried) ");
	for (size_t i = 0; HAS_SANDBOX && i < ARRAY_LEN(tries); i++) {
		if (tries[i].needs_landlock && !has_landlock)
			continue;
		CHECK_I64_EQ(run_inside(tries[i].run), tries[i].want, tries[i].what);
	}
	(void)unlink(inside);
	(void)unlink(outside);
	(void)rmdir(directory);
}

static void
test_dies_with_parent(void)
{
	CHECK_TRUE(!sandbox_die_with_parent(getppid() + 1), "another parent is noticed");
	CHECK_TRUE(sandbox_die_with_parent(getppid()), "the right one");
}

static void
test_unknown_user(void)
{
	struct diag diag = { 0 };

	CHECK_ERR_EQ(sandbox_drop_user("", &diag), OK, "stay who we are");
	if (geteuid() == 0)
		CHECK_ERR_EQ(sandbox_drop_user("no-such-user-here", &diag), ERR_CONFIG,
		             "no such user");
}

SUITE(io_sandbox, { "tries", test_tries }, { "dies with parent", test_dies_with_parent },
      { "unknown user", test_unknown_user });
