/* notify.h - what the supervisor tells systemd and gets from it; without systemd every
 * call is harmless. libsystemd stays inside notify.c.
 */
#ifndef ROLE_NOTIFY_H
#define ROLE_NOTIFY_H

#include <stddef.h>
#include <stdint.h>

void notify_ready(const char *status);
void notify_status(const char *status);
void notify_reloading(int64_t mono_us);
void notify_stopping(void);
void notify_watchdog(void);
/* How often notify_watchdog is due; 0: never. */
int64_t notify_watchdog_ms(void);

/* The sockets that systemd has opened for us, with their names (FileDescriptorName=). */
struct notify_socket {
	int fd;
	char name[64];
};
size_t notify_sockets(struct notify_socket *out, size_t max);

#endif
