#include "store/crowd.h"

#include "base/macros.h"
#include "tests/unit/check.h"

enum {
	BATCHES = 400,
	COUNT_EVERY = 64,
	CLIENTS_MAX = 100,
};

/* Clients that come back some time after their answer, one after the other, to a disk
   that takes its time: what the batches come to. */
static const struct shared {
	const char *what;
	size_t clients;
	int64_t back_us; /* the first one is back, each other one that much later */
	int64_t disk_us;
	size_t batch_min, batch_max; /* in the middle */
	size_t waits_max;            /* batches that waited in vain */
} shared[] = {
	{ "one client never waits", 1, 600, 300, 1, 1, 0 },
	{ "two on a fast disk do not either, but to be counted", 2, 600, 100, 1, 1, 8 },
	{ "four on a fast disk: a half", 4, 200, 300, 2, 2, 12 },
	{ "twenty on a fast disk: a half", 20, 180, 400, 10, 10, 12 },
	{ "a hundred: enough of them", 100, 180, 400, 20, 64, 60 },
	{ "three on a slow disk: all", 3, 100, 8000, 3, 3, 12 },
	{ "twenty on a slow disk: all", 20, 100, 8000, 20, 20, 12 },
	{ "those who take their time are not waited for", 4, 20000, 400, 1, 1, 16 },
};

struct play {
	const struct shared *row;
	struct crowd crowd;
	int64_t now_us, last_us, free_us;
	int64_t back_us[CLIENTS_MAX]; /* when each comes next */
	size_t vain;
};

static size_t
waiting(const struct play *p, int64_t at_us, int64_t *next_out)
{
	size_t n = 0;

	*next_out = INT64_MAX;
	for (size_t i = 0; i < p->row->clients; i++) {
		if (p->back_us[i] <= at_us)
			n++;
		else if (p->back_us[i] < *next_out)
			*next_out = p->back_us[i];
	}
	return n;
}

/* As take_batch does. */
static size_t
gather(struct play *p, int64_t ended_us, int64_t *gather_us)
{
	int64_t next, begin;
	size_t n = waiting(p, p->now_us, &next);

	if (!n) {
		p->now_us = next;
		n = waiting(p, p->now_us, &next);
		p->last_us = p->now_us;
	}
	begin = p->now_us;
	if (p->last_us < ended_us)
		p->last_us = ended_us;
	while (n < crowd_goal(&p->crowd)) {
		int64_t patience_us = crowd_patience_us(&p->crowd);

		if (next - p->last_us > patience_us || next - begin > CROWD_WAIT_MAX_US) {
			int64_t end_us = p->last_us + patience_us;

			p->vain++;
			p->now_us = end_us > p->now_us ? end_us : p->now_us;
			break;
		}
		p->now_us = p->last_us = next;
		n = waiting(p, p->now_us, &next);
	}
	*gather_us = p->last_us - ended_us;
	return n;
}

/* One batch; how many were in it. */
static size_t
turn(struct play *p)
{
	int64_t ended_us = p->now_us, begin_us, back_us;
	bool is_in[CLIENTS_MAX] = { false };
	struct crowd_batch b = { 0 };

	b.count = gather(p, ended_us, &b.gather_us);
	begin_us = p->now_us;
	for (size_t i = 0; i < p->row->clients; i++)
		is_in[i] = p->back_us[i] <= begin_us;
	p->now_us += p->row->disk_us;
	b.batch_us = p->row->disk_us;
	b.whole_us = p->now_us - ended_us;
	/* They share a processor: each is back some time after the one before. */
	back_us = p->now_us > p->free_us ? p->now_us : p->free_us;
	for (size_t i = 0; i < p->row->clients; i++) {
		if (!is_in[i]) {
			b.left += p->back_us[i] <= p->now_us;
			if (p->back_us[i] <= p->now_us && p->back_us[i] > p->last_us)
				p->last_us = p->back_us[i];
			continue;
		}
		back_us += p->row->back_us;
		p->back_us[i] = back_us;
	}
	p->free_us = back_us;
	crowd_learn(&p->crowd, &b);
	return b.count;
}

