#include "role/setup.h"

#include "base/clock.h"
#include "base/event.h"
#include "base/panic.h"
#include "io/socket.h"
#include "io/tls.h"
#include "role/notify.h"
#include "role/row.h"

#include <errno.h>
#include <fcntl.h>
#include <pwd.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum {
	TEXT_MAX = 1 << 20,
	PATH_MAX_BYTES = 4200,
	USER_BUFFER = 4096,
	PREDECESSOR_MS = 5000, /* how long the start waits for it to let go */
	PREDECESSOR_POLL_MS = 20,
};

struct owner {
	bool is_set;
	uid_t uid;
	gid_t gid;
};

static enum err
failed(struct diag *diag, const char *path)
{
	return diag_set(diag, ERR_IO, "%s: %s", path, strerrordesc_np(errno));
}

/* ── files and directories ── */

/* diag gets the cause alone: the caller knows how the file is called. */
static enum err
read_file(const char *path, struct strbuf *out, struct diag *diag)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	ssize_t n = 1;

	if (fd < 0)
		return diag_set(diag, ERR_IO, "%s", strerrordesc_np(errno));
	while (n > 0) {
		char *p = strbuf_reserve(out, 4096);

		n = p ? read(fd, p, 4096) : 0;
		if (n > 0)
			out->n += (size_t)n;
	}
	if (n < 0)
		(void)diag_set(diag, ERR_IO, "%s", strerrordesc_np(errno));
	(void)close(fd);
	if (n < 0)
		return ERR_IO;
	return out->overflow ? diag_set(diag, ERR_IO, "longer than 1 MiB") : OK;
}

/* What is wrong with a file, by the key that names it, and where that stands. */
static enum err
blame(const struct conf *c, const char *key, struct diag *diag)
{
	char cause[sizeof(diag->text)];
	struct conf_place at = conf_place(c, key);

	(void)snprintf(cause, sizeof(cause), "%s", diag->text);
	diag->line = at.line;
	diag->column = at.column;
	return diag_set(diag, ERR_CONFIG, "%s: %s", key, cause);
}

static enum err
find_owner(const struct conf *c, struct owner *o, struct diag *diag)
{
	char buffer[USER_BUFFER];
	struct passwd entry, *found = NULL;

	*o = (struct owner){ 0 };
	if (!c->user.n || geteuid() != 0)
		return OK;
	if (getpwnam_r(c->user.p, &entry, buffer, sizeof(buffer), &found) != 0 ||
	    !found) {
		(void)diag_set(diag, ERR_CONFIG, "there is no user %s", c->user.p);
		return blame(c, "user", diag);
	}
	*o = (struct owner){ true, found->pw_uid, found->pw_gid };
	return OK;
}

static enum err
make_directory(const char *path, mode_t mode, const struct owner *o, struct diag *diag)
{
	char text[PATH_MAX_BYTES];
	struct strbuf b = strbuf_on(text);
	struct str rest = str_from(path);

	/* What is above may belong to anybody and be readable; what is ours may not. */
	for (size_t i = 1; i < rest.n; i++) {
		if (rest.p[i] != '/')
			continue;
		strbuf_clear(&b);
		strbuf_add(&b, str_first(rest, i));
		if (mkdir(strbuf_cstr(&b), 0755) != 0 && errno != EEXIST)
			return failed(diag, strbuf_cstr(&b));
	}
	if (mkdir(path, mode) != 0) {
		if (errno != EEXIST)
			return failed(diag, path);
		return access(path, R_OK | W_OK | X_OK) == 0 ? OK : failed(diag, path);
	}
	if (o->is_set && chown(path, o->uid, o->gid) != 0)
		return failed(diag, path);
	return OK;
}

static enum err
make_directories(const struct conf *c, struct diag *diag)
{
	char text[PATH_MAX_BYTES];
	struct strbuf b = strbuf_on(text);
	struct owner o, root = { 0 };
	enum err e = find_owner(c, &o, diag);

	if (e == OK)
		e = make_directory(c->data_dir.p, 0750, &o, diag);
	if (e == OK)
		e = make_directory(c->run_dir.p, 0750, &o, diag);
	/* What the rows of roles.def name must be there before a process closes its door. */
	if (e == OK)
		e = make_directory(conf_data_path(c, "blobs", &b), 0700, &o, diag);
	if (e == OK)
		e = make_directory(conf_data_path(c, "trace", &b), 0700, &o, diag);
	/* TLS keys stay with root where we are root: no process reads them from disk.
	   DKIM keys are made by the store and read by the queue process alone. */
	if (e == OK)
		e = make_directory(conf_data_path(c, "keys", &b), 0711, &root, diag);
	if (e == OK && chmod(b.p, 0711) != 0) /* of earlier versions */
		e = failed(diag, b.p);
	if (e == OK)
		e = make_directory(conf_data_path(c, "keys/dkim", &b), 0700, &o, diag);
	return e;
}

