#include "store/crash.h"

#include "base/str.h"

#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <unistd.h>

static atomic_long left; /* 0: not asked for */

void
crash_init(void)
{
	uint32_t n;

	if (str_parse_u32(str_from(getenv("MAILSTEAD_CRASH_AT")), &n))
		atomic_store(&left, (long)n);
}

void
crash_point(void)
{
	if (atomic_load_explicit(&left, memory_order_relaxed) == 0)
		return;
	if (atomic_fetch_sub(&left, 1) == 1)
		(void)kill(getpid(), SIGKILL);
}
