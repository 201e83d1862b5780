/* Timers, deferred calls, descriptors, threads and signals of one loop. */
#include "io/loop.h"

#include "base/clock.h"
#include "tests/unit/check.h"

#include <fcntl.h>
#include <signal.h>
#include <unistd.h>

enum {
	TURNS_MAX = 2000,
	MANY = 500,
	SLOW_US = 5000,
};

struct world {
	struct loop *loop;
	struct timer tick; /* so that no turn waits for ever */
	unsigned count;
	char order[16];
	size_t n;
};

struct step {
	struct world *world;
	struct timer timer;
	char name;
};

static void
on_tick(void *arg)
{
	timer_set(arg, 1);
}

static void
world_init(struct world *w)
{
	*w = (struct world){ .loop = loop_new() };
	timer_init(&w->tick, w->loop, on_tick, &w->tick);
	timer_set(&w->tick, 1);
}

static void
world_fini(struct world *w)
{
	timer_stop(&w->tick);
	loop_free(&w->loop);
}

static void
turn_until(struct world *w, unsigned count)
{
	for (int i = 0; i < TURNS_MAX && w->count < count; i++)
		(void)loop_turn(w->loop);
}

static void
note(void *arg)
{
	struct step *s = arg;

	s->world->count++;
	if (s->world->n < sizeof(s->world->order))
		s->world->order[s->world->n++] = s->name;
}

static struct step
step(struct world *w, char name)
{
	return (struct step){ .world = w, .name = name };
}

static void
test_timers_fire_in_their_order(void)
{
	struct world w;
	struct step a, b, c, d;

	world_init(&w);
	a = step(&w, 'a');
	b = step(&w, 'b');
	c = step(&w, 'c');
	d = step(&w, 'd');
	timer_init(&a.timer, w.loop, note, &a);
	timer_init(&b.timer, w.loop, note, &b);
	timer_init(&c.timer, w.loop, note, &c);
	timer_init(&d.timer, w.loop, note, &d);
	timer_set(&a.timer, 40);
	timer_set(&b.timer, 5);
	timer_set(&c.timer, 20);
	timer_set(&d.timer, 10);
	timer_stop(&d.timer);
	timer_set(&c.timer, 80); /* replaces */
	CHECK_TRUE(timer_is_set(&a.timer) && !timer_is_set(&d.timer), "set and stopped");
	turn_until(&w, 3);
	CHECK_STR_EQ(str_make(w.order, w.n), STR("bac"), "by their time, each once");
	CHECK_TRUE(!timer_is_set(&c.timer), "over");
	timer_stop(&d.timer); /* stopping what is not set is nothing */
	world_fini(&w);
}

static void
test_a_timer_is_not_early(void)
{
	struct world w;
	struct step a;
	int64_t begin_ms;

	world_init(&w);
	a = step(&w, 'a');
	timer_init(&a.timer, w.loop, note, &a);
	begin_ms = clock_mono_ms();
	timer_set(&a.timer, 30);
	turn_until(&w, 1);
	CHECK_TRUE(clock_mono_ms() - begin_ms >= 29, "30 ms have passed");
	world_fini(&w);
}

static void
again(void *arg)
{
	struct step *s = arg;

	note(s);
	if (s->world->count < 3)
		timer_set(&s->timer, 0);
}

static void
test_a_timer_sets_itself_again(void)
{
	struct world w;
	struct step a;

	world_init(&w);
	a = step(&w, 'a');
	timer_init(&a.timer, w.loop, again, &a);
	timer_set(&a.timer, 0);
	turn_until(&w, 3);
	CHECK_U64_EQ(w.count, 3, "three times");
	world_fini(&w);
}