/* ── configuration and certificate ── */

/* Reads the file at path, which the key names. */
static enum err
read_named(const struct conf *c, const char *key, const char *path, struct strbuf *out,
           struct diag *diag)
{
	struct diag cause = { 0 };
	enum err e = read_file(path, out, &cause);

	if (e == OK)
		return OK;
	(void)diag_set(diag, e, "%s: %s", path, cause.text);
	return blame(c, key, diag);
}

static enum err
find_pair(const struct conf *c, struct strbuf *certificate, struct strbuf *key,
          struct diag *diag)
{
	bool made = false;
	enum err e;

	if (c->tls_certificate.n) {
		strbuf_add(certificate, c->tls_certificate);
		strbuf_add(key, c->tls_key);
		return OK;
	}
	e = make_directories(c, diag);
	if (e == OK)
		e = tls_make_self_signed(
			c->hostname, conf_data_path(c, "keys/tls.pem", certificate),
			conf_data_path(c, "keys/tls.key", key), &made, diag);
	if (made)
		log_line(LEVEL_WARN, "tls.self_signed",
		         "certificate=%s text=\"made once; name your own under tls:\"",
		         strbuf_cstr(certificate));
	return e;
}

static enum err
try_pair(const struct conf *c, const struct tls_pair *pair, struct diag *diag)
{
	struct tls_server *trial = tls_server_new();
	enum err e = tls_server_load(trial, pair, 1, diag);

	tls_server_free(&trial);
	return e == OK ? OK : blame(c, "tls.certificate", diag);
}

static enum err
read_pair(const struct conf *c, struct strbuf *certificate_pem, struct strbuf *key_pem,
          struct diag *diag)
{
	char certificate[PATH_MAX_BYTES], key[PATH_MAX_BYTES];
	struct strbuf certificate_b = strbuf_on(certificate), key_b = strbuf_on(key);
	enum err e = find_pair(c, &certificate_b, &key_b, diag);

	if (e == OK)
		e = read_named(c, "tls.certificate", strbuf_cstr(&certificate_b),
		               certificate_pem, diag);
	if (e == OK)
		e = read_named(c, "tls.key", strbuf_cstr(&key_b), key_pem, diag);
	if (e != OK)
		return e;
	return try_pair(
		c,
		&(struct tls_pair){ strbuf_str(&certificate_b), strbuf_str(&key_b),
	                            strbuf_str(certificate_pem), strbuf_str(key_pem) },
		diag);
}

static enum err
read_roots(const struct conf *c, struct strbuf *roots_pem, struct diag *diag)
{
	enum err e;

	if (!c->tls_ca_file.n)
		return OK;
	e = read_named(c, "tls.ca_file", c->tls_ca_file.p, roots_pem, diag);
	if (e != OK)
		return e;
	e = tls_trust(c->tls_ca_file, strbuf_str(roots_pem), diag);
	return e == OK ? OK : blame(c, "tls.ca_file", diag);
}

enum err
setup_check_files(const struct conf *c, struct diag *diag)
{
	struct strbuf roots = strbuf_heap(TEXT_MAX), certificate = strbuf_heap(TEXT_MAX),
		      key = strbuf_heap(TEXT_MAX);
	struct owner owner;
	enum err e = find_owner(c, &owner, diag);

	if (e == OK)
		e = read_roots(c, &roots, diag);
	/* A pair of our own is made at the start. */
	if (e == OK && c->tls_certificate.n)
		e = read_pair(c, &certificate, &key, diag);
	strbuf_release(&roots);
	strbuf_release(&certificate);
	strbuf_release(&key);
	return e;
}

static void
release_files(struct setup *s)
{
	conf_free(&s->conf);
	strbuf_release(&s->conf_text);
	strbuf_release(&s->certificate_pem);
	strbuf_release(&s->key_pem);
	strbuf_release(&s->roots_pem);
}

