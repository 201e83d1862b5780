/* The process side: from the arguments to the entry function of the row, and what the
 * control socket says meanwhile. */
#include "role/role.h"

#include "base/clock.h"
#include "base/event.h"
#include "base/mem.h"
#include "base/panic.h"
#include "io/ipc.h"
#include "io/sandbox.h"
#include "io/socket.h"
#include "role/row.h"

#include <errno.h>
#include <malloc.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <unistd.h>

enum {
	PRIV_MAGIC = 0x726f6c65,
	START_WAIT_MS = 10000,
	PATHS_MAX = 32,
	TRIM_BYTES = 4 << 20,
	TRIM_MS = 2000,
	IDLE_CPU_US = 20 * 1000,    /* less than this from one look to the next */
	REST_CPU_US = 5 * 1000,     /* more than this makes it worth while */
	KEPT_BYTES = 16 << 20,      /* freed, at the end of the heap */
	KEPT_PIECE_BYTES = 8 << 20, /* larger pieces go back at once */
	SETTINGS_BYTES = 64 << 20,
	GOODBYE_MS = 1500,
	EXIT_BAD_START = 3,
};

struct role_priv {
	uint32_t magic;
	struct role role;
	const struct role_row *row;
	struct conf *conf;
	struct strbuf conf_text; /* of the file, heap */
	struct arena *over_arena;
	struct conf_settings over; /* in it; laid over the file */
	struct ipc_peer *control;
	struct loop_signal *on_term;
	struct timer trim;
	size_t holes_kept;
	int64_t cpu_us, rested_cpu_us; /* at the last look; when memory was given back */
	loop_fn *stop_fn, *reload_fn;
	role_peer_fn *peer_fn;
	void *stop_arg, *reload_arg, *peer_arg;
	bool is_stopping;
	int parent_pid, unix_fd;
	size_t listener_count;
	struct role_listener listeners[ROLE_LISTENERS_MAX];
	char title[32];
};

size_t
role_listener_count(const struct role *r)
{
	return r->priv->listener_count;
}

const struct role_listener *
role_listener(const struct role *r, size_t i)
{
	CHECK(i < r->priv->listener_count);
	return &r->priv->listeners[i];
}

int
role_unix_fd(const struct role *r)
{
	return r->priv->unix_fd;
}

void
role_on_stop(struct role *r, loop_fn *fn, void *arg)
{
	r->priv->stop_fn = fn;
	r->priv->stop_arg = arg;
}

int64_t
role_patience_ms(const struct role *r)
{
	return r->conf->limits.stop_timeout - GOODBYE_MS;
}

bool
role_is_stopping(const struct role *r)
{
	return r->priv->is_stopping;
}

void
role_on_reload(struct role *r, loop_fn *fn, void *arg)
{
	r->priv->reload_fn = fn;
	r->priv->reload_arg = arg;
}

void
role_on_peer(struct role *r, role_peer_fn *fn, void *arg)
{
	r->priv->peer_fn = fn;
	r->priv->peer_arg = arg;
}

int64_t
role_share(const struct role *r, int64_t total)
{
	return (total + r->count - 1) / r->count;
}

/* ── what the supervisor says ── */

static void
stop(struct role_priv *p)
{
	if (p->is_stopping)
		return;
	p->is_stopping = true;
	if (p->stop_fn)
		p->stop_fn(p->stop_arg);
	else
		loop_stop(p->role.loop);
}

static void
on_term(void *arg)
{
	stop(CAST(role_priv, PRIV_MAGIC, arg));
}

static void
on_conf_error(void *arg, const struct diag *diag)
{
	struct str path = *(const struct str *)arg;

	log_line(LEVEL_ERROR, "config.error", "path=%.*s line=%d column=%d text=\"%s\"",
	         STR_ARG(path), diag->line, diag->column, diag->text);
}

static bool
parse_conf(const struct role_priv *p, struct str text, struct str path,
           struct conf **conf_out)
{
	char path_text[4096];
	struct strbuf b = strbuf_on(path_text);

	strbuf_add(&b, path);
	return conf_parse_over(text, strbuf_cstr(&b), &p->over, on_conf_error, &path,
	                       conf_out) == OK;
}