static void
test_many_timers(void)
{
	static struct step steps[MANY];
	struct world w;
	size_t left = 0;

	world_init(&w);
	for (size_t i = 0; i < MANY; i++) {
		steps[i] = step(&w, 'x');
		timer_init(&steps[i].timer, w.loop, note, &steps[i]);
		timer_set(&steps[i].timer, (int64_t)(i * 7919 % 31));
	}
	for (size_t i = 0; i < MANY; i += 3)
		timer_stop(&steps[i].timer);
	for (size_t i = 1; i < MANY; i += 3)
		timer_set(&steps[i].timer, (int64_t)(i * 104729 % 17));
	turn_until(&w, MANY - (MANY + 2) / 3);
	for (size_t i = 0; i < MANY; i++)
		left += timer_is_set(&steps[i].timer);
	CHECK_U64_EQ(w.count, MANY - (MANY + 2) / 3, "all that were not stopped");
	CHECK_U64_EQ(left, 0, "none is left in the heap");
	world_fini(&w);
}

static void
defer_more(void *arg)
{
	struct step *s = arg;

	note(s);
	if (s->world->count < 4)
		loop_defer(s->world->loop, defer_more, s);
}

static void
test_defer(void)
{
	struct world w;
	struct step a, b, c;

	world_init(&w);
	a = step(&w, 'a');
	b = step(&w, 'b');
	c = step(&w, 'c');
	loop_defer(w.loop, note, &a);
	loop_defer(w.loop, note, &b);
	loop_defer(w.loop, note, &c);
	loop_defer(w.loop, note, &b);
	CHECK_U64_EQ(w.count, 0, "never inside the call");
	loop_defer_cancel(w.loop, note, &b);
	turn_until(&w, 2);
	(void)loop_turn(w.loop);
	CHECK_STR_EQ(str_make(w.order, w.n), STR("ac"), "in order, both b forgotten");
	w.count = 0;
	loop_defer(w.loop, defer_more, &a);
	turn_until(&w, 4);
	CHECK_U64_EQ(w.count, 4, "a deferred call defers");
	world_fini(&w);
}

/* Whoever defers for ever must not keep descriptors and timers from their turn. */
static void
defer_for_ever(void *arg)
{
	struct step *s = arg;

	if (s->world->count == 0)
		loop_defer(s->world->loop, defer_for_ever, s);
}

static void
test_defer_starves_nobody(void)
{
	struct world w;
	struct step a, b;

	world_init(&w);
	a = step(&w, 'a');
	b = step(&w, 'b');
	timer_init(&b.timer, w.loop, note, &b);
	timer_set(&b.timer, 5);
	loop_defer(w.loop, defer_for_ever, &a);
	for (int64_t end_ms = clock_mono_ms() + 20000;
	     w.count == 0 && clock_mono_ms() < end_ms;)
		(void)loop_turn(w.loop);
	CHECK_U64_EQ(w.count, 1, "the timer had its turn");
	loop_defer_cancel(w.loop, defer_for_ever, &a);
	world_fini(&w);
}

/* … and who takes its time between them gets one round in a turn. */
static void
defer_slowly(void *arg)
{
	struct step *s = arg;

	s->world->count++;
	for (int64_t end_us = clock_mono_us() + SLOW_US; clock_mono_us() < end_us;)
		;
	loop_defer(s->world->loop, defer_slowly, s);
}

static void
test_slow_ones_take_turns(void)
{
	struct world w;
	struct step a;

	world_init(&w);
	a = step(&w, 'a');
	loop_defer(w.loop, defer_slowly, &a);
	for (unsigned turn = 1; turn <= 3; turn++) {
		(void)loop_turn(w.loop);
		CHECK_U64_EQ(w.count, 2 * turn, "before the look, and after it");
	}
	loop_defer_cancel(w.loop, defer_slowly, &a);
	world_fini(&w);
}

struct pipe_side {
	struct world *world;
	unsigned events;
};

static void
on_pipe(void *arg, unsigned events)
{
	struct pipe_side *p = arg;

	p->events |= events;
	p->world->count++;
}

static void
stop(void *arg)
{
	loop_stop(arg);
}

static void
do_nothing(void *arg)
{
	(void)arg;
}

/* A loop that waited once more would wait for ever: nothing comes any more, or it comes
   much later than the stop. */
