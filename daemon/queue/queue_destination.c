#include "queue/queue_destination.h"

#include "base/duration.h"
#include "base/panic.h"

enum {
	DOUBLINGS_MAX = 20,
	SLOT_FIRST_MS = 5000,          /* no row comes back sooner */
	SLOT_LAST_MS = 15 * MINUTE_MS, /* nor is sent away for longer */
};

void
queue_destination_init(struct queue_destination *d,
                       const struct queue_destination_conf *conf)
{
	*d = (struct queue_destination){ .allowed = DESTINATION_CONNECTIONS_FIRST };
	if (d->allowed > conf->connections_max)
		d->allowed = conf->connections_max;
}

void
queue_destination_check(const struct queue_destination *d,
                        const struct queue_destination_conf *conf)
{
	CHECK(d->allowed >= 1);
	CHECK(d->allowed <= conf->connections_max || d->allowed == 1);
	CHECK((d->state == DESTINATION_OPEN) == (d->failures == 0));
}

bool
queue_destination_may_open(const struct queue_destination *d, int64_t now_ms)
{
	switch (d->state) {
	case DESTINATION_OPEN:
		return d->active < d->allowed;
	case DESTINATION_PAUSED:
		return now_ms >= d->until_ms;
	case DESTINATION_PROBING:
		break;
	}
	return false;
}

void
queue_destination_opened(struct queue_destination *d, int64_t now_ms)
{
	CHECK(queue_destination_may_open(d, now_ms));
	d->active++;
	if (d->state == DESTINATION_PAUSED)
		d->state = DESTINATION_PROBING;
}

void
queue_destination_closed(struct queue_destination *d)
{
	CHECK(d->active > 0);
	d->active--;
	/* A probe that ended without a finding: let another one try at once. */
	if (d->state == DESTINATION_PROBING && d->active == 0)
		d->state = DESTINATION_PAUSED;
}

void
queue_destination_succeeded(struct queue_destination *d,
                            const struct queue_destination_conf *conf, int64_t now_ms)
{
	d->state = DESTINATION_OPEN;
	d->failures = 0;
	d->until_ms = 0;
	d->last_ok_ms = now_ms;
	if (d->allowed < conf->connections_max)
		d->allowed++;
	if (d->slot_ms > now_ms + SLOT_FIRST_MS)
		d->slot_ms = now_ms + SLOT_FIRST_MS;
}

void
queue_destination_failed(struct queue_destination *d,
                         const struct queue_destination_conf *conf,
                         enum queue_reason reason, int64_t now_ms, uint64_t random)
{
	int64_t pause = conf->first_pause_ms;
	uint32_t doublings = d->failures < DOUBLINGS_MAX ? d->failures : DOUBLINGS_MAX;

	/* Connections that fail together fail once. */
	if (d->state == DESTINATION_PAUSED)
		return;
	for (uint32_t i = 0; i < doublings && pause < conf->longest_pause_ms; i++)
		pause *= 2;
	if (pause > conf->longest_pause_ms)
		pause = conf->longest_pause_ms;
	pause += (int64_t)(random % (uint64_t)(pause / 10 + 1));
	d->state = DESTINATION_PAUSED;
	d->reason = reason;
	d->failures++;
	d->until_ms = now_ms + pause;
	d->allowed = d->allowed > 1 ? d->allowed / 2 : 1;
	d->slot_ms = 0;
}

bool
queue_destination_is_waiting(const struct queue_destination *d, int64_t now_ms)
{
	return d->state == DESTINATION_PROBING ||
	       (d->state == DESTINATION_PAUSED && now_ms < d->until_ms);
}

int64_t
queue_destination_slot_ms(struct queue_destination *d, int64_t now_ms, int64_t every_ms)
{
	int64_t first = now_ms + SLOT_FIRST_MS;

	/* Behind a pause, and behind the probe that follows it. */
	if (d->state == DESTINATION_PAUSED)
		first = d->until_ms > now_ms ? d->until_ms : now_ms;
	if (d->slot_ms < first)
		d->slot_ms = first;
	else if (d->slot_ms < now_ms + SLOT_LAST_MS)
		d->slot_ms += every_ms;
	return d->slot_ms;
}

bool
queue_destination_is_idle(const struct queue_destination *d, int64_t now_ms)
{
	enum {
		FORGET_MS = 10 * MINUTE_MS,
	};

	if (d->active)
		return false;
	if (d->state == DESTINATION_OPEN)
		return d->slot_ms <= now_ms;
	return now_ms > d->until_ms + FORGET_MS;
}
