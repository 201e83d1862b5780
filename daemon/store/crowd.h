/* crowd.h - how many the committer waits for before it begins a batch.
 *
 * Each batch costs the same two syncs, whoever is in it. Clients that wait for their
 * answers come back as many as they were: where several share the store, a batch that
 * waits for some of them is fewer batches, and leaves processor and disk to them. One
 * client alone never waits for others.
 *
 * How many there are, nobody can say: now and then a batch waits until nobody comes any
 * more, and counts. See crowd.c for what follows. A plain value without a clock.
 */
#ifndef STORE_CROWD_H
#define STORE_CROWD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Whom a batch waits for; see crowd.c. */
enum crowd_part { CROWD_HALF, CROWD_ALL, CROWD_PARTS };

struct crowd {
	size_t goal; /* worth waiting for; 0: nobody */
	size_t all;  /* there were when they were counted */
	size_t seen; /* the most that were known of at once, since the last count ended */
	unsigned rest; /* batches until they are counted again */
	unsigned vain; /* batches in a row that did not reach the goal */
	bool is_counting;
	int64_t batch_us;
	enum crowd_part part;
	unsigned batches; /* since the last count ended, and … */
	uint64_t served;  /* … whom they served, in … */
	int64_t served_us;
	struct {
		uint64_t rate; /* clients a second; 0: not tried */
		unsigned age;  /* counts since */
	} tried[CROWD_PARTS];
};

/* A batch that is done. */
struct crowd_batch {
	size_t count;      /* were in it */
	size_t left;       /* came while it was under way */
	int64_t gather_us; /* from the end of the one before until the last of them came */
	int64_t batch_us;  /* it took from its first step to its answers */
	int64_t whole_us;  /* from the end of the one before to its own */
};

/* So many make the next batch full; SIZE_MAX: wait for all. */
size_t crowd_goal(const struct crowd *c);
/* While one comes within that time, the next batch waits for more, … */
int64_t crowd_patience_us(const struct crowd *c);
/* … but never longer than this. */
enum {
	CROWD_WAIT_MAX_US = 10 * 1000,
};
void crowd_learn(struct crowd *c, const struct crowd_batch *b);

#endif
