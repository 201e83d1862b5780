/* sandbox.h - gives away what a process does not need, once, after it has opened what it
 * needs and before it reads a byte from the network.
 *
 * no_new_privs, no core dumps, death with the parent, then Landlock (only the listed
 * paths can be opened) and a seccomp deny list (no exec, fork, ptrace, mount, keys, bpf,
 * io_uring, signals to others, …; network sockets only where asked for). A kernel without
 * Landlock, or a build with sanitizers, gets less, and a warning in the log says what.
 */
#ifndef IO_SANDBOX_H
#define IO_SANDBOX_H

#include "base/err.h"
#include "base/macros.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum sandbox_right {
	SANDBOX_READ = 1,  /* read files below */
	SANDBOX_WRITE = 2, /* write, make and remove files below; includes reading */
};

struct sandbox_path {
	const char *path; /* a directory or file; one that is not there is skipped */
	unsigned rights;
};

struct sandbox {
	const struct sandbox_path *paths;
	size_t paths_count;
	bool want_inet;        /* may make IPv4 and IPv6 sockets */
	const uint16_t *ports; /* with want_inet: the TCP ports it may connect to
	                          (Landlock 4, Linux 6.7); without: none. No ports with
	                          want_inet: any */
	size_t ports_count;
	bool want_source; /* may choose which of our addresses it connects from */
};

/* Becomes user (and its group, no supplementary groups); nothing to do when we are not
   root or user is "". ERR_CONFIG: no such user. Verified: going back to root must
   fail. */
MUSTUSE enum err sandbox_drop_user(const char *user, struct diag *diag);
/* The process dies with SIGKILL when its parent does; false when the parent is gone
   already. */
bool sandbox_die_with_parent(int parent_pid);
/* Closes the door, for the calling thread and those it makes later: call it before any
   thread is made. ERR_IO when the kernel refuses what it should grant. */
MUSTUSE enum err sandbox_enter(const struct sandbox *s, struct diag *diag);

#endif
