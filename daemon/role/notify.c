#include "role/notify.h"

#include "base/str.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <systemd/sd-daemon.h>

void
notify_ready(const char *status)
{
	(void)sd_notifyf(0, "READY=1\nSTATUS=%s", status);
}

void
notify_status(const char *status)
{
	(void)sd_notifyf(0, "STATUS=%s", status);
}

void
notify_reloading(int64_t mono_us)
{
	(void)sd_notifyf(0, "RELOADING=1\nMONOTONIC_USEC=%" PRId64, mono_us);
}

void
notify_stopping(void)
{
	(void)sd_notify(0, "STOPPING=1\nSTATUS=Stopping");
}

void
notify_watchdog(void)
{
	(void)sd_notify(0, "WATCHDOG=1");
}

int64_t
notify_watchdog_ms(void)
{
	uint64_t us = 0;

	/* Half of what is allowed, as sd_watchdog_enabled(3) asks. */
	return sd_watchdog_enabled(0, &us) > 0 ? (int64_t)(us / 2000) : 0;
}

size_t
notify_sockets(struct notify_socket *out, size_t max)
{
	char **names = NULL;
	int n = sd_listen_fds_with_names(1, &names);
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
