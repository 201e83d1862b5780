/* libuv's handles must be closed and live until a callback of their own; that and every
   uv_ type stay in here. Timers are our own heap under one uv_timer_t, so that setting a
   deadline costs no allocation and a struct may embed one. */
#include "io/loop.h"

#include "base/mem.h"
#include "base/panic.h"

#include <signal.h>
#include <string.h>
#include <uv.h>

struct deferred {
	loop_fn *fn; /* NULL: called off */
	void *arg;
};

struct loop {
	uv_loop_t uv;
	uv_timer_t alarm;
	uv_prepare_t before;   /* runs deferred calls before the loop waits … */
	uv_check_t after;      /* … and after the descriptors had their turn */
	uv_idle_t idle;        /* active while calls wait, so that the loop does not */
	struct timer **timers; /* a binary heap, from place 1 */
	size_t timer_count, timer_cap;
	int64_t alarm_ms; /* when the alarm is set for; -1: it is not */
	struct deferred *deferred;
	size_t deferred_count, deferred_cap;
	bool is_stopping;
};

static void alarm_update(struct loop *l);

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
	alarm_update(l);
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
on_alarm(uv_timer_t *alarm)
{
	struct loop *l = alarm->data;
	int64_t now = loop_now_ms(l);

	l->alarm_ms = -1;
	/* A timer that is set again for now has to wait for the next turn. */
	for (size_t most = l->timer_count; most && l->timer_count; most--) {
		struct timer *t = l->timers[1];

		if (t->at_ms > now)
			break;
		timer_stop(t);
		t->fn(t->arg);
	}
	alarm_update(l);
}

/* The alarm may go off early, for a timer that was stopped or put off; it is never
   late. That saves most of the work of deadlines that move with every command. */
static void
alarm_update(struct loop *l)
{
	int64_t at, in;

	if (!l->timer_count)
		return;
	at = l->timers[1]->at_ms;
	if (l->alarm_ms >= 0 && l->alarm_ms <= at)
		return;
	in = at - loop_now_ms(l);
	l->alarm_ms = at;
	(void)uv_timer_start(&l->alarm, on_alarm, in > 0 ? (uint64_t)in : 0, 0);
}

/* ── deferred calls ── */

static void
on_idle(uv_idle_t *idle)
{
	(void)idle;
}

void
loop_defer(struct loop *l, loop_fn *fn, void *arg)
{
	if (l->deferred_count == l->deferred_cap) {
		l->deferred_cap = l->deferred_cap ? size_mul(l->deferred_cap, 2) : 64;
		l->deferred = mem_grow(
			l->deferred, size_mul(l->deferred_cap, sizeof(struct deferred)));
	}
	l->deferred[l->deferred_count++] = (struct deferred){ fn, arg };
	(void)uv_idle_start(&l->idle, on_idle);
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
	else
		(void)uv_idle_stop(&l->idle);
}

static void
on_before(uv_prepare_t *before)
{
	run_deferred(before->data);
}

static void
on_after(uv_check_t *after)
{
	run_deferred(after->data);
}

/* ── the loop ── */

struct loop *
loop_new(void)
{
	struct loop *l = mem_alloc(sizeof(*l));

	(void)signal(SIGPIPE, SIG_IGN);
	CHECK(uv_loop_init(&l->uv) == 0);
	CHECK(uv_timer_init(&l->uv, &l->alarm) == 0);
	CHECK(uv_prepare_init(&l->uv, &l->before) == 0);
	CHECK(uv_check_init(&l->uv, &l->after) == 0);
	CHECK(uv_idle_init(&l->uv, &l->idle) == 0);
	l->alarm.data = l->before.data = l->after.data = l;
	l->alarm_ms = -1;
	(void)uv_prepare_start(&l->before, on_before);
	(void)uv_check_start(&l->after, on_after);
	uv_unref((uv_handle_t *)&l->before);
	uv_unref((uv_handle_t *)&l->after);
	return l;
}