static void
use_conf(struct role_priv *p, struct conf *fresh)
{
	struct conf *old = p->conf;

	p->conf = fresh;
	p->role.conf = fresh;
	event_set_log(fresh->log_level, p->title);
	if (p->reload_fn && old)
		p->reload_fn(p->reload_arg);
	conf_free(&old);
}

static bool
are_kept(const struct role_priv *p, const struct conf_settings *over)
{
	bool is_eq = p->over.n == over->n;

	for (size_t i = 0; is_eq && i < over->n; i++)
		is_eq = str_eq(p->over.p[i].key, over->p[i].key) &&
		        str_eq(p->over.p[i].value, over->p[i].value);
	return is_eq;
}

static void
keep_settings(struct role_priv *p, const struct conf_settings *over)
{
	struct arena *a = arena_new(SETTINGS_BYTES);
	struct conf_setting *copy = ARENA_ARRAY(a, struct conf_setting, over->n + 1);

	for (size_t i = 0; i < over->n; i++)
		copy[i] = (struct conf_setting){ arena_str(a, over->p[i].key),
			                         arena_str(a, over->p[i].value) };
	p->over = (struct conf_settings){ copy, over->n };
	arena_free(&p->over_arena);
	p->over_arena = a;
}

void
role_set_settings(struct role *r, const struct conf_settings *over)
{
	struct role_priv *p = r->priv;
	struct conf *fresh = NULL;

	if (are_kept(p, over))
		return;
	keep_settings(p, over);
	/* The text was parsed before; a setting that does not fit is left out. */
	if (parse_conf(p, strbuf_str(&p->conf_text), p->conf->path, &fresh))
		use_conf(p, fresh);
}

/* Takes what s says into use; false leaves all as it was. */
static bool
take_conf(struct role_priv *p, const struct role_start *s)
{
	struct conf *fresh = NULL;
	struct diag diag = { 0 };

	if (!parse_conf(p, s->conf_text, s->conf_path, &fresh))
		return false;
	if (p->row->has_tls && s->certificate_pem.n) {
		struct tls_pair pair = {
			.certificate_path = fresh->tls_certificate,
			.key_path = fresh->tls_key,
			.certificate_pem = s->certificate_pem,
			.key_pem = s->key_pem,
		};

		if (!p->role.tls)
			p->role.tls = tls_server_new();
		if (tls_server_load_later(p->role.tls, &pair, &diag) != OK) {
			log_line(LEVEL_ERROR, "tls.refused", "text=\"%s\"", diag.text);
			conf_free(&fresh);
			return false;
		}
	}
	if (role_row_wants_roots(p->row) &&
	    tls_trust(s->roots_pem.n ? fresh->tls_ca_file : STR(""), s->roots_pem,
	              &diag) != OK) {
		log_line(LEVEL_ERROR, "tls.refused", "text=\"%s\"", diag.text);
		conf_free(&fresh);
		return false;
	}
	strbuf_clear(&p->conf_text);
	strbuf_add(&p->conf_text, s->conf_text);
	use_conf(p, fresh);
	return true;
}

static void
on_message(void *arg, struct ipc_peer *peer, const struct ipc_message *m)
{
	struct role_priv *p = CAST(role_priv, PRIV_MAGIC, arg);
	struct role_start s;
	struct role_peer other;

	(void)peer;
	if (m->kind == ROLE_STOP)
		stop(p);
	else if (m->kind == ROLE_PEER && p->peer_fn &&
	         role_peer_unpack(m->payload, &other))
		p->peer_fn(p->peer_arg, other.pid, other.role);
	else if (m->kind == ROLE_RELOAD && role_start_unpack(m->payload, &s) &&
	         take_conf(p, &s))
		log_line(LEVEL_INFO, "role.reload", "pid=%d", (int)getpid());
}

/* The supervisor is gone: nobody would start us again or stop us. */
static void
on_control_closed(void *arg, struct ipc_peer *peer, const char *why)
{
	struct role_priv *p = CAST(role_priv, PRIV_MAGIC, arg);

	(void)peer;
	log_line(LEVEL_WARN, "role.orphan", "why=%s", why);
	p->control = NULL;
	stop(p);
}

static const struct ipc_ops control_ops = {
	.message = on_message,
	.closed = on_control_closed,
};

/* ── memory ── */

