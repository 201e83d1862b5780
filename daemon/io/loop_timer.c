/* loop_timer.c - timers, a heap of our own: a deadline that moves with every command
 * costs neither a system call nor an allocation.
 */
#include "base/mem.h"
#include "base/panic.h"
#include "io/loop_priv.h"

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

void
loop_run_timers(struct loop *l)
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