void
loop_free(struct loop **lp)
{
	struct loop *l = *lp;

	if (!l)
		return;
	*lp = NULL;
	uv_close((uv_handle_t *)&l->alarm, NULL);
	uv_close((uv_handle_t *)&l->before, NULL);
	uv_close((uv_handle_t *)&l->after, NULL);
	uv_close((uv_handle_t *)&l->idle, NULL);
	(void)uv_run(&l->uv, UV_RUN_DEFAULT);
	CHECK(uv_loop_close(&l->uv) == 0);
	mem_free(l->timers);
	mem_free(l->deferred);
	mem_free(l);
}

void
loop_run(struct loop *l)
{
	l->is_stopping = false;
	while (!l->is_stopping && uv_run(&l->uv, UV_RUN_ONCE))
		;
}

void
loop_stop(struct loop *l)
{
	l->is_stopping = true;
	uv_stop(&l->uv);
}

bool
loop_turn(struct loop *l)
{
	return uv_run(&l->uv, UV_RUN_ONCE) != 0;
}

int64_t
loop_now_ms(const struct loop *l)
{
	return (int64_t)uv_now(&l->uv);
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
	unsigned events;
	watch_fn *fn;
	void *arg;
	uv_poll_t poll;
};

static void
on_poll(uv_poll_t *poll, int status, int events)
{
	struct watch *w = CAST(watch, WATCH_MAGIC, poll->data);
	unsigned seen = 0;

	if (status < 0) {
		w->events = 0; /* libuv has stopped the handle */
		seen = WATCH_READ | WATCH_WRITE;
	} else {
		if (events & UV_READABLE)
			seen |= WATCH_READ;
		if (events & UV_WRITABLE)
			seen |= WATCH_WRITE;
	}
	w->fn(w->arg, seen);
}

struct watch *
watch_new(struct loop *l, int fd, watch_fn *fn, void *arg)
{
	struct watch *w = mem_alloc(sizeof(*w));

	w->magic = WATCH_MAGIC;
	w->fn = fn;
	w->arg = arg;
	CHECK(uv_poll_init(&l->uv, &w->poll, fd) == 0);
	w->poll.data = w;
	return w;
}

void
watch_set(struct watch *w, unsigned events)
{
	int wanted = 0;

	if (events == w->events)
		return;
	w->events = events;
	if (!events) {
		(void)uv_poll_stop(&w->poll);
		return;
	}
	if (events & WATCH_READ)
		wanted |= UV_READABLE;
	if (events & WATCH_WRITE)
		wanted |= UV_WRITABLE;
	CHECK(uv_poll_start(&w->poll, wanted, on_poll) == 0);
}

unsigned
watch_events(const struct watch *w)
{
	return w->events;
}

static void
on_watch_closed(uv_handle_t *handle)
{
	struct watch *w = CAST(watch, WATCH_MAGIC, handle->data);

	w->magic = 0;
	mem_free(w);
}

void
watch_free(struct watch **w)
{
	if (*w)
		uv_close((uv_handle_t *)&(*w)->poll, on_watch_closed);
	*w = NULL;
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
	loop_fn *fn;
	void *arg;
	uv_async_t uv;
};

static void
on_wake(uv_async_t *uv)
{
	struct loop_wake *w = CAST(loop_wake, WAKE_MAGIC, uv->data);

	w->fn(w->arg);
}

struct loop_wake *
loop_wake_new(struct loop *l, loop_fn *fn, void *arg)
{
	struct loop_wake *w = mem_alloc(sizeof(*w));

	w->magic = WAKE_MAGIC;
	w->fn = fn;
	w->arg = arg;
	CHECK(uv_async_init(&l->uv, &w->uv, on_wake) == 0);
	w->uv.data = w;
	return w;
}

void
loop_wake_call(struct loop_wake *w)
{
	(void)uv_async_send(&w->uv);
}

static void
on_wake_closed(uv_handle_t *handle)
{
	mem_free(CAST(loop_wake, WAKE_MAGIC, handle->data));
}

void
loop_wake_free(struct loop_wake **w)
{
	if (*w)
		uv_close((uv_handle_t *)&(*w)->uv, on_wake_closed);
	*w = NULL;
}