enum err
setup_read(struct setup *s, const char *path, conf_error_fn *on_error, void *arg)
{
	struct setup fresh = { .conf_text = strbuf_heap(TEXT_MAX),
		               .certificate_pem = strbuf_heap(TEXT_MAX),
		               .key_pem = strbuf_heap(TEXT_MAX),
		               .roots_pem = strbuf_heap(TEXT_MAX) };
	struct diag diag = { 0 };
	const char *restart_key;
	enum err e = read_file(path, &fresh.conf_text, &diag);

	if (e == OK)
		e = conf_parse(strbuf_str(&fresh.conf_text), path, on_error, arg,
		               &fresh.conf);
	if (e == OK && s->conf && conf_needs_restart(s->conf, fresh.conf, &restart_key)) {
		(void)diag_set(&diag, ERR_CONFIG, "can only change with a restart");
		e = blame(fresh.conf, restart_key, &diag);
	}
	if (e == OK)
		e = read_roots(fresh.conf, &fresh.roots_pem, &diag);
	if (e == OK)
		e = read_pair(fresh.conf, &fresh.certificate_pem, &fresh.key_pem, &diag);
	if (e != OK) {
		if (diag.text[0])
			on_error(arg, &diag);
		release_files(&fresh);
		return e;
	}
	release_files(s);
	s->conf = fresh.conf;
	s->conf_text = fresh.conf_text;
	s->certificate_pem = fresh.certificate_pem;
	s->key_pem = fresh.key_pem;
	s->roots_pem = fresh.roots_pem;
	return OK;
}

/* ── locks and limits ── */

/* The processes of a supervisor that was killed die with it, but on a busy machine they
   hold its lock and its sockets for a moment longer. True: ask again. */
static bool
wait_for_predecessor(int64_t until_ms)
{
	const struct timespec pause = { 0, PREDECESSOR_POLL_MS * 1000000L };

	if (clock_mono_ms() >= until_ms)
		return false;
	(void)nanosleep(&pause, NULL);
	return true;
}

/* Two stores on one data_dir would be two writers. The lock dies with us and with the
   store, which inherits it. */
static enum err
lock_data(struct setup *s, int64_t until_ms, struct diag *diag)
{
	s->lock_fd = open(s->conf->data_dir.p, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (s->lock_fd < 0)
		return failed(diag, s->conf->data_dir.p);
	while (flock(s->lock_fd, LOCK_EX | LOCK_NB) != 0) {
		if (!wait_for_predecessor(until_ms))
			return diag_set(diag, ERR_IO,
			                "%s: another instance is running on it",
			                s->conf->data_dir.p);
	}
	return OK;
}

static enum err
write_pid(struct setup *s, struct diag *diag)
{
	char path[PATH_MAX_BYTES], pid[32];
	struct strbuf path_b = strbuf_on(path), pid_b = strbuf_on(pid);

	strbuf_printf(&pid_b, "%d\n", (int)getpid());
	s->pid_fd = open(conf_run_path(s->conf, "mailstead.pid", &path_b),
	                 O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0644);
	if (s->pid_fd < 0 || write(s->pid_fd, pid, pid_b.n) != (ssize_t)pid_b.n)
		return failed(diag, path);
	return OK;
}

static void
raise_limits(const struct conf *c)
{
	rlim_t wanted = (rlim_t)c->limits.descriptors;
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) != 0)
		return;
	if (limit.rlim_max < wanted && geteuid() == 0)
		limit.rlim_max = wanted;
	limit.rlim_cur = limit.rlim_max < wanted ? limit.rlim_max : wanted;
	(void)setrlimit(RLIMIT_NOFILE, &limit);
	(void)getrlimit(RLIMIT_NOFILE, &limit);
	log_line(limit.rlim_cur < wanted ? LEVEL_WARN : LEVEL_INFO, "limit.descriptors",
	         "have=%lu want=%lu", (unsigned long)limit.rlim_cur,
	         (unsigned long)wanted);
}

/* ── sockets ── */

static bool
is_served(enum conf_protocol p)
{
	return role_row_find(str_from(conf_protocol_role(p))) != NULL;
}

static enum err
add_listener(struct setup *s, enum conf_protocol p, int fd, struct diag *diag)
{
	struct role_listener *l = &s->listeners[s->listener_count];
	char text[ADDR_TEXT_MAX];
	struct strbuf b = strbuf_on(text);
	struct event e;

	if (s->listener_count == SETUP_LISTENERS_MAX) {
		(void)close(fd);
		return diag_set(diag, ERR_CONFIG, "listen: more than 256 sockets");
	}
	*l = (struct role_listener){ .protocol = p, .addr = socket_local(fd), .fd = fd };
	s->listener_count++;
	addr_format(&b, &l->addr);
	event_init(&e, EV_LISTENING, STR(""), STR(""));
	event_str(&e, "protocol", str_from(conf_protocol_word(p)));
	event_str(&e, "address", strbuf_str(&b));
	event_tell(&e);
	return OK;
}

