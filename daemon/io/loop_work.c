/* loop_work.c - what comes to the loop from outside: signals, and other threads. */
#include "base/mem.h"
#include "base/panic.h"
#include "io/loop_priv.h"

#include <sys/eventfd.h>
#include <unistd.h>

enum {
	SIGNAL_MAGIC = 0x7369676e,
	WAKE_MAGIC = 0x77616b65,
	WORK_MAGIC = 0x776f726b,
};

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