static void
test_batches(void)
{
	for (size_t i = 0; i < ARRAY_LEN(shared); i++) {
		const struct shared *row = &shared[i];
		struct play p = { .row = row };
		size_t sizes[CLIENTS_MAX + 1] = { 0 }, common = 0;

		for (int n = 0; n < BATCHES; n++)
			sizes[turn(&p)]++;
		for (size_t n = 1; n <= CLIENTS_MAX; n++) {
			if (sizes[n] > sizes[common])
				common = n;
		}
		CHECK_TRUE(common >= row->batch_min, row->what);
		CHECK_TRUE(common <= row->batch_max, row->what);
		CHECK_TRUE(p.vain <= row->waits_max, row->what);
	}
}

/* Twenty that share a fast disk; until_count: up to where they are counted again. */
static void
twenty_come(struct crowd *c, bool until_count)
{
	for (int i = 0;
	     i < BATCHES && !(until_count && i > COUNT_EVERY && c->is_counting); i++)
		crowd_learn(c, &(struct crowd_batch){ c->is_counting ? 20 : 10,
		                                      c->is_counting ? 0 : 10, 3000, 500,
		                                      3500 });
}

/* Twenty, of whom a batch of half and one of all serve so many a second: how often, of so
   many batches, half was waited for. */
static unsigned
halves(struct crowd *c, int64_t half_rate, int64_t all_rate)
{
	unsigned count = 0;

	for (int i = 0; i < 100 * COUNT_EVERY; i++) {
		bool is_half = !c->is_counting && c->goal == 10;
		int64_t n = is_half ? 10 : 20;
		int64_t whole_us = n * 1000000 / (is_half ? half_rate : all_rate);

		count += is_half;
		crowd_learn(c, &(struct crowd_batch){ (size_t)n, 20 - (size_t)n,
		                                      whole_us - 500, 500, whole_us });
	}
	return count;
}

static void
test_better_way(void)
{
	struct crowd c = { 0 };

	CHECK_TRUE(halves(&c, 5000, 4000) > 80 * COUNT_EVERY, "half serves more");
	CHECK_TRUE(halves(&c, 4000, 4100) < 25 * COUNT_EVERY, "now it does not");
	CHECK_TRUE(halves(&c, 1000, 4000) < 4 * COUNT_EVERY,
	           "what is far worse is tried rarely");
	CHECK_TRUE(halves(&c, 4050, 4000) < 25 * COUNT_EVERY,
	           "all, where it hardly matters");
	CHECK_TRUE(halves(&c, 5000, 4000) > 30 * COUNT_EVERY, "and back");
}

/* The processor is busy elsewhere for a moment, and few come while they are counted. */
static void
test_hitch(void)
{
	struct crowd c = { 0 };
	int batches = 0;

	twenty_come(&c, true);
	crowd_learn(&c, &(struct crowd_batch){ 3, 17, 3000, 500, 3500 });
	CHECK_U64_EQ(c.all, 20, "the others came right after");

	twenty_come(&c, true);
	crowd_learn(&c, &(struct crowd_batch){ 3, 0, 3000, 500, 3500 });
	while (!c.is_counting && batches++ < BATCHES)
		crowd_learn(&c, &(struct crowd_batch){ 10, 10, 3000, 500, 3500 });
	CHECK_TRUE(batches < 8, "so few are not believed for long");
}

/* Most of them go: the others do not wait for them for long. */
static void
test_they_go(void)
{
	struct crowd c = { 0 };
	size_t waits = 0;

	twenty_come(&c, false);
	CHECK_TRUE(crowd_goal(&c) >= 10, "half of twenty, or all");
	for (int i = 0; i < 20; i++) {
		waits += crowd_goal(&c) > 1;
		crowd_learn(&c, &(struct crowd_batch){ 1, 0, 3000, 500, 3500 });
	}
	CHECK_TRUE(waits < 8, "a few in vain");
	CHECK_TRUE(crowd_goal(&c) <= 1, "then it is alone");
}

SUITE(store_crowd, { "batches of clients that come back", test_batches },
      { "the better way is kept", test_better_way },
      { "a count that a hitch ends early", test_hitch },
      { "clients that go", test_they_go });
