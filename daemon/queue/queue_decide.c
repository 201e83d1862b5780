#include "queue/queue_decide.h"

/* NOTIFY not given means failure and, as RFC 3461 4.1 leaves it to us, delay. */
static bool
wants(const struct queue_facts *f, unsigned what)
{
	unsigned notify =
		f->notify ? f->notify : QUEUE_NOTIFY_FAILURE | QUEUE_NOTIFY_DELAY;

	return !f->is_null_sender && !(notify & QUEUE_NOTIFY_NEVER) && (notify & what);
}

static struct queue_decision
failed(const struct queue_facts *f, enum queue_fate fate)
{
	return (struct queue_decision){
		.fate = fate,
		.tell = wants(f, QUEUE_NOTIFY_FAILURE) ? TELL_FAILED : TELL_NOBODY,
		.is_double_bounce = f->is_null_sender,
	};
}

static struct queue_decision
deferred(const struct queue_schedule *s, const struct queue_facts *f)
{
	struct queue_decision d = { .fate = FATE_DEFERRED };

	d.due_ms = f->now_ms + queue_schedule_pause_ms(s, f->attempts, f->random);
	/* The last try is at the end of the lifetime, not a pause later. */
	if (f->now_ms < f->expires_ms && d.due_ms > f->expires_ms)
		d.due_ms = f->expires_ms;
	if (f->delay_warning_ms && !f->delay_warned_ms &&
	    f->now_ms - f->created_ms >= f->delay_warning_ms &&
	    wants(f, QUEUE_NOTIFY_DELAY))
		d.tell = TELL_DELAYED;
	return d;
}

struct queue_decision
queue_decide(const struct queue_schedule *s, const struct queue_facts *f,
             enum queue_attempt attempt)
{
	struct queue_decision d = { .fate = FATE_DELIVERED };

	switch (attempt) {
	case ATTEMPT_OK:
		break;
	case ATTEMPT_OK_WITHOUT_DSN:
		if (wants(f, QUEUE_NOTIFY_SUCCESS))
			d.tell = TELL_RELAYED;
		break;
	case ATTEMPT_IN_MAILBOX:
		if (wants(f, QUEUE_NOTIFY_SUCCESS))
			d.tell = TELL_DELIVERED;
		break;
	case ATTEMPT_EXPANDED:
		if (wants(f, QUEUE_NOTIFY_SUCCESS))
			d.tell = TELL_EXPANDED;
		break;
	case ATTEMPT_PERM:
	case ATTEMPT_RETURNED:
		return failed(f, FATE_BOUNCED);
	case ATTEMPT_TEMP:
		if (f->now_ms >= f->expires_ms &&
		    f->attempts >= queue_schedule_least_tries(s))
			return failed(f, FATE_EXPIRED);
		return deferred(s, f);
	}
	return d;
}