/* Sockets that systemd opened, by their names, which are those of the listen keys. */
static enum err
take_sockets(struct setup *s, struct diag *diag)
{
	struct notify_socket sockets[SETUP_LISTENERS_MAX];
	size_t n = notify_sockets(sockets, ARRAY_LEN(sockets));

	for (size_t i = 0; i < n; i++) {
		unsigned p = 0;

		while (p < CONF_PROTOCOL_COUNT &&
		       strcmp(sockets[i].name,
		              conf_protocol_word((enum conf_protocol)p)) != 0)
			p++;
		if (p == CONF_PROTOCOL_COUNT)
			return diag_set(diag, ERR_CONFIG,
			                "systemd: FileDescriptorName=%s is no protocol",
			                sockets[i].name);
		(void)socket_set_cloexec(sockets[i].fd, true);
		(void)fcntl(sockets[i].fd, F_SETFL,
		            fcntl(sockets[i].fd, F_GETFL) | O_NONBLOCK);
		if (add_listener(s, (enum conf_protocol)p, sockets[i].fd, diag) != OK)
			return ERR_CONFIG;
	}
	return OK;
}

static bool
has_listener(const struct setup *s, enum conf_protocol p, const struct addr *a)
{
	for (size_t i = 0; i < s->listener_count; i++) {
		const struct role_listener *l = &s->listeners[i];

		if (l->protocol == p && addr_eq_ip(&l->addr, a) &&
		    l->addr.port == a->port)
			return true;
	}
	return false;
}

static enum err
listen_at(const struct addr *a, int64_t until_ms, int *fd_out, struct diag *diag)
{
	enum err e = socket_listen(a, fd_out, diag);

	while (e == ERR_BUSY && wait_for_predecessor(until_ms))
		e = socket_listen(a, fd_out, diag);
	return e;
}

static enum err
open_listeners(struct setup *s, int64_t until_ms, struct diag *diag)
{
	for (unsigned i = 0; i < CONF_PROTOCOL_COUNT; i++) {
		enum conf_protocol p = (enum conf_protocol)i;

		for (size_t k = 0; k < s->conf->listen[p].n; k++) {
			const struct addr *a = &s->conf->listen[p].p[k];
			char text[ADDR_TEXT_MAX];
			struct strbuf b = strbuf_on(text);
			struct diag cause;
			int fd;

			if (!is_served(p) || has_listener(s, p, a))
				continue;
			addr_format(&b, a);
			if (listen_at(a, until_ms, &fd, &cause) != OK)
				return diag_set(diag, ERR_IO, "listen.%s %s: %s",
				                conf_protocol_word(p), strbuf_cstr(&b),
				                cause.text);
			if (add_listener(s, p, fd, diag) != OK)
				return ERR_CONFIG;
		}
	}
	return OK;
}

static enum err
open_unix_sockets(struct setup *s, struct diag *diag)
{
	char path[PATH_MAX_BYTES];
	struct strbuf b = strbuf_on(path);
	struct owner o;
	enum err e = find_owner(s->conf, &o, diag);

	for (size_t i = 0; e == OK && i < role_row_count(); i++) {
		const struct role_row *row = role_row_at(i);
		struct diag cause;

		if (!row->unix_socket[0])
			continue;
		(void)conf_run_path(s->conf, row->unix_socket, &b);
		if (socket_listen_unix(path, 0600, &s->unix_fds[i], &cause) != OK)
			e = diag_set(diag, ERR_IO, "%s: %s", path, cause.text);
		else if (o.is_set && chown(path, o.uid, o.gid) != 0)
			e = failed(diag, path);
	}
	return e;
}

enum err
setup_open(struct setup *s, struct diag *diag)
{
	int64_t until_ms = clock_mono_ms() + PREDECESSOR_MS;
	enum err e;

	CHECK(role_row_count() <= SETUP_ROWS_MAX);
	for (size_t i = 0; i < SETUP_ROWS_MAX; i++)
		s->unix_fds[i] = -1;
	s->lock_fd = s->pid_fd = -1;
	raise_limits(s->conf);
	e = make_directories(s->conf, diag);
	if (e == OK)
		e = lock_data(s, until_ms, diag);
	if (e == OK)
		e = write_pid(s, diag);
	if (e == OK)
		e = take_sockets(s, diag);
	if (e == OK)
		e = open_listeners(s, until_ms, diag);
	if (e == OK)
		e = open_unix_sockets(s, diag);
	return e;
}

void
setup_close(struct setup *s)
{
	char path[PATH_MAX_BYTES];
	struct strbuf b = strbuf_on(path);

	for (size_t i = 0; i < s->listener_count; i++)
		(void)close(s->listeners[i].fd);
	for (size_t i = 0; i < role_row_count(); i++) {
		if (s->unix_fds[i] < 0)
			continue;
		(void)close(s->unix_fds[i]);
		(void)unlink(conf_run_path(s->conf, role_row_at(i)->unix_socket, &b));
	}
	if (s->pid_fd >= 0) {
		(void)unlink(conf_run_path(s->conf, "mailstead.pid", &b));
		(void)close(s->pid_fd);
	}
	if (s->lock_fd >= 0)
		(void)close(s->lock_fd);
	release_files(s);
}
