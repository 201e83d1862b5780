#include "io/sandbox.h"

#include "base/event.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/landlock.h>
#include <pwd.h>
#include <sched.h>
#include <seccomp.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define HAS_SANITIZER 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define HAS_SANITIZER 1
#endif
#endif
#ifndef HAS_SANITIZER
#define HAS_SANITIZER 0
#endif

enum {
	USER_BUFFER = 4096,
	ABI_REFER = 2,
	ABI_TRUNCATE = 3,
	ABI_NET = 4,
};

/* Landlock as of ABI 4; older headers know less, and the kernel says what it has. */
#define FS_REFER        (UINT64_C(1) << 13)
#define FS_TRUNCATE     (UINT64_C(1) << 14)
#define NET_BIND_TCP    (UINT64_C(1) << 0)
#define NET_CONNECT_TCP (UINT64_C(1) << 1)

struct ruleset_attr {
	uint64_t handled_access_fs;
	uint64_t handled_access_net;
};

struct net_port_attr {
	uint64_t allowed_access;
	uint64_t port;
};

enum {
	RULE_NET_PORT = 2,
};

enum err
sandbox_drop_user(const char *user, struct diag *diag)
{
	char buffer[USER_BUFFER];
	struct passwd entry, *found = NULL;

	if (!user[0] || geteuid() != 0)
		return OK;
	if (getpwnam_r(user, &entry, buffer, sizeof(buffer), &found) != 0 || !found)
		return diag_set(diag, ERR_CONFIG, "user: there is no user %s", user);
	if (setgroups(0, NULL) != 0 ||
	    setresgid(found->pw_gid, found->pw_gid, found->pw_gid) ||
	    setresuid(found->pw_uid, found->pw_uid, found->pw_uid) != 0)
		return diag_set(diag, ERR_IO, "cannot become %s: %s", user,
		                strerrordesc_np(errno));
	if (found->pw_uid != 0 && (setuid(0) == 0 || setgid(0) == 0))
		return diag_set(diag, ERR_IO, "%s can become root again", user);
	return OK;
}

bool
sandbox_die_with_parent(int parent_pid)
{
	/* Asked after it is set: a parent that died before would never be noticed. */
	return prctl(PR_SET_PDEATHSIG, SIGKILL) == 0 && getppid() == parent_pid;
}

/* ── Landlock ── */

static const uint64_t fs_read =
	LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_READ_DIR;
static const uint64_t fs_write =
	LANDLOCK_ACCESS_FS_WRITE_FILE | LANDLOCK_ACCESS_FS_MAKE_REG |
	LANDLOCK_ACCESS_FS_MAKE_DIR | LANDLOCK_ACCESS_FS_REMOVE_FILE |
	LANDLOCK_ACCESS_FS_REMOVE_DIR | FS_REFER | FS_TRUNCATE;
static const uint64_t fs_of_files =
	LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_WRITE_FILE | FS_TRUNCATE;
/* Everything of ABI 1. */
static const uint64_t fs_all = (UINT64_C(1) << 13) - 1;

/* What libraries read on their own: resolver, time zones, character sets, certificates. */
static const struct sandbox_path system_paths[] = {
	{ "/etc/resolv.conf", SANDBOX_READ },
	{ "/etc/hosts", SANDBOX_READ },
	{ "/etc/host.conf", SANDBOX_READ },
	{ "/etc/nsswitch.conf", SANDBOX_READ },
	{ "/etc/gai.conf", SANDBOX_READ },
	{ "/etc/services", SANDBOX_READ },
	{ "/etc/localtime", SANDBOX_READ },
	{ "/etc/ld.so.cache", SANDBOX_READ },
	{ "/etc/ssl/certs", SANDBOX_READ },
	{ "/etc/ssl/openssl.cnf", SANDBOX_READ },
	{ "/etc/pki/tls", SANDBOX_READ },
	{ "/etc/pki/ca-trust", SANDBOX_READ },
	{ "/etc/crypto-policies", SANDBOX_READ },
	{ "/usr/share", SANDBOX_READ },
	{ "/usr/lib", SANDBOX_READ },
	{ "/usr/lib64", SANDBOX_READ },
	{ "/sys/devices/system/cpu", SANDBOX_READ },
	{ "/dev/urandom", SANDBOX_READ },
	{ "/dev/null", SANDBOX_WRITE },
};

static uint64_t
handled_fs(int abi)
{
	uint64_t handled = fs_all;

	if (abi >= ABI_REFER)
		handled |= FS_REFER;
	if (abi >= ABI_TRUNCATE)
		handled |= FS_TRUNCATE;
	return handled;
}

