/* loop_watch.c - descriptors that are watched, in the loop's epoll set. */
#include "base/mem.h"
#include "base/panic.h"
#include "io/loop_priv.h"

enum {
	WATCH_MAGIC = 0x77617463,
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

void
loop_dispatch(const struct epoll_event *event)
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
	/* Less than is armed: when more comes, loop_dispatch sees to it. */
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
