/* Descriptors are watched by an epoll set of our own, and deadlines are a heap of our own
   under its timeout: with libuv's handles a connection took five calls of epoll_ctl and a
   look at its flags, and lived on until a callback of its own; here it takes two. What
   the kernel watches for may be more than what is wanted: looking away costs a call only
   when something comes that nobody wants. libuv has the signals and the threads; its own
   epoll set is one more descriptor in ours. Every uv_ type stays in here.

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

#include <errno.h>
#include <limits.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>
#include <uv.h>

enum {
	TURN_EVENTS = 256, /* of one look at the descriptors */
	ROUNDS = 4,        /* of deferred calls, before it looks at them again, … */
	ROUNDS_US = 2000,  /* … unless they take their time */
	WAY_LONG_US = 1000,
	VAIN_MAX = 4,
	SLEEPS_MIN = 64, /* without giving way, where that was in vain … */
	SLEEPS_MAX = 4096,
};

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

/* ── timers ── */

static void
timer_place(struct loop *l, struct timer *t, size_t place)
{
	l->timers[place] = t;
	t->place = place;
}

static void
timer_up(struct loop *l, size_t place)
{
	struct timer *t = l->timers[place];

	while (place > 1 && l->timers[place / 2]->at_ms > t->at_ms) {
		timer_place(l, l->timers[place / 2], place);
		place /= 2;
	}
	timer_place(l, t, place);
}

static void
timer_down(struct loop *l, size_t place)
{
	struct timer *t = l->timers[place];

	for (;;) {
		size_t child = place * 2;

		if (child > l->timer_count)
			break;
		if (child < l->timer_count &&
		    l->timers[child + 1]->at_ms < l->timers[child]->at_ms)
			child++;
		if (l->timers[child]->at_ms >= t->at_ms)
			break;
		timer_place(l, l->timers[child], place);
		place = child;
	}
	timer_place(l, t, place);
}

void
timer_init(struct timer *t, struct loop *l, loop_fn *fn, void *arg)
{
	*t = (struct timer){ .loop = l, .fn = fn, .arg = arg };
}

void
timer_set(struct timer *t, int64_t in_ms)
{
	struct loop *l = t->loop;

	CHECK(in_ms >= 0);
	t->at_ms = loop_now_ms(l) + in_ms;
	if (t->place) {
		timer_up(l, t->place);
		timer_down(l, t->place);
	} else {
		if (l->timer_count + 1 >= l->timer_cap) {
			l->timer_cap = l->timer_cap ? size_mul(l->timer_cap, 2) : 64;
			l->timers = mem_grow(l->timers, size_mul(l->timer_cap,
			                                         sizeof(struct timer *)));
		}
		timer_place(l, t, ++l->timer_count);
		timer_up(l, t->place);
	}
}

void
timer_stop(struct timer *t)
{
	struct loop *l = t->loop;
	size_t place = t->place;
	struct timer *last;

	if (!place)
		return;
	t->place = 0;
	last = l->timers[l->timer_count--];
	if (last == t)
		return;
	timer_place(l, last, place);
	timer_up(l, place);
	timer_down(l, last->place);
}

static void
run_timers(struct loop *l)
{
	/* A timer that is set again for now has to wait for the next turn. */
	for (size_t most = l->timer_count; most && l->timer_count; most--) {
		struct timer *t = l->timers[1];

		if (t->at_ms > l->now_ms)
			break;
		timer_stop(t);
		t->fn(t->arg);
	}
}

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

static void dispatch(const struct epoll_event *event);

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
			dispatch(&l->ready[i]);
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
	run_timers(l);
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

/* ── descriptors ── */

enum {
	WATCH_MAGIC = 0x77617463,
	SIGNAL_MAGIC = 0x7369676e,
	WAKE_MAGIC = 0x77616b65,
	WORK_MAGIC = 0x776f726b,
};

struct watch {
	uint32_t magic;
	int fd;
	struct loop *loop;
	unsigned events; /* wanted */
	unsigned armed;  /* what the kernel watches for; 0: not in the set */
	watch_fn *fn;
	void *arg;
};

static void
set_armed(struct watch *w, unsigned events)
{
	struct epoll_event event = { .data.ptr = w };
	int op = !w->armed ? EPOLL_CTL_ADD : events ? EPOLL_CTL_MOD : EPOLL_CTL_DEL;

	if (events & WATCH_READ)
		event.events |= EPOLLIN;
	if (events & WATCH_WRITE)
		event.events |= EPOLLOUT;
	if (events != w->armed)
		CHECK(epoll_ctl(w->loop->epoll, op, w->fd, &event) == 0);
	w->armed = events;
}

static void
dispatch(const struct epoll_event *event)
{
	struct watch *w = CAST(watch, WATCH_MAGIC, event->data.ptr);
	unsigned seen = 0;

	if (event->events & (EPOLLIN | EPOLLHUP))
		seen |= WATCH_READ;
	if (event->events & (EPOLLOUT | EPOLLHUP))
		seen |= WATCH_WRITE;
	seen &= w->events;
	/* Told once: it does not go away. */
	if (event->events & EPOLLERR) {
		seen = w->events ? WATCH_READ | WATCH_WRITE : 0;
		watch_set(w, 0);
		set_armed(w, 0);
	}
	if (seen)
		w->fn(w->arg, seen);
	else
		set_armed(w, w->events);
}