static bool
allow_path(int ruleset, int abi, const struct sandbox_path *p)
{
	struct landlock_path_beneath_attr rule = { .allowed_access = fs_read };
	struct stat st;
	bool ok;
	int fd = open(p->path, O_PATH | O_CLOEXEC);

	if (fd < 0)
		return errno == ENOENT || errno == EACCES || errno == ENOTDIR;
	if (p->rights & SANDBOX_WRITE)
		rule.allowed_access |= fs_write;
	rule.allowed_access &= handled_fs(abi);
	if (fstat(fd, &st) == 0 && !S_ISDIR(st.st_mode))
		rule.allowed_access &= fs_of_files;
	rule.parent_fd = fd;
	ok = syscall(SYS_landlock_add_rule, ruleset, LANDLOCK_RULE_PATH_BENEATH, &rule,
	             0) == 0;
	(void)close(fd);
	return ok;
}

static bool
fill_ruleset(int ruleset, int abi, const struct sandbox *s)
{
	for (size_t i = 0; i < ARRAY_LEN(system_paths); i++) {
		if (!allow_path(ruleset, abi, &system_paths[i]))
			return false;
	}
	for (size_t i = 0; i < s->paths_count; i++) {
		if (!allow_path(ruleset, abi, &s->paths[i]))
			return false;
	}
	for (size_t i = 0; abi >= ABI_NET && s->want_inet && i < s->ports_count; i++) {
		struct net_port_attr rule = { NET_CONNECT_TCP, s->ports[i] };

		if (syscall(SYS_landlock_add_rule, ruleset, RULE_NET_PORT, &rule, 0) != 0)
			return false;
	}
	if (abi >= ABI_NET && s->want_source) {
		/* Port 0: whichever is free, so none of a service. */
		struct net_port_attr rule = { NET_BIND_TCP, 0 };

		if (syscall(SYS_landlock_add_rule, ruleset, RULE_NET_PORT, &rule, 0) != 0)
			return false;
	}
	return true;
}

static bool
enter_landlock(const struct sandbox *s)
{
	struct ruleset_attr attr = { 0 };
	size_t attr_size = sizeof(attr.handled_access_fs);
	int abi = (int)syscall(SYS_landlock_create_ruleset, NULL, 0,
	                       LANDLOCK_CREATE_RULESET_VERSION);
	int ruleset;
	bool ok;

	if (abi < 1) {
		log_line(LEVEL_WARN, "sandbox.landlock",
		         "missing=1 text=\"this kernel has no "
		         "Landlock: files are not fenced in\"");
		return true;
	}
	attr.handled_access_fs = handled_fs(abi);
	if (abi >= ABI_NET) {
		attr_size = sizeof(attr);
		attr.handled_access_net = NET_BIND_TCP;
		if (!s->want_inet || s->ports_count)
			attr.handled_access_net |= NET_CONNECT_TCP;
	}
	ruleset = (int)syscall(SYS_landlock_create_ruleset, &attr, attr_size, 0);
	if (ruleset < 0)
		return false;
	ok = fill_ruleset(ruleset, abi, s) &&
	     syscall(SYS_landlock_restrict_self, ruleset, 0) == 0;
	(void)close(ruleset);
	return ok;
}

/* ── seccomp ── */

static const char *const denied[] = {
	/* other programs */
	"execve",
	"execveat",
	"fork",
	"vfork",
	"ptrace",
	"process_vm_readv",
	"process_vm_writev",
	"process_madvise",
	"kcmp",
	"pidfd_open",
	"pidfd_getfd",
	"pidfd_send_signal",
	"rt_sigqueueinfo",
	"rt_tgsigqueueinfo",
	"tkill",
	/* who we are */
	"setuid",
	"setgid",
	"setreuid",
	"setregid",
	"setresuid",
	"setresgid",
	"setgroups",
	"setfsuid",
	"setfsgid",
	"capset",
	"personality",
	/* the machine */
	"mount",
	"umount2",
	"pivot_root",
	"chroot",
	"move_mount",
	"open_tree",
	"fsopen",
	"fsconfig",
	"fsmount",
	"fspick",
	"mount_setattr",
	"setns",
	"unshare",
	"swapon",
	"swapoff",
	"reboot",
	"kexec_load",
	"kexec_file_load",
	"init_module",
	"finit_module",
	"delete_module",
	"acct",
	"settimeofday",
	"clock_settime",
	"clock_adjtime",
	"adjtimex",
	"sethostname",
	"setdomainname",
	"quotactl",
	"quotactl_fd",
	"syslog",
	"vhangup",
	"iopl",
	"ioperm",
	"modify_ldt",
	"mknod",
	"mknodat",
	/* large surfaces of the kernel */
	"bpf",
	"perf_event_open",
	"userfaultfd",
	"keyctl",
	"add_key",
	"request_key",
	"io_uring_setup",
	"io_uring_enter",
	"io_uring_register",
	"open_by_handle_at",
	"name_to_handle_at",
	"lookup_dcookie",
	"uselib",
};

