#include "role/notify.h"

#include "base/str.h"
#include "ext/library.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <systemd/sd-daemon.h>

/* clang-format off */
#define FUNCTIONS(X) \
	X(sd_listen_fds_with_names) X(sd_notify) X(sd_notifyf) \
	X(sd_watchdog_enabled)
/* clang-format on */
LIBRARY(lib, "libsystemd.so.0", FUNCTIONS);

/* Is there a systemd that wants to hear from us, or has something for us? Its library
   takes no memory where there is none. */
static bool
is_there(void)
{
	return (getenv("NOTIFY_SOCKET") || getenv("LISTEN_PID") ||
	        getenv("WATCHDOG_USEC")) &&
	       library_load(&lib_library);
}

void
notify_ready(const char *status)
{
	if (is_there())
		(void)lib.sd_notifyf(0, "READY=1\nSTATUS=%s", status);
}

void
notify_status(const char *status)
{
	if (is_there())
		(void)lib.sd_notifyf(0, "STATUS=%s", status);
}

void
notify_reloading(int64_t mono_us)
{
	if (is_there())
		(void)lib.sd_notifyf(0, "RELOADING=1\nMONOTONIC_USEC=%" PRId64, mono_us);
}

void
notify_stopping(void)
{
	if (is_there())
		(void)lib.sd_notify(0, "STOPPING=1\nSTATUS=Stopping");
}

void
notify_watchdog(void)
{
	if (is_there())
		(void)lib.sd_notify(0, "WATCHDOG=1");
}

int64_t
notify_watchdog_ms(void)
{
	uint64_t us = 0;

	/* Half of what is allowed, as sd_watchdog_enabled(3) asks. */
	return is_there() && lib.sd_watchdog_enabled(0, &us) > 0 ? (int64_t)(us / 2000)
	                                                         : 0;
}

size_t
notify_sockets(struct notify_socket *out, size_t max)
{
	char **names = NULL;
	int n = is_there() ? lib.sd_listen_fds_with_names(1, &names) : 0;
	size_t count = 0;

	for (int i = 0; i < n; i++) {
		if (count < max) {
			out[count].fd = SD_LISTEN_FDS_START + i;
			(void)snprintf(out[count].name, sizeof(out[count].name), "%s",
			               names[i]);
			count++;
		}
		free(names[i]); /* lint: the library's memory */
	}
	free(names);
	return count;
}