struct watch *
watch_new(struct loop *l, int fd, watch_fn *fn, void *arg)
{
	struct watch *w = mem_alloc(sizeof(*w));

	w->magic = WATCH_MAGIC;
	w->loop = l;
	w->fd = fd;
	w->fn = fn;
	w->arg = arg;
	return w;
}

void
watch_set(struct watch *w, unsigned events)
{
	if (events && !w->events)
		w->loop->watch_count++;
	else if (!events && w->events)
		w->loop->watch_count--;
	w->events = events;
	/* Less than is armed: when more comes, dispatch sees to it. */
	if (events & ~w->armed)
		set_armed(w, events);
}

unsigned
watch_events(const struct watch *w)
{
	return w->events;
}

void
watch_free(struct watch **wp)
{
	struct watch *w = *wp;

	if (!w)
		return;
	*wp = NULL;
	watch_set(w, 0);
	set_armed(w, 0);
	for (int i = 0; i < w->loop->ready_count; i++) {
		if (w->loop->ready[i].data.ptr == w)
			w->loop->ready[i].data.ptr = NULL;
	}
	w->magic = 0;
	mem_free(w);
}

/* ── signals ── */

struct loop_signal {
	uint32_t magic;
	loop_fn *fn;
	void *arg;
	uv_signal_t uv;
};

static void
on_signal(uv_signal_t *uv, int signum)
{
	struct loop_signal *s = CAST(loop_signal, SIGNAL_MAGIC, uv->data);

	(void)signum;
	s->fn(s->arg);
}

struct loop_signal *
loop_signal_new(struct loop *l, int signum, loop_fn *fn, void *arg)
{
	struct loop_signal *s = mem_alloc(sizeof(*s));

	s->magic = SIGNAL_MAGIC;
	s->fn = fn;
	s->arg = arg;
	CHECK(uv_signal_init(&l->uv, &s->uv) == 0);
	s->uv.data = s;
	CHECK(uv_signal_start(&s->uv, on_signal, signum) == 0);
	return s;
}

static void
on_signal_closed(uv_handle_t *handle)
{
	mem_free(CAST(loop_signal, SIGNAL_MAGIC, handle->data));
}

void
loop_signal_free(struct loop_signal **s)
{
	if (*s)
		uv_close((uv_handle_t *)&(*s)->uv, on_signal_closed);
	*s = NULL;
}

/* ── threads ── */

struct work {
	uint32_t magic;
	loop_fn *work, *done;
	void *arg;
	uv_work_t uv;
};

static void
on_work(uv_work_t *uv)
{
	struct work *w = CAST(work, WORK_MAGIC, uv->data);

	w->work(w->arg);
}

static void
on_work_done(uv_work_t *uv, int status)
{
	struct work *w = CAST(work, WORK_MAGIC, uv->data);

	(void)status;
	w->done(w->arg);
	mem_free(w);
}

void
loop_work(struct loop *l, loop_fn *work, loop_fn *done, void *arg)
{
	struct work *w = mem_alloc(sizeof(*w));

	w->magic = WORK_MAGIC;
	w->work = work;
	w->done = done;
	w->arg = arg;
	w->uv.data = w;
	CHECK(uv_queue_work(&l->uv, &w->uv, on_work, on_work_done) == 0);
}

struct loop_wake {
	uint32_t magic;
	int fd;
	int is_called; /* atomic: the next call need not write */
	loop_fn *fn;
	void *arg;
	struct watch *watch;
};

static void
on_wake(void *arg, unsigned events)
{
	struct loop_wake *w = CAST(loop_wake, WAKE_MAGIC, arg);
	uint64_t count;

	(void)events;
	(void)!read(w->fd, &count, sizeof(count));
	__atomic_store_n(&w->is_called, 0, __ATOMIC_SEQ_CST);
	w->fn(w->arg);
}

struct loop_wake *
loop_wake_new(struct loop *l, loop_fn *fn, void *arg)
{
	struct loop_wake *w = mem_alloc(sizeof(*w));

	w->magic = WAKE_MAGIC;
	w->fn = fn;
	w->arg = arg;
	w->fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	CHECK(w->fd >= 0);
	w->watch = watch_new(l, w->fd, on_wake, w);
	watch_set(w->watch, WATCH_READ);
	return w;
}

void
loop_wake_call(struct loop_wake *w)
{
	const uint64_t one = 1;

	if (!__atomic_exchange_n(&w->is_called, 1, __ATOMIC_SEQ_CST))
		(void)!write(w->fd, &one, sizeof(one));
}

void
loop_wake_free(struct loop_wake **wp)
{
	struct loop_wake *w = *wp;

	if (!w)
		return;
	*wp = NULL;
	watch_free(&w->watch);
	(void)close(w->fd);
	w->magic = 0;
	mem_free(w);
}
