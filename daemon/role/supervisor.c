/* mailstead serve - starts the processes of roles.def, starts again what ends, and stops
 * all of them in order.
 *
 * It reads files and the control sockets of its own children, and not one byte of the
 * network. It fails with 1 and the cause on stderr when the configuration is wrong or a
 * socket cannot be opened; after that only a signal ends it.
 *
 * A process is in one of four states, left by the function named:
 *
 *   DOWN ─child_start→ STARTING ─child_is_ready→ RUNNING ─┐
 *    ↑                    └────────── child_ended ────────┤
 *    └── restart timer, or for good when we are stopping ─┘
 */
#include "role/role.h"

#include "base/clock.h"
#include "base/event.h"
#include "base/ids.h"
#include "base/mem.h"
#include "base/panic.h"
#include "io/ipc.h"
#include "io/loop.h"
#include "io/socket.h"
#include "role/notify.h"
#include "role/row.h"
#include "role/setup.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

enum {
	CHILD_MAGIC = 0x6368696c,
	SUPERVISOR_MAGIC = 0x73757072,
	CHILDREN_MAX = 256,
	DUP_BASE = 512,       /* above all numbers a process is given */
	LIVED_WELL_MS = 5000, /* a process that was ready this long ended by accident */
	READY_RETRY_MAX_MS = 1000,
	FAILED_FIRST_MS = 1000,
	STORE_STOP_MS = 1500,
	NUMBER_BYTES = 16,
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
	struct timer restart;
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
	struct timer watchdog, stop_limit;
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

/* ── starting a process ── */

static void child_start(void *arg);

static void
pack_start(const struct child *c, bool with_sockets, struct strbuf *out)
{
	const struct setup *setup = &c->supervisor->setup;
	struct role_start s = {
		.conf_path = setup->conf->path,
		.conf_text = strbuf_str(&setup->conf_text),
		.unix_fd = -1,
	};
	int next = ROLE_FIRST_FD;

	if (c->row->has_tls) {
		s.certificate_pem = strbuf_str(&setup->certificate_pem);
		s.key_pem = strbuf_str(&setup->key_pem);
	}
	if (with_sockets && setup->unix_fds[c->row_index] >= 0)
		s.unix_fd = next++;
	for (size_t i = 0; with_sockets && i < setup->listener_count; i++) {
		const struct role_listener *l = &setup->listeners[i];

		if (strcmp(conf_protocol_role(l->protocol), c->row->name) != 0 ||
		    s.listener_count == ARRAY_LEN(s.listeners))
			continue;
		s.listeners[s.listener_count] = *l;
		s.listeners[s.listener_count++].fd = next++;
	}
	role_start_pack(&s, out);
}

/* The descriptors for the process, in the order that pack_start numbers them. */
static size_t
collect_fds(const struct child *c, int control_fd, int *fds)
{
	const struct setup *setup = &c->supervisor->setup;
	size_t n = 0, listeners = 0;

	fds[n++] = control_fd;
	if (setup->unix_fds[c->row_index] >= 0)
		fds[n++] = setup->unix_fds[c->row_index];
	for (size_t i = 0; i < setup->listener_count; i++) {
		const struct role_listener *l = &setup->listeners[i];

		if (strcmp(conf_protocol_role(l->protocol), c->row->name) == 0 &&
		    listeners++ < 64)
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
	int moved[80];
	sigset_t none;

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

/* run_dir/processes: a line "ROLE INDEX PID STATE" for each process, for the health page
   (processes are not allowed to look at each other). Whole or not at all. */
static void
write_processes(struct supervisor *s)
{
	static const char *const words[] = { "down", "starting", "running" };
	struct strbuf text = strbuf_heap(64 * 1024);
	char path_bytes[4096], new_bytes[4096];
	struct strbuf path = strbuf_on(path_bytes), path_new = strbuf_on(new_bytes);
	const char *name = conf_run_path(s->setup.conf, "processes", &path);
	const char *name_new = conf_run_path(s->setup.conf, "processes.new", &path_new);
	int fd;
	bool is_written;

	for (size_t i = 0; i < s->child_count; i++) {
		const struct child *c = &s->children[i];

		strbuf_printf(&text, "%s %d %d %s\n", c->row->name, c->index, (int)c->pid,
		              words[c->state]);
	}
	(void)unlink(name_new);
	fd = open(name_new, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0644);
	is_written = fd >= 0 && write(fd, text.p, text.n) == (ssize_t)text.n;
	if (fd >= 0)
		(void)close(fd);
	if (!is_written || rename(name_new, name) != 0)
		(void)unlink(name_new);
	strbuf_release(&text);
}

static void
update_status(struct supervisor *s)
{
	char text[96];
	size_t running = 0;

	for (size_t i = 0; i < s->child_count; i++)
		running += s->children[i].state == RUNNING;
	(void)snprintf(text, sizeof(text), "%zu of %zu processes running", running,
	               s->child_count);
	write_processes(s);
	if (running == s->child_count && !s->was_ready) {
		s->was_ready = true;
		log_line(LEVEL_INFO, "serve.ready", "processes=%zu", running);
		notify_ready(text);
	} else {
		notify_status(text);
	}
}

static void
tell_event(enum event_id id, const struct child *c, const char *reason, int64_t ms)
{
	struct event e;

	event_init(&e, id, STR(""), STR(""));
	event_str(&e, "role", str_from(c->row->name));
	event_i64(&e, "index", c->index);
	event_i64(&e, "pid", c->pid);
	if (reason)
		event_str(&e, "reason", str_from(reason));
	if (ms >= 0)
		event_i64(&e, "ms", ms);
	event_tell(&e);
}

/* The first row makes the files that the others open, and are allowed to open, by name:
   they start when it has been ready once, or has failed to be. */
static void
start_rows(struct supervisor *s, bool is_first)
{
	for (size_t i = 0; i < s->child_count; i++) {
		struct child *c = &s->children[i];

		if ((c->row_index == 0) == is_first && c->state == DOWN && c->pid == 0 &&
		    !timer_is_set(&c->restart))
			child_start(c);
	}
}

/* Which files stand behind the paths of roles.def now, as one number. Directories stay
   what they are. */
static uint64_t
read_fence(const struct supervisor *s)
{
	uint64_t fence = 0;

	for (size_t i = 1; i < role_row_count(); i++) {
		struct str rest = str_from(role_row_at(i)->paths);
		char bytes[4096];
		struct strbuf path = strbuf_on(bytes);
		unsigned right;

		while (role_row_path(&rest, s->setup.conf, &path, &right)) {
			struct stat st;

			if (stat(strbuf_cstr(&path), &st) == 0 && S_ISREG(st.st_mode))
				fence = fence * 31 + (uint64_t)st.st_ino;
			strbuf_clear(&path);
		}
	}
	return fence;
}

/* A store that came back may have found other files than its predecessor left: somebody
   put an old copy in their place. The sandboxes of the others name those that are gone,
   so they start anew. */
static void
check_fence(struct supervisor *s)
{
	uint64_t fence = read_fence(s);
	bool is_same = fence == s->fence || !s->has_started_all;

	s->fence = fence;
	if (is_same)
		return;
	log_line(LEVEL_WARN, "role.fence", "text=\"the files of the index are others\"");
	for (size_t i = 0; i < s->child_count; i++) {
		struct child *c = &s->children[i];

		if (c->row_index != 0 && c->pid > 0)
			(void)kill(c->pid, SIGKILL);
	}
}

/* Once, when the store is ready, or has failed to be. */
static void
start_others(struct supervisor *s)
{
	if (s->has_started_all || s->phase != SERVING)
		return;
	s->has_started_all = true;
	s->fence = read_fence(s);
	start_rows(s, false);
}

static void
on_child_message(void *arg, struct ipc_peer *p, const struct ipc_message *m)
{
	struct child *c = CAST(child, CHILD_MAGIC, arg);

	(void)p;
	if (m->kind != ROLE_READY || c->state != STARTING)
		return;
	c->state = RUNNING;
	tell_event(EV_STARTED, c, NULL, loop_now_ms(c->supervisor->loop) - c->started_ms);
	if (c->row_index == 0)
		check_fence(c->supervisor);
	if (c->row_index == 0)
		start_others(c->supervisor);
	update_status(c->supervisor);
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

/* The store gives rights by role, and knows the role of a process from here alone. */
static void
tell_store(const struct child *store, const struct child *c, bool is_there)
{
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
		tell_store(&s->children[0], &s->children[i], true);
}

static void restart_later(struct child *c, bool was_ready);

static void
child_start(void *arg)
{
	struct child *c = CAST(child, CHILD_MAGIC, arg);
	struct supervisor *s = c->supervisor;
	struct strbuf start = strbuf_heap(4 << 20);
	int pair[2], fds[80], parent_pid = (int)getpid();
	size_t n;

	socket_pair(pair);
	n = collect_fds(c, pair[1], fds);
	c->started_ms = loop_now_ms(s->loop);
	c->pid = fork();
	if (c->pid == 0)
		become(c, parent_pid, fds, n);
	(void)close(pair[1]);
	if (c->pid < 0) {
		log_line(LEVEL_ERROR, "role.fork", "role=%s errno=%d", c->row->name,
		         errno);
		(void)close(pair[0]);
		restart_later(c, false);
		return;
	}
	/* The crash test means the first process we start, the store, and that one only:
	   its successors and the others would die of it for ever. */
	(void)unsetenv("MAILSTEAD_CRASH_AT");
	c->state = STARTING;
	c->control = ipc_peer_new(s->loop, pair[0], &child_ops, c);
	tell_store(&s->children[0], c, true);
	pack_start(c, true, &start);
	ipc_send(c->control, ROLE_START, 0, strbuf_str(&start));
	if (c->row_index == 0)
		tell_store_all(s);
	strbuf_release(&start);
}

/* ── the end of a process ── */

static void
restart_later(struct child *c, bool was_ready)
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

static void stop_step(struct supervisor *s);

static void
child_ended(struct child *c, int status)
{
	struct supervisor *s = c->supervisor;
	bool was_ready = c->state == RUNNING;
	char reason[64];

	if (WIFSIGNALED(status))
		(void)snprintf(reason, sizeof(reason), "signal %d", WTERMSIG(status));
	else
		(void)snprintf(reason, sizeof(reason), "exit %d", WEXITSTATUS(status));
	ipc_peer_free(&c->control);
	tell_store(&s->children[0], c, false);
	c->state = DOWN;
	if (s->phase != SERVING) {
		tell_event(EV_STOPPED, c, reason, -1);
		c->pid = 0;
		stop_step(s);
		return;
	}
	restart_later(c, was_ready);
	/* A store that cannot open its files keeps nobody else from telling so, and from
	   reading what can be read. */
	if (c->row_index == 0)
		start_others(s);
	tell_event(EV_RESTARTED, c, reason, c->restart.at_ms - loop_now_ms(s->loop));
	c->pid = 0;
	update_status(s);
}

static void
on_sigchld(void *arg)
{
	struct supervisor *s = CAST(supervisor, SUPERVISOR_MAGIC, arg);

	for (size_t i = 0; i < s->child_count; i++) {
		struct child *c = &s->children[i];
		int status;

		if (c->pid > 0 && waitpid(c->pid, &status, WNOHANG) == c->pid)
			child_ended(c, status);
	}
}

/* ── stopping ── */

/* Processes of the phase that still run; `ask` tells them to stop. */
static size_t
still_running(struct supervisor *s, bool ask)
{
	size_t n = 0;

	for (size_t i = 0; i < s->child_count; i++) {
		struct child *c = &s->children[i];

		if (c->pid <= 0 || (s->phase == STOPPING_OTHERS && c->row_index == 0 &&
		                    role_row_count() > 1))
			continue;
		n++;
		if (ask && c->control)
			ipc_send(c->control, ROLE_STOP, 0, STR(""));
	}
	return n;
}

static void
stop_step(struct supervisor *s)
{
	if (still_running(s, false))
		return;
	if (s->phase == STOPPING_OTHERS) {
		s->phase = STOPPING_FIRST;
		timer_set(&s->stop_limit, STORE_STOP_MS);
		if (still_running(s, true))
			return;
	}
	timer_stop(&s->stop_limit);
	loop_stop(s->loop);
}

static void
on_stop_limit(void *arg)
{
	struct supervisor *s = CAST(supervisor, SUPERVISOR_MAGIC, arg);

	for (size_t i = 0; i < s->child_count; i++) {
		struct child *c = &s->children[i];

		if (c->pid <= 0 || (s->phase == STOPPING_OTHERS && c->row_index == 0 &&
		                    role_row_count() > 1))
			continue;
		log_line(LEVEL_WARN, "role.kill", "role=%s pid=%d", c->row->name,
		         (int)c->pid);
		(void)kill(c->pid, SIGKILL);
	}
}

static void
on_stop(void *arg)
{
	struct supervisor *s = CAST(supervisor, SUPERVISOR_MAGIC, arg);

	if (s->phase != SERVING)
		return;
	log_line(LEVEL_INFO, "serve.stop", "phase=begin");
	notify_stopping();
	s->phase = STOPPING_OTHERS;
	for (size_t i = 0; i < s->child_count; i++)
		timer_stop(&s->children[i].restart);
	timer_set(&s->stop_limit, s->setup.conf->limits.stop_timeout);
	(void)still_running(s, true);
	stop_step(s);
}

/* ── reload ── */

static void
on_reload_error(void *arg, const struct diag *diag)
{
	struct supervisor *s = arg;
	char reason[512];
	struct event e;

	(void)snprintf(reason, sizeof(reason), "%s:%d:%d: %s", s->conf_path, diag->line,
	               diag->column, diag->text);
	event_init(&e, EV_CONFIG_REFUSED, STR(""), STR(""));
	event_str(&e, "reason", str_from(reason));
	event_i64(&e, "line", diag->line);
	event_i64(&e, "column", diag->column);
	event_tell(&e);
}

static void
on_reload(void *arg)
{
	struct supervisor *s = CAST(supervisor, SUPERVISOR_MAGIC, arg);
	struct event e;

	if (s->phase != SERVING)
		return;
	notify_reloading(clock_mono_us());
	if (setup_read(&s->setup, s->conf_path, on_reload_error, s) == OK) {
		event_set_log(s->setup.conf->log_level, "serve");
		for (size_t i = 0; i < s->child_count; i++) {
			struct child *c = &s->children[i];
			struct strbuf start = strbuf_heap(4 << 20);

			pack_start(c, false, &start);
			if (c->control)
				ipc_send(c->control, ROLE_RELOAD, 0, strbuf_str(&start));
			strbuf_release(&start);
		}
		event_init(&e, EV_CONFIG_RELOADED, STR(""), STR(""));
		event_tell(&e);
	}
	notify_ready("Serving");
}

/* ── the whole ── */

static void
on_watchdog(void *arg)
{
	struct supervisor *s = CAST(supervisor, SUPERVISOR_MAGIC, arg);

	notify_watchdog();
	timer_set(&s->watchdog, notify_watchdog_ms());
}

static void
print_error(void *arg, const struct diag *diag)
{
	(void)fprintf(stderr, "%s:%d:%d: %s\n", (const char *)arg, diag->line,
	              diag->column, diag->text);
}

static void
make_children(struct supervisor *s)
{
	for (size_t i = 0; i < role_row_count(); i++) {
		const struct role_row *row = role_row_at(i);
		int count = (int)row->count(s->setup.conf);

		for (int k = 0; k < count && s->child_count < CHILDREN_MAX; k++) {
			struct child *c = &s->children[s->child_count++];

			c->magic = CHILD_MAGIC;
			c->supervisor = s;
			c->row = row;
			c->row_index = i;
			c->index = k;
			c->count = count;
			timer_init(&c->restart, s->loop, child_start, c);
		}
	}
	start_rows(s, true);
}

static void
serve(struct supervisor *s)
{
	static const struct {
		int signum;
		loop_fn *fn;
	} handled[] = {
		{ SIGCHLD, on_sigchld },
		{ SIGTERM, on_stop },
		{ SIGINT, on_stop },
		{ SIGHUP, on_reload },
	};
	_Static_assert(ARRAY_LEN(handled) == ARRAY_LEN(s->signals), "a place for each");

	s->loop = loop_new();
	for (size_t i = 0; i < ARRAY_LEN(handled); i++)
		s->signals[i] =
			loop_signal_new(s->loop, handled[i].signum, handled[i].fn, s);
	timer_init(&s->watchdog, s->loop, on_watchdog, s);
	timer_init(&s->stop_limit, s->loop, on_stop_limit, s);
	if (notify_watchdog_ms())
		timer_set(&s->watchdog, notify_watchdog_ms());
	make_children(s);
	loop_run(s->loop);
	timer_stop(&s->watchdog);
	for (size_t i = 0; i < ARRAY_LEN(handled); i++)
		loop_signal_free(&s->signals[i]);
	loop_free(&s->loop);
}

int
role_serve(const char *conf_path)
{
	struct supervisor *s = mem_alloc(sizeof(*s));
	char *absolute = realpath(conf_path, NULL);
	char path[4096];
	struct diag diag = { 0 };
	int status = 1;

	s->magic = SUPERVISOR_MAGIC;
	(void)snprintf(path, sizeof(path), "%s", absolute ? absolute : conf_path);
	mem_free(absolute);
	s->conf_path = path;
	event_set_log(LEVEL_INFO, "serve");
	if (setup_read(&s->setup, path, print_error, path) == OK) {
		event_set_log(s->setup.conf->log_level, "serve");
		if (setup_open(&s->setup, &diag) == OK) {
			serve(s);
			log_line(LEVEL_INFO, "serve.stop", "phase=end");
			status = 0;
		} else {
			(void)fprintf(stderr, "mailstead: %s\n", diag.text);
		}
		setup_close(&s->setup);
	}
	mem_free(s);
	return status;
}
