/* role.h - what a process of the appliance starts with, and how it ends.
 *
 * `mailstead serve` starts itself once per row of roles.def and process number; the
 * child loads the configuration, makes its loop, takes the sockets it inherited, and
 * calls the entry function of its row:
 *
 *     int role_smtp_main(struct role *r)
 *     {
 *             … open what is needed, make listeners from role_listener() …
 *             role_on_stop(r, stop, me);        // finish, then loop_stop(r->loop)
 *             role_on_reload(r, reload, me);    // r->conf is the new one
 *             if (role_ready(r) != OK)
 *                     return 1;                 // drops rights, enters the sandbox
 *             loop_run(r->loop);
 *             … free …
 *             return 0;
 *     }
 *
 * Nothing from the network is read before role_ready(). A process that is told to stop
 * has limits.stop_timeout; then it is killed.
 */
#ifndef ROLE_ROLE_H
#define ROLE_ROLE_H

#include "base/err.h"
#include "base/macros.h"
#include "conf/conf.h"
#include "io/loop.h"
#include "io/tls.h"

#include <stdbool.h>
#include <stddef.h>

struct role {
	const char *name;        /* "smtp" */
	int index, count;        /* this is process `index` of `count` (from 0) */
	const struct conf *conf; /* replaced by a reload, before on_reload; do not keep
	                            it, nor what is in it, over one */
	struct loop *loop;
	struct tls_server *tls; /* certificates, loaded; reloads by itself. Roles whose
	                           row says so; else NULL */
	struct role_priv *priv;
};

enum {
	ROLE_LISTENERS_MAX = 64, /* of one process */
};

/* One inherited listening socket. */
struct role_listener {
	enum conf_protocol protocol;
	struct addr addr;
	int fd;
};

/* The listening sockets of this role; each may be taken by listener_new once. */
size_t role_listener_count(const struct role *r);
const struct role_listener *role_listener(const struct role *r, size_t i);
/* The role's unix socket (store: run_dir/store.sock, web: run_dir/api.sock), listening,
   opened by the supervisor so that clients wait while we are away; -1: none. */
int role_unix_fd(const struct role *r);

/* stop: take no more connections, let sessions finish their command, then loop_stop.
   Without it the loop is stopped at once. */
void role_on_stop(struct role *r, loop_fn *fn, void *arg);
/* How long a stop may wait for clients in the middle of a command; what is left of
   limits.stop_timeout is for telling them goodbye. */
int64_t role_patience_ms(const struct role *r);
/* True once the stop was asked for. */
bool role_is_stopping(const struct role *r);
/* r->conf and the certificates are new. */
void role_on_reload(struct role *r, loop_fn *fn, void *arg);

/* What is set in the dashboard, laid over the file from now on, reloads included. Copied;
   where it differs from what was, r->conf is new and on_reload has been called when it
   returns. role/settings.h reads and follows it. */
void role_set_settings(struct role *r, const struct conf_settings *over);

/* The first row only: which process has which role, told before that process begins, and
   role empty when it is gone. Set it before the loop runs. */
typedef void role_peer_fn(void *arg, int pid, struct str role);
void role_on_peer(struct role *r, role_peer_fn *fn, void *arg);

/* Drops to conf->user, enters the sandbox of the row, tells the supervisor. Call it once,
   when everything privileged is open and the process can serve. */
MUSTUSE enum err role_ready(struct role *r);

/* This process's share of a total over all processes of the role, rounded up. */
int64_t role_share(const struct role *r, int64_t total);

/* Entry of `mailstead role NAME …`, called by main with the arguments after "role". */
int role_main(int argc, char **argv);
/* Entry of `mailstead serve`. */
int role_serve(const char *conf_path);

#endif
