/* supervisor_priv.h - the supervisor and its processes, for the files that do its work.
 *
 *   supervisor.c        when: readiness, restarts, stopping, reloads
 *   supervisor_child.c  how: one process is started, told, renewed
 */
#ifndef ROLE_SUPERVISOR_PRIV_H
#define ROLE_SUPERVISOR_PRIV_H

#include "base/event.h"
#include "base/panic.h"
#include "io/ipc.h"
#include "io/loop.h"
#include "role/row.h"
#include "role/setup.h"

#include <sys/types.h>

enum {
	CHILD_MAGIC = 0x6368696c,
	SUPERVISOR_MAGIC = 0x73757072,
	CHILDREN_MAX = 256,
};

enum child_state {
	DOWN,
	STARTING,
	RUNNING,
};

struct supervisor;

struct child {
	uint32_t magic;
	enum child_state state;
	struct supervisor *supervisor;
	const struct role_row *row;
	size_t row_index;
	int index, count;
	pid_t pid;
	struct ipc_peer *control;
	struct timer restart, stop_limit;
	struct role_reach reach; /* what its sandbox lets it do */
	bool is_renewing;        /* it was asked to end, for another one */
	int64_t started_ms;
	unsigned failures; /* in a row */
	unsigned unready;  /* of them, without ever having been ready */
};

struct supervisor {
	uint32_t magic;
	const char *conf_path;
	struct setup setup;
	struct loop *loop;
	struct loop_signal *signals[4];
	struct timer watchdog, clock, stop_limit;
	struct child children[CHILDREN_MAX];
	size_t child_count;
	bool was_ready, has_started_all;
	uint64_t fence; /* which files the sandboxes of the others name */
	enum {
		SERVING,
		STOPPING_OTHERS,
		STOPPING_FIRST, /* the first row: the store, which the others needed */
	} phase;
};

/* --- supervisor_child.c ------------------------------------------------------------- */

/* Starts the process: a struct child, which is DOWN. Also its restart timer's. */
void child_start(void *arg);
/* Its process has ended: another one after the pause that is due. */
void child_restart_later(struct child *c, bool was_ready);
/* The same at once, and no failure: it was asked to end, for another one. */
void child_restart_now(struct child *c);
/* Tells it the new configuration, or ends it where its sandbox does not fit that. */
void child_reload(struct child *c);
/* Of its stop_limit: it was asked to end, and did not. */
void child_kill(void *arg);
/* The store gives rights by role, and knows the role of a process from here alone. */
void child_tell_store(const struct child *c, bool is_there);

/* --- supervisor.c ------------------------------------------------------------------- */

/* It says that it can serve. */
void supervisor_child_ready(struct child *c);

#endif
