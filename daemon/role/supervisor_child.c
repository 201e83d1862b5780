/* One process: what it is given at its start, when it is started again, and how it learns
 * of a new configuration.
 */
#include "role/supervisor_priv.h"

#include "io/socket.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
	DUP_BASE = 512,       /* above all numbers a process is given */
	LIVED_WELL_MS = 5000, /* a process that was ready this long ended by accident */
	READY_RETRY_MAX_MS = 1000,
	FAILED_FIRST_MS = 1000,
	START_MAX = 6 << 20, /* of what a process is told at its start */
	NUMBER_BYTES = 16,
	FDS_MAX = 2 + ROLE_LISTENERS_MAX, /* control socket, unix socket, listeners */
};

/* ── starting ── */

/* The first listener from *i on that the process inherits, and its place; or NULL. */
static const struct role_listener *
own_listener(const struct child *c, size_t *i)
{
	const struct setup *setup = &c->supervisor->setup;

	for (; *i < setup->listener_count; ++*i) {
		const struct role_listener *l = &setup->listeners[*i];

		if (strcmp(conf_protocol_role(l->protocol), c->row->name) == 0)
			return l;
	}
	return NULL;
}

static void
pack_start(const struct child *c, bool with_sockets, struct strbuf *out)
{
	const struct setup *setup = &c->supervisor->setup;
	struct role_start s = {
		.conf_path = setup->conf->path,
		.conf_text = strbuf_str(&setup->conf_text),
		.unix_fd = -1,
	};
	const struct role_listener *l;
	int next = ROLE_FIRST_FD;

	if (c->row->has_tls) {
		s.certificate_pem = strbuf_str(&setup->certificate_pem);
		s.key_pem = strbuf_str(&setup->key_pem);
	}
	if (role_row_wants_roots(c->row))
		s.roots_pem = strbuf_str(&setup->roots_pem);
	if (with_sockets && setup->unix_fds[c->row_index] >= 0)
		s.unix_fd = next++;
	for (size_t i = 0; with_sockets && (l = own_listener(c, &i)) != NULL; i++) {
		if (s.listener_count == ROLE_LISTENERS_MAX)
			break;
		s.listeners[s.listener_count] = *l;
		s.listeners[s.listener_count++].fd = next++;
	}
	role_start_pack(&s, out);
}

/* The descriptors for the process, in the order that pack_start numbers them. */
static size_t
collect_fds(const struct child *c, int control_fd, int fds[FDS_MAX])
{
	const struct setup *setup = &c->supervisor->setup;
	const struct role_listener *l;
	size_t n = 0;

	fds[n++] = control_fd;
	if (setup->unix_fds[c->row_index] >= 0)
		fds[n++] = setup->unix_fds[c->row_index];
	for (size_t i = 0, own = 0; (l = own_listener(c, &i)) != NULL; i++) {
		if (own++ == ROLE_LISTENERS_MAX)
			break;
		fds[n++] = l->fd;
	}
	return n;
}

/* In the forked process: only calls that are safe there. */
NORETURN static void
become(const struct child *c, int parent_pid, const int *fds, size_t n)
{
	char index[NUMBER_BYTES], count[NUMBER_BYTES], parent[NUMBER_BYTES];
	char *argv[] = { (char[]){ "mailstead" },
		         (char[]){ "role" },
		         NULL,
		         index,
		         count,
		         parent,
		         NULL };
	char name[32];
	int moved[FDS_MAX];
	sigset_t none;

	/* The writer keeps the lock on its data for as long as it lives. */
	if (c->row_index == 0 &&
	    fcntl(c->supervisor->setup.lock_fd, F_DUPFD, DUP_BASE) < 0)
		_exit(126);
	for (size_t i = 0; i < n; i++)
		moved[i] = fcntl(fds[i], F_DUPFD_CLOEXEC, DUP_BASE);
	for (size_t i = 0; i < n; i++) {
		if (moved[i] < 0 || dup2(moved[i], ROLE_CONTROL_FD + (int)i) < 0)
			_exit(126);
	}
	(void)sigemptyset(&none);
	(void)sigprocmask(SIG_SETMASK, &none, NULL);
	(void)snprintf(name, sizeof(name), "%s", c->row->name);
	(void)snprintf(index, sizeof(index), "%d", c->index);
	(void)snprintf(count, sizeof(count), "%d", c->count);
	(void)snprintf(parent, sizeof(parent), "%d", parent_pid);
	argv[2] = name;
	(void)execv("/proc/self/exe", argv);
	_exit(127);
}

static void
on_child_message(void *arg, struct ipc_peer *p, const struct ipc_message *m)
{
	struct child *c = CAST(child, CHILD_MAGIC, arg);

	(void)p;
	if (m->kind == ROLE_READY && c->state == STARTING) {
		c->state = RUNNING;
		supervisor_child_ready(c);
	}
}

static void
on_child_closed(void *arg, struct ipc_peer *p, const char *why)
{
	struct child *c = CAST(child, CHILD_MAGIC, arg);

	(void)p;
	(void)why;
	c->control = NULL; /* SIGCHLD follows */
}

