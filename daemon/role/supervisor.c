/* mailstead serve - starts the processes of roles.def, starts again what ends, and stops
 * all of them in order.
 *
 * It reads files and the control sockets of its own children, and not one byte of the
 * network. It fails with 1 and the cause on stderr when the configuration is wrong or a
 * socket cannot be opened; after that only a signal ends it.
 *
 * A process is in one of three states, left by the function named:
 *
 *   DOWN ─child_start→ STARTING ─on_child_message→ RUNNING ─┐
 *    ↑                    └─────────── child_ended ─────────┤
 *    └─── restart timer, or for good when we are stopping ──┘
 */
#include "role/role.h"

#include "base/clock.h"
#include "base/duration.h"
#include "base/event.h"
#include "base/mem.h"
#include "io/loop.h"
#include "role/notify.h"
#include "role/setup.h"
#include "role/supervisor_priv.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/timex.h>
#include <sys/wait.h>
#include <unistd.h>

enum {
	STORE_STOP_MS = 1500,
	CLOCK_MS = MINUTE_MS, /* between two looks at it */
};

/* ── what is told ── */

/* A file in run_dir for the health page. Whole or not at all. */
static void
write_for_health(struct supervisor *s, const char *file, struct str text)
{
	char path_bytes[4096], new_bytes[4096], new_file[64];
	struct strbuf path = strbuf_on(path_bytes), path_new = strbuf_on(new_bytes);
	const char *name = conf_run_path(s->setup.conf, file, &path), *name_new;
	int fd;
	bool is_written;

	(void)snprintf(new_file, sizeof(new_file), "%s.new", file);
	name_new = conf_run_path(s->setup.conf, new_file, &path_new);
	(void)unlink(name_new);
	fd = open(name_new, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0644);
	/* For its process, whatever the service's umask takes away. */
	is_written = fd >= 0 && fchmod(fd, 0644) == 0 &&
	             write(fd, text.p, text.n) == (ssize_t)text.n;
	if (fd >= 0)
		(void)close(fd);
	if (!is_written || rename(name_new, name) != 0)
		(void)unlink(name_new);
}

/* run_dir/processes: a line "ROLE INDEX PID STATE" for each process (processes are not
   allowed to look at each other). */
static void
write_processes(struct supervisor *s)
{
	static const char *const words[] = { "down", "starting", "running" };
	struct strbuf text = strbuf_heap(64 * 1024);

	for (size_t i = 0; i < s->child_count; i++) {
		const struct child *c = &s->children[i];

		strbuf_printf(&text, "%s %d %d %s\n", c->row->name, c->index, (int)c->pid,
		              words[c->state]);
	}
	write_for_health(s, "processes", strbuf_str(&text));
	strbuf_release(&text);
}

/* run_dir/clock: "kept ERROR_MS", "free" or "-", as the kernel says it: does a time
   service keep the clock, and how far off may it be? (The sandbox of the processes lets
   none of them ask.) */
static void
on_clock(void *arg)
{
	struct supervisor *s = arg;
	struct timex now = { .modes = 0 };
	char bytes[64];
	struct strbuf text = strbuf_on(bytes);
	int state = adjtimex(&now);

	if (state < 0)
		strbuf_lit(&text, "-\n");
	else if (state == TIME_ERROR || (now.status & STA_UNSYNC))
		strbuf_lit(&text, "free\n");
	else
		strbuf_printf(&text, "kept %ld\n", (long)(now.maxerror / 1000));
	write_for_health(s, "clock", strbuf_str(&text));
	timer_set(&s->clock, CLOCK_MS);
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
	if (running == s->child_count)
		mem_give_back(); /* what starting took */
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

/* ── starting ── */

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

void
supervisor_child_ready(struct child *c)
{
	struct supervisor *s = c->supervisor;

	tell_event(EV_STARTED, c, NULL, loop_now_ms(s->loop) - c->started_ms);
	if (c->row_index == 0) {
		check_fence(s);
		start_others(s);
	}
	update_status(s);
}

/* ── the end of a process ── */

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
	child_tell_store(c, false);
	c->state = DOWN;
	if (s->phase != SERVING) {
		tell_event(EV_STOPPED, c, reason, -1);
		c->pid = 0;
		stop_step(s);
		return;
	}
	if (c->is_renewing)
		child_restart_now(c);
	else
		child_restart_later(c, was_ready);
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

/* Does it run, and is it its turn to end? The store's comes last. */
static bool
is_to_end(const struct child *c)
{
	bool is_needed = c->supervisor->phase == STOPPING_OTHERS && c->row_index == 0;

	return c->pid > 0 && (!is_needed || role_row_count() == 1);
}

/* Processes of the phase that still run; `ask` tells them to stop. */
static size_t
still_running(struct supervisor *s, bool ask)
{
	size_t n = 0;

	for (size_t i = 0; i < s->child_count; i++) {
		struct child *c = &s->children[i];

		if (!is_to_end(c))
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
		if (is_to_end(&s->children[i]))
			child_kill(&s->children[i]);
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
	for (size_t i = 0; i < s->child_count; i++) {
		timer_stop(&s->children[i].restart);
		timer_stop(&s->children[i].stop_limit);
	}
	timer_set(&s->stop_limit, s->setup.conf->limits.stop_timeout);
	(void)still_running(s, true);
	stop_step(s);
}

/* ── reload ── */

/* What the file says of itself, with its place. */
static void
tell_diag(const struct supervisor *s, enum event_id id, const struct diag *diag)
{
	char bytes[512];
	struct strbuf reason = strbuf_on(bytes);
	struct event e;

	conf_error_format(&reason, str_from(s->conf_path), diag);
	event_init(&e, id, STR(""), STR(""));
	event_str(&e, "reason", strbuf_str(&reason));
	event_i64(&e, "line", diag->line);
	event_i64(&e, "column", diag->column);
	event_tell(&e);
}

static void
on_reload_error(void *arg, const struct diag *diag)
{
	tell_diag(arg, EV_CONFIG_REFUSED, diag);
}

static void
on_retired_key(void *arg, const struct diag *diag)
{
	tell_diag(arg, EV_CONFIG_RETIRED, diag);
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
		conf_tell_retired(s->setup.conf, on_retired_key, s);
		for (size_t i = 0; i < s->child_count; i++)
			child_reload(&s->children[i]);
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
			timer_init(&c->stop_limit, s->loop, child_kill, c);
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
	timer_init(&s->clock, s->loop, on_clock, s);
	timer_set(&s->clock, 0);
	timer_init(&s->stop_limit, s->loop, on_stop_limit, s);
	if (notify_watchdog_ms())
		timer_set(&s->watchdog, notify_watchdog_ms());
	make_children(s);
	loop_run(s->loop);
	timer_stop(&s->watchdog);
	timer_stop(&s->clock);
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
	if (setup_read(&s->setup, path, conf_error_print, path) == OK) {
		event_set_log(s->setup.conf->log_level, "serve");
		conf_tell_retired(s->setup.conf, on_retired_key, s);
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
