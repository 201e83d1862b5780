#include "queue/queue_shares.h"

#include "base/mem.h"
#include "base/panic.h"
#include "base/tally.h"

struct queue_shares {
	struct tally *sharers;
	size_t total;
};

struct queue_shares *
queue_shares_new(void)
{
	struct queue_shares *s = mem_alloc(sizeof(*s));

	s->sharers = tally_new();
	return s;
}

void
queue_shares_free(struct queue_shares **s)
{
	if (!*s)
		return;
	CHECK((*s)->total == 0);
	tally_free(&(*s)->sharers);
	mem_free(*s);
	*s = NULL;
}

bool
queue_shares_has_room(const struct queue_shares *s, struct str sharer, size_t max)
{
	size_t left = max > s->total ? max - s->total : 0;

	return tally_of(s->sharers, sharer) < 2 * left;
}

void
queue_shares_take(struct queue_shares *s, struct str sharer)
{
	s->total++;
	CHECK(tally_enter(s->sharers, sharer, 0));
}

void
queue_shares_give(struct queue_shares *s, struct str sharer)
{
	tally_leave(s->sharers, sharer);
	s->total--;
}