static void
test_stops_in_a_deferred_call(void)
{
	struct loop *loop = loop_new();
	struct timer late;
	int64_t began = clock_mono_ms();

	loop_defer(loop, stop, loop);
	loop_run(loop);
	loop_defer(loop, do_nothing, NULL);
	loop_run(loop);
	timer_init(&late, loop, do_nothing, NULL);
	timer_set(&late, 60000);
	loop_defer(loop, stop, loop);
	loop_run(loop);
	CHECK_TRUE(clock_mono_ms() - began < 30000, "did not wait");
	timer_stop(&late);
	loop_free(&loop);
}

/* Who lets the loop turn after it has stopped, until a thread is done, must not turn as
   fast as it can. */
static void
test_turns_after_the_end(void)
{
	struct loop *loop = loop_new();
	struct timer late;
	unsigned turns = 0;

	loop_defer(loop, stop, loop);
	loop_run(loop);
	timer_init(&late, loop, do_nothing, NULL);
	timer_set(&late, 100);
	while (timer_is_set(&late) && turns < 1000) {
		(void)loop_turn(loop);
		turns++;
	}
	CHECK_TRUE(turns < 10, "waits");
	timer_stop(&late);
	loop_free(&loop);
}

static void
test_watch(void)
{
	struct world w;
	struct pipe_side p = { &w, 0 };
	struct watch *watch;
	int fds[2];

	world_init(&w);
	if (!CHECK_TRUE(pipe2(fds, O_NONBLOCK) == 0, "a pipe"))
		return;
	watch = watch_new(w.loop, fds[0], on_pipe, &p);
	CHECK_I64_EQ(write(fds[1], "x", 1), 1, "a byte");
	for (int i = 0; i < 5; i++)
		(void)loop_turn(w.loop);
	CHECK_U64_EQ(w.count, 0, "nothing is watched for yet");
	watch_set(watch, WATCH_READ);
	turn_until(&w, 2);
	CHECK_U64_EQ(p.events, WATCH_READ, "level triggered: as long as it is there");
	watch_set(watch, 0);
	w.count = 0;
	for (int i = 0; i < 5; i++)
		(void)loop_turn(w.loop);
	CHECK_U64_EQ(w.count, 0, "and not when nobody wants it");
	watch_free(&watch);
	(void)close(fds[0]);
	(void)close(fds[1]);
	world_fini(&w);
}

static void
nap(void *arg)
{
	(void)arg;
	(void)usleep(2000);
}

static void
test_work(void)
{
	struct world w;
	struct step a;

	world_init(&w);
	a = step(&w, 'a');
	loop_work(w.loop, nap, note, &a);
	CHECK_U64_EQ(w.count, 0, "later");
	turn_until(&w, 1);
	loop_work(w.loop, nap, note, &a);
	world_fini(&w);
	CHECK_U64_EQ(w.count, 2, "loop_free waits for what runs");
}

static void
test_signal(void)
{
	struct world w;
	struct step a;
	struct loop_signal *s;

	world_init(&w);
	a = step(&w, 'a');
	s = loop_signal_new(w.loop, SIGUSR1, note, &a);
	(void)raise(SIGUSR1);
	turn_until(&w, 1);
	CHECK_U64_EQ(w.count, 1, "heard");
	loop_signal_free(&s);
	world_fini(&w);
}

SUITE(io_loop, { "turns after the end", test_turns_after_the_end },
      { "stops in a deferred call", test_stops_in_a_deferred_call },
      { "timers fire in their order", test_timers_fire_in_their_order },
      { "a timer is not early", test_a_timer_is_not_early },
      { "a timer sets itself again", test_a_timer_sets_itself_again },
      { "many timers", test_many_timers }, { "defer", test_defer },
      { "defer starves nobody", test_defer_starves_nobody },
      { "slow ones take turns", test_slow_ones_take_turns }, { "watch", test_watch },
      { "work", test_work }, { "signal", test_signal });
