#include "store/body_room.h"

#include "tests/unit/check.h"

enum {
	ANN = 1,
	BOB = 2,
};

static unsigned turns;

static void
count(void *arg)
{
	(void)arg;
	turns++;
}

static bool
take(struct body_room *r, struct body_seat *seat, uint64_t owner, uint64_t bytes)
{
	return body_room_take(r, seat, owner, bytes, count, NULL);
}

static void
test_each_owner_has_room(void)
{
	struct body_room *r = body_room_new(100);
	struct body_seat a = { 0 }, b = { 0 }, c = { 0 }, d = { 0 };

	turns = 0;
	CHECK_TRUE(take(r, &a, ANN, 60), "the first");
	CHECK_TRUE(take(r, &b, ANN, 40), "to the last byte");
	CHECK_TRUE(!take(r, &c, ANN, 1), "one more waits");
	CHECK_TRUE(take(r, &d, BOB, 100), "another owner does not");
	CHECK_U64_EQ(turns, 0, "nobody's turn yet");
	CHECK_TRUE(body_room_is_waited_for(&a), "ann is waited for");
	CHECK_TRUE(!body_room_is_waited_for(&d), "bob is not");
	body_room_give(&d);
	CHECK_U64_EQ(turns, 0, "another's room is of no use");
	body_room_give(&b);
	CHECK_U64_EQ(turns, 1, "its turn");
	body_room_give(&c);
	body_room_give(&a);
	body_room_give(&a);
	body_room_free(&r);
}

static void
test_one_of_any_size(void)
{
	struct body_room *r = body_room_new(100);
	struct body_seat a = { 0 }, b = { 0 }, c = { 0 };

	turns = 0;
	CHECK_TRUE(take(r, &a, ANN, 5000), "alone");
	CHECK_TRUE(!take(r, &b, ANN, UINT64_MAX), "the next waits");
	CHECK_TRUE(!take(r, &c, ANN, 1), "and is not overtaken");
	body_room_give(&a);
	CHECK_U64_EQ(turns, 1, "one turn");
	CHECK_TRUE(!b.is_waiting && c.is_waiting, "of the first in line");
	body_room_give(&b);
	CHECK_U64_EQ(turns, 2, "then the other's");
	body_room_give(&c);
	body_room_free(&r);
}

static void
test_leaving_the_line(void)
{
	struct body_room *r = body_room_new(10);
	struct body_seat a = { 0 }, b = { 0 }, c = { 0 };

	turns = 0;
	CHECK_TRUE(take(r, &a, ANN, 5), "the first");
	CHECK_TRUE(!take(r, &b, ANN, 9), "does not fit");
	CHECK_TRUE(!take(r, &c, ANN, 5), "is behind it");
	body_room_give(&b);
	CHECK_U64_EQ(turns, 1, "who stood behind comes in");
	CHECK_TRUE(!c.is_waiting, "at once");
	body_room_give(&a);
	body_room_give(&c);
	body_room_free(&r);
}

SUITE(store_body_room, { "each owner has room", test_each_owner_has_room },
      { "one of any size", test_one_of_any_size },
      { "leaving the line", test_leaving_the_line });