/* What one batch of messages needs, the next one needs again: freed memory stays here
   until on_trim, else all its pages are given back and cleared anew, again and again. */
static void
keep_memory(void)
{
	(void)mallopt(M_TRIM_THRESHOLD, KEPT_BYTES);
	(void)mallopt(M_MMAP_THRESHOLD, KEPT_PIECE_BYTES);
	/* The store's committer has a heap of its own; who works seldom needs none. */
	(void)mallopt(M_ARENA_MAX, 2);
}

/* Nothing to do since the last look, but something since memory was given back. */
static bool
want_rest(struct role_priv *p)
{
	int64_t cpu_us = clock_cpu_us();
	bool is_idle = cpu_us - p->cpu_us < IDLE_CPU_US;

	p->cpu_us = cpu_us;
	if (!is_idle || cpu_us - p->rested_cpu_us < REST_CPU_US)
		return false;
	return true;
}

/* A burst of connections leaves holes in the heap that the C library keeps. When they are
   many, give them back; the check costs microseconds, the giving some milliseconds. Who
   is idle gives back whatever there is: what starting took, too. */
static void
on_trim(void *arg)
{
	struct role_priv *p = CAST(role_priv, PRIV_MAGIC, arg);
	size_t holes = mallinfo2().fordblks;

	if (want_rest(p)) {
		mem_give_back();
		/* What the giving took is no reason to give again. */
		p->rested_cpu_us = clock_cpu_us();
	}
	if (holes > p->holes_kept + TRIM_BYTES) {
		(void)malloc_trim(0);
		holes = mallinfo2().fordblks;
	}
	/* Pages given back still count as holes: remember, or we would try for ever. */
	if (holes < p->holes_kept || holes > p->holes_kept + TRIM_BYTES)
		p->holes_kept = holes;
	timer_set(&p->trim, TRIM_MS);
}

/* ── start ── */

static bool
read_exactly(int fd, struct strbuf *out, size_t n)
{
	while (out->n < n) {
		struct pollfd poll_fd = { .fd = fd, .events = POLLIN };
		char *p = strbuf_reserve(out, n - out->n);
		ssize_t got;

		if (!p || poll(&poll_fd, 1, START_WAIT_MS) != 1)
			return false;
		got = read(fd, p, n - out->n);
		if (got <= 0 && errno != EAGAIN && errno != EINTR)
			return false;
		if (got > 0)
			out->n += (size_t)got;
	}
	return true;
}

/* The first frame, read before there is a loop. */
static bool
read_start(struct strbuf *frame, struct role_start *s_out)
{
	struct ipc_message m;
	size_t used;
	uint32_t n;

	if (!read_exactly(ROLE_CONTROL_FD, frame, 4))
		return false;
	n = (uint32_t)(uint8_t)frame->p[0] | (uint32_t)(uint8_t)frame->p[1] << 8 |
	    (uint32_t)(uint8_t)frame->p[2] << 16 | (uint32_t)(uint8_t)frame->p[3] << 24;
	if (n > IPC_FRAME_MAX || !read_exactly(ROLE_CONTROL_FD, frame, (size_t)n + 4))
		return false;
	return ipc_parse(strbuf_str(frame), &m, &used) == IPC_FRAME_OK &&
	       m.kind == ROLE_START && role_start_unpack(m.payload, s_out);
}

static bool
parse_arguments(struct role_priv *p, int argc, char **argv)
{
	uint32_t index, count, parent;

	if (argc < 4)
		return false;
	p->row = role_row_find(str_from(argv[0]));
	if (!p->row || !str_parse_u32(str_from(argv[1]), &index) ||
	    !str_parse_u32(str_from(argv[2]), &count) ||
	    !str_parse_u32(str_from(argv[3]), &parent) || index >= count || count > 1000)
		return false;
	p->role.name = p->row->name;
	p->role.index = (int)index;
	p->role.count = (int)count;
	p->parent_pid = (int)parent;
	if (count > 1)
		(void)snprintf(p->title, sizeof(p->title), "%s-%u", p->row->name, index);
	else
		(void)snprintf(p->title, sizeof(p->title), "%s", p->row->name);
	return true;
}

