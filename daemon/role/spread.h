/* spread.h - which of several equal processes takes the next client.
 *
 * They listen on one socket. Whoever has just worked has code and data in the
 * processor's caches and hears several clients at one wake-up, so two processes with half
 * of the work each cost more than one with all of it. The first takes what comes while it
 * has time, and not many yet; the others take who still waits a little later.
 *
 * No process knows of another, only its own number and how busy it is. So nobody waits
 * for one that hangs or is gone, but for the few milliseconds that spread_wait_ms says.
 * A plain value without a clock.
 */
#ifndef ROLE_SPREAD_H
#define ROLE_SPREAD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
	SPREAD_LOOK_MS = 100, /* between two looks at what was used of the processors */
	SPREAD_STEP_MS = 2,
	SPREAD_STEPS_MAX = 16, /* no client is left waiting for longer than those */
};

struct spread {
	int index, count; /* this is process `index` of `count` (from 0) */
	int64_t looked_ms, cpu_us;
	bool is_busy;
};

/* True: what the process has used is to be told to spread_look. */
bool spread_is_due(const struct spread *s, int64_t now_ms);
/* now_ms: monotonic; cpu_us: of all threads since the process began. */
void spread_look(struct spread *s, int64_t now_ms, int64_t cpu_us);
/* For so long clients are left to the others; 0: they are taken now. It has `used` of its
   `places` for clients (0: no limit). */
int64_t spread_wait_ms(const struct spread *s, size_t used, size_t places);

#endif
