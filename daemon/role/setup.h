/* setup.h - what the supervisor prepares before the first process starts: directories,
 * locks, limits, the certificate, listening sockets.
 */
#ifndef ROLE_SETUP_H
#define ROLE_SETUP_H

#include "base/err.h"
#include "base/macros.h"
#include "base/strbuf.h"
#include "conf/conf.h"
#include "role/role.h"

#include <stddef.h>

enum {
	SETUP_LISTENERS_MAX = 256,
	SETUP_ROWS_MAX = 32,
};

struct setup {
	struct conf *conf;
	struct strbuf conf_text;                /* what conf was made of */
	struct strbuf certificate_pem, key_pem; /* loaded and checked */
	struct strbuf roots_pem; /* the same of tls.ca_file; empty: there is none */
	struct role_listener listeners[SETUP_LISTENERS_MAX];
	size_t listener_count;
	int unix_fds[SETUP_ROWS_MAX]; /* by row of roles.def; -1: none */
	int lock_fd, pid_fd;
};

/* Whether the user and the files that the configuration names can be used: our
   certificate and key, and those of others; diag says where it names them. */
MUSTUSE enum err setup_check_files(const struct conf *c, struct diag *diag);
/* Reads the configuration at path and the certificate it names, checks both as a whole
   and puts them into s; on error s is as before and each error has been told to on_error.
 */
MUSTUSE enum err setup_read(struct setup *s, const char *path, conf_error_fn *on_error,
                            void *arg);
/* Everything else; on error the cause is in diag and what was opened stays to
   setup_close. Call it once, after setup_read. */
MUSTUSE enum err setup_open(struct setup *s, struct diag *diag);
/* Closes and forgets all; removes the sockets and the pid file in run_dir. */
void setup_close(struct setup *s);

#endif
