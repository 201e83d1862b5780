/* socket.h - making sockets, and struct addr to and from the kernel's forms. */
#ifndef IO_SOCKET_H
#define IO_SOCKET_H

#include "base/addr.h"
#include "base/err.h"
#include "base/macros.h"

#include <stdbool.h>
#include <sys/socket.h>

/* The length of what was filled in, or 0 for ADDR_NONE. */
socklen_t socket_from_addr(const struct addr *a, struct sockaddr_storage *sa_out);
/* ADDR_NONE for anything but IPv4 and IPv6. */
struct addr socket_to_addr(const struct sockaddr_storage *sa);
struct addr socket_local(int fd);

/* A listening TCP socket, non-blocking, close-on-exec; IPv6 ones take IPv6 only.
   ERR_BUSY: another one listens there; ERR_IO; with the cause in diag. */
MUSTUSE enum err socket_listen(const struct addr *a, int *fd_out, struct diag *diag);
/* A listening unix socket at path with these permissions; what was there is replaced if
   it was a socket. */
MUSTUSE enum err socket_listen_unix(const char *path, unsigned mode, int *fd_out,
                                    struct diag *diag);
/* Connects to a unix socket; the socket is non-blocking afterwards. ERR_CONNECT: errno
   says why. */
MUSTUSE enum err socket_connect_unix(const char *path, int *fd_out);
/* A connected pair, non-blocking, close-on-exec. Panics where there is none (no
   descriptors left). */
void socket_pair(int fds_out[2]);
bool socket_set_cloexec(int fd, bool on);

#endif