static int
run(struct role_priv *p)
{
	struct strbuf frame = strbuf_heap(IPC_HEADER_BYTES + IPC_FRAME_MAX);
	struct role_start s;
	int status;

	keep_memory();
	event_set_log(LEVEL_INFO, p->title);
	(void)tls_init();
	if (!sandbox_die_with_parent(p->parent_pid) || !read_start(&frame, &s) ||
	    !take_conf(p, &s)) {
		strbuf_release(&frame);
		return EXIT_BAD_START;
	}
	p->unix_fd = s.unix_fd;
	p->listener_count = s.listener_count;
	memcpy(p->listeners, s.listeners, sizeof(p->listeners));
	strbuf_release(&frame);
	(void)signal(SIGINT,
	             SIG_IGN); /* a terminal's Ctrl-C is the supervisor's business */
	(void)signal(SIGHUP, SIG_IGN);
	p->role.loop = loop_new();
	p->on_term = loop_signal_new(p->role.loop, SIGTERM, on_term, p);
	p->control = ipc_peer_new(p->role.loop, ROLE_CONTROL_FD, &control_ops, p);
	timer_init(&p->trim, p->role.loop, on_trim, p);
	timer_set(&p->trim, TRIM_MS);
	status = p->row->main(&p->role);
	timer_stop(&p->trim);
	ipc_peer_free(&p->control);
	loop_signal_free(&p->on_term);
	tls_server_free(&p->role.tls);
	loop_free(&p->role.loop);
	conf_free(&p->conf);
	strbuf_release(&p->conf_text);
	arena_free(&p->over_arena);
	return status;
}

int
role_main(int argc, char **argv)
{
	struct role_priv *p = mem_alloc(sizeof(*p));
	int status = EXIT_BAD_START;

	p->magic = PRIV_MAGIC;
	p->rested_cpu_us = -REST_CPU_US; /* the first time always */
	p->role.priv = p;
	p->unix_fd = -1;
	p->conf_text = strbuf_heap(IPC_FRAME_MAX);
	if (parse_arguments(p, argc, argv))
		status = run(p);
	else
		(void)fprintf(stderr,
		              "mailstead role: started by `mailstead serve` only\n");
	mem_free(p);
	return status;
}

/* ── ready ── */

/* The paths of the row as the sandbox takes them; their text goes to `text`. */
static size_t
sandbox_paths(const struct role_priv *p, struct strbuf *text, struct sandbox_path *paths)
{
	struct str rest = str_from(p->row->paths);
	char bytes[4096];
	struct strbuf path = strbuf_on(bytes);
	unsigned right;
	size_t n = 0;

	while (role_row_path(&rest, p->conf, &path, &right)) {
		char *start = strbuf_reserve(text, path.n + 1);

		CHECK(n < PATHS_MAX && start && !path.overflow);
		strbuf_add(text, strbuf_str(&path));
		strbuf_byte(text, '\0');
		paths[n++] = (struct sandbox_path){ start, right };
		strbuf_clear(&path);
	}
	return n;
}

enum err
role_ready(struct role *r)
{
	struct role_priv *p = r->priv;
	struct sandbox_path paths[PATHS_MAX];
	struct sandbox s = { .paths = paths, .want_inet = p->row->inet != INET_NONE };
	struct strbuf text = strbuf_heap(256 << 10);
	struct role_reach reach;
	struct diag diag = { 0 };
	enum err e;

	/* One allocation, so that the pointers into it stay. */
	CHECK(strbuf_reserve(&text, 128 << 10));
	s.paths_count = sandbox_paths(p, &text, paths);
	role_row_reach(p->row, p->conf, &reach);
	s.ports = reach.ports;
	s.ports_count = reach.port_count;
	s.want_source = reach.want_source;
	e = sandbox_drop_user(p->conf->user.p, &diag);
	/* Changing the user forgets this promise of the kernel. */
	if (e == OK && !sandbox_die_with_parent(p->parent_pid))
		e = diag_set(&diag, ERR_SHUTDOWN, "the supervisor is gone");
	if (e == OK)
		e = sandbox_enter(&s, &diag);
	strbuf_release(&text);
	if (e != OK) {
		log_line(LEVEL_ERROR, "role.sandbox", "text=\"%s\"", diag.text);
		return e;
	}
	if (p->control)
		ipc_send(p->control, ROLE_READY, 0, STR(""));
	return OK;
}
