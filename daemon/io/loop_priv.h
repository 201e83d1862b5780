/* loop_priv.h - inside of the loop, for loop*.c: turns (loop.c), timers (loop_timer.c),
 * descriptors (loop_watch.c), signals and threads (loop_work.c). Every uv_ type stays in
 * here.
 */
#ifndef IO_LOOP_PRIV_H
#define IO_LOOP_PRIV_H

#include "io/loop.h"

#include <sys/epoll.h>
#include <uv.h>

struct deferred {
	loop_fn *fn; /* NULL: called off */
	void *arg;
};

struct loop {
	uv_loop_t uv;
	int epoll;
	int64_t now_ms;
	struct epoll_event
		*ready; /* of this turn; those whose watch is gone have no ptr */
	int ready_count;
	size_t watch_count;    /* watches for something */
	struct timer **timers; /* a binary heap, from place 1 */
	size_t timer_count, timer_cap;
	struct deferred *deferred;
	size_t deferred_count, deferred_cap;
	unsigned vain, sleeps, sleeps_left; /* see give_way */
	bool was_busy;                      /* in the last turn */
	bool is_stopping;
};

/* Calls those whose time has come. */
void loop_run_timers(struct loop *l);
/* Tells a watch what is ready. */
void loop_dispatch(const struct epoll_event *event);

#endif
