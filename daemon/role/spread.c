#include "role/spread.h"

enum {
	BUSY_PERCENT = 75, /* of one processor */
	MANY = 24,         /* clients: each wake-up has several of them to hear already */
};

bool
spread_is_due(const struct spread *s, int64_t now_ms)
{
	return s->count > 1 && now_ms - s->looked_ms >= SPREAD_LOOK_MS;
}

void
spread_look(struct spread *s, int64_t now_ms, int64_t cpu_us)
{
	int64_t passed_us = (now_ms - s->looked_ms) * 1000;

	/* At the first look it is not known since when. */
	s->is_busy =
		s->looked_ms && (cpu_us - s->cpu_us) > passed_us / 100 * BUSY_PERCENT;
	s->looked_ms = now_ms;
	s->cpu_us = cpu_us;
}

int64_t
spread_wait_ms(const struct spread *s, size_t used, size_t places)
{
	bool has_many = used >= MANY || (places && used >= places / 2 + places % 2);
	bool is_full = places && used >= places;
	int64_t steps = s->index + s->count * (s->is_busy + has_many + is_full);

	if (s->count <= 1)
		return 0;
	return (steps < SPREAD_STEPS_MAX ? steps : SPREAD_STEPS_MAX) * SPREAD_STEP_MS;
}
