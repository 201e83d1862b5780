/* Descriptors are watched by an epoll set of our own, and deadlines are a heap of our own
   under its timeout: with libuv's handles a connection took five calls of epoll_ctl and a
   look at its flags, and lived on until a callback of its own; here it takes two. What
   the kernel watches for may be more than what is wanted: looking away costs a call only
   when something comes that nobody wants. libuv has the signals and the threads; its own
   epoll set is one more descriptor in ours.

   Before a loop that was busy sleeps it gives way once to whoever waits for its
   processor: between programs on one machine that is often the very one which has just
   got its answers. It asks again at once, several things together, and neither side is
   put to sleep and woken for each, which costs more than most of the answers. Where that
   is in vain, or somebody keeps the processor for long, it is left out for a while, and
   for longer each time. */
#include "io/loop.h"

#include "base/clock.h"
#include "base/mem.h"
#include "base/panic.h"
#include "io/loop_priv.h"

#include <errno.h>
#include <limits.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

enum {
	TURN_EVENTS = 256, /* of one look at the descriptors */
	ROUNDS = 4,        /* of deferred calls, before it looks at them again, … */
	ROUNDS_US = 2000,  /* … unless they take their time */
	WAY_LONG_US = 1000,
	VAIN_MAX = 4,
	SLEEPS_MIN = 64, /* without giving way, where that was in vain … */
	SLEEPS_MAX = 4096,
};

/* ── deferred calls ── */

void
loop_defer(struct loop *l, loop_fn *fn, void *arg)
{
	if (l->deferred_count == l->deferred_cap) {
		l->deferred_cap = l->deferred_cap ? size_mul(l->deferred_cap, 2) : 64;
		l->deferred = mem_grow(
			l->deferred, size_mul(l->deferred_cap, sizeof(struct deferred)));
	}
	l->deferred[l->deferred_count++] = (struct deferred){ fn, arg };
}

void
loop_defer_cancel(struct loop *l, loop_fn *fn, void *arg)
{
	for (size_t i = 0; i < l->deferred_count; i++) {
		if (l->deferred[i].fn == fn && l->deferred[i].arg == arg)
			l->deferred[i].fn = NULL;
	}
}

static void
run_deferred(struct loop *l)
{
	size_t most = l->deferred_count;

	for (size_t i = 0; i < most; i++) {
		struct deferred d = l->deferred[i];

		l->deferred[i].fn = NULL;
		if (d.fn)
			d.fn(d.arg);
	}
	/* What was added meanwhile moves to the front, for the next round. */
	l->deferred_count -= most;
	if (l->deferred_count)
		memmove(l->deferred, l->deferred + most,
		        l->deferred_count * sizeof(struct deferred));
}

/* ── the loop ── */

struct loop *
loop_new(void)
{
	struct loop *l = mem_alloc(sizeof(*l));
	struct epoll_event inner = { .events = EPOLLIN };

	(void)signal(SIGPIPE, SIG_IGN);
	CHECK(uv_loop_init(&l->uv) == 0);
	l->epoll = epoll_create1(EPOLL_CLOEXEC);
	CHECK(l->epoll >= 0);
	inner.data.ptr = l;
	CHECK(epoll_ctl(l->epoll, EPOLL_CTL_ADD, uv_backend_fd(&l->uv), &inner) == 0);
	l->ready = mem_alloc(TURN_EVENTS * sizeof(*l->ready));
	l->now_ms = clock_mono_ms();
	return l;
}

void
loop_free(struct loop **lp)
{
	struct loop *l = *lp;

	if (!l)
		return;
	*lp = NULL;
	(void)uv_run(&l->uv, UV_RUN_DEFAULT);
	CHECK(uv_loop_close(&l->uv) == 0);
	(void)close(l->epoll);
	mem_free(l->ready);
	mem_free(l->timers);
	mem_free(l->deferred);
	mem_free(l);
}

