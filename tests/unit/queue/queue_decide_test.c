#include "queue/queue_decide.h"

#include "tests/unit/check.h"

enum {
	NEVER = QUEUE_NOTIFY_NEVER,
	SUCCESS = QUEUE_NOTIFY_SUCCESS,
	FAILURE = QUEUE_NOTIFY_FAILURE,
	DELAY = QUEUE_NOTIFY_DELAY,
};

static const int64_t pauses[] = { 100, 200 };
static const struct queue_schedule schedule = { pauses, 2, 1000 };

/* All were created at 1000 and live until 2000; a delay is told from 400 on. */
/* clang-format off */
static const struct {
	const char *what;
	enum queue_attempt attempt;
	uint32_t attempts;
	int64_t now, warned;
	unsigned notify;
	bool is_null;
	enum queue_fate fate;
	enum queue_tell tell;
	int64_t due;
	bool is_double;
} rows[] = {
	{ "delivered",             ATTEMPT_OK, 1, 1100, 0, 0, false, FATE_DELIVERED, TELL_NOBODY, 0, false },
	{ "success is theirs",     ATTEMPT_OK, 1, 1100, 0, SUCCESS, false, FATE_DELIVERED, TELL_NOBODY, 0, false },
	{ "relayed, wanted",       ATTEMPT_OK_WITHOUT_DSN, 1, 1100, 0, SUCCESS | FAILURE, false, FATE_DELIVERED, TELL_RELAYED, 0, false },
	{ "relayed, not wanted",   ATTEMPT_OK_WITHOUT_DSN, 1, 1100, 0, 0, false, FATE_DELIVERED, TELL_NOBODY, 0, false },
	{ "relayed, null sender",  ATTEMPT_OK_WITHOUT_DSN, 1, 1100, 0, SUCCESS, true, FATE_DELIVERED, TELL_NOBODY, 0, false },
	{ "in the mailbox",        ATTEMPT_IN_MAILBOX, 1, 1100, 0, SUCCESS | FAILURE, false, FATE_DELIVERED, TELL_DELIVERED, 0, false },
	{ "… not wanted",          ATTEMPT_IN_MAILBOX, 1, 1100, 0, FAILURE, false, FATE_DELIVERED, TELL_NOBODY, 0, false },
	{ "… not mentioned",       ATTEMPT_IN_MAILBOX, 1, 1100, 0, 0, false, FATE_DELIVERED, TELL_NOBODY, 0, false },
	{ "… null sender",         ATTEMPT_IN_MAILBOX, 1, 1100, 0, SUCCESS, true, FATE_DELIVERED, TELL_NOBODY, 0, false },
	{ "expanded",              ATTEMPT_EXPANDED, 1, 1100, 0, SUCCESS, false, FATE_DELIVERED, TELL_EXPANDED, 0, false },
	{ "… null sender",         ATTEMPT_EXPANDED, 1, 1100, 0, SUCCESS, true, FATE_DELIVERED, TELL_NOBODY, 0, false },
	{ "deferred",              ATTEMPT_TEMP, 1, 1100, 0, 0, false, FATE_DEFERRED, TELL_NOBODY, 1200, false },
	{ "deferred, late",        ATTEMPT_TEMP, 5, 1400, 0, 0, false, FATE_DEFERRED, TELL_DELAYED, 1600, false },
	{ "told once",             ATTEMPT_TEMP, 5, 1400, 1300, 0, false, FATE_DEFERRED, TELL_NOBODY, 1600, false },
	{ "delay not wanted",      ATTEMPT_TEMP, 5, 1400, 0, FAILURE, false, FATE_DEFERRED, TELL_NOBODY, 1600, false },
	{ "last try at the end",   ATTEMPT_TEMP, 5, 1900, 1, 0, false, FATE_DEFERRED, TELL_NOBODY, 2000, false },
	{ "expired",               ATTEMPT_TEMP, 5, 2000, 1, 0, false, FATE_EXPIRED, TELL_FAILED, 0, false },
	{ "too few tries",         ATTEMPT_TEMP, 1, 9000, 1, 0, false, FATE_DEFERRED, TELL_NOBODY, 9100, false },
	{ "expired, delay only",   ATTEMPT_TEMP, 5, 2000, 1, DELAY, false, FATE_EXPIRED, TELL_NOBODY, 0, false },
	{ "bounced",               ATTEMPT_PERM, 1, 1100, 0, 0, false, FATE_BOUNCED, TELL_FAILED, 0, false },
	{ "bounced, never tell",   ATTEMPT_PERM, 1, 1100, 0, NEVER, false, FATE_BOUNCED, TELL_NOBODY, 0, false },
	{ "bounced, success only", ATTEMPT_PERM, 1, 1100, 0, SUCCESS, false, FATE_BOUNCED, TELL_NOBODY, 0, false },
	{ "bounce of a bounce",    ATTEMPT_PERM, 1, 1100, 0, FAILURE, true, FATE_BOUNCED, TELL_NOBODY, 0, true },
	{ "expired bounce",        ATTEMPT_TEMP, 5, 2000, 0, 0, true, FATE_EXPIRED, TELL_NOBODY, 0, true },
	{ "sent back by a person", ATTEMPT_RETURNED, 0, 1100, 0, 0, false, FATE_BOUNCED, TELL_FAILED, 0, false },
};
/* clang-format on */

static void
test_decisions(void)
{
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct queue_facts f = { .attempts = rows[i].attempts,
			                 .created_ms = 1000,
			                 .expires_ms = 2000,
			                 .now_ms = rows[i].now,
			                 .delay_warned_ms = rows[i].warned,
			                 .delay_warning_ms = 400,
			                 .notify = rows[i].notify,
			                 .is_null_sender = rows[i].is_null };
		struct queue_decision d = queue_decide(&schedule, &f, rows[i].attempt);

		CHECK_U64_EQ(d.fate, rows[i].fate, rows[i].what);
		CHECK_U64_EQ(d.tell, rows[i].tell, rows[i].what);
		CHECK_I64_EQ(d.due_ms, rows[i].due, rows[i].what);
		CHECK_U64_EQ(d.is_double_bounce, rows[i].is_double, rows[i].what);
	}
}

SUITE(queue_decide, { "decisions", test_decisions });