static const struct ipc_ops child_ops = {
	.message = on_child_message,
	.closed = on_child_closed,
};

void
child_tell_store(const struct child *c, bool is_there)
{
	const struct child *store = &c->supervisor->children[0];
	char bytes[64];
	struct strbuf b = strbuf_on(bytes);
	struct role_peer peer = { c->pid, str_from(is_there ? c->row->name : "") };

	if (!store->control || c->row_index == 0 || c->pid <= 0)
		return;
	role_peer_pack(&peer, &b);
	ipc_send(store->control, ROLE_PEER, 0, strbuf_str(&b));
}

/* Behind a new store's own start: who is there already. */
static void
tell_store_all(struct supervisor *s)
{
	for (size_t i = 0; i < s->child_count; i++)
		child_tell_store(&s->children[i], true);
}

void
child_start(void *arg)
{
	struct child *c = CAST(child, CHILD_MAGIC, arg);
	struct supervisor *s = c->supervisor;
	struct strbuf start = strbuf_heap(START_MAX);
	int pair[2], fds[FDS_MAX], parent_pid = (int)getpid();
	size_t n;

	socket_pair(pair);
	n = collect_fds(c, pair[1], fds);
	c->started_ms = loop_now_ms(s->loop);
	role_row_reach(c->row, s->setup.conf, &c->reach);
	c->pid = fork();
	if (c->pid == 0)
		become(c, parent_pid, fds, n);
	(void)close(pair[1]);
	if (c->pid < 0) {
		log_line(LEVEL_ERROR, "role.fork", "role=%s errno=%d", c->row->name,
		         errno);
		(void)close(pair[0]);
		child_restart_later(c, false);
		return;
	}
	/* The crash test means the first process we start, the store, and that one only:
	   its successors and the others would die of it for ever. */
	(void)unsetenv("MAILSTEAD_CRASH_AT");
	c->state = STARTING;
	c->control = ipc_peer_new(s->loop, pair[0], &child_ops, c);
	child_tell_store(c, true);
	pack_start(c, true, &start);
	ipc_send(c->control, ROLE_START, 0, strbuf_str(&start));
	if (c->row_index == 0)
		tell_store_all(s);
	strbuf_release(&start);
}

/* ── starting again ── */

void
child_restart_later(struct child *c, bool was_ready)
{
	struct supervisor *s = c->supervisor;
	int64_t lived_ms = loop_now_ms(s->loop) - c->started_ms, wait_ms = 0;
	int64_t most_ms = was_ready ? READY_RETRY_MAX_MS
	                            : s->setup.conf->limits.restart_backoff_max;
	unsigned in_a_row;

	if (was_ready && lived_ms >= LIVED_WELL_MS)
		c->failures = 0;
	if (was_ready)
		c->unready = 0;
	in_a_row = was_ready ? c->failures : c->unready;
	/* The first time at once. One that dies before it is ready will hardly do better
	   soon; one that was ready serves in between. */
	if (in_a_row) {
		wait_ms = was_ready ? 100 : FAILED_FIRST_MS;
		for (unsigned i = 1; i < in_a_row && wait_ms < most_ms; i++)
			wait_ms *= 2;
		if (wait_ms > most_ms)
			wait_ms = most_ms;
	}
	c->failures++;
	c->unready += !was_ready;
	timer_set(&c->restart, wait_ms);
}

void
child_restart_now(struct child *c)
{
	c->is_renewing = false;
	timer_stop(&c->stop_limit);
	timer_set(&c->restart, 0);
}

/* ── a new configuration ── */

void
child_kill(void *arg)
{
	struct child *c = CAST(child, CHILD_MAGIC, arg);

	if (c->pid <= 0)
		return;
	log_line(LEVEL_WARN, "role.kill", "role=%s pid=%d", c->row->name, (int)c->pid);
	(void)kill(c->pid, SIGKILL);
}

/* Ends a process whose sandbox is too narrow, or too wide, for the new configuration; its
   successor starts with that. It is not told of it before: in the old sandbox it would
   take what it may not do for a fault of the others. */
static void
renew(struct child *c)
{
	if (c->is_renewing || !c->control)
		return;
	c->is_renewing = true;
	log_line(LEVEL_INFO, "role.renew", "role=%s pid=%d", c->row->name, (int)c->pid);
	ipc_send(c->control, ROLE_STOP, 0, STR(""));
	timer_set(&c->stop_limit, c->supervisor->setup.conf->limits.stop_timeout);
}

void
child_reload(struct child *c)
{
	struct strbuf start = strbuf_heap(START_MAX);
	struct role_reach reach;

	role_row_reach(c->row, c->supervisor->setup.conf, &reach);
	pack_start(c, false, &start);
	if (!role_reach_eq(&reach, &c->reach))
		renew(c);
	else if (c->control)
		ipc_send(c->control, ROLE_RELOAD, 0, strbuf_str(&start));
	strbuf_release(&start);
}