static bool
has_anything(const struct loop *l)
{
	return l->watch_count || l->timer_count || l->deferred_count ||
	       uv_loop_alive(&l->uv);
}

/* libuv has callbacks to make without any descriptor. */
static bool
is_uv_due(const struct loop *l)
{
	return uv_loop_alive(&l->uv) && uv_backend_timeout(&l->uv) == 0;
}

static int
patience_ms(const struct loop *l)
{
	int64_t in;

	/* A deferred call may have stopped the loop, or have been the last that it had. */
	if (l->is_stopping || !has_anything(l) || l->deferred_count || is_uv_due(l))
		return 0;
	if (!l->timer_count)
		return -1;
	in = l->timers[1]->at_ms - l->now_ms;
	if (in < 0)
		return 0;
	return in < INT_MAX ? (int)in : INT_MAX;
}

static int
look_now(struct loop *l)
{
	return epoll_wait(l->epoll, l->ready, TURN_EVENTS, 0);
}

/* What is ready after all, before it sleeps. */
static int
give_way(struct loop *l)
{
	int64_t began_us = clock_mono_us();
	bool is_long;
	int n = look_now(l);

	if (n)
		return n;
	(void)sched_yield();
	n = look_now(l);
	is_long = clock_mono_us() - began_us > WAY_LONG_US;
	if (n > 0 && !is_long) {
		l->vain = 0;
		l->sleeps = 0;
	} else if (is_long || ++l->vain == VAIN_MAX) {
		l->vain = 0;
		l->sleeps = l->sleeps ? l->sleeps * 2 : SLEEPS_MIN;
		if (l->sleeps > SLEEPS_MAX)
			l->sleeps = SLEEPS_MAX;
		l->sleeps_left = l->sleeps;
	}
	return n;
}

static int
wait_for_events(struct loop *l)
{
	int n = 0, patience = patience_ms(l);

	if (patience && l->was_busy && l->sleeps_left)
		l->sleeps_left--;
	else if (patience && l->was_busy)
		n = give_way(l);
	if (!n)
		n = epoll_wait(l->epoll, l->ready, TURN_EVENTS, patience);
	l->was_busy = n > 0;
	return n;
}

static void
look(struct loop *l)
{
	bool is_uv_ready = is_uv_due(l);
	int n = wait_for_events(l);

	CHECK(n >= 0 || errno == EINTR);
	l->now_ms = clock_mono_ms();
	l->ready_count = n > 0 ? n : 0;
	for (int i = 0; i < l->ready_count; i++) {
		if (l->ready[i].data.ptr == l)
			is_uv_ready = true;
		else if (l->ready[i].data.ptr)
			loop_dispatch(&l->ready[i]);
	}
	l->ready_count = 0;
	if (is_uv_ready)
		(void)uv_run(&l->uv, UV_RUN_NOWAIT);
}

/* What is answered out of memory takes a few rounds; to look between them costs more than
   they do. Whoever needs longer waits for all others between its slices. */
static void
run_rounds(struct loop *l)
{
	int64_t end_us = l->deferred_count ? clock_mono_us() + ROUNDS_US : 0;

	for (int i = 0; i < ROUNDS && l->deferred_count; i++) {
		run_deferred(l);
		if (l->deferred_count && clock_mono_us() >= end_us)
			return;
	}
}

bool
loop_turn(struct loop *l)
{
	if (!has_anything(l))
		return false;
	l->now_ms = clock_mono_ms();
	run_deferred(l); /* before the loop waits … */
	look(l);
	run_rounds(l); /* … and after the descriptors had their turn */
	loop_run_timers(l);
	return has_anything(l);
}

void
loop_run(struct loop *l)
{
	l->is_stopping = false;
	while (!l->is_stopping && loop_turn(l))
		;
	/* Turns of one's own, to see the last things end, wait again. */
	l->is_stopping = false;
}

void
loop_stop(struct loop *l)
{
	l->is_stopping = true;
}

int64_t
loop_now_ms(const struct loop *l)
{
	return l->now_ms;
}
