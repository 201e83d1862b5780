/* loop.h - the event loop of a process: descriptors, timers, signals, threads.
 *
 * One loop, one thread: everything below is called on the loop's thread, except
 * loop_wake_call(). No callback ever runs inside the call that asked for it. Callbacks
 * must return within about 20 ms; what blocks goes to loop_work(). libuv stays inside
 * loop*.c.
 */
#ifndef IO_LOOP_H
#define IO_LOOP_H

#include "base/macros.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct loop;
typedef void loop_fn(void *arg);

/* Also makes the process ignore SIGPIPE: a peer that went away is an error of write. */
struct loop *loop_new(void);
/* Everything made on the loop must be gone before (watches, timers, signals, wakes);
   work that still runs is waited for and its `done` is called. */
void loop_free(struct loop **l);
/* Runs until loop_stop. */
void loop_run(struct loop *l);
/* loop_run returns after the callbacks of this turn. */
void loop_stop(struct loop *l);
/* Runs one turn: waits for at most one batch of events (for tests and for shutting
   down); false when nothing is left that could ever happen. */
bool loop_turn(struct loop *l);

/* Monotonic milliseconds, read once per turn: cheap, for deadlines. */
int64_t loop_now_ms(const struct loop *l);

/* Calls fn(arg) in this turn, after the callback that runs now has returned. Calls made
   by deferred calls come in the next round; after a few rounds the descriptors are looked
   at. */
void loop_defer(struct loop *l, loop_fn *fn, void *arg);
/* Forgets all deferred calls of fn with this arg: for whoever is about to be freed. */
void loop_defer_cancel(struct loop *l, loop_fn *fn, void *arg);

/* A timer lives inside its owner's struct: no allocation, cheap to set and stop. Set it
   to zero or timer_init it; timer_stop before the owner goes. */
struct timer {
	struct loop *loop;
	loop_fn *fn;
	void *arg;
	int64_t at_ms;
	size_t place; /* in the loop's heap, from 1; 0: not set */
};
void timer_init(struct timer *t, struct loop *l, loop_fn *fn, void *arg);
/* Fires once, in_ms from now (>= 0); replaces what was set before. */
void timer_set(struct timer *t, int64_t in_ms);
void timer_stop(struct timer *t);
static inline bool
timer_is_set(const struct timer *t)
{
	return t->place != 0;
}

/* A descriptor that is watched; the descriptor stays the caller's, does not block, and
   must be open until watch_free. Events are those that poll(2) calls level
   triggered; an error on the descriptor counts as both, and ends the watching until
   watch_set is called again. */
struct watch;
enum {
	WATCH_READ = 1,
	WATCH_WRITE = 2,
};
typedef void watch_fn(void *arg, unsigned events);
/* Watches for nothing yet. */
struct watch *watch_new(struct loop *l, int fd, watch_fn *fn, void *arg);
/* Sets what is watched for: WATCH_READ | WATCH_WRITE, or 0. No system call where
   nothing changes. */
void watch_set(struct watch *w, unsigned events);
/* What is watched for now. */
unsigned watch_events(const struct watch *w);
/* fn is not called again; the descriptor may be closed afterwards. */
void watch_free(struct watch **w);

/* fn(arg) whenever the process gets the signal. */
struct loop_signal;
struct loop_signal *loop_signal_new(struct loop *l, int signum, loop_fn *fn, void *arg);
void loop_signal_free(struct loop_signal **s);

/* Runs work(arg) on a thread of a small pool, then done(arg) on the loop. Cannot be
   called off: arg must live until done. The pool has 4 threads (UV_THREADPOOL_SIZE). */
void loop_work(struct loop *l, loop_fn *work, loop_fn *done, void *arg);

/* For threads of one's own: loop_wake_call may be called on any thread and makes fn(arg)
   run on the loop soon; several calls may become one. */
struct loop_wake;
struct loop_wake *loop_wake_new(struct loop *l, loop_fn *fn, void *arg);
void loop_wake_call(struct loop_wake *w);
/* No thread may call loop_wake_call any more. */
void loop_wake_free(struct loop_wake **w);

#endif
