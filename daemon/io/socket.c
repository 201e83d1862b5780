#include "io/socket.h"

#include "base/panic.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

enum {
	BACKLOG = 4096, /* the kernel cuts it to net.core.somaxconn */
};

socklen_t
socket_from_addr(const struct addr *a, struct sockaddr_storage *sa_out)
{
	struct sockaddr_in v4 = { .sin_family = AF_INET };
	struct sockaddr_in6 v6 = { .sin6_family = AF_INET6 };

	memset(sa_out, 0, sizeof(*sa_out));
	if (a->family == ADDR_V4) {
		v4.sin_port = htons(a->port);
		memcpy(&v4.sin_addr, a->ip, sizeof(v4.sin_addr));
		memcpy(sa_out, &v4, sizeof(v4));
		return sizeof(v4);
	}
	if (a->family == ADDR_V6) {
		v6.sin6_port = htons(a->port);
		memcpy(&v6.sin6_addr, a->ip, sizeof(v6.sin6_addr));
		memcpy(sa_out, &v6, sizeof(v6));
		return sizeof(v6);
	}
	return 0;
}

struct addr
socket_to_addr(const struct sockaddr_storage *sa)
{
	struct addr a = { 0 };
	struct sockaddr_in v4;
	struct sockaddr_in6 v6;

	if (sa->ss_family == AF_INET) {
		memcpy(&v4, sa, sizeof(v4));
		a.family = ADDR_V4;
		a.port = ntohs(v4.sin_port);
		memcpy(a.ip, &v4.sin_addr, sizeof(v4.sin_addr));
	} else if (sa->ss_family == AF_INET6) {
		memcpy(&v6, sa, sizeof(v6));
		a.family = ADDR_V6;
		a.port = ntohs(v6.sin6_port);
		memcpy(a.ip, &v6.sin6_addr, sizeof(v6.sin6_addr));
		addr_unmap(&a);
	}
	return a;
}

struct addr
socket_local(int fd)
{
	struct sockaddr_storage sa = { 0 };
	socklen_t n = sizeof(sa);

	if (getsockname(fd, (struct sockaddr *)&sa, &n) != 0)
		return (struct addr){ 0 };
	return socket_to_addr(&sa);
}

static enum err
listen_failed(int fd, struct diag *diag)
{
	enum err e = diag_set(diag, errno == EADDRINUSE ? ERR_BUSY : ERR_IO, "%s",
	                      strerror(errno));

	if (fd >= 0)
		(void)close(fd);
	return e;
}

enum err
socket_listen(const struct addr *a, int *fd_out, struct diag *diag)
{
	const int on = 1;
	struct sockaddr_storage sa;
	socklen_t n = socket_from_addr(a, &sa);
	int fd = socket(sa.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	if (fd < 0)
		return listen_failed(fd, diag);
	(void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	(void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on)); /* inherited */
	if (a->family == ADDR_V6)
		(void)setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof(on));
	if (bind(fd, (struct sockaddr *)&sa, n) != 0 || listen(fd, BACKLOG) != 0)
		return listen_failed(fd, diag);
	*fd_out = fd;
	return OK;
}

static bool
unix_addr(const char *path, struct sockaddr_un *sa)
{
	struct str s = str_from(path);

	*sa = (struct sockaddr_un){ .sun_family = AF_UNIX };
	if (s.n >= sizeof(sa->sun_path))
		return false;
	memcpy(sa->sun_path, s.p, s.n);
	return true;
}

enum err
socket_listen_unix(const char *path, unsigned mode, int *fd_out, struct diag *diag)
{
	struct sockaddr_un sa;
	struct stat st;
	mode_t old_mask;
	int fd, bound;

	if (!unix_addr(path, &sa))
		return diag_set(diag, ERR_IO, "path too long for a socket: %s", path);
	if (lstat(path, &st) == 0 && S_ISSOCK(st.st_mode))
		(void)unlink(path);
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return listen_failed(fd, diag);
	old_mask = umask(0777 & ~mode);
	bound = bind(fd, (struct sockaddr *)&sa, sizeof(sa));
	(void)umask(old_mask);
	if (bound != 0 || listen(fd, BACKLOG) != 0)
		return listen_failed(fd, diag);
	*fd_out = fd;
	return OK;
}

enum err
socket_connect_unix(const char *path, int *fd_out)
{
	struct sockaddr_un sa;
	int fd;

	if (!unix_addr(path, &sa)) {
		errno = ENAMETOOLONG;
		return ERR_CONNECT;
	}
	/* Non-blocking from the start: a full backlog is EAGAIN, not a wait. */
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return ERR_CONNECT;
	if (connect(fd, (struct sockaddr *)&sa, sizeof(sa)) != 0) {
		int cause = errno;

		(void)close(fd);
		errno = cause;
		return ERR_CONNECT;
	}
	*fd_out = fd;
	return OK;
}

void
socket_pair(int fds_out[2])
{
	CHECK(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0,
	                 fds_out) == 0);
}

bool
socket_set_cloexec(int fd, bool on)
{
	int flags = fcntl(fd, F_GETFD);

	if (flags < 0)
		return false;
	flags = on ? flags | FD_CLOEXEC : flags & ~FD_CLOEXEC;
	return fcntl(fd, F_SETFD, flags) == 0;
}