static bool
deny(scmp_filter_ctx filter, const char *name)
{
	int number = seccomp_syscall_resolve_name(name);

	/* A call that this architecture has not cannot be made either. */
	return number < 0 ||
	       seccomp_rule_add(filter, SCMP_ACT_ERRNO(EPERM), number, 0) == 0;
}

/* socket(): unix sockets always, IPv4 and IPv6 where wanted, nothing else. */
static bool
deny_sockets(scmp_filter_ctx filter, bool want_inet)
{
	static const unsigned last = AF_INET6;

	for (unsigned family = 0; family <= last; family++) {
		if (family == AF_UNIX ||
		    (want_inet && (family == AF_INET || family == last)))
			continue;
		if (seccomp_rule_add(filter, SCMP_ACT_ERRNO(EPERM), SCMP_SYS(socket), 1,
		                     SCMP_A0(SCMP_CMP_EQ, family, 0)) != 0)
			return false;
	}
	return seccomp_rule_add(filter, SCMP_ACT_ERRNO(EPERM), SCMP_SYS(socket), 1,
	                        SCMP_A0(SCMP_CMP_GT, last, 0)) == 0;
}

/* Threads may be made, processes not; signals reach ourselves only. */
static bool
deny_processes(scmp_filter_ctx filter)
{
	scmp_datum_t pid = (scmp_datum_t)getpid();

	/* clone3 hides its flags in memory; without it the C library uses clone. */
	return seccomp_rule_add(filter, SCMP_ACT_ERRNO(ENOSYS), SCMP_SYS(clone3), 0) ==
	               0 &&
	       seccomp_rule_add(filter, SCMP_ACT_ERRNO(EPERM), SCMP_SYS(clone), 1,
	                        SCMP_A0(SCMP_CMP_MASKED_EQ, CLONE_THREAD, 0)) == 0 &&
	       seccomp_rule_add(filter, SCMP_ACT_ERRNO(EPERM), SCMP_SYS(kill), 1,
	                        SCMP_A0(SCMP_CMP_NE, pid, 0)) == 0 &&
	       seccomp_rule_add(filter, SCMP_ACT_ERRNO(EPERM), SCMP_SYS(tgkill), 1,
	                        SCMP_A0(SCMP_CMP_NE, pid, 0)) == 0;
}

static bool
enter_seccomp(const struct sandbox *s)
{
	scmp_filter_ctx filter = seccomp_init(SCMP_ACT_ALLOW);
	bool ok = filter != NULL;

	for (size_t i = 0; ok && i < ARRAY_LEN(denied); i++)
		ok = deny(filter, denied[i]);
	ok = ok && deny_sockets(filter, s->want_inet) && deny_processes(filter) &&
	     seccomp_attr_set(filter, SCMP_FLTATR_ACT_BADARCH, SCMP_ACT_KILL_PROCESS) ==
	             0 &&
	     seccomp_load(filter) == 0;
	if (filter)
		seccomp_release(filter);
	return ok;
}

enum err
sandbox_enter(const struct sandbox *s, struct diag *diag)
{
	const struct rlimit no_core = { 0, 0 };

	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0)
		return diag_set(diag, ERR_IO, "no_new_privs: %s", strerrordesc_np(errno));
	(void)setrlimit(RLIMIT_CORE, &no_core);
	(void)prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
	if (HAS_SANITIZER) {
		/* The leak check at the end traces its own process, and reports need
		 * /proc. */
		log_line(LEVEL_WARN, "sandbox.sanitizer",
		         "text=\"built with sanitizers: no "
		         "Landlock, no system call filter\"");
		return OK;
	}
	if (!enter_landlock(s))
		return diag_set(diag, ERR_IO, "Landlock: %s", strerrordesc_np(errno));
	if (!enter_seccomp(s))
		return diag_set(diag, ERR_IO, "seccomp: the filter was refused");
	return OK;
}
