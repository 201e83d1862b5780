#include "queue/queue_destination.h"

#include "tests/unit/check.h"

static const struct queue_destination_conf conf = { 8, 1000, 4500 };

static void
test_grows(void)
{
	struct queue_destination d;

	queue_destination_init(&d, &conf);
	for (size_t i = 0; i < DESTINATION_CONNECTIONS_FIRST; i++) {
		CHECK_TRUE(queue_destination_may_open(&d, 0), "room at first");
		queue_destination_opened(&d, 0);
	}
	CHECK_TRUE(!queue_destination_may_open(&d, 0), "full");
	for (int i = 0; i < 10; i++) {
		queue_destination_succeeded(&d, &conf, 5);
		queue_destination_check(&d, &conf);
	}
	CHECK_U64_EQ(d.allowed, 8, "up to the limit");
	while (d.active)
		queue_destination_closed(&d);
	CHECK_TRUE(queue_destination_is_idle(&d, 10), "nothing to remember");
}

static void
test_backs_off(void)
{
	static const int64_t pauses[] = { 1000, 2000, 4000, 4500, 4500 };
	struct queue_destination d;
	int64_t now = 0;

	queue_destination_init(&d, &conf);
	for (size_t i = 0; i < ARRAY_LEN(pauses); i++) {
		queue_destination_opened(&d, now);
		queue_destination_failed(&d, &conf, REASON_CONNECT_REFUSED, now, 0);
		queue_destination_failed(&d, &conf, REASON_CONNECT_REFUSED, now, 0);
		queue_destination_closed(&d);
		queue_destination_check(&d, &conf);
		CHECK_I64_EQ(d.until_ms - now, pauses[i], "doubles, up to the longest");
		CHECK_TRUE(!queue_destination_may_open(&d, d.until_ms - 1), "waits");
		CHECK_TRUE(queue_destination_is_waiting(&d, d.until_ms - 1), "waits");
		now = d.until_ms;
		CHECK_TRUE(queue_destination_may_open(&d, now), "then probes");
	}
	queue_destination_opened(&d, now);
	CHECK_TRUE(!queue_destination_may_open(&d, now), "with one connection");
	CHECK_TRUE(queue_destination_is_waiting(&d, now), "the others wait");
	queue_destination_closed(&d);
	CHECK_TRUE(queue_destination_may_open(&d, now), "the probe never said a thing");
	queue_destination_opened(&d, now);
	queue_destination_succeeded(&d, &conf, now);
	queue_destination_check(&d, &conf);
	CHECK_U64_EQ(d.state, DESTINATION_OPEN, "open again");
	CHECK_TRUE(queue_destination_may_open(&d, now), "carefully");
	CHECK_U64_EQ(d.allowed, 2, "carefully");
}

static void
test_slots(void)
{
	struct queue_destination d;
	int64_t last = 0;

	queue_destination_init(&d, &conf);
	for (int i = 0; i < 100; i++) {
		int64_t slot = queue_destination_slot_ms(&d, 1000, 20);

		CHECK_TRUE(slot > last && slot >= 6000, "one after the other");
		last = slot;
	}
	for (int i = 0; i < 1000000; i++)
		last = queue_destination_slot_ms(&d, 1000, 20);
	CHECK_TRUE(last <= 1000 + 15 * 60 * 1000 + 20, "not for ever");
	queue_destination_opened(&d, 1000);
	queue_destination_failed(&d, &conf, REASON_DNS_TEMP, 1000, 0);
	CHECK_I64_EQ(queue_destination_slot_ms(&d, 1000, 20), d.until_ms, "the probe's");
	CHECK_I64_EQ(queue_destination_slot_ms(&d, 1000, 20), d.until_ms + 20,
	             "the next");
	queue_destination_closed(&d);
}

SUITE(queue_destination, { "grows", test_grows }, { "backs off", test_backs_off },
      { "slots", test_slots });
