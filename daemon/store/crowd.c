/* Two ways to share batches, of N clients that come back:
 *
 *   half  N/2 are in the batch, the others get ready: neither processor nor disk is ever
 *         idle. Fewer in a batch cost more syncs a client, more leave the processor idle
 *         while the disk works.
 *   all   where the disk takes longer than they take to come back, who is not in one
 *         waits for most of it anyway: once for all is twice as fast as twice for half.
 *         So it may be where the processor is what everybody waits for.
 *
 * Which one serves more of them depends on disk, processors and clients, so both are
 * tried, for as long as one count lasts, and the better one is kept; now and then the
 * other one is tried again, more rarely where it was far worse.
 *
 * Every COUNT_EVERY batches, N is found out by waiting for all. That costs a moment, so
 * it is left where there were never two at once. Batches that wait in vain several times
 * in a row tell that there are fewer now. Where the count ends early (a processor was
 * busy elsewhere for that moment), those who came just after it count as well, and where
 * they are still far fewer than were seen before, they are counted again soon.
 */
#include "store/crowd.h"

enum {
	COUNT_EVERY = 64,
	COUNT_SOON = 4,
	VAIN_MAX = 4,
	HALF_MAX = 32,             /* what more would save is next to nothing */
	TRY_MIN = COUNT_EVERY / 2, /* batches, for its rate to be believed */
	AGAIN = 8,                 /* counts until the other way is tried again, … */
	AGAIN_RARELY = 64,         /* … where it was worse by a fifth and more */
	PATIENCE_MIN_US = 400,
	PATIENCE_MAX_US = 2000,
};

size_t
crowd_goal(const struct crowd *c)
{
	return c->is_counting ? SIZE_MAX : c->goal;
}

int64_t
crowd_patience_us(const struct crowd *c)
{
	if (c->batch_us < PATIENCE_MIN_US)
		return PATIENCE_MIN_US;
	return c->batch_us < PATIENCE_MAX_US ? c->batch_us : PATIENCE_MAX_US;
}

/* How the way that was gone did. */
static void
rate(struct crowd *c)
{
	uint64_t now, before = c->tried[c->part].rate;

	for (size_t i = 0; i < CROWD_PARTS; i++)
		c->tried[i].age++;
	if (c->batches >= TRY_MIN && c->served_us > 0) {
		now = c->served * 1000000 / (uint64_t)c->served_us;
		c->tried[c->part].rate = before && c->tried[c->part].age == 1
		                                 ? (before * 3 + now) / 4
		                                 : now;
		c->tried[c->part].age = 0;
	}
	c->batches = 0;
	c->served = 0;
	c->served_us = 0;
}

/* All where both are as good: it costs less. */
static enum crowd_part
better(const struct crowd *c)
{
	uint64_t half = c->tried[CROWD_HALF].rate, all = c->tried[CROWD_ALL].rate;

	return half > all + all / 20 ? CROWD_HALF : CROWD_ALL;
}

static enum crowd_part
choose(const struct crowd *c)
{
	enum crowd_part other = c->part == CROWD_ALL ? CROWD_HALF : CROWD_ALL;
	uint64_t own_rate = c->tried[c->part].rate, rate = c->tried[other].rate;
	bool is_far_worse = rate + rate / 4 < own_rate;

	if (!own_rate || !rate ||
	    c->tried[other].age >= (is_far_worse ? AGAIN_RARELY : AGAIN))
		return other;
	return better(c);
}

static void
counted(struct crowd *c, const struct crowd_batch *b)
{
	size_t n = b->count + b->left, half = n / 2 < HALF_MAX ? n / 2 : HALF_MAX;

	c->is_counting = false;
	c->rest = n < c->seen / 2 ? COUNT_SOON : COUNT_EVERY;
	c->vain = 0;
	c->seen = 0;
	if (n > c->all + c->all / 4 || n < c->all - c->all / 4) {
		c->all = n;
		c->part = b->batch_us < b->gather_us + b->gather_us / 2 ? CROWD_HALF
		                                                        : CROWD_ALL;
		for (size_t i = 0; i < CROWD_PARTS; i++)
			c->tried[i].rate = 0;
	} else {
		c->part = choose(c);
	}
	c->goal = c->part == CROWD_ALL ? n : half;
}

void
crowd_learn(struct crowd *c, const struct crowd_batch *b)
{
	if (!b->count)
		return;
	c->batch_us = b->batch_us;
	if (c->is_counting) {
		counted(c, b);
		return;
	}
	c->batches++;
	c->served += b->count;
	c->served_us += b->whole_us;
	if (b->count + b->left > c->seen)
		c->seen = b->count + b->left;
	c->vain = b->count < c->goal ? c->vain + 1 : 0;
	if (c->rest && c->vain < VAIN_MAX) {
		c->rest--;
		return;
	}
	rate(c);
	c->is_counting = c->seen > 1;
	c->rest = COUNT_EVERY;
	c->vain = 0;
	if (c->is_counting)
		return; /* which remembers how many were seen */
	c->goal = 0;
	c->seen = 0;
}
